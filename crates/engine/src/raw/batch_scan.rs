//! Scans of several ranges in one.

use std::fmt;
use std::iter::Peekable;
use std::ops::ControlFlow;

use bytes::Bytes;

use super::found::{Found, Pairs, Scanned};
use super::operation::{Walk, WalkRange};
use super::read::Pair;
use super::row::RowView;
use crate::Direction;

/// One of the ranges of a [`BatchScan`].
///
/// ```
/// use charioteer_engine::raw::ScanRange;
///
/// let range = ScanRange { start: "a".into(), end: "b".into() };
/// assert_eq!(range.end, "b");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanRange {
    /// Where it begins; backwards, just before that key.
    pub start: Bytes,
    /// Where it ends: just before that key; backwards, with it. Empty is where the next range begins, and for the last one
    /// where the keys end.
    pub end: Bytes,
}

/// A range of a [`BatchScan`] whose end is not behind its start.
///
/// ```
/// use charioteer_engine::raw::{BatchScan, InvalidRange, ScanRange};
/// use charioteer_engine::Direction;
///
/// let range = ScanRange { start: "b".into(), end: "a".into() };
/// assert_eq!(BatchScan::new(vec![range], Direction::Forward, 10).err(), Some(InvalidRange));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidRange;

impl fmt::Display for InvalidRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the end of a range is not behind its start")
    }
}

impl std::error::Error for InvalidRange {}

/// Reads the first rows of each of several ranges, all of one instant, one range behind the other.
///
/// ```
/// use charioteer_engine::raw::{BatchPut, BatchScan, Family, Put, RawStore, ScanRange};
/// use charioteer_engine::{Clock, Db, Direction};
///
/// let store = RawStore::open(Db::memory(), Clock::system())?;
/// let puts = ["a1", "a2", "a3", "b1"].map(|key| Put::new(key.into(), "value".into()));
/// store.run(Family::Default, BatchPut::new(puts.to_vec()))?;
///
/// let ranges = ["a", "b"].map(|start| ScanRange { start: start.into(), end: "".into() });
/// let scan = BatchScan::new(ranges.to_vec(), Direction::Forward, 2)?;
/// let keys: Vec<_> = store.walk(Family::Default, scan)?.pairs.into_iter().map(|pair| pair.key).collect();
/// assert_eq!(keys, ["a1", "a2", "b1"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BatchScan<P = Vec<Pair>> {
    ranges: Peekable<std::vec::IntoIter<ScanRange>>,
    direction: Direction,
    each_limit: usize,
    /// How many rows may be found at the end of the range that is walked.
    limit: usize,
    found: Found<P>,
}

impl BatchScan {
    /// Of these ranges, all in one direction; at most so many rows of each.
    ///
    /// # Errors
    /// [`InvalidRange`].
    pub fn new(ranges: Vec<ScanRange>, direction: Direction, each_limit: usize) -> Result<Self, InvalidRange> {
        let nexts = ranges.iter().skip(1).map(Some).chain([None]);
        if ranges.iter().zip(nexts).any(|(range, next)| !range.is_valid(next, direction)) {
            return Err(InvalidRange);
        }
        let ranges = if each_limit == 0 { Vec::new() } else { ranges };
        Ok(Self { ranges: ranges.into_iter().peekable(), direction, each_limit, limit: 0, found: Found::new() })
    }
}

impl<P> BatchScan<P> {
    /// With its rows put into something else, behind what is there.
    #[must_use]
    pub fn collecting<Q: Pairs>(self, pairs: Q) -> BatchScan<Q> {
        let Self { ranges, direction, each_limit, limit, found } = self;
        BatchScan { ranges, direction, each_limit, limit, found: found.collecting(pairs) }
    }

    /// With empty values.
    #[must_use]
    pub const fn keys_only(mut self) -> Self {
        self.found.keys_only = true;
        self
    }

    /// At most so many bytes, as [`Scan::max_bytes`](super::Scan::max_bytes) counts them, of all ranges together; the first
    /// row comes whatever it takes.
    #[must_use]
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.found.max_bytes = bytes;
        self
    }
}

impl ScanRange {
    /// Its end, behind which comes the next range.
    fn end<'a>(&'a self, next: Option<&'a Self>) -> &'a [u8] {
        if self.end.is_empty() { next.map_or(&[], |next| &next.start) } else { &self.end }
    }

    fn is_valid(&self, next: Option<&Self>, direction: Direction) -> bool {
        let end = self.end(next);
        end.is_empty()
            || match direction {
                Direction::Forward => self.start < *end,
                Direction::Backward => self.start > *end,
            }
    }
}

impl<P: Pairs> Walk for BatchScan<P> {
    type Reply = Scanned<P>;

    fn next_range(&mut self) -> Option<WalkRange> {
        if self.found.is_cut {
            return None;
        }
        self.limit = self.found.rows().saturating_add(self.each_limit);
        let range = self.ranges.next()?;
        let next = self.ranges.peek().filter(|_| range.end.is_empty());
        let end = next.map_or(range.end, |next| next.start.clone());
        Some(match self.direction {
            Direction::Forward => WalkRange::forward(range.start, end),
            Direction::Backward => WalkRange::backward(range.start, end),
        })
    }

    fn visit(&mut self, row: RowView<'_>) -> ControlFlow<()> {
        self.found.take(row)?;
        if self.found.rows() < self.limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn finish(self) -> Scanned<P> {
        self.found.into_scanned()
    }
}
