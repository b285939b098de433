//! Random batches over a few keyspaces, with snapshots, drops, compaction, and stores that are opened again, checked against sorted maps.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow, RangeBounds};

use super::super::TestDb;
use bytes::Bytes;
use charioteer_engine::{Batch, Direction, Durability, Keyspace, Snapshot, Ticket};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

const NAMES: [&str; 3] = ["first", "second", "third"];

const LEVELS: [Durability; 3] = [Durability::Memory, Durability::Flush, Durability::Fsync];

type Rows = BTreeMap<Bytes, Bytes>;

type Bounds = (Bound<u8>, Bound<u8>);

/// In which keyspace, which key, and its value, or none if it is deleted.
type Change = (usize, u8, Option<u8>);

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Change>, Durability),
    /// The same, without waiting for it.
    Submit(Vec<Change>, Durability),
    Get(usize, Vec<u8>),
    Walk(usize, Bounds, Direction),
    TakeSnapshot,
    /// All of it, as it was then.
    ReadSnapshot,
    LetGoOfSnapshot,
    Drop(usize),
    Compact(usize),
    Sync,
    Reopen,
}

/// Keys of which some begin with others.
fn key(number: u8) -> Bytes {
    Bytes::from(format!("{number:b}"))
}

/// Values of all lengths, none included.
fn value(number: u8) -> Bytes {
    Bytes::from(vec![number; 20 * usize::from(number)])
}

/// A keyspace that was made, and what must be in it.
#[derive(Clone)]
struct Made {
    keyspace: Keyspace,
    rows: Rows,
}

impl Made {
    fn change(&mut self, key: Bytes, value: Option<Bytes>) {
        match value {
            Some(value) => self.rows.insert(key, value),
            None => self.rows.remove(&key),
        };
    }

    fn check(&self, snapshot: &Snapshot, bounds: (Bound<&[u8]>, Bound<&[u8]>), direction: Direction) {
        let mut found = Vec::new();
        let visit = |key: &Bytes, value: &Bytes| {
            found.push((key.clone(), value.clone()));
            ControlFlow::Continue(())
        };
        snapshot.visit(&self.keyspace, bounds, direction, visit).unwrap();
        let rows = self.rows.iter().filter(|(key, _)| RangeBounds::<[u8]>::contains(&bounds, &key[..]));
        let mut expected: Vec<_> = rows.map(|(key, value)| (key.clone(), value.clone())).collect();
        if direction == Direction::Backward {
            expected.reverse();
        }
        assert_eq!(found, expected);
    }

    fn check_all(&self, snapshot: &Snapshot) {
        for direction in [Direction::Forward, Direction::Backward] {
            self.check(snapshot, (Bound::Unbounded, Bound::Unbounded), direction);
        }
    }
}

/// The store and the sorted maps side by side.
struct Pair {
    real: TestDb,
    made: [Option<Made>; NAMES.len()],
    snapshots: Vec<(Snapshot, Vec<Made>)>,
    handed_in: Vec<Ticket<()>>,
}

impl Pair {
    fn new() -> Self {
        Self { real: TestDb::new(), made: Default::default(), snapshots: Vec::new(), handed_in: Vec::new() }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Commit(changes, durability) => {
                let batch = self.batch(changes, durability);
                self.real.commit(batch).unwrap();
            }
            Step::Submit(changes, durability) => {
                let batch = self.batch(changes, durability);
                self.handed_in.push(self.real.submit(batch));
            }
            Step::Get(at, keys) => self.get(at, &keys),
            Step::Walk(at, bounds, direction) => self.walk(at, bounds, direction),
            Step::TakeSnapshot => {
                self.wait();
                self.snapshots.push((self.real.snapshot(), self.made.iter().flatten().cloned().collect()));
            }
            Step::ReadSnapshot => {
                for (snapshot, then) in &self.snapshots {
                    then.iter().for_each(|made| made.check_all(snapshot));
                }
            }
            Step::LetGoOfSnapshot => drop(self.snapshots.pop()),
            Step::Drop(at) => {
                self.wait();
                self.made[at] = None;
                self.real.drop_keyspace(NAMES[at]).unwrap();
            }
            Step::Compact(at) => {
                let keyspace = self.made(at).keyspace.clone();
                self.real.compact(&keyspace).unwrap();
            }
            Step::Sync => self.real.sync().unwrap(),
            Step::Reopen => self.reopen(),
        }
    }

    /// A keyspace, which is made when somebody asks for it.
    fn made(&mut self, at: usize) -> &mut Made {
        let made = || Made { keyspace: self.real.keyspace(NAMES[at]).unwrap(), rows: Rows::new() };
        self.made[at].get_or_insert_with(made)
    }

    fn batch(&mut self, changes: Vec<Change>, durability: Durability) -> Batch {
        let mut batch = Batch::new();
        batch.set_durability(durability);
        for (at, number, changed) in changes {
            let (made, key, value) = (self.made(at), key(number), changed.map(value));
            match value.clone() {
                Some(value) => batch.put(&made.keyspace, key.clone(), value),
                None => batch.delete(&made.keyspace, key.clone()),
            }
            made.change(key, value);
        }
        batch
    }

    /// What was handed in need not show before.
    fn wait(&mut self) {
        self.handed_in.drain(..).for_each(|ticket| ticket.wait().unwrap());
    }

    fn get(&mut self, at: usize, keys: &[u8]) {
        self.wait();
        let keys: Vec<_> = keys.iter().map(|number| key(*number)).collect();
        let made = self.made(at).clone();
        let expected: Vec<_> = keys.iter().map(|key| made.rows.get(key).cloned()).collect();
        assert_eq!(self.real.get_many(&made.keyspace, &keys).unwrap(), expected);
        for (key, expected) in keys.iter().zip(expected) {
            assert_eq!(self.real.get(&made.keyspace, key).unwrap(), expected);
        }
    }

    fn walk(&mut self, at: usize, (start, end): Bounds, direction: Direction) {
        self.wait();
        let (start, end) = (start.map(key), end.map(key));
        let bounds = (start.as_ref().map(|key| &key[..]), end.as_ref().map(|key| &key[..]));
        let made = self.made(at).clone();
        made.check(&self.real.snapshot_of(&made.keyspace).unwrap(), bounds, direction);
    }

    /// What was handed in is there, whether or not anybody has waited for it.
    fn reopen(&mut self) {
        self.snapshots.clear();
        let rows = self.made.each_mut().map(|made| made.take().map(|made| made.rows));
        self.real.reopen();
        self.wait();
        for (at, rows) in rows.into_iter().enumerate() {
            if let Some(rows) = rows {
                self.made(at).rows = rows;
            }
        }
        self.check();
    }

    fn check(&self) {
        let names: Vec<_> =
            NAMES.into_iter().zip(&self.made).filter_map(|(name, made)| made.as_ref().map(|_| name)).collect();
        assert_eq!(self.real.keyspace_names(), names);
        let now = self.real.snapshot();
        self.made.iter().flatten().for_each(|made| made.check_all(&now));
    }
}

fn any_key() -> impl Strategy<Value = u8> {
    0..20_u8
}

fn any_changes() -> impl Strategy<Value = (Vec<Change>, Durability)> {
    let change = (0..NAMES.len(), any_key(), option::weighted(0.7, 0..5_u8));
    (vec(change, 0..8), select(&LEVELS[..]))
}

fn any_bound() -> impl Strategy<Value = Bound<u8>> {
    prop_oneof![Just(Bound::Unbounded), any_key().prop_map(Bound::Included), any_key().prop_map(Bound::Excluded)]
}

fn any_step() -> impl Strategy<Value = Step> {
    let keyspace = || 0..NAMES.len();
    let direction = select(&[Direction::Forward, Direction::Backward][..]);
    prop_oneof![
        12 => any_changes().prop_map(|(changes, durability)| Step::Commit(changes, durability)),
        6 => any_changes().prop_map(|(changes, durability)| Step::Submit(changes, durability)),
        4 => (keyspace(), vec(any_key(), 0..5)).prop_map(|(at, keys)| Step::Get(at, keys)),
        4 => (keyspace(), (any_bound(), any_bound()), direction)
            .prop_map(|(at, bounds, direction)| Step::Walk(at, bounds, direction)),
        3 => Just(Step::TakeSnapshot),
        3 => Just(Step::ReadSnapshot),
        1 => Just(Step::LetGoOfSnapshot),
        1 => keyspace().prop_map(Step::Drop),
        1 => keyspace().prop_map(Step::Compact),
        1 => Just(Step::Sync),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(TestDb::MODEL_CASES))]

    #[test]
    fn the_store_does_what_sorted_maps_do(steps in vec(any_step(), 1..60)) {
        let mut pair = Pair::new();
        for step in steps {
            pair.run(step);
        }
        pair.run(Step::ReadSnapshot);
        pair.wait();
        pair.check();
        pair.reopen();
    }
}
