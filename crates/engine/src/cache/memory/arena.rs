//! Where the slots of a shard lie: in chunks, so that none moves when there are more, and a chunk that is no longer
//! needed can be given back.

use std::ops::{Index, IndexMut};

use super::super::attributes::Attributes;
use super::super::expiry::Expiry;
use super::data::{Data, allocated};

const CHUNK_SLOTS: usize = 64;

/// What a chunk takes of the memory.
pub(super) const CHUNK_BYTES: usize = allocated(CHUNK_SLOTS * size_of::<Slot>());

/// The number of a slot in its arena.
pub(super) type SlotId = u32;

/// No slot.
pub(super) const NONE: SlotId = SlotId::MAX;

/// An item, and where it stands; or nothing, if its key has no bytes.
pub(super) struct Slot {
    pub(super) data: Data,
    cas: u64,
    flags: u32,
    expiry: Expiry,
    last_access: u32,
    /// Its neighbours in the list it is in.
    pub(super) newer: SlotId,
    pub(super) older: SlotId,
    pub(super) key_bytes: u8,
    marks: u8,
    /// How often it was used since it was last looked at, up to a few times.
    pub(super) uses: u8,
}

const FETCHED: u8 = 1;
const STALE: u8 = 2;
const WON: u8 = 4;
const BASE64_KEY: u8 = 8;
/// It stands in the main queue.
const IN_MAIN: u8 = 16;
/// It was used since the queue last looked at it.
const USED_IN_ROUND: u8 = 32;

impl Slot {
    pub(super) fn new(key_bytes: u8, data: Data, attributes: &Attributes) -> Self {
        let mut slot = Self { key_bytes, data, ..Self::free() };
        slot.set_attributes(attributes);
        slot
    }

    pub(super) fn free() -> Self {
        Self {
            data: Data::none(),
            cas: 0,
            flags: 0,
            expiry: Expiry::NEVER,
            last_access: 0,
            newer: NONE,
            older: NONE,
            key_bytes: 0,
            marks: 0,
            uses: 0,
        }
    }

    pub(super) const fn is_free(&self) -> bool {
        self.key_bytes == 0
    }

    pub(super) fn key(&self) -> &[u8] {
        self.data.key(usize::from(self.key_bytes))
    }

    pub(super) fn value_bytes(&self) -> usize {
        self.data.value_bytes(usize::from(self.key_bytes))
    }

    pub(super) const fn flags(&self) -> u32 {
        self.flags
    }

    pub(super) const fn expiry(&self) -> Expiry {
        self.expiry
    }

    pub(super) const fn last_access(&self) -> u32 {
        self.last_access
    }

    pub(super) const fn is_fetched(&self) -> bool {
        self.marks & FETCHED != 0
    }

    pub(super) const fn is_in_main(&self) -> bool {
        self.marks & IN_MAIN != 0
    }

    pub(super) const fn set_in_main(&mut self, is_in_main: bool) {
        self.marks = (self.marks & !IN_MAIN) | mark(is_in_main, IN_MAIN);
    }

    pub(super) const fn is_used_in_round(&self) -> bool {
        self.marks & USED_IN_ROUND != 0
    }

    pub(super) const fn set_used_in_round(&mut self, is_used: bool) {
        self.marks = (self.marks & !USED_IN_ROUND) | mark(is_used, USED_IN_ROUND);
    }

    /// What its key and value take of the memory.
    pub(super) fn data_bytes(&self) -> usize {
        self.data.allocated_bytes(usize::from(self.key_bytes))
    }

    pub(super) const fn attributes(&self) -> Attributes {
        Attributes {
            flags: self.flags,
            expiry: self.expiry,
            cas: self.cas,
            last_access: self.last_access,
            fetched: self.is_fetched(),
            stale: self.marks & STALE != 0,
            won: self.marks & WON != 0,
            base64_key: self.marks & BASE64_KEY != 0,
        }
    }

    pub(super) const fn set_attributes(&mut self, attributes: &Attributes) {
        self.flags = attributes.flags;
        self.expiry = attributes.expiry;
        self.cas = attributes.cas;
        self.last_access = attributes.last_access;
        self.marks = (self.marks & (IN_MAIN | USED_IN_ROUND))
            | mark(attributes.fetched, FETCHED)
            | mark(attributes.stale, STALE)
            | mark(attributes.won, WON)
            | mark(attributes.base64_key, BASE64_KEY);
    }
}

const fn mark(is_set: bool, mark: u8) -> u8 {
    if is_set { mark } else { 0 }
}

/// All slots of a shard.
#[derive(Default)]
pub(super) struct Arena {
    /// All but the last are full.
    chunks: Vec<Vec<Slot>>,
}

impl Arena {
    pub(super) fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK_SLOTS + last.len())
    }

    /// Whether one slot more needs a chunk more.
    pub(super) fn is_full(&self) -> bool {
        self.chunks.last().is_none_or(|last| last.len() == CHUNK_SLOTS)
    }

    /// Adds a slot; `None` if there are as many as can be numbered.
    pub(super) fn push(&mut self, slot: Slot) -> Option<SlotId> {
        let id = SlotId::try_from(self.len()).ok().filter(|id| *id != NONE)?;
        if self.is_full() {
            self.chunks.push(Vec::with_capacity(CHUNK_SLOTS));
        }
        self.chunks.last_mut()?.push(slot);
        Some(id)
    }

    /// Takes the last slot out, and gives its chunk back if that was its only one.
    pub(super) fn pop(&mut self) -> Option<Slot> {
        let last = self.chunks.last_mut()?;
        let slot = last.pop();
        if last.is_empty() {
            self.chunks.pop();
        }
        slot
    }

    pub(super) fn allocated_bytes(&self) -> usize {
        self.chunks.len() * CHUNK_BYTES
    }
}

impl Index<SlotId> for Arena {
    type Output = Slot;

    fn index(&self, id: SlotId) -> &Slot {
        let id = id as usize;
        &self.chunks[id / CHUNK_SLOTS][id % CHUNK_SLOTS]
    }
}

impl IndexMut<SlotId> for Arena {
    fn index_mut(&mut self, id: SlotId) -> &mut Slot {
        let id = id as usize;
        &mut self.chunks[id / CHUNK_SLOTS][id % CHUNK_SLOTS]
    }
}

#[cfg(test)]
mod tests {
    use super::{Arena, CHUNK_SLOTS, Slot};

    #[test]
    fn a_slot_takes_48_bytes() {
        assert_eq!(size_of::<Slot>(), 48);
    }

    #[test]
    fn chunks_come_and_go_with_the_slots() {
        let mut arena = Arena::default();
        for count in 0..=2 * CHUNK_SLOTS {
            assert_eq!((arena.len(), arena.is_full()), (count, count % CHUNK_SLOTS == 0));
            arena.push(Slot::free()).unwrap();
        }
        assert_eq!(arena.chunks.len(), 3);
        arena.pop().unwrap();
        assert_eq!(arena.chunks.len(), 2);
        while arena.pop().is_some() {}
        assert_eq!((arena.len(), arena.allocated_bytes()), (0, 0));
    }
}
