//! How long calls took.

use std::time::Duration;

/// Buckets for each doubling, so that a bucket is no wider than 1.6% of what lies in it.
const BUCKET_BITS: u32 = 6;
const BUCKETS: u64 = 1 << BUCKET_BITS;
/// Up to 2^42 ns, over an hour, the buckets are as narrow as promised.
const ALL_BUCKETS: usize = 37 * (1 << BUCKET_BITS);

/// Counts times in buckets of nanoseconds.
#[derive(Debug)]
pub(crate) struct Histogram(Box<[u64]>);

impl Default for Histogram {
    fn default() -> Self {
        Self(vec![0; ALL_BUCKETS].into())
    }
}

impl Histogram {
    pub(crate) fn add(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.0[bucket_of(nanoseconds)] += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            *count += more;
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The time that `percent` of all times do not exceed, in microseconds: the middle of its bucket.
    pub(crate) fn percentile(&self, percent: u64) -> f64 {
        let mut rank = self.count() * percent / 100;
        for (bucket, count) in (0..).zip(&self.0) {
            if rank < *count {
                return (Duration::from_nanos(lowest(bucket) + lowest(bucket + 1)) / 2).as_secs_f64() * 1e6;
            }
            rank -= count;
        }
        0.0
    }
}

fn bucket_of(nanoseconds: u64) -> usize {
    let doublings = (nanoseconds >> BUCKET_BITS).checked_ilog2().map_or(0, |log| log + 1);
    let bucket = match doublings {
        0 => nanoseconds,
        _ => u64::from(doublings) * BUCKETS + (nanoseconds >> (doublings - 1)) - BUCKETS,
    };
    usize::try_from(bucket).unwrap_or(usize::MAX).min(ALL_BUCKETS - 1)
}

/// The least number of nanoseconds that falls into that bucket.
fn lowest(bucket: u64) -> u64 {
    match (bucket / BUCKETS, bucket % BUCKETS) {
        (0, rest) => rest,
        (doublings, rest) => (BUCKETS + rest) << (doublings - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_narrow_and_hold_what_falls_into_them() {
        let mut nanoseconds = 0;
        while nanoseconds < 1 << 41 {
            let bucket = bucket_of(nanoseconds).try_into().unwrap();
            let (low, high) = (lowest(bucket), lowest(bucket + 1));
            assert!((low..high).contains(&nanoseconds), "{nanoseconds} is in {low}..{high}");
            assert!(high - low == 1 || (high - low) * BUCKETS <= low, "{low}..{high} is wide");
            nanoseconds += nanoseconds / 97 + 1;
        }
        assert_eq!(bucket_of(u64::MAX), ALL_BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_within_a_percent() {
        let (mut all, mut some) = (Histogram::default(), Histogram::default());
        (1..=1000).map(Duration::from_micros).for_each(|latency| some.add(latency));
        all.merge(&some);
        assert_eq!(all.count(), 1000);
        assert!((495.0..505.0).contains(&all.percentile(50)));
        assert!((980.1..999.9).contains(&all.percentile(99)));
    }
}
