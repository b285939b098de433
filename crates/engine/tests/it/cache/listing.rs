//! Going through all items.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use charioteer_engine::Clock;
use charioteer_engine::cache::{Cache, CacheOptions, Cursor, Delete, Expiry, Listed, Store};

fn set(cache: &Cache, key: &str, expiry: Expiry) {
    cache.run(key.as_bytes(), Store::set("value".into(), 0, expiry)).unwrap();
}

/// All that is listed in steps of so many places; between two steps something may be done.
fn list(cache: &Cache, places: usize, mut between: impl FnMut()) -> Vec<Listed> {
    let (mut listed, mut next) = (Vec::new(), Some(Cursor::default()));
    while let Some(from) = next {
        let listing = cache.list(from, places);
        assert!(listing.items.len() <= places.max(1));
        listed.extend(listing.items);
        next = listing.next;
        between();
    }
    listed
}

fn key_of(listed: &Listed) -> String {
    String::from_utf8(listed.key.to_vec()).unwrap()
}

#[test]
fn every_item_is_listed_once_when_nothing_changes() {
    let cache = Cache::new(CacheOptions::default(), Clock::system());
    let keys: HashSet<String> = (0..5000).map(|number| format!("key {number}")).collect();
    keys.iter().for_each(|key| set(&cache, key, Expiry::NEVER));
    for places in [0, 1, 7, 1000, usize::MAX] {
        let listed = list(&cache, places, || ());
        assert_eq!(listed.len(), keys.len());
        assert_eq!(listed.iter().map(key_of).collect::<HashSet<_>>(), keys);
    }
}

#[test]
fn an_empty_cache_has_an_empty_list() {
    let cache = Cache::new(CacheOptions::default(), Clock::system());
    assert_eq!(list(&cache, 10, || ()), []);
}

#[test]
fn what_is_dead_is_not_listed_and_the_rest_is_with_what_there_is_to_tell() {
    let clock = Clock::stopped_at(Duration::from_secs(1_700_000_000));
    let cache = Cache::new(CacheOptions::default(), clock.clone());
    set(&cache, "short", Expiry::at(1_700_000_001));
    set(&cache, "long", Expiry::at(1_700_000_060));
    clock.advance(Duration::from_secs(1));
    let listed = list(&cache, 10, || ());
    assert_eq!(listed.iter().map(key_of).collect::<Vec<_>>(), ["long"]);
    assert_eq!(listed[0].item.size, 48 + 8 + 4 + 1 + 5 + 2);
    assert_eq!(listed[0].item.attributes.expiry, Expiry::at(1_700_000_060));
}

#[test]
fn what_is_there_all_the_while_is_listed_though_others_come_and_go() {
    let cache = Cache::new(CacheOptions::default(), Clock::system());
    let fates: HashMap<String, bool> = (0..20_000).map(|number| (format!("key {number}"), number % 5 == 0)).collect();
    fates.keys().for_each(|key| set(&cache, key, Expiry::NEVER));
    let mut doomed = fates.iter().filter(|(_, stays)| !**stays);
    let mut number = 0;
    let listed = list(&cache, 50, || {
        for (key, _) in doomed.by_ref().take(100) {
            cache.run(key.as_bytes(), Delete::new()).unwrap();
        }
        number += 1;
        set(&cache, &format!("newcomer {number}"), Expiry::NEVER);
    });
    let seen: HashSet<String> = listed.iter().map(key_of).collect();
    assert!(fates.iter().all(|(key, stays)| !stays || seen.contains(key)));
}
