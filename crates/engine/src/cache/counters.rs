//! Counters of events.

use super::event::Event;

/// How often each event happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counters {
    counts: [u64; Event::COUNT],
}

impl Counters {
    pub(super) const fn new() -> Self {
        Self { counts: [0; Event::COUNT] }
    }

    pub(super) const fn count(&mut self, event: Event) {
        self.counts[event as usize] += 1;
    }

    pub(super) const fn get(&self, event: Event) -> u64 {
        self.counts[event as usize]
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(count, more)| *count += more);
    }
}
