//! Requests, and how a client writes them.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Header, Opcode, REQUEST_MAGIC, Reply, Status};
use crate::memcached::{Direction, Expiration, StoreMode};

/// A request.
///
/// ```
/// use bytes::BytesMut;
/// use charioteer_proto::memcached::binary::{Command, Request, read_request, write_request};
/// use charioteer_proto::memcached::{Intake, Limits};
///
/// let mut wire = BytesMut::new();
/// let get = Command::Get { key: &b"key"[..], with_key: false };
/// write_request(&mut wire, &Request { quiet: true, opaque: 7, cas: 0, command: get });
///
/// let request = read_request(&mut wire, &Limits::default(), &mut Intake::default()).unwrap().expect("all of it is there");
/// assert_eq!((request.quiet, request.opaque), (true, 7));
/// assert_eq!(request.command, Command::Get { key: "key".into(), with_key: false });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<B = Bytes> {
    /// Whether the common answer is not sent; has no meaning for commands without a quiet form.
    pub quiet: bool,
    /// What the reply must carry.
    pub opaque: u32,
    /// The item that is expected, where it is not 0.
    pub cas: u64,
    /// What is to be done.
    pub command: Command<B>,
}

/// What a request asks for.
///
/// ```
/// use charioteer_proto::memcached::binary::{Command, Opcode};
///
/// assert_eq!(Command::<&[u8]>::Noop.opcode(), Opcode::NOOP);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<B = Bytes> {
    /// Get an item.
    Get {
        /// Its key.
        key: B,
        /// Whether the reply carries it too.
        with_key: bool,
    },
    /// Get an item, and set how long it is kept.
    GetAndTouch {
        /// Its key.
        key: B,
        /// Whether the reply carries it too.
        with_key: bool,
        /// How long it is kept from now on.
        expiration: Expiration,
    },
    /// Set how long an item is kept.
    Touch {
        /// Its key.
        key: B,
        /// How long it is kept from now on.
        expiration: Expiration,
    },
    /// Store an item.
    Store {
        /// In which way.
        mode: StoreMode,
        /// Its key.
        key: B,
        /// Its value.
        value: B,
        /// What the client makes of it; not sent, and 0, where a value is appended or prepended.
        flags: u32,
        /// How long it is kept; not sent, and never, where a value is appended or prepended.
        expiration: Expiration,
    },
    /// Remove an item.
    Delete {
        /// Its key.
        key: B,
    },
    /// Count with an item.
    Count {
        /// Up or down.
        direction: Direction,
        /// Its key.
        key: B,
        /// By how much.
        delta: u64,
        /// What an item begins with that was not there.
        initial: u64,
        /// How long an item is kept that was not there; nothing if none is to be made.
        create: Option<Expiration>,
    },
    /// Remove all items.
    Flush {
        /// When, if not now.
        delay: Option<Expiration>,
    },
    /// Do nothing, and tell so.
    Noop,
    /// Tell the version.
    Version,
    /// End the connection.
    Quit,
    /// Tell counters or settings.
    Stat {
        /// Which; the general ones if it is empty.
        group: B,
    },
    /// Write more or less into the log. memcached's documentation has it, memcached does not: its servers, and the reader here, take it
    /// for [`Unknown`](Self::Unknown).
    Verbosity {
        /// How much; 0 is the least.
        level: u32,
    },
    /// Tell how one can say who one is.
    SaslMechanisms,
    /// Take the client for whom it says it is.
    SaslAuth {
        /// How it says so.
        mechanism: B,
        /// What it says.
        data: B,
    },
    /// Take the client for whom it says it is, in another step.
    SaslStep {
        /// How it says so.
        mechanism: B,
        /// What it says.
        data: B,
    },
    /// A request whose value is longer than the limit. It is answered with [`Status::TOO_LARGE`] before the value has come, which
    /// is passed over.
    TooLarge {
        /// The command, which is not the quiet form.
        opcode: Opcode,
        /// The item's key.
        key: B,
        /// Whether the item that is there must go, as it would be taken for the one that could not be stored.
        forgets: bool,
    },
    /// A request that is none of these. It is answered with [`Status::UNKNOWN_COMMAND`]; what it carries is passed over.
    Unknown {
        /// Its number.
        opcode: Opcode,
    },
}

impl<B> Request<B> {
    /// The request's number, as it stands on the wire.
    pub fn opcode(&self) -> Opcode {
        let loud = self.command.opcode();
        if self.quiet { loud.quiet().unwrap_or(loud) } else { loud }
    }

    /// A reply that says no more than that it was done.
    pub fn reply<R: Default>(&self) -> Reply<R> {
        Reply {
            opcode: self.opcode(),
            status: Status::OK,
            opaque: self.opaque,
            cas: 0,
            flags: None,
            key: R::default(),
            value: R::default(),
        }
    }

    /// Whether a reply of this status is not sent, as the request is a quiet one.
    pub const fn hides(&self, status: Status) -> bool {
        let common = match self.command {
            Command::Get { .. } | Command::GetAndTouch { .. } => Status::NOT_FOUND,
            _ => Status::OK,
        };
        self.quiet && status.0 == common.0
    }
}

impl<B> Command<B> {
    /// The command's number.
    pub const fn opcode(&self) -> Opcode {
        match self {
            Self::Get { with_key: false, .. } => Opcode::GET,
            Self::Get { with_key: true, .. } => Opcode::GET_WITH_KEY,
            Self::GetAndTouch { with_key: false, .. } => Opcode::GET_AND_TOUCH,
            Self::GetAndTouch { with_key: true, .. } => Opcode::GET_AND_TOUCH_WITH_KEY,
            Self::Touch { .. } => Opcode::TOUCH,
            Self::Store { mode, .. } => match mode {
                StoreMode::Set => Opcode::SET,
                StoreMode::Add => Opcode::ADD,
                StoreMode::Replace => Opcode::REPLACE,
                StoreMode::Append => Opcode::APPEND,
                StoreMode::Prepend => Opcode::PREPEND,
            },
            Self::Delete { .. } => Opcode::DELETE,
            Self::Count { direction: Direction::Increment, .. } => Opcode::INCREMENT,
            Self::Count { direction: Direction::Decrement, .. } => Opcode::DECREMENT,
            Self::Flush { .. } => Opcode::FLUSH,
            Self::Noop => Opcode::NOOP,
            Self::Version => Opcode::VERSION,
            Self::Quit => Opcode::QUIT,
            Self::Stat { .. } => Opcode::STAT,
            Self::Verbosity { .. } => Opcode::VERBOSITY,
            Self::SaslMechanisms => Opcode::SASL_MECHANISMS,
            Self::SaslAuth { .. } => Opcode::SASL_AUTH,
            Self::SaslStep { .. } => Opcode::SASL_STEP,
            Self::TooLarge { opcode, .. } | Self::Unknown { opcode } => *opcode,
        }
    }
}

/// Appends a request, whose key must have been [checked](crate::memcached::key::check_binary).
///
/// [`Command::TooLarge`] and [`Command::Unknown`] are what a server makes of requests; there is no more of them to write than a header.
pub fn write_request<B: AsRef<[u8]>>(out: &mut BytesMut, request: &Request<B>) {
    let (key, value) = key_and_value(&request.command);
    let header = Header {
        magic: REQUEST_MAGIC,
        opcode: request.opcode(),
        key: 0,
        extras: 0,
        status: 0,
        body: 0,
        opaque: request.opaque,
        cas: request.cas,
    };
    let mut extras = [0; 20];
    let length = put_extras(&mut extras, &request.command);
    header.write(out, extras.get(..length).unwrap_or_default(), key, value);
}

fn key_and_value<B: AsRef<[u8]>>(command: &Command<B>) -> (&[u8], &[u8]) {
    match command {
        Command::Store { key, value, .. } => (key.as_ref(), value.as_ref()),
        Command::SaslAuth { mechanism, data } | Command::SaslStep { mechanism, data } => {
            (mechanism.as_ref(), data.as_ref())
        }
        Command::Get { key, .. }
        | Command::GetAndTouch { key, .. }
        | Command::Touch { key, .. }
        | Command::Delete { key }
        | Command::Count { key, .. }
        | Command::TooLarge { key, .. }
        | Command::Stat { group: key } => (key.as_ref(), b""),
        Command::Flush { .. }
        | Command::Noop
        | Command::Version
        | Command::Quit
        | Command::Verbosity { .. }
        | Command::SaslMechanisms
        | Command::Unknown { .. } => (b"", b""),
    }
}

/// Writes a command's extras, and says how long they are.
fn put_extras<B>(extras: &mut [u8; 20], command: &Command<B>) -> usize {
    let mut rest = &mut extras[..];
    match command {
        Command::Store { mode: StoreMode::Append | StoreMode::Prepend, .. } => {}
        Command::Store { flags, expiration, .. } => {
            rest.put_u32(*flags);
            rest.put_u32(expiration.unsigned());
        }
        Command::Touch { expiration, .. } | Command::GetAndTouch { expiration, .. } => {
            rest.put_u32(expiration.unsigned())
        }
        Command::Count { delta, initial, create, .. } => {
            rest.put_u64(*delta);
            rest.put_u64(*initial);
            // The greatest number says that there is no expiration, as no counter is to be made.
            rest.put_u32(create.map_or(u32::MAX, |expiration| expiration.unsigned().min(u32::MAX - 1)));
        }
        Command::Verbosity { level } => rest.put_u32(*level),
        Command::Flush { delay: Some(delay) } => rest.put_u32(delay.unsigned()),
        _ => {}
    }
    20 - rest.len()
}
