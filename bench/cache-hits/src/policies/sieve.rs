//! SIEVE: one queue, and a hand that walks it and evicts the first it finds unused.

use super::Policy;
use crate::lists::List;

/// A cache of so many items that evicts by SIEVE.
pub(crate) struct Sieve {
    capacity: usize,
    queue: List,
    is_there: Vec<bool>,
    was_used: Vec<bool>,
    hand: Option<u32>,
}

impl Sieve {
    pub(crate) fn new(capacity: usize, keys: usize) -> Self {
        let (is_there, was_used) = (vec![false; keys], vec![false; keys]);
        Self { capacity, queue: List::new(keys), is_there, was_used, hand: None }
    }

    fn evict(&mut self) {
        let mut at = self.hand.or_else(|| self.queue.oldest());
        while let Some(id) = at {
            let next = self.queue.newer(id);
            if !std::mem::take(&mut self.was_used[id as usize]) {
                self.is_there[id as usize] = false;
                self.queue.remove(id);
                self.hand = next;
                return;
            }
            at = next.or_else(|| self.queue.oldest());
        }
    }
}

impl Policy for Sieve {
    fn request(&mut self, key: u32) -> bool {
        if self.is_there[key as usize] {
            self.was_used[key as usize] = true;
            return true;
        }
        if self.queue.len() == self.capacity {
            self.evict();
        }
        self.is_there[key as usize] = true;
        self.queue.push(key);
        false
    }
}
