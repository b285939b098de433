//! Which keys of transactions each safe point is for.

use std::sync::Arc;

use bytes::Bytes;
use charioteer_engine::mvcc::KeyRange;
use tokio::sync::watch;

use super::rules::States;
use super::{Keyspaces, NULL_KEYSPACE, keyspaces};
use crate::tikv::pd::Pd;

/// What keys of transactions begin with that are of a keyspace.
const TXN: u32 = (b'x' as u32) << 24;

/// A range of keys of transactions, and the timestamp before which nobody reads there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SafeRange {
    pub(crate) keys: KeyRange,
    pub(crate) safe_point: u64,
}

impl SafeRange {
    const fn new(start: Bytes, end: Bytes, safe_point: u64) -> Self {
        Self { keys: KeyRange::new(start, end), safe_point }
    }

    /// Whether any of its keys are among these.
    pub(crate) fn meets(&self, keys: &KeyRange) -> bool {
        let begins_before = |range: &KeyRange, other: &KeyRange| other.end.is_empty() || range.start < other.end;
        begins_before(&self.keys, keys) && begins_before(keys, &self.keys)
    }
}

/// Tells when safe points have moved.
#[derive(Debug)]
pub(crate) struct SafePoints(watch::Receiver<Arc<States>>);

impl SafePoints {
    /// Waits until one has moved, or a barrier has changed. Says whether there will be more to wait for.
    pub(crate) async fn moved(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}

impl Pd {
    /// What tells when safe points have moved.
    pub(crate) fn safe_points(&self) -> SafePoints {
        SafePoints(self.gc.watch())
    }

    /// All keys of transactions, by the safe point that is for them. It is none of the future, whatever somebody has moved it to:
    /// transactions that will begin before it are to be served.
    pub(crate) fn safe_ranges(&self) -> Vec<SafeRange> {
        let mut ranges = ranges(&self.gc.now(), &self.keyspaces.now());
        let now = self.last_timestamp().into();
        ranges.iter_mut().for_each(|range| range.safe_point = range.safe_point.min(now));
        ranges
    }
}

fn ranges(states: &States, keyspaces: &Keyspaces) -> Vec<SafeRange> {
    let of_all = states.of(NULL_KEYSPACE).gc_safe_point;
    let mut ranges = Vec::new();
    let mut start = Bytes::new();
    for (id, _) in keyspaces.iter().filter(|(_, keyspace)| keyspaces::has_gc_of_its_own(keyspace)) {
        let (first, behind) = (boundary(TXN | *id), boundary((TXN | *id) + 1));
        if start < first {
            ranges.push(SafeRange::new(start, first.clone(), of_all));
        }
        ranges.push(SafeRange::new(first, behind.clone(), states.of(*id).gc_safe_point));
        start = behind;
    }
    ranges.push(SafeRange::new(start, Bytes::new(), of_all));
    ranges
}

/// Where the keys of a keyspace begin.
fn boundary(mode_and_id: u32) -> Bytes {
    Bytes::copy_from_slice(&mode_and_id.to_be_bytes())
}
