//! What stores say is wrong with keys, and what that means to a transaction.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::key::Layout;
use charioteer_proto::tikv::kvrpcpb::{self, KeyError, LockInfo, write_conflict};
use charioteer_proto::tikv::timestamp::Timestamp;

use super::locks::{Lock, user_key};
use crate::error::{Error, ErrorKind, Failure};
use crate::tikv::failure;
use crate::told::told;

/// Why a transaction could not do what it was to do, with all that is known of it. It is the [`source`](std::error::Error::source) of an
/// [`Error`], and [`of`](Self::of) finds it there.
///
/// ```
/// use charioteer::tikv::{TxnClient, TxnError};
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), charioteer::Error> {
/// let server = TestServer::start().await;
/// let client = TxnClient::connect(&server.tikv_url()).await?;
/// let (mut one, mut other) = (client.begin().await?, client.begin().await?);
/// one.put("city", "Paris").await?;
/// other.put("city", "Rome").await?;
/// one.commit().await?;
///
/// let error = other.commit().await.unwrap_err();
/// let Some(TxnError::WriteConflict(conflict)) = TxnError::of(&error) else { panic!("{error}") };
/// assert_eq!(conflict.key, "city");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TxnError {
    /// Another transaction has written a key since this one began.
    WriteConflict(WriteConflict),
    /// Transactions wait for each other in a circle, and this one was chosen to give up.
    Deadlock(Deadlock),
    /// A key that was to be inserted is there.
    AlreadyExists {
        /// The key.
        key: Bytes,
    },
    /// A key was locked by another transaction for longer than the lock was to be waited for.
    LockWaitTimeout(Lock),
    /// A key is locked by another transaction, and was not to be waited for, or for no longer.
    Locked(Lock),
    /// The transaction was rolled back by others, or a lock of it was lost, because the time of its locks was over.
    RolledBack {
        /// What the store said.
        message: String,
    },
    /// The transaction, or the snapshot, is older than what is kept of the past.
    TooOld {
        /// When it began.
        at: Timestamp,
        /// The past before this is not kept.
        safe_point: Timestamp,
    },
    /// The transaction would have been committed later than it may be.
    CommitTooLate {
        /// When it would have been.
        commit_ts: Timestamp,
    },
    /// A key is there, or is not, against what the store was told of it.
    AssertionFailed {
        /// The key.
        key: Bytes,
        /// Whether it is there.
        exists: bool,
    },
    /// Nobody has said whether the transaction was committed.
    Undetermined,
}

/// What another transaction has written in between.
///
/// See [`TxnError`] for an example.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteConflict {
    /// The key.
    pub key: Bytes,
    /// When this transaction began.
    pub start_ts: Timestamp,
    /// When the other one began.
    pub conflict_start_ts: Timestamp,
    /// When the other one was committed; 0 if it was not yet.
    pub conflict_commit_ts: Timestamp,
    /// The primary key of this transaction, if the store has told.
    pub primary: Bytes,
    /// What was found to be wrong.
    pub reason: ConflictReason,
}

/// What was found to be wrong in a [`WriteConflict`].
///
/// ```
/// use charioteer::tikv::ConflictReason;
///
/// assert_ne!(ConflictReason::Optimistic, ConflictReason::SelfRolledBack);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConflictReason {
    /// The store has not told.
    Unknown,
    /// An optimistic transaction was too late.
    Optimistic,
    /// A pessimistic lock was to be put on what is older than what there is.
    PessimisticRetry,
    /// This transaction was rolled back by another one.
    SelfRolledBack,
    /// A read that is not to see the past would have.
    ReadCommitted,
    /// A key that was not to be there has come in between.
    LazyUniqueness,
    /// A key was written that was not locked before.
    NotLocked,
}

/// Transactions that wait for each other.
///
/// ```
/// use charioteer::tikv::Deadlock;
///
/// fn told(deadlock: &Deadlock) -> String {
///     let waits = |waits: &charioteer::tikv::WaitsFor| format!("{:?} for {:?}", waits.start_ts, waits.waits_for);
///     deadlock.cycle.iter().map(waits).collect::<Vec<_>>().join(", ")
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deadlock {
    /// The transaction that holds the lock.
    pub lock_ts: Timestamp,
    /// The key that is locked.
    pub key: Bytes,
    /// The key by which the other one waits for this one, if the store has told.
    pub deadlock_key: Bytes,
    /// The same in 64 bits.
    pub deadlock_key_hash: u64,
    /// Who waits for whom; the last closes the circle.
    pub cycle: Vec<WaitsFor>,
}

/// A transaction that waits for another one.
///
/// See [`Deadlock`] for an example.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitsFor {
    /// The transaction that waits.
    pub start_ts: Timestamp,
    /// The one that it waits for.
    pub waits_for: Timestamp,
    /// The key.
    pub key: Bytes,
    /// How long it has waited, if the store has told.
    pub waited: Duration,
}

impl TxnError {
    /// What an error says of a transaction, if it says anything.
    #[must_use]
    pub fn of(error: &Error) -> Option<&Self> {
        std::error::Error::source(error)?.downcast_ref()
    }

    /// Whether the same transaction may well succeed when it is made again from its beginning.
    #[must_use]
    pub fn is_restartable(&self) -> bool {
        match self {
            Self::WriteConflict(_)
            | Self::Deadlock(_)
            | Self::LockWaitTimeout(_)
            | Self::Locked(_)
            | Self::RolledBack { .. }
            | Self::TooOld { .. }
            | Self::CommitTooLate { .. } => true,
            Self::AlreadyExists { .. } | Self::AssertionFailed { .. } | Self::Undetermined => false,
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::AlreadyExists { .. } => ErrorKind::AlreadyExists,
            Self::AssertionFailed { .. } => ErrorKind::Corrupt,
            Self::Undetermined => ErrorKind::Unavailable,
            _ => ErrorKind::Conflict,
        }
    }

    /// As why an attempt failed.
    pub(super) fn failure(self) -> Failure {
        let failure = Failure::new(self.kind(), self.to_string());
        let failure = if self == Self::Undetermined { failure.unknown() } else { failure };
        failure.because(self)
    }
}

impl fmt::Display for TxnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WriteConflict(conflict) => write!(
                f,
                "the key {} was written by the transaction of {} since this one began at {}",
                shown(&conflict.key),
                u64::from(conflict.conflict_start_ts),
                u64::from(conflict.start_ts)
            ),
            Self::Deadlock(deadlock) => {
                write!(f, "a deadlock with the transaction of {}, which holds ", u64::from(deadlock.lock_ts))?;
                write!(f, "the key {}; {} transactions wait", shown(&deadlock.key), deadlock.cycle.len())
            }
            Self::AlreadyExists { key } => write!(f, "the key {} exists already", shown(key)),
            Self::LockWaitTimeout(lock) => write!(f, "waited too long for {}", held(lock)),
            Self::Locked(lock) => f.write_str(&held(lock)),
            Self::RolledBack { message } => write!(f, "the transaction was rolled back by others: {message}"),
            Self::TooOld { at, safe_point } => {
                write!(f, "{} is before {}, from when on the past is kept", u64::from(*at), u64::from(*safe_point))
            }
            Self::CommitTooLate { commit_ts } => {
                write!(f, "the transaction may not be committed as late as {}", u64::from(*commit_ts))
            }
            Self::AssertionFailed { key, exists } => {
                write!(
                    f,
                    "the key {} is {}there, against what was asserted",
                    shown(key),
                    if *exists { "" } else { "not " }
                )
            }
            Self::Undetermined => f.write_str("nobody has said whether the transaction was committed"),
        }
    }
}

impl std::error::Error for TxnError {}

fn held(lock: &Lock) -> String {
    format!("the key {} is locked by the transaction of {}", shown(&lock.key), u64::from(lock.start_ts))
}

/// A key in an error: escaped, and shortened.
fn shown(key: &[u8]) -> String {
    const SHOWN: usize = 40;
    let more = if key.len() > SHOWN { "…" } else { "" };
    format!("\"{}{more}\"", key[..key.len().min(SHOWN)].escape_ascii())
}

/// What a store says of a key.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Another transaction has locked it.
    Locked(Box<LockInfo>),
    /// A read has come in between, and the transaction can be committed later than that only.
    CommitTsExpired,
    /// A primary was asked for of which nothing is known.
    TxnNotFound,
    /// A key was taken for a primary that is not.
    PrimaryMismatch,
    /// A transaction was to be committed whose lock is gone.
    LockNotFound,
    /// Something that ends what was to be done.
    Failed(Failure),
}

impl Trouble {
    /// The same for whoever can do nothing about it.
    pub(super) fn failure(self, layout: Layout) -> Failure {
        match self {
            Self::Locked(lock) => TxnError::Locked(Lock::told(&lock, layout)).failure(),
            Self::CommitTsExpired => failure::odd("the store takes the commit for too early"),
            Self::TxnNotFound => failure::odd("the store does not know the transaction"),
            Self::PrimaryMismatch => failure::odd("the store says that a key is not the primary of its transaction"),
            Self::LockNotFound => rolled_back("the lock is gone").failure(),
            Self::Failed(failure) => failure,
        }
    }
}

/// Reads an error of a key.
pub(super) fn read(error: KeyError, layout: Layout) -> Trouble {
    let failed = |error: TxnError| Trouble::Failed(error.failure());
    if let Some(lock) = error.locked {
        Trouble::Locked(lock)
    } else if error.commit_ts_expired.is_some() {
        Trouble::CommitTsExpired
    } else if error.txn_not_found.is_some() {
        Trouble::TxnNotFound
    } else if error.primary_mismatch.is_some() {
        Trouble::PrimaryMismatch
    } else if error.txn_lock_not_found.is_some() {
        Trouble::LockNotFound
    } else if let Some(conflict) = error.conflict {
        failed(TxnError::WriteConflict(WriteConflict::told(*conflict, layout)))
    } else if let Some(exists) = error.already_exist {
        failed(TxnError::AlreadyExists { key: user_key(layout, &exists.key) })
    } else if let Some(deadlock) = error.deadlock {
        failed(TxnError::Deadlock(Deadlock::told(*deadlock, layout)))
    } else if let Some(late) = error.commit_ts_too_large {
        failed(TxnError::CommitTooLate { commit_ts: late.commit_ts.into() })
    } else if let Some(assertion) = error.assertion_failed {
        let exists = assertion.assertion() == kvrpcpb::Assertion::NotExist;
        failed(TxnError::AssertionFailed { key: user_key(layout, &assertion.key), exists })
    } else {
        Trouble::Failed(words(&error))
    }
}

/// Parts of what stores say of a transaction that others have undone, or whose locks are over: names out of TiKV's code.
const UNDONE: [&str; 5] =
    ["PessimisticLockNotFound", "PessimisticLockRolledBack", "TxnLockNotFound", "LockTypeNotMatch", "SharedLockLost"];

/// An error that is told in words.
fn words(error: &KeyError) -> Failure {
    let words = [&error.abort, &error.retryable].into_iter().find(|words| !words.is_empty());
    let words = words.map_or("an error of a key", String::as_str);
    if error.shared_lock_lost.is_some() || UNDONE.iter().any(|part| words.contains(part)) {
        return rolled_back(words).failure();
    }
    too_old(words).map_or_else(|| failure::refusal(words), TxnError::failure)
}

/// What a store says that has forgotten the past before its safe point: both timestamps stand in its words.
fn too_old(words: &str) -> Option<TxnError> {
    let (_, rest) = words.split_once("GC life time is shorter than transaction duration, transaction starts at ")?;
    let (at, safe_point) = rest.split_once(", GC safe point is ")?;
    let timestamp = |digits: &str| digits.parse::<u64>().ok().map(Timestamp::from);
    Some(TxnError::TooOld { at: timestamp(at)?, safe_point: timestamp(safe_point)? })
}

/// A transaction that others have undone.
pub(super) fn rolled_back(words: &str) -> TxnError {
    TxnError::RolledBack { message: told(words) }
}

impl WriteConflict {
    fn told(told: kvrpcpb::WriteConflict, layout: Layout) -> Self {
        Self {
            key: user_key(layout, &told.key),
            start_ts: told.start_ts.into(),
            conflict_start_ts: told.conflict_ts.into(),
            conflict_commit_ts: told.conflict_commit_ts.into(),
            primary: user_key(layout, &told.primary),
            reason: reason(told.reason()),
        }
    }

    /// A key that another transaction, which began later, has locked: it would be one by the time the lock is gone.
    pub(super) fn with_later(lock: &LockInfo, start_ts: u64, layout: Layout) -> Self {
        Self {
            key: user_key(layout, &lock.key),
            start_ts: start_ts.into(),
            conflict_start_ts: lock.lock_version.into(),
            conflict_commit_ts: Timestamp::default(),
            primary: Bytes::new(),
            reason: ConflictReason::Optimistic,
        }
    }
}

fn reason(told: write_conflict::Reason) -> ConflictReason {
    match told {
        write_conflict::Reason::Unknown => ConflictReason::Unknown,
        write_conflict::Reason::Optimistic => ConflictReason::Optimistic,
        write_conflict::Reason::PessimisticRetry => ConflictReason::PessimisticRetry,
        write_conflict::Reason::SelfRolledBack => ConflictReason::SelfRolledBack,
        write_conflict::Reason::RcCheckTs => ConflictReason::ReadCommitted,
        write_conflict::Reason::LazyUniquenessCheck => ConflictReason::LazyUniqueness,
        write_conflict::Reason::NotLockedKeyConflict => ConflictReason::NotLocked,
    }
}

impl Deadlock {
    fn told(told: kvrpcpb::Deadlock, layout: Layout) -> Self {
        Self {
            lock_ts: told.lock_ts.into(),
            key: user_key(layout, &told.lock_key),
            deadlock_key: user_key(layout, &told.deadlock_key),
            deadlock_key_hash: told.deadlock_key_hash,
            cycle: told
                .wait_chain
                .iter()
                .map(|entry| WaitsFor {
                    start_ts: entry.txn.into(),
                    waits_for: entry.wait_for_txn.into(),
                    key: user_key(layout, &entry.key),
                    waited: Duration::from_millis(entry.wait_time),
                })
                .collect(),
        }
    }
}

/// Turns an error of which nobody knows what it means for the transaction into one that says so.
pub(super) fn undetermined(error: Error) -> Error {
    error.with(|failure| {
        let message = format!("{}; {}", TxnError::Undetermined, failure.message);
        Failure { message: message.into(), retry: None, ..failure }.unknown().because(TxnError::Undetermined)
    })
}

#[cfg(test)]
mod tests {
    use charioteer_proto::tikv::key::{KeyspaceId, Mode};

    use super::*;
    use crate::error::Outcome;

    const V1: Layout = Layout::V1(Mode::Txn);

    fn failure(error: KeyError) -> Error {
        read(error, V1).failure(V1).into()
    }

    #[test]
    fn a_conflict_tells_its_key_as_the_caller_knows_it() {
        let layout = Layout::V2(Mode::Txn, KeyspaceId::DEFAULT);
        let told = kvrpcpb::WriteConflict {
            start_ts: 1,
            conflict_ts: 2,
            conflict_commit_ts: 3,
            key: layout.wire_key(b"k"),
            reason: write_conflict::Reason::Optimistic.into(),
            ..kvrpcpb::WriteConflict::default()
        };
        let error = KeyError { conflict: Some(told.into()), ..KeyError::default() };
        let error = Error::from(read(error, layout).failure(layout));
        let Some(TxnError::WriteConflict(conflict)) = TxnError::of(&error) else { panic!("{error}") };
        assert_eq!((&conflict.key[..], conflict.reason), (&b"k"[..], ConflictReason::Optimistic));
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Conflict, Outcome::NotApplied));
    }

    #[test]
    fn words_of_a_lock_that_is_gone_say_that_the_transaction_was_rolled_back() {
        for words in ["Txn(Mvcc(PessimisticLockNotFound { .. }))", "Txn(Mvcc(TxnLockNotFound{..}))"] {
            let error = failure(KeyError { abort: words.to_owned(), ..KeyError::default() });
            assert!(matches!(TxnError::of(&error), Some(TxnError::RolledBack { .. })), "{error}");
        }
        let error = failure(KeyError { abort: "something of another year".to_owned(), ..KeyError::default() });
        assert_eq!((error.kind(), TxnError::of(&error)), (ErrorKind::Internal, None));
    }

    #[test]
    fn words_of_a_past_that_is_forgotten_tell_both_timestamps() {
        let words = "GC life time is shorter than transaction duration, transaction starts at 5, GC safe point is 7";
        let error = failure(KeyError { abort: words.to_owned(), ..KeyError::default() });
        assert_eq!(TxnError::of(&error), Some(&TxnError::TooOld { at: 5.into(), safe_point: 7.into() }));
        let error = failure(KeyError { abort: words.replace('7', "yesterday"), ..KeyError::default() });
        assert_eq!(TxnError::of(&error), None, "{error}");
    }

    #[test]
    fn what_is_not_determined_says_so_and_is_not_tried_again() {
        let cause = Failure::new(ErrorKind::Timeout, "there was no answer").retry(&failure::REGION_MISS);
        let error = undetermined(Error::from(cause));
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::Unknown));
        assert_eq!(TxnError::of(&error), Some(&TxnError::Undetermined));
        assert!(!error.is_retryable());
    }

    #[test]
    fn a_deadlock_tells_who_waits_for_whom() {
        let entry = |txn, wait_for_txn| charioteer_proto::tikv::deadlock::WaitForEntry {
            txn,
            wait_for_txn,
            key: "k".into(),
            ..Default::default()
        };
        let told = kvrpcpb::Deadlock { lock_ts: 7, wait_chain: vec![entry(1, 7), entry(7, 1)], ..Default::default() };
        let error = failure(KeyError { deadlock: Some(told.into()), ..KeyError::default() });
        let Some(TxnError::Deadlock(deadlock)) = TxnError::of(&error) else { panic!("{error}") };
        let waits: Vec<_> =
            deadlock.cycle.iter().map(|entry| (u64::from(entry.start_ts), u64::from(entry.waits_for))).collect();
        assert_eq!(waits, [(1, 7), (7, 1)]);
    }

    #[test]
    fn keys_in_errors_are_escaped_and_shortened() {
        assert_eq!(shown(b"a\n\xff"), "\"a\\n\\xff\"");
        assert_eq!(shown(&[b'k'; 100]).chars().count(), 43);
    }
}
