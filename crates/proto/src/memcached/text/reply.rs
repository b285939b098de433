//! Replies, and how a server writes them.

use core::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use crate::memcached::number;

/// A reply, or one piece of a reply that has several.
///
/// ```
/// use bytes::BytesMut;
/// use charioteer_proto::memcached::text::{Reply, write_reply};
///
/// let mut out = BytesMut::new();
/// write_reply(&mut out, &Reply::Value { key: "key", flags: 5, cas: None, value: "value" });
/// write_reply(&mut out, &Reply::<&str>::End);
/// assert_eq!(out, "VALUE key 5 5\r\nvalue\r\nEND\r\n");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<B = Bytes> {
    /// An item; more may follow, and then `END`.
    Value {
        /// Its key.
        key: B,
        /// What the client made of it.
        flags: u32,
        /// Its version, if that was asked for.
        cas: Option<u64>,
        /// Its value.
        value: B,
    },
    /// There are no more items, statistics or lines.
    End,
    /// The item was stored.
    Stored,
    /// The item was not stored, as there was one already, or none.
    NotStored,
    /// The item is another than the one that was expected.
    Exists,
    /// There is no such item.
    NotFound,
    /// The item was removed.
    Deleted,
    /// The item is kept as long as was asked for.
    Touched,
    /// It was done.
    Ok,
    /// The counters begin from 0.
    Reset,
    /// What a counter stands at.
    Number(u64),
    /// The server's version.
    Version(B),
    /// A statistic; more may follow, and then `END`.
    Stat {
        /// Its name.
        name: B,
        /// Its value.
        value: B,
    },
    /// What is configured; `END` follows.
    Config {
        /// What was asked for.
        name: B,
        /// What it is.
        value: B,
    },
    /// Another line.
    Line(B),
    /// It was not done.
    Error(Error<B>),
}

/// A line that says that something was not done.
///
/// ```
/// use bytes::Bytes;
/// use charioteer_proto::memcached::text::Error;
///
/// let error = Error::Server(Bytes::from_static(b"out of memory"));
/// assert_eq!(error.to_string(), "server error: out of memory");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error<B = Bytes> {
    /// `ERROR`: there is no such command. There are seldom words behind it.
    Command(B),
    /// `CLIENT_ERROR`: the client is at fault. Behind a command that stores, the server may have taken its value for commands, and
    /// nothing that follows can be trusted.
    Client(B),
    /// `SERVER_ERROR`: the server can't.
    Server(B),
}

impl<B: AsRef<[u8]>> fmt::Display for Error<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(text) if text.as_ref().is_empty() => write!(f, "unknown command"),
            Self::Command(text) => write!(f, "error: {}", text.as_ref().escape_ascii()),
            Self::Client(text) => write!(f, "client error: {}", text.as_ref().escape_ascii()),
            Self::Server(text) => write!(f, "server error: {}", text.as_ref().escape_ascii()),
        }
    }
}

impl<B: AsRef<[u8]> + fmt::Debug> core::error::Error for Error<B> {}

impl<B> Error<B> {
    pub(in crate::memcached) fn map<T>(self, to: impl FnOnce(B) -> T) -> Error<T> {
        match self {
            Self::Command(text) => Error::Command(to(text)),
            Self::Client(text) => Error::Client(to(text)),
            Self::Server(text) => Error::Server(to(text)),
        }
    }
}

impl<B> Reply<B> {
    /// The same reply in another holder of bytes.
    pub(super) fn map<T>(self, to: impl Fn(B) -> T) -> Reply<T> {
        match self {
            Self::Value { key, flags, cas, value } => Reply::Value { key: to(key), flags, cas, value: to(value) },
            Self::End => Reply::End,
            Self::Stored => Reply::Stored,
            Self::NotStored => Reply::NotStored,
            Self::Exists => Reply::Exists,
            Self::NotFound => Reply::NotFound,
            Self::Deleted => Reply::Deleted,
            Self::Touched => Reply::Touched,
            Self::Ok => Reply::Ok,
            Self::Reset => Reply::Reset,
            Self::Number(number) => Reply::Number(number),
            Self::Version(version) => Reply::Version(to(version)),
            Self::Stat { name, value } => Reply::Stat { name: to(name), value: to(value) },
            Self::Config { name, value } => Reply::Config { name: to(name), value: to(value) },
            Self::Line(line) => Reply::Line(to(line)),
            Self::Error(error) => Reply::Error(error.map(to)),
        }
    }
}

/// Appends a reply.
pub fn write_reply<B: AsRef<[u8]>>(out: &mut BytesMut, reply: &Reply<B>) {
    match reply {
        Reply::Value { key, flags, cas, value } => write_value(out, key.as_ref(), *flags, *cas, value.as_ref()),
        Reply::End => out.put_slice(b"END"),
        Reply::Stored => out.put_slice(b"STORED"),
        Reply::NotStored => out.put_slice(b"NOT_STORED"),
        Reply::Exists => out.put_slice(b"EXISTS"),
        Reply::NotFound => out.put_slice(b"NOT_FOUND"),
        Reply::Deleted => out.put_slice(b"DELETED"),
        Reply::Touched => out.put_slice(b"TOUCHED"),
        Reply::Ok => out.put_slice(b"OK"),
        Reply::Reset => out.put_slice(b"RESET"),
        Reply::Number(number) => number::write(out, *number),
        Reply::Version(version) => put(out, [b"VERSION ", version.as_ref()]),
        Reply::Stat { name, value } => put(out, [b"STAT ", name.as_ref(), b" ", value.as_ref()]),
        Reply::Config { name, value } => {
            put(out, [b"CONFIG ", name.as_ref(), b" 0 "]);
            write_data(out, value.as_ref());
        }
        Reply::Line(line) => out.put_slice(line.as_ref()),
        Reply::Error(Error::Command(text)) if text.as_ref().is_empty() => out.put_slice(b"ERROR"),
        Reply::Error(Error::Command(text)) => put(out, [b"ERROR ", text.as_ref()]),
        Reply::Error(Error::Client(text)) => put(out, [b"CLIENT_ERROR ", text.as_ref()]),
        Reply::Error(Error::Server(text)) => put(out, [b"SERVER_ERROR ", text.as_ref()]),
    }
    out.put_slice(b"\r\n");
}

fn put<const N: usize>(out: &mut BytesMut, parts: [&[u8]; N]) {
    parts.into_iter().for_each(|part| out.put_slice(part));
}

fn write_value(out: &mut BytesMut, key: &[u8], flags: u32, cas: Option<u64>, value: &[u8]) {
    out.reserve(key.len() + value.len() + 64);
    put(out, [b"VALUE ", key, b" "]);
    number::write(out, flags.into());
    out.put_u8(b' ');
    match cas {
        None => write_data(out, value),
        Some(cas) => {
            number::write(out, value.len() as u64);
            out.put_u8(b' ');
            number::write(out, cas);
            put(out, [b"\r\n", value]);
        }
    }
}

/// Appends a length, the end of the line, and what is so long.
fn write_data(out: &mut BytesMut, data: &[u8]) {
    number::write(out, data.len() as u64);
    put(out, [b"\r\n", data]);
}
