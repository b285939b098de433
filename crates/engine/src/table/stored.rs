//! Where a table's rows lie in its keyspace: under the partition, as a big-endian `u32`, and then
//! the raw key.

use std::ops::Bound;

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;

use super::operation::WalkRange;

const PARTITION_BYTES: usize = size_of::<u32>();

/// A stored key to look up, which most often fits the stack.
pub(super) type StoredKey = SmallVec<[u8; 96]>;

pub(super) fn lookup_key(partition: u32, raw: &[u8]) -> StoredKey {
    let mut stored = StoredKey::with_capacity(PARTITION_BYTES + raw.len());
    stored.extend_from_slice(&partition.to_be_bytes());
    stored.extend_from_slice(raw);
    stored
}

/// A stored key to write, in an allocation of its own.
pub(super) fn stored_key(partition: u32, raw: &[u8]) -> Bytes {
    let mut stored = BytesMut::with_capacity(PARTITION_BYTES + raw.len());
    stored.put_u32(partition);
    stored.put_slice(raw);
    stored.freeze()
}

/// The raw key of a stored one.
pub(super) fn raw_of(stored: &[u8]) -> &[u8] {
    stored.get(PARTITION_BYTES..).unwrap_or_default()
}

/// The stored keys of a walk; its open ends are those of the partition.
pub(super) fn stored_range(partition: u32, range: &WalkRange) -> (Bound<StoredKey>, Bound<StoredKey>) {
    let start = match &range.start {
        Bound::Included(raw) => Bound::Included(lookup_key(partition, raw)),
        Bound::Excluded(raw) => Bound::Excluded(lookup_key(partition, raw)),
        Bound::Unbounded => Bound::Included(lookup_key(partition, b"")),
    };
    let end = match (&range.end, partition.checked_add(1)) {
        (Bound::Included(raw), _) => Bound::Included(lookup_key(partition, raw)),
        (Bound::Excluded(raw), _) => Bound::Excluded(lookup_key(partition, raw)),
        (Bound::Unbounded, Some(next)) => Bound::Excluded(lookup_key(next, b"")),
        (Bound::Unbounded, None) => Bound::Unbounded,
    };
    (start, end)
}

pub(super) fn as_slice(bound: &Bound<StoredKey>) -> Bound<&[u8]> {
    bound.as_ref().map(|key| &key[..])
}
