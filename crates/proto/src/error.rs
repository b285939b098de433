//! Why a message could not be read.

use core::fmt;

/// A message that could not be read: what, where and why.
///
/// ```
/// use bytes::Bytes;
/// use charioteer_proto::pegasus::{data::UpdateRequest, thrift};
///
/// let error = thrift::decode::<UpdateRequest>(Bytes::from_static(b"\x0c\x00")).unwrap_err();
/// assert_eq!(error.to_string(), "update_request: cut short at byte 1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The struct or element that was being read, by its name in the protocol.
    pub what: &'static str,
    /// How many bytes of the message had been read.
    pub offset: usize,
    /// What was wrong there.
    pub failure: DecodeFailure,
}

/// What was wrong with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeFailure {
    /// The message ended in the middle of a value.
    CutShort,
    /// A length is negative, larger than the bytes that are left can hold, or out of proportion to what they say.
    Length(i64),
    /// A type byte that the protocol does not have.
    UnknownType(u8),
    /// A field of an unknown id whose end can't be found, because Pegasus' special types claim to be structs and are none.
    UnskippableField(i16),
    /// Values are nested deeper than any message of the protocol.
    TooDeep,
    /// A text is not valid UTF-8.
    NotUtf8,
    /// A number has more bytes than a number can have.
    Number,
    /// A marker has another value than the protocol's.
    Marker(u32),
    /// The arguments or the result are missing.
    Missing,
    /// Bytes are left over behind the message.
    Trailing(usize),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} at byte {}", self.what, self.failure, self.offset)
    }
}

impl fmt::Display for DecodeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutShort => write!(f, "cut short"),
            Self::Length(length) => write!(f, "impossible length {length}"),
            Self::UnknownType(kind) => write!(f, "unknown type {kind}"),
            Self::UnskippableField(id) => write!(f, "unknown field {id} of struct type"),
            Self::TooDeep => write!(f, "nested too deep"),
            Self::NotUtf8 => write!(f, "text that is not UTF-8"),
            Self::Number => write!(f, "a number that does not end"),
            Self::Marker(marker) => write!(f, "unexpected marker {marker:#010x}"),
            Self::Missing => write!(f, "no value"),
            Self::Trailing(count) => write!(f, "{count} bytes left over"),
        }
    }
}

impl core::error::Error for DecodeError {}
