//! Undoing what a transaction was about to do.

use bytes::Bytes;

use super::command::{Command, Latched, Latches, Refusal};
use super::key::EncodedKey;
use super::rows::Fate;
use super::{Abort, KeyError};
use crate::Error;

/// Undoes what a transaction was about to do with some keys, and sees to it that it cannot lock them again.
///
/// ```
/// use charioteer_engine::mvcc::{BatchRollback, Change, Mutation, MvccStore, Prewrite};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// assert!(store.run(BatchRollback { start_ts: 5, keys: vec!["key".into()] })?.reply.is_ok());
/// let late = Mutation::new("key".into(), Change::Delete);
/// assert!(store.run(Prewrite::new(vec![late], "key".into(), 5))?.reply.is_err());
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRollback {
    /// Which transaction it is.
    pub start_ts: u64,
    /// The keys.
    pub keys: Vec<Bytes>,
}

impl Command for BatchRollback {
    type Reply = Result<(), KeyError>;

    const MAY_BE_LATE: bool = true;

    fn latches(&self) -> Latches {
        Latches::Keys(self.keys.clone())
    }

    fn apply(self, rows: &mut Latched<'_>) -> Result<Self::Reply, Error> {
        rows.answer(|rows| {
            for key in &self.keys {
                let key = EncodedKey::of(key);
                if let Fate::Committed { commit_ts } = roll_back_key(rows, &key, self.start_ts, 0, false)? {
                    let (start_ts, key) = (self.start_ts, key.decode()?);
                    return Err(Abort::Committed { start_ts, commit_ts, key }.into());
                }
            }
            Ok(())
        })
    }
}

/// Undoes what a transaction was about to do with a key, if its time is over. Answers when it was committed, or 0 if it is
/// rolled back.
///
/// ```
/// use charioteer_engine::mvcc::{Cleanup, MvccStore};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// assert_eq!(store.run(Cleanup { key: "key".into(), start_ts: 5, current_ts: 0 })?.reply, Ok(0));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleanup {
    /// The key.
    pub key: Bytes,
    /// Which transaction it is.
    pub start_ts: u64,
    /// By which time; 0 does not ask whether its time is over.
    pub current_ts: u64,
}

impl Command for Cleanup {
    type Reply = Result<u64, KeyError>;

    fn latches(&self) -> Latches {
        Latches::Keys(vec![self.key.clone()])
    }

    fn apply(self, rows: &mut Latched<'_>) -> Result<Self::Reply, Error> {
        // A rollback that is written here must not come to lie under a commit that is calculated later.
        rows.timestamps().raise(self.start_ts);
        rows.answer(|rows| {
            match roll_back_key(rows, &EncodedKey::of(&self.key), self.start_ts, self.current_ts, true)? {
                Fate::Committed { commit_ts } => Ok(commit_ts),
                Fate::RolledBack | Fate::Unknown { .. } => Ok(0),
            }
        })
    }
}

/// Undoes what a transaction was about to do with a key, if its time is over by `current_ts`. Says what had become of it if it
/// has no lock there.
pub(super) fn roll_back_key(
    rows: &mut Latched<'_>,
    key: &EncodedKey,
    start_ts: u64,
    current_ts: u64,
    is_protected: bool,
) -> Result<Fate, Refusal> {
    match rows.lock(key)? {
        Some(lock) if lock.start_ts == start_ts => {
            if current_ts != 0 && !lock.is_over(current_ts) {
                return Err(KeyError::from(lock.info(key.decode()?)).into());
            }
            rows.roll_back_lock(key, &lock, !is_protected)?;
            Ok(Fate::RolledBack)
        }
        other => Ok(rows.roll_back_missing(key, start_ts, other, is_protected)?),
    }
}
