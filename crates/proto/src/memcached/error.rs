//! Why a stream can't be read on.

use core::fmt;

/// Why a client can't read on. Nothing that comes behind it can be trusted; the connection is to be closed.
///
/// ```
/// use bytes::BytesMut;
/// use charioteer_proto::memcached::{Limits, binary};
///
/// let error = binary::read_reply(&mut BytesMut::from("HTTP/1.1 400"), &Limits::default()).unwrap_err();
/// assert_eq!(error.to_string(), "not a reply of the binary protocol: it begins with 0x48");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyError {
    /// The first byte of a reply of the binary protocol is another one than `0x81`.
    Magic(u8),
    /// The lengths in a header contradict each other or the protocol.
    Lengths {
        /// Of the extras.
        extras: u8,
        /// Of the key.
        key: u16,
        /// Of extras, key and value.
        body: u32,
    },
    /// A value or body that is longer than the limit.
    TooLarge {
        /// The length that was announced.
        bytes: u64,
        /// What is allowed.
        limit: usize,
    },
    /// A line that is longer than the limit.
    LineTooLong {
        /// What is allowed.
        limit: usize,
    },
    /// A line that answers nothing that was asked, or makes no sense.
    Unexpected(Excerpt),
    /// A value that is longer or shorter than it was said to be.
    Unterminated,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic(magic) => write!(f, "not a reply of the binary protocol: it begins with {magic:#04x}"),
            Self::Lengths { extras, key, body } => {
                write!(f, "impossible lengths: {extras} of extras, {key} of the key, {body} in all")
            }
            Self::TooLarge { bytes, limit } => write!(f, "reply of {bytes} bytes, allowed are {limit}"),
            Self::LineTooLong { limit } => write!(f, "line of more than {limit} bytes"),
            Self::Unexpected(line) => write!(f, "unexpected line {line}"),
            Self::Unterminated => write!(f, "value of another length than announced"),
        }
    }
}

impl core::error::Error for ReplyError {}

/// The beginning of a line, for messages: long enough to tell what it is, too short to give much of a value away.
///
/// ```
/// use charioteer_proto::memcached::Excerpt;
///
/// assert_eq!(Excerpt::of(b"HTTP/1.1 400 Bad Request").to_string(), "\"HTTP/1.1 400 Bad…\"");
/// assert_eq!(Excerpt::of(b"\x81\0").to_string(), "\"\\x81\\x00\"");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excerpt {
    start: [u8; 16],
    /// Of the whole line.
    length: usize,
}

impl Excerpt {
    /// The beginning of a line.
    #[must_use]
    pub fn of(line: &[u8]) -> Self {
        let mut start = [0; 16];
        start.iter_mut().zip(line).for_each(|(to, from)| *to = *from);
        Self { start, length: line.len() }
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = &self.start[..self.length.min(self.start.len())];
        let more = if self.length > self.start.len() { "…" } else { "" };
        write!(f, "\"{}{more}\"", kept.escape_ascii())
    }
}

/// Why a server can't read on. It closes the connection without a word, as memcached does.
///
/// ```
/// use bytes::BytesMut;
/// use charioteer_proto::memcached::{Intake, Limits, StreamError, text};
///
/// let mut input = BytesMut::from("GET / HTTP/1.1\r\n");
/// let error = text::read_request(&mut input, &Limits::default(), &mut Intake::default()).unwrap_err();
/// assert_eq!(error, StreamError::Http);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamError {
    /// A line that is longer than the limit.
    LineTooLong {
        /// What is allowed.
        limit: usize,
    },
    /// The peer speaks HTTP.
    Http,
    /// The peer was to say who it is, and said something that is too short for it.
    NoCredentials,
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineTooLong { limit } => write!(f, "line of more than {limit} bytes"),
            Self::Http => write!(f, "HTTP, not memcached"),
            Self::NoCredentials => write!(f, "no credentials"),
        }
    }
}

impl core::error::Error for StreamError {}
