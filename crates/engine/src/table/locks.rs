//! Locks under which the writers of one hash key exclude each other.

use std::array;

use parking_lot::{Mutex, MutexGuard};

use super::key::crc64;

/// One lock for every value of a byte.
const STRIPES: usize = 1 << u8::BITS;

/// A fixed number of locks that all hash keys share: two may have the same one, which costs waiting
/// and nothing else.
///
/// A writer holds one of them at a time, so that there is no order to keep.
pub(super) struct HashKeyLocks {
    stripes: Box<[Mutex<()>; STRIPES]>,
}

impl HashKeyLocks {
    pub(super) fn new() -> Self {
        Self { stripes: Box::new(array::from_fn(|_| Mutex::new(()))) }
    }

    pub(super) fn lock(&self, partition: u32, hash_key: &[u8]) -> MutexGuard<'_, ()> {
        let [stripe, ..] = (crc64(hash_key) ^ u64::from(partition)).to_le_bytes();
        self.stripes[usize::from(stripe)].lock()
    }
}
