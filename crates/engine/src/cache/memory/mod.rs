//! The store that keeps its items in memory, within a budget.

mod arena;
mod budget;
mod data;
mod evict;
mod ghost;
mod list;
mod listing;
mod queues;
mod shard;
mod sweep;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use parking_lot::{Mutex, MutexGuard};

use self::arena::SlotId;
use self::budget::Budget;
use self::data::Data;
use self::shard::{Garbage, KeyHasher, Moment, Shard};
use self::sweep::Place;
use super::MAX_KEY_BYTES;
use super::attributes::DEFAULT_ITEM_LIMIT;
use super::counters::Counters;
use super::event::Event;
use super::flush::Flush;
use super::operation::{Change, Context, Operation, Put};
use super::read::{Hit, Read};
use super::stats::CacheStats;
use crate::{Clock, Error};

/// How much memory a cache takes unless it is told otherwise: 64 MiB.
const DEFAULT_MEMORY_BYTES: usize = 64 << 20;

/// There are never fewer parts than this, so that threads seldom meet, nor more than that.
const FEWEST_SHARDS: usize = 64;
const MOST_SHARDS: usize = 4096;

/// The memory for each part, where there are more than the fewest: while a part's table grows, nobody gets at it.
const BYTES_PER_SHARD: usize = 4 << 20;

/// memcached's items in memory: within a budget, for any number of threads.
///
/// When the memory is used up, the items that are missed least are evicted. All that an item takes counts: its key, its
/// value, and its part of the tables. What was handed out and is still held by a reader does not.
///
/// ```
/// use charioteer_engine::Clock;
/// use charioteer_engine::cache::{Arithmetic, ArithmeticReply, Cache, CacheOptions, Expiry, Read, Store};
///
/// let cache = Cache::new(CacheOptions { memory_bytes: 8 << 20, ..CacheOptions::default() }, Clock::system());
/// cache.run(b"laps", Store::set("6".into(), 0, Expiry::NEVER))?;
/// let reply = cache.run(b"laps", Arithmetic::increment(1))?;
/// assert!(matches!(reply, ArithmeticReply::Computed(computed) if computed.number == 7));
/// let hit = cache.run(b"laps", Read::get())?.ok_or("it is there")?;
/// assert_eq!(hit.value.as_deref(), Some(&b"7"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Cache {
    cells: Box<[Cell]>,
    hasher: KeyHasher,
    clock: Clock,
    budget: Budget,
    item_limit: usize,
    evicts: bool,
    /// The flush that counts, as its number.
    flush: AtomicU32,
    flushes: AtomicU64,
    last_cas: AtomicU64,
    /// Which part may have to give something up next.
    next_victim: AtomicUsize,
    sweeper: Mutex<Place>,
}

/// A part of the items.
struct Cell {
    /// What it takes of the memory, as others may see it.
    bytes: AtomicUsize,
    shard: Mutex<Shard>,
}

/// How a [`Cache`] is to be.
///
/// ```
/// use charioteer_engine::cache::CacheOptions;
///
/// let options = CacheOptions { evicts: false, ..CacheOptions::default() };
/// assert_eq!(options.memory_bytes, 64 << 20);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheOptions {
    /// How much memory the items may take, with all that belongs to them.
    pub memory_bytes: usize,
    /// How large an item may be, see [`item_size`](super::item_size).
    pub item_limit: usize,
    /// Whether items are evicted when there is no memory for another. If not, the other is refused.
    pub evicts: bool,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self { memory_bytes: DEFAULT_MEMORY_BYTES, item_limit: DEFAULT_ITEM_LIMIT, evicts: true }
    }
}

/// A key that is looked up.
#[derive(Clone, Copy)]
struct Lookup<'a> {
    key: &'a [u8],
    hash: u64,
    moment: Moment,
}

impl Cache {
    /// A cache without items.
    #[must_use]
    pub fn new(options: CacheOptions, clock: Clock) -> Self {
        // Two processes hash the same value differently, which is all the randomness that is needed.
        let hasher = KeyHasher { seed: RandomState::new().hash_one(0) };
        let shards = (options.memory_bytes / BYTES_PER_SHARD).clamp(FEWEST_SHARDS, MOST_SHARDS).next_power_of_two();
        let cell = |_| Cell { bytes: AtomicUsize::new(0), shard: Mutex::new(Shard::new(hasher)) };
        Self {
            cells: (0..shards).map(cell).collect(),
            hasher,
            clock,
            budget: Budget::new(options.memory_bytes),
            item_limit: options.item_limit,
            evicts: options.evicts,
            flush: AtomicU32::new(Flush::NONE.number()),
            flushes: AtomicU64::new(0),
            last_cas: AtomicU64::new(0),
            next_victim: AtomicUsize::new(0),
            sweeper: Mutex::default(),
        }
    }

    /// Runs an operation on the item of a key. Nobody else sees the item meanwhile.
    ///
    /// # Errors
    /// [`Error::ItemKey`].
    pub fn run<O: Operation>(&self, key: &[u8], operation: O) -> Result<O::Reply, Error> {
        self.run_at(key, operation, self.moment())
    }

    /// Reads the items of several keys, one after the other.
    ///
    /// # Errors
    /// [`Error::ItemKey`].
    pub fn get_many<K: AsRef<[u8]>>(&self, keys: &[K], read: Read) -> Result<Vec<Option<Hit>>, Error> {
        let moment = self.moment();
        keys.iter().map(|key| self.run_at(key.as_ref(), read, moment)).collect()
    }

    /// Notes that a value was too large to be taken in. If it `removes`, the item goes that it would have replaced.
    ///
    /// # Errors
    /// [`Error::ItemKey`].
    pub fn refuse(&self, key: &[u8], removes: bool) -> Result<(), Error> {
        let lookup = self.look_up(key, self.moment())?;
        let mut garbage = Garbage::default();
        let (cell, mut shard) = self.lock(lookup.hash);
        shard.counters.count(Event::TooLarge);
        if removes && let Some(id) = shard.find(lookup.hash, key, lookup.moment, &mut garbage) {
            garbage.add(shard.remove(id, lookup.hash));
        }
        self.settle(cell, &mut shard);
        Ok(())
    }

    /// How it is.
    #[must_use]
    pub fn options(&self) -> CacheOptions {
        CacheOptions { memory_bytes: self.budget.limit(), item_limit: self.item_limit, evicts: self.evicts }
    }

    /// What has happened, and what there is.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        let (mut counters, mut items, mut item_bytes) = (Counters::new(), 0, 0);
        for cell in &self.cells {
            let shard = cell.shard.lock();
            counters.add(&shard.counters);
            items += shard.len();
            item_bytes += shard.item_bytes();
        }
        let flushes = self.flushes.load(Ordering::Relaxed);
        CacheStats { counters, items, item_bytes, memory_bytes: self.budget.taken(), flushes }
    }

    /// Forgets what has happened.
    pub fn reset_stats(&self) {
        for cell in &self.cells {
            cell.shard.lock().counters = Counters::new();
        }
        self.flushes.store(0, Ordering::Relaxed);
    }

    fn run_at<O: Operation>(&self, key: &[u8], operation: O, moment: Moment) -> Result<O::Reply, Error> {
        let lookup = self.look_up(key, moment)?;
        // What was replaced is freed when the lock has been given back.
        let mut garbage = Garbage::default();
        let (cell, mut shard) = self.lock(lookup.hash);
        let (reply, is_changed) = self.run_in(cell, &mut shard, lookup, operation, &mut garbage);
        if is_changed || !garbage.is_empty() {
            self.settle(cell, &mut shard);
        }
        drop(shard);
        Ok(reply)
    }

    /// The reply, and whether the shard may take another amount of memory.
    fn run_in<O: Operation>(
        &self,
        cell: &Cell,
        shard: &mut Shard,
        lookup: Lookup<'_>,
        operation: O,
        garbage: &mut Garbage,
    ) -> (O::Reply, bool) {
        let found = shard.find(lookup.hash, lookup.key, lookup.moment, garbage);
        let context = self.context(&lookup, operation.may_write());
        let outcome = operation.apply(found.map(|id| shard.item(id)), &context);
        match (outcome.change, found) {
            (Change::Put(put), _) => {
                if !self.put(cell, shard, lookup, found, put, garbage) {
                    shard.counters.count(Event::NoMemory);
                    return (O::out_of_memory(), true);
                }
                outcome.events.into_iter().for_each(|event| shard.counters.count(event));
                return (outcome.reply, true);
            }
            (Change::Bump(attributes) | Change::Update(attributes), Some(id)) => shard.bump(id, &attributes),
            (Change::Remove, Some(id)) => garbage.add(shard.remove(id, lookup.hash)),
            (Change::Keep | Change::Bump(_) | Change::Update(_) | Change::Remove, _) => {}
        }
        outcome.events.into_iter().for_each(|event| shard.counters.count(event));
        (outcome.reply, false)
    }

    /// Puts an item where it was found, or where there was none. Says whether there was memory for it.
    fn put(
        &self,
        cell: &Cell,
        shard: &mut Shard,
        lookup: Lookup<'_>,
        found: Option<SlotId>,
        put: Put,
        garbage: &mut Garbage,
    ) -> bool {
        let Put { attributes, value, is_new, removes_when_refused } = put;
        let is_put = if let Some(id) = found {
            let has_room = self.make_room_for_more(cell, shard, lookup, (id, value.len()), garbage);
            if has_room {
                shard.replace(id, &value, &attributes, garbage);
            } else if removes_when_refused {
                garbage.add(shard.remove(id, lookup.hash));
            }
            has_room
        } else {
            let growth = shard.growth_for(lookup.key.len(), value.len());
            self.make_room(cell, shard, growth, lookup.moment, garbage)
                && shard.insert(lookup.hash, lookup.key, &value, &attributes)
        };
        if is_put && is_new {
            shard.counters.count(Event::NewItem);
        }
        is_put
    }

    /// Makes room for an item that is there to have a value of another length.
    fn make_room_for_more(
        &self,
        cell: &Cell,
        shard: &mut Shard,
        lookup: Lookup<'_>,
        (id, value_bytes): (SlotId, usize),
        garbage: &mut Garbage,
    ) -> bool {
        let growth = Data::bytes_for(lookup.key.len(), value_bytes).saturating_sub(shard.data_bytes_of(id));
        if growth == 0 {
            return true;
        }
        // It must not be evicted for its own sake.
        shard.pin(id);
        let has_room = self.make_room(cell, shard, growth, lookup.moment, garbage);
        shard.unpin(id);
        has_room
    }

    fn look_up<'a>(&self, key: &'a [u8], moment: Moment) -> Result<Lookup<'a>, Error> {
        match key.len() {
            1..=MAX_KEY_BYTES => Ok(Lookup { key, hash: self.hasher.hash(key), moment }),
            len => Err(Error::ItemKey { len }),
        }
    }

    fn context(&self, lookup: &Lookup<'_>, may_write: bool) -> Context {
        // An id is taken under the lock, so that those of one key follow each other.
        let cas = if may_write { self.last_cas.fetch_add(1, Ordering::Relaxed) + 1 } else { 0 };
        Context { now: lookup.moment.now, cas, key_bytes: lookup.key.len(), item_limit: self.item_limit }
    }

    fn moment(&self) -> Moment {
        let now = u32::try_from(self.clock.now().as_secs()).unwrap_or(u32::MAX);
        Moment { now, flush: Flush::from_number(self.flush.load(Ordering::Relaxed)) }
    }

    fn lock(&self, hash: u64) -> (&Cell, MutexGuard<'_, Shard>) {
        // The table uses the lowest and the highest bits.
        let [_, a, b, ..] = hash.to_be_bytes();
        let cell = &self.cells[usize::from(u16::from_be_bytes([a, b])) % self.cells.len()];
        (cell, cell.shard.lock())
    }

    /// Brings into the budget what a shard takes now.
    fn settle(&self, cell: &Cell, shard: &mut Shard) {
        let taken = shard.taken();
        match taken.checked_sub(shard.accounted) {
            None => self.budget.give_back(shard.accounted - taken),
            Some(0) => return,
            Some(more) => self.budget.take_anyway(more),
        }
        shard.accounted = taken;
        cell.bytes.store(taken, Ordering::Relaxed);
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("options", &self.options()).finish_non_exhaustive()
    }
}
