//! What a store on disk counts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::Durability;

/// A commit that takes longer than this has been held up, by the disk or because compaction lags behind.
const STALL: Duration = Duration::from_millis(100);

/// What a store on disk has done since it was opened, and how it stands.
///
/// ```
/// use charioteer_engine::Db;
///
/// assert!(Db::memory().stats().is_none(), "a store in memory counts nothing");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Writes that were committed.
    pub writes: u64,
    /// Groups that they were committed in.
    pub groups: u64,
    /// Groups that were synced.
    pub synced_groups: u64,
    /// How long all commits took together, syncs included.
    pub commit_time: Duration,
    /// Commits that took longer than 100 ms.
    pub stalls: u64,
    /// How long these took together.
    pub stalled_time: Duration,
    /// Writes that wait to be committed.
    pub waiting: usize,
    /// Bytes of all files, the sparse ends of journals not counted.
    pub disk_bytes: u64,
    /// Bytes of the journals, the sparse ends not counted.
    pub journal_bytes: u64,
    /// Bytes of blocks in the cache.
    pub cache_bytes: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    writes: AtomicU64,
    groups: AtomicU64,
    synced_groups: AtomicU64,
    commit_nanos: AtomicU64,
    stalls: AtomicU64,
    stalled_nanos: AtomicU64,
    halted: AtomicBool,
}

impl Counters {
    pub(super) fn halt(&self) {
        self.halted.store(true, Ordering::Release);
    }

    pub(super) fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Acquire)
    }

    pub(super) fn committed(&self, writers: usize, durability: Durability, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let add = |counter: &AtomicU64, number: u64| counter.fetch_add(number, Ordering::Relaxed);
        add(&self.writes, writers as u64);
        add(&self.groups, 1);
        add(&self.synced_groups, u64::from(durability == Durability::Fsync));
        add(&self.commit_nanos, nanos);
        if took > STALL {
            add(&self.stalls, 1);
            add(&self.stalled_nanos, nanos);
        }
    }

    pub(super) fn read(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            writes: read(&self.writes),
            groups: read(&self.groups),
            synced_groups: read(&self.synced_groups),
            commit_time: Duration::from_nanos(read(&self.commit_nanos)),
            stalls: read(&self.stalls),
            stalled_time: Duration::from_nanos(read(&self.stalled_nanos)),
            ..Stats::default()
        }
    }
}
