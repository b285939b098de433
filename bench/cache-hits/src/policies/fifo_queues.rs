//! S3-FIFO: a small queue, a main queue, and a memory of what was evicted from the small one.

use super::Policy;
use crate::lists::List;

const MOST_USES: u8 = 3;

/// A cache of so many items that evicts by S3-FIFO.
pub(crate) struct FifoQueues {
    capacity: usize,
    small: List,
    main: List,
    ghost: List,
    place: Vec<Place>,
    uses: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Nowhere,
    Small,
    Main,
    Ghost,
}

impl FifoQueues {
    pub(crate) fn new(capacity: usize, keys: usize) -> Self {
        Self {
            capacity,
            small: List::new(keys),
            main: List::new(keys),
            ghost: List::new(keys),
            place: vec![Place::Nowhere; keys],
            uses: vec![0; keys],
        }
    }

    fn evict(&mut self) {
        while !self.evict_or_move() {}
    }

    /// Whether the oldest item of the queue whose turn it is was evicted, rather than moved.
    fn evict_or_move(&mut self) -> bool {
        let from_small = self.small.len() * 10 >= self.capacity;
        let oldest = if from_small { self.small.oldest() } else { self.main.oldest() };
        let Some(id) = oldest.or_else(|| self.small.oldest()) else {
            return true;
        };
        let uses = self.uses[id as usize];
        if self.place[id as usize] == Place::Main {
            self.main.remove(id);
            self.uses[id as usize] = uses.saturating_sub(1);
            return self.put(id, if uses > 0 { Place::Main } else { Place::Nowhere });
        }
        self.small.remove(id);
        self.uses[id as usize] = 0;
        self.put(id, if uses > 0 { Place::Main } else { Place::Ghost })
    }

    /// Whether that place is none in the cache.
    fn put(&mut self, id: u32, place: Place) -> bool {
        self.place[id as usize] = place;
        match place {
            Place::Main => self.main.push(id),
            Place::Small => self.small.push(id),
            Place::Ghost => self.remember(id),
            Place::Nowhere => {}
        }
        matches!(place, Place::Ghost | Place::Nowhere)
    }

    fn remember(&mut self, id: u32) {
        self.ghost.push(id);
        if self.ghost.len() > self.capacity * 9 / 10
            && let Some(forgotten) = self.ghost.oldest()
        {
            self.ghost.remove(forgotten);
            self.place[forgotten as usize] = Place::Nowhere;
        }
    }
}

impl Policy for FifoQueues {
    fn request(&mut self, key: u32) -> bool {
        let uses = &mut self.uses[key as usize];
        let was_remembered = match self.place[key as usize] {
            Place::Small | Place::Main => {
                *uses = (*uses + 1).min(MOST_USES);
                return true;
            }
            Place::Ghost => true,
            Place::Nowhere => false,
        };
        *uses = 0;
        if was_remembered {
            self.ghost.remove(key);
            self.place[key as usize] = Place::Nowhere;
        }
        if self.small.len() + self.main.len() >= self.capacity {
            self.evict();
        }
        self.put(key, if was_remembered { Place::Main } else { Place::Small });
        false
    }
}
