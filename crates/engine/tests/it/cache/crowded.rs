//! Random operations on a cache that is far too small: what is there must be what was stored last, and the figures must
//! be those of what is there.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use charioteer_engine::Clock;
use charioteer_engine::cache::{Cache, CacheOptions, Cursor, Delete, Expiry, Read, Store, StoreReply};
use proptest::collection::vec;
use proptest::prelude::*;

const KIB: usize = 1 << 10;
const START: u32 = 1_700_000_000;

#[derive(Debug, Clone)]
enum Step {
    /// Sets so many keys from that one on.
    Set(u16, u16, Size),
    Append(u16, u16, Size),
    Delete(u16, u16),
    Budget(usize),
    Advance(u32),
    Sweep(usize),
    Flush,
}

#[derive(Debug, Clone, Copy)]
enum Size {
    Small(usize),
    Large(usize),
}

struct Crowd {
    cache: Cache,
    clock: Clock,
    now: u32,
    /// What was stored last, and when it expires.
    values: HashMap<u16, (Bytes, u32)>,
    stored: u32,
}

impl Crowd {
    fn new() -> Self {
        let clock = Clock::stopped_at(Duration::from_secs(START.into()));
        let options = CacheOptions { memory_bytes: 512 * KIB, ..CacheOptions::default() };
        let cache = Cache::new(options, clock.clone());
        Self { cache, clock, now: START, values: HashMap::new(), stored: 0 }
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Set(first, count, size) => keys(first, count).for_each(|key| self.set(key, size)),
            Step::Append(first, count, size) => keys(first, count).for_each(|key| self.append(key, size)),
            Step::Delete(first, count) => keys(first, count).for_each(|key| self.delete(key)),
            Step::Budget(bytes) => self.cache.set_memory_bytes(bytes),
            Step::Advance(seconds) => {
                self.clock.advance(Duration::from_secs(seconds.into()));
                self.now += seconds;
            }
            Step::Sweep(places) => _ = self.cache.sweep(places),
            Step::Flush => {
                self.cache.flush(self.now);
                self.values.clear();
            }
        }
        let stats = self.cache.stats();
        assert!(stats.memory_bytes <= self.cache.options().memory_bytes, "{stats:?}");
    }

    fn value(&mut self, size: Size) -> Bytes {
        self.stored += 1;
        let (Size::Small(len) | Size::Large(len)) = size;
        let mut value = format!("{:08}", self.stored).into_bytes();
        value.resize(8 + len, b'v');
        value.into()
    }

    fn set(&mut self, key: u16, size: Size) {
        let value = self.value(size);
        // A few of the items expire.
        let expires = if self.stored.is_multiple_of(5) { self.now + 3 } else { u32::MAX };
        let store = Store::set(value.clone(), 0, Expiry::at(expires));
        match self.cache.run(&key_of(key), store).unwrap() {
            StoreReply::Stored(_) => _ = self.values.insert(key, (value, expires)),
            StoreReply::OutOfMemory => _ = self.values.remove(&key),
            other => panic!("{other:?}"),
        }
    }

    fn append(&mut self, key: u16, size: Size) {
        self.check(key);
        let more = self.value(size);
        match self.cache.run(&key_of(key), Store::append(more.clone())).unwrap() {
            StoreReply::Stored(_) => {
                let (value, _) = self.values.get_mut(&key).unwrap();
                *value = [&value[..], &more[..]].concat().into();
            }
            StoreReply::NotStored | StoreReply::OutOfMemory => {}
            other => panic!("{other:?}"),
        }
    }

    fn delete(&mut self, key: u16) {
        self.cache.run(&key_of(key), Delete::new()).unwrap();
        self.values.remove(&key);
    }

    fn check(&self, key: u16) {
        if let Some(hit) = self.cache.run(&key_of(key), Read::get()).unwrap() {
            let (value, expires) = &self.values[&key];
            assert!(hit.value.as_ref() == Some(value) && *expires > self.now);
        }
    }

    /// What is listed is what the figures tell, and nothing is left when it is taken away.
    fn check_all(&self) {
        self.cache.sweep(usize::MAX);
        (0..400).for_each(|key| self.check(key));
        let (mut next, mut items, mut bytes) = (Some(Cursor::default()), 0, 0);
        while let Some(from) = next {
            let listing = self.cache.list(from, 1000);
            items += listing.items.len();
            bytes += listing.items.iter().map(|listed| listed.item.size).sum::<usize>();
            next = listing.next;
        }
        let stats = self.cache.stats();
        assert_eq!((stats.items, stats.item_bytes), (items, bytes));
        (0..400).for_each(|key| _ = self.cache.run(&key_of(key), Delete::new()).unwrap());
        let stats = self.cache.stats();
        assert_eq!((stats.items, stats.item_bytes), (0, 0));
    }
}

fn keys(first: u16, count: u16) -> impl Iterator<Item = u16> {
    (first..first + count).map(|key| key % 400)
}

fn key_of(key: u16) -> Vec<u8> {
    format!("key {key}").into_bytes()
}

fn any_step() -> impl Strategy<Value = Step> {
    let size = || prop_oneof![12 => (0_usize..600).prop_map(Size::Small), 1 => (0_usize..60_000).prop_map(Size::Large)];
    let first = || 0_u16..400;
    prop_oneof![
        8 => (first(), 1_u16..100, size()).prop_map(|(first, count, size)| Step::Set(first, count, size)),
        4 => (first(), 1_u16..50, size()).prop_map(|(first, count, size)| Step::Append(first, count, size)),
        2 => (first(), 1_u16..200).prop_map(|(first, count)| Step::Delete(first, count)),
        1 => (200 * KIB..600 * KIB).prop_map(Step::Budget),
        2 => (0_u32..3).prop_map(Step::Advance),
        2 => (0_usize..300).prop_map(Step::Sweep),
        1 => Just(Step::Flush),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_there_is_what_was_stored_last(steps in vec(any_step(), 1..120)) {
        let mut crowd = Crowd::new();
        steps.iter().for_each(|step| crowd.run(step));
        crowd.check_all();
    }
}
