//! Ending the locks of transactions whose fate is known.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use super::command::{Command, Latched, Latches, Refusal, check_order};
use super::commit::commit_key;
use super::key::EncodedKey;
use super::lock::Lock;
use super::range::KeyRange;
use super::rollback::roll_back_key;
use super::rows::Fate;
use super::{Abort, KeyError};
use crate::Error;

/// How many locks are ended at a time.
pub(super) const LOCKS_AT_A_TIME: usize = 256;

/// How many locks are looked at, at a time.
pub(super) const LOCKS_LOOKED_AT: usize = 4096;

/// Commits or rolls back the locks of a transaction at some keys.
///
/// ```
/// use charioteer_engine::mvcc::{MvccStore, ResolveLockLite};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// let resolve = ResolveLockLite { start_ts: 5, commit_ts: 0, keys: vec!["key".into()] };
/// assert_eq!(store.run(resolve)?.reply, Ok(()));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolveLockLite {
    /// Which transaction it is.
    pub start_ts: u64,
    /// When it was committed; 0 if it was rolled back.
    pub commit_ts: u64,
    /// The keys.
    pub keys: Vec<Bytes>,
}

impl Command for ResolveLockLite {
    type Reply = Result<(), KeyError>;

    const MAY_BE_LATE: bool = true;

    fn latches(&self) -> Latches {
        Latches::Keys(self.keys.clone())
    }

    fn apply(self, rows: &mut Latched<'_>) -> Result<Self::Reply, Error> {
        rows.answer(|rows| {
            self.keys.iter().try_for_each(|key| end(rows, &EncodedKey::of(key), self.start_ts, self.commit_ts))
        })
    }
}

/// Commits or rolls back all locks of some transactions in a range of keys, some hundred at a time. Answers with what is left
/// to be looked at, if there is any.
///
/// ```
/// use charioteer_engine::mvcc::{KeyRange, MvccStore, ResolveLock};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// let mut left = Some(ResolveLock::new(KeyRange::all(), [(5, 7), (6, 0)]));
/// while let Some(resolve) = left {
///     left = store.run(resolve)?.reply.map_err(|error| error.to_string())?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolveLock {
    /// Where to look.
    pub range: KeyRange,
    /// Of each transaction, by its start, when it was committed; 0 if it was rolled back.
    pub transactions: BTreeMap<u64, u64>,
}

impl ResolveLock {
    /// Of transactions by their start, and when they were committed; 0 if they were rolled back.
    #[must_use]
    pub fn new(range: KeyRange, transactions: impl IntoIterator<Item = (u64, u64)>) -> Self {
        Self { range, transactions: transactions.into_iter().collect() }
    }
}

impl Command for ResolveLock {
    type Reply = Result<Option<Self>, KeyError>;

    fn latches(&self) -> Latches {
        Latches::All
    }

    fn apply(self, rows: &mut Latched<'_>) -> Result<Self::Reply, Error> {
        rows.answer(|rows| {
            let found = locks_of(rows, self.range, |lock| self.transactions.contains_key(&lock.start_ts))?;
            for (key, lock) in found.locks {
                let commit_ts = self.transactions.get(&lock.start_ts).copied().unwrap_or(0);
                end(rows, &key, lock.start_ts, commit_ts)?;
            }
            Ok(found.left.map(|range| Self { range, transactions: self.transactions }))
        })
    }
}

/// Some of the locks of a range.
pub(super) struct LocksFound {
    pub(super) locks: Vec<(EncodedKey, Lock)>,
    /// What is left of the range behind them.
    pub(super) left: Option<KeyRange>,
}

/// Some hundred of the locks of a range that are wanted.
pub(super) fn locks_of(
    rows: &mut Latched<'_>,
    range: KeyRange,
    is_wanted: impl Fn(&Lock) -> bool,
) -> Result<LocksFound, Error> {
    let (mut locks, mut looked_at, mut last) = (Vec::new(), 0, None);
    let (start, end) = range.stored();
    let bounds = (Bound::Included(&start[..]), end.as_ref().map_or(Bound::Unbounded, |end| Bound::Excluded(&end[..])));
    rows.read().locks(bounds, |key, lock| {
        looked_at += 1;
        let is_full = locks.len() + 1 >= LOCKS_AT_A_TIME || looked_at >= LOCKS_LOOKED_AT;
        if is_full {
            last = Some(key.clone());
        }
        if is_wanted(&lock) {
            locks.push((key, lock));
        }
        if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    let left = last.map(|last| Ok::<_, Error>(range.behind(&last.decode()?))).transpose()?;
    Ok(LocksFound { locks, left })
}

/// Commits or rolls back what a transaction has at a key.
fn end(rows: &mut Latched<'_>, key: &EncodedKey, start_ts: u64, commit_ts: u64) -> Result<(), Refusal> {
    if commit_ts != 0 {
        check_order(start_ts, commit_ts)?;
        return commit_key(rows, key, start_ts, commit_ts).map(drop);
    }
    match roll_back_key(rows, key, start_ts, 0, false)? {
        Fate::Committed { commit_ts } => Err(Abort::Committed { start_ts, commit_ts, key: key.decode()? }.into()),
        Fate::RolledBack | Fate::Unknown { .. } => Ok(()),
    }
}
