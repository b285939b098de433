//! Random transactions, some of which are left behind by their clients, against a map of versions.

mod clients;
mod readers;
mod steps;
mod transactions;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::super::TestStore;
use super::fixture::Fixture;
use steps::{Step, step};
use transactions::Transaction;

const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

struct Run {
    fixture: Fixture,
    now: u64,
    /// The latest timestamp that everything was read at.
    read_at: u64,
    safe_point: u64,
    transactions: Vec<Transaction>,
    /// Of each key, what was committed when; `None` is a deletion.
    versions: BTreeMap<&'static str, BTreeMap<u64, Option<String>>>,
    /// All that was committed, locks without a change too.
    commits: BTreeMap<&'static str, BTreeSet<u64>>,
}

impl Run {
    fn new() -> Self {
        let (versions, commits) = (BTreeMap::new(), BTreeMap::new());
        Self {
            fixture: Fixture::new(),
            now: 10,
            read_at: 0,
            safe_point: 0,
            transactions: Vec::new(),
            versions,
            commits,
        }
    }

    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Begin { mode, writes } => self.begin(*mode, writes),
            Step::LockKeys(number) => self.with(*number, Self::lock_keys),
            Step::PrewritePrimary(number) => self.with(*number, |run, at| run.prewrite(at, 0)),
            Step::PrewriteOthers(number) => self.with(*number, |run, at| run.prewrite(at, 1)),
            Step::CommitPrimary(number) => self.with(*number, Self::commit_primary),
            Step::CommitOthers(number) => self.with(*number, Self::commit_others),
            Step::RollBack(number) => self.with(*number, Self::roll_back),
            Step::PessimisticRollBack(number) => self.with(*number, Self::pessimistic_roll_back),
            Step::ReadNow { backward } => {
                let ts = self.tick();
                self.read(ts, *backward);
            }
            Step::ReadThen { back, backward } => {
                let ts = self.now.saturating_sub(*back).max(self.safe_point);
                self.read(ts, *backward);
            }
            Step::Collect { back } => self.collect(self.now.saturating_sub(*back)),
            Step::Reopen => {
                self.fixture.opened.reopen();
                let now = self.tick();
                self.fixture.store().raise_max_read_ts(now);
            }
        }
    }

    /// One of the latest transactions.
    fn with(&mut self, number: usize, act: impl FnOnce(&mut Self, usize)) {
        if let Some(at) = self.transactions.len().checked_sub(1 + number) {
            act(self, at);
        }
    }
}

#[test]
fn random_transactions_are_as_a_map_of_versions_says() {
    let config = Config { cases: TestStore::MODEL_CASES, ..Config::default() };
    let steps = prop::collection::vec(step(), 1..120);
    TestRunner::new(config)
        .run(&steps, |steps| {
            let mut run = Run::new();
            steps.iter().for_each(|step| run.take(step));
            let now = run.tick();
            run.read(now, false);
            for ts in (run.safe_point..now).step_by(3) {
                run.read(ts, ts % 2 == 0);
            }
            Ok(())
        })
        .unwrap();
}
