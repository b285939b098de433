//! The store that keeps its items in a [`Db`], all of them.

mod flushes;
mod ids;
mod known;
mod row;
mod walk;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};

use self::flushes::Flushes;
use self::ids::Ids;
use self::known::Known;
use self::row::{Head, Row, row_key};
use super::MAX_KEY_BYTES;
use super::counters::Counters;
use super::event::{Event, Events};
use super::operation::{Change, Context, Operation, Outcome};
use super::read::{Hit, Read};
use super::stats::CacheStats;
use crate::disk::{Group, Undo};
use crate::{Batch, Clock, Db, Durability, Error, Keyspace, Ticket};

/// The keyspace of the items.
const KEYSPACE: &str = "memcached";

/// The rows that the store keeps for itself.
const FLUSHES: &[u8] = b"flushes";
const LAST_ID: &[u8] = b"last id";

/// memcached's items in a [`Db`]: all of them, as durable as it makes its rows. Nothing is evicted. Clones share it.
///
/// What an item is besides its value is kept too, but for when and whether it was read: a read that changes nothing else
/// is not noted.
///
/// ```
/// use charioteer_engine::cache::{DEFAULT_ITEM_LIMIT, DurableCache, Expiry, Read, Store};
/// use charioteer_engine::{Clock, Db};
///
/// let cache = DurableCache::open(Db::memory(), DEFAULT_ITEM_LIMIT, Clock::system())?;
/// cache.submit(b"victor", Store::set("Ben-Hur".into(), 0, Expiry::NEVER)).wait()?;
/// let hit = cache.run(b"victor", Read::get())?.ok_or("it is there")?;
/// assert_eq!(hit.value.as_deref(), Some(&b"Ben-Hur"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct DurableCache {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    rows: Keyspace,
    clock: Clock,
    item_limit: usize,
    flushes: RwLock<Flushes>,
    ids: Mutex<Ids>,
    counters: Mutex<Counters>,
    flush_count: Mutex<u64>,
    known: Mutex<Known>,
    /// Where the sweeper goes on: behind this row.
    sweeper: Mutex<Bytes>,
    /// Held by whoever writes in memory; on disk whoever commits is alone.
    alone: Mutex<()>,
}

/// Whether an item's row has expired, for [`DiskOptions::expired`](crate::DiskOptions::expired): other keyspaces' rows
/// have not, to it.
///
/// ```
/// use charioteer_engine::{DiskOptions, cache, table};
///
/// let options = DiskOptions {
///     expired: |keyspace, value, now| {
///         table::has_expired(keyspace, value, now) || cache::has_expired(keyspace, value, now)
///     },
///     ..DiskOptions::default()
/// };
/// # drop(options);
/// ```
#[must_use]
pub fn has_expired(keyspace: &str, value: &[u8], now: Duration) -> bool {
    let now = u32::try_from(now.as_secs()).unwrap_or(u32::MAX);
    keyspace == KEYSPACE && Row::expiry_of(value).is_some_and(|expiry| expiry.has_come(now))
}

/// The rows as they are for whoever writes.
trait LatestRows {
    fn get(&mut self, rows: &Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error>;

    /// Has that done if what is being written comes to nothing.
    fn on_failure(&mut self, undo: Undo);
}

impl LatestRows for &Db {
    fn get(&mut self, rows: &Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error> {
        Db::get(self, rows, key)
    }

    /// In memory nothing fails that the rules make.
    fn on_failure(&mut self, _: Undo) {}
}

impl LatestRows for Group {
    fn get(&mut self, rows: &Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error> {
        Self::get(self, rows, key)
    }

    fn on_failure(&mut self, undo: Undo) {
        Self::on_failure(self, undo);
    }
}

impl DurableCache {
    /// Opens the items of a store, of which none is larger than `item_limit`, see [`item_size`](super::item_size).
    ///
    /// # Errors
    /// What the store gives.
    pub fn open(db: Db, item_limit: usize, clock: Clock) -> Result<Self, Error> {
        let rows = db.keyspace(KEYSPACE)?;
        let flushes = db.get(&rows, FLUSHES)?.map(Flushes::decode).transpose()?.unwrap_or_default();
        let ids = Ids::behind(db.get(&rows, LAST_ID)?)?;
        let inner = Inner {
            db,
            rows,
            clock,
            item_limit,
            flushes: RwLock::new(flushes),
            known: Mutex::new(Known::since(ids.next())),
            ids: Mutex::new(ids),
            counters: Mutex::new(Counters::new()),
            flush_count: Mutex::new(0),
            sweeper: Mutex::default(),
            alone: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Runs an operation on the item of a key, and waits until what it writes is as durable as the store makes it.
    ///
    /// # Errors
    /// [`Error::ItemKey`], and what the store gives.
    pub fn run<O: Operation>(&self, key: &[u8], operation: O) -> Result<O::Reply, Error> {
        match self.inner.look_first(key, &operation)? {
            Some(reply) => Ok(reply),
            None => self.alone(self.changing(key, operation)),
        }
    }

    /// Begins an operation as [`run`](Self::run) does, without waiting for what it writes. What it only reads is read
    /// here, and so is everything in memory.
    pub fn submit<O: Operation>(&self, key: &[u8], operation: O) -> Ticket<O::Reply> {
        match self.inner.look_first(key, &operation) {
            Ok(Some(reply)) => Ticket::ready(Ok(reply)),
            Ok(None) => self.begin(self.changing(key, operation)),
            Err(error) => Ticket::ready(Err(error)),
        }
    }

    /// Reads the items of several keys, one after the other.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn get_many<K: AsRef<[u8]>>(&self, keys: &[K], read: Read) -> Result<Vec<Option<Hit>>, Error> {
        keys.iter().map(|key| self.run(key.as_ref(), read)).collect()
    }

    /// Notes that a value was too large to be taken in. If it `removes`, the item goes that it would have replaced.
    /// Begins as [`submit`](Self::submit) does.
    pub fn refuse(&self, key: &[u8], removes: bool) -> Ticket<()> {
        if let Err(error) = check_key(key) {
            return Ticket::ready(Err(error));
        }
        self.inner.count(&Events::from_slice(&[Event::TooLarge]));
        if !removes {
            return Ticket::ready(Ok(()));
        }
        let (inner, keys) = (Arc::clone(&self.inner), vec![row_key(key)]);
        self.begin(move |rows: &mut dyn LatestRows| {
            let (_, batch) = inner.remove(rows, keys, |_| true)?;
            Ok(((), batch))
        })
    }

    /// Lets everything that is stored before `moment` die when that comes, in seconds since the Unix epoch; at once, if
    /// it has come. Takes the place of a flush that was to come. Begins as [`submit`](Self::submit) does.
    pub fn flush(&self, moment: u32) -> Ticket<()> {
        let inner = Arc::clone(&self.inner);
        self.begin(move |rows: &mut dyn LatestRows| {
            let before = *inner.flushes.read();
            let flushes = before.and_at(moment, inner.now(), inner.ids.lock().next());
            *inner.flushes.write() = flushes;
            *inner.flush_count.lock() += 1;
            let mut batch = Batch::new();
            batch.put(&inner.rows, Bytes::from_static(FLUSHES), flushes.encode());
            rows.on_failure(Box::new(move || *inner.flushes.write() = before));
            Ok(((), batch))
        })
    }

    /// How large an item may be.
    #[must_use]
    pub fn item_limit(&self) -> usize {
        self.inner.item_limit
    }

    /// What has happened, and what there is. Items that were there when the store was opened are counted when they have
    /// been swept once, and nothing is known of the memory they take.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        let (counters, known) = (*self.inner.counters.lock(), self.inner.known.lock());
        let flushes = *self.inner.flush_count.lock();
        CacheStats { counters, items: known.items(), item_bytes: known.bytes(), memory_bytes: 0, flushes }
    }

    /// Forgets what has happened.
    pub fn reset_stats(&self) {
        *self.inner.counters.lock() = Counters::new();
        *self.inner.flush_count.lock() = 0;
    }

    /// An operation for whoever writes.
    fn changing<O: Operation>(&self, key: &[u8], operation: O) -> impl Work<O::Reply> + use<O> {
        let (inner, key) = (Arc::clone(&self.inner), row_key(key));
        move |rows: &mut dyn LatestRows| inner.change(rows, &key, operation)
    }

    fn alone<T: Send + 'static>(&self, work: impl Work<T>) -> Result<T, Error> {
        match self.inner.db.disk() {
            Some(disk) => disk.run(staged(work)),
            None => self.in_memory(work),
        }
    }

    fn begin<T: Send + 'static>(&self, work: impl Work<T>) -> Ticket<T> {
        match self.inner.db.disk() {
            Some(disk) => disk.submit(staged(work)),
            None => Ticket::ready(self.in_memory(work)),
        }
    }

    fn in_memory<T>(&self, work: impl Work<T>) -> Result<T, Error> {
        let _alone = self.inner.alone.lock();
        let (reply, batch) = work(&mut &self.inner.db)?;
        self.inner.db.commit(batch)?;
        Ok(reply)
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

impl Inner {
    /// The reply to an operation that turns out to change nothing that is kept; `None` if it does change something, and
    /// has to be run by whoever writes.
    fn look_first<O: Operation>(&self, key: &[u8], operation: &O) -> Result<Option<O::Reply>, Error> {
        check_key(key)?;
        if !operation.mostly_reads() {
            return Ok(None);
        }
        let row = self.db.get(&self.rows, &row_key(key))?.map(Row::decode).transpose()?;
        let (alive, cause) = self.alive(row.as_ref());
        let outcome = operation.clone().apply(alive.map(Row::item), &self.context(key.len(), 0));
        if !matches!(outcome.change, Change::Keep | Change::Bump(_)) {
            return Ok(None);
        }
        self.count(&cause.into_iter().chain(outcome.events).collect());
        Ok(Some(outcome.reply))
    }

    fn change<O: Operation>(
        self: &Arc<Self>,
        rows: &mut dyn LatestRows,
        key: &Bytes,
        operation: O,
    ) -> Result<(O::Reply, Batch), Error> {
        let stored = rows.get(&self.rows, key)?.map(Row::decode).transpose()?;
        let (alive, cause) = self.alive(stored.as_ref());
        let mut batch = Batch::new();
        let id = if operation.may_write() { self.take_id(rows, &mut batch) } else { 0 };
        let context = self.context(key.len() - 1, id);
        let Outcome { reply, change, events } = operation.apply(alive.map(Row::item), &context);
        self.count(&cause.into_iter().chain(events).collect());
        if !self.apply(key, stored.as_ref(), change, id, &mut batch) {
            // The id was not used, so that the note of it need not last longer than the next that is.
            batch.set_durability(Durability::Memory);
        }
        Ok((reply, batch))
    }

    /// The row if it is not dead, and of what if it is. One that is dead stays where it is until another takes its place or the
    /// sweeper comes by, so that nobody who finds nothing has to wait for a write.
    fn alive<'a>(&self, stored: Option<&'a Row>) -> (Option<&'a Row>, Option<Event>) {
        let cause = stored.and_then(|row| self.cause_of_death(&row.head));
        (stored.filter(|_| cause.is_none()), cause)
    }

    /// Does to an item what is to become of it; says whether that is anything to keep.
    fn apply(&self, key: &Bytes, old: Option<&Row>, change: Change, id: u64, batch: &mut Batch) -> bool {
        let new = match (change, old) {
            (Change::Keep | Change::Bump(_), _) | (Change::Update(_) | Change::Remove, None) => return false,
            (Change::Update(attributes), Some(old)) => {
                Some(Row { head: Head { attributes, number: old.head.number }, value: old.value.clone() })
            }
            (Change::Put(put), _) => {
                if put.is_new {
                    self.count(&Events::from_slice(&[Event::NewItem]));
                }
                Some(Row { head: Head { attributes: put.attributes, number: id }, value: put.value })
            }
            (Change::Remove, Some(_)) => None,
        };
        if let Some(old) = old {
            self.forget(key, old);
        }
        match new {
            Some(row) => {
                self.known.lock().come(row.size(key.len() - 1));
                batch.put_owned(&self.rows, key.clone(), row.encode());
            }
            None => batch.delete(&self.rows, key.clone()),
        }
        true
    }

    /// Removes the rows that are there, and of which that is true.
    fn remove(
        &self,
        rows: &mut dyn LatestRows,
        keys: Vec<Bytes>,
        is_to_go: impl Fn(&Row) -> bool,
    ) -> Result<(usize, Batch), Error> {
        let mut batch = Batch::new();
        for key in keys {
            let row = rows.get(&self.rows, &key)?.map(Row::decode).transpose()?;
            if let Some(row) = row.filter(&is_to_go) {
                self.forget(&key, &row);
                batch.delete(&self.rows, key);
            }
        }
        Ok((batch.len(), batch))
    }

    /// An id for a value, with the note that its first use needs.
    fn take_id(self: &Arc<Self>, rows: &mut dyn LatestRows, batch: &mut Batch) -> u64 {
        let (id, note) = self.ids.lock().take();
        if let Some(note) = note {
            batch.put_owned(&self.rows, Bytes::from_static(LAST_ID), note);
            let inner = Arc::clone(self);
            rows.on_failure(Box::new(move || inner.ids.lock().note_was_lost()));
        }
        id
    }

    fn forget(&self, key: &Bytes, row: &Row) {
        self.known.lock().gone(key, row.head.number, row.size(key.len() - 1));
    }

    fn cause_of_death(&self, head: &Head) -> Option<Event> {
        let now = self.now();
        if self.flushes.read().cover(head, now) {
            Some(Event::Flushed)
        } else {
            head.attributes.expiry.has_come(now).then_some(Event::Expired)
        }
    }

    fn count(&self, events: &Events) {
        let mut counters = self.counters.lock();
        events.iter().for_each(|event| counters.count(*event));
    }

    fn context(&self, key_bytes: usize, cas: u64) -> Context {
        Context { now: self.now(), cas, key_bytes, item_limit: self.item_limit }
    }

    fn now(&self) -> u32 {
        u32::try_from(self.clock.now().as_secs()).unwrap_or(u32::MAX)
    }
}

fn check_key(key: &[u8]) -> Result<(), Error> {
    match key.len() {
        1..=MAX_KEY_BYTES => Ok(()),
        len => Err(Error::ItemKey { len }),
    }
}

impl fmt::Debug for DurableCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableCache").field("db", &self.inner.db).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
