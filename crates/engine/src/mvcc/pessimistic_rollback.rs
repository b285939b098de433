//! Giving back locks of transactions that are still running.

use bytes::Bytes;

use super::command::{Command, Latched, Latches};
use super::key::EncodedKey;
use super::lock::Lock;
use super::range::KeyRange;
use super::resolve::locks_of;
use crate::Error;

/// Gives back the locks that a running transaction has at some keys. The transaction may lock them again.
///
/// ```
/// use charioteer_engine::mvcc::{MvccStore, PessimisticLock, PessimisticRollback};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// store.run(PessimisticLock::new(vec!["key".into()], "key".into(), 5))?;
/// let done = store.run(PessimisticRollback { start_ts: 5, for_update_ts: 5, keys: vec!["key".into()] })?;
/// assert_eq!(done.released.len(), 1);
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PessimisticRollback {
    /// Which transaction it is.
    pub start_ts: u64,
    /// Locks that were taken for a later timestamp stay.
    pub for_update_ts: u64,
    /// The keys.
    pub keys: Vec<Bytes>,
}

impl Command for PessimisticRollback {
    type Reply = ();

    fn latches(&self) -> Latches {
        Latches::Keys(self.keys.clone())
    }

    fn apply(self, rows: &mut Latched<'_>) -> Result<(), Error> {
        for key in &self.keys {
            let key = EncodedKey::of(key);
            if let Some(lock) = rows.lock(&key)?.filter(|lock| is_meant(lock, self.start_ts, self.for_update_ts)) {
                rows.release(&key, &lock, 0)?;
            }
        }
        Ok(())
    }
}

/// Gives back all locks that a running transaction has in a range of keys, some hundred at a time. Answers with what is left to
/// be looked at, if there is any.
///
/// ```
/// use charioteer_engine::mvcc::{KeyRange, MvccStore, PessimisticRollbackRange};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// let roll_back = PessimisticRollbackRange { start_ts: 5, for_update_ts: 5, range: KeyRange::all() };
/// assert_eq!(store.run(roll_back)?.reply, None);
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PessimisticRollbackRange {
    /// Which transaction it is.
    pub start_ts: u64,
    /// Locks that were taken for a later timestamp stay.
    pub for_update_ts: u64,
    /// Where to look.
    pub range: KeyRange,
}

impl Command for PessimisticRollbackRange {
    type Reply = Option<Self>;

    fn latches(&self) -> Latches {
        Latches::All
    }

    fn apply(self, rows: &mut Latched<'_>) -> Result<Self::Reply, Error> {
        let Self { start_ts, for_update_ts, range } = self;
        let found = locks_of(rows, range, |lock| is_meant(lock, start_ts, for_update_ts))?;
        for (key, lock) in found.locks {
            rows.release(&key, &lock, 0)?;
        }
        Ok(found.left.map(|range| Self { start_ts, for_update_ts, range }))
    }
}

const fn is_meant(lock: &Lock, start_ts: u64, for_update_ts: u64) -> bool {
    lock.is_pessimistic() && lock.start_ts == start_ts && lock.for_update_ts <= for_update_ts
}
