//! What was evicted lately: not the items, only a trace of their keys.

use super::data::allocated;

/// How many traces share a place; the oldest of them goes when another comes.
const TRACES: usize = 8;

/// How many buckets of the table there are for each trace.
const BUCKETS_PER_TRACE: usize = 2;

type Place = [u16; TRACES];

/// Traces of the last evicted keys.
///
/// A trace is 16 bits of the key's hash in a place that other bits choose, so that one key in eight thousand is taken for
/// another that was evicted, which does no harm.
#[derive(Default)]
pub(super) struct Ghost {
    places: Vec<Place>,
}

impl Ghost {
    pub(super) fn allocated_bytes(&self) -> usize {
        if self.places.is_empty() { 0 } else { allocated(self.places.capacity() * size_of::<Place>()) }
    }

    /// How many bytes more it takes to go with a table of so many buckets.
    pub(super) fn growth_for(&self, buckets: usize) -> usize {
        allocated(places_for(buckets) * size_of::<Place>()).saturating_sub(self.allocated_bytes())
    }

    /// Grows, if need be, to go with a table of so many buckets. What it remembers it still does.
    pub(super) fn grow_for(&mut self, buckets: usize) {
        let wanted = places_for(buckets);
        if self.places.len() >= wanted {
            return;
        }
        let mut places = Vec::with_capacity(wanted);
        // A key's place in the larger table is that of the smaller one, or as much further on as its next bits say.
        // Each trace is put at all of these: the needless ones go first, because nobody asks for them.
        while places.len() < wanted {
            match self.places.len() {
                0 => places.resize(wanted, [0; TRACES]),
                _ => places.extend_from_slice(&self.places),
            }
        }
        self.places = places;
    }

    pub(super) fn remember(&mut self, hash: u64) {
        let trace = trace_of(hash);
        if let Some(place) = self.place_of(hash) {
            place.rotate_right(1);
            place[0] = trace;
        }
    }

    /// Whether the key was remembered; it is not any more.
    pub(super) fn forget(&mut self, hash: u64) -> bool {
        let trace = trace_of(hash);
        let Some(place) = self.place_of(hash) else {
            return false;
        };
        let Some(at) = place.iter().position(|other| *other == trace) else {
            return false;
        };
        place[at] = 0;
        place[at..].rotate_left(1);
        true
    }

    fn place_of(&mut self, hash: u64) -> Option<&mut Place> {
        let mask = self.places.len().checked_sub(1)?;
        let [_, _, a, b, c, d, ..] = hash.to_be_bytes();
        self.places.get_mut(u32::from_be_bytes([a, b, c, d]) as usize & mask)
    }
}

/// How many places go with a table of so many buckets, of which at most seven in eight are used: a power of two, as
/// is their number.
const fn places_for(buckets: usize) -> usize {
    let places = buckets / TRACES / BUCKETS_PER_TRACE;
    if places == 0 { 1 } else { places.next_power_of_two() }
}

/// No key has the trace 0, which is nobody's.
fn trace_of(hash: u64) -> u16 {
    let [.., a, b] = hash.to_be_bytes();
    u16::from_be_bytes([a, b]).max(1)
}

#[cfg(test)]
mod tests {
    use super::Ghost;

    fn hash_of(key: u64) -> u64 {
        xxhash_rust::xxh3::xxh3_64(&key.to_be_bytes())
    }

    #[test]
    fn what_was_remembered_is_found_once() {
        let mut ghost = Ghost::default();
        assert!(!ghost.forget(hash_of(1)), "there is no place yet");
        ghost.grow_for(100);
        ghost.remember(hash_of(1));
        assert!(!ghost.forget(hash_of(2)));
        assert!(ghost.forget(hash_of(1)));
        assert!(!ghost.forget(hash_of(1)));
    }

    #[test]
    fn it_remembers_half_as_many_keys_as_there_are_buckets() {
        let mut ghost = Ghost::default();
        ghost.grow_for(8192);
        (0..100_000).for_each(|key| ghost.remember(hash_of(key)));
        let found =
            |keys: std::ops::Range<u64>, ghost: &mut Ghost| keys.filter(|key| ghost.forget(hash_of(*key))).count();
        assert!(found(98_000..100_000, &mut ghost) > 1900);
        assert!(found(0..90_000, &mut ghost) < 100);
    }

    #[test]
    fn growing_forgets_nothing() {
        let mut ghost = Ghost::default();
        ghost.grow_for(4096);
        (0..500).for_each(|key| ghost.remember(hash_of(key)));
        let before = ghost.allocated_bytes();
        let growth = ghost.growth_for(32_768);
        ghost.grow_for(32_768);
        assert_eq!(ghost.allocated_bytes(), before + growth);
        assert!((0..500).filter(|key| ghost.forget(hash_of(*key))).count() > 490);
    }
}
