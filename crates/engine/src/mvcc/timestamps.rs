//! What keeps readers and transactions that choose their own commit timestamp apart.
//!
//! A transaction with asynchronous commit, or with one phase, is committed by what it prewrites, at a timestamp that is
//! calculated here and not taken from the oracle. It must lie behind every timestamp that somebody has read at, or the reader
//! would have missed it. And it shows in the rows a while after it has been calculated, in which nobody may read behind it
//! either. So:
//!
//! - A reader first raises the highest timestamp that was read at, then looks for locks in memory, then takes its snapshot.
//! - A writer takes the locks in memory, asks for the highest timestamp, and publishes its locks with what follows from it,
//!   all in one step; then it writes; and it gives them back once what it wrote shows, or never will. Where that shows at once
//!   the writer publishes nothing, and does all of it in the one step, which readers wait for.
//!
//! A reader that finds no lock in memory has either been there first, and then has raised the timestamp in time, or it comes
//! when the rows show, and then its snapshot has them.
//!
//! A key may have several locks in memory: on disk, one command follows another into a group before any of it shows.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::{RwLock, RwLockWriteGuard};
use smallvec::SmallVec;

use super::collected::Collected;
use super::key::EncodedKey;
use super::lock::Lock;
use crate::snapshot::is_empty;

/// The highest timestamp that was read at, the locks that are being written, and how much of the past is gone.
#[derive(Debug, Default)]
pub(super) struct Timestamps {
    pub(super) collected: Collected,
    max_read_ts: AtomicU64,
    locks: RwLock<BTreeMap<Bytes, LocksOfKey>>,
    /// The number of the next batch of locks.
    next_batch: AtomicU64,
}

/// Each with the number of the batch that it was published in.
type LocksOfKey = SmallVec<[(u64, Lock); 1]>;

/// Keeps those waiting who look for locks in memory.
#[derive(Debug)]
pub(super) struct Held<'a> {
    _locks: RwLockWriteGuard<'a, BTreeMap<Bytes, LocksOfKey>>,
}

/// Locks in memory, which are given back with it.
#[derive(Debug)]
pub(super) struct Published {
    timestamps: Arc<Timestamps>,
    batch: u64,
    keys: Vec<EncodedKey>,
}

impl Timestamps {
    /// Notes that somebody reads at `ts`. [`u64::MAX`] means the latest there is, and is no timestamp.
    pub(super) fn raise(&self, ts: u64) {
        if ts != u64::MAX {
            self.max_read_ts.fetch_max(ts, Ordering::SeqCst);
        }
    }

    pub(super) fn max_read_ts(&self) -> u64 {
        self.max_read_ts.load(Ordering::SeqCst)
    }

    /// The lock in memory of a key, if there is one that stands in the way.
    pub(super) fn blocking<T>(&self, key: &EncodedKey, blocks: impl Fn(&EncodedKey, &Lock) -> Option<T>) -> Option<T> {
        let locks = self.locks.read();
        locks.get(key.bytes()).into_iter().flatten().find_map(|(_, lock)| blocks(key, lock))
    }

    /// The first lock in memory of a range of keys that stands in the way.
    pub(super) fn blocking_in<T>(
        &self,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        blocks: impl Fn(&EncodedKey, &Lock) -> Option<T>,
    ) -> Option<T> {
        if is_empty(range) {
            // A map does not take bounds in the wrong order.
            return None;
        }
        let locks = self.locks.read();
        locks.range::<[u8], _>(range).find_map(|(key, locks)| {
            let key = EncodedKey::stored(key.clone());
            locks.iter().find_map(|(_, lock)| blocks(&key, lock))
        })
    }

    /// Publishes locks as they follow from the highest timestamp that was read at, or none of them.
    pub(super) fn publish<T>(
        self: &Arc<Self>,
        locks: impl FnOnce(u64) -> Option<(Vec<(EncodedKey, Lock)>, T)>,
    ) -> Option<(Published, T)> {
        let mut published = self.locks.write();
        let (locks, told) = locks(self.max_read_ts())?;
        let batch = self.next_batch.fetch_add(1, Ordering::Relaxed);
        let mut keys = Vec::with_capacity(locks.len());
        for (key, lock) in locks {
            published.entry(key.bytes().clone()).or_default().push((batch, lock));
            keys.push(key);
        }
        drop(published);
        Some((Published { timestamps: Arc::clone(self), batch, keys }, told))
    }

    /// Calculates something from the highest timestamp that was read at, and keeps those waiting who look for locks: for a writer whose rows
    /// are about to show, so that nobody need find its locks.
    pub(super) fn hold<T>(&self, calculate: impl FnOnce(u64) -> Option<T>) -> Option<(Held<'_>, T)> {
        let held = Held { _locks: self.locks.write() };
        let told = calculate(self.max_read_ts())?;
        Some((held, told))
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        let mut published = self.timestamps.locks.write();
        for key in &self.keys {
            if let Entry::Occupied(mut locks) = published.entry(key.bytes().clone()) {
                locks.get_mut().retain(|(batch, _)| *batch != self.batch);
                if locks.get().is_empty() {
                    locks.remove();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mvcc::LockKind;

    fn published(timestamps: &Arc<Timestamps>, key: &EncodedKey) -> Option<(Published, u64)> {
        timestamps.publish(|max_read_ts| {
            let lock = Lock { min_commit_ts: max_read_ts + 1, ..Lock::new(LockKind::Put, "a".into(), 1, 1) };
            Some((vec![(key.clone(), lock)], max_read_ts + 1))
        })
    }

    #[test]
    fn locks_are_published_behind_what_was_read_and_until_they_are_given_back() {
        let (timestamps, key) = (Arc::<Timestamps>::default(), EncodedKey::of(b"a"));
        timestamps.raise(7);
        timestamps.raise(5);
        timestamps.raise(u64::MAX);
        let (held, min_commit_ts) = published(&timestamps, &key).unwrap();
        assert_eq!(min_commit_ts, 8);
        let min_commit_ts = |_: &EncodedKey, lock: &Lock| Some(lock.min_commit_ts);
        assert_eq!(timestamps.blocking(&key, min_commit_ts), Some(8));
        let around = (Bound::Included(key.bytes().as_ref()), Bound::Unbounded);
        assert_eq!(timestamps.blocking_in(around, min_commit_ts), Some(8));
        let wrong = (Bound::Excluded(key.bytes().as_ref()), Bound::Excluded(&b"\0"[..]));
        assert_eq!(timestamps.blocking_in(wrong, min_commit_ts), None);
        drop(held);
        assert_eq!(timestamps.blocking(&key, min_commit_ts), None);
    }

    #[test]
    fn a_lock_stays_although_another_one_of_the_key_comes_and_goes() {
        let (timestamps, key) = (Arc::<Timestamps>::default(), EncodedKey::of(b"a"));
        let blocking = |ts: u64| timestamps.blocking(&key, |_, lock| (lock.min_commit_ts <= ts).then_some(()));
        let (first, _) = published(&timestamps, &key).unwrap();
        timestamps.raise(9);
        let (second, _) = published(&timestamps, &key).unwrap();
        assert!(blocking(1).is_some(), "the first is in the way though the second is not");
        drop(second);
        assert!(blocking(1).is_some());
        drop(first);
        assert!(blocking(u64::MAX).is_none());
    }

    #[test]
    fn locks_that_come_to_nothing_are_not_published() {
        let (timestamps, key) = (Arc::<Timestamps>::default(), EncodedKey::of(b"a"));
        assert!(timestamps.publish(|_| None::<(Vec<_>, ())>).is_none());
        assert!(timestamps.hold(|_| None::<()>).is_none());
        assert_eq!(timestamps.blocking(&key, |_, _| Some(())), None);
    }
}
