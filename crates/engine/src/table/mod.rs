//! The rules of Apache Pegasus' tables, and the driver that runs them over a [`Db`](crate::Db).
//!
//! A table is cut into partitions; a row has a hash key, which picks the partition, and a sort key,
//! which orders the rows of one hash key. Rows may expire. The rules are pure: an [`Operation`]
//! says which rows it must know and, given them and the time, what to answer and what to write; a
//! [`Walk`] is shown rows in order. Neither reads, locks or waits, so the same text serves every
//! place where rows can lie. [`Tables`] is the driver over the embedded store.
//!
//! | operations on known rows | walks | around them |
//! |---|---|---|
//! | [`Get`], [`Ttl`], [`Put`], [`Remove`] | [`MultiGetRange`] | [`Catalogue`]: which tables there are |
//! | [`MultiPut`], [`MultiRemove`], [`MultiGet`], [`BatchGet`] | [`SortKeyCount`] | [`TableEnvs`]: their settings |
//! | [`Increment`], [`CheckAndSet`], [`CheckAndMutate`] | [`ScanPage`] | [`Throttler`]: their limits |

mod batch_get;
mod catalogue;
mod check;
mod check_and_mutate;
mod check_and_set;
mod counter;
mod driver;
mod envs;
mod filter;
mod integer;
mod key;
mod locks;
mod multi;
mod multi_get;
mod operation;
mod point;
mod range_get;
mod record;
mod row;
mod scan;
mod scans;
mod sort_key_count;
mod stored;
mod sweep;
mod table_info;
mod tables;
mod throttle;
mod walking;

pub use batch_get::{BatchGet, BatchGetReply};
pub use catalogue::{Catalogue, CatalogueError, DEFAULT_HOLD};
pub use check::{CheckReply, Checked};
pub use check_and_mutate::{CheckAndMutate, Mutation};
pub use check_and_set::{CheckAndSet, CheckAndSetRequest};
pub use counter::{Increment, IncrementReply};
pub use driver::{Done, ScanBatch, Table, TableSettings};
pub use envs::{Deny, DenyKind, DenyScope, TableEnvs, validate_env};
pub use filter::{Filter, FilterKind};
pub use key::{crc64, next_after, next_after_hash_key, partition_hash, raw_key, split};
pub use multi::{MultiPut, MultiRemove, MultiRemoveReply};
pub use multi_get::{MultiGet, MultiGetReply};
pub use operation::{Ended, Operation, Status, Walk, WalkRange, Writes};
pub use point::{Get, Put, Remove, TimeToLive, Ttl};
pub use range_get::{MultiGetRange, RangeRequest};
pub use row::{Context, PEGASUS_EPOCH, Row, RowView};
pub use scan::{Owner, Scan, ScanPage, ScanPageReply, ScanRow};
pub use scans::{SCAN_IDLE_LIMIT, ScanContexts};
pub use sort_key_count::SortKeyCount;
pub use table_info::{CreateTable, MAX_PARTITION_COUNT, MAX_REPLICA_COUNT, TableInfo, TableStatus};
pub use tables::{AdminError, Tables, has_expired};
pub use throttle::{Admission, Throttle, Throttler};
pub use walking::Walking;
