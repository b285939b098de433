//! Rows of several keys.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::found::{Found, Pairs, Scanned};
use super::operation::{Walk, WalkRange};
use super::read::Pair;
use super::row::RowView;

/// Reads the values of several keys at one instant: those that are there, in the order of the keys, as often as they are
/// asked for.
///
/// ```
/// use charioteer_engine::raw::{BatchGet, Family, Put, RawStore};
/// use charioteer_engine::{Clock, Db};
///
/// let store = RawStore::open(Db::memory(), Clock::system())?;
/// store.run(Family::Default, Put::new("b".into(), "2".into()))?;
/// let pairs = store.walk(Family::Default, BatchGet::new(vec!["a".into(), "b".into()]))?.pairs;
/// assert_eq!((pairs.len(), &pairs[0].key[..]), (1, &b"b"[..]));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug)]
pub struct BatchGet<P = Vec<Pair>> {
    keys: std::vec::IntoIter<Bytes>,
    found: Found<P>,
}

impl BatchGet {
    /// Of these keys.
    #[must_use]
    pub fn new(keys: Vec<Bytes>) -> Self {
        Self { keys: keys.into_iter(), found: Found::new() }
    }
}

impl<P> BatchGet<P> {
    /// With the rows put into something else, behind what is there.
    #[must_use]
    pub fn collecting<Q: Pairs>(self, pairs: Q) -> BatchGet<Q> {
        BatchGet { keys: self.keys, found: self.found.collecting(pairs) }
    }

    /// At most so many bytes, as [`Scan::max_bytes`](super::Scan::max_bytes) counts them; the first row comes whatever it
    /// takes.
    #[must_use]
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.found.max_bytes = bytes;
        self
    }
}

impl<P: Pairs> Walk for BatchGet<P> {
    type Reply = Scanned<P>;

    fn next_range(&mut self) -> Option<WalkRange> {
        if self.found.is_cut { None } else { self.keys.next().map(WalkRange::Key) }
    }

    fn visit(&mut self, row: RowView<'_>) -> ControlFlow<()> {
        self.found.take(row)
    }

    fn finish(self) -> Scanned<P> {
        self.found.into_scanned()
    }
}
