//! The second phase of a commit.

use bytes::Bytes;

use super::command::{Command, Latched, Latches, Refusal, check_order};
use super::key::EncodedKey;
use super::rows::Fate;
use super::{CommitTsExpired, KeyError};
use crate::Error;

/// Makes versions of the locks that a transaction has at some keys: of all or, refused, of none. Answers with the timestamp at
/// which the first of them is committed: that is an earlier one if it was committed before, in one phase, and whoever asked for
/// that was not told.
///
/// ```
/// use charioteer_engine::mvcc::{Commit, KeyError, MvccStore};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// let refused = store.run(Commit { start_ts: 5, commit_ts: 7, keys: vec!["key".into()] })?.reply;
/// assert!(matches!(refused, Err(KeyError::TxnLockNotFound { .. })));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Which transaction it is.
    pub start_ts: u64,
    /// When it is committed.
    pub commit_ts: u64,
    /// The keys.
    pub keys: Vec<Bytes>,
}

impl Command for Commit {
    type Reply = Result<u64, KeyError>;

    const MAY_BE_LATE: bool = true;

    fn latches(&self) -> Latches {
        Latches::Keys(self.keys.clone())
    }

    fn apply(self, rows: &mut Latched<'_>) -> Result<Self::Reply, Error> {
        rows.answer(|rows| {
            check_order(self.start_ts, self.commit_ts)?;
            let mut told = None;
            for key in &self.keys {
                let commit_ts = commit_key(rows, &EncodedKey::of(key), self.start_ts, self.commit_ts)?;
                told.get_or_insert(commit_ts);
            }
            Ok(told.unwrap_or(self.commit_ts))
        })
    }
}

/// Makes a version of the lock that a transaction has at a key. Says when it is committed, which may have been before.
pub(super) fn commit_key(
    rows: &mut Latched<'_>,
    key: &EncodedKey,
    start_ts: u64,
    commit_ts: u64,
) -> Result<u64, Refusal> {
    let Some(lock) = rows.own_lock(key, start_ts)? else {
        return match rows.fate(key, start_ts)? {
            Fate::Committed { commit_ts } => Ok(commit_ts),
            Fate::RolledBack | Fate::Unknown { .. } => {
                Err(KeyError::TxnLockNotFound { start_ts, commit_ts, key: key.decode()? }.into())
            }
        };
    };
    if commit_ts < lock.min_commit_ts {
        let (key, min_commit_ts) = (key.decode()?, lock.min_commit_ts);
        return Err(KeyError::CommitTsExpired(CommitTsExpired { start_ts, commit_ts, key, min_commit_ts }).into());
    }
    if lock.is_pessimistic() {
        // The transaction did not come to write this key.
        rows.release(key, &lock, 0)?;
    } else {
        rows.commit_lock(key, &lock, commit_ts)?;
    }
    Ok(commit_ts)
}
