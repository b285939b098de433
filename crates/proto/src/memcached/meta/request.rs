//! Requests, and how a client writes them.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Flag, Flags};
use crate::memcached::{Direction, StoreMode, key, number};

/// A command on an item.
///
/// ```
/// use bytes::BytesMut;
/// use charioteer_proto::memcached::meta::{Flag, Flags, Request, Verb, write_request};
///
/// let flags = Flags::new().with(Flag::ReturnValue).with(Flag::Opaque(7.into()));
/// let mut out = BytesMut::new();
/// write_request(&mut out, &Request { verb: Verb::Get, key: "key", flags, value: "" });
/// assert_eq!(out, "mg key v O7\r\n");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<B = Bytes> {
    /// What is to be done.
    pub verb: Verb,
    /// The item's key; its bytes, also where it is sent as base64.
    pub key: B,
    /// In which way it is to be done, and what is to be told.
    pub flags: Flags,
    /// The value, where one is stored; empty otherwise.
    pub value: B,
}

/// What can be done with an item.
///
/// ```
/// use charioteer_proto::memcached::meta::Verb;
///
/// assert_eq!(Verb::Arithmetic.name(), "ma");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `mg`: get it.
    Get,
    /// `ms`: store it.
    Set,
    /// `md`: remove it, or make it stale.
    Delete,
    /// `ma`: count with it.
    Arithmetic,
}

impl Verb {
    /// The command.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "mg",
            Self::Set => "ms",
            Self::Delete => "md",
            Self::Arithmetic => "ma",
        }
    }
}

impl<B> Request<B> {
    /// The same request in another holder of bytes.
    pub(in crate::memcached) fn map<T>(self, to: impl Fn(B) -> T) -> Request<T> {
        Request { verb: self.verb, key: to(self.key), flags: self.flags, value: to(self.value) }
    }
}

/// Appends a request, whose key must have been checked: as [text](key::check_text), or as what can be sent as
/// [base64](key::check_base64) if there is [`Flag::Base64Key`].
pub fn write_request<B: AsRef<[u8]>>(out: &mut BytesMut, request: &Request<B>) {
    let (key, value) = (request.key.as_ref(), request.value.as_ref());
    out.reserve(key.len() * 4 / 3 + value.len() + 64);
    out.put_slice(request.verb.name().as_bytes());
    out.put_u8(b' ');
    write_key(out, key, request.flags.is_base64_key());
    if request.verb == Verb::Set {
        out.put_u8(b' ');
        number::write(out, value.len() as u64);
    }
    request.flags.iter().for_each(|flag| write_flag(out, &flag));
    out.put_slice(b"\r\n");
    if request.verb == Verb::Set {
        out.put_slice(value);
        out.put_slice(b"\r\n");
    }
}

/// Appends `mn`, whose reply comes when all before it has been answered.
pub fn write_noop(out: &mut BytesMut) {
    out.put_slice(b"mn\r\n");
}

/// Appends `me`, which asks what is known of an item.
pub fn write_debug(out: &mut BytesMut, key: &[u8], base64: bool) {
    out.put_slice(b"me ");
    write_key(out, key, base64);
    // 1.6.45 takes the key for base64 only if there is another word behind the flag.
    out.put_slice(if base64 { b" b b\r\n" } else { b"\r\n" });
}

pub(super) fn write_key(out: &mut BytesMut, key: &[u8], base64: bool) {
    if base64 {
        key::write_base64(out, key);
    } else {
        out.put_slice(key);
    }
}

fn write_flag(out: &mut BytesMut, flag: &Flag) {
    out.put_u8(b' ');
    out.put_u8(flag.letter());
    match flag {
        Flag::CompareCas(number) | Flag::Delta(number) | Flag::NewCas(number) | Flag::Initial(number) => {
            number::write(out, *number);
        }
        Flag::ClientFlags(flags) => number::write(out, (*flags).into()),
        Flag::Vivify(expiration) | Flag::Recache(expiration) | Flag::Lifetime(expiration) => {
            number::write_signed(out, expiration.signed().into());
        }
        Flag::Store(mode) => out.put_u8(store_letter(*mode)),
        Flag::Count(Direction::Increment) => out.put_u8(b'I'),
        Flag::Count(Direction::Decrement) => out.put_u8(b'D'),
        Flag::Opaque(opaque) => out.put_slice(opaque.as_ref()),
        _ => {}
    }
}

const fn store_letter(mode: StoreMode) -> u8 {
    match mode {
        StoreMode::Set => b'S',
        StoreMode::Add => b'E',
        StoreMode::Replace => b'R',
        StoreMode::Append => b'A',
        StoreMode::Prepend => b'P',
    }
}
