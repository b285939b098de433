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
//! | `KvPessimisticLock`, `KvPessimisticRollback` | [`PessimisticLock`], [`PessimisticRollback`], [`PessimisticRollbackRange`] |
//! | `KvBatchRollback`, `KvCleanup` | [`BatchRollback`], [`Cleanup`] |
//! | `KvCheckTxnStatus`, `KvCheckSecondaryLocks`, `KvTxnHeartBeat` | [`CheckTxnStatus`], [`CheckSecondaryLocks`], [`TxnHeartBeat`] |
//! | `KvScanLock`, `KvResolveLock` | [`ScanLock`], [`ResolveLock`], [`ResolveLockLite`] |
//! | `KvFlush`, `KvBufferBatchGet` | [`Prewrite`] with a [`generation`](Prewrite::generation), [`BufferBatchGet`] |
//! | `KvGC` | [`FindGarbage`], [`Garbage`] |
//! | `KvDeleteRange`, `UnsafeDestroyRange` | [`DeleteRange`] |
//! | `MvccGetByKey`, `MvccGetByStartTs` | [`MvccByKey`], [`MvccByStartTs`] |

mod buffer;
mod check_secondary_locks;
mod check_txn_status;
mod collected;
mod command;
mod commit;
mod delete_range;
mod encoding;
mod error;
mod gc;
mod get;
mod heartbeat;
mod inspect;
mod key;
mod latches;
mod lock;
mod mutation;
mod pessimistic_lock;
mod pessimistic_rollback;
mod prewrite;
mod prewrite_checks;
mod range;
mod reading;
mod resolve;
mod rollback;
mod rows;
mod scan;
mod scan_lock;
mod store;
mod timestamps;
mod write;

pub use buffer::BufferBatchGet;
pub use check_secondary_locks::{CheckSecondaryLocks, SecondaryLocks};
pub use check_txn_status::{CheckTxnStatus, TxnStatus};
pub use command::{Command, Done, Latched, Latches, Released};
pub use commit::Commit;
pub use delete_range::DeleteRange;
pub use error::{
    Abort, AssertionFailed, CommitTsExpired, ConflictReason, Deadlock, KeyError, LockInfo, PessimisticLockLost,
    WaitForEntry, WriteConflict,
};
pub use gc::{FindGarbage, Garbage, GarbageFound};
pub use get::{BatchGet, Get, Pair, Value};
pub use heartbeat::TxnHeartBeat;
pub use inspect::{MvccByKey, MvccByStartTs, MvccInfo};
pub use lock::{Lock, LockKind};
pub use mutation::{Assertion, AssertionLevel, Change, Mutation, PessimisticAction};
pub use pessimistic_lock::{KeyLocked, KeyToLock, PessimisticLock};
pub use pessimistic_rollback::{PessimisticRollback, PessimisticRollbackRange};
pub use prewrite::{Prewrite, Prewritten};
pub use range::KeyRange;
pub use reading::{Admission, Isolation, Read, ReadAt, ReadRows, Reading};
pub use resolve::{ResolveLock, ResolveLockLite};
pub use rollback::{BatchRollback, Cleanup};
pub use scan::{Scan, Scanned};
pub use scan_lock::ScanLock;
pub use store::MvccStore;
pub use write::{Write, WriteKind};

/// The longest form of a key that is written, in bytes: nine for each eight of the key.
pub const MAX_KEY_BYTES: usize = 8 << 10;

/// A value of at most so many bytes lies in the lock, and then in the version.
pub const SHORT_VALUE_BYTES: usize = 255;
