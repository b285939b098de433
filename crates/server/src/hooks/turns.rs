//! Which of the requests that a fault is for it is applied to.

/// Which of the requests that a fault is for it is applied to: all of them, unless something else is said.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Turns {
    pub(crate) times: Option<u64>,
    pub(crate) skip: u64,
    odds: Option<Odds>,
}

/// Every `chances`-th request on average, the same ones for the same seed.
#[derive(Clone, Copy, Debug)]
struct Odds {
    chances: u64,
    seed: u64,
}

impl Turns {
    /// One in so many on average (0 counts as 1), at random.
    pub(crate) fn one_in(&mut self, chances: u64, seed: u64) {
        self.odds = Some(Odds { chances: chances.max(1), seed });
    }

    /// Whether all turns have been taken.
    pub(super) fn are_over(self, hits: u64) -> bool {
        self.times.is_some_and(|times| hits >= times)
    }

    /// Whether the `number`-th request that a fault is for is one of those that it is applied to.
    pub(super) fn hit(self, number: u64) -> bool {
        number > self.skip && self.odds.is_none_or(|odds| odds.hit(number))
    }
}

/// What every protocol's `Fault` has to say of its turns.
macro_rules! turns_of_a_fault {
    () => {
        /// So often only.
        pub const fn times(mut self, count: u64) -> Self {
            self.turns.times = Some(count);
            self
        }

        /// Not for the first `count` requests that it would be for.
        pub const fn skip(mut self, count: u64) -> Self {
            self.turns.skip = count;
            self
        }

        /// For one in so many requests on average (0 counts as 1), chosen at random. With the same seed it is the same ones of those
        /// that arrive.
        pub fn one_in(mut self, chances: u64, seed: u64) -> Self {
            self.turns.one_in(chances, seed);
            self
        }
    };
}

pub(crate) use turns_of_a_fault;

impl Odds {
    const fn hit(self, number: u64) -> bool {
        // SplitMix64, whose every output looks random whatever the inputs have in common.
        let mut mixed = self.seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).is_multiple_of(self.chances)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odds_are_as_given_and_the_same_for_the_same_seed() {
        let hits =
            |seed| -> Vec<u64> { (1..=10_000).filter(|number| Odds { chances: 10, seed }.hit(*number)).collect() };
        assert!((900..=1100).contains(&hits(1).len()), "{}", hits(1).len());
        assert_eq!(hits(1), hits(1));
        assert_ne!(hits(1), hits(2));
    }
}
