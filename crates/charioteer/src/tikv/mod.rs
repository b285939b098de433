//! TiKV.
//!
//! [`RawClient::connect`] takes PD's addresses, and its methods are the calls on raw keys under the names that they have in client-go and
//! the other original clients. [`TxnClient::connect`] does the same for transactions. The keys of the two are not the same: a cluster of
//! API version 1 is used for one of them.
//!
//! A cluster keeps its keys in order, in regions that split and merge as they grow and shrink. Each region has peers on several stores,
//! one of which leads and is asked. PD knows where all of them are. The client asks it once, sends each call straight to the store that
//! it concerns, and learns from the stores' errors when something has changed.
//!
//! - `options` says how a client finds its cluster, `cluster` is what its handles share;
//! - `raw` and `txn` are what a program calls, and `send` one request to one region of it, by `failure` which says what errors mean;
//! - `pd` is what the cluster's PD is asked for, `locate` what is known of regions, and learnt from their errors;
//! - `rpc` is a store: commands of many callers travel in the messages of one stream;
//! - `grpc` is the way to a server and back: calls over HTTP/2, without services.

mod cluster;
mod failure;
mod grpc;
mod locate;
mod options;
mod pages;
mod pd;
mod range;
mod raw;
mod regions;
mod rpc;
mod send;
mod txn;

pub use charioteer_proto::tikv::timestamp::Timestamp;
pub use options::{ApiVersion, Mode, Options, ReadFrom};
pub use raw::{Checksum, CoprocessorReply, PutOptions, RawClient, Row, ScanOptions, Scanner, Swap, Ttl};
pub use regions::{RegionInfo, StoreInfo};
pub use txn::{
    Assertions, ConflictReason, Deadlock, GcBarrier, GcOptions, GcState, Isolation, Lock, LockKind, LockOptions,
    LockWait, Locking, PipelinedOptions, PipelinedTransaction, Priority, Savepoint, Snapshot, SnapshotOptions,
    Transaction, TxnClient, TxnError, TxnOptions, TxnScanner, WaitsFor, WriteConflict,
};

/// The database's name in spans and metrics, by OpenTelemetry's conventions.
const SYSTEM: &str = "tikv";
