//! Random operations of every kind over a few keys, with a clock that moves, checked against a
//! plain reference.

mod range;
mod reference;
mod scan;
mod step;

use bytes::Bytes;
use charioteer_engine::table::{
    BatchGet, CheckAndMutate, CheckAndSet, CheckReply, Get, Increment, MultiGet, MultiGetRange, MultiGetReply,
    MultiPut, MultiRemove, Mutation, Put, Remove, ScanBatch, SortKeyCount, Status, TimeToLive, Ttl, raw_key,
};
use proptest::collection::vec;
use proptest::prelude::*;

use self::reference::{Reference, Text};
use self::scan::OpenScan;
use self::step::{Step, any_step};
use super::fixture::{Fixture, START};

/// The engine and the reference side by side.
struct Pair {
    real: Fixture,
    reference: Reference,
    open_scans: Vec<(i64, OpenScan)>,
}

impl Pair {
    fn new() -> Self {
        Self { real: Fixture::new(), reference: Reference::at(START), open_scans: Vec::new() }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Advance(seconds) => {
                self.real.advance(u64::from(seconds));
                self.reference.now += seconds;
            }
            Step::DefaultTtl(ttl) => {
                self.real.set_env("default_ttl", &ttl.to_string());
                self.reference.default_ttl = ttl;
            }
            Step::OpenScan(scan) => {
                let batch = self.real.table.open_scan(0, scan.clone()).unwrap();
                let open = OpenScan::new(&self.reference, scan);
                self.compare_page(batch, open, true);
            }
            Step::NextScan(choice) => self.next_page(choice),
            Step::Put(..) | Step::Remove(..) | Step::MultiPut(..) | Step::MultiRemove(..) => self.write(step),
            Step::Increment(..) | Step::CheckAndSet(..) | Step::CheckAndMutate(..) => self.read_and_write(step),
            _ => self.read(step),
        }
    }

    fn write(&mut self, step: Step) {
        let (real, reference) = (&self.real, &mut self.reference);
        match step {
            Step::Put((hash_key, sort_key), value, expiry) => {
                let expire_ts = expiry.at(reference.now);
                real.run(Put::new(raw_key(&hash_key, &sort_key), bytes(&value), expire_ts));
                reference.put(&hash_key, &sort_key, &value, expire_ts);
            }
            Step::Remove((hash_key, sort_key)) => {
                real.run(Remove::new(raw_key(&hash_key, &sort_key)));
                reference.remove(&hash_key, &sort_key);
            }
            Step::MultiPut(hash_key, rows, expiry) => {
                let expire_ts = expiry.at(reference.now);
                let pairs = rows.iter().map(|(sort_key, value)| (bytes(sort_key), bytes(value))).collect();
                let status = real.run(MultiPut::new(bytes(&hash_key), pairs, expire_ts));
                assert_eq!(status == Status::InvalidArgument, rows.is_empty());
                rows.iter().for_each(|(sort_key, value)| reference.put(&hash_key, sort_key, value, expire_ts));
            }
            Step::MultiRemove(hash_key, sort_keys) => {
                let reply = real.run(MultiRemove::new(bytes(&hash_key), all_bytes(&sort_keys)));
                assert_eq!(reply.status == Status::InvalidArgument, sort_keys.is_empty());
                assert_eq!(reply.count, i64::try_from(sort_keys.len()).unwrap());
                sort_keys.iter().for_each(|sort_key| reference.remove(&hash_key, sort_key));
            }
            other => panic!("no write: {other:?}"),
        }
    }

    fn read_and_write(&mut self, step: Step) {
        let (real, reference) = (&self.real, &mut self.reference);
        match step {
            Step::Increment((hash_key, sort_key), increment, expiry) => {
                let expire_ts = expiry.at(reference.now);
                let reply = real.run(Increment::new(raw_key(&hash_key, &sort_key), increment, expire_ts));
                let expected = reference.increment(&hash_key, &sort_key, increment, expire_ts);
                assert_eq!((reply.status, reply.new_value), expected);
            }
            Step::CheckAndSet(mut request, expiry) => {
                request.set_expire_ts = expiry.at(reference.now);
                let set_sort_key = request.set_sort_key.clone().unwrap_or_else(|| request.check_sort_key.clone());
                let mutation = Mutation {
                    operation: 0,
                    sort_key: set_sort_key,
                    value: request.set_value.clone(),
                    expire_ts: request.set_expire_ts,
                };
                let expected = reference.check_and_mutate(
                    (&request.hash_key, &request.check_sort_key),
                    (request.check_type, &request.check_operand),
                    &[mutation],
                );
                let wanted = request.return_check_value;
                compare_check(real.run(CheckAndSet::new(request)), expected, wanted);
            }
            Step::CheckAndMutate((hash_key, sort_key), (check_type, operand), mut mutations, expiry, wanted) => {
                for mutation in &mut mutations {
                    mutation.expire_ts = expiry.at(reference.now);
                }
                let check = (check_type, &operand[..]);
                let expected = reference.check_and_mutate((&hash_key, &sort_key), check, &mutations);
                let (hash_key, sort_key, operand) = (bytes(&hash_key), bytes(&sort_key), bytes(&operand));
                let mutate = CheckAndMutate::new(hash_key, sort_key, check_type, operand, mutations, wanted);
                compare_check(real.run(mutate), expected, wanted);
            }
            other => panic!("not read and write: {other:?}"),
        }
    }

    fn read(&self, step: Step) {
        let (real, reference) = (&self.real, &self.reference);
        match step {
            Step::Get((hash_key, sort_key)) => {
                let value = real.run(Get::new(raw_key(&hash_key, &sort_key)));
                assert_eq!(value.as_deref(), reference.get(&hash_key, &sort_key).map(|(value, _)| &value[..]));
            }
            Step::Ttl((hash_key, sort_key)) => {
                let ttl = real.run(Ttl::new(raw_key(&hash_key, &sort_key)));
                let expected = reference.get(&hash_key, &sort_key).map(|(_, expire_ts)| match *expire_ts {
                    0 => TimeToLive::Never,
                    expire_ts => TimeToLive::Seconds(expire_ts - reference.now),
                });
                assert_eq!(ttl, expected);
            }
            Step::Count(hash_key) => {
                assert_eq!(real.walk(SortKeyCount::new(&hash_key)), reference.count(&hash_key));
            }
            Step::MultiGet(hash_key, sort_keys, max_count, max_size, no_value) => {
                let get = MultiGet::new(bytes(&hash_key), all_bytes(&sort_keys), max_count, max_size, no_value);
                let expected = reference.multi_get(&hash_key, &sort_keys, (max_count, max_size), no_value);
                assert_eq!(plain(&real.run(get)), expected);
            }
            Step::BatchGet(keys) => {
                let full_keys = keys.iter().map(|(hash_key, sort_key)| (bytes(hash_key), bytes(sort_key)));
                let reply = real.run(BatchGet::new(full_keys.collect()));
                let found = keys.iter().filter_map(|(hash_key, sort_key)| {
                    let (value, _) = reference.get(hash_key, sort_key)?;
                    Some((bytes(hash_key), bytes(sort_key), bytes(value)))
                });
                assert_eq!(reply.rows, found.collect::<Vec<_>>());
                assert_eq!(reply.status == Status::InvalidArgument, keys.is_empty());
            }
            Step::Range(request) => {
                let expected = range::multi_get(reference, &request);
                assert_eq!(plain(&real.walk(MultiGetRange::new(request))), expected);
            }
            other => panic!("no read: {other:?}"),
        }
    }

    fn next_page(&mut self, choice: usize) {
        if self.open_scans.is_empty() {
            return;
        }
        let (context_id, open) = self.open_scans.swap_remove(choice % self.open_scans.len());
        match self.real.table.next_scan(0, context_id).unwrap() {
            Some(batch) => self.compare_page(batch, open, false),
            None => assert!(open.is_idle(self.reference.now)),
        }
    }

    fn compare_page(&mut self, batch: ScanBatch, mut open: OpenScan, is_first: bool) {
        assert!(is_first || !open.is_idle(self.reference.now));
        let page = open.page(self.reference.now, is_first);
        let rows = batch.page.rows.iter();
        let rows: Vec<_> = rows.map(|row| (row.raw_key.to_vec(), row.value.to_vec(), row.expire_ts)).collect();
        assert_eq!((batch.page.status, rows, batch.page.count), (page.status, page.rows, page.count));
        assert_eq!(batch.is_last(), page.is_last);
        if !batch.is_last() {
            self.open_scans.push((batch.context_id, open));
        }
    }
}

fn compare_check(reply: CheckReply, (status, value): (Status, Option<Text>), value_is_wanted: bool) {
    assert_eq!(reply.status, status);
    match reply.checked {
        Some(checked) => assert_eq!(checked.value.map(|value| value.to_vec()), value),
        // The steps use no unknown check, which would return no value either.
        None => assert!(!value_is_wanted),
    }
}

fn plain(reply: &MultiGetReply) -> (Status, Vec<(Text, Text)>) {
    (reply.status, reply.rows.iter().map(|(sort_key, value)| (sort_key.to_vec(), value.to_vec())).collect())
}

fn bytes(text: &[u8]) -> Bytes {
    Bytes::copy_from_slice(text)
}

fn all_bytes(texts: &[Text]) -> Vec<Bytes> {
    texts.iter().map(|text| bytes(text)).collect()
}

proptest! {
    #[test]
    fn the_engine_does_what_the_reference_does(steps in vec(any_step(), 1..80)) {
        let mut pair = Pair::new();
        for step in steps {
            pair.run(step);
        }
    }
}
