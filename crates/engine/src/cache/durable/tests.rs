//! What a disk that is full for a while leaves behind, and letting go in the middle of a write.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use super::super::attributes::DEFAULT_ITEM_LIMIT;
use super::super::delete::{Delete, DeleteReply};
use super::super::expiry::Expiry;
use super::super::read::Read;
use super::super::store::{Store, StoreReply};
use super::DurableCache;
use crate::{Clock, Db, DiskOptions, Durability, Error};

const START: u32 = 1_700_000_000;

fn open(folder: &Path, clock: &Clock) -> DurableCache {
    let options = DiskOptions { durability: Durability::Flush, clock: clock.clone(), ..DiskOptions::default() };
    DurableCache::open(Db::open(folder, options).unwrap(), DEFAULT_ITEM_LIMIT, clock.clone()).unwrap()
}

fn clock() -> Clock {
    Clock::stopped_at(Duration::from_secs(START.into()))
}

fn set(cache: &DurableCache, key: &[u8], expiry: Expiry) -> Result<u64, Error> {
    match cache.run(key, Store::set("value".into(), 0, expiry))? {
        StoreReply::Stored(stored) => Ok(stored.cas),
        other => panic!("it was not stored: {other:?}"),
    }
}

fn is_there(cache: &DurableCache, key: &[u8]) -> bool {
    cache.run(key, Read::get()).unwrap().is_some()
}

fn pretend_full(cache: &DurableCache, is_full: bool) {
    cache.inner.db.disk().unwrap().pretend_full(is_full);
}

fn assert_full<T: std::fmt::Debug>(done: Result<T, Error>) {
    assert!(matches!(&done, Err(Error::DiskFull { .. })), "{done:?}");
}

#[test]
fn the_first_write_may_be_refused_and_no_id_is_given_out_twice_nor_what_is_stored_taken_for_flushed() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let cache = open(folder.path(), &clock);
    pretend_full(&cache, true);
    assert_full(set(&cache, b"key", Expiry::NEVER));
    pretend_full(&cache, false);
    let last = set(&cache, b"key", Expiry::NEVER).unwrap();
    cache.flush(START).wait().unwrap();
    drop(cache);

    let cache = open(folder.path(), &clock);
    let next = set(&cache, b"key", Expiry::NEVER).unwrap();
    assert!(next > last, "{next} after {last}");
    assert!(is_there(&cache, b"key"));
}

#[test]
fn what_is_stored_after_a_flush_lives_though_the_clock_has_gone_back() {
    let folder = tempfile::tempdir().unwrap();
    let cache = open(folder.path(), &clock());
    set(&cache, b"flushed", Expiry::NEVER).unwrap();
    cache.flush(START).wait().unwrap();
    drop(cache);

    let behind = Clock::stopped_at(Duration::from_secs(u64::from(START) - 50));
    let cache = open(folder.path(), &behind);
    set(&cache, b"key", Expiry::NEVER).unwrap();
    behind.advance(Duration::from_secs(100));
    assert!(is_there(&cache, b"key") && !is_there(&cache, b"flushed"));
}

#[test]
fn a_flush_that_is_refused_flushes_nothing() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let cache = open(folder.path(), &clock);
    set(&cache, b"key", Expiry::NEVER).unwrap();
    pretend_full(&cache, true);
    assert_full(cache.flush(START).wait());
    assert!(is_there(&cache, b"key"));
}

#[test]
fn nobody_needs_a_write_to_find_nothing_where_an_item_has_died() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let cache = open(folder.path(), &clock);
    set(&cache, b"key", Expiry::at(START + 1)).unwrap();
    clock.advance(Duration::from_secs(1));
    pretend_full(&cache, true);
    assert!(!is_there(&cache, b"key"));
    assert_eq!(cache.run(b"key", Read::touch(Expiry::NEVER)), Ok(None));
    assert_eq!(cache.run(b"key", Delete::new()), Ok(DeleteReply::NotFound));
    pretend_full(&cache, false);
    set(&cache, b"key", Expiry::NEVER).unwrap();
    assert_eq!(cache.stats().items, 1);
}

#[test]
fn a_store_that_is_let_go_of_in_the_middle_of_a_write_can_be_opened_again_and_has_it() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let cache = open(folder.path(), &clock);
    set(&cache, b"before", Expiry::NEVER).unwrap();
    let (let_go, gate) = mpsc::channel::<()>();
    drop(cache.inner.db.disk().unwrap().submit(move |_| Ok(gate.recv().is_ok())));
    drop(cache.submit(b"key", Store::set("value".into(), 0, Expiry::NEVER)));
    // What was handed in is all that holds the store now, and lets go of it on the thread that commits.
    let closing = cache.inner.db.closing();
    drop(cache);
    assert!(!closing.wait(Duration::ZERO));
    let_go.send(()).unwrap();
    assert!(closing.wait(Duration::from_secs(30)), "it was never let go of");
    assert!(is_there(&open(folder.path(), &clock), b"key"));
}
