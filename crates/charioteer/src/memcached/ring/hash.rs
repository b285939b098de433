//! The hashes that place keys, as clients in use compute them.

use crc::{CRC_32_ISO_HDLC, Crc};
use md5::{Digest, Md5};

const CRC_32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// CRC-32 as in zip files and everywhere.
pub(super) fn crc32(key: &[u8]) -> u32 {
    CRC_32.checksum(key)
}

/// What libmemcached calls CRC.
pub(super) fn crc15(key: &[u8]) -> u32 {
    (crc32(key) >> 16) & 0x7fff
}

/// MD5, as four numbers of little-endian bytes.
pub(super) fn digest(text: &[u8]) -> [u32; 4] {
    let digest: [u8; 16] = Md5::digest(text).into();
    let mut words = digest.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
    std::array::from_fn(|_| words.next().unwrap_or_default())
}

/// What libmemcached takes of MD5.
pub(super) fn md5(key: &[u8]) -> u32 {
    digest(key)[0]
}

/// Jenkins' "one at a time", over signed bytes as libmemcached has them.
pub(super) fn one_at_a_time(key: &[u8]) -> u32 {
    let mut hash = key.iter().fold(0_u32, |hash, &byte| {
        let hash = hash.wrapping_add(i32::from(byte.cast_signed()).cast_unsigned());
        let hash = hash.wrapping_add(hash << 10);
        hash ^ (hash >> 6)
    });
    hash = hash.wrapping_add(hash << 3);
    hash ^= hash >> 11;
    hash.wrapping_add(hash << 15)
}

/// FNV-1a for 32 bits, over signed bytes as libmemcached has them.
pub(super) fn fnv1a(key: &[u8]) -> u32 {
    key.iter().fold(0x811c_9dc5, |hash, &byte| {
        let byte = i32::from(byte.cast_signed()).cast_unsigned();
        (hash ^ byte).wrapping_mul(0x0100_0193)
    })
}

/// MurmurHash3 for 32 bits, with the seed 0.
pub(super) fn murmur3(bytes: &[u8]) -> u32 {
    let (blocks, rest) = bytes.as_chunks::<4>();
    let mut hash = blocks.iter().fold(0, |hash: u32, block| {
        let hash = hash ^ scrambled(u32::from_le_bytes(*block));
        hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
    });
    if !rest.is_empty() {
        hash ^= scrambled(rest.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte)));
    }
    // Its definition counts the length in 32 bits.
    #[expect(clippy::cast_possible_truncation, reason = "a key and a name have a few hundred bytes")]
    let length = bytes.len() as u32;
    hash ^= length;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

const fn scrambled(word: u32) -> u32 {
    word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_that_libmemcached_computes() {
        let keys = ["foo".as_bytes(), "kéy".as_bytes()];
        assert_eq!(keys.map(one_at_a_time), [0x2386_78dd, 0x5a7d_72d7]);
        assert_eq!(keys.map(md5), [0xdb18_bdac, 0xd351_e6e8]);
        assert_eq!(keys.map(crc15), [0x0c73, 0x0896]);
    }

    #[test]
    fn murmur3_gives_the_known_values() {
        for (text, hash) in [("", 0), ("test", 0xba6b_d213), ("Hello, world!", 0xc036_3e43)] {
            assert_eq!(murmur3(text.as_bytes()), hash, "{text}");
        }
    }
}
