//! Where a scan goes: from one key to another, in one partition.

use std::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use charioteer_proto::pegasus::frame::{RequestHeader, write_request};
use charioteer_proto::pegasus::key;
use charioteer_proto::pegasus::rpc::{ClearScanner, Rpc};

use super::ScanOptions;
use crate::error::Error;
use crate::pegasus::range::successor;
use crate::pegasus::routes::Place;
use crate::pegasus::table::Table;

/// A range of raw keys in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) place: Place,
    pub(super) start: Bytes,
    pub(super) start_inclusive: bool,
    pub(super) stop: Bytes,
    pub(super) stop_inclusive: bool,
}

impl Lane {
    /// A range of one hash key, unless it is empty.
    pub(super) fn of_hash_key(hash_key: &[u8], start: &[u8], stop: &[u8], options: &ScanOptions) -> Option<Self> {
        let (start, start_inclusive) = (key::raw(hash_key, start), options.start_inclusive);
        let (stop, stop_inclusive) = if stop.is_empty() {
            (successor(&key::raw(hash_key, b"")), false)
        } else {
            (key::raw(hash_key, stop), options.stop_inclusive)
        };
        let has_room = start < stop || (start == stop && start_inclusive && stop_inclusive);
        let place = Place::Hash(key::crc64(hash_key));
        has_room.then_some(Self { place, start, start_inclusive, stop, stop_inclusive })
    }

    /// All of a partition.
    pub(super) fn of_partition(index: i32, of: i32) -> Self {
        Self {
            place: Place::Index(index, of),
            start: Bytes::from_static(&[0, 0]),
            start_inclusive: true,
            stop: Bytes::from_static(&[0xff, 0xff]),
            stop_inclusive: false,
        }
    }

    /// Whether it is not kept to one hash key.
    pub(super) fn is_full(&self) -> bool {
        matches!(self.place, Place::Index(..))
    }

    /// Whether rows with these keys are what a server can have found here: all in the range, and in ascending order.
    pub(super) fn can_hold<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> bool {
        let mut last = None;
        keys.into_iter().all(|key| {
            let is_behind = match last.replace(key) {
                Some(last) => key > last,
                None => key > &self.start[..] || (self.start_inclusive && key == self.start),
            };
            is_behind && (key < &self.stop[..] || (self.stop_inclusive && key == self.stop))
        })
    }

    pub(super) fn go_on_after(&mut self, key: Bytes) {
        self.start = key;
        self.start_inclusive = false;
    }

    /// Tells the server that it can let go of a context; nobody waits for it, and no answer comes.
    pub(super) fn clear(&self, table: &Table, context: i64) {
        let Some(target) = table.shared.routes.look(self.place) else {
            return;
        };
        let Some(connection) = target.node.connected() else {
            return;
        };
        let partition_hash = match self.place {
            Place::Hash(hash) => hash,
            Place::Index(index, _) => u64::from(index.cast_unsigned()),
        };
        let header = RequestHeader {
            table_id: target.map.table_id,
            partition_index: target.partition,
            partition_hash,
            client_timeout_ms: 1,
            ..RequestHeader::default()
        };
        connection.post(|out, id| write_request(out, &header, ClearScanner::NAME, id.cast_signed(), &context));
    }
}

/// Where a scan had come to, to go on with it later: see [`Scanner::token`](super::Scanner::token).
///
/// ```
/// use charioteer::pegasus::ResumeToken;
///
/// let at_the_end = ResumeToken::from_bytes(b"\x01").unwrap();
/// assert!(at_the_end.is_at_the_end());
/// assert_eq!(at_the_end.to_bytes()[..], *b"\x01");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumeToken(VecDeque<Lane>);

/// The first byte of a token that is laid out as it is here.
const VERSION: u8 = 1;

impl ResumeToken {
    pub(super) fn new(lanes: VecDeque<Lane>) -> Self {
        Self(lanes)
    }

    pub(super) fn lanes(&self) -> &VecDeque<Lane> {
        &self.0
    }

    /// Whether the scan had nothing left to find.
    #[must_use]
    pub fn is_at_the_end(&self) -> bool {
        self.0.is_empty()
    }

    /// The token as bytes, to be kept.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::from(&[VERSION][..]);
        for lane in &self.0 {
            // A hash is told by the key.
            let (index, of) = match lane.place {
                Place::Hash(_) => (-1, 0),
                Place::Index(index, of) => (index, of),
            };
            out.put_i32(index);
            out.put_i32(of);
            out.put_u8(u8::from(lane.start_inclusive) | u8::from(lane.stop_inclusive) << 1);
            for key in [&lane.start, &lane.stop] {
                out.put_u32(u32::try_from(key.len()).unwrap_or(u32::MAX));
                out.put_slice(key);
            }
        }
        out.freeze()
    }

    /// A token from its bytes.
    ///
    /// # Errors
    /// When these are no token.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let wrong = || Error::invalid("resume_scanner", "these bytes are no token of a scan");
        let (version, mut rest) = bytes.split_first().ok_or_else(wrong)?;
        if *version != VERSION {
            return Err(wrong());
        }
        let mut lanes = VecDeque::new();
        while !rest.is_empty() {
            lanes.push_back(read_lane(&mut rest).ok_or_else(wrong)?);
        }
        Ok(Self(lanes))
    }
}

fn read_lane(rest: &mut &[u8]) -> Option<Lane> {
    let (index, of, flags) = (rest.try_get_i32().ok()?, rest.try_get_i32().ok()?, rest.try_get_u8().ok()?);
    let (start, stop) = (read_key(rest)?, read_key(rest)?);
    let place = match index {
        -1 => Place::Hash(key::crc64(key::split(&start)?.0)),
        0.. if index < of => Place::Index(index, of),
        _ => return None,
    };
    (flags < 4).then_some(Lane { place, start, start_inclusive: flags & 1 > 0, stop, stop_inclusive: flags & 2 > 0 })
}

fn read_key(rest: &mut &[u8]) -> Option<Bytes> {
    let length = usize::try_from(rest.try_get_u32().ok()?).ok()?;
    let (key, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(Bytes::copy_from_slice(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_being_written_down() {
        let mut of_hash_key = Lane::of_hash_key(b"hash", b"a", b"z", &ScanOptions::default()).unwrap();
        of_hash_key.go_on_after(key::raw(b"hash", b"k"));
        let token = ResumeToken::new([of_hash_key, Lane::of_partition(3, 8)].into());
        assert_eq!(ResumeToken::from_bytes(&token.to_bytes()).unwrap(), token);
    }

    #[test]
    fn bytes_that_are_no_token_are_refused() {
        let token = ResumeToken::new([Lane::of_partition(3, 8)].into()).to_bytes();
        for end in 2..token.len() {
            assert!(ResumeToken::from_bytes(&token[..end]).is_err(), "{end}");
        }
        for bytes in [&b""[..], b"\x02", b"\x01\x00\x00\x00\x09\x00\x00\x00\x08\x00\0\0\0\0\0\0\0\0"] {
            assert!(ResumeToken::from_bytes(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn rows_out_of_range_or_order_are_told_from_what_a_lane_can_hold() {
        let raw = |hash_key: &str, sort_key: &str| key::raw(hash_key.as_bytes(), sort_key.as_bytes());
        let can_hold = |lane: &Lane, keys: &[Bytes]| lane.can_hold(keys.iter().map(|key| &key[..]));
        let mut lane = Lane::of_hash_key(b"h", b"b", b"d", &ScanOptions::default()).unwrap();
        assert!(can_hold(&lane, &[]) && can_hold(&lane, &[raw("h", "b"), raw("h", "c"), raw("h", "cc")]));
        for (one, other) in [("a", "b"), ("b", "b"), ("c", "b"), ("c", "d")] {
            assert!(!can_hold(&lane, &[raw("h", one), raw("h", other)]), "{one} {other}");
        }
        assert!(!can_hold(&lane, &[raw("i", "c")]) && !can_hold(&lane, &[Bytes::new()]));
        lane.go_on_after(raw("h", "c"));
        assert!(!can_hold(&lane, &[raw("h", "c")]) && can_hold(&lane, &[raw("h", "cc")]));
        let all = Lane::of_partition(0, 1);
        assert!(can_hold(&all, &[raw("h", ""), raw("h", "z"), raw("i", "a"), raw("hh", "a")]));
        assert!(!can_hold(&all, &[Bytes::new()]) && !can_hold(&all, &[raw("hh", "a"), raw("i", "a")]));
    }

    #[test]
    fn an_empty_range_has_no_lane() {
        let mut options = ScanOptions::default();
        assert_eq!(Lane::of_hash_key(b"h", b"b", b"a", &options), None);
        assert_eq!(Lane::of_hash_key(b"h", b"a", b"a", &options), None);
        options.stop_inclusive = true;
        assert!(Lane::of_hash_key(b"h", b"a", b"a", &options).is_some());
    }
}
