//! Where the data is: the one trait that the protocols know.
//!
//! A backend runs operations whose rules are [`charioteer_engine::table`]'s; it brings rows to them and takes writes from them.
//! [`Embedded`] does that over the embedded store. [`Raw`] is the same for the rules of [`charioteer_engine::raw`], and
//! [`Mvcc`] for those of [`charioteer_engine::mvcc`]. The protocols never learn which one they speak to.

mod embedded;
mod mvcc;
mod raw;
mod readers;
mod rows;
mod soon;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use charioteer_engine::table::{
    CatalogueError, CreateTable, Done, Operation, Scan, ScanBatch, TableInfo, TableSettings, Walk,
};

pub(crate) use embedded::aside;
pub use embedded::{Embedded, EmbeddedTable};
pub(crate) use mvcc::collect_garbage;
pub use mvcc::{EmbeddedMvcc, Mvcc};
pub use raw::{EmbeddedRaw, Raw};
pub(crate) use readers::Readers;
pub use rows::{EmbeddedRows, Rows};
pub use soon::Soon;

/// Tables, and where they come from.
pub trait Backend: Send + Sync + 'static {
    /// A handle on one table.
    type Table: Table;

    /// The table of that id, if it is in use.
    fn table(&self, id: i32) -> Option<Self::Table>;

    /// What is known of the table of that name, if it is in use.
    fn find(&self, name: &str) -> Option<TableInfo>;

    /// What is known of all tables, dropped ones that are still kept included, by id.
    fn list(&self) -> Vec<TableInfo>;

    /// Makes a table, or finds one made the same way where that is allowed.
    fn create(&self, table: CreateTable) -> impl Future<Output = Result<TableInfo, Error>> + Send;

    /// Drops a table; `reserve_seconds` is how long it can be recalled (`None` for the default time).
    fn drop_table(
        &self,
        name: &str,
        success_if_missing: bool,
        reserve_seconds: Option<i64>,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Brings a dropped table back, under `new_name` or (where that is empty) its old one.
    fn recall(&self, id: i32, new_name: &str) -> impl Future<Output = Result<TableInfo, Error>> + Send;

    /// Renames a table.
    fn rename(&self, old_name: &str, new_name: &str) -> impl Future<Output = Result<(), Error>> + Send;

    /// Changes a table's environment.
    fn change_envs(&self, name: &str, change: EnvChange) -> impl Future<Output = Result<(), Error>> + Send;

    /// Gives back what time has freed, such as scans that nobody goes on with. Called about once a minute.
    fn tidy(&self) -> impl Future<Output = Result<(), Error>> + Send;
}

/// A change of a table's environment.
///
/// ```
/// use charioteer_server::backend::EnvChange;
///
/// let change = EnvChange::Set(vec![("default_ttl".to_owned(), "86400".to_owned())]);
/// assert_ne!(change, EnvChange::Clear(String::new()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvChange {
    /// Sets these keys to these values.
    Set(Vec<(String, String)>),
    /// Deletes these keys.
    Remove(Vec<String>),
    /// Deletes the keys that begin with this prefix; all of them where it is empty.
    Clear(String),
}

/// One table.
pub trait Table: Clone + Send + Sync + 'static {
    /// What it is, as of now.
    fn settings(&self) -> Arc<TableSettings>;

    /// Runs an operation on rows of one partition, atomically.
    fn run<O: Operation>(
        &self,
        partition: u32,
        operation: O,
    ) -> impl Future<Output = Result<Done<O::Reply>, Error>> + Send;

    /// Walks over rows of one partition, as they were at one moment.
    fn walk<W: Walk + 'static>(&self, partition: u32, walk: W) -> impl Future<Output = Result<W::Reply, Error>> + Send
    where
        W::Reply: 'static;

    /// Opens a scan and reads its first batch.
    fn open_scan(&self, partition: u32, scan: Scan) -> impl Future<Output = Result<ScanBatch, Error>> + Send;

    /// Reads the next batch; `None` where the context is unknown, used up, or has expired.
    fn next_batch(
        &self,
        partition: u32,
        context_id: i64,
    ) -> impl Future<Output = Result<Option<ScanBatch>, Error>> + Send;

    /// Forgets a scan.
    fn close_scan(&self, context_id: i64);
}

/// Why a backend did not do what it was asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A rule of the catalogue of tables was broken.
    Catalogue(CatalogueError),
    /// The store failed.
    Store(charioteer_engine::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Catalogue(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<charioteer_engine::Error> for Error {
    fn from(error: charioteer_engine::Error) -> Self {
        Self::Store(error)
    }
}
