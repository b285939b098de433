//! Removing whatever lies in a range.

use std::ops::Bound;

use bytes::Bytes;

use super::stored::{StoredKey, end_of_keys, key_of, lookup_key};

/// The rows from one key to just before another, to be removed: see
/// [`RawStore::delete_range`](super::RawStore::delete_range).
///
/// ```
/// use charioteer_engine::raw::{BatchPut, DeleteRange, Family, Get, Put, RawStore};
/// use charioteer_engine::{Clock, Db};
///
/// let store = RawStore::open(Db::memory(), Clock::system())?;
/// let puts = ["a", "b", "c"].map(|key| Put::new(key.into(), "value".into()));
/// store.run(Family::Default, BatchPut::new(puts.to_vec()))?;
/// store.delete_range(Family::Default, DeleteRange::new("a".into(), "c".into()))?;
/// assert_eq!(store.run(Family::Default, Get::new("b".into()))?, None);
/// assert!(store.run(Family::Default, Get::new("c".into()))?.is_some());
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteRange {
    start: Bound<Bytes>,
    end: Bytes,
}

impl DeleteRange {
    /// From `start` to just before `end`; to the last key, if that is empty. An `end` that is not behind `start` leaves
    /// nothing to remove.
    #[must_use]
    pub const fn new(start: Bytes, end: Bytes) -> Self {
        Self { start: Bound::Included(start), end }
    }

    /// The rest of it, behind a stored key.
    pub(super) fn behind(self, stored: &Bytes) -> Self {
        Self { start: Bound::Excluded(key_of(stored)), end: self.end }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.end.is_empty() && self.start_key() >= &self.end
    }

    /// The keys that a client has named.
    pub(super) fn keys(&self) -> [&Bytes; 2] {
        [self.start_key(), &self.end]
    }

    pub(super) fn stored(&self) -> (Bound<StoredKey>, Bound<StoredKey>) {
        let end = if self.end.is_empty() { end_of_keys() } else { lookup_key(&self.end) };
        (self.start.as_ref().map(|key| lookup_key(key)), Bound::Excluded(end))
    }

    const fn start_key(&self) -> &Bytes {
        static FIRST: Bytes = Bytes::new();
        match &self.start {
            Bound::Included(key) | Bound::Excluded(key) => key,
            Bound::Unbounded => &FIRST,
        }
    }
}
