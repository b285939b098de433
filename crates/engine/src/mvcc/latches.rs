//! Latches, under which the commands of a key follow each other.

use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};

use super::command::Latches;

const STRIPES: usize = 256;

/// A fixed number of latches that all keys share: two may have the same one, which costs waiting and nothing else.
pub(super) struct KeyLatches {
    stripes: Box<[Mutex<()>]>,
    hasher: RandomState,
}

impl KeyLatches {
    pub(super) fn new() -> Self {
        Self { stripes: (0..STRIPES).map(|_| Mutex::new(())).collect(), hasher: RandomState::new() }
    }

    /// Waits for all of them, in their order, so that nobody waits in a circle.
    pub(super) fn take(&self, latches: &Latches) -> Vec<MutexGuard<'_, ()>> {
        match latches {
            Latches::All => self.stripes.iter().map(Mutex::lock).collect(),
            Latches::Keys(keys) => {
                let mut stripes: Vec<usize> = keys.iter().map(|key| self.stripe(key)).collect();
                stripes.sort_unstable();
                stripes.dedup();
                stripes.into_iter().filter_map(|stripe| self.stripes.get(stripe)).map(Mutex::lock).collect()
            }
        }
    }

    fn stripe(&self, key: &Bytes) -> usize {
        let [low, ..] = self.hasher.hash_one(key).to_le_bytes();
        usize::from(low)
    }
}
