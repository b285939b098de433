//! What clients know of their transactions.

use std::collections::BTreeMap;

use charioteer_engine::mvcc::Mutation;

use super::super::fixture::{delete, lock_only, locked, put};
use super::steps::{Mode, Write};

/// What is known of how a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Open,
    Committed(u64),
    RolledBack,
}

#[derive(Debug, Clone)]
pub(super) struct Transaction {
    pub(super) mode: Mode,
    pub(super) start_ts: u64,
    pub(super) for_update_ts: u64,
    /// The first key is the primary.
    pub(super) writes: BTreeMap<&'static str, (Write, String)>,
    pub(super) fate: Fate,
    /// With asynchronous commit, what the prewrites answered.
    pub(super) min_commit_ts: [Option<u64>; 2],
    pub(super) has_prewritten: [bool; 2],
    pub(super) has_locked: bool,
    /// Whether its client has rolled it back, and so asks for nothing more.
    pub(super) is_given_up: bool,
}

impl Transaction {
    pub(super) fn primary(&self) -> &'static str {
        self.writes.keys().next().unwrap()
    }

    pub(super) fn others(&self) -> Vec<&'static str> {
        self.writes.keys().skip(1).copied().collect()
    }

    pub(super) fn mutations(&self, keys: &[&'static str]) -> Vec<Mutation> {
        let of = |key: &&'static str| {
            let (write, value) = &self.writes[key];
            let mutation = match write {
                Write::Put | Write::PutLong => put(key, value),
                Write::Delete => delete(key),
                Write::Lock => lock_only(key),
            };
            if self.mode == Mode::Pessimistic { locked(mutation) } else { mutation }
        };
        keys.iter().map(of).collect()
    }

    /// Up to where others' versions may lie.
    pub(super) fn reads_up_to(&self) -> u64 {
        if self.mode == Mode::Pessimistic { self.for_update_ts } else { self.start_ts }
    }
}
