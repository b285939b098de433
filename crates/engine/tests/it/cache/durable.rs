//! Items in a store on disk: what is still there after it was opened again.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use charioteer_engine::cache::{
    self, CacheStats, Cursor, DEFAULT_ITEM_LIMIT, Delete, DurableCache, Event, Expiry, Operation, Read, Stale, Store,
    StoreReply,
};
use charioteer_engine::{Clock, Db, DiskOptions, Durability, Error};

const START: u32 = 1_700_000_000;

/// An open store of items, for the suite.
pub(crate) struct Opened {
    cache: DurableCache,
}

impl Opened {
    pub(crate) fn new(db: Db, item_limit: usize, clock: Clock) -> Self {
        Self { cache: DurableCache::open(db, item_limit, clock).unwrap() }
    }

    pub(crate) fn run<O: Operation>(&self, key: &[u8], operation: O) -> O::Reply {
        self.cache.run(key, operation).unwrap()
    }

    pub(crate) fn assert_refuses(&self, key: &[u8]) {
        assert_eq!(self.cache.run(key, Read::get()), Err(Error::ItemKey { len: key.len() }));
        assert_eq!(self.cache.submit(key, Delete::new()).wait(), Err(Error::ItemKey { len: key.len() }));
        assert_eq!(self.cache.refuse(key, true), Err(Error::ItemKey { len: key.len() }));
    }

    pub(crate) fn flush(&self, moment: u32) {
        self.cache.flush(moment).unwrap();
    }

    pub(crate) fn sweep(&self) -> usize {
        self.cache.sweep(1000).unwrap()
    }

    pub(crate) fn stats(&self) -> CacheStats {
        self.cache.stats()
    }
}

fn open(folder: &Path, clock: &Clock) -> DurableCache {
    let options = DiskOptions {
        durability: Durability::Flush,
        expired: cache::has_expired,
        clock: clock.clone(),
        ..DiskOptions::default()
    };
    DurableCache::open(Db::open(folder, options).unwrap(), DEFAULT_ITEM_LIMIT, clock.clone()).unwrap()
}

fn clock() -> Clock {
    Clock::stopped_at(Duration::from_secs(START.into()))
}

fn set(cache: &DurableCache, key: &str, value: &str) -> u64 {
    match cache.run(key.as_bytes(), Store::set(value.to_owned().into(), 7, Expiry::NEVER)).unwrap() {
        StoreReply::Stored(stored) => stored.cas,
        other => panic!("it was not stored: {other:?}"),
    }
}

fn get(cache: &DurableCache, key: &str) -> Option<String> {
    let value = cache.run(key.as_bytes(), Read::get()).unwrap()?.value?;
    Some(String::from_utf8(value.to_vec()).unwrap())
}

#[test]
fn items_are_still_there_with_all_that_they_are() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let cache = open(folder.path(), &clock);
    let cas = set(&cache, "key", "value");
    set(&cache, "stale", "value");
    let mut mark = Delete::new();
    mark.stale = Some(Stale { expiry: Some(Expiry::at(START + 60)) });
    cache.run(b"stale", mark).unwrap();
    assert!(cache.run(b"stale", Read::meta_get()).unwrap().unwrap().won);
    drop(cache);

    let cache = open(folder.path(), &clock);
    let hit = cache.run(b"key", Read::get()).unwrap().unwrap();
    assert_eq!((hit.value.as_deref(), hit.before.flags, hit.before.cas), (Some(&b"value"[..]), 7, cas));
    let hit = cache.run(b"stale", Read::meta_get()).unwrap().unwrap();
    assert!(hit.before.stale && hit.before.won && !hit.won);
    assert_eq!(hit.before.expiry, Expiry::at(START + 60));
}

#[test]
fn no_cas_id_is_given_out_again_after_opening() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let mut last = 0;
    for _ in 0..3 {
        let cache = open(folder.path(), &clock);
        for _ in 0..3 {
            let cas = set(&cache, "key", "value");
            assert!(cas > last);
            last = cas;
        }
    }
}

#[test]
fn what_was_flushed_stays_dead() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let cache = open(folder.path(), &clock);
    set(&cache, "key", "value");
    cache.flush(START).unwrap();
    set(&cache, "after", "value");
    drop(cache);
    let cache = open(folder.path(), &clock);
    assert_eq!((get(&cache, "key"), get(&cache, "after").as_deref()), (None, Some("value")));
}

#[test]
fn a_flush_to_come_comes_after_opening() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let cache = open(folder.path(), &clock);
    set(&cache, "key", "value");
    cache.flush(START + 10).unwrap();
    drop(cache);
    let cache = open(folder.path(), &clock);
    assert_eq!(get(&cache, "key").as_deref(), Some("value"));
    clock.advance(Duration::from_secs(10));
    assert_eq!(get(&cache, "key"), None);
}

#[test]
fn time_goes_on_while_the_store_is_closed() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let cache = open(folder.path(), &clock);
    cache.run(b"key", Store::set("value".into(), 0, Expiry::at(START + 5))).unwrap();
    drop(cache);
    clock.advance(Duration::from_secs(5));
    let cache = open(folder.path(), &clock);
    assert_eq!(get(&cache, "key"), None);
}

#[test]
fn tickets_are_answered_in_the_order_of_the_operations() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let cache = open(folder.path(), &clock);
    let appends = || (0..100).map(|number| cache.submit(b"key", Store::append(format!("{number},").into())));
    let mut tickets: Vec<_> = appends().collect();
    tickets.push(cache.submit(b"key", Store::set("".into(), 0, Expiry::NEVER)));
    tickets.extend(appends());
    let replies: Vec<_> = tickets.into_iter().map(|ticket| ticket.wait().unwrap()).collect();
    assert!(replies[..100].iter().all(|reply| *reply == StoreReply::NotStored));
    let expected: String = (0..100).map(|number| format!("{number},")).collect();
    assert_eq!(get(&cache, "key").unwrap(), expected);
}

#[test]
fn items_that_were_there_at_opening_are_counted_once_they_were_swept() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let cache = open(folder.path(), &clock);
    for number in 0..100 {
        set(&cache, &format!("key {number:02}"), "value");
    }
    let before = cache.stats();
    drop(cache);
    let cache = open(folder.path(), &clock);
    assert_eq!(cache.stats().items, 0);
    for (swept, key) in [(0, "key 10"), (50, "key 20"), (0, "key 90")] {
        cache.sweep(swept).unwrap();
        set(&cache, key, "other");
    }
    cache.run(b"key 05", Delete::new()).unwrap();
    cache.run(b"key 95", Delete::new()).unwrap();
    cache.sweep(1000).unwrap();
    let stats = cache.stats();
    assert_eq!((stats.items, stats.item_bytes), (98, before.item_bytes / 100 * 98));
    cache.sweep(1000).unwrap();
    assert_eq!(cache.stats().items, 98);
}

#[test]
fn sweeping_goes_on_where_it_stopped() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let cache = open(folder.path(), &clock);
    for number in 0..30 {
        let expiry = if number < 20 { Expiry::at(START + 1) } else { Expiry::NEVER };
        cache.run(format!("key {number:02}").as_bytes(), Store::set("v".into(), 0, expiry)).unwrap();
    }
    clock.advance(Duration::from_secs(1));
    let removed: Vec<usize> = (0..5).map(|_| cache.sweep(7).unwrap()).collect();
    assert_eq!(removed, [7, 7, 6, 0, 0]);
    assert_eq!(cache.stats().count(Event::Reclaimed), 20);
    assert_eq!(cache.stats().items, 10);
}

#[test]
fn every_item_that_is_alive_is_listed_in_steps() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let cache = open(folder.path(), &clock);
    let keys: HashSet<String> = (0..50).map(|number| format!("key {number}")).collect();
    keys.iter().for_each(|key| _ = set(&cache, key, "value"));
    cache.run(b"dead", Store::set("v".into(), 0, Expiry::PAST)).unwrap();
    for items in [0, 1, 7, 50, 51, 1000] {
        let (mut listed, mut next) = (Vec::new(), Some(Cursor::default()));
        while let Some(from) = next {
            let listing = cache.list(from, items).unwrap();
            listed.extend(listing.items.into_iter().map(|item| String::from_utf8(item.key.to_vec()).unwrap()));
            next = listing.next;
        }
        assert!(listed.is_sorted() && listed.len() == 50);
        assert_eq!(listed.into_iter().collect::<HashSet<_>>(), keys);
    }
}

#[test]
fn a_value_that_was_refused_elsewhere_takes_the_old_one_with_it() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let cache = open(folder.path(), &clock);
    set(&cache, "a", "value");
    set(&cache, "b", "value");
    cache.refuse(b"a", true).unwrap();
    cache.refuse(b"b", false).unwrap();
    assert_eq!((get(&cache, "a"), get(&cache, "b").as_deref()), (None, Some("value")));
    assert_eq!(cache.stats().count(Event::TooLarge), 2);
}

#[test]
fn a_read_that_changes_nothing_waits_for_no_write() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let options = DiskOptions { durability: Durability::Flush, clock: clock.clone(), ..DiskOptions::default() };
    let db = Db::open(folder.path(), options).unwrap();
    let cache = DurableCache::open(db.clone(), DEFAULT_ITEM_LIMIT, clock).unwrap();
    set(&cache, "key", "value");
    let before = db.stats().unwrap();
    for _ in 0..10 {
        assert_eq!(get(&cache, "key").as_deref(), Some("value"));
        assert!(cache.run(b"key", Read::meta_get()).unwrap().is_some());
        assert_eq!(get(&cache, "other"), None);
    }
    assert_eq!(db.stats().unwrap(), before);
}

#[test]
fn compaction_leaves_the_rows_of_other_keyspaces_and_its_own_alone() {
    let now = Duration::from_secs(START.into());
    assert!(!cache::has_expired("other", &[0, 0, 0, 1].repeat(10), now));
    assert!(!cache::has_expired("memcached", &[0, 0, 0, 1], now));
    assert!(cache::has_expired("memcached", &[0, 0, 0, 1].repeat(10), now));
    assert!(!cache::has_expired("memcached", &[0; 40], now));
}
