//! Classes of memory, as `stats items` and `stats slabs` tell them, and tools put them into tables. There is one, of all items; its
//! pages are what the items take, and its chunks are as large as items are on average.

use std::fmt::Display;

use charioteer_engine::cache::{CacheStats, Event};

use super::meta::CLASS;
use super::stats::Put;

/// A page of memcached's.
const PAGE_BYTES: usize = 1 << 20;

/// The smallest chunk of memcached's, which is told while there are no items.
const SMALLEST_CHUNK_BYTES: usize = 96;

/// What is known of the class's items. How long they have not been used is not, nor what a segmented list would tell of its parts.
const UNKNOWN: [&str; 8] = [
    "age_hot",
    "age_warm",
    "age",
    "evicted_nonzero",
    "evicted_time",
    "tailrepairs",
    "evicted_active",
    "direct_reclaims",
];

/// The memory of a class in pages and chunks.
#[derive(Debug, PartialEq, Eq)]
struct Pages {
    chunk_bytes: usize,
    chunks_per_page: usize,
    pages: usize,
    chunks: usize,
    used: usize,
}

impl Pages {
    fn of(items: usize, memory_bytes: usize) -> Self {
        let chunk_bytes = memory_bytes.checked_div(items).unwrap_or(0).max(SMALLEST_CHUNK_BYTES);
        let chunks_per_page = (PAGE_BYTES / chunk_bytes).max(1);
        let pages = memory_bytes.div_ceil(PAGE_BYTES).max(items.div_ceil(chunks_per_page)).max(1);
        Self { chunk_bytes, chunks_per_page, pages, chunks: pages * chunks_per_page, used: items }
    }
}

/// `stats items`.
pub(super) fn items(stats: &CacheStats, put: &mut Put<'_>) {
    if stats.items == 0 {
        return;
    }
    let mut put = |name: &str, value: &dyn Display| put(&format!("items:{CLASS}:{name}"), value);
    put("number", &stats.items);
    put("mem_requested", &stats.item_bytes);
    for (name, event) in [
        ("evicted", Event::Evicted),
        ("outofmemory", Event::NoMemory),
        ("reclaimed", Event::Reclaimed),
        ("expired_unfetched", Event::ExpiredUnfetched),
        ("evicted_unfetched", Event::EvictedUnfetched),
    ] {
        put(name, &stats.count(event));
    }
    for name in UNKNOWN {
        put(name, &0);
    }
}

/// `stats slabs`.
pub(super) fn slabs(stats: &CacheStats, put: &mut Put<'_>) {
    let mut put_of_class = |name: &str, value: &dyn Display| put(&format!("{CLASS}:{name}"), value);
    let Pages { chunk_bytes, chunks_per_page, pages, chunks, used } = Pages::of(stats.items, stats.memory_bytes);
    put_of_class("chunk_size", &chunk_bytes);
    put_of_class("chunks_per_page", &chunks_per_page);
    put_of_class("total_pages", &pages);
    put_of_class("total_chunks", &chunks);
    put_of_class("used_chunks", &used);
    put_of_class("free_chunks", &(chunks - used));
    put_of_class("free_chunks_end", &0);
    put_of_class("mem_requested", &stats.item_bytes);
    for (name, event) in [
        ("get_hits", Event::GetHit),
        ("cmd_set", Event::Set),
        ("delete_hits", Event::DeleteHit),
        ("incr_hits", Event::IncrementHit),
        ("decr_hits", Event::DecrementHit),
        ("cas_hits", Event::CasHit),
        ("cas_badval", Event::CasBad),
        ("touch_hits", Event::TouchHit),
    ] {
        put_of_class(name, &stats.count(event));
    }
    put("active_slabs", &1);
    put("total_malloced", &stats.memory_bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_all_items_and_all_memory() {
        let empty = Pages { chunk_bytes: 96, chunks_per_page: 10_922, pages: 1, chunks: 10_922, used: 0 };
        assert_eq!(Pages::of(0, 0), empty);
        let large = Pages { chunk_bytes: 3 << 20, chunks_per_page: 1, pages: 6, chunks: 6, used: 2 };
        assert_eq!(Pages::of(2, 6 << 20), large);
        for (items, bytes) in [(1, 61), (10_923, 96), (7, 10 << 20), (1_000_000, 200_000_000)] {
            let pages = Pages::of(items, bytes);
            assert!(pages.used <= pages.chunks && bytes <= pages.pages * PAGE_BYTES, "{pages:?}");
        }
    }
}
