//! Locks of transactions that are still running.

use bytes::Bytes;

use super::command::{Command, Latched, Latches, Refusal};
use super::error::{Abort, ConflictReason, KeyError, WriteConflict};
use super::key::EncodedKey;
use super::lock::{Lock, LockKind};
use super::prewrite_checks::data_version;
use super::rows::Version;
use super::write::WriteKind;
use crate::Error;

/// Keeps keys for a transaction that is still running: all of them or, refused, none.
///
/// A lock in the way is an answer, [`KeyError::Locked`]. Whoever has requests wait runs the same command again once that lock
/// is gone.
///
/// ```
/// use charioteer_engine::mvcc::{MvccStore, PessimisticLock};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// let lock = PessimisticLock { return_values: true, ..PessimisticLock::new(vec!["key".into()], "key".into(), 5) };
/// let locked = store.run(lock)?.reply.unwrap_or_default();
/// assert_eq!((locked.len(), &locked[0].value), (1, &None));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PessimisticLock {
    /// The keys.
    pub keys: Vec<KeyToLock>,
    /// The key whose fate is the transaction's.
    pub primary: Bytes,
    /// Which transaction it is.
    pub start_ts: u64,
    /// How long it may be taken for alive, in milliseconds.
    pub ttl_ms: u64,
    /// Up to which timestamp others' versions do not matter.
    pub for_update_ts: u64,
    /// The transaction is not committed earlier.
    pub min_commit_ts: u64,
    /// Whether values are asked for.
    pub return_values: bool,
    /// Whether it is asked for which keys have values.
    pub check_existence: bool,
    /// Whether keys without values are not locked; needs `return_values`.
    pub lock_only_if_exists: bool,
    /// Whether the key, which then is the only one, is locked although there is a version behind `for_update_ts`.
    pub force: bool,
}

/// A key to be locked.
///
/// ```
/// use charioteer_engine::mvcc::KeyToLock;
///
/// let key = KeyToLock::from(bytes::Bytes::from("key"));
/// assert!(!key.should_not_exist);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyToLock {
    /// The key.
    pub key: Bytes,
    /// Whether it must not have a value.
    pub should_not_exist: bool,
}

impl From<Bytes> for KeyToLock {
    fn from(key: Bytes) -> Self {
        Self { key, should_not_exist: false }
    }
}

/// A key that was locked, or was not because it has no value.
///
/// ```
/// use charioteer_engine::mvcc::KeyLocked;
///
/// assert_eq!(KeyLocked::default().locked_with_conflict_ts, None);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyLocked {
    /// Its value, if that was asked for, or it was locked with a conflict.
    pub value: Option<Bytes>,
    /// Whether it has a value, if that or the value was asked for, or it was locked with a conflict.
    pub exists: bool,
    /// When the version was committed that lies behind the timestamp which was asked for.
    pub locked_with_conflict_ts: Option<u64>,
}

impl PessimisticLock {
    /// Of keys by what is committed at the start of the transaction, for three seconds, and without values.
    #[must_use]
    pub fn new(keys: Vec<Bytes>, primary: Bytes, start_ts: u64) -> Self {
        Self {
            keys: keys.into_iter().map(KeyToLock::from).collect(),
            primary,
            start_ts,
            ttl_ms: 3_000,
            for_update_ts: start_ts,
            min_commit_ts: 0,
            return_values: false,
            check_existence: false,
            lock_only_if_exists: false,
            force: false,
        }
    }
}

impl Command for PessimisticLock {
    /// In the order of the keys.
    type Reply = Result<Vec<KeyLocked>, KeyError>;

    fn latches(&self) -> Latches {
        Latches::Keys(self.keys.iter().map(|key| key.key.clone()).collect())
    }

    fn apply(self, rows: &mut Latched<'_>) -> Result<Self::Reply, Error> {
        rows.answer(|rows| {
            if self.force && self.keys.len() > 1 {
                return Err(Abort::ForceLockOfSeveral.into());
            }
            self.keys.iter().map(|key| self.lock_key(rows, key)).collect()
        })
    }
}

impl PessimisticLock {
    fn lock_key(&self, rows: &mut Latched<'_>, to_lock: &KeyToLock) -> Result<KeyLocked, Refusal> {
        if self.lock_only_if_exists && !self.return_values {
            let (start_ts, key) = (self.start_ts, to_lock.key.clone());
            return Err(Abort::LockIfExistsWithoutValues { start_ts, key }.into());
        }
        if to_lock.should_not_exist || self.return_values || self.check_existence {
            // What is told of the key is told as a reader is told.
            rows.timestamps().raise(self.for_update_ts);
        }
        let key = EncodedKey::of(&to_lock.key);
        match rows.lock(&key)? {
            None => self.lock_free(rows, to_lock, &key),
            Some(lock) if lock.start_ts == self.start_ts => self.lock_again(rows, to_lock, &key, lock),
            Some(lock) => Err(KeyError::from(lock.info(to_lock.key.clone())).into()),
        }
    }

    fn lock_free(&self, rows: &mut Latched<'_>, to_lock: &KeyToLock, key: &EncodedKey) -> Result<KeyLocked, Refusal> {
        rows.check_past(key, self.start_ts.min(self.for_update_ts))?;
        let newest = rows.newest(key, u64::MAX)?;
        let conflict = newest.as_ref().filter(|version| version.commit_ts > self.for_update_ts);
        if let Some(version) = conflict.filter(|_| !self.force) {
            return Err(self.conflict(to_lock, version));
        }
        if let Some(version) = &newest {
            self.check_not_rolled_back(rows, to_lock, key, version)?;
        }
        let data = data_version(rows, key, newest.as_ref())?.filter(|version| version.write.kind == WriteKind::Put);
        if to_lock.should_not_exist && data.is_some() {
            let exists = KeyError::AlreadyExists { key: to_lock.key.clone() }.into();
            return Err(conflict.map_or(exists, |version| self.conflict(to_lock, version)));
        }
        let for_update_ts = conflict.map_or(self.for_update_ts, |version| version.commit_ts);
        let locked = self.locked(rows, key, data.as_ref(), conflict.map(|version| version.commit_ts))?;
        if data.is_some() || !self.lock_only_if_exists {
            rows.put_lock(key, &self.lock(for_update_ts, conflict.is_some()));
        } else if let Some(version) = conflict {
            return Err(self.conflict(to_lock, version));
        }
        Ok(locked)
    }

    /// The key is locked by the transaction itself already.
    fn lock_again(
        &self,
        rows: &mut Latched<'_>,
        to_lock: &KeyToLock,
        key: &EncodedKey,
        lock: Lock,
    ) -> Result<KeyLocked, Refusal> {
        if !lock.is_pessimistic() {
            let (start_ts, key) = (self.start_ts, to_lock.key.clone());
            return Err(Abort::LockTypeNotMatch { start_ts, key, is_pessimistic: false }.into());
        }
        // What was locked for a later timestamp stays so; a forced request is told.
        let conflict_ts = Some(lock.for_update_ts).filter(|ts| self.force && self.for_update_ts < *ts);
        let for_update_ts = conflict_ts.unwrap_or(self.for_update_ts);
        let is_asked = to_lock.should_not_exist || self.return_values || self.check_existence || conflict_ts.is_some();
        let data = if is_asked { rows.read().newest_data(key, for_update_ts)? } else { None };
        let data = data.filter(|version| version.write.kind == WriteKind::Put);
        if let Some(version) = data.as_ref().filter(|_| to_lock.should_not_exist) {
            let exists = KeyError::AlreadyExists { key: to_lock.key.clone() }.into();
            let is_conflict = version.commit_ts > self.for_update_ts;
            return Err(if is_conflict { self.conflict(to_lock, version) } else { exists });
        }
        let locked = self.locked(rows, key, data.as_ref(), conflict_ts)?;
        if for_update_ts > lock.for_update_ts {
            rows.put_lock(key, &self.lock(for_update_ts, lock.is_locked_with_conflict));
        }
        Ok(locked)
    }

    fn check_not_rolled_back(
        &self,
        rows: &mut Latched<'_>,
        to_lock: &KeyToLock,
        key: &EncodedKey,
        newest: &Version,
    ) -> Result<(), Refusal> {
        let at_start = if newest.commit_ts > self.start_ts { rows.newest(key, self.start_ts)? } else { None };
        let version = at_start.as_ref().unwrap_or(newest);
        let is_rollback = version.write.kind == WriteKind::Rollback || version.write.has_overlapped_rollback;
        if version.commit_ts == self.start_ts && is_rollback {
            let (start_ts, key) = (self.start_ts, to_lock.key.clone());
            return Err(Abort::PessimisticLockRolledBack { start_ts, key }.into());
        }
        Ok(())
    }

    /// What is told of a key with this value.
    fn locked(
        &self,
        rows: &mut Latched<'_>,
        key: &EncodedKey,
        data: Option<&Version>,
        locked_with_conflict_ts: Option<u64>,
    ) -> Result<KeyLocked, Error> {
        let tells_value = self.return_values || locked_with_conflict_ts.is_some();
        let exists = data.is_some() && (tells_value || self.check_existence);
        let value = match data {
            Some(version) if tells_value => Some(rows.read().value_of(key, &version.write)?),
            _ => None,
        };
        Ok(KeyLocked { value, exists, locked_with_conflict_ts })
    }

    fn lock(&self, for_update_ts: u64, is_locked_with_conflict: bool) -> Lock {
        Lock {
            for_update_ts,
            min_commit_ts: self.min_commit_ts,
            is_locked_with_conflict,
            ..Lock::new(LockKind::Pessimistic, self.primary.clone(), self.start_ts, self.ttl_ms)
        }
    }

    fn conflict(&self, to_lock: &KeyToLock, version: &Version) -> Refusal {
        let conflict = WriteConflict {
            start_ts: self.start_ts,
            conflict_start_ts: version.write.start_ts,
            conflict_commit_ts: version.commit_ts,
            key: to_lock.key.clone(),
            primary: self.primary.clone(),
            reason: ConflictReason::PessimisticRetry,
        };
        Refusal::Key(conflict.into())
    }
}
