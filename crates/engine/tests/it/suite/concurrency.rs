use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use bytes::Bytes;
use charioteer_engine::table::{
    CheckAndMutate, CheckAndSet, CheckAndSetRequest, Context, CreateTable, Get, Increment, MultiGet, MultiGetRange,
    MultiPut, MultiRemove, Mutation, Operation, Put, RangeRequest, Remove, Row, Scan, Status, Writes,
};

use super::fixture::{Fixture, bytes, full_scan, key, text};

const THREADS: i64 = 8;
const ROUNDS: i64 = 500;

fn on_all_threads(f: &Fixture, work: impl Fn(&Fixture, i64) + Sync) {
    let start = Barrier::new(usize::try_from(THREADS).unwrap());
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (work, start) = (&work, &start);
            scope.spawn(move || {
                start.wait();
                work(f, thread);
            });
        }
    });
}

/// An operation that lets other threads run between its reads and its writes.
struct Slowly<O>(O);

impl<O: Operation> Operation for Slowly<O> {
    type Reply = O::Reply;

    fn keys(&self) -> &[Bytes] {
        self.0.keys()
    }

    fn lock(&self) -> Option<&[u8]> {
        self.0.lock()
    }

    fn apply(self, rows: &[Option<Row>], context: &Context) -> (Self::Reply, Writes) {
        for _ in 0..10 {
            thread::yield_now();
        }
        self.0.apply(rows, context)
    }
}

#[test]
fn no_increment_is_lost() {
    let f = Fixture::new();
    on_all_threads(&f, |f, _| {
        for _ in 0..ROUNDS {
            f.run(Slowly(Increment::new(key("h", "s"), 1, 0)));
        }
    });
    assert_eq!(f.get("h", "s"), Some((THREADS * ROUNDS).to_string()));
}

#[test]
fn writes_of_a_partition_are_numbered_without_gaps() {
    let f = Fixture::new();
    on_all_threads(&f, |f, thread| {
        for _ in 0..ROUNDS {
            f.put(&thread.to_string(), "s", "v");
        }
    });
    let next = f.table.run(0, Put::new(key("h", "s"), "v".into(), 0)).unwrap();
    assert_eq!(next.decree, THREADS * ROUNDS + 1);
}

/// Adds 1 by reading and then setting if nothing changed in between.
fn add_one_by_check_and_set(f: &Fixture) {
    loop {
        let old = f.get("h", "s").unwrap();
        let new = old.parse::<i64>().unwrap() + 1;
        let request = CheckAndSetRequest {
            hash_key: "h".into(),
            check_sort_key: "s".into(),
            check_type: 10,
            check_operand: bytes(&old),
            set_value: new.to_string().into(),
            ..CheckAndSetRequest::default()
        };
        if f.run(Slowly(CheckAndSet::new(request))).status == Status::Ok {
            return;
        }
    }
}

#[test]
fn check_and_set_loses_no_update() {
    let f = Fixture::new();
    f.put("h", "s", "0");
    on_all_threads(&f, |f, _| {
        for _ in 0..ROUNDS / 5 {
            add_one_by_check_and_set(f);
        }
    });
    assert_eq!(f.get("h", "s"), Some((THREADS * ROUNDS / 5).to_string()));
}

#[test]
fn only_one_thread_takes_a_lock_while_others_write_blindly() {
    let f = Fixture::new();
    let held = AtomicBool::new(false);
    on_all_threads(&f, |f, thread| {
        for round in 0..ROUNDS {
            // A blind write to the same hash key must not slip in between another's check and
            // write.
            f.put("h", &format!("noise {thread}"), &round.to_string());
            let take = Mutation { sort_key: "lock".into(), value: thread.to_string().into(), ..Mutation::default() };
            let if_missing = CheckAndMutate::new("h".into(), "lock".into(), 1, Bytes::new(), vec![take], false);
            if f.run(Slowly(if_missing)).status == Status::Ok {
                assert!(!held.swap(true, Ordering::SeqCst), "two threads hold the lock");
                held.store(false, Ordering::SeqCst);
                f.run(Remove::new(key("h", "lock")));
            }
        }
    });
}

#[test]
fn a_blind_write_waits_for_an_operation_that_has_read() {
    let f = Fixture::new();
    for writer in [
        (|f| f.run(Put::new(key("h", "s"), "1000".into(), 0))) as fn(&Fixture),
        |f| f.run(Remove::new(key("h", "s"))),
        |f| assert_eq!(f.run(MultiPut::new("h".into(), vec![("s".into(), "1000".into())], 0)), Status::Ok),
        |f| assert_eq!(f.run(MultiRemove::new("h".into(), vec!["s".into()])).count, 1),
    ] {
        f.put("h", "s", "1");
        let has_read = Arc::new(Barrier::new(2));
        let increment = Meeting(Increment::new(key("h", "s"), 1, 0), Arc::clone(&has_read));
        thread::scope(|scope| {
            scope.spawn(|| f.run(increment));
            has_read.wait();
            writer(&f);
        });
        let value = f.get("h", "s");
        assert!(value.is_none_or(|value| value == "1000"), "the increment undid a write that came after its read");
    }
}

/// An increment that meets another thread between its read and its write.
struct Meeting(Increment, Arc<Barrier>);

impl Operation for Meeting {
    type Reply = <Increment as Operation>::Reply;

    fn keys(&self) -> &[Bytes] {
        self.0.keys()
    }

    fn lock(&self) -> Option<&[u8]> {
        self.0.lock()
    }

    fn apply(self, rows: &[Option<Row>], context: &Context) -> (Self::Reply, Writes) {
        self.1.wait();
        // The other thread is about to write. It must not get to it before this one has.
        for _ in 0..1000 {
            thread::yield_now();
        }
        self.0.apply(rows, context)
    }
}

#[test]
fn readers_see_all_of_a_multi_put_or_nothing() {
    let f = Fixture::new();
    let done = AtomicBool::new(false);
    let put_both =
        |value: &str| f.run(MultiPut::new("h".into(), ["a", "b"].map(|s| (bytes(s), bytes(value))).into(), 0));
    put_both("0");
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..2000 {
                put_both(&round.to_string());
            }
            done.store(true, Ordering::SeqCst);
        });
        while !done.load(Ordering::SeqCst) {
            let point = f.run(MultiGet::new("h".into(), vec!["b".into(), "a".into()], 0, 0, false));
            let range = f.walk(MultiGetRange::new(RangeRequest {
                hash_key: "h".into(),
                start_inclusive: true,
                ..RangeRequest::default()
            }));
            for rows in [point.rows, range.rows] {
                assert_eq!(rows.len(), 2);
                assert_eq!(rows[0].1, rows[1].1);
            }
        }
    });
}

#[test]
fn a_write_is_seen_by_every_read_that_starts_after_it_returned() {
    let f = Fixture::new();
    on_all_threads(&f, |f, thread| {
        let own = thread.to_string();
        for round in 0..ROUNDS {
            f.put("h", &own, &round.to_string());
            let read = f.run(Get::new(key("h", &own))).unwrap();
            assert_eq!(text(&read), round.to_string());
        }
    });
}

#[test]
fn scans_run_beside_writes() {
    let f = Fixture::new();
    for number in 0..100 {
        f.put("h", &format!("{number:03}"), "0");
    }
    on_all_threads(&f, |f, thread| {
        for round in 0..ROUNDS / 10 {
            if thread % 2 == 0 {
                f.put("h", &format!("{:03}", round % 100), &round.to_string());
                continue;
            }
            let scan = Scan { batch_size: 30, ..full_scan() };
            let mut batch = f.table.open_scan(0, scan).unwrap();
            let mut rows = batch.page.rows.len();
            while !batch.is_last() {
                batch = f.table.next_scan(0, batch.context_id).unwrap().unwrap();
                rows += batch.page.rows.len();
            }
            assert_eq!(rows, 100);
        }
    });
}

#[test]
fn tables_are_created_and_dropped_beside_requests() {
    let f = Fixture::new();
    on_all_threads(&f, |f, thread| {
        let name = format!("table of {thread}");
        for round in 1..20 {
            let id = f.tables.create(CreateTable::new(&*name, 2)).unwrap().id;
            let table = f.tables.table(id).unwrap();
            table.run(1, Increment::new(key("h", "s"), round, 0)).unwrap();
            f.run(Increment::new(key("all", "rounds"), 1, 0));
            f.tables.drop_table(&name, false, None).unwrap();
            assert!(f.tables.table(id).is_none());
        }
    });
    assert_eq!(f.tables.infos().len(), 1 + 8 * 19);
    assert_eq!(f.get("all", "rounds").as_deref(), Some("152"));
}
