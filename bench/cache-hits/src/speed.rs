//! How fast the cache is, and what an item takes of the process's memory.

use charioteer_engine::Clock;
use charioteer_engine::cache::{Cache, CacheOptions, Expiry, Read, Store};
use clap::Args;
use rustix::time::{ClockId, clock_gettime};

use crate::policies::key_of;

const VALUE: &[u8; 100] = &[b'v'; 100];

/// What an item of this size takes of memcached's resident memory.
const MEMCACHED_BYTES_PER_ITEM: f64 = 198.0;

#[derive(Args)]
pub(crate) struct Options {
    /// How many items there are
    #[arg(long, default_value_t = 1_000_000)]
    items: u32,
    /// How many threads work at once
    #[arg(long, default_value_t = 1)]
    threads: u32,
}

/// Whether an item takes at most 1.25 times what it takes in memcached.
#[expect(clippy::print_stdout, reason = "the figures are what the program is for")]
pub(crate) fn run(options: &Options) -> bool {
    let before = resident_bytes();
    let cache = Cache::new(CacheOptions { memory_bytes: 1 << 30, ..CacheOptions::default() }, Clock::system());
    let set = |key: &[u8]| {
        _ = cache.run(key, Store::set(VALUE[..].into(), 0, Expiry::NEVER));
    };
    let fill = per_second(options, 0, set);
    let stats = cache.stats();
    let resident = resident_bytes().saturating_sub(before);
    let get = per_second(options, 1, |key| _ = cache.run(key, Read::get()));
    let over = per_second(options, 2, set);
    let full = Cache::new(CacheOptions { memory_bytes: 32 << 20, ..CacheOptions::default() }, Clock::system());
    let evict = per_second(options, 3, |key| _ = full.run(key, Store::set(VALUE[..].into(), 0, Expiry::NEVER)));
    let per_item = per(resident, stats.items);
    println!(
        "items {}: {per_item:.1} bytes of resident memory each, {:.1} accounted",
        stats.items,
        per(stats.memory_bytes, stats.items)
    );
    println!(
        "per second of processor time, {} threads: fill {fill:.0}, get {get:.0}, set again {over:.0}, set and evict {evict:.0}",
        options.threads
    );
    per_item <= 1.25 * MEMCACHED_BYTES_PER_ITEM
}

/// Runs the operation once for each item, in no order, and says how often per second of processor time: that of all
/// threads, so that other programs on the machine matter little.
fn per_second(options: &Options, round: u64, operation: impl Fn(&[u8]) + Sync) -> f64 {
    let order = |thread: u32| {
        let mut keys: Vec<u32> = (0..options.items).filter(|key| key % options.threads == thread).collect();
        fastrand::Rng::with_seed(round).shuffle(&mut keys);
        keys.into_iter().map(key_of).collect::<Vec<_>>()
    };
    let orders: Vec<_> = (0..options.threads).map(order).collect();
    let begin = processor_seconds();
    std::thread::scope(|scope| {
        for keys in &orders {
            scope.spawn(|| keys.iter().for_each(|key| operation(key)));
        }
    });
    f64::from(options.items) / (processor_seconds() - begin)
}

fn processor_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    std::time::Duration::try_from(time).unwrap_or_default().as_secs_f64()
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok()).map_or(0, |kib| kib * 1024)
}

fn per(bytes: usize, items: usize) -> f64 {
    f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / f64::from(u32::try_from(items).unwrap_or(u32::MAX).max(1))
}
