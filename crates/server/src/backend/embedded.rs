//! The embedded store as a backend.

use std::sync::Arc;

use charioteer_engine::table::{
    self, AdminError, CreateTable, Done, Operation, Scan, ScanBatch, TableInfo, TableSettings, Tables, Walk,
};
use charioteer_engine::{Clock, Db};

use super::{Backend, EnvChange, Error, Table};

/// Tables in the embedded store.
///
/// What is in memory is read and written at once, on the thread that asks, as long as that takes no longer than a moment. What may
/// have to wait for a disk, operations on many rows, and changes of the tables run on threads of their own, walks in steps: nobody
/// waits for another's work.
///
/// ```
/// use charioteer_engine::{Clock, Db};
/// use charioteer_server::backend::{Backend, Embedded};
///
/// let backend = Embedded::open(Db::memory(), Clock::system())?;
/// assert!(backend.find("temp").is_none());
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Embedded {
    tables: Arc<Tables>,
    db: Db,
}

impl Embedded {
    /// Opens the tables of a store.
    ///
    /// # Errors
    /// When the store fails.
    pub fn open(db: Db, clock: Clock) -> Result<Self, charioteer_engine::Error> {
        Ok(Self { tables: Arc::new(Tables::open(db.clone(), clock)?), db })
    }

    /// The store.
    #[must_use]
    pub const fn db(&self) -> &Db {
        &self.db
    }

    /// Has everything that was acknowledged on the disk.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sync(&self) -> Result<(), Error> {
        let db = self.db.clone();
        Ok(aside(move || db.sync()).await?)
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
        self.change(|tables| tables.create(table)).await
    }

    async fn drop_table(&self, name: &str, success_if_missing: bool, reserve: Option<i64>) -> Result<(), Error> {
        let name = name.to_owned();
        self.change(move |tables| tables.drop_table(&name, success_if_missing, reserve.map(reserve_time))).await?;
        Ok(())
    }

    async fn recall(&self, id: i32, new_name: &str) -> Result<TableInfo, Error> {
        let new_name = new_name.to_owned();
        self.change(move |tables| tables.recall(id, &new_name)).await
    }

    async fn rename(&self, old_name: &str, new_name: &str) -> Result<(), Error> {
        let (old_name, new_name) = (old_name.to_owned(), new_name.to_owned());
        self.change(move |tables| tables.rename(&old_name, &new_name)).await?;
        Ok(())
    }

    async fn change_envs(&self, name: &str, change: EnvChange) -> Result<(), Error> {
        let name = name.to_owned();
        let change = move |tables: &Tables| match change {
            EnvChange::Set(envs) => tables.set_envs(&name, &envs),
            EnvChange::Remove(names) => tables.remove_envs(&name, &names),
            EnvChange::Clear(prefix) => tables.clear_envs(&name, &prefix),
        };
        self.change(change).await?;
        Ok(())
    }

    async fn tidy(&self) -> Result<(), Error> {
        self.change(|tables| Ok(tables.tidy()?)).await
    }
}

impl Embedded {
    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Tables) -> Result<T, AdminError> + Send + 'static,
    ) -> Result<T, Error> {
        let tables = Arc::clone(&self.tables);
        Ok(aside(move || change(&tables)).await?)
    }
}

/// Runs what may take a while where it holds nobody up.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going down, and with it whoever waits.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Operations on more rows than this run aside. So many take a fraction of a millisecond.
const MANY_ROWS: usize = 1000;

impl Table for Arc<table::Table> {
    fn settings(&self) -> Arc<TableSettings> {
        table::Table::settings(self)
    }

    async fn run<O: Operation>(&self, partition: u32, operation: O) -> Result<Done<O::Reply>, Error> {
        if operation.row_count() > MANY_ROWS || (operation.lock().is_none() && self.reads_may_block()) {
            let table = Self::clone(self);
            return Ok(aside(move || table.run(partition, operation)).await?);
        }
        Ok(self.submit(partition, operation).await?)
    }

    async fn walk<W: Walk + 'static>(&self, partition: u32, walk: W) -> Result<W::Reply, Error>
    where
        W::Reply: 'static,
    {
        if self.reads_may_block() {
            let table = Self::clone(self);
            return Ok(aside(move || table::Table::walk(&table, partition, walk)).await?);
        }
        let mut walking = self.begin_walk(partition, walk)?;
        loop {
            match walking.step()? {
                Some(reply) => return Ok(reply),
                None => tokio::task::yield_now().await,
            }
        }
    }

    async fn open_scan(&self, partition: u32, scan: Scan) -> Result<ScanBatch, Error> {
        if self.reads_may_block() {
            let table = Self::clone(self);
            return Ok(aside(move || table::Table::open_scan(&table, partition, scan)).await?);
        }
        Ok(table::Table::open_scan(self, partition, scan)?)
    }

    async fn next_batch(&self, partition: u32, context_id: i64) -> Result<Option<ScanBatch>, Error> {
        if self.reads_may_block() {
            let table = Self::clone(self);
            return Ok(aside(move || table.next_scan(partition, context_id)).await?);
        }
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
