//! What is asked for: sequences of keys, each a number.

use clap::ValueEnum;
use fastrand::Rng;

/// A scan asks for so many keys in a row.
const SCAN_KEYS: u32 = 50_000;

/// Of so many requests, one begins a scan.
const REQUESTS_PER_SCAN: u32 = 200_000;

/// After so many requests, other keys become the popular ones.
const REQUESTS_PER_SHIFT: u32 = 500_000;

/// After so many requests, popularity has drifted by one key.
const REQUESTS_PER_DRIFT: u32 = 50;

/// A kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Trace {
    /// Zipf's law, exponent 0.8
    Zipf08,
    /// Zipf's law, exponent 0.99
    Zipf099,
    /// Zipf's law, exponent 1.1
    Zipf11,
    /// Zipf's law, exponent 0.99; a fifth of the requests belong to scans over keys of their own
    Scans,
    /// Zipf's law, exponent 0.99; now and then all popular keys become others at once
    Shift,
    /// Zipf's law, exponent 0.99; popular keys become others little by little
    Drift,
}

impl Trace {
    /// All of them.
    pub(crate) const ALL: [Self; 6] =
        [Self::Zipf08, Self::Zipf099, Self::Zipf11, Self::Scans, Self::Shift, Self::Drift];

    /// The requests, for as many keys (scans have as many more).
    pub(crate) fn requests(self, keys: u32, requests: u32, seed: u64) -> Vec<u32> {
        let zipf = Zipf::new(keys, self.exponent());
        let mut rng = Rng::with_seed(seed);
        let mut trace = Vec::with_capacity(requests as usize);
        let mut number = 0;
        while trace.len() < requests as usize {
            if self == Self::Scans && number % REQUESTS_PER_SCAN == 0 {
                let first = rng.u32(0..keys);
                trace.extend((0..SCAN_KEYS).map(|at| keys + (first + at) % keys));
            }
            trace.push(self.key(zipf.rank(&mut rng), number, keys));
            number += 1;
        }
        trace.truncate(requests as usize);
        trace
    }

    const fn exponent(self) -> f64 {
        match self {
            Self::Zipf08 => 0.8,
            Self::Zipf11 => 1.1,
            Self::Zipf099 | Self::Scans | Self::Shift | Self::Drift => 0.99,
        }
    }

    const fn key(self, rank: u32, number: u32, keys: u32) -> u32 {
        match self {
            Self::Shift => (rank + number / REQUESTS_PER_SHIFT * (keys / 7)) % keys,
            Self::Drift => (rank + number / REQUESTS_PER_DRIFT) % keys,
            Self::Zipf08 | Self::Zipf099 | Self::Zipf11 | Self::Scans => rank,
        }
    }
}

/// Draws ranks, of which the first are the most popular.
struct Zipf {
    /// The probability of each rank and all before it.
    sums: Vec<f64>,
}

impl Zipf {
    fn new(keys: u32, exponent: f64) -> Self {
        let mut sum = 0.0;
        let sums = (1..=keys).map(|rank| {
            sum += f64::from(rank).powf(-exponent);
            sum
        });
        Self { sums: sums.collect() }
    }

    fn rank(&self, rng: &mut Rng) -> u32 {
        let drawn = rng.f64() * self.sums.last().copied().unwrap_or_default();
        let rank = self.sums.partition_point(|sum| *sum < drawn).min(self.sums.len() - 1);
        u32::try_from(rank).unwrap_or(u32::MAX)
    }
}
