use std::ops::{Bound, ControlFlow};

use charioteer_engine::Direction;
use charioteer_engine::raw::{BatchGet, Checksum, CompareAndSwap, Swap, TimeToLive, Ttl};

use super::fixture::{Fixture, bytes};

impl Fixture {
    /// How many rows the store holds, expired ones included.
    fn stored_rows(&self) -> usize {
        let rows = self.opened.db.keyspace("raw-default").unwrap();
        let mut count = 0;
        let all = (Bound::Unbounded, Bound::Unbounded);
        let counted = |_: &_, _: &_| {
            count += 1;
            ControlFlow::Continue(())
        };
        self.opened.db.snapshot().visit(&rows, all, Direction::Forward, counted).unwrap();
        count
    }
}

#[test]
fn an_expired_row_is_invisible_to_all_at_once() {
    let f = Fixture::new();
    f.put_for("key", "value", 2);
    f.advance(1);
    assert_eq!((f.get("key").as_deref(), f.keys()), (Some("value"), vec!["key".to_owned()]));
    f.advance(1);
    assert_eq!(f.get("key"), None);
    assert_eq!(f.walk(BatchGet::new(vec![bytes("key")])).pairs, []);
    assert_eq!(f.run(Ttl::new(bytes("key"))), None);
    assert_eq!(f.keys(), [""; 0]);
    assert_eq!(f.walk(Checksum::new(vec![(bytes(""), bytes(""))])).rows, 0);
    let swap = f.run(CompareAndSwap::put(bytes("key"), None, bytes("new")));
    assert_eq!(swap, Swap { succeeded: true, previous: None });
}

#[test]
fn the_time_that_is_left_is_told_to_the_second() {
    let f = Fixture::new();
    f.put("for ever", "value");
    f.put_for("a while", "value", 10);
    f.put_for("as long as can be", "value", u64::MAX);
    f.advance(9);
    assert_eq!(f.run(Ttl::new(bytes("for ever"))), Some(TimeToLive::Never));
    assert_eq!(f.run(Ttl::new(bytes("a while"))), Some(TimeToLive::Seconds(1)));
    assert!(f.run(Ttl::new(bytes("as long as can be"))).is_some_and(|left| left.seconds() > u64::MAX / 2));
    assert_eq!(f.run(Ttl::new(bytes("missing"))), None);
}

#[test]
fn a_put_forgets_the_time_of_the_one_before() {
    let f = Fixture::new();
    f.put_for("key", "old", 1);
    f.put("key", "new");
    f.advance(1);
    assert_eq!(f.get("key").as_deref(), Some("new"));
}

#[test]
fn sweeping_removes_what_has_expired_and_nothing_else() {
    let f = Fixture::new();
    for number in 0..30 {
        f.put_for(&format!("{number:02}"), "value", u64::from(number % 3 != 0));
    }
    assert_eq!((f.store().sweep(1000).unwrap(), f.stored_rows()), (0, 30));
    f.advance(1);
    let removed: usize = (0..5).map(|_| f.store().sweep(7).unwrap()).sum();
    assert_eq!((removed, f.stored_rows()), (20, 10));
    assert_eq!(f.keys().len(), 10);
}

#[test]
fn time_goes_on_while_the_store_is_closed() {
    let mut f = Fixture::new();
    f.put_for("soon", "value", 5);
    f.put_for("later", "value", 6);
    f.advance(5);
    f.opened.reopen();
    assert_eq!(f.keys(), ["later"]);
}
