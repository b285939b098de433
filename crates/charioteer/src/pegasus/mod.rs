//! Apache Pegasus.
//!
//! [`Client::connect`] takes the meta servers' addresses, [`Client::open_table`] gives a [`Table`], and its methods are Pegasus' calls
//! under the names they have in the original clients. [`Client::admin`] makes, drops and lists tables.
//!
//! A cluster keeps each row in a partition, by its hash key, and each partition on several servers, one of which is its primary. The
//! client asks the meta servers where the primaries are, sends each call straight to the one it concerns, and asks again when a
//! primary has moved, a server is gone, or a table was dropped and made anew.
//!
//! - `options` says how a client finds its cluster, `client` and `table` are the handles;
//! - one file for each family of calls: `single`, `multi`, `range`, `counter`, `check`, `batch`, `scan`, `admin`;
//! - `routes` knows where partitions are, `meta` asks the meta servers, `cluster` holds connections, `wire` reads frames, `failure` says
//!   what the servers' errors mean.

mod admin;
mod batch;
mod check;
mod client;
mod cluster;
mod compression;
mod counter;
mod failure;
mod filter;
mod meta;
mod multi;
mod options;
mod range;
mod routes;
mod scan;
mod single;
mod stats;
mod table;
mod time;
mod wire;

pub use admin::{Admin, CreateTableOptions, NodeInfo, PartitionInfo, TableInfo, TableStatus};
pub use check::{Check, CheckOptions, CheckResult, CompareExchangeResult, Mutation};
pub use client::Client;
pub use counter::{CounterTtl, IncrOptions};
pub use filter::Filter;
pub use multi::{Entries, Entry, MultiGetOptions};
pub use options::Options;
pub use range::{DelRangeError, DelRangeOptions, Pager};
pub use scan::{ResumeToken, Row, ScanOptions, Scanner};
pub use single::SetOptions;
pub use table::Table;
pub use time::Ttl;

/// The database's name in spans and metrics, by OpenTelemetry's conventions.
const SYSTEM: &str = "pegasus";
