//! All tables over the embedded store: keeps the catalogue, and finds a table for a request.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use parking_lot::{Mutex, RwLock};

use super::catalogue::{Catalogue, CatalogueError};
use super::driver::Table;
use super::record::{self, NEXT_ID_KEY, table_key};
use super::row::{Context, Row};
use super::table_info::{CreateTable, TableInfo, TableStatus};
use crate::{Batch, Clock, Db, Direction, Error, Keyspace};

/// The keyspace of the catalogue.
const CATALOGUE: &str = "tables";

/// The keyspace of a table is this and its id, so that dropping the table gives its space back.
const TABLE_PREFIX: &str = "table-";

/// How many rows of a table are looked at each time for expired ones: a fraction of a second's work.
const ROWS_PER_SWEEP: usize = 200_000;

/// The tables of a store; clones share them.
///
/// A change is stored before it is seen. Dropped tables keep their rows until their hold time has
/// passed; whichever change comes next then gives the space back.
///
/// ```
/// use charioteer_engine::table::{CreateTable, Tables};
/// use charioteer_engine::{Clock, Db};
///
/// let db = Db::memory();
/// let tables = Tables::open(db.clone(), Clock::system())?;
/// let info = tables.create(CreateTable::new("temp", 8))?;
/// assert!(tables.table(info.id).is_some());
///
/// tables.drop_table("temp", false, None)?;
/// assert!(tables.table(info.id).is_none(), "only available tables are found");
/// tables.recall(info.id, "again")?;
///
/// let reopened = Tables::open(db, Clock::system())?;
/// assert!(reopened.table_by_name("again").is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Tables {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    clock: Clock,
    catalogue_rows: Keyspace,
    shelf: Mutex<Shelf>,
    available: RwLock<Available>,
}

/// What a change works on; holding its lock makes changes follow each other.
struct Shelf {
    catalogue: Catalogue,
    /// Dropped tables too: one that is recalled must have the locks it had, for the requests still
    /// running on it.
    tables: HashMap<i32, Arc<Table>>,
}

/// What requests look tables up in.
#[derive(Default)]
struct Available {
    by_id: HashMap<i32, Arc<Table>>,
    by_name: HashMap<String, Arc<Table>>,
    /// What is known of all tables, dropped ones too: a change that is being stored keeps the shelf locked.
    infos: BTreeMap<i32, TableInfo>,
}

/// Why a change of the tables was not made.
///
/// ```
/// use charioteer_engine::table::{AdminError, CatalogueError, Tables};
/// use charioteer_engine::{Clock, Db};
///
/// let tables = Tables::open(Db::memory(), Clock::system())?;
/// let error = tables.rename("none", "some");
/// assert!(matches!(error, Err(AdminError::Rule(CatalogueError::Missing { .. }))));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminError {
    /// It would break a rule.
    Rule(CatalogueError),
    /// It could not be stored.
    Store(Error),
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AdminError {}

impl From<CatalogueError> for AdminError {
    fn from(error: CatalogueError) -> Self {
        Self::Rule(error)
    }
}

impl From<Error> for AdminError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl Tables {
    /// Opens the tables of a store, those it has and those to come.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the catalogue cannot be read, and what the store gives.
    pub fn open(db: Db, clock: Clock) -> Result<Self, Error> {
        let catalogue_rows = db.keyspace(CATALOGUE)?;
        let catalogue = load(&db, &catalogue_rows)?;
        drop_orphans(&db, &catalogue)?;
        let inner = Inner {
            db,
            clock,
            catalogue_rows,
            shelf: Mutex::new(Shelf { catalogue: Catalogue::new(), tables: HashMap::new() }),
            available: RwLock::default(),
        };
        inner.install(&mut inner.shelf.lock(), catalogue)?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The available table of this id.
    #[must_use]
    pub fn table(&self, id: i32) -> Option<Arc<Table>> {
        self.inner.available.read().by_id.get(&id).cloned()
    }

    /// The available table of this name.
    #[must_use]
    pub fn table_by_name(&self, name: &str) -> Option<Arc<Table>> {
        self.inner.available.read().by_name.get(name).cloned()
    }

    /// What is known of the table of this id, available or dropped.
    #[must_use]
    pub fn info(&self, id: i32) -> Option<TableInfo> {
        self.inner.available.read().infos.get(&id).cloned()
    }

    /// What is known of all tables, dropped ones included, by id.
    #[must_use]
    pub fn infos(&self) -> Vec<TableInfo> {
        self.inner.available.read().infos.values().cloned().collect()
    }

    /// Gives back what time has freed: scans that have been idle for too long, expired rows (of each table, some at a
    /// time), and dropped tables whose hold time has passed. To be called now and then, from where it may take a while.
    ///
    /// # Errors
    /// What the store gives.
    pub fn tidy(&self) -> Result<(), Error> {
        let tables: Vec<_> = self.inner.shelf.lock().tables.values().cloned().collect();
        let mut swept = Ok(());
        for table in &tables {
            table.tidy();
            if table.settings().info.status == TableStatus::Available {
                // One that is damaged does not keep the others from being swept.
                let this = table.sweep(ROWS_PER_SWEEP).map(drop);
                swept = swept.and(this);
            }
        }
        let now = self.inner.clock.now();
        let overdue = |table: &TableInfo| table.expires_at.is_some_and(|end| end <= now);
        if !self.inner.shelf.lock().catalogue.list().any(overdue) {
            return swept;
        }
        match self.inner.change(|_, _| Ok(())) {
            Err(AdminError::Store(error)) => Err(error),
            // No rule is asked.
            Err(AdminError::Rule(_)) | Ok(()) => swept,
        }
    }

    /// Creates a table; see [`Catalogue::create`].
    ///
    /// # Errors
    /// A broken rule, or what the store gives.
    pub fn create(&self, table: CreateTable) -> Result<TableInfo, AdminError> {
        self.inner.change(|catalogue, now| catalogue.create(table, now))
    }

    /// Drops a table; see [`Catalogue::drop_table`].
    ///
    /// # Errors
    /// A broken rule, or what the store gives.
    pub fn drop_table(
        &self,
        name: &str,
        success_if_missing: bool,
        reserve: Option<Duration>,
    ) -> Result<Option<TableInfo>, AdminError> {
        self.inner.change(|catalogue, now| catalogue.drop_table(name, success_if_missing, reserve, now))
    }

    /// Makes a dropped table available again, with its rows; see [`Catalogue::recall`].
    ///
    /// # Errors
    /// A broken rule, or what the store gives.
    pub fn recall(&self, id: i32, new_name: &str) -> Result<TableInfo, AdminError> {
        self.inner.change(|catalogue, now| catalogue.recall(id, new_name, now))
    }

    /// Renames a table; see [`Catalogue::rename`].
    ///
    /// # Errors
    /// A broken rule, or what the store gives.
    pub fn rename(&self, old_name: &str, new_name: &str) -> Result<TableInfo, AdminError> {
        self.inner.change(|catalogue, _| catalogue.rename(old_name, new_name))
    }

    /// Sets settings of a table; see [`Catalogue::set_envs`].
    ///
    /// # Errors
    /// A broken rule, or what the store gives.
    pub fn set_envs(&self, name: &str, envs: &[(String, String)]) -> Result<TableInfo, AdminError> {
        self.inner.change(|catalogue, _| catalogue.set_envs(name, envs))
    }

    /// Removes settings of a table; see [`Catalogue::remove_envs`].
    ///
    /// # Errors
    /// A broken rule, or what the store gives.
    pub fn remove_envs(&self, name: &str, envs: &[String]) -> Result<TableInfo, AdminError> {
        self.inner.change(|catalogue, _| catalogue.remove_envs(name, envs))
    }

    /// Removes the settings of a table under a prefix; see [`Catalogue::clear_envs`].
    ///
    /// # Errors
    /// A broken rule, or what the store gives.
    pub fn clear_envs(&self, name: &str, prefix: &str) -> Result<TableInfo, AdminError> {
        self.inner.change(|catalogue, _| catalogue.clear_envs(name, prefix))
    }
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").field("infos", &self.infos()).finish_non_exhaustive()
    }
}

impl Inner {
    /// Applies a rule to a copy of the catalogue, stores what it changed, and then puts the copy in
    /// place.
    fn change<T>(
        &self,
        rule: impl FnOnce(&mut Catalogue, Duration) -> Result<T, CatalogueError>,
    ) -> Result<T, AdminError> {
        let now = self.clock.now();
        let (answer, forgotten) = {
            let mut shelf = self.shelf.lock();
            let mut catalogue = shelf.catalogue.clone();
            let answer = rule(&mut catalogue, now)?;
            let forgotten = catalogue.forget_expired(now);
            // First, so that no table is in the catalogue that could not be made; one that is not is dropped at the next start.
            for table in catalogue.list().filter(|table| shelf.catalogue.by_id(table.id).is_none()) {
                self.db.keyspace(&keyspace_of(table.id))?;
            }
            self.store(&shelf.catalogue, &catalogue)?;
            self.install(&mut shelf, catalogue)?;
            (answer, forgotten)
        };
        // Millions of rows take a while to free, and nobody else need wait for that.
        for table in forgotten {
            self.db.drop_keyspace(&keyspace_of(table.id))?;
        }
        Ok(answer)
    }

    fn store(&self, old: &Catalogue, new: &Catalogue) -> Result<(), Error> {
        let mut batch = Batch::new();
        for table in new.list().filter(|table| old.by_id(table.id) != Some(table)) {
            batch.put(&self.catalogue_rows, table_key(table.id), record::encode(table));
        }
        for table in old.list().filter(|table| new.by_id(table.id).is_none()) {
            batch.delete(&self.catalogue_rows, table_key(table.id));
        }
        if new.next_id() != old.next_id() {
            let next_id = Bytes::copy_from_slice(&new.next_id().to_be_bytes());
            batch.put(&self.catalogue_rows, Bytes::from_static(NEXT_ID_KEY), next_id);
        }
        self.db.commit(batch)
    }

    fn install(&self, shelf: &mut Shelf, catalogue: Catalogue) -> Result<(), Error> {
        let mut available = Available::default();
        let mut tables = HashMap::new();
        for info in catalogue.list() {
            let table = self.table_for(shelf, info)?;
            available.infos.insert(info.id, info.clone());
            if info.status == TableStatus::Available {
                available.by_id.insert(info.id, Arc::clone(&table));
                available.by_name.insert(info.name.clone(), Arc::clone(&table));
            }
            tables.insert(info.id, table);
        }
        *shelf = Shelf { catalogue, tables };
        *self.available.write() = available;
        Ok(())
    }

    fn table_for(&self, shelf: &Shelf, info: &TableInfo) -> Result<Arc<Table>, Error> {
        let Some(table) = shelf.tables.get(&info.id) else {
            let rows = self.db.keyspace(&keyspace_of(info.id))?;
            return Ok(Arc::new(Table::new(self.db.clone(), self.clock.clone(), rows, info.clone())));
        };
        if table.settings().info != *info {
            table.set_info(info.clone());
        }
        Ok(Arc::clone(table))
    }
}

/// Whether a stored row of a keyspace has expired at `now`, the time since the Unix epoch; what a store on disk is opened
/// with so that compaction removes such rows. Keyspaces other than those of tables hold no rows that expire.
///
/// ```
/// use charioteer_engine::DiskOptions;
/// use charioteer_engine::table::has_expired;
///
/// let options = DiskOptions { expired: has_expired, ..DiskOptions::default() };
/// # drop(options);
/// ```
#[must_use]
pub fn has_expired(keyspace: &str, value: &[u8], now: Duration) -> bool {
    keyspace.starts_with(TABLE_PREFIX)
        && Row::expiry_of(value).is_some_and(|at| at > 0 && at <= Context::at(now, 0).now)
}

fn keyspace_of(id: i32) -> String {
    format!("{TABLE_PREFIX}{id}")
}

fn load(db: &Db, rows: &Keyspace) -> Result<Catalogue, Error> {
    use std::ops::{Bound, ControlFlow};

    let (mut next_id, mut tables) = (Some(1), Some(Vec::new()));
    let all = (Bound::Unbounded, Bound::Unbounded);
    db.snapshot_of(rows)?.visit(rows, all, Direction::Forward, |key, row| {
        if key == NEXT_ID_KEY {
            next_id = row.clone().try_get_i32().ok();
        } else if let Some(read) = &mut tables {
            match record::decode(row.clone()) {
                Some(table) => read.push(table),
                None => tables = None,
            }
        }
        ControlFlow::Continue(())
    })?;
    let (next_id, tables) = next_id.zip(tables).ok_or(Error::Corrupt { what: "catalogue of tables" })?;
    Ok(Catalogue::restore(next_id, tables))
}

/// Drops what a table left behind whose record was removed just before the process ended.
fn drop_orphans(db: &Db, catalogue: &Catalogue) -> Result<(), Error> {
    for name in db.keyspace_names() {
        let id = name.strip_prefix(TABLE_PREFIX).and_then(|id| id.parse().ok());
        if id.is_some_and(|id| catalogue.by_id(id).is_none()) {
            db.drop_keyspace(&name)?;
        }
    }
    Ok(())
}
