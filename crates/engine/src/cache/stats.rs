//! The figures of a store of items.

use super::counters::Counters;
use super::event::Event;

/// What has happened in a store of items, and what there is.
///
/// ```
/// use charioteer_engine::Clock;
/// use charioteer_engine::cache::{Cache, CacheOptions, Event, Expiry, Read, Store};
///
/// let cache = Cache::new(CacheOptions::default(), Clock::system());
/// cache.run(b"key", Store::set("value".into(), 0, Expiry::NEVER))?;
/// cache.run(b"key", Read::get())?;
///
/// let stats = cache.stats();
/// assert_eq!((stats.count(Event::Set), stats.count(Event::GetHit)), (1, 1));
/// assert_eq!((stats.items, stats.item_bytes), (1, 48 + 8 + 4 + 7));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    pub(super) counters: Counters,
    /// How many items there are. Dead ones count until they are found.
    pub items: usize,
    /// How large they count, see [`item_size`](super::item_size).
    pub item_bytes: usize,
    /// What they take of the memory, with everything around them.
    pub memory_bytes: usize,
    /// How often everything was flushed.
    pub flushes: u64,
}

impl CacheStats {
    /// How often that has happened.
    #[must_use]
    pub const fn count(&self, event: Event) -> u64 {
        self.counters.get(event)
    }
}
