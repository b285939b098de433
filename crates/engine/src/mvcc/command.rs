//! What a rule is: commands, which write, and reads.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use super::key::EncodedKey;
use super::lock::Lock;
use super::rows::{Families, FamilyOf, Fate, Reader, Rows, Version};
use super::timestamps::{Held, Published, Timestamps};
use super::write::{Write, WriteKind};
use super::{Abort, KeyError, LockKind, SHORT_VALUE_BYTES};
use crate::{Batch, Error};

/// The keys that a command must have for itself.
///
/// ```
/// use charioteer_engine::mvcc::{Command, Commit, Latches};
///
/// let commit = Commit { start_ts: 5, commit_ts: 7, keys: vec!["key".into()] };
/// assert_eq!(commit.latches(), Latches::Keys(vec!["key".into()]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Latches {
    /// These.
    Keys(Vec<Bytes>),
    /// Those of a range, which are not known beforehand. It keeps all others waiting, and so does little at a time.
    All,
}

/// A rule that may write.
///
/// The driver lets it have its keys for itself, calls [`apply`](Self::apply) once, and writes what it changed as one atomic
/// batch. A command never waits: a lock in its way is an answer.
///
/// ```
/// use charioteer_engine::mvcc::{Command, Latches, TxnHeartBeat};
///
/// let beat = TxnHeartBeat { primary: "key".into(), start_ts: 5, advise_ttl_ms: 20_000, min_commit_ts: 0 };
/// assert!(matches!(beat.latches(), Latches::Keys(keys) if keys.len() == 1));
/// ```
///
/// It may be run on another thread than the one that asked for it, and so borrows nothing.
pub trait Command: Send + 'static {
    /// What the command answers.
    type Reply: Send + 'static;

    /// Whether it may as well be carried out behind what was asked for after it. A lock may not: what takes it away leaves no trace of that,
    /// so that nobody would have it then.
    const MAY_BE_LATE: bool = false;

    /// The keys it must have for itself.
    fn latches(&self) -> Latches;

    /// The answer, and what is to be changed.
    ///
    /// # Errors
    /// What the store gives; nothing is changed then.
    fn apply(self, rows: &mut Latched<'_>) -> Result<Self::Reply, Error>;
}

/// A command that was run.
///
/// ```
/// use charioteer_engine::mvcc::{BatchRollback, MvccStore};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// let done = store.run(BatchRollback { start_ts: 5, keys: vec!["key".into()] })?;
/// assert!(done.reply.is_ok() && done.released.is_empty());
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done<R> {
    /// What it answered.
    pub reply: R,
    /// The locks that are gone, for which somebody may be waiting.
    pub released: Vec<Released>,
}

/// A lock that is gone.
///
/// ```
/// use charioteer_engine::mvcc::Released;
///
/// let released = Released { key: "key".into(), start_ts: 5, commit_ts: 0, was_pessimistic: true };
/// assert_eq!(released.commit_ts, 0);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// The key that had it.
    pub key: Bytes,
    /// The transaction that had it.
    pub start_ts: u64,
    /// When that was committed; 0 if it was not.
    pub commit_ts: u64,
    /// Whether the transaction is a pessimistic one.
    pub was_pessimistic: bool,
}

/// The rows of a command that has its keys for itself, and what it changes of them. What it has changed does not show to it.
///
/// Only commands of this module can do anything with it.
///
/// ```
/// use charioteer_engine::mvcc::{Command, Latched, Latches};
/// use charioteer_engine::Error;
///
/// /// Does nothing, with a key for itself.
/// struct Nothing;
///
/// impl Command for Nothing {
///     type Reply = ();
///
///     fn latches(&self) -> Latches {
///         Latches::Keys(vec!["key".into()])
///     }
///
///     fn apply(self, _: &mut Latched<'_>) -> Result<(), Error> {
///         Ok(())
///     }
/// }
/// # let _ = Nothing;
/// ```
pub struct Latched<'a> {
    rows: &'a mut dyn Rows,
    families: &'a Families,
    timestamps: &'a Arc<Timestamps>,
    batch: Batch,
    released: Vec<Released>,
    published: SmallVec<[Published; 1]>,
    /// Whether what is changed shows as soon as the command is done, so that others can wait for that.
    is_at_once: bool,
    held: Option<Held<'a>>,
}

/// What a command leaves behind.
pub(super) struct Changed {
    pub(super) batch: Batch,
    pub(super) released: Vec<Released>,
    /// To be given back once the batch shows.
    pub(super) published: SmallVec<[Published; 1]>,
}

impl<'a> Latched<'a> {
    pub(super) fn new(rows: &'a mut dyn Rows, families: &'a Families, timestamps: &'a Arc<Timestamps>) -> Self {
        let (batch, released, published) = (Batch::new(), Vec::new(), SmallVec::new());
        Self { rows, families, timestamps, batch, released, published, is_at_once: false, held: None }
    }

    /// For a command whose changes show as soon as it is done.
    pub(super) fn at_once(mut self) -> Self {
        self.is_at_once = true;
        self
    }

    pub(super) fn into_changed(self) -> Changed {
        Changed { batch: self.batch, released: self.released, published: self.published }
    }

    /// What keeps those waiting who look for locks, until what is changed shows.
    pub(super) const fn take_held(&mut self) -> Option<Held<'a>> {
        self.held.take()
    }

    pub(super) const fn timestamps(&self) -> &'a Arc<Timestamps> {
        self.timestamps
    }

    pub(super) fn read(&mut self) -> Reader<'_> {
        Reader::new(self.rows, self.families)
    }

    pub(super) fn lock(&mut self, key: &EncodedKey) -> Result<Option<Lock>, Error> {
        self.read().lock(key)
    }

    /// The lock of a key, if that transaction has it.
    pub(super) fn own_lock(&mut self, key: &EncodedKey, start_ts: u64) -> Result<Option<Lock>, Error> {
        Ok(self.lock(key)?.filter(|lock| lock.start_ts == start_ts))
    }

    pub(super) fn newest(&mut self, key: &EncodedKey, ts: u64) -> Result<Option<Version>, Error> {
        self.read().newest(key, ts)
    }

    pub(super) fn fate(&mut self, key: &EncodedKey, start_ts: u64) -> Result<Fate, Error> {
        self.read().fate(key, start_ts)
    }

    /// Refuses a transaction that started when what became of the key, and of itself there, may be gone.
    pub(super) fn check_past(&self, key: &EncodedKey, start_ts: u64) -> Result<(), KeyError> {
        self.timestamps.collected.missed(key, start_ts).map_or(Ok(()), Err)
    }

    /// Has locks say a timestamp that is calculated from the highest that was read at, unless there is none; nobody reads behind it from
    /// then on until what is changed shows.
    pub(super) fn publish<P>(
        &mut self,
        plan: &mut P,
        calculate: impl FnOnce(&mut P, u64) -> Option<u64>,
        locks: impl FnOnce(&P) -> Vec<(EncodedKey, Lock)>,
    ) -> Option<u64> {
        if self.is_at_once {
            let (held, calculated) = self.timestamps.hold(|max_read_ts| calculate(plan, max_read_ts))?;
            self.held = Some(held);
            return Some(calculated);
        }
        let calculate = |max_read_ts| {
            let calculated = calculate(plan, max_read_ts)?;
            Some((locks(plan), calculated))
        };
        let (published, calculated) = self.timestamps.publish(calculate)?;
        self.published.push(published);
        Some(calculated)
    }

    pub(super) fn put_lock(&mut self, key: &EncodedKey, lock: &Lock) {
        self.batch.put_owned(&self.families.locks, key.bytes().clone(), lock.encode());
    }

    /// Removes a lock, whose transaction was committed at `commit_ts`, or was not, with 0.
    pub(super) fn release(&mut self, key: &EncodedKey, lock: &Lock, commit_ts: u64) -> Result<(), Error> {
        self.batch.delete(&self.families.locks, key.bytes().clone());
        let (start_ts, was_pessimistic) = (lock.start_ts, lock.for_update_ts != 0);
        self.released.push(Released { key: key.decode()?, start_ts, commit_ts, was_pessimistic });
        Ok(())
    }

    pub(super) fn put_write(&mut self, key: &EncodedKey, commit_ts: u64, write: &Write) {
        self.batch.put_owned(&self.families.writes, key.at(commit_ts), write.encode());
    }

    pub(super) fn delete_write(&mut self, key: &EncodedKey, commit_ts: u64) {
        self.batch.delete(&self.families.writes, key.at(commit_ts));
    }

    /// Puts a value by, unless it is short: then it is to be put into the lock or the version.
    pub(super) fn keep_value(&mut self, key: &EncodedKey, start_ts: u64, value: Bytes) -> Option<Bytes> {
        if value.len() <= SHORT_VALUE_BYTES {
            return Some(value);
        }
        let value = Bytes::copy_from_slice(&value);
        self.batch.put_owned(&self.families.values, key.at(start_ts), value);
        None
    }

    pub(super) fn delete_value(&mut self, key: &EncodedKey, start_ts: u64) {
        self.batch.delete(&self.families.values, key.at(start_ts));
    }

    /// Removes a row by its stored key.
    pub(super) fn delete_row(&mut self, family: FamilyOf, key: Bytes) {
        self.batch.delete(self.families.keyspace(family), key);
    }

    /// Makes a version of a lock.
    pub(super) fn commit_lock(&mut self, key: &EncodedKey, lock: &Lock, commit_ts: u64) -> Result<(), Error> {
        self.put_version_of(key, lock, commit_ts);
        self.release(key, lock, commit_ts)
    }

    /// Writes the version that a lock was about to.
    pub(super) fn put_version_of(&mut self, key: &EncodedKey, lock: &Lock, commit_ts: u64) {
        let kind = match lock.kind {
            LockKind::Put => WriteKind::Put,
            LockKind::Delete => WriteKind::Delete,
            LockKind::Lock => WriteKind::Lock,
            // Its transaction has not come to write this key.
            LockKind::Pessimistic => return,
        };
        let write = Write {
            short_value: lock.short_value.clone(),
            // A transaction that started at this timestamp was rolled back while the lock was there.
            has_overlapped_rollback: lock.rollback_ts.contains(&commit_ts),
            ..Write::new(kind, lock.start_ts)
        };
        self.put_write(key, commit_ts, &write);
    }

    /// Removes a lock and what it was about to write, and sees to it that the transaction cannot lock the key again. The
    /// rollback stays if the key tells of the whole transaction. An earlier one of others goes, if `collapse`.
    pub(super) fn roll_back_lock(&mut self, key: &EncodedKey, lock: &Lock, collapse: bool) -> Result<(), Error> {
        let start_ts = lock.start_ts;
        let Fate::Unknown { overlapped } = self.fate(key, start_ts)? else {
            // A forced lock that came late: what it is about has happened.
            return self.release(key, lock, 0);
        };
        if lock.kind == LockKind::Put && lock.short_value.is_none() {
            self.delete_value(key, start_ts);
        }
        let is_protected = key.decode()? == lock.primary || lock.generation > 0;
        self.put_rollback(key, start_ts, overlapped, is_protected);
        if collapse {
            self.collapse_rollback(key, start_ts)?;
        }
        self.release(key, lock, 0)
    }

    /// What became of a transaction that has no lock there. If nothing shows, writes that it was rolled back; `other` is the
    /// lock that somebody else has.
    pub(super) fn roll_back_missing(
        &mut self,
        key: &EncodedKey,
        start_ts: u64,
        other: Option<Lock>,
        is_protected: bool,
    ) -> Result<Fate, Error> {
        let fate = self.fate(key, start_ts)?;
        let Fate::Unknown { overlapped } = &fate else { return Ok(fate) };
        if !is_protected {
            self.collapse_rollback(key, start_ts)?;
        }
        if let (Some(lock), None) = (other, overlapped) {
            self.note_rollback(key, lock, start_ts);
        }
        self.put_rollback(key, start_ts, overlapped.clone(), is_protected);
        Ok(fate)
    }

    /// A lock with a commit timestamp that is calculated may come to be committed exactly where the rollback of another
    /// transaction lies, and must not hide it then.
    fn note_rollback(&mut self, key: &EncodedKey, mut lock: Lock, start_ts: u64) {
        if lock.use_async_commit && lock.min_commit_ts <= start_ts {
            lock.rollback_ts.push(start_ts);
            self.put_lock(key, &lock);
        }
    }

    /// Writes that a transaction was rolled back, where nothing of it shows.
    fn put_rollback(&mut self, key: &EncodedKey, start_ts: u64, overlapped: Option<Write>, is_protected: bool) {
        match overlapped {
            Some(write) => self.put_write(key, start_ts, &Write { has_overlapped_rollback: true, ..write }),
            None => {
                let write = Write { is_protected, ..Write::new(WriteKind::Rollback, start_ts) };
                self.put_write(key, start_ts, &write);
            }
        }
    }

    /// Removes the rollback before that one, unless it is to stay: nobody needs it once there is a later one.
    fn collapse_rollback(&mut self, key: &EncodedKey, start_ts: u64) -> Result<(), Error> {
        if let Some(before) = start_ts.checked_sub(1)
            && let Some(version) = self.newest(key, before)?
            && version.write.kind == WriteKind::Rollback
            && !version.write.is_protected
        {
            self.delete_write(key, version.commit_ts);
        }
        Ok(())
    }
}

/// Why a command cannot go on.
pub(super) enum Refusal {
    /// The store has failed.
    Store(Error),
    /// It is an answer.
    Key(KeyError),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<KeyError> for Refusal {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<Abort> for Refusal {
    fn from(abort: Abort) -> Self {
        Self::Key(abort.into())
    }
}

impl Latched<'_> {
    /// What a command answers; one that is refused changes nothing.
    pub(super) fn answer<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Refusal>,
    ) -> Result<Result<T, KeyError>, Error> {
        match work(self) {
            Ok(reply) => Ok(Ok(reply)),
            Err(Refusal::Key(error)) => {
                self.discard();
                Ok(Err(error))
            }
            Err(Refusal::Store(error)) => Err(error),
        }
    }

    /// Forgets all that was to be changed.
    pub(super) fn discard(&mut self) {
        (self.batch, self.released, self.published) = (Batch::new(), Vec::new(), SmallVec::new());
        self.held = None;
    }
}

/// That a commit lies behind the start of its transaction.
pub(super) fn check_order(start_ts: u64, commit_ts: u64) -> Result<(), KeyError> {
    if commit_ts > start_ts { Ok(()) } else { Err(Abort::InvalidTimestamps { start_ts, commit_ts }.into()) }
}
