//! Removing what is dead: a little at a time, or all that is flushed.

use std::sync::atomic::Ordering;

use super::super::flush::Flush;
use super::arena::SlotId;
use super::data::Data;
use super::shard::{Moment, Shard};
use super::{Cache, Cell};

/// How many slots are looked at under one lock.
const SLOTS_PER_LOCK: usize = 1000;

/// Where the sweeper is.
#[derive(Default)]
pub(super) struct Place {
    cell: usize,
    slot: usize,
}

/// What was done in a step.
struct Swept {
    places: usize,
    removed: usize,
}

impl Cache {
    /// Lets everything that is stored before `moment` die when that comes, in seconds since the Unix epoch; at once, if
    /// it has come. Takes the place of a flush that was to come.
    pub fn flush(&self, moment: u32) {
        let now = self.moment().now;
        let flush = Flush::at(moment);
        let replaced = Flush::from_number(self.flush.swap(flush.number(), Ordering::Relaxed));
        self.flushes.fetch_add(1, Ordering::Relaxed);
        if !flush.has_come(now) && !replaced.has_come(now) {
            return;
        }
        for cell in &self.cells {
            self.remove_flushed(cell, Moment { now, flush }, replaced);
        }
    }

    /// Looks at so many places of items, going on where it stopped the last time, and removes the items that are dead.
    /// Says how many they were. A cache that has fewer is gone through once.
    pub fn sweep(&self, places: usize) -> usize {
        let moment = self.moment();
        let mut place = self.sweeper.lock();
        let (mut left, mut removed) = (places, 0);
        if left == 0 {
            return 0;
        }
        for _ in 0..=self.cells.len() {
            let cell = &self.cells[place.cell];
            while let Some(swept) = self.sweep_some(cell, &mut place.slot, left.min(SLOTS_PER_LOCK), moment) {
                (left, removed) = (left - swept.places, removed + swept.removed);
                if left == 0 {
                    return removed;
                }
            }
            *place = Place { cell: (place.cell + 1) % self.cells.len(), slot: 0 };
        }
        removed
    }

    /// Looks at some places of a shard; `None` at its end.
    fn sweep_some(&self, cell: &Cell, slot: &mut usize, places: usize, moment: Moment) -> Option<Swept> {
        let mut shard = cell.shard.lock();
        let begin = *slot;
        let end = shard.slots().min(begin.saturating_add(places));
        let dead = take_out(&mut shard, begin..end, |shard, id| shard.reclaim(id, moment));
        *slot = end;
        self.settle(cell, &mut shard);
        drop(shard);
        (begin < end).then(|| Swept { places: end - begin, removed: dead.len() })
    }

    /// Removes what a flush whose moment has come does not tell from what is stored afterwards, and what died by the
    /// flush before. The rest is removed when it is found, as all that is dead.
    fn remove_flushed(&self, cell: &Cell, moment: Moment, replaced: Flush) {
        let Moment { now, flush } = moment;
        let mut shard = cell.shard.lock();
        let slots = 0..shard.slots();
        let dead = take_out(&mut shard, slots, |shard, id| {
            shard.remove_if(id, |slot| {
                let last_access = slot.last_access();
                replaced.covers(last_access, now) || flush.has_come(now) && !flush.is_long_before(last_access)
            })
        });
        self.settle(cell, &mut shard);
        drop(shard);
        drop(dead);
    }
}

/// Takes items out of some slots of a shard, from the last to the first: where these are all, one that is moved into a
/// gap was looked at before.
fn take_out(
    shard: &mut Shard,
    slots: std::ops::Range<usize>,
    mut take: impl FnMut(&mut Shard, SlotId) -> Option<Data>,
) -> Vec<Data> {
    let mut taken = Vec::new();
    for slot in slots.rev() {
        let id = SlotId::try_from(slot).ok().filter(|_| slot < shard.slots());
        taken.extend(id.and_then(|id| take(shard, id)));
    }
    taken
}
