//! Raw keys and values, as TiKV has them: the rules of every raw command, and the store that runs them.
//!
//! A key is bytes, whatever they are: those of API V2 come with their prefix, and mean nothing special here, but that they
//! are [kept apart](Keys). Each [`Family`] has keys of its own. A value may have an expiry, to the second; once that has come the row is invisible to
//! all, and compaction or [`RawStore::sweep`] removes it.
//!
//! Rules are pure. An [`Operation`] names the keys it must know and says what follows from their rows; a [`Walk`] is shown
//! the rows of ranges in order, or of keys. [`RawStore`] runs both over a [`Db`](crate::Db). All that is written is in one order, so
//! that [`CompareAndSwap`] is linearizable with every other write and not just with those that ask for it.
//!
//! | command | here |
//! |---|---|
//! | `RawGet`, `RawBatchGet`, `RawGetKeyTTL` | [`Get`], [`BatchGet`] (a walk over keys), [`Ttl`] |
//! | `RawPut`, `RawBatchPut` | [`Put`], [`BatchPut`] |
//! | `RawDelete`, `RawBatchDelete`, `RawDeleteRange` | [`Delete`], [`BatchDelete`], [`DeleteRange`] |
//! | `RawCompareAndSwap` | [`CompareAndSwap`] |
//! | `RawScan`, `RawBatchScan`, `RawChecksum` | [`Scan`], [`BatchScan`], [`Checksum`] |

mod batch_get;
mod batch_scan;
mod checksum;
mod compare_and_swap;
mod delete_range;
mod family;
mod found;
mod operation;
mod read;
mod row;
mod scan;
mod store;
mod stored;
mod sweep;
mod walking;
mod write;

pub use batch_get::BatchGet;
pub use batch_scan::{BatchScan, InvalidRange, ScanRange};
pub use checksum::{Checksum, ChecksumReply};
pub use compare_and_swap::{CompareAndSwap, Swap};
pub use delete_range::DeleteRange;
pub use family::{Family, Keys};
pub use found::{PAIR_BYTES, Pairs, Scanned};
pub use operation::{Operation, Walk, WalkRange, Writes};
pub use read::{Get, Pair, TimeToLive, Ttl};
pub use row::{Row, RowView};
pub use scan::Scan;
pub use store::{RawStore, has_expired};
pub use walking::Walking;
pub use write::{BatchDelete, BatchPut, Delete, Put};

/// The longest key that is written, in bytes; the empty one is a key like any other.
pub const MAX_KEY_BYTES: usize = 8 << 10;
