//! Latches, under which the commands of a key follow each other.

use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::command::Latches;

/// So many that commands of some dozens of keys seldom want the same one. A latch is a byte.
const STRIPES: usize = 1 << 16;

/// A fixed number of latches that all keys share: two may have the same one, which costs waiting and nothing else.
pub(super) struct KeyLatches {
    stripes: Box<[Mutex<()>]>,
    /// Shared by those who want keys.
    all: RwLock<()>,
    hasher: RandomState,
}

/// The latches of a command, given back with it.
pub(super) enum Held<'a> {
    Keys { _all: RwLockReadGuard<'a, ()>, _keys: Vec<MutexGuard<'a, ()>> },
    All { _all: RwLockWriteGuard<'a, ()> },
}

impl KeyLatches {
    pub(super) fn new() -> Self {
        let stripes = (0..STRIPES).map(|_| Mutex::new(())).collect();
        Self { stripes, all: RwLock::new(()), hasher: RandomState::new() }
    }

    /// Waits for all of them, in their order, so that nobody waits in a circle.
    pub(super) fn take(&self, latches: &Latches) -> Held<'_> {
        match latches {
            Latches::All => Held::All { _all: self.all.write() },
            Latches::Keys(keys) => {
                let _all = self.all.read();
                let mut stripes: Vec<usize> = keys.iter().map(|key| self.stripe(key)).collect();
                stripes.sort_unstable();
                stripes.dedup();
                let keys = stripes.into_iter().filter_map(|stripe| self.stripes.get(stripe)).map(Mutex::lock);
                Held::Keys { _all, _keys: keys.collect() }
            }
        }
    }

    fn stripe(&self, key: &Bytes) -> usize {
        let [low, high, ..] = self.hasher.hash_one(key).to_le_bytes();
        usize::from(u16::from_le_bytes([low, high]))
    }
}
