//! One table over the embedded store: runs operations and walks, and keeps its open scans.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};

use super::envs::TableEnvs;
use super::key::lock_of;
use super::locks::HashKeyLocks;
use super::operation::{Operation, Walk, Writes};
use super::row::{Context, Row};
use super::scan::{Scan, ScanPage, ScanPageReply};
use super::scans::ScanContexts;
use super::stored::{StoredKey, lookup_key, stored_key};
use super::sweep::Place;
use super::table_info::TableInfo;
use super::walking::Walking;
use crate::disk::Group;
use crate::{Batch, Clock, Db, Error, Keyspace, MAX_KEY_BYTES, Snapshot, Ticket};

/// The most scans a table keeps open.
const MAX_OPEN_SCANS: usize = 10_000;

/// The id of the page after the last.
const NO_CONTEXT: i64 = -1;

/// A table that operations are run on; they may run on many threads at once.
///
/// Writes under one hash key of a partition follow each other, and reads see them once they have
/// returned.
///
/// ```
/// use std::time::Duration;
/// use charioteer_engine::table::{CreateTable, Increment, Tables, raw_key};
/// use charioteer_engine::{Clock, Db};
///
/// let tables = Tables::open(Db::memory(), Clock::system())?;
/// tables.create(CreateTable::new("counters", 4))?;
/// let table = tables.table_by_name("counters").ok_or("no such table")?;
///
/// let visits = raw_key(b"site", b"visits");
/// table.run(0, Increment::new(visits.clone(), 1, 0))?;
/// let done = table.run(0, Increment::new(visits, 1, 0))?;
/// assert_eq!((done.reply.new_value, done.decree), (2, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Table {
    db: Db,
    clock: Clock,
    rows: Keyspace,
    settings: RwLock<Arc<TableSettings>>,
    /// On disk nobody takes them: whoever commits is alone.
    locks: HashKeyLocks,
    /// For each partition, the number of its last write.
    decrees: Box<[AtomicI64]>,
    scans: Mutex<ScanContexts<OpenScan>>,
    sweeper: Mutex<Place>,
}

/// What a table is and how its requests are served, at one time; a change makes a new one.
///
/// ```
/// use charioteer_engine::table::{CreateTable, Tables};
/// use charioteer_engine::{Clock, Db};
///
/// let tables = Tables::open(Db::memory(), Clock::system())?;
/// tables.create(CreateTable::new("temp", 8))?;
/// let settings = tables.table_by_name("temp").ok_or("no such table")?.settings();
/// assert_eq!((settings.info.partition_count, settings.envs.default_ttl), (8, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableSettings {
    /// What is known of the table.
    pub info: TableInfo,
    /// Its environment, read from its texts.
    pub envs: TableEnvs,
}

struct OpenScan {
    partition: u32,
    scan: Arc<Scan>,
    next: Bytes,
    snapshot: Snapshot,
}

/// An operation that was run.
///
/// ```
/// use charioteer_engine::table::Done;
///
/// let done = Done { reply: (), decree: 1 };
/// assert_eq!(done.decree, 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done<R> {
    /// What it answered.
    pub reply: R,
    /// The number of this write among those of its partition, from 1; 0 for a read. A write
    /// operation that wrote nothing has one too. The numbers start again when the table is opened
    /// again.
    pub decree: i64,
}

/// A page of an open scan.
///
/// ```
/// use charioteer_engine::table::{ScanBatch, ScanPageReply, Status};
///
/// let page = ScanPageReply { status: Status::Ok, rows: Vec::new(), count: None, next: None };
/// let last = ScanBatch { page, context_id: -1 };
/// assert!(last.is_last());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanBatch {
    /// The rows, or why there are none.
    pub page: ScanPageReply,
    /// What to ask for the next page with; -1 when there is none.
    pub context_id: i64,
}

impl ScanBatch {
    /// Whether no page follows.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.context_id == NO_CONTEXT
    }
}

impl Table {
    pub(super) fn new(db: Db, clock: Clock, rows: Keyspace, info: TableInfo) -> Self {
        let partition_count = usize::try_from(info.partition_count).unwrap_or(0);
        // Two processes hash the same value differently, which is all the randomness that is
        // needed.
        let [.., a, b, c, d] = RandomState::new().hash_one(info.id).to_be_bytes();
        Self {
            db,
            clock,
            rows,
            settings: RwLock::new(TableSettings::of(info)),
            locks: HashKeyLocks::new(),
            decrees: (0..partition_count).map(|_| AtomicI64::new(0)).collect(),
            scans: Mutex::new(ScanContexts::new(u32::from_be_bytes([a, b, c, d]), MAX_OPEN_SCANS)),
            sweeper: Mutex::default(),
        }
    }

    /// What the table is, as of now.
    #[must_use]
    pub fn settings(&self) -> Arc<TableSettings> {
        Arc::clone(&self.settings.read())
    }

    pub(super) fn set_info(&self, info: TableInfo) {
        *self.settings.write() = TableSettings::of(info);
    }

    /// Runs an operation on a partition: reads the rows it asks for, and writes what follows as one
    /// batch, which is as durable as the table asks for when this returns.
    ///
    /// # Errors
    /// [`Error::UnknownPartition`]; [`Error::KeyTooLong`] when a key that would be written is
    /// longer, with 4 bytes for the partition, than [`MAX_KEY_BYTES`] (to a read such a row is
    /// missing); [`Error::KeyspaceDropped`] when the table is gone; and what the store gives. Nothing was
    /// written then, unless [`Error::outcome`] says otherwise.
    pub fn run<O: Operation>(self: &Arc<Self>, partition: u32, operation: O) -> Result<Done<O::Reply>, Error> {
        match (self.db.disk(), operation.lock()) {
            (Some(disk), Some(_)) => disk.run(self.work(partition, operation)),
            _ => self.run_here(partition, operation),
        }
    }

    /// Begins an operation as [`run`](Self::run) does, without waiting for what it writes. What it only reads is read
    /// here, as is everything in memory.
    pub fn submit<O: Operation>(self: &Arc<Self>, partition: u32, operation: O) -> Ticket<Done<O::Reply>> {
        match (self.db.disk(), operation.lock()) {
            (Some(disk), Some(_)) => disk.submit(self.work(partition, operation)),
            _ => Ticket::ready(self.run_here(partition, operation)),
        }
    }

    /// An operation that writes, for those who commit on disk: nobody else writes meanwhile.
    fn work<O: Operation>(
        self: &Arc<Self>,
        partition: u32,
        operation: O,
    ) -> impl FnOnce(&mut Group) -> Result<Done<O::Reply>, Error> + Send + use<O> {
        let table = Arc::clone(self);
        move |group| {
            let last_decree = table.last_decree(partition)?;
            let (reply, batch) = table.apply(group, partition, operation)?;
            batch.check()?;
            group.add(batch)?;
            Ok(Done { reply, decree: last_decree.fetch_add(1, Ordering::Relaxed) + 1 })
        }
    }

    /// An operation that only reads, or is in memory, where writers of a hash key take its lock.
    fn run_here<O: Operation>(&self, partition: u32, operation: O) -> Result<Done<O::Reply>, Error> {
        let last_decree = self.last_decree(partition)?;
        let held = operation.lock().map(|hash_key| self.locks.lock(partition, hash_key));
        let (reply, batch) = self.apply(&mut &self.db, partition, operation)?;
        if !batch.is_empty() {
            self.db.commit(batch)?;
        }
        let decree = if held.is_some() { last_decree.fetch_add(1, Ordering::Relaxed) + 1 } else { 0 };
        Ok(Done { reply, decree })
    }

    /// What an operation answers and writes, by the rows as they are.
    fn apply<O: Operation>(
        &self,
        rows: &mut impl LatestRows,
        partition: u32,
        operation: O,
    ) -> Result<(O::Reply, Batch), Error> {
        let context = self.context();
        let (reply, writes) = match operation.keys() {
            [] => operation.apply(&[], &context),
            [key] => {
                let row = self.read(rows, partition, key)?;
                operation.apply(&[row], &context)
            }
            keys => {
                let rows = self.read_many(rows, partition, keys)?;
                operation.apply(&rows, &context)
            }
        };
        Ok((reply, self.batch(partition, writes)))
    }

    /// Runs a walk over a partition, as it is now. It ends early when the table's time limit is
    /// reached.
    ///
    /// # Errors
    /// [`Error::UnknownPartition`], [`Error::KeyspaceDropped`], [`Error::Corrupt`].
    pub fn walk<W: Walk>(self: &Arc<Self>, partition: u32, walk: W) -> Result<W::Reply, Error> {
        self.begin_walk(partition, walk)?.finish()
    }

    /// Begins a walk over a partition, as it is now, to be taken in steps.
    ///
    /// # Errors
    /// [`Error::UnknownPartition`], [`Error::KeyspaceDropped`].
    pub fn begin_walk<W: Walk>(self: &Arc<Self>, partition: u32, walk: W) -> Result<Walking<W>, Error> {
        self.last_decree(partition)?;
        Ok(Walking::begin(Arc::clone(self), self.db.snapshot_of(&self.rows)?, partition, walk))
    }

    /// Starts a scan of a partition as it is now, and answers with its first page.
    ///
    /// # Errors
    /// As [`walk`](Self::walk).
    pub fn open_scan(self: &Arc<Self>, partition: u32, scan: Scan) -> Result<ScanBatch, Error> {
        self.last_decree(partition)?;
        let snapshot = self.db.snapshot_of(&self.rows)?;
        let scan = Arc::new(scan);
        let page = Walking::begin(Arc::clone(self), snapshot.clone(), partition, ScanPage::first(Arc::clone(&scan)))
            .finish()?;
        let scan = if page.next.is_some() { Arc::new(scan.to_keep()) } else { scan };
        Ok(self.keep_open(page, partition, scan, snapshot))
    }

    /// The next page of a scan, of the instant at which the scan was opened; `None` when the id is
    /// unknown, was used, or is five minutes old.
    ///
    /// # Errors
    /// As [`walk`](Self::walk).
    pub fn next_scan(self: &Arc<Self>, partition: u32, context_id: i64) -> Result<Option<ScanBatch>, Error> {
        let now = self.clock.now();
        let open = self.scans.lock().take_if(context_id, now, |open| open.partition == partition);
        let Some(OpenScan { scan, next, snapshot, .. }) = open else {
            return Ok(None);
        };
        let page =
            Walking::begin(Arc::clone(self), snapshot.clone(), partition, ScanPage::resume(Arc::clone(&scan), next))
                .finish()?;
        Ok(Some(self.keep_open(page, partition, scan, snapshot)))
    }

    /// Forgets a scan; an unknown id is fine.
    pub fn close_scan(&self, context_id: i64) {
        self.scans.lock().remove(context_id);
    }

    /// How many scans wait to be gone on with.
    #[must_use]
    pub fn open_scans(&self) -> usize {
        self.tidy();
        self.scans.lock().len()
    }

    /// Forgets the scans of such partitions, as if they had been idle for too long.
    pub fn forget_scans(&self, of: impl Fn(u32) -> bool) {
        let forgotten = self.scans.lock().remove_if(|open| of(open.partition));
        drop(forgotten);
    }

    fn last_decree(&self, partition: u32) -> Result<&AtomicI64, Error> {
        let known = usize::try_from(partition).ok().and_then(|partition| self.decrees.get(partition));
        known.ok_or_else(|| {
            let partition_count = u32::try_from(self.decrees.len()).unwrap_or(u32::MAX);
            Error::UnknownPartition { partition, partition_count }
        })
    }

    pub(super) const fn keyspace(&self) -> &Keyspace {
        &self.rows
    }

    pub(super) const fn db(&self) -> &Db {
        &self.db
    }

    pub(super) const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What a walk that begins now is told, and until when it may take.
    pub(super) fn terms(&self) -> (Context, Duration) {
        let deadline = self.clock.now().saturating_add(self.settings.read().envs.iteration_limit);
        (self.context(), deadline)
    }

    /// Forgets the scans that have been idle for too long, and with them the rows that only they still see.
    pub(super) fn tidy(&self) {
        let forgotten = self.scans.lock().sweep(self.clock.now());
        drop(forgotten);
    }

    pub(super) fn place_of_sweeper(&self) -> Place {
        std::mem::take(&mut self.sweeper.lock())
    }

    pub(super) fn keep_place_of_sweeper(&self, place: Place) {
        *self.sweeper.lock() = place;
    }

    /// The partition behind that one, the first behind the last.
    pub(super) fn partition_behind(&self, partition: u32) -> u32 {
        let next = partition.wrapping_add(1);
        if (next as usize) < self.decrees.len() { next } else { 0 }
    }

    /// Removes a row if it has expired still: it may have been written again since that was seen. This is no write that
    /// a client made, and has no decree.
    pub(super) fn remove_expired(&self, partition: u32, raw_key: &Bytes) -> Result<bool, Error> {
        let _held = self.locks.lock(partition, lock_of(raw_key));
        let row = self.read(&mut &self.db, partition, raw_key)?;
        let expired = row.is_some_and(|row| row.is_expired(self.context().now));
        if expired {
            self.db.commit(self.batch(partition, std::iter::once((raw_key.clone(), None)).collect()))?;
        }
        Ok(expired)
    }

    fn context(&self) -> Context {
        Context::at(self.clock.now(), self.settings.read().envs.default_ttl)
    }

    fn read(&self, rows: &mut impl LatestRows, partition: u32, raw: &[u8]) -> Result<Option<Row>, Error> {
        let key = lookup_key(partition, raw);
        if key.len() > MAX_KEY_BYTES {
            return Ok(None);
        }
        rows.get(&self.rows, &key)?.map(decode).transpose()
    }

    fn read_many(&self, rows: &mut impl LatestRows, partition: u32, keys: &[Bytes]) -> Result<Vec<Option<Row>>, Error> {
        let stored: Vec<StoredKey> = keys.iter().map(|raw| lookup_key(partition, raw)).collect();
        let is_storable = |key: &&StoredKey| key.len() <= MAX_KEY_BYTES;
        let storable: Vec<&StoredKey> = stored.iter().filter(is_storable).collect();
        let mut found = rows.get_many(&self.rows, &storable)?.into_iter();
        let mut row_of = |key: &StoredKey| {
            // A key too long to be stored was not looked for: its row is missing.
            let row = if is_storable(&key) { found.next().flatten() } else { None };
            row.map(decode).transpose()
        };
        stored.iter().map(&mut row_of).collect()
    }

    fn batch(&self, partition: u32, writes: Writes) -> Batch {
        let mut batch = Batch::new();
        for (raw, row) in writes {
            let key = stored_key(partition, &raw);
            match row {
                Some(row) => batch.put_owned(&self.rows, key, row.encode()),
                None if key.len() <= MAX_KEY_BYTES => batch.delete(&self.rows, key),
                // There is no such row, and removing a missing one is fine.
                None => {}
            }
        }
        if let Some(durability) = self.settings.read().envs.durability {
            batch.set_durability(durability);
        }
        batch
    }

    fn keep_open(&self, page: ScanPageReply, partition: u32, scan: Arc<Scan>, snapshot: Snapshot) -> ScanBatch {
        let context_id = page.next.clone().map_or(NO_CONTEXT, |next| {
            let open = OpenScan { partition, scan, next, snapshot };
            let now = self.clock.now();
            self.scans.lock().insert(open, now)
        });
        ScanBatch { page, context_id }
    }
}

/// Where the latest rows are read.
trait LatestRows {
    fn get(&mut self, keyspace: &Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error>;

    /// All of one instant.
    fn get_many(&mut self, keyspace: &Keyspace, keys: &[&StoredKey]) -> Result<Vec<Option<Bytes>>, Error>;
}

impl LatestRows for &Db {
    fn get(&mut self, keyspace: &Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error> {
        Db::get(self, keyspace, key)
    }

    fn get_many(&mut self, keyspace: &Keyspace, keys: &[&StoredKey]) -> Result<Vec<Option<Bytes>>, Error> {
        Db::get_many(self, keyspace, keys)
    }
}

impl LatestRows for Group {
    fn get(&mut self, keyspace: &Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error> {
        Self::get(self, keyspace, key)
    }

    fn get_many(&mut self, keyspace: &Keyspace, keys: &[&StoredKey]) -> Result<Vec<Option<Bytes>>, Error> {
        keys.iter().map(|key| Self::get(self, keyspace, key)).collect()
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("info", &self.settings.read().info).finish_non_exhaustive()
    }
}

impl TableSettings {
    fn of(info: TableInfo) -> Arc<Self> {
        Arc::new(Self { envs: TableEnvs::from_texts(&info.envs), info })
    }
}

pub(super) fn decode(stored: Bytes) -> Result<Row, Error> {
    Row::decode(stored).ok_or(Error::Corrupt { what: "row" })
}
