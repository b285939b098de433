//! Hit ratios, side by side.

use clap::Args;

use crate::policies::{FifoQueues, Ours, Policy, SegmentedLru, Sieve};
use crate::trace::Trace;

/// What an item takes in our cache, or a little more, by which its budget is set.
const BYTES_PER_ITEM: usize = 210;

/// How far below the segmented LRU our ratio may be: what differs between two runs with other seeds.
const TOLERANCE: f64 = 0.001;

#[derive(Args)]
pub(crate) struct Options {
    /// How many keys there are
    #[arg(long, default_value_t = 1_000_000)]
    keys: u32,
    /// How many requests are made
    #[arg(long, default_value_t = 10_000_000)]
    requests: u32,
    /// How many items are kept, in thousandths of the keys
    #[arg(long, value_delimiter = ',', default_value = "10,50,200")]
    kept: Vec<usize>,
    /// The loads; all, if none is named
    #[arg(value_enum)]
    traces: Vec<Trace>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Whether our cache is nowhere worse than memcached.
#[expect(clippy::print_stdout, reason = "the figures are what the program is for")]
pub(crate) fn run(options: &Options) -> bool {
    let traces = if options.traces.is_empty() { &Trace::ALL[..] } else { &options.traces };
    println!("| load | items kept | segmented LRU | SIEVE | S3-FIFO | ours |");
    println!("|---|---|---|---|---|---|");
    let mut is_good = true;
    for trace in traces {
        let requests = trace.requests(options.keys, options.requests, options.seed);
        for kept in &options.kept {
            is_good &= compare(*trace, &requests, options.keys as usize, *kept);
        }
    }
    is_good
}

#[expect(clippy::print_stdout, reason = "the figures are what the program is for")]
fn compare(trace: Trace, requests: &[u32], keys: usize, kept: usize) -> bool {
    let mut ours = Ours::new(keys * kept / 1000 * BYTES_PER_ITEM);
    let our_ratio = hit_ratio(&mut ours, requests);
    // The models get as many items as ours has, in the end, for its memory.
    let (items, numbers) = (ours.items(), 2 * keys);
    let segmented = hit_ratio(&mut SegmentedLru::new(items, numbers), requests);
    let sieve = hit_ratio(&mut Sieve::new(items, numbers), requests);
    let fifo_queues = hit_ratio(&mut FifoQueues::new(items, numbers), requests);
    println!("| {trace:?} | {items} | {segmented:.4} | {sieve:.4} | {fifo_queues:.4} | {our_ratio:.4} |");
    our_ratio >= segmented - TOLERANCE
}

/// The ratio over all requests but the first third, in which the cache fills.
fn hit_ratio(policy: &mut dyn Policy, requests: &[u32]) -> f64 {
    let (first, rest) = requests.split_at(requests.len() / 3);
    first.iter().for_each(|key| _ = policy.request(*key));
    let hits = rest.iter().filter(|key| policy.request(**key)).count();
    ratio(hits, rest.len())
}

fn ratio(part: usize, whole: usize) -> f64 {
    f64::from(u32::try_from(part).unwrap_or(u32::MAX)) / f64::from(u32::try_from(whole).unwrap_or(u32::MAX).max(1))
}
