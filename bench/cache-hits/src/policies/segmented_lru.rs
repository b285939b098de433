//! memcached's segmented LRU, as 1.6.45 does it in one slab class (`lru_pull_tail`, `lru_maintainer_juggle`,
//! `do_item_bump` in its `items.c`), with the thread that moves items always in time.

use super::Policy;
use crate::lists::List;

const HOT_PERCENT: usize = 20;
const WARM_PERCENT: usize = 40;

/// An item in HOT or WARM that was not used for this part of the age of COLD's oldest goes to COLD.
const HOT_AGE_FACTOR: f64 = 0.2;
const WARM_AGE_FACTOR: f64 = 2.0;

/// The thread that moves items does so at most as often before it looks at the ages again.
const MOST_MOVES: usize = 500;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Segment {
    Nowhere,
    Hot,
    Warm,
    Cold,
}

/// A cache of so many items that evicts as memcached does.
pub(crate) struct SegmentedLru {
    capacity: usize,
    hot: List,
    warm: List,
    cold: List,
    segment: Vec<Segment>,
    was_fetched: Vec<bool>,
    is_active: Vec<bool>,
    /// When an item was used last, in requests.
    time: Vec<u32>,
    now: u32,
}

impl SegmentedLru {
    pub(crate) fn new(capacity: usize, keys: usize) -> Self {
        Self {
            capacity,
            hot: List::new(keys),
            warm: List::new(keys),
            cold: List::new(keys),
            segment: vec![Segment::Nowhere; keys],
            was_fetched: vec![false; keys],
            is_active: vec![false; keys],
            time: vec![0; keys],
            now: 0,
        }
    }

    fn len(&self) -> usize {
        self.hot.len() + self.warm.len() + self.cold.len()
    }

    fn move_to(&mut self, id: u32, segment: Segment) {
        let at = id as usize;
        let old = std::mem::replace(&mut self.segment[at], segment);
        if let Some(list) = self.list(old) {
            list.remove(id);
        }
        if let Some(list) = self.list(segment) {
            list.push(id);
        }
    }

    const fn list(&mut self, segment: Segment) -> Option<&mut List> {
        match segment {
            Segment::Nowhere => None,
            Segment::Hot => Some(&mut self.hot),
            Segment::Warm => Some(&mut self.warm),
            Segment::Cold => Some(&mut self.cold),
        }
    }

    /// The first use marks an item as fetched, the second as active; an active one in COLD moves at once.
    fn bump(&mut self, id: u32) {
        let at = id as usize;
        if self.is_active[at] {
            return;
        }
        if !std::mem::replace(&mut self.was_fetched[at], true) {
            return;
        }
        self.time[at] = self.now;
        if self.segment[at] == Segment::Cold {
            self.move_to(id, Segment::Warm);
        } else {
            self.is_active[at] = true;
        }
    }

    fn evict(&mut self) {
        while self.len() >= self.capacity {
            match self.cold.oldest() {
                Some(id) => self.move_to(id, Segment::Nowhere),
                None => match self.hot.oldest().or_else(|| self.warm.oldest()) {
                    Some(id) => self.move_to(id, Segment::Cold),
                    None => return,
                },
            }
        }
    }

    fn juggle(&mut self) {
        let cold_age = self.cold.oldest().map_or(0, |id| self.now - self.time[id as usize]);
        let (hot_age, warm_age) = (f64::from(cold_age) * HOT_AGE_FACTOR, f64::from(cold_age) * WARM_AGE_FACTOR);
        let total = self.len();
        for _ in 0..MOST_MOVES {
            let moved = self.pull(Segment::Hot, total * HOT_PERCENT / 100, hot_age)
                || self.pull(Segment::Warm, total * WARM_PERCENT / 100, warm_age);
            if !self.pull_cold() && !moved {
                return;
            }
        }
    }

    /// Moves the oldest item of HOT or WARM, if it is active, or there are too many, or it is too old.
    fn pull(&mut self, from: Segment, limit: usize, most_age: f64) -> bool {
        let Some(list) = self.list(from) else {
            return false;
        };
        let (Some(id), len) = (list.oldest(), list.len()) else {
            return false;
        };
        if std::mem::take(&mut self.is_active[id as usize]) {
            self.move_to(id, Segment::Warm);
            return true;
        }
        let is_old = f64::from(self.now - self.time[id as usize]) > most_age;
        if len > limit || is_old {
            self.move_to(id, Segment::Cold);
        }
        len > limit || is_old
    }

    fn pull_cold(&mut self) -> bool {
        let active = self.cold.oldest().filter(|id| self.is_active[*id as usize]);
        if let Some(id) = active {
            self.is_active[id as usize] = false;
            self.move_to(id, Segment::Warm);
        }
        active.is_some()
    }
}

impl Policy for SegmentedLru {
    fn request(&mut self, key: u32) -> bool {
        self.now += 1;
        let at = key as usize;
        if self.segment[at] != Segment::Nowhere {
            self.bump(key);
            return true;
        }
        self.evict();
        (self.was_fetched[at], self.is_active[at], self.time[at]) = (false, false, self.now);
        self.move_to(key, Segment::Hot);
        self.juggle();
        false
    }
}
