//! Raw keys: how a hash key and a sort key become one ordered key, and which partition it belongs
//! to.
//!
//! A raw key is the length of the hash key as a big-endian `u16`, the hash key, the sort key. Rows
//! are therefore ordered by the length of their hash keys first: "b" comes before "aa".

use std::ops::Bound;

use bytes::{BufMut, Bytes, BytesMut};
use crc::{CRC_64_NVME, Crc, Table};

const LENGTH_BYTES: usize = size_of::<u16>();

/// The raw key of a row.
///
/// A hash key longer than 65,535 bytes gets that length as its prefix; such a raw key is longer
/// than any that is stored, so that it can be read (as missing) but never written.
///
/// ```
/// use charioteer_engine::table::{raw_key, split};
///
/// let raw = raw_key(b"hash", b"sort");
/// assert_eq!(&raw[..], b"\0\x04hashsort");
/// assert_eq!(split(&raw), Some((&b"hash"[..], &b"sort"[..])));
/// ```
#[must_use]
pub fn raw_key(hash_key: &[u8], sort_key: &[u8]) -> Bytes {
    let mut raw = BytesMut::with_capacity(LENGTH_BYTES + hash_key.len() + sort_key.len());
    raw.put_u16(u16::try_from(hash_key.len()).unwrap_or(u16::MAX));
    raw.put_slice(hash_key);
    raw.put_slice(sort_key);
    raw.freeze()
}

/// The hash key and the sort key of a raw key; `None` if it is shorter than it says.
#[must_use]
pub fn split(raw: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, keys) = raw.split_first_chunk::<LENGTH_BYTES>()?;
    keys.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// The exclusive upper bound of all keys that start with `prefix`; unbounded when nothing sorts
/// after them.
///
/// ```
/// use std::ops::Bound;
/// use charioteer_engine::table::next_after;
///
/// assert_eq!(next_after(b"ab\xff"), Bound::Excluded("ac".into()));
/// assert_eq!(next_after(b"\xff\xff"), Bound::Unbounded);
/// ```
#[must_use]
pub fn next_after(prefix: &[u8]) -> Bound<Bytes> {
    let kept = prefix.iter().rposition(|byte| *byte != u8::MAX).map_or(0, |at| at + 1);
    let mut next = BytesMut::from(prefix.get(..kept).unwrap_or_default());
    match next.last_mut() {
        Some(last) => *last += 1,
        None => return Bound::Unbounded,
    }
    Bound::Excluded(next.freeze())
}

/// The exclusive upper bound of all raw keys with this hash key. The carry may go into the length:
/// after the hash key `ff ff` comes `00 03`.
///
/// ```
/// use std::ops::Bound;
/// use charioteer_engine::table::next_after_hash_key;
///
/// assert_eq!(next_after_hash_key(b"a"), Bound::Excluded("\0\x01b".into()));
/// assert_eq!(next_after_hash_key(b"\xff\xff"), Bound::Excluded("\0\x03".into()));
/// ```
#[must_use]
pub fn next_after_hash_key(hash_key: &[u8]) -> Bound<Bytes> {
    next_after(&raw_key(hash_key, b""))
}

/// The hash that places a raw key: of its hash key, or of its sort key when the hash key is empty.
/// A malformed key hashes as if all of it were sort key.
///
/// The partition is the remainder of this hash by the number of partitions, unsigned.
///
/// ```
/// use charioteer_engine::table::{crc64, partition_hash, raw_key};
///
/// assert_eq!(partition_hash(&raw_key(b"hk", b"any")), 0x5d9a_d5b5_1c9a_4ab3);
/// assert_eq!(partition_hash(&raw_key(b"", b"s")), crc64(b"s"));
/// ```
#[must_use]
pub fn partition_hash(raw: &[u8]) -> u64 {
    match split(raw) {
        Some((b"", sort_key)) => crc64(sort_key),
        Some((hash_key, _)) => crc64(hash_key),
        None => crc64(raw.get(LENGTH_BYTES..).unwrap_or_default()),
    }
}

/// The hash key under which writers of this raw key exclude each other; a malformed key stands for
/// itself.
pub(super) fn lock_of(raw: &[u8]) -> &[u8] {
    split(raw).map_or(raw, |(hash_key, _)| hash_key)
}

/// The sort key of a raw key; empty if the key is malformed.
pub(super) fn sort_key_of(raw: &[u8]) -> &[u8] {
    split(raw).map_or(&[], |(_, sort_key)| sort_key)
}

/// The CRC-64 that Pegasus places keys with: reflected polynomial `9a6c9329ac4bc9b5`, initial value
/// and final xor of all ones; catalogued as CRC-64/NVME.
///
/// ```
/// use charioteer_engine::table::crc64;
///
/// assert_eq!(crc64(b"123456789"), 0xae8b_1486_0a79_9888);
/// ```
#[must_use]
pub fn crc64(bytes: &[u8]) -> u64 {
    CRC64.checksum(bytes)
}

static CRC64: Crc<u64, Table<1>> = Crc::<u64, Table<1>>::new(&CRC_64_NVME);
