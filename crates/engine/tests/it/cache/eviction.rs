//! What is evicted.

use std::time::Duration;

use charioteer_engine::Clock;
use charioteer_engine::cache::{Cache, CacheOptions, Event, Expiry, Read, Store};

const MIB: usize = 1 << 20;

fn cache() -> Cache {
    Cache::new(CacheOptions { memory_bytes: 4 * MIB, ..CacheOptions::default() }, Clock::system())
}

fn set(cache: &Cache, key: &str) {
    cache.run(key.as_bytes(), Store::set(vec![b'v'; 100].into(), 0, Expiry::NEVER)).unwrap();
}

fn is_there(cache: &Cache, key: &str) -> bool {
    cache.run(key.as_bytes(), Read::get()).unwrap().is_some()
}

#[test]
fn what_is_read_again_and_again_outlives_what_is_not() {
    let cache = cache();
    for number in 0..1000 {
        set(&cache, &format!("popular {number}"));
    }
    for number in 0..100_000 {
        set(&cache, &format!("once {number}"));
        assert!(number < 1000 || number % 10 > 0 || is_there(&cache, &format!("popular {}", number / 10 % 1000)));
    }
    let stats = cache.stats();
    assert!(stats.count(Event::Evicted) > 50_000);
}

#[test]
fn a_scan_leaves_what_was_read_twice() {
    let cache = cache();
    for number in 0..2000 {
        set(&cache, &format!("working set {number}"));
    }
    for number in 0..2000 {
        assert!(is_there(&cache, &format!("working set {number}")));
    }
    for number in 0..60_000 {
        set(&cache, &format!("scanned {number}"));
    }
    let left = (0..2000).filter(|number| is_there(&cache, &format!("working set {number}"))).count();
    assert!(left > 1900, "{left} of 2000");
}

#[test]
fn what_comes_back_soon_after_it_was_evicted_stays_longer() {
    let cache = cache();
    for number in 0..40_000 {
        set(&cache, &format!("key {number}"));
    }
    let evicted: Vec<String> =
        (38_000..40_000).map(|number| format!("key {number}")).filter(|key| !is_there(&cache, key)).collect();
    assert!(evicted.is_empty(), "the last ones are there");
    let lost: Vec<String> =
        (20_000..36_000).map(|number| format!("key {number}")).filter(|key| !is_there(&cache, key)).take(200).collect();
    lost.iter().for_each(|key| set(&cache, key));
    for number in 0..10_000 {
        set(&cache, &format!("once {number}"));
    }
    let left = lost.iter().filter(|key| is_there(&cache, key)).count();
    assert!(left > lost.len() / 2, "{left} of {}", lost.len());
}

#[test]
fn popular_items_are_replaced_when_others_become_popular() {
    let cache = cache();
    let run = |name: &str| {
        let mut hits = 0;
        for round in 0..6 {
            for number in 0..8000 {
                let key = format!("{name} {number}");
                hits += usize::from(round > 2 && is_there(&cache, &key));
                set(&cache, &key);
            }
        }
        hits
    };
    assert!(run("first") > 20_000);
    assert!(run("second") > 20_000, "the first generation does not hold the memory for ever");
}

#[test]
fn evictions_are_counted_by_whether_somebody_had_read_the_item() {
    let cache = cache();
    for number in 0..40_000 {
        set(&cache, &format!("key {number}"));
    }
    let stats = cache.stats();
    assert_eq!(stats.count(Event::Evicted), stats.count(Event::EvictedUnfetched));
    assert_eq!(stats.count(Event::Evicted), 40_000 - stats.items as u64);
}

#[test]
fn what_expired_unread_is_counted() {
    let clock = Clock::stopped_at(Duration::from_secs(1_700_000_000));
    let cache = Cache::new(CacheOptions::default(), clock.clone());
    for key in ["read", "unread"] {
        cache.run(key.as_bytes(), Store::set("v".into(), 0, Expiry::at(1_700_000_001))).unwrap();
    }
    assert!(is_there(&cache, "read"));
    clock.advance(Duration::from_secs(1));
    assert_eq!(cache.sweep(1000), 2);
    let stats = cache.stats();
    assert_eq!((stats.count(Event::Reclaimed), stats.count(Event::ExpiredUnfetched)), (2, 1));
}

#[test]
fn statistics_can_be_reset() {
    let cache = cache();
    set(&cache, "key");
    is_there(&cache, "key");
    cache.flush(1_000_000_000);
    cache.reset_stats();
    let stats = cache.stats();
    assert_eq!((stats.count(Event::Set), stats.count(Event::GetHit), stats.flushes), (0, 0, 0));
}

#[test]
fn a_value_that_was_refused_elsewhere_is_counted_and_takes_the_old_one_with_it() {
    let cache = cache();
    set(&cache, "a");
    set(&cache, "b");
    cache.refuse(b"a", true).unwrap();
    cache.refuse(b"b", false).unwrap();
    assert!(!is_there(&cache, "a") && is_there(&cache, "b"));
    assert_eq!(cache.stats().count(Event::TooLarge), 2);
}

#[test]
fn many_keys_are_read_at_once() {
    let cache = cache();
    set(&cache, "a");
    set(&cache, "c");
    let hits = cache.get_many(&["a", "b", "c"], Read::get()).unwrap();
    assert_eq!(hits.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
    assert!(cache.get_many(&["a", ""], Read::get()).is_err());
}
