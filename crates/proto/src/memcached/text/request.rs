//! What a client of the text protocols can ask for.

use bytes::Bytes;

use super::{Admin, Refusal, Words};
use crate::memcached::{Direction, Expiration, StoreMode, meta};

/// A request of the text protocols, or a line that is none.
///
/// `noreply` is whether the client has asked for no answer, and gets none, be it done or not.
///
/// ```
/// use bytes::BytesMut;
/// use charioteer_proto::memcached::text::{Request, read_request};
/// use charioteer_proto::memcached::{Intake, Limits};
///
/// let mut input = BytesMut::from("delete key noreply\r\nincr\r\n");
/// let mut next = || read_request(&mut input, &Limits::default(), &mut Intake::default()).unwrap().expect("a whole line");
/// assert_eq!(next(), Request::Delete { key: "key".into(), noreply: true });
/// let Request::Refused(refusal) = next() else { panic!("it says neither what to count nor by how much") };
/// assert_eq!(refusal.text(), "CLIENT_ERROR bad command line format");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Request<B = Bytes> {
    /// `get`, `gets`, `gat`, `gats`: get items.
    Get {
        /// Their keys.
        keys: Words<B>,
        /// Whether the reply carries their versions.
        with_cas: bool,
        /// How long they are kept from now on, if that is to change.
        touch: Option<Expiration>,
    },
    /// `set`, `add`, `replace`, `append`, `prepend`, `cas`: store an item.
    Store {
        /// In which way; `cas` sets.
        mode: StoreMode,
        /// The version of the item that is expected, with `cas`.
        cas: Option<u64>,
        /// The item's key.
        key: B,
        /// Its value.
        value: B,
        /// What the client makes of it.
        flags: u32,
        /// How long it is kept.
        expiration: Expiration,
        /// No answer is sent.
        noreply: bool,
    },
    /// `delete`: remove an item.
    Delete {
        /// Its key.
        key: B,
        /// No answer is sent.
        noreply: bool,
    },
    /// `incr`, `decr`: count with an item.
    Count {
        /// Up or down.
        direction: Direction,
        /// Its key.
        key: B,
        /// By how much.
        delta: u64,
        /// No answer is sent.
        noreply: bool,
    },
    /// `touch`: set how long an item is kept.
    Touch {
        /// Its key.
        key: B,
        /// How long it is kept from now on.
        expiration: Expiration,
        /// No answer is sent.
        noreply: bool,
    },
    /// `flush_all`: remove all items.
    FlushAll {
        /// When, if not now.
        delay: Option<Expiration>,
        /// No answer is sent.
        noreply: bool,
    },
    /// `version`.
    Version,
    /// `quit`: end the connection.
    Quit,
    /// `verbosity`: how much the server logs.
    Verbosity {
        /// How much.
        level: u32,
        /// No answer is sent.
        noreply: bool,
    },
    /// `stats`: tell counters or settings.
    Stats {
        /// Which; the general ones if there are none.
        arguments: Words<B>,
    },
    /// `config get`: tell what is configured; `cluster` is the list of servers.
    ConfigGet {
        /// What.
        name: B,
    },
    /// What only those do who look after the server.
    Admin {
        /// The command.
        command: Admin<B>,
        /// No answer is sent.
        noreply: bool,
    },
    /// `mg`, `ms`, `md`, `ma`.
    Meta(meta::Request<B>),
    /// `mn`: answer, when all before it is answered.
    MetaNoop,
    /// `me`: tell what is known of an item.
    MetaDebug {
        /// Its key.
        key: B,
        /// Whether the key is sent as base64.
        base64: bool,
    },
    /// A value that is longer than the limit. It is answered with [`Refusal::TOO_LARGE`] before the value has come, which is passed
    /// over.
    TooLarge {
        /// The item's key.
        key: B,
        /// Whether the item that is there must go, as it would be taken for the one that could not be stored.
        forgets: bool,
        /// No answer is sent.
        noreply: bool,
    },
    /// A line that is not carried out. The connection goes on behind it.
    Refused(Refusal),
}

impl<B> Request<B> {
    /// The same request in another holder of bytes.
    pub(super) fn map<T>(self, to: impl Fn(B) -> T) -> Request<T> {
        match self {
            Self::Get { keys, with_cas, touch } => Request::Get { keys: keys.map(to), with_cas, touch },
            Self::Store { mode, cas, key, value, flags, expiration, noreply } => {
                let (key, value) = (to(key), to(value));
                Request::Store { mode, cas, key, value, flags, expiration, noreply }
            }
            Self::Delete { key, noreply } => Request::Delete { key: to(key), noreply },
            Self::Count { direction, key, delta, noreply } => {
                Request::Count { direction, key: to(key), delta, noreply }
            }
            Self::Touch { key, expiration, noreply } => Request::Touch { key: to(key), expiration, noreply },
            Self::FlushAll { delay, noreply } => Request::FlushAll { delay, noreply },
            Self::Version => Request::Version,
            Self::Quit => Request::Quit,
            Self::Verbosity { level, noreply } => Request::Verbosity { level, noreply },
            Self::Stats { arguments } => Request::Stats { arguments: arguments.map(to) },
            Self::ConfigGet { name } => Request::ConfigGet { name: to(name) },
            Self::Admin { command, noreply } => Request::Admin { command: command.map(to), noreply },
            Self::Meta(request) => Request::Meta(request.map(to)),
            Self::MetaNoop => Request::MetaNoop,
            Self::MetaDebug { key, base64 } => Request::MetaDebug { key: to(key), base64 },
            Self::TooLarge { key, forgets, noreply } => Request::TooLarge { key: to(key), forgets, noreply },
            Self::Refused(refusal) => Request::Refused(refusal),
        }
    }
}
