//! Making room: by evicting, where the budget is used up.

use std::ptr;
use std::sync::atomic::Ordering;

use super::shard::{Garbage, Moment, Shard};
use super::{Cache, Cell};

/// How many items are evicted under one lock where many have to go.
const EVICTED_PER_LOCK: usize = 64;

impl Cache {
    /// Changes how much memory there is. If it is less than what is taken, items are evicted at once.
    pub fn set_memory_bytes(&self, bytes: usize) {
        self.budget.set_limit(bytes);
        let moment = self.moment();
        let mut may_help = self.evicts;
        while self.budget.is_exceeded() && may_help {
            may_help = self.cells.iter().map(|cell| self.evict_some(cell, moment)).sum::<usize>() > 0;
        }
    }

    /// Takes so many bytes out of the budget for a shard. Says whether there were as many.
    pub(super) fn make_room(
        &self,
        cell: &Cell,
        shard: &mut Shard,
        bytes: usize,
        moment: Moment,
        garbage: &mut Garbage,
    ) -> bool {
        while !self.budget.take(bytes) {
            let may_evict = self.evicts && bytes <= self.budget.limit();
            if !may_evict || !self.evict_one(cell, shard, moment, garbage) {
                return false;
            }
        }
        shard.accounted += bytes;
        true
    }

    /// Evicts an item, mostly of this shard: keys are spread evenly, and so are evictions. Large items are not, so that
    /// another shard is looked at each time, and gives up something if it is far larger.
    fn evict_one(&self, own: &Cell, shard: &mut Shard, moment: Moment, garbage: &mut Garbage) -> bool {
        let other = self.next_victim();
        let far_larger = shard.taken() + shard.taken() / 8;
        if other.bytes.load(Ordering::Relaxed) > far_larger && self.evict_from(own, other, moment) {
            return true;
        }
        if let Some(data) = shard.evict(moment) {
            garbage.add(data);
            self.settle(own, shard);
            return true;
        }
        self.cells.iter().any(|_| self.evict_from(own, self.next_victim(), moment))
    }

    /// Evicts an item of another shard. Whoever waited for its lock could be waited for by its holder, so that a shard
    /// that is in use is left alone.
    fn evict_from(&self, own: &Cell, cell: &Cell, moment: Moment) -> bool {
        if ptr::eq(own, cell) {
            return false;
        }
        let Some(mut shard) = cell.shard.try_lock() else {
            return false;
        };
        let evicted = shard.evict(moment);
        self.settle(cell, &mut shard);
        drop(shard);
        evicted.is_some()
    }

    /// Evicts some items of a shard, if there is too much; says how many.
    fn evict_some(&self, cell: &Cell, moment: Moment) -> usize {
        let mut shard = cell.shard.lock();
        let mut evicted = 0;
        while evicted < EVICTED_PER_LOCK && self.budget.is_exceeded() && shard.evict(moment).is_some() {
            evicted += 1;
            self.settle(cell, &mut shard);
        }
        evicted
    }

    fn next_victim(&self) -> &Cell {
        &self.cells[self.next_victim.fetch_add(1, Ordering::Relaxed) % self.cells.len()]
    }
}
