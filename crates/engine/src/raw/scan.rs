//! Rows of a range, in the order of their keys or against it.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::found::{Found, Pairs, Scanned};
use super::operation::{Walk, WalkRange};
use super::read::Pair;
use super::row::RowView;

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
pub struct Scan<P = Vec<Pair>> {
    /// `None` once it was walked.
    range: Option<WalkRange>,
    limit: usize,
    found: Found<P>,
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

    fn of(range: WalkRange, limit: usize) -> Self {
        Self { range: (limit > 0).then_some(range), limit, found: Found::new() }
    }
}

impl<P> Scan<P> {
    /// With its rows put into something else, behind what is there.
    #[must_use]
    pub fn collecting<Q: Pairs>(self, pairs: Q) -> Scan<Q> {
        Scan { range: self.range, limit: self.limit, found: self.found.collecting(pairs) }
    }

    /// With empty values.
    #[must_use]
    pub const fn keys_only(mut self) -> Self {
        self.found.keys_only = true;
        self
    }

    /// At most so many bytes of keys and values, each row counted with [`PAIR_BYTES`](super::PAIR_BYTES) more; the first one comes whatever it
    /// takes.
    #[must_use]
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.found.max_bytes = bytes;
        self
    }
}

impl<P: Pairs> Walk for Scan<P> {
    type Reply = Scanned<P>;

    fn next_range(&mut self) -> Option<WalkRange> {
        self.range.take()
    }

    fn visit(&mut self, row: RowView<'_>) -> ControlFlow<()> {
        self.found.take(row)?;
        if self.found.rows() < self.limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn finish(self) -> Scanned<P> {
        self.found.into_scanned()
    }
}
