//! Who decides what stays: the cache itself, and models of other policies over items of one size.

mod fifo_queues;
mod ours;
mod segmented_lru;
mod sieve;

pub(crate) use fifo_queues::FifoQueues;
pub(crate) use ours::{Ours, key_of};
pub(crate) use segmented_lru::SegmentedLru;
pub(crate) use sieve::Sieve;

/// Something that keeps items.
pub(crate) trait Policy {
    /// Asks for a key, and stores it if it is not there. Says whether it was.
    fn request(&mut self, key: u32) -> bool;
}
