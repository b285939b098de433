//! How much memory items take.

use std::thread;
use std::time::Duration;

use charioteer_engine::Clock;
use charioteer_engine::cache::{Cache, CacheOptions, Delete, Event, Expiry, Read, Store, StoreReply};

const MIB: usize = 1 << 20;

fn cache(memory_bytes: usize) -> Cache {
    Cache::new(CacheOptions { memory_bytes, ..CacheOptions::default() }, Clock::system())
}

fn unevicting(memory_bytes: usize) -> Cache {
    Cache::new(CacheOptions { memory_bytes, evicts: false, ..CacheOptions::default() }, Clock::system())
}

fn set(cache: &Cache, key: &str, len: usize) -> StoreReply {
    cache.run(key.as_bytes(), Store::set(vec![b'v'; len].into(), 0, Expiry::NEVER)).unwrap()
}

fn is_stored(reply: StoreReply) -> bool {
    matches!(reply, StoreReply::Stored(_))
}

/// Lengths of values from a few bytes to some hundred thousand, most of them short.
fn length(number: usize) -> usize {
    let scrambled = number.wrapping_mul(0x9e37_79b9) >> 7;
    if number.is_multiple_of(50) { scrambled % 400_000 } else { scrambled % 700 }
}

#[test]
fn what_is_accounted_never_exceeds_the_budget() {
    let cache = cache(8 * MIB);
    for number in 0..40_000 {
        assert!(is_stored(set(&cache, &format!("key {}", number % 30_000), length(number))));
        if number % 7 == 0 {
            cache.run(format!("key {}", number / 2).as_bytes(), Delete::new()).unwrap();
        }
        if number % 64 == 0 {
            assert!(cache.stats().memory_bytes <= 8 * MIB);
        }
    }
    assert!(cache.stats().count(Event::Evicted) > 0);
}

#[test]
fn what_is_accounted_is_what_is_allocated() {
    let empty = allocation_counter::measure(|| drop(std::hint::black_box(cache(64 * MIB)))).bytes_max;
    for (items, len) in [(100_000, 100), (50_000, 0), (2000, 5000), (40, 400_000)] {
        let mut accounted = 0;
        let allocated = allocation_counter::measure(|| {
            let cache = cache(64 * MIB);
            for number in 0..items {
                set(&cache, &format!("{number:032}"), len);
            }
            accounted = cache.stats().memory_bytes;
            std::mem::forget(cache);
        });
        let allocated = usize::try_from(allocated.bytes_current).unwrap() - usize::try_from(empty).unwrap();
        assert!(allocated <= accounted && accounted < allocated + allocated / 8 + MIB / 4, "{allocated} {accounted}");
    }
}

#[test]
fn an_item_takes_hardly_more_than_in_memcached() {
    let cache = cache(64 * MIB);
    for number in 0..200_000 {
        set(&cache, &format!("{number:032}"), 100);
    }
    let stats = cache.stats();
    assert_eq!(stats.items, 200_000);
    // memcached takes 198 bytes of resident memory for such an item.
    assert!(stats.memory_bytes / stats.items < 198 * 5 / 4, "{}", stats.memory_bytes / stats.items);
}

#[test]
fn what_is_allocated_never_exceeds_the_budget_by_much() {
    let allocated = allocation_counter::measure(|| {
        let cache = cache(8 * MIB);
        for number in 0..30_000 {
            set(&cache, &format!("key {number}"), length(number));
        }
    });
    // There is the value to be stored, what was replaced until the lock is given back, and the locks themselves.
    assert!(allocated.bytes_max < 9 << 20, "{}", allocated.bytes_max);
}

#[test]
fn the_budget_holds_for_many_threads() {
    let cache = cache(8 * MIB);
    thread::scope(|scope| {
        for thread in 0..4 {
            let cache = &cache;
            scope.spawn(move || {
                for number in 0..5000 {
                    assert!(is_stored(set(cache, &format!("key {}", number * 4 + thread), length(number))));
                    if number % 64 == 0 {
                        assert!(cache.stats().memory_bytes <= 8 * MIB);
                    }
                }
            });
        }
    });
}

#[test]
fn an_emptied_cache_takes_next_to_nothing() {
    let cache = cache(64 * MIB);
    for number in 0..50_000 {
        set(&cache, &format!("key {number}"), 100);
    }
    assert!(cache.stats().memory_bytes > 8 * MIB);
    for number in 0..50_000 {
        cache.run(format!("key {number}").as_bytes(), Delete::new()).unwrap();
    }
    let stats = cache.stats();
    assert_eq!((stats.items, stats.item_bytes), (0, 0));
    assert!(stats.memory_bytes < MIB, "{}", stats.memory_bytes);
}

#[test]
fn nearly_all_of_the_budget_is_for_items_also_after_the_kind_of_items_has_changed() {
    let cache = cache(16 * MIB);
    for number in 0..200_000 {
        set(&cache, &format!("small {number}"), 10);
    }
    for number in 0..2000 {
        set(&cache, &format!("large {number}"), 50_000);
    }
    let stats = cache.stats();
    assert!(stats.item_bytes > 14 * MIB, "{stats:?}");
}

#[test]
fn items_as_large_as_they_may_be_fit_into_a_small_cache() {
    let cache = cache(8 * MIB);
    for number in 0..40 {
        assert!(is_stored(set(&cache, &format!("key {number}"), 1_048_400)));
        assert!(cache.run(format!("key {number}").as_bytes(), Read::get()).unwrap().is_some());
    }
    assert!((5..=8).contains(&cache.stats().items));
}

#[test]
fn large_items_take_from_the_whole_cache_and_not_from_their_neighbours_alone() {
    let cache = cache(64 * MIB);
    for number in 0..200_000 {
        set(&cache, &format!("small {number}"), 100);
    }
    let before = cache.stats().items;
    for number in 0..20 {
        set(&cache, &format!("large {number}"), 1_000_000);
    }
    let lost = before - (cache.stats().items - 20);
    assert!(lost < before * 2 / 5, "20 of 64 MiB were needed, and {lost} of {before} items went");
}

#[test]
fn an_item_larger_than_the_cache_is_refused() {
    let options = CacheOptions { memory_bytes: MIB, item_limit: 4 * MIB, evicts: true };
    let cache = Cache::new(options, Clock::system());
    set(&cache, "key", 100);
    set(&cache, "other", 100);
    assert_eq!(set(&cache, "key", 2 * MIB), StoreReply::OutOfMemory);
    assert_eq!(cache.run(b"key", Read::get()), Ok(None), "the old value would be out of date");
    assert!(cache.run(b"other", Read::get()).unwrap().is_some(), "nobody else has to go");
    assert_eq!(cache.stats().count(Event::NoMemory), 1);
}

#[test]
fn a_cache_that_does_not_evict_refuses_what_it_has_no_memory_for() {
    let cache = unevicting(2 * MIB);
    let stored = (0..).take_while(|number| is_stored(set(&cache, &format!("key {number}"), 1000))).count();
    assert!((1000..2200).contains(&stored), "{stored}");
    let stats = cache.stats();
    assert_eq!((stats.count(Event::Evicted), stats.items), (0, stored));
    let add = Store::add(vec![b'v'; 1000].into(), 0, Expiry::NEVER);
    assert_eq!(cache.run(b"another", add), Ok(StoreReply::OutOfMemory));

    assert_eq!(set(&cache, "key 0", 10_000), StoreReply::OutOfMemory);
    assert_eq!(cache.run(b"key 0", Read::get()), Ok(None), "the old value would be out of date");
    let append = Store::append(vec![b'v'; 10_000].into());
    assert_eq!(cache.run(b"key 1", append), Ok(StoreReply::OutOfMemory));
    assert!(cache.run(b"key 1", Read::get()).unwrap().is_some());
    assert!(is_stored(set(&cache, "key 2", 1000)), "it needs no more than it has");
}

#[test]
fn the_budget_can_be_changed_at_any_time() {
    let cache = cache(16 * MIB);
    for number in 0..100_000 {
        set(&cache, &format!("key {number}"), 100);
    }
    let before = cache.stats().items;
    cache.set_memory_bytes(8 * MIB);
    let halved = cache.stats();
    assert!(halved.memory_bytes <= 8 * MIB);
    assert!((before / 3..before * 3 / 5).contains(&halved.items), "{} of {before}", halved.items);
    assert_eq!(cache.options().memory_bytes, 8 * MIB);
    cache.set_memory_bytes(32 * MIB);
    for number in 0..100_000 {
        set(&cache, &format!("key {number}"), 100);
    }
    assert_eq!(cache.stats().items, 100_000);
}

#[test]
fn what_is_dead_is_given_up_before_what_is_alive() {
    let clock = Clock::stopped_at(Duration::from_secs(1_700_000_000));
    let cache = Cache::new(CacheOptions { memory_bytes: 8 * MIB, ..CacheOptions::default() }, clock.clone());
    for number in 0..20_000 {
        let store = Store::set(vec![b'v'; 100].into(), 0, Expiry::at(1_700_000_010));
        cache.run(format!("short {number}").as_bytes(), store).unwrap();
    }
    clock.advance(Duration::from_secs(10));
    assert_eq!(cache.sweep(usize::MAX), 20_000);
    assert_eq!(cache.stats().count(Event::Reclaimed), 20_000);
    for number in 0..20_000 {
        set(&cache, &format!("key {number}"), 100);
    }
    let stats = cache.stats();
    assert_eq!((stats.count(Event::Evicted), stats.items), (0, 20_000));
}
