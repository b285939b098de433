//! Reads: where they read, what may stand in their way, and how they are driven.

use std::fmt;
use std::sync::Arc;

use super::key::EncodedKey;
use super::lock::Lock;
use super::rows::{Families, Reader, StoredRange};
use super::timestamps::Timestamps;
use super::{ConflictReason, KeyError, LockKind, WriteConflict};
use crate::{Error, Snapshot};

/// What a reader minds.
///
/// ```
/// use charioteer_engine::mvcc::Isolation;
///
/// assert_eq!(Isolation::default(), Isolation::Snapshot);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Sees what was committed by its timestamp, all of it, and so minds locks of those who may yet commit by then.
    #[default]
    Snapshot,
    /// Sees what was committed by its timestamp as far as that shows, and minds no locks.
    ReadCommitted,
    /// As the one before, but is refused when there is anything newer, or about to be.
    ReadCommittedCheck,
}

/// At which timestamp, and how, something is read.
///
/// ```
/// use charioteer_engine::mvcc::ReadAt;
///
/// let latest = ReadAt::new(u64::MAX);
/// assert!(latest.resolved_locks.is_empty());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadAt {
    /// The timestamp; [`u64::MAX`] reads the latest there is.
    pub ts: u64,
    /// What is minded.
    pub isolation: Isolation,
    /// Transactions that are known not to be committed by that timestamp: their locks are passed over.
    pub resolved_locks: Vec<u64>,
    /// Transactions that are known to be committed by that timestamp: their locks are read as if they were.
    pub committed_locks: Vec<u64>,
    /// Whether the commit timestamp of what is found is asked for. A lock does not know it, so that none is read through.
    pub need_commit_ts: bool,
}

impl ReadAt {
    /// As a snapshot of that timestamp.
    #[must_use]
    pub fn new(ts: u64) -> Self {
        Self { ts, ..Self::default() }
    }

    /// Notes in time that somebody reads at that timestamp.
    pub(super) fn raise(&self, timestamps: &Timestamps) {
        if self.isolation != Isolation::ReadCommitted {
            timestamps.raise(self.ts);
        }
    }

    /// What a lock means to the reader.
    pub(super) fn meets(&self, key: &EncodedKey, lock: &Lock) -> Result<Met, Error> {
        match self.isolation {
            Isolation::ReadCommitted => Ok(Met::Nothing),
            Isolation::ReadCommittedCheck => self.meets_checking(key, lock),
            Isolation::Snapshot => self.meets_in_snapshot(key, lock),
        }
    }

    fn meets_in_snapshot(&self, key: &EncodedKey, lock: &Lock) -> Result<Met, Error> {
        let changes_nothing = matches!(lock.kind, LockKind::Lock | LockKind::Pessimistic);
        if changes_nothing
            || lock.start_ts > self.ts
            || lock.min_commit_ts > self.ts
            || self.resolved_locks.contains(&lock.start_ts)
        {
            return Ok(Met::Nothing);
        }
        if !self.need_commit_ts && self.committed_locks.contains(&lock.start_ts) {
            return Ok(Met::Committed);
        }
        let key = key.decode()?;
        // The latest that is committed is what was asked for; and a primary that still has its lock is not committed, unless
        // its commit needs nothing more.
        let reads_latest = self.ts == u64::MAX && key == lock.primary && !lock.use_async_commit && !lock.use_one_pc;
        Ok(if reads_latest { Met::Nothing } else { Met::Blocking(lock.info(key).into()) })
    }

    fn meets_checking(&self, key: &EncodedKey, lock: &Lock) -> Result<Met, Error> {
        if !matches!(lock.kind, LockKind::Put | LockKind::Delete) || self.resolved_locks.contains(&lock.start_ts) {
            return Ok(Met::Nothing);
        }
        Ok(Met::Blocking(self.newer(key.decode()?, lock.start_ts, 0, lock.primary.clone())))
    }

    /// That there is something newer than what may be read.
    pub(super) fn newer(&self, key: bytes::Bytes, start_ts: u64, commit_ts: u64, primary: bytes::Bytes) -> KeyError {
        let conflict = WriteConflict {
            start_ts: self.ts,
            conflict_start_ts: start_ts,
            conflict_commit_ts: commit_ts,
            key,
            primary,
            reason: ConflictReason::RcCheckTs,
        };
        conflict.into()
    }

    /// The lock in memory of a key that stands in the way.
    pub(super) fn blocked(&self, timestamps: &Timestamps, key: &EncodedKey) -> Option<KeyError> {
        timestamps.blocking(key, |key, lock| self.blocks(key, lock))
    }

    /// The first lock in memory of a range of keys that stands in the way.
    pub(super) fn blocked_in(&self, timestamps: &Timestamps, range: StoredRange<'_>) -> Option<KeyError> {
        timestamps.blocking_in(range, |key, lock| self.blocks(key, lock))
    }

    fn blocks(&self, key: &EncodedKey, lock: &Lock) -> Option<KeyError> {
        match self.meets(key, lock) {
            Ok(Met::Blocking(error)) => Some(error),
            // What the lock is about to write is not to be read here: it may not come to be.
            Ok(Met::Committed) => key.decode().ok().map(|user_key| lock.info(user_key).into()),
            Ok(Met::Nothing) | Err(_) => None,
        }
    }
}

/// What a lock means to a reader.
#[derive(Debug)]
pub(super) enum Met {
    /// Nothing: what lies below is read.
    Nothing,
    /// It is as good as committed, and is read itself.
    Committed,
    /// It may yet come to be committed by then.
    Blocking(KeyError),
}

/// The rows of one instant, which a [`Read`] is shown. Only reads of this module can do anything with them.
///
/// ```
/// use charioteer_engine::mvcc::{MvccStore, ReadRows};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// let rows: ReadRows = store.rows_now()?;
/// assert!(format!("{rows:?}").starts_with("ReadRows"));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
pub struct ReadRows {
    snapshot: Snapshot,
    families: Families,
}

impl ReadRows {
    pub(super) const fn new(snapshot: Snapshot, families: Families) -> Self {
        Self { snapshot, families }
    }

    pub(super) const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(super) const fn families(&self) -> &Families {
        &self.families
    }

    /// Asks them.
    pub(super) fn ask<T>(&self, ask: impl FnOnce(&mut Reader<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let mut rows = &self.snapshot;
        ask(&mut Reader::new(&mut rows, &self.families))
    }
}

impl fmt::Debug for ReadRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadRows").finish_non_exhaustive()
    }
}

/// What readers are to raise and to look at before they take their snapshot. Only reads of this module can do anything with
/// it.
///
/// ```
/// use charioteer_engine::mvcc::MvccStore;
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// assert_eq!(store.max_read_ts(), 0);
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Admission(pub(super) Arc<Timestamps>);

/// A rule that only reads, a bit at a time.
///
/// The driver calls [`admit`](Self::admit), takes a snapshot, asks whether it was taken in time ([`missed`](Self::missed)),
/// and calls [`step`](Self::step) until there is an answer.
///
/// ```
/// use charioteer_engine::mvcc::{Get, MvccStore, Read, ReadAt};
/// use charioteer_engine::Db;
///
/// fn read<R: Read>(store: &MvccStore, read: R) -> Result<R::Reply, charioteer_engine::Error> {
///     store.read(read)
/// }
///
/// let store = MvccStore::open(Db::memory())?;
/// assert_eq!(read(&store, Get { key: "key".into(), at: ReadAt::new(7) })?, Ok(None));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
pub trait Read {
    /// What the read answers.
    type Reply;

    /// Notes at which timestamp is read, and looks for what is being written. An answer is the last one.
    fn admit(&mut self, admission: &Admission) -> Option<Self::Reply>;

    /// Looks, once the snapshot is taken, whether what is to be read may be gone. An answer is the last one.
    fn missed(&self, _admission: &Admission) -> Option<Self::Reply> {
        None
    }

    /// Reads a little more, about as much as `work` says, which it counts down. Gives the answer when there is one.
    ///
    /// # Errors
    /// What the store gives.
    fn step(&mut self, rows: &ReadRows, work: &mut usize) -> Result<Option<Self::Reply>, Error>;
}

/// How much a step does, which is about a millisecond's work: a row is one, and one more for each KiB of its value.
const WORK_PER_STEP: usize = 1000;

/// A read under way: it is taken in steps, so that whoever drives it can do something else in between. It holds no lock.
///
/// ```
/// use charioteer_engine::mvcc::{MvccStore, ReadAt, Scan};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// let mut reading = store.begin_read(Scan::forward("".into(), "".into(), 100, ReadAt::new(7)))?;
/// let scanned = loop {
///     match reading.step()? {
///         Some(scanned) => break scanned,
///         None => std::thread::yield_now(),
///     }
/// };
/// assert!(scanned.is_ok_and(|scanned| scanned.pairs.is_empty()));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
pub struct Reading<R: Read> {
    state: State<R>,
}

enum State<R: Read> {
    Answered(Option<R::Reply>),
    Reading(R, ReadRows),
}

impl<R: Read> Reading<R> {
    pub(super) const fn answered(reply: R::Reply) -> Self {
        Self { state: State::Answered(Some(reply)) }
    }

    pub(super) const fn begin(read: R, rows: ReadRows) -> Self {
        Self { state: State::Reading(read, rows) }
    }

    /// Reads some rows. Gives the answer when there is one, and `None` while there is none, or it was given before.
    ///
    /// # Errors
    /// [`Error::Corrupt`], and what the store gives.
    pub fn step(&mut self) -> Result<Option<R::Reply>, Error> {
        match &mut self.state {
            State::Answered(reply) => Ok(reply.take()),
            State::Reading(read, rows) => {
                let mut work = WORK_PER_STEP;
                let reply = read.step(rows, &mut work)?;
                if reply.is_some() {
                    self.state = State::Answered(None);
                }
                Ok(reply)
            }
        }
    }

    /// Takes the remaining steps at once.
    pub(super) fn finish(mut self) -> Result<R::Reply, Error> {
        loop {
            if let Some(reply) = self.step()? {
                return Ok(reply);
            }
        }
    }
}

impl<R: Read> fmt::Debug for Reading<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").finish_non_exhaustive()
    }
}

/// What showing a value of so many bytes costs, besides its row.
pub(super) const fn work_of_value(bytes: usize) -> usize {
    bytes / 1024
}
