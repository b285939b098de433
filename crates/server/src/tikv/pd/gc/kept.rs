//! Points and barriers as messages: to clients, with the seconds that a barrier has left, and to the ledger, with the second in which it
//! ends.

use std::collections::BTreeMap;
use std::time::Duration;

use charioteer_engine::Error;
use charioteer_proto::tikv::pdpb;

use super::NULL_KEYSPACE;
use super::rules::{Barrier, State, States};
use crate::tikv::cluster::{Ledger, Page, Section};

/// A keyspace's points and barriers as clients are told of them.
pub(super) fn told(states: &States, keyspace: u32, without_barriers: bool, now: Duration) -> pdpb::GcState {
    let state = states.of(keyspace);
    let barriers = state.barriers.iter().filter(|_| !without_barriers);
    pdpb::GcState {
        keyspace_scope: Some(scope(keyspace)),
        is_keyspace_level_gc: keyspace != NULL_KEYSPACE,
        txn_safe_point: state.txn_safe_point,
        gc_safe_point: state.gc_safe_point,
        gc_barriers: barriers.map(|(id, held)| barrier(id, held, now)).collect(),
    }
}

pub(super) const fn scope(keyspace: u32) -> pdpb::KeyspaceScope {
    pdpb::KeyspaceScope { keyspace_id: Some(keyspace) }
}

pub(super) fn barrier(id: &str, barrier: &Barrier, now: Duration) -> pdpb::GcBarrierInfo {
    let (barrier_ts, ttl_seconds) = (barrier.ts, barrier.seconds_left(now));
    pdpb::GcBarrierInfo { barrier_id: id.to_owned(), barrier_ts, ttl_seconds }
}

pub(super) fn global_barrier(id: &str, barrier: &Barrier, now: Duration) -> pdpb::GlobalGcBarrierInfo {
    let (barrier_ts, ttl_seconds) = (barrier.ts, barrier.seconds_left(now));
    pdpb::GlobalGcBarrierInfo { barrier_id: id.to_owned(), barrier_ts, ttl_seconds }
}

pub(super) fn globals(states: &States, now: Duration) -> Vec<pdpb::GlobalGcBarrierInfo> {
    states.globals.iter().map(|(id, barrier)| global_barrier(id, barrier, now)).collect()
}

/// Writes down what differs.
pub(super) fn write(page: &mut Page<'_>, before: &States, after: &States) {
    for (keyspace, state) in &after.states {
        if before.states.get(keyspace) != Some(state) {
            page.put(Section::GcStates, &keyspace.to_be_bytes(), &row(*keyspace, state));
        }
    }
    for id in before.globals.keys().filter(|id| !after.globals.contains_key(*id)) {
        page.delete(Section::GlobalBarriers, id.as_bytes());
    }
    for (id, barrier) in &after.globals {
        if before.globals.get(id) != Some(barrier) {
            page.put(Section::GlobalBarriers, id.as_bytes(), &barrier_row(id, barrier));
        }
    }
}

/// What was written down.
pub(super) fn read(ledger: &Ledger) -> Result<States, Error> {
    let mut states = BTreeMap::new();
    for row in ledger.all::<pdpb::GcState>(Section::GcStates)? {
        let keyspace = row.keyspace_scope.and_then(|scope| scope.keyspace_id).unwrap_or(NULL_KEYSPACE);
        let (txn_safe_point, gc_safe_point) = (row.txn_safe_point, row.gc_safe_point);
        let barriers = row.gc_barriers.into_iter().map(from_row).collect();
        states.insert(keyspace, State { txn_safe_point, gc_safe_point, barriers });
    }
    let globals = ledger.all::<pdpb::GcBarrierInfo>(Section::GlobalBarriers)?;
    Ok(States { states, globals: globals.into_iter().map(from_row).collect() })
}

fn row(keyspace: u32, state: &State) -> pdpb::GcState {
    pdpb::GcState {
        keyspace_scope: Some(scope(keyspace)),
        is_keyspace_level_gc: keyspace != NULL_KEYSPACE,
        txn_safe_point: state.txn_safe_point,
        gc_safe_point: state.gc_safe_point,
        gc_barriers: state.barriers.iter().map(|(id, barrier)| barrier_row(id, barrier)).collect(),
    }
}

fn barrier_row(id: &str, barrier: &Barrier) -> pdpb::GcBarrierInfo {
    let second = barrier.expires.map_or(i64::MAX, |second| i64::try_from(second).unwrap_or(i64::MAX));
    pdpb::GcBarrierInfo { barrier_id: id.to_owned(), barrier_ts: barrier.ts, ttl_seconds: second }
}

fn from_row(row: pdpb::GcBarrierInfo) -> (String, Barrier) {
    let expires = u64::try_from(row.ttl_seconds).ok().filter(|_| row.ttl_seconds != i64::MAX);
    (row.barrier_id, Barrier { ts: row.barrier_ts, expires })
}
