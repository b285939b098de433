//! What is done in a random run.

use proptest::prelude::*;

use super::KEYS;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Optimistic,
    Pessimistic,
    Asynchronous,
    OnePhase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    Put,
    PutLong,
    Delete,
    Lock,
}

/// Transactions are named by their number among those that were begun, and keys by theirs.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Begin { mode: Mode, writes: Vec<(usize, Write)> },
    LockKeys(usize),
    PrewritePrimary(usize),
    PrewriteOthers(usize),
    CommitPrimary(usize),
    CommitOthers(usize),
    RollBack(usize),
    PessimisticRollBack(usize),
    ReadNow { backward: bool },
    ReadThen { back: u64, backward: bool },
    Collect { back: u64 },
    Reopen,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let mode =
        prop_oneof![Just(Mode::Optimistic), Just(Mode::Pessimistic), Just(Mode::Asynchronous), Just(Mode::OnePhase)];
    let write = prop_oneof![
        4 => Just(Write::Put), 1 => Just(Write::PutLong), 2 => Just(Write::Delete), 1 => Just(Write::Lock)
    ];
    let writes = prop::collection::vec((0..KEYS.len(), write), 1..4);
    let number = || 0..4_usize;
    prop_oneof![
        6 => (mode, writes).prop_map(|(mode, writes)| Step::Begin { mode, writes }),
        4 => number().prop_map(Step::LockKeys),
        8 => number().prop_map(Step::PrewritePrimary),
        8 => number().prop_map(Step::PrewriteOthers),
        8 => number().prop_map(Step::CommitPrimary),
        6 => number().prop_map(Step::CommitOthers),
        2 => number().prop_map(Step::RollBack),
        1 => number().prop_map(Step::PessimisticRollBack),
        3 => any::<bool>().prop_map(|backward| Step::ReadNow { backward }),
        4 => (1..40_u64, any::<bool>()).prop_map(|(back, backward)| Step::ReadThen { back, backward }),
        1 => (5..40_u64).prop_map(|back| Step::Collect { back }),
        1 => Just(Step::Reopen),
    ]
}
