//! How many rows a hash key has.

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use super::key::{next_after_hash_key, raw_key};
use super::operation::{Ended, Walk, WalkRange};
use super::row::{Context, RowView};
use crate::Direction;

/// Counts the rows of a hash key that are not expired, however many they are; -1 when the time was
/// up before the end.
///
/// ```
/// use charioteer_engine::table::{Ended, SortKeyCount, Walk};
///
/// let count = SortKeyCount::new(b"hash key");
/// assert!(count.range().is_some());
/// assert_eq!(count.finish(Ended::Exhausted), 0);
/// ```
#[derive(Debug, Clone)]
pub struct SortKeyCount {
    start: Bytes,
    end: Bound<Bytes>,
    count: i64,
}

impl SortKeyCount {
    /// Counts the rows of `hash_key`, which is plain: without the length in front.
    #[must_use]
    pub fn new(hash_key: &[u8]) -> Self {
        Self { start: raw_key(hash_key, b""), end: next_after_hash_key(hash_key), count: 0 }
    }
}

impl Walk for SortKeyCount {
    type Reply = i64;

    fn range(&self) -> Option<WalkRange> {
        let start = Bound::Included(self.start.clone());
        Some(WalkRange { start, end: self.end.clone(), direction: Direction::Forward })
    }

    fn visit(&mut self, _: &[u8], row: RowView<'_>, context: &Context) -> ControlFlow<()> {
        self.count += i64::from(!row.is_expired(context.now));
        ControlFlow::Continue(())
    }

    fn finish(self, ended: Ended) -> i64 {
        if ended == Ended::OutOfTime { -1 } else { self.count }
    }
}
