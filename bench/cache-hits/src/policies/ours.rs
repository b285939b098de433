//! The cache of the engine, as it is.

use charioteer_engine::Clock;
use charioteer_engine::cache::{Cache, CacheOptions, Expiry, Read, Store};

use super::Policy;

/// Items have keys of 32 bytes and values of 100.
const VALUE: &[u8; 100] = &[b'v'; 100];

/// Charioteer's cache.
pub(crate) struct Ours {
    cache: Cache,
}

impl Ours {
    pub(crate) fn new(memory_bytes: usize) -> Self {
        Self { cache: Cache::new(CacheOptions { memory_bytes, ..CacheOptions::default() }, Clock::system()) }
    }

    /// How many items it holds.
    pub(crate) fn items(&self) -> usize {
        self.cache.stats().items
    }
}

impl Policy for Ours {
    fn request(&mut self, key: u32) -> bool {
        let key = key_of(key);
        let found = self.cache.run(&key, Read::get());
        if matches!(found, Ok(Some(_))) {
            return true;
        }
        let _ = self.cache.run(&key, Store::set(VALUE[..].into(), 0, Expiry::NEVER));
        false
    }
}

/// The 32 bytes that stand for a number.
pub(crate) fn key_of(number: u32) -> [u8; 32] {
    let mut key = *b"user:session:0000000000:profile:";
    let mut rest = number;
    for digit in key[13..23].iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    key
}
