//! The embedded store as a backend.

use std::sync::Arc;

use charioteer_engine::table::{
    self, AdminError, CreateTable, Done, Operation, Scan, ScanBatch, TableInfo, TableSettings, Tables, Walk, Walking,
};
use charioteer_engine::{Clock, Db, raw::Keys};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::mvcc::EmbeddedMvcc;
use super::raw::EmbeddedRaw;
use super::readers::Readers;
use super::rows::EmbeddedRows;
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
    clock: Clock,
    /// `None` in memory, where no read waits.
    readers: Option<Arc<Readers>>,
    /// `None` until somebody has asked for TiKV's rows: their keyspaces are made then.
    rows: Arc<Mutex<Option<EmbeddedRows>>>,
}

/// One table in the embedded store.
#[derive(Clone, Debug)]
pub struct EmbeddedTable {
    table: Arc<table::Table>,
    readers: Option<Arc<Readers>>,
}

impl Embedded {
    /// Opens the tables of a store.
    ///
    /// # Errors
    /// When the store fails.
    pub fn open(db: Db, clock: Clock) -> Result<Self, charioteer_engine::Error> {
        let readers = if db.is_on_disk() { Some(Arc::new(start_readers()?)) } else { None };
        let tables = Arc::new(Tables::open(db.clone(), clock.clone())?);
        Ok(Self { tables, db, clock, readers, rows: Arc::default() })
    }

    /// TiKV's rows, opened when they are asked for the first time.
    ///
    /// # Errors
    /// When the store fails.
    pub fn rows(&self) -> Result<EmbeddedRows, charioteer_engine::Error> {
        let mut opened = self.rows.lock();
        if let Some(rows) = &*opened {
            return Ok(rows.clone());
        }
        let raw = EmbeddedRaw::open(self.db.clone(), self.clock.clone(), self.readers.clone())?;
        let mvcc = |keys| EmbeddedMvcc::open(keys, self.db.clone(), self.readers.clone());
        let (plain, prefixed) = (mvcc(Keys::Plain)?, mvcc(Keys::Prefixed)?);
        Ok(opened.insert(EmbeddedRows { raw, plain, prefixed }).clone())
    }

    /// The store.
    #[must_use]
    pub const fn db(&self) -> &Db {
        &self.db
    }

    /// The threads that wait for the disk; `None` in memory, where no read waits.
    pub(crate) const fn readers(&self) -> Option<&Arc<Readers>> {
        self.readers.as_ref()
    }

    /// How many scans wait to be gone on with, of all tables.
    pub(crate) fn open_scans(&self) -> usize {
        self.in_use().map(|table| table.open_scans()).sum()
    }

    /// Forgets the scans of such partitions of such tables.
    pub(crate) fn forget_scans(&self, of: impl Fn(&TableInfo, u32) -> bool) {
        for table in self.in_use() {
            let settings = table.settings();
            table.forget_scans(|partition| of(&settings.info, partition));
        }
    }

    fn in_use(&self) -> impl Iterator<Item = Arc<table::Table>> {
        self.tables.infos().into_iter().filter_map(|table| self.tables.table(table.id))
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
    type Table = EmbeddedTable;

    fn table(&self, id: i32) -> Option<Self::Table> {
        Some(EmbeddedTable { table: self.tables.table(id)?, readers: self.readers.clone() })
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
        self.change(|tables| Ok(tables.tidy()?)).await?;
        let rows = self.rows.lock().clone();
        match rows {
            Some(rows) => rows.raw.tidy().await,
            None => Ok(()),
        }
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
    finished(tokio::task::spawn_blocking(work)).await
}

/// Waits for what was begun elsewhere.
pub(super) async fn finished<T>(begun: JoinHandle<T>) -> T {
    match begun.await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going down, and with it whoever waits.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Operations on more rows than this run aside. So many take a fraction of a millisecond.
pub(super) const MANY_ROWS: usize = 1000;

/// How many reads wait for the disk side by side. A disk likes several at a time.
const READERS: usize = 8;

fn start_readers() -> Result<Readers, charioteer_engine::Error> {
    Readers::start(READERS).map_err(|error| charioteer_engine::Error::Io {
        what: "starting the threads that read".to_owned(),
        kind: error.kind(),
        message: error.to_string(),
    })
}

impl EmbeddedTable {
    /// Reads here, or where it may wait for the disk.
    async fn read<T: Send + 'static>(&self, read: impl FnOnce(&Arc<table::Table>) -> T + Send + 'static) -> T {
        match &self.readers {
            Some(readers) => {
                let table = Arc::clone(&self.table);
                readers.run(move || read(&table)).await
            }
            None => read(&self.table),
        }
    }
}

impl Table for EmbeddedTable {
    fn settings(&self) -> Arc<TableSettings> {
        self.table.settings()
    }

    async fn run<O: Operation>(&self, partition: u32, operation: O) -> Result<Done<O::Reply>, Error> {
        if operation.row_count() > MANY_ROWS {
            let table = Arc::clone(&self.table);
            return Ok(aside(move || table.run(partition, operation)).await?);
        }
        if operation.lock().is_none() {
            return Ok(self.read(move |table| table.run(partition, operation)).await?);
        }
        Ok(self.table.submit(partition, operation).await?)
    }

    async fn walk<W: Walk + 'static>(&self, partition: u32, walk: W) -> Result<W::Reply, Error>
    where
        W::Reply: 'static,
    {
        let mut walking = self.read(move |table| table.begin_walk(partition, walk)).await?;
        loop {
            let step = |mut walking: Walking<W>| {
                let taken = walking.step();
                (walking, taken)
            };
            let taken;
            (walking, taken) = self.read(move |_| step(walking)).await;
            match taken? {
                Some(reply) => return Ok(reply),
                None => tokio::task::yield_now().await,
            }
        }
    }

    async fn open_scan(&self, partition: u32, scan: Scan) -> Result<ScanBatch, Error> {
        Ok(self.read(move |table| table.open_scan(partition, scan)).await?)
    }

    async fn next_batch(&self, partition: u32, context_id: i64) -> Result<Option<ScanBatch>, Error> {
        Ok(self.read(move |table| table.next_scan(partition, context_id)).await?)
    }

    fn close_scan(&self, context_id: i64) {
        self.table.close_scan(context_id);
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
