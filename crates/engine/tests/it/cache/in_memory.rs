//! The suite on items in memory.

#[path = "suite/mod.rs"]
mod suite;

use charioteer_engine::cache::{Cache, CacheOptions, CacheStats, Operation, Read};
use charioteer_engine::{Clock, Error};

/// A fresh store of items.
pub(crate) struct TestItems {
    cache: Cache,
}

impl TestItems {
    /// Whether a read that changes nothing else is noted.
    pub(crate) const NOTES_READS: bool = true;

    /// How many runs of the model there are.
    pub(crate) const MODEL_CASES: u32 = 256;

    pub(crate) fn new(item_limit: usize, clock: Clock) -> Self {
        Self { cache: Cache::new(CacheOptions { item_limit, ..CacheOptions::default() }, clock) }
    }

    pub(crate) fn run<O: Operation>(&self, key: &[u8], operation: O) -> O::Reply {
        self.cache.run(key, operation).unwrap()
    }

    pub(crate) fn assert_refuses(&self, key: &[u8]) {
        assert_eq!(self.cache.run(key, Read::get()), Err(Error::ItemKey { len: key.len() }));
    }

    pub(crate) fn flush(&self, moment: u32) {
        self.cache.flush(moment);
    }

    pub(crate) fn sweep(&self) -> usize {
        self.cache.sweep(1000)
    }

    pub(crate) fn stats(&self) -> CacheStats {
        self.cache.stats()
    }
}
