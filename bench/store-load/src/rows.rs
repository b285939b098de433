//! The rows that stores are loaded with, made before anything is measured.

use bytes::Bytes;

/// The sort keys of one hash key.
pub(crate) const ROWS_PER_HASH_KEY: usize = 100;

pub(crate) const KEY_BYTES: usize = 34;

pub(crate) const VALUE_BYTES: usize = 100;

/// Larger than any number of rows, and prime, so that its multiples visit all of them in no order.
const STRIDE: usize = 1_000_000_007;

/// A key and a value.
#[derive(Clone, Debug)]
pub struct Row {
    /// As Pegasus has them: the length of the hash key in two bytes, the hash key, the sort key.
    pub key: Bytes,
    /// Bytes that cannot be compressed.
    pub value: Bytes,
}

/// Rows by number; those of one hash key follow each other, hash keys are in no order.
pub struct Rows {
    count: usize,
    keys: Bytes,
    values: Bytes,
}

impl Rows {
    /// So many rows, rounded up to whole hash keys. Keys from `first_hash_key` on are theirs alone.
    pub(crate) fn new(count: usize, first_hash_key: usize) -> Self {
        let hash_keys = count.div_ceil(ROWS_PER_HASH_KEY);
        let count = hash_keys * ROWS_PER_HASH_KEY;
        let mut keys = Vec::with_capacity(count * KEY_BYTES);
        for hash_key in first_hash_key..first_hash_key + hash_keys {
            for sort_key in 0..ROWS_PER_HASH_KEY {
                keys.extend([0, 16]);
                keys.extend(format!("{:016x}{sort_key:016}", scattered(hash_key as u64)).bytes());
            }
        }
        let mut values = Vec::with_capacity(count * VALUE_BYTES + 8);
        let words = (count * VALUE_BYTES).div_ceil(8) as u64;
        values.extend((0..words).flat_map(|word| scattered(word).to_le_bytes()));
        Self { count, keys: keys.into(), values: values.into() }
    }

    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    pub(crate) const fn hash_keys(&self) -> usize {
        self.count / ROWS_PER_HASH_KEY
    }

    /// What the keys and values take by themselves.
    pub(crate) const fn bytes(&self) -> usize {
        self.count * (KEY_BYTES + VALUE_BYTES)
    }

    pub(crate) fn key(&self, number: usize) -> Bytes {
        self.keys.slice(number * KEY_BYTES..(number + 1) * KEY_BYTES)
    }

    /// A row as its `version`-th writing leaves it.
    pub(crate) fn row(&self, number: usize, version: usize) -> Row {
        let at = (number + version) % self.count;
        Row { key: self.key(number), value: self.values.slice(at * VALUE_BYTES..(at + 1) * VALUE_BYTES) }
    }

    /// The rows of one hash key.
    pub(crate) fn of_hash_key(&self, hash_key: usize, version: usize) -> impl Iterator<Item = Row> {
        (hash_key * ROWS_PER_HASH_KEY..(hash_key + 1) * ROWS_PER_HASH_KEY).map(move |number| self.row(number, version))
    }

    /// Rows without end for one of several writers, who seldom meet at a row.
    pub fn of_writer(&self, writer: usize) -> impl Iterator<Item = Row> {
        let first = writer.wrapping_mul(self.count / 7);
        (first..).map(|turn| self.row(shuffled(turn, self.count), turn / self.count))
    }

    /// The first and the last key of one hash key.
    pub(crate) fn bounds_of_hash_key(&self, hash_key: usize) -> (Bytes, Bytes) {
        (self.key(hash_key * ROWS_PER_HASH_KEY), self.key((hash_key + 1) * ROWS_PER_HASH_KEY - 1))
    }
}

/// The `turn`-th of `count` numbers in an order that is none; each comes once before any comes again.
pub(crate) const fn shuffled(turn: usize, count: usize) -> usize {
    turn % count * (STRIDE % count) % count
}

/// Splitmix64: different numbers for different numbers, without a pattern.
const fn scattered(number: u64) -> u64 {
    let mut bits = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn rows_have_their_sizes_and_keys_of_their_own() {
        let (rows, more) = (Rows::new(250, 0), Rows::new(100, 3));
        assert_eq!((rows.count(), rows.hash_keys()), (300, 3));
        let row = rows.row(299, 2);
        assert_eq!((row.key.len(), row.value.len()), (KEY_BYTES, VALUE_BYTES));
        let keys: HashSet<_> =
            (0..300).map(|number| rows.key(number)).chain((0..100).map(|number| more.key(number))).collect();
        assert_eq!(keys.len(), 400);
        assert_ne!(rows.row(7, 0).value, rows.row(7, 1).value);
    }

    #[test]
    fn shuffling_visits_all() {
        let visited: HashSet<_> = (0..300_000).map(|turn| shuffled(turn, 300_000)).collect();
        assert_eq!(visited.len(), 300_000);
    }
}
