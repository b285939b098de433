//! That a transaction is alive.

use bytes::Bytes;

use super::KeyError;
use super::command::{Command, Latched, Latches};
use super::key::EncodedKey;
use crate::Error;

/// Says that a transaction is alive, by its primary. Answers how long it may be taken for that.
///
/// ```
/// use charioteer_engine::mvcc::{KeyError, MvccStore, TxnHeartBeat};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// let beat = TxnHeartBeat { primary: "key".into(), start_ts: 5, advise_ttl_ms: 20_000, min_commit_ts: 0 };
/// assert!(matches!(store.run(beat)?.reply, Err(KeyError::TxnNotFound { .. })));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxnHeartBeat {
    /// The primary.
    pub primary: Bytes,
    /// Which transaction it is.
    pub start_ts: u64,
    /// How long it is to be taken for alive at least, in milliseconds.
    pub advise_ttl_ms: u64,
    /// It is not committed earlier.
    pub min_commit_ts: u64,
}

impl Command for TxnHeartBeat {
    type Reply = Result<u64, KeyError>;

    fn latches(&self) -> Latches {
        Latches::Keys(vec![self.primary.clone()])
    }

    fn apply(self, rows: &mut Latched<'_>) -> Result<Self::Reply, Error> {
        let key = EncodedKey::of(&self.primary);
        let Some(mut lock) = rows.own_lock(&key, self.start_ts)? else {
            return Ok(Err(KeyError::TxnNotFound { start_ts: self.start_ts, primary: self.primary }));
        };
        let is_longer = lock.ttl_ms < self.advise_ttl_ms;
        // Only those of a transaction that writes its buffer bit by bit are raised from here.
        let is_later = lock.generation > 0 && lock.min_commit_ts != 0 && lock.min_commit_ts < self.min_commit_ts;
        if is_longer {
            lock.ttl_ms = self.advise_ttl_ms;
        }
        if is_later {
            lock.min_commit_ts = self.min_commit_ts;
        }
        if is_longer || is_later {
            rows.put_lock(&key, &lock);
        }
        Ok(Ok(lock.ttl_ms))
    }
}
