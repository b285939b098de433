//! Transactions as TiKV has them: Percolator's rules over versions of keys, and the store that runs them.
//!
//! A transaction reads at its start timestamp, locks the keys it is about to write ([`Prewrite`]), and is committed, at its
//! commit timestamp, the moment the lock of its primary key is made a version ([`Commit`]). What the other locks mean is found
//! out by asking the primary ([`CheckTxnStatus`]) and told to them ([`ResolveLock`]). Keys are users' keys: what the rows lie
//! under is nobody else's business.
//!
//! Rules are pure. A [`Command`] is shown the rows of keys that it has for itself, and says what to answer and what to change,
//! which is applied as one batch. A [`Read`] is shown the rows of one instant, a bit at a time. Nothing waits: a lock that is
//! in the way is an answer ([`KeyError::Locked`]), and time comes with the commands. [`MvccStore`] runs both over a
//! [`Db`](crate::Db).
//!
//! | command | here |
//! |---|---|
//! | `KvGet`, `KvBatchGet`, `KvScan` | [`Get`], [`BatchGet`], [`Scan`] |
//! | `KvPrewrite`, `KvCommit` | [`Prewrite`], [`Commit`] |
//! | `KvBatchRollback`, `KvCleanup` | [`BatchRollback`], [`Cleanup`] |
//! | `KvCheckTxnStatus`, `KvTxnHeartBeat` | [`CheckTxnStatus`], [`TxnHeartBeat`] |
//! | `KvResolveLock` | [`ResolveLock`], [`ResolveLockLite`] |

mod check_txn_status;
mod command;
mod commit;
mod encoding;
mod error;
mod get;
mod heartbeat;
mod key;
mod latches;
mod lock;
mod mutation;
mod prewrite;
mod prewrite_checks;
mod range;
mod reading;
mod resolve;
mod rollback;
mod rows;
mod scan;
mod store;
mod timestamps;
mod write;

pub use check_txn_status::{CheckTxnStatus, TxnStatus};
pub use command::{Command, Done, Latched, Latches, Released};
pub use commit::Commit;
pub use error::{
    Abort, AssertionFailed, CommitTsExpired, ConflictReason, Deadlock, KeyError, LockInfo, PessimisticLockLost,
    WaitForEntry, WriteConflict,
};
pub use get::{BatchGet, Get, Pair, Value};
pub use heartbeat::TxnHeartBeat;
pub use lock::{Lock, LockKind};
pub use mutation::{Assertion, AssertionLevel, Change, Mutation, PessimisticAction};
pub use prewrite::{Prewrite, Prewritten};
pub use range::KeyRange;
pub use reading::{Admission, Isolation, Read, ReadAt, ReadRows, Reading};
pub use resolve::{ResolveLock, ResolveLockLite};
pub use rollback::{BatchRollback, Cleanup};
pub use scan::{Scan, Scanned};
pub use store::MvccStore;
pub use write::{Write, WriteKind};

/// The longest form of a key that is written, in bytes: nine for each eight of the key.
pub const MAX_KEY_BYTES: usize = 8 << 10;

/// A value of at most so many bytes lies in the lock, and then in the version.
pub const SHORT_VALUE_BYTES: usize = 255;
