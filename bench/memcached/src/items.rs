//! What is stored: keys of 32 bytes and values of 100, another one for every item, the same in every program.

use std::ops::Range;

use bytes::Bytes;

/// How long a value is.
pub(crate) const VALUE_BYTES: usize = 100;

/// An item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) key: String,
    pub(crate) value: Bytes,
}

impl Item {
    /// The item of that number.
    pub(crate) fn new(number: u32) -> Self {
        // An odd factor gives every number a name of its own and leaves no order between neighbours.
        let key = format!("item:{number:010}:{:016x}", u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let value = key.bytes().rev().cycle().take(VALUE_BYTES).collect();
        Self { key, value }
    }
}

/// The items of these numbers.
pub(crate) fn items(numbers: Range<u32>) -> Vec<Item> {
    numbers.map(Item::new).collect()
}

/// Chooses at random (splitmix64), the same in every run.
#[derive(Debug)]
pub(crate) struct Choice(u64);

impl Choice {
    pub(crate) fn new(number: u16) -> Self {
        Self(number.into())
    }

    /// A place, from which so many items are taken, and whether it is for a get where both are made.
    pub(crate) fn next(&mut self, keys: usize, items: usize) -> (Range<usize>, bool) {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let random = z ^ z >> 31;
        let chosen = u128::from(random & 0xffff_ffff) * (items + 1 - keys) as u128;
        let first = usize::try_from(chosen >> 32).unwrap_or_default();
        (first..first + keys, random >> 63 == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_as_long_as_they_are_to_be() {
        let item = Item::new(7);
        assert_eq!(item.key, "item:0000000007:538454127b096493");
        assert_eq!((item.key.len(), item.value.len()), (32, VALUE_BYTES));
        assert_eq!(&item.value[..32], item.key.bytes().rev().collect::<Vec<_>>());
    }

    #[test]
    fn every_place_is_chosen_about_as_often() {
        let mut choice = Choice::new(1);
        let mut chosen = [0; 10];
        for _ in 0..10_000 {
            chosen[choice.next(3, 12).0.start] += 1;
        }
        assert!(chosen.iter().all(|count| (800..1200).contains(count)), "{chosen:?}");
    }
}
