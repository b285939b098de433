//! Which versions transactions may still need: safe points, and the barriers that hold them.
//!
//! Two points move forward: the transactions' (no new transaction begins below it) and, behind it, that of garbage collection (what lies
//! below may be gone). Barriers, which expire, stop the first. Keyspaces have points of their own if they are configured so; all others
//! share those of the null keyspace. Holds of services, which came before barriers, are barriers.

mod before;
mod kept;
mod ranges;
mod rules;

use std::sync::Arc;
use std::time::Duration;

use charioteer_engine::Error;
use charioteer_proto::tikv::pdpb;

pub(crate) use ranges::SafeRange;
use rules::{Advanced, Barrier, GcError, States};

use super::Pd;
use super::etcd::{self, EtcdError};
use super::keyspaces::{self, Keyspaces};
use super::remembered::Remembered;
use crate::grpc::Status;
use crate::tikv::cluster::Ledger;

/// What PD knows of garbage collection.
pub(super) type Gc = Arc<Remembered<States>>;

/// Whose points those are that no keyspace has for itself.
const NULL_KEYSPACE: u32 = u32::MAX;

/// etcd's key of the point of transactions, in decimal digits.
const TXN_SAFE_POINT: &str = "/tidb/store/gcworker/saved_safe_point";

/// Who asks: those that move the points, for a keyspace that has its own; or those that need them held, for any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Collector,
    Holder,
}

pub(super) fn open(ledger: &Ledger) -> Result<Gc, Error> {
    Ok(Remembered::new(ledger, kept::read(ledger)?))
}

impl Pd {
    pub(crate) async fn get_gc_state(
        &self,
        request: pdpb::GetGcStateRequest,
    ) -> Result<pdpb::GetGcStateResponse, Status> {
        self.check(request.header.as_ref())?;
        let scope = match self.scope(request.keyspace_scope, By::Holder) {
            Ok(scope) => scope,
            Err(error) => {
                let header = self.gc_failure(&error);
                return Ok(pdpb::GetGcStateResponse { header, ..pdpb::GetGcStateResponse::default() });
            }
        };
        let (states, now) = (self.gc.now(), self.clock.now());
        let globals = || pdpb::GlobalGcBarriersInfo { barriers: kept::globals(&states, now) };
        Ok(pdpb::GetGcStateResponse {
            header: self.header(),
            gc_state: Some(kept::told(&states, scope, request.exclude_gc_barriers, now)),
            global_gc_barriers: request.include_global_gc_barriers.then(globals),
        })
    }

    pub(crate) async fn get_all_keyspaces_gc_states(
        &self,
        request: pdpb::GetAllKeyspacesGcStatesRequest,
    ) -> Result<pdpb::GetAllKeyspacesGcStatesResponse, Status> {
        self.check(request.header.as_ref())?;
        let (states, now, without) = (self.gc.now(), self.clock.now(), request.exclude_gc_barriers);
        let mut gc_states = vec![kept::told(&states, NULL_KEYSPACE, without, now)];
        for (id, keyspace) in self.keyspaces.now().iter().filter(|(_, keyspace)| keyspaces::is_enabled(keyspace)) {
            gc_states.push(match keyspaces::has_gc_of_its_own(keyspace) {
                true => kept::told(&states, *id, without, now),
                false => pdpb::GcState { keyspace_scope: Some(kept::scope(*id)), ..pdpb::GcState::default() },
            });
        }
        let none_of_all = request.exclude_global_gc_barriers;
        let global_gc_barriers = if none_of_all { Vec::new() } else { kept::globals(&states, now) };
        Ok(pdpb::GetAllKeyspacesGcStatesResponse { header: self.header(), gc_states, global_gc_barriers })
    }

    pub(crate) async fn advance_txn_safe_point(
        &self,
        request: pdpb::AdvanceTxnSafePointRequest,
    ) -> Result<pdpb::AdvanceTxnSafePointResponse, Status> {
        self.check(request.header.as_ref())?;
        let target = request.target;
        let advanced = self.gc_change(request.keyspace_scope, By::Collector, move |states, scope, now| {
            states.advance_txn_safe_point(scope, target, now)
        });
        Ok(match advanced.await {
            Ok(Advanced { old, new, blocker }) => pdpb::AdvanceTxnSafePointResponse {
                header: self.header(),
                old_txn_safe_point: old,
                new_txn_safe_point: new,
                blocker_description: blocker.map(|blocker| blocker.to_string()).unwrap_or_default(),
            },
            Err(error) => pdpb::AdvanceTxnSafePointResponse {
                header: self.gc_failure(&error),
                ..pdpb::AdvanceTxnSafePointResponse::default()
            },
        })
    }

    pub(crate) async fn advance_gc_safe_point(
        &self,
        request: pdpb::AdvanceGcSafePointRequest,
    ) -> Result<pdpb::AdvanceGcSafePointResponse, Status> {
        self.check(request.header.as_ref())?;
        let target = request.target;
        let advanced = self.gc_change(request.keyspace_scope, By::Collector, move |states, scope, _| {
            states.advance_gc_safe_point(scope, target)
        });
        Ok(match advanced.await {
            Ok(old) => pdpb::AdvanceGcSafePointResponse {
                header: self.header(),
                old_gc_safe_point: old,
                new_gc_safe_point: target,
            },
            Err(error) => pdpb::AdvanceGcSafePointResponse {
                header: self.gc_failure(&error),
                ..pdpb::AdvanceGcSafePointResponse::default()
            },
        })
    }

    pub(crate) async fn set_gc_barrier(
        &self,
        request: pdpb::SetGcBarrierRequest,
    ) -> Result<pdpb::SetGcBarrierResponse, Status> {
        self.check(request.header.as_ref())?;
        let (id, ts, seconds) = (request.barrier_id.clone(), request.barrier_ts, request.ttl_seconds);
        let set = self.gc_change(request.keyspace_scope, By::Holder, move |states, scope, now| {
            states.set_barrier(scope, &id, Barrier::lasting(ts, seconds, now)?)
        });
        Ok(match set.await {
            Ok(barrier) => pdpb::SetGcBarrierResponse {
                header: self.header(),
                new_barrier_info: Some(kept::barrier(&request.barrier_id, &barrier, self.clock.now())),
            },
            Err(error) => pdpb::SetGcBarrierResponse { header: self.gc_failure(&error), new_barrier_info: None },
        })
    }

    pub(crate) async fn delete_gc_barrier(
        &self,
        request: pdpb::DeleteGcBarrierRequest,
    ) -> Result<pdpb::DeleteGcBarrierResponse, Status> {
        self.check(request.header.as_ref())?;
        let id = request.barrier_id.clone();
        let deleted = self
            .gc_change(request.keyspace_scope, By::Holder, move |states, scope, _| states.delete_barrier(scope, &id))
            .await;
        let told = |barrier: Barrier| kept::barrier(&request.barrier_id, &barrier, self.clock.now());
        Ok(match deleted {
            Ok(barrier) => {
                pdpb::DeleteGcBarrierResponse { header: self.header(), deleted_barrier_info: barrier.map(told) }
            }
            Err(error) => pdpb::DeleteGcBarrierResponse { header: self.gc_failure(&error), deleted_barrier_info: None },
        })
    }

    pub(crate) async fn set_global_gc_barrier(
        &self,
        request: pdpb::SetGlobalGcBarrierRequest,
    ) -> Result<pdpb::SetGlobalGcBarrierResponse, Status> {
        self.check(request.header.as_ref())?;
        let (id, ts, seconds) = (request.barrier_id.clone(), request.barrier_ts, request.ttl_seconds);
        let set = self.gc_change(None, By::Holder, move |states, _, now| {
            states.set_global_barrier(&id, Barrier::lasting(ts, seconds, now)?)
        });
        Ok(match set.await {
            Ok(barrier) => pdpb::SetGlobalGcBarrierResponse {
                header: self.header(),
                new_barrier_info: Some(kept::global_barrier(&request.barrier_id, &barrier, self.clock.now())),
            },
            Err(error) => pdpb::SetGlobalGcBarrierResponse { header: self.gc_failure(&error), new_barrier_info: None },
        })
    }

    pub(crate) async fn delete_global_gc_barrier(
        &self,
        request: pdpb::DeleteGlobalGcBarrierRequest,
    ) -> Result<pdpb::DeleteGlobalGcBarrierResponse, Status> {
        self.check(request.header.as_ref())?;
        let id = request.barrier_id.clone();
        let deleted = self.gc_change(None, By::Holder, move |states, _, _| states.delete_global_barrier(&id)).await;
        let told = |barrier: Barrier| kept::global_barrier(&request.barrier_id, &barrier, self.clock.now());
        Ok(match deleted {
            Ok(barrier) => {
                pdpb::DeleteGlobalGcBarrierResponse { header: self.header(), deleted_barrier_info: barrier.map(told) }
            }
            Err(error) => {
                pdpb::DeleteGlobalGcBarrierResponse { header: self.gc_failure(&error), deleted_barrier_info: None }
            }
        })
    }

    /// Changes the points or barriers of a scope, and keeps what was changed.
    async fn gc_change<R: Send + 'static>(
        &self,
        scope: Option<pdpb::KeyspaceScope>,
        by: By,
        change: impl FnOnce(&mut States, u32, Duration) -> Result<R, GcError> + Send + 'static,
    ) -> Result<R, GcError> {
        let (scope, now) = (self.scope(scope, by)?, self.clock.now());
        let changed = self.gc.change(move |states, page| {
            let before = states.clone();
            let done = change(states, scope, now)?;
            kept::write(page, &before, states);
            let point = states.of(scope).txn_safe_point;
            Ok::<_, GcError>((done, (point != before.of(scope).txn_safe_point).then_some(point)))
        });
        let (done, moved) = changed.await?;
        if let Some(point) = moved {
            self.show_in_etcd(scope, point).await?;
        }
        Ok(done)
    }

    /// Shows a point of transactions where clients look for it that do not know how to ask for it.
    async fn show_in_etcd(&self, scope: u32, point: u64) -> Result<(), GcError> {
        let key = match scope {
            NULL_KEYSPACE => TXN_SAFE_POINT.to_owned(),
            keyspace => format!("/keyspaces/tidb/{keyspace}{TXN_SAFE_POINT}"),
        };
        let shown = self.etcd.change(move |keys, page| {
            // Of two at once the later may come first, and points never go back.
            let shown = keys.get(key.as_bytes()).and_then(|pair| std::str::from_utf8(&pair.value).ok()?.parse().ok());
            if shown.is_none_or(|shown: u64| shown < point) {
                etcd::put(keys, page, key.as_bytes(), point.to_string().as_bytes())?;
            }
            Ok(())
        });
        shown.await.map_err(|error: EtcdError| GcError::Etcd(error.0.message))
    }

    /// Whose points are meant.
    fn scope(&self, scope: Option<pdpb::KeyspaceScope>, by: By) -> Result<u32, GcError> {
        let id = scope.map_or(NULL_KEYSPACE, |scope| scope.keyspace_id.unwrap_or_default());
        scope_of(&self.keyspaces.now(), id, by)
    }

    fn gc_failure(&self, error: &GcError) -> Option<pdpb::ResponseHeader> {
        self.failure(pdpb::ErrorType::Unknown, error.to_string())
    }
}

fn scope_of(keyspaces: &Keyspaces, id: u32, by: By) -> Result<u32, GcError> {
    if id > keyspaces::MAX_ID {
        return Ok(NULL_KEYSPACE);
    }
    let keyspace = keyspaces::by_id(keyspaces, id).map_err(|_| GcError::NoKeyspace)?;
    match by {
        _ if keyspaces::has_gc_of_its_own(keyspace) => Ok(id),
        By::Holder => Ok(NULL_KEYSPACE),
        By::Collector => Err(GcError::NotItsOwn { name: keyspace.name.clone(), id }),
    }
}
