use std::ops::{Bound, ControlFlow};
use std::time::Duration;

use charioteer_engine::table::{Context, Ended, RowView, SortKeyCount, Walk, WalkRange};
use charioteer_engine::{Clock, Direction};

use super::fixture::{Fixture, START};

#[test]
fn only_living_rows_of_the_hash_key_are_counted() {
    let f = Fixture::new();
    for sort_key in ["", "a", "b"] {
        f.put("h", sort_key, "v");
    }
    f.put_until("h", "expired", "v", START);
    f.put_until("h", "soon", "v", START + 1);
    f.put("g", "a", "v");
    f.put("hh", "a", "v");
    assert_eq!(f.walk(SortKeyCount::new(b"h")), 4);
    f.advance(1);
    assert_eq!(f.walk(SortKeyCount::new(b"h")), 3);
    assert_eq!(f.walk(SortKeyCount::new(b"none")), 0);
}

#[test]
fn there_is_no_limit_on_the_count() {
    let f = Fixture::new();
    for number in 0..5000 {
        f.put("h", &number.to_string(), "v");
    }
    assert_eq!(f.walk(SortKeyCount::new(b"h")), 5000);
}

#[test]
fn the_empty_hash_key_has_rows_of_its_own() {
    let f = Fixture::new();
    f.put("", "", "v");
    f.put("", "a", "v");
    f.put("a", "", "v");
    assert_eq!(f.walk(SortKeyCount::new(b"")), 2);
}

#[test]
fn a_hash_key_of_all_ones_has_an_end_too() {
    let f = Fixture::new();
    let put = |hash_key: &[u8]| {
        let key = charioteer_engine::table::raw_key(hash_key, b"s");
        f.run(charioteer_engine::table::Put::new(key, "v".into(), 0));
    };
    put(b"\xff\xff");
    put(b"\0\0\0");
    assert_eq!(f.walk(SortKeyCount::new(b"\xff\xff")), 1);
}

/// Shows all rows of a partition, each of which takes a second.
struct SecondPerRow(Clock, usize);

impl Walk for SecondPerRow {
    type Reply = (usize, Ended);

    fn range(&self) -> Option<WalkRange> {
        Some(WalkRange { start: Bound::Unbounded, end: Bound::Unbounded, direction: Direction::Forward })
    }

    fn visit(&mut self, _: &[u8], _: RowView<'_>, _: &Context) -> ControlFlow<()> {
        self.0.advance(Duration::from_secs(1));
        self.1 += 1;
        ControlFlow::Continue(())
    }

    fn finish(self, ended: Ended) -> Self::Reply {
        (self.1, ended)
    }
}

#[test]
fn a_walk_that_takes_too_long_is_ended() {
    let f = Fixture::new();
    for number in 0..250 {
        f.put("h", &number.to_string(), "v");
    }
    let walk = || f.walk(SecondPerRow(f.clock.clone(), 0));
    assert_eq!(walk(), (99, Ended::OutOfTime), "the clock is looked at once in 100 rows, 30 seconds are allowed");
    f.set_env("replica.rocksdb_iteration_threshold_time_ms", "150000");
    assert_eq!(walk(), (199, Ended::OutOfTime));
    f.set_env("replica.rocksdb_iteration_threshold_time_ms", "0");
    assert_eq!(walk(), (250, Ended::Exhausted), "0 is without limit");
}

#[test]
fn counting_that_runs_out_of_time_gives_minus_one() {
    assert_eq!(SortKeyCount::new(b"h").finish(Ended::OutOfTime), -1);
    assert_eq!(SortKeyCount::new(b"h").finish(Ended::Exhausted), 0);
}
