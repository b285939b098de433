//! Transactions, after Percolator: every key has its versions, and locks while it is written.
//!
//! A transaction reads at the timestamp at which it began, and keeps what it writes to itself until it is committed. Then its keys are
//! locked with their new values in them ([`prewrite`](commit)), PD is asked for another timestamp, and one key, the primary, is committed
//! at it: with that all of it has happened. The locks on the other keys are turned into versions in the background. Whoever meets a lock
//! meanwhile asks its primary what has become of the transaction, and does the rest, or undoes it ([`resolve`]). That a client may
//! vanish at any moment is why locks have a time to live.
//!
//! - `client` is the handle, `options` what its calls are told, `core` what all that is under way shares;
//! - `call` is one command to one region, `keyed` many of them on keys that are grouped by region, `patience` how long calls wait;
//! - `buffer` is what a transaction has written, `merge` a scan over it and over what there was before;
//! - `snapshot` reads at a timestamp, and `scan` does so page by page;
//! - `transaction` is what programs hold, and `pessimistic` locks keys for it before they are written, while `heartbeat` keeps those locks
//!   from running out;
//! - `commit` is the end of a transaction: which way it goes (`plan`), the two phases, or one;
//! - `locks` reads what stores say of locks, `status` what has become of the transactions of those, and `resolve` does away with them;
//! - `pipelined` is a transaction that is written bit by bit;
//! - `error` is what stores say is wrong with keys;
//! - `gc` forgets the past, and `run` has a program's function try again.

mod buffer;
mod call;
mod client;
mod commit;
mod core;
mod error;
mod gc;
mod heartbeat;
mod keyed;
mod locks;
mod merge;
mod options;
mod patience;
mod pessimistic;
mod pipelined;
mod plan;
mod resolve;
mod rollback;
mod run;
mod scan;
mod snapshot;
mod status;
mod transaction;

pub use buffer::Savepoint;
pub use client::TxnClient;
pub use error::{ConflictReason, Deadlock, TxnError, WaitsFor, WriteConflict};
pub use gc::{GcBarrier, GcOptions, GcState};
pub use locks::{Lock, LockKind};
pub use options::{Assertions, Isolation, LockOptions, LockWait, Locking, Priority, SnapshotOptions, TxnOptions};
pub use pipelined::{PipelinedOptions, PipelinedTransaction};
pub use scan::TxnScanner;
pub use snapshot::Snapshot;
pub use transaction::Transaction;
