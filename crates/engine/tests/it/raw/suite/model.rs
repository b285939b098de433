//! Random operations of every kind over a few keys, with a clock that moves and stores that are opened again, checked
//! against a sorted map.

use std::collections::BTreeMap;

use bytes::Bytes;
use charioteer_engine::Direction;
use charioteer_engine::raw::{
    BatchDelete, BatchGet, BatchPut, BatchScan, Checksum, CompareAndSwap, Delete, DeleteRange, Family, Get, PAIR_BYTES,
    Pair, Put, Scan, ScanRange, TimeToLive, Ttl,
};
use crc::{CRC_64_XZ, Crc};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::TestStore;
use super::fixture::{Fixture, START};

#[derive(Debug, Clone)]
enum Step {
    Advance(u64),
    Reopen,
    Sweep(usize),
    Get(Bytes),
    Ttl(Bytes),
    BatchGet(Vec<Bytes>),
    /// Keys, values and times to live.
    Put(Bytes, Bytes, u64),
    BatchPut(Vec<(Bytes, Bytes, u64)>),
    Delete(Bytes),
    BatchDelete(Vec<Bytes>),
    DeleteRange(Bytes, Bytes),
    /// Whether the expected value is the one that is there; otherwise, that one; the new one and its time to live.
    Swap(Bytes, bool, Option<Bytes>, Option<Bytes>, u64),
    Scan(Bounds, Bounded),
    BatchScan(Vec<Bounds>, Bounded),
    Checksum(Vec<Bounds>),
}

type Bounds = (Bytes, Bytes);

#[derive(Debug, Clone, Copy)]
struct Bounded {
    is_forward: bool,
    limit: usize,
    max_bytes: usize,
    keys_only: bool,
}

/// What there is, in one family.
#[derive(Default)]
struct Reference {
    rows: BTreeMap<Bytes, (Bytes, u64)>,
    now: u64,
}

impl Reference {
    fn put(&mut self, key: Bytes, value: Bytes, ttl: u64) {
        let expires_at = if ttl == 0 { u64::MAX } else { self.now + ttl };
        self.rows.insert(key, (value, expires_at));
    }

    fn forget_expired(&mut self) {
        let now = self.now;
        self.rows.retain(|_, (_, expires_at)| *expires_at > now);
    }

    fn get(&self, key: &Bytes) -> Option<Bytes> {
        self.rows.get(key).map(|(value, _)| value.clone())
    }

    fn between(&self, (start, end): &Bounds, is_forward: bool) -> Vec<Pair> {
        let is_in = |key: &Bytes| match is_forward {
            true => key >= start && (end.is_empty() || key < end),
            false => key < start && key >= end,
        };
        let mut found: Vec<Pair> = self.rows.iter().filter(|(key, _)| is_in(key)).map(pair).collect();
        if !is_forward {
            found.reverse();
        }
        found
    }
}

fn pair((key, (value, _)): (&Bytes, &(Bytes, u64))) -> Pair {
    Pair { key: key.clone(), value: value.clone() }
}

/// The pairs that fit, and whether there were more.
fn fitting(pairs: Vec<Pair>, bounded: Bounded) -> (Vec<Pair>, bool) {
    let mut bytes = 0;
    let mut fitting = Vec::new();
    for mut pair in pairs {
        if bounded.keys_only {
            pair.value = Bytes::new();
        }
        bytes += pair.key.len() + pair.value.len() + PAIR_BYTES;
        if bytes > bounded.max_bytes && !fitting.is_empty() {
            return (fitting, true);
        }
        fitting.push(pair);
    }
    (fitting, false)
}

struct Pairing {
    real: Fixture,
    reference: Reference,
}

impl Pairing {
    fn run(&mut self, step: Step) {
        match step {
            Step::Advance(seconds) => {
                self.real.advance(seconds);
                self.reference.now += seconds;
                self.reference.forget_expired();
            }
            Step::Reopen => self.real.opened.reopen(),
            Step::Sweep(rows) => _ = self.real.store().sweep(rows).unwrap(),
            Step::Get(_) | Step::Ttl(_) | Step::BatchGet(_) => self.read(step),
            Step::Scan(..) | Step::BatchScan(..) | Step::Checksum(_) => self.walk(step),
            _ => self.write(step),
        }
    }

    fn read(&self, step: Step) {
        let (real, reference) = (&self.real, &self.reference);
        match step {
            Step::Get(key) => assert_eq!(real.run(Get::new(key.clone())), reference.get(&key)),
            Step::Ttl(key) => {
                let expected = reference.rows.get(&key).map(|(_, expires_at)| match *expires_at {
                    u64::MAX => TimeToLive::Never,
                    expires_at => TimeToLive::Seconds(expires_at - reference.now),
                });
                assert_eq!(real.run(Ttl::new(key)), expected);
            }
            Step::BatchGet(keys) => {
                let found = keys.iter().filter_map(|key| reference.rows.get_key_value(key)).map(pair);
                assert_eq!(real.walk(BatchGet::new(keys.clone())).pairs, found.collect::<Vec<_>>());
            }
            other => panic!("no read: {other:?}"),
        }
    }

    fn write(&mut self, step: Step) {
        let (real, reference) = (&self.real, &mut self.reference);
        match step {
            Step::Put(key, value, ttl) => {
                real.run(Put::new(key.clone(), value.clone()).with_ttl(ttl));
                reference.put(key, value, ttl);
            }
            Step::BatchPut(rows) => {
                let puts = rows.iter().cloned().map(|(key, value, ttl)| Put::new(key, value).with_ttl(ttl));
                real.run(BatchPut::new(puts.collect()));
                rows.into_iter().for_each(|(key, value, ttl)| reference.put(key, value, ttl));
            }
            Step::Delete(key) => {
                real.run(Delete::new(key.clone()));
                reference.rows.remove(&key);
            }
            Step::BatchDelete(keys) => {
                real.run(BatchDelete::new(keys.clone()));
                reference.rows.retain(|key, _| !keys.contains(key));
            }
            Step::DeleteRange(start, end) => {
                real.store().delete_range(Family::Default, DeleteRange::new(start.clone(), end.clone())).unwrap();
                reference.rows.retain(|key, _| *key < start || !end.is_empty() && *key >= end);
            }
            Step::Swap(key, is_known, expected, value, ttl) => {
                let previous = reference.get(&key);
                let expected = if is_known { previous.clone() } else { expected };
                let swap = match value.clone() {
                    Some(value) => CompareAndSwap::put(key.clone(), expected.clone(), value).with_ttl(ttl),
                    None => CompareAndSwap::delete(key.clone(), expected.clone()),
                };
                let swapped = real.run(swap);
                assert_eq!((swapped.succeeded, &swapped.previous), (previous == expected, &previous));
                match value {
                    Some(value) if swapped.succeeded => reference.put(key, value, ttl),
                    None if swapped.succeeded => _ = reference.rows.remove(&key),
                    _ => {}
                }
            }
            other => panic!("no write: {other:?}"),
        }
    }

    fn walk(&self, step: Step) {
        let (real, reference) = (&self.real, &self.reference);
        match step {
            Step::Scan(bounds, bounded) => {
                let (start, end) = bounds.clone();
                let scan = if bounded.is_forward { Scan::forward } else { Scan::backward };
                let scan = scan(start, end, bounded.limit).max_bytes(bounded.max_bytes);
                let scanned = real.walk(if bounded.keys_only { scan.keys_only() } else { scan });
                let mut expected = reference.between(&bounds, bounded.is_forward);
                expected.truncate(bounded.limit);
                assert_eq!((scanned.pairs, scanned.is_cut), fitting(expected, bounded));
            }
            Step::BatchScan(ranges, bounded) => self.batch_scan(&ranges, bounded),
            Step::Checksum(ranges) => {
                let reply = real.walk(Checksum::new(ranges.clone()));
                let rows: Vec<Pair> = ranges.iter().flat_map(|bounds| reference.between(bounds, true)).collect();
                let crc64 = Crc::<u64>::new(&CRC_64_XZ);
                let joined = |pair: &Pair| [&pair.key[..], &pair.value[..]].concat();
                let checksum = rows.iter().fold(0, |sum, pair| sum ^ crc64.checksum(&joined(pair)));
                let bytes: usize = rows.iter().map(|pair| joined(pair).len()).sum();
                assert_eq!((reply.checksum, reply.rows, reply.bytes), (checksum, rows.len() as u64, bytes as u64));
            }
            other => panic!("no walk: {other:?}"),
        }
    }

    fn batch_scan(&self, ranges: &[Bounds], bounded: Bounded) {
        let of = ranges.iter().cloned().map(|(start, end)| ScanRange { start, end }).collect();
        let direction = if bounded.is_forward { Direction::Forward } else { Direction::Backward };
        let starts = ranges.iter().skip(1).map(|(start, _)| start.clone()).chain([Bytes::new()]);
        let closed: Vec<Bounds> = ranges
            .iter()
            .zip(starts)
            .map(|((start, end), next)| (start.clone(), if end.is_empty() { next } else { end.clone() }))
            .collect();
        let is_valid =
            |(start, end): &Bounds| end.is_empty() || if bounded.is_forward { start < end } else { start > end };
        let Ok(scan) = BatchScan::new(of, direction, bounded.limit) else {
            assert!(!closed.iter().all(is_valid));
            return;
        };
        assert!(closed.iter().all(is_valid));
        let scan = scan.max_bytes(bounded.max_bytes);
        let scanned = self.real.walk(if bounded.keys_only { scan.keys_only() } else { scan });
        let expected = closed
            .iter()
            .flat_map(|bounds| self.reference.between(bounds, bounded.is_forward).into_iter().take(bounded.limit));
        assert_eq!((scanned.pairs, scanned.is_cut), fitting(expected.collect(), bounded));
    }
}

fn any_key() -> impl Strategy<Value = Bytes> {
    vec(select(&[0_u8, b'a', 0xff][..]), 0..4).prop_map(Bytes::from)
}

fn any_value() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..6).prop_map(Bytes::from)
}

fn any_ttl() -> impl Strategy<Value = u64> {
    prop_oneof![2 => Just(0), 1 => 1..5_u64]
}

fn any_bounds() -> impl Strategy<Value = Bounds> {
    (any_key(), any_key())
}

fn any_bounded() -> impl Strategy<Value = Bounded> {
    let max_bytes = prop_oneof![Just(usize::MAX), 0..150_usize];
    let fields = (any::<bool>(), 0..8_usize, max_bytes, any::<bool>());
    fields.prop_map(|(is_forward, limit, max_bytes, keys_only)| Bounded { is_forward, limit, max_bytes, keys_only })
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..4_u64).prop_map(Step::Advance),
        1 => Just(Step::Reopen),
        1 => (0..20_usize).prop_map(Step::Sweep),
        4 => any_key().prop_map(Step::Get),
        2 => any_key().prop_map(Step::Ttl),
        2 => vec(any_key(), 0..5).prop_map(Step::BatchGet),
        8 => (any_key(), any_value(), any_ttl()).prop_map(|(key, value, ttl)| Step::Put(key, value, ttl)),
        4 => vec((any_key(), any_value(), any_ttl()), 0..8).prop_map(Step::BatchPut),
        2 => any_key().prop_map(Step::Delete),
        1 => vec(any_key(), 0..4).prop_map(Step::BatchDelete),
        1 => any_bounds().prop_map(|(start, end)| Step::DeleteRange(start, end)),
        4 => (any_key(), any::<bool>(), option::of(any_value()), option::of(any_value()), any_ttl())
            .prop_map(|(key, is_known, expected, value, ttl)| Step::Swap(key, is_known, expected, value, ttl)),
        4 => (any_bounds(), any_bounded()).prop_map(|(bounds, bounded)| Step::Scan(bounds, bounded)),
        3 => (vec(any_bounds(), 0..4), any_bounded()).prop_map(|(ranges, bounded)| Step::BatchScan(ranges, bounded)),
        1 => vec(any_bounds(), 0..3).prop_map(Step::Checksum),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(TestStore::MODEL_CASES))]

    #[test]
    fn the_store_does_what_a_sorted_map_does(steps in vec(any_step(), 1..80)) {
        let reference = Reference { now: START, ..Reference::default() };
        let mut pairing = Pairing { real: Fixture::new(), reference };
        for step in steps {
            pairing.run(step);
        }
    }
}
