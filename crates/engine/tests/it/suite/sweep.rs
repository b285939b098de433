//! What sweeping removes, and what it leaves.

use std::ops::{Bound, ControlFlow};

use charioteer_engine::Direction;
use charioteer_engine::table::Put;

use super::fixture::{Fixture, START, key};

impl Fixture {
    /// How many rows the store holds for the table, expired ones included.
    fn stored_rows(&self) -> usize {
        let rows = self.db.keyspace("table-1").unwrap();
        let mut count = 0;
        let all = (Bound::Unbounded, Bound::Unbounded);
        let counted = |_: &_, _: &_| {
            count += 1;
            ControlFlow::Continue(())
        };
        self.db.snapshot().visit(&rows, all, Direction::Forward, counted).unwrap();
        count
    }

    fn put_in(&self, partition: u32, sort_key: &str, expire_ts: u32) {
        let put = Put::new(key("h", sort_key), "v".into(), expire_ts.cast_signed());
        self.table.run(partition, put).unwrap();
    }
}

#[test]
fn sweeping_removes_the_expired_rows_of_every_partition_and_no_others() {
    let f = Fixture::new();
    for partition in 0..4 {
        f.put_in(partition, "for ever", 0);
        f.put_in(partition, "later", START + 100);
        f.put_in(partition, "soon", START + 1);
    }
    assert_eq!(f.table.sweep(1000).unwrap(), 0);
    f.advance(1);
    assert_eq!(f.table.sweep(1000).unwrap(), 4);
    assert_eq!(f.stored_rows(), 8);
    f.advance(99);
    assert_eq!(f.table.sweep(1000).unwrap(), 4);
    assert_eq!(f.stored_rows(), 4);
}

#[test]
fn sweeping_goes_on_where_it_stopped() {
    let f = Fixture::new();
    for number in 0..30 {
        f.put_in(number % 3, &format!("{number:02}"), START + 1);
    }
    f.advance(1);
    let removed = (0..4).map(|_| f.table.sweep(7).unwrap()).sum::<usize>();
    assert_ne!(f.stored_rows(), 0, "28 of 30 rows were looked at");
    assert_eq!(removed + f.table.sweep(7).unwrap(), 30);
    assert_eq!(f.stored_rows(), 0);
}

#[test]
fn sweeping_is_no_write_of_a_client() {
    let f = Fixture::new();
    f.put_until("h", "s", "v", START + 1);
    f.advance(1);
    assert_eq!(f.table.sweep(10).unwrap(), 1);
    let done = f.table.run(0, Put::new(key("h", "s"), "v".into(), 0)).unwrap();
    assert_eq!(done.decree, 2);
}

#[test]
fn tidying_sweeps_tables_too() {
    let f = Fixture::new();
    f.put_until("h", "s", "v", START + 1);
    f.advance(1);
    f.tables.tidy().unwrap();
    assert_eq!(f.stored_rows(), 0);
}

#[test]
fn a_table_that_is_written_once_gives_its_space_back_when_its_rows_have_expired() {
    let f = Fixture::new();
    for number in 0..200 {
        f.put_until("h", &format!("{number:03}"), &"v".repeat(10_000), START + 10);
    }
    f.put("h", "for ever", "v");
    let rows = f.db.keyspace("table-1").unwrap();
    f.db.compact(&rows).unwrap();
    let in_tables = || f.db.stats().map(|stats| stats.disk_bytes - stats.journal_bytes);
    let before = in_tables();
    f.advance(10);
    f.tables.tidy().unwrap();
    assert_eq!(f.stored_rows(), 1);
    assert_eq!(f.get("h", "for ever").as_deref(), Some("v"));
    // In memory nothing is counted.
    assert!(in_tables().is_none_or(|after| after < before.unwrap() / 2), "{before:?} {:?}", in_tables());
}
