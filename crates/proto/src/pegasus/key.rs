//! Keys: how a hash key and a sort key become one raw key, and which partition a row belongs to.

use bytes::{BufMut, Bytes, BytesMut};
use crc::{CRC_64_NVME, Crc, Table};

/// The longest hash key. The original's server aborts at longer ones.
pub const MAX_HASH_KEY_BYTES: usize = 65_534;

/// Pegasus' CRC-64 is the one that is known by the name of NVMe (and of Rocksoft).
static CRC64: Crc<u64, Table<1>> = Crc::<u64, Table<1>>::new(&CRC_64_NVME);

/// The raw key: the hash key's length in two bytes, the hash key, the sort key. Rows are in the order of raw keys, so that a
/// shorter hash key comes first.
///
/// Only the first 65,535 bytes of a hash key can be told; see [`MAX_HASH_KEY_BYTES`] for what to refuse before.
///
/// ```
/// use charioteer_proto::pegasus::key;
///
/// assert_eq!(&key::raw(b"hk", b"sk")[..], b"\x00\x02hksk");
/// ```
#[must_use]
pub fn raw(hash_key: &[u8], sort_key: &[u8]) -> Bytes {
    let length = u16::try_from(hash_key.len()).unwrap_or(u16::MAX);
    let hash_key = &hash_key[..usize::from(length)];
    let mut raw = BytesMut::with_capacity(2 + hash_key.len() + sort_key.len());
    raw.put_u16(length);
    raw.put_slice(hash_key);
    raw.put_slice(sort_key);
    raw.freeze()
}

/// The hash key and the sort key of a raw key, or `None` when it is shorter than it says.
///
/// ```
/// use charioteer_proto::pegasus::key;
///
/// assert_eq!(key::split(b"\x00\x02hksk"), Some((&b"hk"[..], &b"sk"[..])));
/// assert_eq!(key::split(b"\x00\x09hk"), None);
/// ```
#[must_use]
pub fn split(raw: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = raw.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// The hash of bytes by which rows are spread over partitions.
///
/// ```
/// assert_eq!(charioteer_proto::pegasus::key::crc64(b"123456789"), 0xae8b_1486_0a79_9888);
/// ```
#[must_use]
pub fn crc64(bytes: &[u8]) -> u64 {
    // The checksum of nothing is 0 with this variant, which is also what Pegasus takes for the hash of an empty key.
    CRC64.checksum(bytes)
}

/// The hash of a row: that of its hash key, or of its sort key where the hash key is empty.
#[must_use]
pub fn partition_hash(hash_key: &[u8], sort_key: &[u8]) -> u64 {
    crc64(if hash_key.is_empty() { sort_key } else { hash_key })
}

/// The hash of the row that a raw key names; 0 for one that is shorter than it says.
#[must_use]
pub fn raw_partition_hash(raw: &[u8]) -> u64 {
    split(raw).map_or(0, |(hash_key, sort_key)| partition_hash(hash_key, sort_key))
}
