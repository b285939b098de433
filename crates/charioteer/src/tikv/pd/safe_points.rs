//! How far back the past is kept.
//!
//! The calls are those of PD 9. Older ones know the safe point that holds for the whole cluster, and services that hold it up; they are
//! asked that way where they say that they do not know the newer call.

use std::time::Duration;

use charioteer_proto::tikv::key::KeyspaceId;
use charioteer_proto::tikv::pdpb::{self, KeyspaceScope};
use charioteer_proto::tikv::rpc;
use charioteer_proto::tikv::timestamp::Timestamp;
use tokio::time::Instant;

use super::{Pd, answer};
use crate::error::{ErrorKind, Failure};
use crate::tikv::grpc::is_unimplemented;

/// The number that stands for no keyspace.
const NO_KEYSPACE: u32 = u32::MAX;

/// Whose past it is: that of a keyspace, or of all keys that are in none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scope(pub(crate) Option<KeyspaceId>);

impl Scope {
    fn message(self) -> Option<KeyspaceScope> {
        let keyspace_id = Some(self.0.map_or(NO_KEYSPACE, KeyspaceId::get));
        Some(KeyspaceScope { keyspace_id })
    }
}

/// How far back the past is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GcState {
    /// Before it no transaction may begin or read.
    pub(crate) txn_safe_point: Timestamp,
    /// Before it what was overwritten may be gone.
    pub(crate) gc_safe_point: Timestamp,
    pub(crate) barriers: Vec<Barrier>,
}

/// What holds up the safe point of transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Barrier {
    pub(crate) id: String,
    pub(crate) at: Timestamp,
    /// How long it holds yet; `None` for until it is deleted.
    pub(crate) ttl: Option<Duration>,
}

/// What came of advancing a safe point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advanced {
    pub(crate) now: Timestamp,
    /// What has kept it from getting as far as was asked for; empty if nothing has.
    pub(crate) blocked_by: String,
}

impl Barrier {
    fn told(told: pdpb::GcBarrierInfo) -> Self {
        let ttl = u64::try_from(told.ttl_seconds).ok().filter(|ttl| *ttl != i64::MAX.unsigned_abs());
        Self { id: told.barrier_id, at: told.barrier_ts.into(), ttl: ttl.map(Duration::from_secs) }
    }
}

impl Pd {
    pub(crate) async fn gc_state(&self, scope: Scope, deadline: Instant) -> Result<GcState, Failure> {
        let request = pdpb::GetGcStateRequest { keyspace_scope: scope.message(), ..pdpb::GetGcStateRequest::default() };
        match self.question::<rpc::GetGcState>(request, deadline).await {
            Ok(reply) => {
                let state = reply.gc_state.ok_or_else(|| answer::lacks("state"))?;
                Ok(GcState {
                    txn_safe_point: state.txn_safe_point.into(),
                    gc_safe_point: state.gc_safe_point.into(),
                    barriers: state.gc_barriers.into_iter().map(Barrier::told).collect(),
                })
            }
            Err(failure) if is_unimplemented(&failure) => {
                let at = self.gc_safe_point(deadline).await?;
                Ok(GcState { txn_safe_point: at, gc_safe_point: at, barriers: Vec::new() })
            }
            Err(failure) => Err(failure),
        }
    }

    /// Advances the point before which no transaction may begin or read. It goes no further than the barriers allow, and never back.
    pub(crate) async fn advance_txn_safe_point(
        &self,
        scope: Scope,
        target: Timestamp,
        deadline: Instant,
    ) -> Result<Advanced, Failure> {
        let request =
            pdpb::AdvanceTxnSafePointRequest { header: None, keyspace_scope: scope.message(), target: target.into() };
        match self.question::<rpc::AdvanceTxnSafePoint>(request, deadline).await {
            Ok(reply) => Ok(Advanced { now: reply.new_txn_safe_point.into(), blocked_by: reply.blocker_description }),
            Err(failure) if is_unimplemented(&failure) => self.hold_up_as_collector(target, deadline).await,
            Err(failure) => Err(failure),
        }
    }

    /// Advances the point before which what was overwritten may be gone. It must not be beyond that of transactions.
    pub(crate) async fn advance_gc_safe_point(
        &self,
        scope: Scope,
        target: Timestamp,
        deadline: Instant,
    ) -> Result<Advanced, Failure> {
        let request =
            pdpb::AdvanceGcSafePointRequest { header: None, keyspace_scope: scope.message(), target: target.into() };
        match self.question::<rpc::AdvanceGcSafePoint>(request, deadline).await {
            Ok(reply) => Ok(Advanced { now: reply.new_gc_safe_point.into(), blocked_by: String::new() }),
            Err(failure) if is_unimplemented(&failure) => {
                let now = self.update_gc_safe_point(target, deadline).await?;
                Ok(Advanced { now, blocked_by: String::new() })
            }
            Err(failure) => Err(failure),
        }
    }

    /// Holds up the safe point of transactions for as long; for good without a time to live. An older PD keeps it for the whole cluster.
    pub(crate) async fn set_barrier(
        &self,
        scope: Scope,
        barrier: &Barrier,
        deadline: Instant,
    ) -> Result<Barrier, Failure> {
        let request = pdpb::SetGcBarrierRequest {
            header: None,
            keyspace_scope: scope.message(),
            barrier_id: barrier.id.clone(),
            barrier_ts: barrier.at.into(),
            ttl_seconds: seconds(barrier.ttl),
        };
        match self.question::<rpc::SetGcBarrier>(request, deadline).await {
            Ok(reply) => reply.new_barrier_info.map(Barrier::told).ok_or_else(|| answer::lacks("barrier")),
            Err(failure) if is_unimplemented(&failure) => {
                let least = self.hold_up(&barrier.id, seconds(barrier.ttl), barrier.at, deadline).await?;
                if least > barrier.at {
                    let message = format!("the safe point has passed {} already", u64::from(barrier.at));
                    return Err(Failure::new(ErrorKind::Conflict, message));
                }
                Ok(barrier.clone())
            }
            Err(failure) => Err(failure),
        }
    }

    /// Deletes a barrier; deleting one that is not there is no error.
    pub(crate) async fn delete_barrier(&self, scope: Scope, id: &str, deadline: Instant) -> Result<(), Failure> {
        let request =
            pdpb::DeleteGcBarrierRequest { header: None, keyspace_scope: scope.message(), barrier_id: id.to_owned() };
        match self.question::<rpc::DeleteGcBarrier>(request, deadline).await {
            Ok(_) => Ok(()),
            Err(failure) if is_unimplemented(&failure) => {
                self.hold_up(id, 0, Timestamp::default(), deadline).await.map(drop)
            }
            Err(failure) => Err(failure),
        }
    }

    /// The safe point of the whole cluster, as every PD knows it.
    pub(crate) async fn gc_safe_point(&self, deadline: Instant) -> Result<Timestamp, Failure> {
        let request = pdpb::GetGcSafePointRequest::default();
        Ok(self.question::<rpc::GetGcSafePoint>(request, deadline).await?.safe_point.into())
    }

    /// Advances the safe point of the whole cluster, as every PD knows it, and tells what it is then.
    pub(crate) async fn update_gc_safe_point(
        &self,
        target: Timestamp,
        deadline: Instant,
    ) -> Result<Timestamp, Failure> {
        let request = pdpb::UpdateGcSafePointRequest { header: None, safe_point: target.into() };
        Ok(self.question::<rpc::UpdateGcSafePoint>(request, deadline).await?.new_safe_point.into())
    }

    /// Holds up the safe point of the whole cluster in the name of a service, and tells what the least is that is held.
    async fn hold_up(&self, service: &str, ttl: i64, at: Timestamp, deadline: Instant) -> Result<Timestamp, Failure> {
        let request = pdpb::UpdateServiceGcSafePointRequest {
            header: None,
            service_id: service.to_owned().into(),
            ttl,
            safe_point: at.into(),
        };
        Ok(self.question::<rpc::UpdateServiceGcSafePoint>(request, deadline).await?.min_safe_point.into())
    }

    /// As collectors of garbage did it before: theirs is the service that always holds, and what is held least is how far it may go.
    async fn hold_up_as_collector(&self, target: Timestamp, deadline: Instant) -> Result<Advanced, Failure> {
        let least = self.hold_up("gc_worker", i64::MAX, target, deadline).await?;
        let blocked_by =
            if least < target { "a service that holds an earlier safe point".to_owned() } else { String::new() };
        Ok(Advanced { now: least.min(target), blocked_by })
    }

    /// The timestamp that somebody has set for those who read from outside.
    pub(crate) async fn external_timestamp(&self, deadline: Instant) -> Result<Timestamp, Failure> {
        let request = pdpb::GetExternalTimestampRequest::default();
        Ok(self.question::<rpc::GetExternalTimestamp>(request, deadline).await?.timestamp.into())
    }

    /// Sets it, which goes forward only, and not beyond now.
    pub(crate) async fn set_external_timestamp(&self, at: Timestamp, deadline: Instant) -> Result<(), Failure> {
        let request = pdpb::SetExternalTimestampRequest { header: None, timestamp: at.into() };
        self.question::<rpc::SetExternalTimestamp>(request, deadline).await.map(drop)
    }
}

/// Seconds, rounded up: a barrier that ends too early holds up nothing.
fn seconds(ttl: Option<Duration>) -> i64 {
    let whole = |ttl: Duration| ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0));
    ttl.map_or(i64::MAX, |ttl| i64::try_from(whole(ttl)).unwrap_or(i64::MAX))
}
