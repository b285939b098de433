//! The order in which items are evicted: S3-FIFO, with a share for new items that follows the load.
//!
//! New items stand in a small queue. One that was used there moves on to the main queue; the others are evicted when
//! they reach its end, and remembered. An item that comes back while it is remembered goes to the main queue at once,
//! where it gets round after round as long as it is used. Nothing moves when an item is used, it is only counted.
//! (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023.)
//!
//! There the small queue has a tenth of the memory, which is too little where the popular items become others all at
//! once: the new ones are evicted before they are used again, while the main queue is full of those that nobody asks for
//! any more. Here each queue is told how many of its items were used lately, and the one with the larger part of them
//! gets memory from the other. The figures are in `bench/README.md`.

use super::arena::{Arena, SlotId};
use super::list::List;

/// How much of the memory the small queue may have, in hundredths, and by how much that changes at a time.
const LEAST_SHARE: usize = 10;
const MOST_SHARE: usize = 80;
const SHARE_STEP: usize = 10;

/// The share is looked at when one in so many items is new.
const ITEMS_PER_LOOK: usize = 10;

/// It is not looked at before so many items have come.
const LEAST_LOOK: usize = 16;

/// Uses are counted up to this. More of them keep dead items longer, fewer of them rare items not as long.
const MOST_USES: u8 = 2;

/// The two queues of a shard.
pub(super) struct Queues {
    small: Queue,
    main: Queue,
    /// What the small queue may have of the memory, in hundredths.
    share: usize,
    /// How many items have come since the share was looked at.
    new_items: usize,
}

struct Queue {
    list: List,
    bytes: usize,
    /// How many of its items were used since the share was looked at, each counted once in a round.
    used: usize,
}

impl Queue {
    const fn new() -> Self {
        Self { list: List::new(), bytes: 0, used: 0 }
    }
}

impl Queues {
    pub(super) const fn new() -> Self {
        Self { small: Queue::new(), main: Queue::new(), share: LEAST_SHARE, new_items: 0 }
    }

    /// Puts an item at the beginning of a queue: the main one, if it was remembered.
    pub(super) fn push(&mut self, arena: &mut Arena, id: SlotId, to_main: bool) {
        let slot = &mut arena[id];
        slot.set_in_main(to_main);
        let queue = self.queue(to_main);
        queue.bytes += slot.data_bytes();
        queue.list.push(arena, id);
    }

    /// An item has come; see whether the share suits.
    pub(super) fn count_new(&mut self) {
        self.new_items += 1;
        let (small, main) = (self.small.list.len(), self.main.list.len());
        if self.new_items < ((small + main) / ITEMS_PER_LOOK).max(LEAST_LOOK) {
            return;
        }
        // The small queue has the larger part of used items: used / len is more there, without fractions.
        let is_too_small = self.small.used * main > self.main.used * small;
        let share = if is_too_small { self.share + SHARE_STEP } else { self.share.saturating_sub(SHARE_STEP) };
        self.share = share.clamp(LEAST_SHARE, MOST_SHARE);
        (self.new_items, self.small.used, self.main.used) = (0, 0, 0);
    }

    pub(super) fn remove(&mut self, arena: &mut Arena, id: SlotId) {
        let slot = &arena[id];
        let queue = self.queue(slot.is_in_main());
        queue.bytes -= slot.data_bytes();
        queue.list.remove(arena, id);
    }

    /// A slot was moved to another number.
    pub(super) fn moved(&mut self, arena: &mut Arena, to: SlotId) {
        self.queue(arena[to].is_in_main()).list.moved(arena, to);
    }

    /// The item takes so many bytes now, instead of so many.
    pub(super) const fn resized(&mut self, is_in_main: bool, before: usize, after: usize) {
        let queue = self.queue(is_in_main);
        queue.bytes = queue.bytes - before + after;
    }

    pub(super) fn used(&mut self, arena: &mut Arena, id: SlotId) {
        let slot = &mut arena[id];
        slot.uses = (slot.uses + 1).min(MOST_USES);
        if !slot.is_used_in_round() {
            slot.set_used_in_round(true);
            self.queue(slot.is_in_main()).used += 1;
        }
    }

    /// The item to evict next; those that stand before it and may stay are put elsewhere.
    pub(super) fn next_to_evict(&mut self, arena: &mut Arena) -> Option<SlotId> {
        loop {
            let share = (self.small.bytes + self.main.bytes) / 100 * self.share;
            let is_small_full = self.small.bytes >= share;
            let (first, second) = if is_small_full { (&self.small, &self.main) } else { (&self.main, &self.small) };
            let id = first.list.oldest().or_else(|| second.list.oldest())?;
            if !self.keep(arena, id) {
                return Some(id);
            }
        }
    }

    /// Gives an item that was used another round; says whether it was. Each round takes one of its uses, so that the
    /// search for one to evict ends.
    fn keep(&mut self, arena: &mut Arena, id: SlotId) -> bool {
        let slot = &mut arena[id];
        let Some(uses_left) = slot.uses.checked_sub(1) else {
            return false;
        };
        // What an item was used in the small queue brings it into the main one, and counts no more there.
        slot.uses = if slot.is_in_main() { uses_left } else { 0 };
        slot.set_used_in_round(false);
        self.remove(arena, id);
        self.push(arena, id, true);
        true
    }

    const fn queue(&mut self, main: bool) -> &mut Queue {
        if main { &mut self.main } else { &mut self.small }
    }
}
