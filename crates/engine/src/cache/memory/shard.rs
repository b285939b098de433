//! One part of the items, under one lock.

use hashbrown::HashTable;
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::super::attributes::{Attributes, item_size};
use super::super::counters::Counters;
use super::super::event::Event;
use super::super::flush::Flush;
use super::super::operation::Item;
use super::arena::{Arena, CHUNK_BYTES, Slot, SlotId};
use super::data::{Data, allocated};
use super::ghost::Ghost;
use super::list::List;
use super::queues::Queues;

/// Where the hashes of keys come from. Nobody who sends keys knows the seed.
#[derive(Clone, Copy)]
pub(super) struct KeyHasher {
    pub(super) seed: u64,
}

impl KeyHasher {
    pub(super) fn hash(self, key: &[u8]) -> u64 {
        xxh3_64_with_seed(key, self.seed)
    }
}

/// The time, and what was flushed.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: u32,
    pub(super) flush: Flush,
}

/// What was taken out under a lock, and is freed after it, if it is not very much.
#[derive(Default)]
pub(super) struct Garbage {
    data: SmallVec<[Data; 4]>,
}

impl Garbage {
    pub(super) fn add(&mut self, data: Data) {
        if self.data.len() < self.data.inline_size() {
            self.data.push(data);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.data.is_empty()
    }
}

/// A removal that leaves many slots free closes so many gaps.
const MOVES_PER_REMOVAL: usize = 2;

/// What the smallest table takes, or a little more.
const SMALLEST_TABLE_BYTES: usize = 128;

/// Some of the items.
pub(super) struct Shard {
    hasher: KeyHasher,
    table: HashTable<SlotId>,
    arena: Arena,
    free: List,
    queues: Queues,
    ghost: Ghost,
    pub(super) counters: Counters,
    item_bytes: usize,
    data_bytes: usize,
    /// What it has taken of the budget.
    pub(super) accounted: usize,
}

impl Shard {
    pub(super) fn new(hasher: KeyHasher) -> Self {
        Self {
            hasher,
            table: HashTable::new(),
            arena: Arena::default(),
            free: List::new(),
            queues: Queues::new(),
            ghost: Ghost::default(),
            counters: Counters::new(),
            item_bytes: 0,
            data_bytes: 0,
            accounted: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) const fn item_bytes(&self) -> usize {
        self.item_bytes
    }

    /// What the item's key and value take of the memory.
    pub(super) fn data_bytes_of(&self, id: SlotId) -> usize {
        self.arena[id].data_bytes()
    }

    /// What it takes of the memory.
    pub(super) fn taken(&self) -> usize {
        self.data_bytes + self.structure_bytes()
    }

    fn structure_bytes(&self) -> usize {
        table_bytes(&self.table) + self.arena.allocated_bytes() + self.ghost.allocated_bytes()
    }

    /// How many numbers of slots there are; some of them may be free.
    pub(super) fn slots(&self) -> usize {
        self.arena.len()
    }

    pub(super) fn slot(&self, id: SlotId) -> Option<&Slot> {
        Some(&self.arena[id]).filter(|slot| !slot.is_free())
    }

    pub(super) fn item(&self, id: SlotId) -> Item<'_> {
        let slot = &self.arena[id];
        Item { value: slot.data.value(usize::from(slot.key_bytes)), attributes: slot.attributes() }
    }

    /// The item of the key. One that is dead is removed, and counted as having been looked for.
    pub(super) fn find(&mut self, hash: u64, key: &[u8], moment: Moment, garbage: &mut Garbage) -> Option<SlotId> {
        let arena = &self.arena;
        let id = *self.table.find(hash, |id| arena[*id].key() == key)?;
        let cause = cause_of_death(&arena[id], moment);
        let Some(cause) = cause else {
            return Some(id);
        };
        self.counters.count(cause);
        garbage.add(self.remove(id, hash));
        None
    }

    /// The item was used, and is as the attributes say.
    pub(super) fn bump(&mut self, id: SlotId, attributes: &Attributes) {
        self.arena[id].set_attributes(attributes);
        self.queues.used(&mut self.arena, id);
    }

    /// How many bytes more a new item takes, with the room that has to be made in the structures.
    pub(super) fn growth_for(&self, key_bytes: usize, value_bytes: usize) -> usize {
        let slot = if self.free.len() == 0 && self.arena.is_full() { CHUNK_BYTES } else { 0 };
        let table = if self.table.len() == self.table.capacity() { self.growth_of_table() } else { 0 };
        Data::bytes_for(key_bytes, value_bytes) + slot + table
    }

    /// How many bytes more a table of twice the size takes, with as many more traces of keys that were evicted.
    fn growth_of_table(&self) -> usize {
        let doubled = allocated(2 * self.table.allocation_size().max(SMALLEST_TABLE_BYTES));
        doubled - table_bytes(&self.table) + self.ghost.growth_for(2 * self.table.num_buckets())
    }

    /// Adds the item of a key that has none. It is refused if there are as many as can be numbered.
    pub(super) fn insert(&mut self, hash: u64, key: &[u8], value: &[u8], attributes: &Attributes) -> bool {
        let Ok(key_bytes) = u8::try_from(key.len()) else {
            return false;
        };
        let Some(id) = self.place(Slot::new(key_bytes, Data::new(key, value), attributes)) else {
            return false;
        };
        self.count_in(id);
        let was_remembered = self.ghost.forget(hash);
        self.queues.push(&mut self.arena, id, was_remembered);
        self.queues.count_new();
        let (arena, hasher) = (&self.arena, self.hasher);
        self.table.insert_unique(hash, id, |id| hasher.hash(arena[*id].key()));
        self.ghost.grow_for(self.table.num_buckets());
        true
    }

    /// Gives an item another value. What the old one was may have to be freed.
    pub(super) fn replace(&mut self, id: SlotId, value: &[u8], attributes: &Attributes, garbage: &mut Garbage) {
        self.count_out(id);
        let slot = &mut self.arena[id];
        slot.set_attributes(attributes);
        let (key_bytes, before) = (usize::from(slot.key_bytes), slot.data_bytes());
        if !slot.data.overwrite(key_bytes, value) {
            let data = Data::new(slot.data.key(key_bytes), value);
            garbage.add(std::mem::replace(&mut slot.data, data));
        }
        let (is_in_main, after) = (slot.is_in_main(), slot.data_bytes());
        self.queues.resized(is_in_main, before, after);
        self.queues.used(&mut self.arena, id);
        self.count_in(id);
    }

    pub(super) fn remove(&mut self, id: SlotId, hash: u64) -> Data {
        if let Ok(entry) = self.table.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        self.count_out(id);
        self.queues.remove(&mut self.arena, id);
        let slot = std::mem::replace(&mut self.arena[id], Slot::free());
        self.free.push(&mut self.arena, id);
        self.compact();
        slot.data
    }

    /// Removes the item if it is dead.
    pub(super) fn remove_if(&mut self, id: SlotId, is_dead: impl FnOnce(&Slot) -> bool) -> Option<Data> {
        let slot = self.slot(id).filter(|slot| is_dead(slot))?;
        let hash = self.hasher.hash(slot.key());
        Some(self.remove(id, hash))
    }

    /// Removes the item if it is dead, and counts it as such.
    pub(super) fn reclaim(&mut self, id: SlotId, moment: Moment) -> Option<Data> {
        let was_fetched = self.slot(id)?.is_fetched();
        let data = self.remove_if(id, |slot| cause_of_death(slot, moment).is_some())?;
        self.counters.count(Event::Reclaimed);
        if !was_fetched {
            self.counters.count(Event::ExpiredUnfetched);
        }
        Some(data)
    }

    /// Evicts the item that is missed least, or removes one that is dead; `None` if there is none.
    pub(super) fn evict(&mut self, moment: Moment) -> Option<Data> {
        let id = self.queues.next_to_evict(&mut self.arena)?;
        if let Some(data) = self.reclaim(id, moment) {
            return Some(data);
        }
        let slot = &self.arena[id];
        let (hash, is_in_main) = (self.hasher.hash(slot.key()), slot.is_in_main());
        self.counters.count(Event::Evicted);
        if !slot.is_fetched() {
            self.counters.count(Event::EvictedUnfetched);
        }
        let data = self.remove(id, hash);
        if !is_in_main {
            self.ghost.remember(hash);
        }
        Some(data)
    }

    /// Takes an item out of the order of eviction, until [`unpin`](Self::unpin).
    pub(super) fn pin(&mut self, id: SlotId) {
        self.queues.remove(&mut self.arena, id);
    }

    pub(super) fn unpin(&mut self, id: SlotId) {
        let is_in_main = self.arena[id].is_in_main();
        self.queues.push(&mut self.arena, id, is_in_main);
    }

    fn place(&mut self, slot: Slot) -> Option<SlotId> {
        let Some(id) = self.free.oldest() else {
            return self.arena.push(slot);
        };
        self.free.remove(&mut self.arena, id);
        self.arena[id] = slot;
        Some(id)
    }

    fn count_in(&mut self, id: SlotId) {
        let slot = &self.arena[id];
        self.item_bytes += size_of_item(slot);
        self.data_bytes += slot.data_bytes();
    }

    fn count_out(&mut self, id: SlotId) {
        let slot = &self.arena[id];
        self.item_bytes -= size_of_item(slot);
        self.data_bytes -= slot.data_bytes();
    }

    /// Where more than a quarter of the slots is free, fills some of the gaps from the end, so that chunks can be given
    /// back.
    fn compact(&mut self) {
        for _ in 0..MOVES_PER_REMOVAL {
            let free = self.free.len();
            if free * size_of::<Slot>() <= CHUNK_BYTES || free * 4 <= self.arena.len() {
                return;
            }
            self.drop_last_slot();
        }
        if self.table.len() * 8 < self.table.num_buckets() {
            let (arena, hasher, len) = (&self.arena, self.hasher, self.table.len());
            self.table.shrink_to(len * 2, |id| hasher.hash(arena[*id].key()));
        }
    }

    fn drop_last_slot(&mut self) {
        let Some(last) = self.arena.len().checked_sub(1).and_then(|last| SlotId::try_from(last).ok()) else {
            return;
        };
        if self.arena[last].is_free() {
            self.free.remove(&mut self.arena, last);
            self.arena.pop();
            return;
        }
        let hash = self.hasher.hash(self.arena[last].key());
        let Some(gap) = self.free.oldest() else {
            return;
        };
        self.free.remove(&mut self.arena, gap);
        let Some(slot) = self.arena.pop() else {
            return;
        };
        self.arena[gap] = slot;
        self.queues.moved(&mut self.arena, gap);
        if let Some(id) = self.table.find_mut(hash, |id| *id == last) {
            *id = gap;
        }
    }
}

/// Why an item is dead, if it is.
pub(super) const fn cause_of_death(slot: &Slot, moment: Moment) -> Option<Event> {
    if moment.flush.covers(slot.last_access(), moment.now) {
        Some(Event::Flushed)
    } else if slot.expiry().has_come(moment.now) {
        Some(Event::Expired)
    } else {
        None
    }
}

fn size_of_item(slot: &Slot) -> usize {
    item_size(usize::from(slot.key_bytes), slot.value_bytes(), slot.flags())
}

fn table_bytes(table: &HashTable<SlotId>) -> usize {
    match table.allocation_size() {
        0 => 0,
        bytes => allocated(bytes),
    }
}
