//! How a server writes replies.

use bytes::{BufMut, BytesMut};

use super::request::write_key;
use super::{DebugFacts, Request, Verb};
use crate::memcached::{key, number};

/// What became of a request.
///
/// ```
/// use charioteer_proto::memcached::meta::Status;
///
/// assert_eq!(Status::Missing.code(), "EN");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was done: `HD`, or `VA` where a value is told.
    Done,
    /// `EN`: there is no item to get.
    Missing,
    /// `NF`: there is no item to do this with.
    NotFound,
    /// `NS`: it was not stored, as there was an item already, or none.
    NotStored,
    /// `EX`: the item is another than the one that was expected.
    Exists,
}

impl Status {
    /// How a reply without a value begins.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Done => "HD",
            Self::Missing => "EN",
            Self::NotFound => "NF",
            Self::NotStored => "NS",
            Self::Exists => "EX",
        }
    }
}

/// What a server knows of an item, from which a reply tells what was asked for.
///
/// ```
/// use bytes::BytesMut;
/// use charioteer_proto::memcached::meta::{Flag, Flags, ItemFacts, Request, Status, Verb, write_reply};
///
/// let flags = Flags::new().with(Flag::ReturnLifetime).with(Flag::ReturnValue).with(Flag::ReturnCas);
/// let request = Request { verb: Verb::Get, key: "key", flags, value: "" };
/// let facts = ItemFacts { cas: 12, remaining: Some(59), won: true, ..ItemFacts::default() };
/// let mut out = BytesMut::new();
/// write_reply(&mut out, &request, Status::Done, &facts, Some(b"value"));
/// assert_eq!(out, "VA 5 t59 c12 W\r\nvalue\r\n");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ItemFacts {
    /// Its version; 0 where nothing was stored.
    pub cas: u64,
    /// What the client made of it.
    pub client_flags: u32,
    /// Whether it had been got before.
    pub hit: bool,
    /// For how many seconds it had not been got.
    pub idle_seconds: u32,
    /// How long its value is.
    pub size: u64,
    /// For how many seconds it is still kept; nothing, if for ever.
    pub remaining: Option<u32>,
    /// Whether this client is to make the value anew: `W`.
    pub won: bool,
    /// Whether the value is stale: `X`.
    pub stale: bool,
    /// Whether another client is to make the value anew: `Z`.
    pub already_won: bool,
    /// Whether the item was stored under a key that came as base64: then its key is told so, however it was asked for.
    pub base64_key: bool,
}

/// Appends the reply to a request, unless it is quiet and this is what commonly happens: nothing to get for `mg`, success for the
/// others. A value is told only where one is given.
pub fn write_reply<B: AsRef<[u8]>>(
    out: &mut BytesMut,
    request: &Request<B>,
    status: Status,
    facts: &ItemFacts,
    value: Option<&[u8]>,
) {
    let common = if request.verb == Verb::Get { Status::Missing } else { Status::Done };
    if request.flags.is_quiet() && status == common {
        return;
    }
    let value = value.filter(|_| status == Status::Done);
    match value {
        Some(value) => {
            out.reserve(value.len() + 64);
            out.put_slice(b"VA ");
            number::write(out, value.len() as u64);
        }
        None => out.put_slice(status.code().as_bytes()),
    }
    for letter in request.flags.letters() {
        write_returned(out, request, status, facts, letter);
    }
    for (is_so, mark) in [(facts.already_won, b" Z"), (facts.stale, b" X"), (facts.won, b" W")] {
        if is_so {
            out.put_slice(mark);
        }
    }
    out.put_slice(b"\r\n");
    if let Some(value) = value {
        out.put_slice(value);
        out.put_slice(b"\r\n");
    }
}

/// Appends what a flag asks for, if this command tells it.
fn write_returned<B: AsRef<[u8]>>(
    out: &mut BytesMut,
    request: &Request<B>,
    status: Status,
    facts: &ItemFacts,
    letter: u8,
) {
    let number = match (letter, request.verb, status) {
        (b'O', ..) => {
            out.put_slice(b" O");
            out.put_slice(request.flags.opaque().unwrap_or_default().as_ref());
            return;
        }
        (b'k', ..) => return write_returned_key(out, request, status, facts),
        (b't', Verb::Get | Verb::Arithmetic, Status::Done) => match facts.remaining {
            Some(seconds) => seconds.into(),
            None => return out.put_slice(b" t-1"),
        },
        (b'c', Verb::Get | Verb::Arithmetic, Status::Done) | (b'c', Verb::Set, _) => facts.cas,
        (b's', Verb::Get, Status::Done) | (b's', Verb::Set, _) => facts.size,
        (b'f', Verb::Get, Status::Done) => facts.client_flags.into(),
        (b'h', Verb::Get, Status::Done) => facts.hit.into(),
        (b'l', Verb::Get, Status::Done) => facts.idle_seconds.into(),
        _ => return,
    };
    out.put_u8(b' ');
    out.put_u8(letter);
    number::write(out, number);
}

/// Appends the key: that of an item that was got in the form in which it was stored, otherwise in that in which it was sent. What was sent
/// as base64 and can't stand in a line as it is remains so in any case.
fn write_returned_key<B: AsRef<[u8]>>(out: &mut BytesMut, request: &Request<B>, status: Status, facts: &ItemFacts) {
    let (key, sent) = (request.key.as_ref(), request.flags.is_base64_key());
    let is_got = request.verb == Verb::Get && status == Status::Done;
    let base64 = if is_got { facts.base64_key || sent && key::check_text(key).is_err() } else { sent };
    out.put_slice(b" k");
    write_key(out, key, base64);
    if base64 {
        out.put_slice(b" b");
    }
}

/// Appends the reply to `mn`.
pub fn write_noop_reply(out: &mut BytesMut) {
    out.put_slice(b"MN\r\n");
}

/// Appends the reply to `me`: what is known of the item, if there is one.
pub fn write_debug_reply(out: &mut BytesMut, key: &[u8], base64: bool, facts: Option<&DebugFacts>) {
    let Some(facts) = facts else {
        return out.put_slice(b"EN\r\n");
    };
    out.put_slice(b"ME ");
    write_key(out, key, base64);
    out.put_slice(b" exp=");
    match facts.remaining {
        // memcached counts from the item's end.
        Some(seconds) => number::write_signed(out, -i64::from(seconds)),
        None => out.put_slice(b"-1"),
    }
    for (name, number) in [(" la=", facts.idle_seconds.into()), (" cas=", facts.cas)] {
        out.put_slice(name.as_bytes());
        number::write(out, number);
    }
    out.put_slice(if facts.hit { b" fetch=yes" } else { b" fetch=no" });
    for (name, number) in [(" cls=", facts.class.into()), (" size=", facts.total_size)] {
        out.put_slice(name.as_bytes());
        number::write(out, number);
    }
    out.put_slice(b"\r\n");
}
