//! A checksum of all that lies in some ranges.

use std::ops::ControlFlow;

use bytes::Bytes;
use crc::{CRC_64_XZ, Crc, Table};

use super::operation::{Walk, WalkRange};
use super::row::RowView;

/// Sixteen bytes at a time, since it goes over all that there is.
static CRC64: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_XZ);

/// Sums up the rows of some ranges: `Crc64_Xor` of TiKV. A row that is in several of them counts several times.
///
/// ```
/// use charioteer_engine::raw::{Checksum, Family, Put, RawStore};
/// use charioteer_engine::{Clock, Db};
///
/// let store = RawStore::open(Db::memory(), Clock::system())?;
/// store.run(Family::Default, Put::new("12345".into(), "6789".into()))?;
/// let reply = store.walk(Family::Default, Checksum::new(vec![("".into(), "".into())]))?;
/// assert_eq!((reply.checksum, reply.rows, reply.bytes), (0x995d_c9bb_df19_39fa, 1, 9));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug)]
pub struct Checksum {
    ranges: std::vec::IntoIter<(Bytes, Bytes)>,
    reply: ChecksumReply,
}

/// What there is in some ranges.
///
/// ```
/// use charioteer_engine::raw::ChecksumReply;
///
/// assert_eq!(ChecksumReply::default().rows, 0);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChecksumReply {
    /// The CRC-64/XZ of each key with its value behind it, all of them by exclusive or.
    pub checksum: u64,
    /// How many rows there are.
    pub rows: u64,
    /// The bytes of their keys and values.
    pub bytes: u64,
}

impl Checksum {
    /// Of these ranges, each from a key to just before another one, or to the last key if that is empty.
    #[must_use]
    pub fn new(ranges: Vec<(Bytes, Bytes)>) -> Self {
        Self { ranges: ranges.into_iter(), reply: ChecksumReply::default() }
    }
}

impl Walk for Checksum {
    type Reply = ChecksumReply;

    fn next_range(&mut self) -> Option<WalkRange> {
        let (start, end) = self.ranges.next()?;
        Some(WalkRange::forward(start, end))
    }

    fn visit(&mut self, row: RowView<'_>) -> ControlFlow<()> {
        let mut digest = CRC64.digest();
        digest.update(row.key());
        digest.update(row.value());
        self.reply.checksum ^= digest.finalize();
        self.reply.rows += 1;
        self.reply.bytes += (row.key().len() + row.value().len()) as u64;
        ControlFlow::Continue(())
    }

    fn finish(self) -> ChecksumReply {
        self.reply
    }
}
