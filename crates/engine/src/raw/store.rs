//! Raw rows over the embedded store: runs operations and walks.

use std::fmt;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use super::MAX_KEY_BYTES;
use super::delete_range::DeleteRange;
use super::family::{Family, Keys};
use super::operation::{Operation, Walk, Writes};
use super::row::Row;
use super::stored::{StoredKey, as_slice, lookup_key, stored_key};
use super::sweep::Place;
use super::walking::Walking;
use crate::disk::Group;
use crate::snapshot::KeysInRange;
use crate::{Batch, Clock, Db, Direction, Error, Keyspace, Ticket};

/// How many rows a range is rid of at a time, which keeps other writes waiting for some milliseconds.
const ROWS_PER_DELETE: usize = 4096;

/// Raw rows in a [`Db`]; clones share them.
///
/// Whatever is written is written in one order, and reads see it once it has been acknowledged.
///
/// ```
/// use charioteer_engine::raw::{Family, Get, Put, RawStore};
/// use charioteer_engine::{Clock, Db};
///
/// let store = RawStore::open(Db::memory(), Clock::system())?;
/// store.submit(Family::Default, Put::new("victor".into(), "Ben-Hur".into())).wait()?;
/// let value = store.run(Family::Default, Get::new("victor".into()))?;
/// assert_eq!(value.as_deref(), Some(&b"Ben-Hur"[..]));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Clone)]
pub struct RawStore {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    clock: Clock,
    /// In the order of [`Family::ALL`].
    families: [OneFamily; Family::ALL.len()],
    /// Held by whoever writes in memory; on disk whoever commits is alone.
    alone: Mutex<()>,
}

struct OneFamily {
    rows: Keyspace,
    sweeper: Mutex<Place>,
}

/// Whether a raw row has expired, for [`DiskOptions::expired`](crate::DiskOptions::expired): other keyspaces' rows have
/// not, to it.
///
/// ```
/// use charioteer_engine::{DiskOptions, raw};
///
/// let options = DiskOptions { expired: raw::has_expired, ..DiskOptions::default() };
/// # drop(options);
/// ```
#[must_use]
pub fn has_expired(keyspace: &str, value: &[u8], now: Duration) -> bool {
    let is_raw = Keys::ALL.iter().any(|keys| Family::ALL.iter().any(|family| family.keyspace(*keys) == keyspace));
    is_raw && Row::stored_is_expired(value, now.as_secs())
}

impl RawStore {
    /// Opens the raw rows of a store that have plain keys.
    ///
    /// # Errors
    /// What the store gives.
    pub fn open(db: Db, clock: Clock) -> Result<Self, Error> {
        Self::open_for(Keys::Plain, db, clock)
    }

    /// Opens the raw rows of a store that have such keys.
    ///
    /// # Errors
    /// What the store gives.
    pub fn open_for(keys: Keys, db: Db, clock: Clock) -> Result<Self, Error> {
        let [default, lock, write] = Family::ALL.map(|family| OneFamily::open(&db, family.keyspace(keys)));
        let families = [default?, lock?, write?];
        Ok(Self { inner: Arc::new(Inner { db, clock, families, alone: Mutex::default() }) })
    }

    /// Runs an operation: reads the rows it asks for, and writes what follows as one batch, which is as durable as the store
    /// makes it when this returns.
    ///
    /// # Errors
    /// [`Error::RawKey`] when it may write and a key is longer than [`MAX_KEY_BYTES`] (to a read such a row is missing),
    /// and what the store gives.
    pub fn run<O: Operation>(&self, family: Family, operation: O) -> Result<O::Reply, Error> {
        match self.inner.plan(family, operation)? {
            Plan::Answered(reply) => Ok(reply),
            Plan::Write(reply, batch) => self.alone(move |_: &mut dyn LatestRows| Ok((reply, batch))),
            Plan::ReadAndWrite(operation) => self.alone(self.changing(family, operation)),
        }
    }

    /// Begins an operation as [`run`](Self::run) does, without waiting for what it writes. What it only reads is read here,
    /// and so is everything in memory.
    pub fn submit<O: Operation>(&self, family: Family, operation: O) -> Ticket<O::Reply> {
        match self.inner.plan(family, operation) {
            Ok(Plan::Answered(reply)) => Ticket::ready(Ok(reply)),
            Ok(Plan::Write(reply, batch)) => self.begin(move |_: &mut dyn LatestRows| Ok((reply, batch))),
            Ok(Plan::ReadAndWrite(operation)) => self.begin(self.changing(family, operation)),
            Err(error) => Ticket::ready(Err(error)),
        }
    }

    /// Removes the rows of a range. Some thousands go at one instant; of more, those with lower keys go first, so that
    /// others may see, and write, in between.
    ///
    /// # Errors
    /// As [`run`](Self::run); some rows may be gone then.
    pub fn delete_range(&self, family: Family, range: DeleteRange) -> Result<(), Error> {
        let mut left = Some(range);
        while let Some(range) = left {
            check_keys(range.keys())?;
            left = self.alone(self.deleting(family, range))?;
        }
        Ok(())
    }

    /// Removes some thousand rows of a range as [`delete_range`](Self::delete_range) does, without waiting for it. Answers
    /// with what is left to be removed, if there is any.
    pub fn submit_delete_range(&self, family: Family, range: DeleteRange) -> Ticket<Option<DeleteRange>> {
        match check_keys(range.keys()) {
            Ok(()) => self.begin(self.deleting(family, range)),
            Err(error) => Ticket::ready(Err(error)),
        }
    }

    /// Runs a walk over a family as it is now.
    ///
    /// # Errors
    /// [`Error::Corrupt`], and what the store gives.
    pub fn walk<W: Walk>(&self, family: Family, walk: W) -> Result<W::Reply, Error> {
        self.begin_walk(family, walk)?.finish()
    }

    /// Begins a walk over a family as it is now, to be taken in steps.
    ///
    /// # Errors
    /// What the store gives.
    pub fn begin_walk<W: Walk>(&self, family: Family, walk: W) -> Result<Walking<W>, Error> {
        let rows = &self.inner.family(family).rows;
        Ok(Walking::begin(rows.clone(), self.inner.db.snapshot_of(rows)?, self.inner.now(), walk))
    }

    pub(super) fn db(&self) -> &Db {
        &self.inner.db
    }

    pub(super) fn now(&self) -> u64 {
        self.inner.now()
    }

    pub(super) fn rows(&self, family: Family) -> &Keyspace {
        &self.inner.family(family).rows
    }

    pub(super) fn sweeper(&self, family: Family) -> &Mutex<Place> {
        &self.inner.family(family).sweeper
    }

    /// Removes those of the rows, told by their stored keys, that have expired still: they may have been written again
    /// since that was seen.
    pub(super) fn remove_expired(&self, family: Family, stored_keys: Vec<Bytes>) -> Result<usize, Error> {
        let inner = Arc::clone(&self.inner);
        self.alone(move |rows: &mut dyn LatestRows| {
            let (keyspace, now) = (&inner.family(family).rows, inner.now());
            let mut batch = Batch::new();
            for key in stored_keys {
                if rows.get(keyspace, &key)?.is_some_and(|row| Row::stored_is_expired(&row, now)) {
                    batch.delete(keyspace, key);
                }
            }
            Ok((batch.len(), batch))
        })
    }

    /// An operation for whoever writes.
    fn changing<O: Operation>(&self, family: Family, operation: O) -> impl Work<O::Reply> + use<O> {
        let inner = Arc::clone(&self.inner);
        move |rows: &mut dyn LatestRows| inner.change(rows, family, operation)
    }

    /// The next rows of a range, for whoever writes.
    fn deleting(&self, family: Family, range: DeleteRange) -> impl Work<Option<DeleteRange>> + use<> {
        let inner = Arc::clone(&self.inner);
        move |rows: &mut dyn LatestRows| inner.delete(rows, family, range)
    }

    fn alone<T: Send + 'static>(&self, work: impl Work<T>) -> Result<T, Error> {
        match self.inner.db.disk() {
            Some(disk) => disk.run(staged(work)),
            None => self.inner.in_memory(work),
        }
    }

    fn begin<T: Send + 'static>(&self, work: impl Work<T>) -> Ticket<T> {
        match self.inner.db.disk() {
            Some(disk) => disk.submit(staged(work)),
            None => Ticket::ready(self.inner.in_memory(work)),
        }
    }
}

impl OneFamily {
    fn open(db: &Db, keyspace: &str) -> Result<Self, Error> {
        Ok(Self { rows: db.keyspace(keyspace)?, sweeper: Mutex::default() })
    }
}

/// What is left to do of an operation where it was asked for.
enum Plan<O: Operation> {
    Answered(O::Reply),
    Write(O::Reply, Batch),
    ReadAndWrite(O),
}

impl Inner {
    /// Does what needs nobody else to wait.
    fn plan<O: Operation>(&self, family: Family, operation: O) -> Result<Plan<O>, Error> {
        if !operation.writes() {
            let (reply, _) = self.apply(&mut &self.db, family, operation)?;
            return Ok(Plan::Answered(reply));
        }
        check_keys(operation.keys())?;
        if !operation.keys().is_empty() {
            return Ok(Plan::ReadAndWrite(operation));
        }
        let (reply, writes) = operation.apply(&[], self.now());
        Ok(Plan::Write(reply, self.batch(family, writes)?))
    }

    fn change<O: Operation>(
        &self,
        rows: &mut dyn LatestRows,
        family: Family,
        operation: O,
    ) -> Result<(O::Reply, Batch), Error> {
        let (reply, writes) = self.apply(rows, family, operation)?;
        Ok((reply, self.batch(family, writes)?))
    }

    /// What an operation answers and writes, by the rows as they are.
    fn apply<O: Operation>(
        &self,
        rows: &mut dyn LatestRows,
        family: Family,
        operation: O,
    ) -> Result<(O::Reply, Writes), Error> {
        let keyspace = &self.family(family).rows;
        // Taken before the rows are read: what has expired by then stays so.
        let now = self.now();
        match operation.keys() {
            [] => Ok(operation.apply(&[], now)),
            [key] => {
                let row = read(rows, keyspace, key)?;
                Ok(operation.apply(&[row], now))
            }
            keys => {
                let found = read_many(rows, keyspace, keys)?;
                Ok(operation.apply(&found, now))
            }
        }
    }

    fn delete(
        &self,
        rows: &mut dyn LatestRows,
        family: Family,
        range: DeleteRange,
    ) -> Result<(Option<DeleteRange>, Batch), Error> {
        let mut batch = Batch::new();
        if range.is_empty() {
            return Ok((None, batch));
        }
        let keyspace = &self.family(family).rows;
        let (start, end) = range.stored();
        let stretch = rows.keys_in(keyspace, (as_slice(&start), as_slice(&end)), ROWS_PER_DELETE)?;
        stretch.keys.into_iter().for_each(|key| batch.delete(keyspace, key));
        Ok((stretch.more_behind.map(|last| range.behind(&last)), batch))
    }

    fn batch(&self, family: Family, writes: Writes) -> Result<Batch, Error> {
        let keyspace = &self.family(family).rows;
        let mut batch = Batch::new();
        for (key, row) in writes {
            check_keys([&key])?;
            match row {
                Some(row) => batch.put_owned(keyspace, stored_key(&key), row.encode()),
                None => batch.delete(keyspace, stored_key(&key)),
            }
        }
        Ok(batch)
    }

    fn in_memory<T>(&self, work: impl Work<T>) -> Result<T, Error> {
        let _alone = self.alone.lock();
        let (reply, batch) = work(&mut &self.db)?;
        self.db.commit(batch)?;
        Ok(reply)
    }

    const fn family(&self, family: Family) -> &OneFamily {
        let [default, lock, write] = &self.families;
        match family {
            Family::Default => default,
            Family::Lock => lock,
            Family::Write => write,
        }
    }

    fn now(&self) -> u64 {
        self.clock.now().as_secs()
    }
}

/// The rows as they are for whoever reads them.
trait LatestRows {
    fn get(&mut self, rows: &Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error>;

    /// All of one instant.
    fn get_many(&mut self, rows: &Keyspace, keys: &[&StoredKey]) -> Result<Vec<Option<Bytes>>, Error>;

    /// The first keys of a range, about so many, for whoever writes.
    fn keys_in(
        &mut self,
        rows: &Keyspace,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        about: usize,
    ) -> Result<KeysInRange, Error>;
}

impl LatestRows for &Db {
    fn get(&mut self, rows: &Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error> {
        Db::get(self, rows, key)
    }

    fn get_many(&mut self, rows: &Keyspace, keys: &[&StoredKey]) -> Result<Vec<Option<Bytes>>, Error> {
        Db::get_many(self, rows, keys)
    }

    fn keys_in(
        &mut self,
        rows: &Keyspace,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        about: usize,
    ) -> Result<KeysInRange, Error> {
        let mut keys = Vec::new();
        self.snapshot_of(rows)?.visit(rows, range, Direction::Forward, |key, _| {
            keys.push(key.clone());
            if keys.len() < about { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        let more_behind = keys.get(about - 1).cloned();
        Ok(KeysInRange { keys, more_behind })
    }
}

impl LatestRows for Group {
    fn get(&mut self, rows: &Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error> {
        Self::get(self, rows, key)
    }

    fn get_many(&mut self, rows: &Keyspace, keys: &[&StoredKey]) -> Result<Vec<Option<Bytes>>, Error> {
        keys.iter().map(|key| Self::get(self, rows, key)).collect()
    }

    fn keys_in(
        &mut self,
        rows: &Keyspace,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        about: usize,
    ) -> Result<KeysInRange, Error> {
        Self::keys_in(self, rows, range, about)
    }
}

/// Something that is done while nobody else writes: from the rows as they are follow a reply and a batch.
trait Work<T>: FnOnce(&mut dyn LatestRows) -> Result<(T, Batch), Error> + Send + 'static {}

impl<T, W: FnOnce(&mut dyn LatestRows) -> Result<(T, Batch), Error> + Send + 'static> Work<T> for W {}

/// The work as the store on disk takes it.
fn staged<T>(work: impl Work<T>) -> impl FnOnce(&mut Group) -> Result<T, Error> + Send + 'static {
    move |group| {
        let (reply, batch) = work(group)?;
        batch.check()?;
        group.add(batch)?;
        Ok(reply)
    }
}

fn read(rows: &mut dyn LatestRows, keyspace: &Keyspace, key: &[u8]) -> Result<Option<Row>, Error> {
    if key.len() > MAX_KEY_BYTES {
        return Ok(None);
    }
    rows.get(keyspace, &lookup_key(key))?.map(decode).transpose()
}

fn read_many(rows: &mut dyn LatestRows, keyspace: &Keyspace, keys: &[Bytes]) -> Result<Vec<Option<Row>>, Error> {
    let stored: Vec<StoredKey> = keys.iter().map(|key| lookup_key(key)).collect();
    // A key that is too long to be stored is not looked for: its row is missing.
    let may_be_there = |key: &&StoredKey| key.len() <= 1 + MAX_KEY_BYTES;
    let looked_for: Vec<&StoredKey> = stored.iter().filter(may_be_there).collect();
    let mut found = rows.get_many(keyspace, &looked_for)?.into_iter();
    let found_in_order =
        stored.iter().map(|key| if may_be_there(&key) { found.next().flatten() } else { None }.map(decode).transpose());
    found_in_order.collect()
}

fn decode(stored: Bytes) -> Result<Row, Error> {
    Row::decode(stored).ok_or(Error::Corrupt { what: "raw row" })
}

fn check_keys<'a>(keys: impl IntoIterator<Item = &'a Bytes>) -> Result<(), Error> {
    let too_long = keys.into_iter().find(|key| key.len() > MAX_KEY_BYTES);
    too_long.map_or(Ok(()), |key| Err(Error::RawKey { len: key.len() }))
}

impl fmt::Debug for RawStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawStore").field("db", &self.inner.db).finish_non_exhaustive()
    }
}
