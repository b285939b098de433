//! Where a family's rows lie in its keyspace: under the key, behind one byte, because the empty key is one too.

use std::ops::Bound;

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;

/// Stands before every key; other rows that a family may come to have are told by another byte.
pub(super) const KEY_PREFIX: u8 = b'k';

/// A stored key to look up, which most often fits the stack.
pub(super) type StoredKey = SmallVec<[u8; 96]>;

pub(super) fn lookup_key(key: &[u8]) -> StoredKey {
    let mut stored = StoredKey::with_capacity(1 + key.len());
    stored.push(KEY_PREFIX);
    stored.extend_from_slice(key);
    stored
}

/// A stored key to write, in an allocation of its own.
pub(super) fn stored_key(key: &[u8]) -> Bytes {
    let mut stored = BytesMut::with_capacity(1 + key.len());
    stored.put_u8(KEY_PREFIX);
    stored.put_slice(key);
    stored.freeze()
}

/// The key of a stored one.
pub(super) fn key_of(stored: &Bytes) -> Bytes {
    stored.slice(1.min(stored.len())..)
}

/// Behind the last key of all.
pub(super) fn end_of_keys() -> StoredKey {
    StoredKey::from_slice(&[KEY_PREFIX + 1])
}

pub(super) fn as_slice(bound: &Bound<StoredKey>) -> Bound<&[u8]> {
    bound.as_ref().map(|key| &key[..])
}
