//! Walks that are taken in steps.

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;
use charioteer_engine::Direction;
use charioteer_engine::table::{Context, Ended, RowView, SortKeyCount, Walk, WalkRange};

use super::fixture::{Fixture, key};

/// Collects the keys of a whole partition.
struct Keys {
    direction: Direction,
    seen: Vec<Bytes>,
}

impl Walk for Keys {
    type Reply = (Vec<Bytes>, Ended);

    fn range(&self) -> Option<WalkRange> {
        Some(WalkRange { start: Bound::Unbounded, end: Bound::Unbounded, direction: self.direction })
    }

    fn visit(&mut self, key: &[u8], _: RowView<'_>, _: &Context) -> ControlFlow<()> {
        self.seen.push(Bytes::copy_from_slice(key));
        ControlFlow::Continue(())
    }

    fn finish(self, ended: Ended) -> Self::Reply {
        (self.seen, ended)
    }
}

fn fill(f: &Fixture, rows: u32) -> Vec<Bytes> {
    let names: Vec<_> = (0..rows).map(|number| format!("{number:06}")).collect();
    names.iter().for_each(|name| f.put("h", name, "v"));
    names.iter().map(|name| key("h", name)).collect()
}

#[test]
fn a_walk_over_many_rows_takes_several_steps_and_misses_none_in_either_direction() {
    let f = Fixture::new();
    let mut expected = fill(&f, 3500);
    for direction in [Direction::Forward, Direction::Backward] {
        let mut walking = f.table.begin_walk(0, Keys { direction, seen: Vec::new() }).unwrap();
        let mut steps = 1;
        let (seen, ended) = loop {
            match walking.step().unwrap() {
                Some(reply) => break reply,
                None => steps += 1,
            }
        };
        assert_eq!((steps, ended), (4, Ended::Exhausted));
        assert_eq!(seen, expected);
        expected.reverse();
    }
}

#[test]
fn a_walk_whose_rows_fill_its_steps_exactly_ends_too() {
    let f = Fixture::new();
    fill(&f, 2000);
    assert_eq!(f.walk(SortKeyCount::new(b"h")), 2000);
}

#[test]
fn what_is_written_between_two_steps_is_not_seen() {
    let f = Fixture::new();
    fill(&f, 1500);
    let mut walking = f.table.begin_walk(0, SortKeyCount::new(b"h")).unwrap();
    assert_eq!(walking.step().unwrap(), None);
    f.put("h", "999999", "v");
    assert_eq!(walking.step().unwrap(), Some(1500));
    assert_eq!(walking.step().unwrap(), None, "it has answered");
}

#[test]
fn time_runs_from_the_beginning_of_the_walk_not_of_the_step() {
    let f = Fixture::new();
    fill(&f, 1500);
    let mut walking = f.table.begin_walk(0, SortKeyCount::new(b"h")).unwrap();
    assert_eq!(walking.step().unwrap(), None);
    f.advance(31);
    assert_eq!(walking.step().unwrap(), Some(-1));
}
