//! Rows of a range, in the order of their keys or against it.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::operation::{Walk, WalkRange};
use super::read::Pair;
use super::row::RowView;

/// What a row of an answer takes besides its key and value, about: so that many small ones are many bytes too.
pub const PAIR_BYTES: usize = 32;

/// Reads the first rows of a range.
///
/// ```
/// use charioteer_engine::raw::{BatchPut, Family, Put, RawStore, Scan};
/// use charioteer_engine::{Clock, Db};
///
/// let store = RawStore::open(Db::memory(), Clock::system())?;
/// let puts = ["a", "b", "c"].map(|key| Put::new(key.into(), "value".into()));
/// store.run(Family::Default, BatchPut::new(puts.to_vec()))?;
///
/// let scanned = store.walk(Family::Default, Scan::forward("b".into(), "".into(), 10))?;
/// assert_eq!(scanned.pairs[0].key, "b");
/// let scanned = store.walk(Family::Default, Scan::backward("c".into(), "".into(), 1).keys_only())?;
/// assert_eq!((&scanned.pairs[0].key[..], &scanned.pairs[0].value[..]), (&b"b"[..], &b""[..]));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug)]
pub struct Scan {
    /// `None` once it was walked.
    range: Option<WalkRange>,
    limit: usize,
    found: Found,
}

/// The rows that a scan found.
///
/// ```
/// use charioteer_engine::raw::Scanned;
///
/// let scanned = Scanned { pairs: Vec::new(), is_cut: false };
/// assert!(scanned.pairs.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// They, in the direction of the scan.
    pub pairs: Vec<Pair>,
    /// Whether the bytes asked for were too few for what would have followed.
    pub is_cut: bool,
}

impl Scan {
    /// From `start` up to just before `end`, or to the last key if that is empty; at most so many rows.
    #[must_use]
    pub fn forward(start: Bytes, end: Bytes, limit: usize) -> Self {
        Self::of(WalkRange::forward(start, end), limit)
    }

    /// From just before `start` down to `end`; at most so many rows. Nothing is before the empty key.
    #[must_use]
    pub fn backward(start: Bytes, end: Bytes, limit: usize) -> Self {
        Self::of(WalkRange::backward(start, end), limit)
    }

    /// With empty values.
    #[must_use]
    pub const fn keys_only(mut self) -> Self {
        self.found.keys_only = true;
        self
    }

    /// At most so many bytes of keys and values, each row counted with [`PAIR_BYTES`] more; the first one comes whatever it
    /// takes.
    #[must_use]
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.found.max_bytes = bytes;
        self
    }

    fn of(range: WalkRange, limit: usize) -> Self {
        Self { range: (limit > 0).then_some(range), limit, found: Found::new() }
    }
}

impl Walk for Scan {
    type Reply = Scanned;

    fn next_range(&mut self) -> Option<WalkRange> {
        self.range.take()
    }

    fn visit(&mut self, row: RowView<'_>) -> ControlFlow<()> {
        self.found.take(row)?;
        if self.found.pairs.len() < self.limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn finish(self) -> Scanned {
        self.found.into_scanned()
    }
}

/// The rows that were found so far.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) pairs: Vec<Pair>,
    pub(super) is_cut: bool,
    pub(super) keys_only: bool,
    pub(super) max_bytes: usize,
    bytes: usize,
}

impl Found {
    pub(super) const fn new() -> Self {
        Self { pairs: Vec::new(), is_cut: false, keys_only: false, max_bytes: usize::MAX, bytes: 0 }
    }

    /// Breaks if there is no room for the row.
    pub(super) fn take(&mut self, row: RowView<'_>) -> ControlFlow<()> {
        let value_bytes = if self.keys_only { 0 } else { row.value().len() };
        self.bytes = self.bytes.saturating_add(row.key().len() + value_bytes + PAIR_BYTES);
        if self.bytes > self.max_bytes && !self.pairs.is_empty() {
            self.is_cut = true;
            return ControlFlow::Break(());
        }
        let value = if self.keys_only { Bytes::new() } else { row.to_value() };
        self.pairs.push(Pair { key: row.to_key(), value });
        ControlFlow::Continue(())
    }

    pub(super) fn into_scanned(self) -> Scanned {
        Scanned { pairs: self.pairs, is_cut: self.is_cut }
    }
}
