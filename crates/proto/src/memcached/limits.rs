//! How much a peer may send at once, and what a server must remember between two reads of a connection.

use bytes::{Buf, BytesMut};

/// How long the parts of a message may be.
///
/// ```
/// use charioteer_proto::memcached::Limits;
///
/// let limits = Limits { value_bytes: 8 << 20, ..Limits::default() };
/// assert_eq!(limits.line_bytes, 2048);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A value; memcached's own default is 1 MiB for the whole item.
    pub value_bytes: usize,
    /// A line, but for those that list keys. Requests may have lines eight times as long.
    pub line_bytes: usize,
    /// A line that lists keys, which memcached does not limit.
    pub keys_line_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { value_bytes: 1 << 20, line_bytes: 2048, keys_line_bytes: 1 << 20 }
    }
}

/// What a server remembers of a connection between two reads: how many bytes are still to be passed over, and how far the beginning
/// of a line has been searched for its end.
///
/// A value that is too large and the body of an unknown command are passed over as they come. They need no memory, and no care of
/// the loop that reads: it hands this to every call, and goes on giving what it has read.
///
/// ```
/// use bytes::BytesMut;
/// use charioteer_proto::memcached::text::{self, Request};
/// use charioteer_proto::memcached::{Intake, Limits};
///
/// let (limits, mut intake) = (Limits { value_bytes: 10, ..Limits::default() }, Intake::default());
/// let mut input = BytesMut::from("set key 0 0 1000\r\n0123");
/// let refused = text::read_request(&mut input, &limits, &mut intake).unwrap();
/// assert!(matches!(refused, Some(Request::TooLarge { .. })));
///
/// input.extend_from_slice(&[b'x'; 996]);
/// assert_eq!(text::read_request(&mut input, &limits, &mut intake), Ok(None));
/// assert!(input.is_empty());
///
/// input.extend_from_slice(b"\r\nversion\r\n");
/// assert_eq!(text::read_request(&mut input, &limits, &mut intake), Ok(Some(Request::Version)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intake {
    skip: u64,
    searched: usize,
}

impl Intake {
    /// Has so many bytes, which are behind those taken so far, passed over.
    pub(super) const fn skip(&mut self, bytes: u64) {
        self.skip = self.skip.saturating_add(bytes);
    }

    /// Passes over what is to be passed over; says whether a message begins behind it.
    pub(super) fn is_at_message(&mut self, input: &mut BytesMut) -> bool {
        if self.skip > 0 {
            let here = usize::try_from(self.skip).map_or(input.len(), |skip| skip.min(input.len()));
            input.advance(here);
            self.skip -= here as u64;
        }
        self.skip == 0
    }

    /// How long the line at the front of `input` is, its end included. Bytes that a call has searched are not searched again by the
    /// next, so that a long line which comes in small pieces costs no more than one that comes at once.
    pub(super) fn line(&mut self, input: &[u8]) -> Option<usize> {
        let fresh = input.get(self.searched..).unwrap_or_default();
        if let Some(at) = memchr::memchr(b'\n', fresh) {
            let length = self.searched + at + 1;
            self.searched = 0;
            return Some(length);
        }
        self.searched = input.len();
        None
    }
}

/// Makes room for the rest of a message that has begun, within reason: a peer that only announces gets no memory for it.
pub(super) fn expect(input: &mut BytesMut, total: usize) {
    const AHEAD: usize = 64 * 1024;
    input.reserve(total.saturating_sub(input.len()).min(AHEAD));
}
