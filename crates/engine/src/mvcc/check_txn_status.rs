//! What became of a transaction, by its primary.

use bytes::Bytes;

use super::command::{Command, Latched, Latches, Refusal};
use super::key::EncodedKey;
use super::lock::Lock;
use super::rows::Fate;
use super::{KeyError, LockInfo};
use crate::Error;

/// Asks what became of a transaction, by its primary; and ends it if its time is over.
///
/// ```
/// use charioteer_engine::mvcc::{CheckTxnStatus, MvccStore, TxnStatus};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// let ask = CheckTxnStatus {
///     primary: "key".into(),
///     start_ts: 5,
///     caller_start_ts: 8,
///     current_ts: 9,
///     rollback_if_not_exist: true,
///     force_sync_commit: false,
///     resolving_pessimistic_lock: false,
///     verify_is_primary: true,
/// };
/// assert_eq!(store.run(ask)?.reply, Ok(TxnStatus::LockNotExistRolledBack));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckTxnStatus {
    /// The primary.
    pub primary: Bytes,
    /// Which transaction it is.
    pub start_ts: u64,
    /// At which timestamp whoever asks reads: the transaction is committed behind it, if that can be had; 0 asks for nothing.
    pub caller_start_ts: u64,
    /// By which time.
    pub current_ts: u64,
    /// Whether a transaction of which nothing is known is rolled back.
    pub rollback_if_not_exist: bool,
    /// Whether one with asynchronous commit is judged by its primary alone.
    pub force_sync_commit: bool,
    /// Whether whoever asks met a lock of a transaction that may still be running.
    pub resolving_pessimistic_lock: bool,
    /// Whether the key must be the primary.
    pub verify_is_primary: bool,
}

/// What became of a transaction.
///
/// ```
/// use charioteer_engine::mvcc::TxnStatus;
///
/// assert_ne!(TxnStatus::RolledBack, TxnStatus::TtlExpired);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TxnStatus {
    /// It is committed.
    Committed {
        /// When.
        commit_ts: u64,
    },
    /// It was rolled back before.
    RolledBack,
    /// Its time was over: it is rolled back now.
    TtlExpired,
    /// Its time was over: the lock of the running transaction is gone now.
    PessimisticRolledBack,
    /// Nothing was known of it: it is rolled back now.
    LockNotExistRolledBack,
    /// Nothing is known of it, and nothing was done, since it may be running.
    LockNotExistDoNothing,
    /// It may be alive.
    Uncommitted {
        /// What its primary says; how long it may be taken for alive, among it.
        lock: Box<LockInfo>,
        /// Whether it is certain not to be committed by the timestamp of whoever asks.
        min_commit_ts_pushed: bool,
    },
}

impl Command for CheckTxnStatus {
    type Reply = Result<TxnStatus, KeyError>;

    fn latches(&self) -> Latches {
        Latches::Keys(vec![self.primary.clone()])
    }

    fn apply(self, rows: &mut Latched<'_>) -> Result<Self::Reply, Error> {
        // A rollback that is written here must not come to lie under a commit that is calculated later.
        for ts in [self.start_ts, self.current_ts, self.caller_start_ts] {
            rows.timestamps().raise(ts);
        }
        let key = EncodedKey::of(&self.primary);
        rows.answer(|rows| match rows.lock(&key)? {
            Some(lock) if lock.start_ts == self.start_ts => self.by_lock(rows, &key, lock),
            other => self.without_lock(rows, &key, other),
        })
    }
}

impl CheckTxnStatus {
    fn by_lock(&self, rows: &mut Latched<'_>, key: &EncodedKey, lock: Lock) -> Result<TxnStatus, Refusal> {
        if self.verify_is_primary && lock.primary != self.primary {
            return self.by_other_primary(rows, key, &lock);
        }
        if lock.use_async_commit && !self.force_sync_commit {
            // What becomes of it is told by all its locks.
            return Ok(self.uncommitted(&lock, false));
        }
        let is_over = lock.is_over(self.current_ts);
        if lock.is_pessimistic() {
            if lock.is_locked_with_conflict
                && let Some(status) = determined(&rows.fate(key, self.start_ts)?)
            {
                // The lock came late.
                rows.release(key, &lock, 0)?;
                return Ok(status);
            }
            if is_over && self.resolving_pessimistic_lock {
                // The transaction may be running, with another primary: no rollback stays behind.
                rows.release(key, &lock, 0)?;
                return Ok(TxnStatus::PessimisticRolledBack);
            }
        }
        if is_over {
            rows.roll_back_lock(key, &lock, true)?;
            return Ok(TxnStatus::TtlExpired);
        }
        Ok(self.alive(rows, key, lock))
    }

    fn by_other_primary(&self, rows: &mut Latched<'_>, key: &EncodedKey, lock: &Lock) -> Result<TxnStatus, Refusal> {
        if self.resolving_pessimistic_lock || !lock.is_pessimistic() {
            return Err(KeyError::PrimaryMismatch(Box::new(lock.info(self.primary.clone()))).into());
        }
        // The primary of a transaction that commits does not change any more, so that this lock came late.
        let status = self.without_lock(rows, key, None)?;
        rows.release(key, lock, 0)?;
        Ok(status)
    }

    /// Has the transaction be committed behind the timestamp of whoever asks, if it has told where it may be.
    fn alive(&self, rows: &mut Latched<'_>, key: &EncodedKey, mut lock: Lock) -> TxnStatus {
        let caller = self.caller_start_ts;
        if lock.min_commit_ts != 0 && caller != u64::MAX && caller >= lock.min_commit_ts {
            lock.min_commit_ts = caller.saturating_add(1).max(self.current_ts);
            rows.put_lock(key, &lock);
        }
        // Whoever reads the latest there is need not wait for what is not committed yet.
        let is_pushed = caller == u64::MAX || (caller != 0 && lock.min_commit_ts > caller);
        self.uncommitted(&lock, is_pushed)
    }

    fn without_lock(
        &self,
        rows: &mut Latched<'_>,
        key: &EncodedKey,
        other: Option<Lock>,
    ) -> Result<TxnStatus, Refusal> {
        if let Some(status) = determined(&rows.fate(key, self.start_ts)?) {
            return Ok(status);
        }
        if !self.rollback_if_not_exist {
            let (start_ts, primary) = (self.start_ts, self.primary.clone());
            return Err(KeyError::TxnNotFound { start_ts, primary }.into());
        }
        if self.resolving_pessimistic_lock {
            return Ok(TxnStatus::LockNotExistDoNothing);
        }
        rows.roll_back_missing(key, self.start_ts, other, true)?;
        Ok(TxnStatus::LockNotExistRolledBack)
    }

    fn uncommitted(&self, lock: &Lock, min_commit_ts_pushed: bool) -> TxnStatus {
        TxnStatus::Uncommitted { lock: Box::new(lock.info(self.primary.clone())), min_commit_ts_pushed }
    }
}

const fn determined(fate: &Fate) -> Option<TxnStatus> {
    match fate {
        Fate::Committed { commit_ts } => Some(TxnStatus::Committed { commit_ts: *commit_ts }),
        Fate::RolledBack => Some(TxnStatus::RolledBack),
        Fate::Unknown { .. } => None,
    }
}
