//! What a command may answer in place of what was asked for. None of it is a failure of the store.

use std::fmt;

use bytes::Bytes;

use super::{Assertion, LockKind};

/// What others are told of a lock.
///
/// ```
/// use charioteer_engine::mvcc::{Lock, LockKind};
///
/// let info = Lock::new(LockKind::Put, "primary".into(), 7, 3_000).info("key".into());
/// assert_eq!((info.key, info.start_ts), ("key".into(), 7));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockInfo {
    /// The locked key.
    pub key: Bytes,
    /// What is to be done with it.
    pub kind: LockKind,
    /// The key whose fate is the transaction's.
    pub primary: Bytes,
    /// Which transaction it is.
    pub start_ts: u64,
    /// How long it may be taken for alive, in milliseconds; 0 says that nobody need wait for it.
    pub ttl_ms: u64,
    /// How many keys the transaction has, as far as it tells.
    pub txn_size: u64,
    /// Of a pessimistic transaction, the timestamp up to which others' versions do not matter.
    pub for_update_ts: u64,
    /// Whether the transaction is committed once all its locks are there.
    pub use_async_commit: bool,
    /// The transaction commits at this timestamp or later; 0 says nothing.
    pub min_commit_ts: u64,
    /// Of the primary of such a transaction, its other keys.
    pub secondaries: Vec<Bytes>,
    /// How long ago the lock was last touched, for those who know; 0 otherwise, as here.
    pub duration_to_last_update_ms: u64,
}

/// Why two transactions are in each other's way.
///
/// ```
/// use charioteer_engine::mvcc::ConflictReason;
///
/// assert_ne!(ConflictReason::Optimistic, ConflictReason::SelfRolledBack);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictReason {
    /// Somebody has committed since the transaction started.
    Optimistic,
    /// Somebody has committed since the timestamp the lock was asked for.
    PessimisticRetry,
    /// The transaction itself was rolled back.
    SelfRolledBack,
    /// A reader that wants to know met something newer than it may read.
    RcCheckTs,
    /// Somebody has written a key that is to be new and was not locked.
    LazyUniquenessCheck,
    /// Somebody has written a key of a pessimistic transaction that was not locked.
    NotLockedKeyConflict,
}

/// That two transactions are in each other's way.
///
/// ```
/// use charioteer_engine::mvcc::{ConflictReason, KeyError, WriteConflict};
///
/// let conflict = WriteConflict {
///     start_ts: 5,
///     conflict_start_ts: 6,
///     conflict_commit_ts: 7,
///     key: "key".into(),
///     primary: "key".into(),
///     reason: ConflictReason::Optimistic,
/// };
/// assert!(KeyError::from(conflict).to_string().contains("conflict"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteConflict {
    /// The transaction that was refused.
    pub start_ts: u64,
    /// The other one.
    pub conflict_start_ts: u64,
    /// When that one was committed; 0 if it was not.
    pub conflict_commit_ts: u64,
    /// Where they met.
    pub key: Bytes,
    /// The primary of the one that was refused.
    pub primary: Bytes,
    /// How.
    pub reason: ConflictReason,
}

/// That a transaction must not be committed at a timestamp, since a reader was told that it would be later.
///
/// ```
/// use charioteer_engine::mvcc::{CommitTsExpired, KeyError};
///
/// let expired = CommitTsExpired { start_ts: 5, commit_ts: 7, key: "key".into(), min_commit_ts: 9 };
/// assert_eq!(KeyError::CommitTsExpired(expired.clone()), KeyError::CommitTsExpired(expired));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitTsExpired {
    /// The transaction.
    pub start_ts: u64,
    /// When it was to be committed.
    pub commit_ts: u64,
    /// One of its keys.
    pub key: Bytes,
    /// When it may be, at the earliest.
    pub min_commit_ts: u64,
}

/// That a key is, or is not, there against what the client takes for granted.
///
/// ```
/// use charioteer_engine::mvcc::{Assertion, AssertionFailed};
///
/// let failed = AssertionFailed {
///     start_ts: 5,
///     key: "key".into(),
///     assertion: Assertion::Exist,
///     existing_start_ts: 0,
///     existing_commit_ts: 0,
/// };
/// assert_eq!(failed.assertion, Assertion::Exist);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssertionFailed {
    /// The transaction.
    pub start_ts: u64,
    /// The key.
    pub key: Bytes,
    /// What was taken for granted.
    pub assertion: Assertion,
    /// The transaction of the version that is there; 0 if there is none.
    pub existing_start_ts: u64,
    /// When it was committed.
    pub existing_commit_ts: u64,
}

/// One that waits, and whom it waits for.
///
/// ```
/// use charioteer_engine::mvcc::WaitForEntry;
///
/// let entry = WaitForEntry { start_ts: 5, wait_for_ts: 6, key_hash: 1, key: "key".into(), ..WaitForEntry::default() };
/// assert_eq!(entry.wait_time_ms, 0);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaitForEntry {
    /// The transaction that waits.
    pub start_ts: u64,
    /// The one it waits for.
    pub wait_for_ts: u64,
    /// The hash of the key.
    pub key_hash: u64,
    /// The key it waits for.
    pub key: Bytes,
    /// What the waiting request was tagged with.
    pub resource_group_tag: Bytes,
    /// Since how many milliseconds it waits.
    pub wait_time_ms: u64,
}

/// That transactions wait for each other in a circle. Nothing here waits: it is whoever has requests wait that finds it.
///
/// ```
/// use charioteer_engine::mvcc::{Deadlock, KeyError};
///
/// let deadlock = Deadlock { lock_ts: 6, lock_key: "key".into(), ..Deadlock::default() };
/// assert!(KeyError::from(deadlock).to_string().contains("deadlock"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deadlock {
    /// The transaction whose lock was met.
    pub lock_ts: u64,
    /// Where it was met.
    pub lock_key: Bytes,
    /// The hash of the key that closes the circle.
    pub deadlock_key_hash: u64,
    /// That key.
    pub deadlock_key: Bytes,
    /// Who waits for whom.
    pub wait_chain: Vec<WaitForEntry>,
}

/// Why a transaction cannot go on at all.
///
/// ```
/// use charioteer_engine::mvcc::{Abort, KeyError};
///
/// let error = KeyError::from(Abort::InvalidTimestamps { start_ts: 7, commit_ts: 5 });
/// assert!(error.to_string().contains("commit"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Abort {
    /// It was committed, and was to be rolled back.
    Committed {
        /// The transaction.
        start_ts: u64,
        /// When it was committed.
        commit_ts: u64,
        /// Where.
        key: Bytes,
    },
    /// The timestamps are in the wrong order.
    InvalidTimestamps {
        /// When the transaction started.
        start_ts: u64,
        /// When it was to be committed.
        commit_ts: u64,
    },
    /// The key has a lock of the transaction that is of another kind than it can be.
    LockTypeNotMatch {
        /// The transaction.
        start_ts: u64,
        /// The key.
        key: Bytes,
        /// Whether it is one of a transaction that is still running.
        is_pessimistic: bool,
    },
    /// The pessimistic lock that a key must have is gone, and something may have happened to the key since.
    PessimisticLockNotFound {
        /// The transaction.
        start_ts: u64,
        /// The key.
        key: Bytes,
        /// How it was found out.
        reason: PessimisticLockLost,
    },
    /// The transaction was rolled back when it asked for a lock.
    PessimisticLockRolledBack {
        /// The transaction.
        start_ts: u64,
        /// The key.
        key: Bytes,
    },
    /// A lock of keys that are there was asked for without their values.
    LockIfExistsWithoutValues {
        /// The transaction.
        start_ts: u64,
        /// The first key.
        key: Bytes,
    },
    /// A forced lock was asked for together with others.
    ForceLockOfSeveral,
    /// A pessimistic transaction cannot check that a key is not there without writing it.
    CheckNotExistsInPessimistic {
        /// The transaction.
        start_ts: u64,
        /// The key.
        key: Bytes,
    },
    /// What is not to be, for which the request is told why.
    Other(String),
}

/// How it was found out that a pessimistic lock is gone.
///
/// ```
/// use charioteer_engine::mvcc::PessimisticLockLost;
///
/// assert_ne!(PessimisticLockLost::LockedByAnother, PessimisticLockLost::VersionBehind);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PessimisticLockLost {
    /// Another transaction has locked the key.
    LockedByAnother,
    /// There is no lock, and a version behind the start of the transaction.
    VersionBehind,
    /// The lock is there, but was taken again at another timestamp.
    OtherForUpdateTs,
    /// A key that was not locked has a version behind the timestamp for which the transaction locks.
    NotLockedKeyConflict,
}

/// What a command may answer in place of what was asked for.
///
/// ```
/// use charioteer_engine::mvcc::KeyError;
///
/// let error = KeyError::AlreadyExists { key: "key".into() };
/// assert!(error.to_string().contains("key"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyError {
    /// Another transaction has locked the key.
    Locked(Box<LockInfo>),
    /// Two transactions are in each other's way.
    WriteConflict(Box<WriteConflict>),
    /// The key is there, and was to be new.
    AlreadyExists {
        /// The key.
        key: Bytes,
    },
    /// Transactions wait for each other.
    Deadlock(Box<Deadlock>),
    /// A reader was told that the transaction would be committed later.
    CommitTsExpired(CommitTsExpired),
    /// The transaction cannot be committed as early as it must be.
    CommitTsTooLarge {
        /// When it could be.
        commit_ts: u64,
    },
    /// Nothing is known of the transaction.
    TxnNotFound {
        /// The transaction.
        start_ts: u64,
        /// Where it was looked for.
        primary: Bytes,
    },
    /// The transaction has no lock where it should have one.
    TxnLockNotFound {
        /// The transaction.
        start_ts: u64,
        /// When it was to be committed.
        commit_ts: u64,
        /// The key.
        key: Bytes,
    },
    /// Garbage was collected up to a later timestamp: what was there may be gone.
    TooOld {
        /// What is read at, or when the transaction started.
        ts: u64,
        /// Up to when it was collected.
        safe_point: u64,
    },
    /// The key is, or is not, there against what the client takes for granted.
    AssertionFailed(Box<AssertionFailed>),
    /// The lock's primary is another key than the one that was asked.
    PrimaryMismatch(Box<LockInfo>),
    /// The transaction cannot go on.
    Abort(Abort),
}

impl From<WriteConflict> for KeyError {
    fn from(conflict: WriteConflict) -> Self {
        Self::WriteConflict(Box::new(conflict))
    }
}

impl From<LockInfo> for KeyError {
    fn from(lock: LockInfo) -> Self {
        Self::Locked(Box::new(lock))
    }
}

impl From<Deadlock> for KeyError {
    fn from(deadlock: Deadlock) -> Self {
        Self::Deadlock(Box::new(deadlock))
    }
}

impl From<Abort> for KeyError {
    fn from(abort: Abort) -> Self {
        Self::Abort(abort)
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked(lock) => {
                write!(
                    f,
                    "{:?} is locked by the transaction {}, whose primary is {:?}",
                    lock.key, lock.start_ts, lock.primary
                )
            }
            Self::WriteConflict(conflict) => write!(
                f,
                "the transaction {} has a conflict ({:?}) at {:?} with the transaction {}, committed at {}",
                conflict.start_ts,
                conflict.reason,
                conflict.key,
                conflict.conflict_start_ts,
                conflict.conflict_commit_ts
            ),
            Self::AlreadyExists { key } => write!(f, "{key:?} exists already"),
            Self::Deadlock(deadlock) => {
                write!(f, "a deadlock: {:?} is locked by the transaction {}", deadlock.lock_key, deadlock.lock_ts)
            }
            Self::CommitTsExpired(expired) => write!(
                f,
                "the transaction {} cannot be committed at {}, at {} at the earliest",
                expired.start_ts, expired.commit_ts, expired.min_commit_ts
            ),
            Self::CommitTsTooLarge { commit_ts } => write!(f, "it would be committed too late, at {commit_ts}"),
            Self::TxnNotFound { start_ts, primary } => {
                write!(f, "nothing is known of the transaction {start_ts} at its primary {primary:?}")
            }
            Self::TxnLockNotFound { start_ts, commit_ts, key } => {
                write!(f, "the transaction {start_ts}, to be committed at {commit_ts}, has no lock of {key:?}")
            }
            Self::TooOld { ts, safe_point } => {
                write!(f, "what was there at {ts} may be gone: garbage was collected up to {safe_point}")
            }
            Self::AssertionFailed(failed) => {
                write!(
                    f,
                    "the transaction {} takes for granted: {:?} {:?}",
                    failed.start_ts, failed.key, failed.assertion
                )
            }
            Self::PrimaryMismatch(lock) => {
                write!(
                    f,
                    "the lock of the transaction {} at {:?} has the primary {:?}",
                    lock.start_ts, lock.key, lock.primary
                )
            }
            Self::Abort(abort) => abort.fmt(f),
        }
    }
}

impl fmt::Display for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Committed { start_ts, commit_ts, key } => {
                write!(f, "the transaction {start_ts} is committed at {commit_ts}, as {key:?} shows")
            }
            Self::InvalidTimestamps { start_ts, commit_ts } => {
                write!(f, "a transaction that started at {start_ts} cannot commit at {commit_ts}")
            }
            Self::LockTypeNotMatch { start_ts, key, is_pessimistic } => write!(
                f,
                "the lock of {key:?} by the transaction {start_ts} is {} pessimistic, against what was asked for",
                if *is_pessimistic { "a" } else { "not" }
            ),
            Self::PessimisticLockNotFound { start_ts, key, reason } => {
                write!(f, "pessimistic lock not found: of {key:?} by the transaction {start_ts} ({reason:?})")
            }
            Self::PessimisticLockRolledBack { start_ts, key } => {
                write!(f, "pessimistic lock rolled back: of {key:?} by the transaction {start_ts}")
            }
            Self::LockIfExistsWithoutValues { start_ts, key } => write!(
                f,
                "the transaction {start_ts} is to lock {key:?} only if it is there, and does not ask for its value"
            ),
            Self::ForceLockOfSeveral => write!(f, "a forced lock is one of a single key"),
            Self::CheckNotExistsInPessimistic { start_ts, key } => {
                write!(
                    f,
                    "the pessimistic transaction {start_ts} cannot check that {key:?} is not there without writing it"
                )
            }
            Self::Other(why) => write!(f, "{why}"),
        }
    }
}

impl std::error::Error for KeyError {}
