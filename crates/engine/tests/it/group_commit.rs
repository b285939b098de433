//! Many writers at once on a disk.

use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use charioteer_engine::table::{Context, CreateTable, Get, Increment, Operation, Row, Table, Tables, Writes, raw_key};
use charioteer_engine::{Batch, Clock, Db, DiskOptions, Durability, Error};
use tempfile::TempDir;

use crate::store::{KEYSPACES, copy_of};
use crate::store::{key, open, open_and_read, options, rows, value, write_files};

const THREADS: u32 = 8;

/// A row in both keyspaces.
fn batch(db: &Db, number: u32) -> Batch {
    let mut batch = Batch::new();
    for name in KEYSPACES {
        batch.put(&db.keyspace(name).unwrap(), key(number), value(number));
    }
    batch
}

#[test]
fn commits_of_many_threads_are_all_there_and_share_their_syncs() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(folder.path(), DiskOptions { durability: Durability::Fsync, ..options() }).unwrap();
    thread::scope(|threads| {
        for thread in 0..THREADS {
            let db = &db;
            threads.spawn(move || (0..25).for_each(|number| db.commit(batch(db, thread * 25 + number)).unwrap()));
        }
    });
    let stats = db.stats().unwrap();
    assert_eq!(stats.writes, 200);
    assert!(stats.synced_groups < 200, "{stats:?}");
    let copy = tempfile::tempdir().unwrap();
    write_files(copy.path(), &copy_of(folder.path()));
    assert_eq!(open_and_read(copy.path()), Ok([rows(0..200), rows(0..200)]));
}

#[test]
fn batches_handed_in_are_applied_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path()).unwrap();
    let keyspace = db.keyspace("first").unwrap();
    let tickets: Vec<_> = (0..500)
        .map(|number: u32| {
            let mut batch = Batch::new();
            batch.put(&keyspace, "latest".into(), Bytes::from(number.to_string()));
            db.submit(batch)
        })
        .collect();
    tickets.into_iter().for_each(|ticket| ticket.wait().unwrap());
    assert_eq!(db.get(&keyspace, b"latest").unwrap().unwrap(), "499");
}

#[test]
fn what_was_handed_in_is_done_before_the_store_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path()).unwrap();
    let tickets: Vec<_> = (0..100).map(|number| db.submit(batch(&db, number))).collect();
    drop(db);
    tickets.into_iter().for_each(|ticket| ticket.wait().unwrap());
    assert_eq!(open_and_read(folder.path()), Ok([rows(0..100), rows(0..100)]));
}

#[test]
fn a_write_whose_ticket_nobody_holds_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path()).unwrap();
    for number in 0..20 {
        drop(db.submit(batch(&db, number)));
    }
    db.submit(Batch::new()).wait().unwrap();
    drop(db);
    assert_eq!(open_and_read(folder.path()), Ok([rows(0..20), rows(0..20)]));
}

/// An operation with a fault.
struct Broken {
    key: [Bytes; 1],
}

impl Operation for Broken {
    type Reply = ();

    fn keys(&self) -> &[Bytes] {
        &self.key
    }

    fn lock(&self) -> Option<&[u8]> {
        Some(b"hash")
    }

    fn apply(self, _: &[Option<Row>], _: &Context) -> ((), Writes) {
        panic!("this is what the test is about");
    }
}

fn table(folder: &TempDir) -> Arc<Table> {
    let tables = Tables::open(open(folder.path()).unwrap(), Clock::system()).unwrap();
    tables.create(CreateTable::new("temp", 4)).unwrap();
    tables.table_by_name("temp").unwrap()
}

#[test]
fn an_operation_that_panics_is_abandoned_and_takes_no_other_along() {
    let folder = tempfile::tempdir().unwrap();
    let table = table(&folder);
    let counter = raw_key(b"hash", b"counter");
    let increment = || Increment::new(counter.clone(), 1, 0);
    let mut sound = Vec::new();
    let mut broken = Vec::new();
    for _ in 0..20 {
        sound.push(table.submit(0, increment()));
        broken.push(table.submit(0, Broken { key: [counter.clone()] }));
    }
    for ticket in broken {
        assert_eq!(ticket.wait().map(|done| done.reply), Err(Error::Abandoned));
    }
    for (ticket, count) in sound.into_iter().zip(1..) {
        assert_eq!(ticket.wait().unwrap().reply.new_value, count);
    }
    table.run(0, increment()).unwrap();
    assert_eq!(table.run(0, Get::new(counter)).unwrap().reply.unwrap(), "21");
}

#[test]
fn increments_of_many_threads_add_up_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let table = table(&folder);
    let counter = raw_key(b"hash", b"counter");
    thread::scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(|| {
                let tickets: Vec<_> = (0..50).map(|_| table.submit(0, Increment::new(counter.clone(), 1, 0))).collect();
                tickets.into_iter().for_each(|ticket| assert_eq!(ticket.wait().unwrap().reply.status.code(), 0));
            });
        }
    });
    drop(table);
    let tables = Tables::open(open(folder.path()).unwrap(), Clock::system()).unwrap();
    let table = tables.table_by_name("temp").unwrap();
    assert_eq!(table.run(0, Get::new(counter)).unwrap().reply.unwrap(), (THREADS * 50).to_string());
}
