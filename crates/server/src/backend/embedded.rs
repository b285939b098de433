//! The embedded store as a backend.

use std::sync::Arc;

use charioteer_engine::table::{
    self, AdminError, CreateTable, Done, Operation, Scan, ScanBatch, TableInfo, TableSettings, Tables, Walk,
};
use charioteer_engine::{Clock, Db};

use super::{Backend, EnvChange, Error, Table};

/// Tables in the embedded store.
///
/// What is in memory is read and written at once, on the thread that asks.
///
/// ```
/// use charioteer_engine::{Clock, Db};
/// use charioteer_server::backend::{Backend, Embedded};
///
/// let backend = Embedded::open(Db::memory(), Clock::system())?;
/// assert!(backend.find("temp").is_none());
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Clone)]
pub struct Embedded {
    tables: Arc<Tables>,
}

impl Embedded {
    /// Opens the tables of a store.
    ///
    /// # Errors
    /// When the store fails.
    pub fn open(db: Db, clock: Clock) -> Result<Self, charioteer_engine::Error> {
        Ok(Self { tables: Arc::new(Tables::open(db, clock)?) })
    }
}

impl Backend for Embedded {
    type Table = Arc<table::Table>;

    fn table(&self, id: i32) -> Option<Self::Table> {
        self.tables.table(id)
    }

    fn find(&self, name: &str) -> Option<TableInfo> {
        self.tables.table_by_name(name).map(|table| table.settings().info.clone())
    }

    fn list(&self) -> Vec<TableInfo> {
        self.tables.infos()
    }

    async fn create(&self, table: CreateTable) -> Result<TableInfo, Error> {
        Ok(self.tables.create(table)?)
    }

    async fn drop_table(&self, name: &str, success_if_missing: bool, reserve: Option<i64>) -> Result<(), Error> {
        self.tables.drop_table(name, success_if_missing, reserve.map(reserve_time))?;
        Ok(())
    }

    async fn recall(&self, id: i32, new_name: &str) -> Result<TableInfo, Error> {
        Ok(self.tables.recall(id, new_name)?)
    }

    async fn rename(&self, old_name: &str, new_name: &str) -> Result<(), Error> {
        self.tables.rename(old_name, new_name)?;
        Ok(())
    }

    async fn change_envs(&self, name: &str, change: EnvChange) -> Result<(), Error> {
        match change {
            EnvChange::Set(envs) => self.tables.set_envs(name, &envs)?,
            EnvChange::Remove(names) => self.tables.remove_envs(name, &names)?,
            EnvChange::Clear(prefix) => self.tables.clear_envs(name, &prefix)?,
        };
        Ok(())
    }
}

impl Table for Arc<table::Table> {
    fn settings(&self) -> Arc<TableSettings> {
        table::Table::settings(self)
    }

    async fn run<O: Operation + 'static>(&self, partition: u32, operation: O) -> Result<Done<O::Reply>, Error>
    where
        O::Reply: 'static,
    {
        Ok(table::Table::run(self, partition, operation)?)
    }

    async fn walk<W: Walk + 'static>(&self, partition: u32, walk: W) -> Result<W::Reply, Error>
    where
        W::Reply: 'static,
    {
        Ok(table::Table::walk(self, partition, walk)?)
    }

    async fn open_scan(&self, partition: u32, scan: Scan) -> Result<ScanBatch, Error> {
        Ok(table::Table::open_scan(self, partition, scan)?)
    }

    async fn next_batch(&self, partition: u32, context_id: i64) -> Result<Option<ScanBatch>, Error> {
        Ok(self.next_scan(partition, context_id)?)
    }

    fn close_scan(&self, context_id: i64) {
        table::Table::close_scan(self, context_id);
    }
}

impl From<AdminError> for Error {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Rule(error) => Self::Catalogue(error),
            AdminError::Store(error) => Self::Store(error),
        }
    }
}

/// How long a dropped table is kept; anything that is not positive means the default time, as in the original.
fn reserve_time(seconds: i64) -> std::time::Duration {
    std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
