//! What a server answers to what it does not do.

use bytes::{BufMut, BytesMut};

/// A line by which a server says that it has not done something, and why.
///
/// ```
/// use bytes::BytesMut;
/// use charioteer_proto::memcached::text::Refusal;
///
/// let mut out = BytesMut::new();
/// Refusal::NON_NUMERIC.write(&mut out);
/// assert_eq!(out, "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    line: &'static str,
    noreply: bool,
}

impl Refusal {
    /// There is no such command.
    pub const UNKNOWN_COMMAND: Self = Self::line("ERROR");
    /// The line makes no sense.
    pub const BAD_FORMAT: Self = Self::line("CLIENT_ERROR bad command line format");
    /// A value of another length than its line said.
    pub const BAD_DATA_CHUNK: Self = Self::line("CLIENT_ERROR bad data chunk");
    /// What should be an expiration is no number.
    pub const INVALID_EXPIRATION: Self = Self::line("CLIENT_ERROR invalid exptime argument");
    /// What should be counted by is no number.
    pub const INVALID_DELTA: Self = Self::line("CLIENT_ERROR invalid numeric delta argument");
    /// The value is no number that could be counted with.
    pub const NON_NUMERIC: Self = Self::line("CLIENT_ERROR cannot increment or decrement non-numeric value");
    /// The item would be too large.
    pub const TOO_LARGE: Self = Self::line("SERVER_ERROR object too large for cache");
    /// There is no room, and none can be made.
    pub const OUT_OF_MEMORY: Self = Self::line("SERVER_ERROR out of memory storing object");
    /// Nothing is done before the client has said who it is.
    pub const UNAUTHENTICATED: Self = Self::line("CLIENT_ERROR unauthenticated");
    /// The client is not taken for who it says it is.
    pub const AUTHENTICATION_FAILURE: Self = Self::line("CLIENT_ERROR authentication failure");

    /// Any other line, without its end.
    #[must_use]
    pub const fn line(line: &'static str) -> Self {
        Self { line, noreply: false }
    }

    /// The same, but not sent if the client has asked for no reply: memcached keeps errors to itself then too.
    #[must_use]
    pub const fn unless(self, noreply: bool) -> Self {
        Self { noreply: self.noreply || noreply, ..self }
    }

    /// The line, without its end.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        self.line
    }

    /// Appends the line, if it is to be sent.
    pub fn write(&self, out: &mut BytesMut) {
        if !self.noreply {
            out.put_slice(self.line.as_bytes());
            out.put_slice(b"\r\n");
        }
    }
}
