//! Whether a transaction with asynchronous commit has locked all its keys.

use bytes::Bytes;

use super::command::{Command, Latched, Latches};
use super::key::EncodedKey;
use super::rows::Fate;
use super::{KeyError, LockInfo};
use crate::Error;

/// Asks whether a transaction with asynchronous commit has its locks at some keys. If one is missing, sees to it that it never
/// comes.
///
/// ```
/// use charioteer_engine::mvcc::{CheckSecondaryLocks, MvccStore, SecondaryLocks};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// let reply = store.run(CheckSecondaryLocks { start_ts: 5, keys: vec!["key".into()] })?.reply;
/// assert_eq!(reply, Ok(SecondaryLocks::RolledBack));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckSecondaryLocks {
    /// Which transaction it is.
    pub start_ts: u64,
    /// The keys.
    pub keys: Vec<Bytes>,
}

/// What the keys of a transaction with asynchronous commit say.
///
/// ```
/// use charioteer_engine::mvcc::SecondaryLocks;
///
/// assert_ne!(SecondaryLocks::RolledBack, SecondaryLocks::Committed { commit_ts: 7 });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecondaryLocks {
    /// All are locked.
    Locked(Vec<LockInfo>),
    /// One was committed.
    Committed {
        /// When.
        commit_ts: u64,
    },
    /// One was not locked, and never will be.
    RolledBack,
}

impl Command for CheckSecondaryLocks {
    type Reply = Result<SecondaryLocks, KeyError>;

    fn latches(&self) -> Latches {
        Latches::Keys(self.keys.clone())
    }

    fn apply(self, rows: &mut Latched<'_>) -> Result<Self::Reply, Error> {
        // A rollback that is written here must not come to lie under a commit that is calculated later.
        rows.timestamps().raise(self.start_ts);
        let mut locked = Vec::new();
        for user_key in self.keys {
            let key = EncodedKey::of(&user_key);
            let other = match rows.lock(&key)? {
                Some(lock) if lock.start_ts == self.start_ts && !lock.is_pessimistic() => {
                    locked.push(lock.info(user_key));
                    continue;
                }
                Some(lock) if lock.start_ts == self.start_ts => {
                    rows.release(&key, &lock, 0)?;
                    None
                }
                other => other,
            };
            return Ok(Ok(match rows.roll_back_missing(&key, self.start_ts, other, true)? {
                Fate::Committed { commit_ts } => SecondaryLocks::Committed { commit_ts },
                Fate::RolledBack | Fate::Unknown { .. } => SecondaryLocks::RolledBack,
            }));
        }
        Ok(Ok(SecondaryLocks::Locked(locked)))
    }
}
