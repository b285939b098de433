//! Random operations of every kind on a few keys, with a clock that moves, checked against a plain reference.

mod reference;
mod step;

use charioteer_engine::cache::{Arithmetic, ArithmeticReply, Delete, Hit, Inspect, Read, Store, StoreReply};
use proptest::collection::vec;
use proptest::prelude::*;

use self::reference::{Answer, Reference};
use self::step::{Plan, Step, any_step};
use super::super::TestItems;
use super::fixture::{Fixture, START};

/// Small enough that values of the steps exceed it.
const ITEM_LIMIT: usize = 100;

/// The store and the reference side by side.
struct Pair {
    real: Fixture,
    reference: Reference,
}

impl Pair {
    fn new() -> Self {
        Self { real: Fixture::with_limit(ITEM_LIMIT), reference: Reference::at(START) }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Advance(seconds) => {
                self.real.advance(seconds);
                self.reference.now += seconds;
            }
            Step::Flush(delay) => {
                self.real.items.flush(self.reference.now + delay);
                self.reference.flush(self.reference.now + delay);
            }
            Step::Sweep => {
                self.real.items.sweep();
                self.reference.remove_dead();
                assert_eq!(self.real.items.stats().items, self.reference.items.len());
            }
            Step::Run(key, plan) => self.act(&key, &plan),
        }
    }

    fn act(&mut self, key: &str, plan: &Plan) {
        let at = self.reference.point(key);
        match plan {
            Plan::Read(plan) => self.read(key, at.read(plan)),
            Plan::Store(plan) => self.store(key, at.store(plan)),
            Plan::Delete { compare, stale, remove } => self.delete(key, at.delete(*compare, *stale, *remove)),
            Plan::Arithmetic { decrements, delta, create, compare, touch } => {
                self.count(key, at.arithmetic((*decrements, *delta), *create, *compare, *touch));
            }
            Plan::Inspect => {
                let size = self.real.run(key, Inspect).map(|inspected| inspected.size);
                assert_eq!(size, self.reference.size_of(key));
            }
        }
    }

    fn read(&mut self, key: &str, read: Read) {
        let hit = self.real.run(key, read);
        let expected = self.reference.read(key, read, hit.as_ref().map_or(0, |hit| hit.before.cas));
        assert_eq!(hit.map(plain), expected, "{read:?}");
    }

    fn store(&mut self, key: &str, store: Store) {
        let reply = self.real.run(key, store.clone());
        let cas = if let StoreReply::Stored(stored) = reply { stored.cas } else { 0 };
        let answer = match reply {
            StoreReply::Stored(stored) => Answer::Stored(stored.value_bytes),
            StoreReply::NotStored => Answer::NotStored,
            StoreReply::Exists => Answer::Exists,
            StoreReply::NotFound => Answer::NotFound,
            StoreReply::TooLarge => Answer::TooLarge,
            StoreReply::OutOfMemory => panic!("there is memory"),
        };
        assert_eq!(answer, self.reference.store(key, &store, cas), "{store:?}");
    }

    fn delete(&mut self, key: &str, delete: Delete) {
        let reply = self.real.run(key, delete);
        assert_eq!(reply, self.reference.delete(key, delete), "{delete:?}");
        // The reply does not tell the new CAS id.
        let cas = self.real.run(key, Inspect).map(|inspected| inspected.attributes.cas);
        self.reference.learn_cas(key, cas);
    }

    fn count(&mut self, key: &str, arithmetic: Arithmetic) {
        let reply = self.real.run(key, arithmetic);
        let cas = if let ArithmeticReply::Computed(computed) = reply { computed.cas } else { 0 };
        let answer = match reply {
            ArithmeticReply::Computed(computed) => Answer::Number(computed.number, computed.created),
            ArithmeticReply::NotFound => Answer::NotFound,
            ArithmeticReply::Exists => Answer::Exists,
            ArithmeticReply::NonNumeric => Answer::NonNumeric,
            ArithmeticReply::OutOfMemory => panic!("there is memory"),
        };
        assert_eq!(answer, self.reference.count(key, arithmetic, cas), "{arithmetic:?}");
    }
}

/// A hit as the reference tells of it.
fn plain(hit: Hit) -> reference::Seen {
    reference::Seen {
        value: hit.value.map(|value| value.to_vec()),
        value_bytes: hit.value_bytes,
        flags: hit.before.flags,
        cas: hit.before.cas,
        expiry_before: hit.before.expiry.second(),
        expiry: hit.expiry.second(),
        last_access: hit.before.last_access,
        fetched: hit.before.fetched,
        is_stale: hit.before.stale,
        is_taken: hit.before.won,
        won: hit.won,
        created: hit.created,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(TestItems::MODEL_CASES))]

    #[test]
    fn the_store_does_what_the_reference_does(steps in vec(any_step(), 1..100)) {
        let mut pair = Pair::new();
        for step in steps {
            pair.run(step);
        }
    }
}
