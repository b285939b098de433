//! How much of the past is gone: where garbage was collected, nobody may read before the safe point any more, nor judge a
//! transaction that started before it by what lies there.
//!
//! Whoever looks for garbage says so first ([`raise`](Collected::raise)), then looks, then removes. A reader takes its snapshot
//! first and asks then: either nothing was removed when the snapshot was taken, or the reader is told.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::RwLock;

use super::KeyError;
use super::key::EncodedKey;
use super::range::KeyRange;
use super::rows::StoredRange;

/// Up to which safe point garbage was looked for, in each part of the keys.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// The highest of all: most have begun behind it, and look no further.
    highest: AtomicU64,
    /// By where each part begins; what is before the first has no safe point.
    parts: RwLock<BTreeMap<Bytes, u64>>,
}

impl Collected {
    /// Says that garbage is looked for, or was, up to that safe point.
    pub(super) fn raise(&self, range: &KeyRange, safe_point: u64) {
        let (start, end) = range.stored();
        if end.as_ref().is_some_and(|end| *end <= start) {
            // A map does not take bounds in the wrong order.
            return;
        }
        let mut parts = self.parts.write();
        for boundary in [Some(&start), end.as_ref()].into_iter().flatten() {
            let safe_point = at(&parts, boundary);
            parts.entry(boundary.clone()).or_insert(safe_point);
        }
        let upper = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        for (_, known) in parts.range_mut::<[u8], _>((Bound::Included(&start[..]), upper)) {
            *known = safe_point.max(*known);
        }
        let mut before = 0;
        parts.retain(|_, known| std::mem::replace(&mut before, *known) != *known);
        self.highest.fetch_max(safe_point, Ordering::SeqCst);
    }

    /// That what a key was at a timestamp may be gone, if so.
    pub(super) fn missed(&self, key: &EncodedKey, ts: u64) -> Option<KeyError> {
        if self.reaches(ts) { too_old(ts, at(&self.parts.read(), key.bytes())) } else { None }
    }

    /// That what one of some keys was at a timestamp may be gone, if so.
    pub(super) fn missed_of(&self, keys: &[Bytes], ts: u64) -> Option<KeyError> {
        let keys = if self.reaches(ts) { keys } else { &[] };
        keys.iter().find_map(|key| self.missed(&EncodedKey::of(key), ts))
    }

    /// That what some key of a range was at a timestamp may be gone, if so.
    pub(super) fn missed_in(&self, range: StoredRange<'_>, ts: u64) -> Option<KeyError> {
        if !self.reaches(ts) || crate::snapshot::is_empty(range) {
            return None;
        }
        let parts = self.parts.read();
        let first = match range.0 {
            Bound::Included(start) | Bound::Excluded(start) => at(&parts, start),
            Bound::Unbounded => 0,
        };
        let highest = parts.range::<[u8], _>(range).map(|(_, known)| *known).fold(first, u64::max);
        too_old(ts, highest)
    }

    fn reaches(&self, ts: u64) -> bool {
        ts < self.highest.load(Ordering::SeqCst)
    }
}

/// The safe point of the part that a stored key is in.
fn at(parts: &BTreeMap<Bytes, u64>, key: &[u8]) -> u64 {
    parts.range::<[u8], _>((Bound::Unbounded, Bound::Included(key))).next_back().map_or(0, |(_, known)| *known)
}

fn too_old(ts: u64, safe_point: u64) -> Option<KeyError> {
    (ts < safe_point).then_some(KeyError::TooOld { ts, safe_point })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: &'static str, end: &'static str) -> KeyRange {
        KeyRange::new(start.into(), end.into())
    }

    fn at_key(collected: &Collected, key: &str) -> u64 {
        at(&collected.parts.read(), EncodedKey::of(key.as_bytes()).bytes())
    }

    #[test]
    fn each_part_has_the_highest_point_that_was_said_of_it() {
        let collected = Collected::default();
        collected.raise(&range("b", "d"), 20);
        collected.raise(&range("c", ""), 10);
        collected.raise(&range("a", "c"), 5);
        collected.raise(&range("z", "y"), 99);
        assert_eq!(["", "a", "b", "c", "d", "x"].map(|key| at_key(&collected, key)), [0, 5, 20, 20, 10, 10]);
        collected.raise(&KeyRange::all(), 30);
        assert_eq!(collected.parts.read().len(), 1, "parts that are alike are one");
    }

    #[test]
    fn a_range_is_as_far_gone_as_its_worst_part() {
        let collected = Collected::default();
        collected.raise(&range("b", "c"), 20);
        let missed = |start: &str, end: &str, ts| {
            let [start, end] = [start, end].map(|key| EncodedKey::of(key.as_bytes()).bytes().clone());
            collected.missed_in((Bound::Included(&start[..]), Bound::Excluded(&end[..])), ts)
        };
        assert_eq!(missed("a", "bb", 19), Some(KeyError::TooOld { ts: 19, safe_point: 20 }));
        assert!(missed("bb", "x", 19).is_some() && missed("a", "bb", 20).is_none());
        assert!(missed("a", "b", 19).is_none() && missed("c", "x", 19).is_none() && missed("bb", "b", 19).is_none());
        assert!(collected.missed_in((Bound::Unbounded, Bound::Unbounded), 19).is_some());
    }
}
