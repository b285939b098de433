//! The calls of before: one safe point for all, and holds of services, which are barriers now.

use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::pdpb;

use super::rules::{Barrier, GC_WORKER, GcError, States};
use super::{By, NULL_KEYSPACE};
use crate::grpc::{Code, Status};
use crate::tikv::pd::Pd;

/// The service whose hold counts for all keyspaces.
const NATIVE_BR: &str = "native_br";

/// The lowest hold, as a service is told of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LowestHold {
    pub(super) service: String,
    pub(super) safe_point: u64,
}

impl Pd {
    pub(crate) async fn get_gc_safe_point(
        &self,
        request: pdpb::GetGcSafePointRequest,
    ) -> Result<pdpb::GetGcSafePointResponse, Status> {
        self.check(request.header.as_ref())?;
        let safe_point = self.gc.now().of(NULL_KEYSPACE).gc_safe_point;
        Ok(pdpb::GetGcSafePointResponse { header: self.header(), safe_point })
    }

    /// Moves the safe point forward, and answers where it is. The transactions' goes with it, of which those who ask here know nothing.
    pub(crate) async fn update_gc_safe_point(
        &self,
        request: pdpb::UpdateGcSafePointRequest,
    ) -> Result<pdpb::UpdateGcSafePointResponse, Status> {
        self.check(request.header.as_ref())?;
        let target = request.safe_point;
        let raised =
            self.gc_change(None, By::Collector, move |states, scope, _| Ok(states.raise_safe_point(scope, target)));
        let new_safe_point = raised.await.map_err(|error| failed(&error))?;
        Ok(pdpb::UpdateGcSafePointResponse { header: self.header(), new_safe_point })
    }

    /// Holds the safe point for a service, or lets go of it, and tells the lowest hold.
    pub(crate) async fn update_service_gc_safe_point(
        &self,
        request: pdpb::UpdateServiceGcSafePointRequest,
    ) -> Result<pdpb::UpdateServiceGcSafePointResponse, Status> {
        self.check(request.header.as_ref())?;
        let service = String::from_utf8_lossy(&request.service_id).into_owned();
        let (seconds, safe_point) = (request.ttl, request.safe_point);
        let held = self.gc_change(None, By::Holder, move |states, scope, now| {
            hold(states, (scope, &service), safe_point, seconds, now)
        });
        let lowest = held.await.map_err(|error| failed(&error))?;
        let now = i64::try_from(self.clock.now().as_secs()).unwrap_or(i64::MAX);
        Ok(pdpb::UpdateServiceGcSafePointResponse {
            header: self.header(),
            service_id: Bytes::from(lowest.service),
            // What is told holds for ever, less what has passed of it.
            ttl: i64::MAX - now,
            min_safe_point: lowest.safe_point,
        })
    }
}

/// Has a service hold the safe point for so many seconds; for none or fewer it lets go. The collector's hold moves the transactions' safe
/// point.
pub(super) fn hold(
    states: &mut States,
    (scope, service): (u32, &str),
    safe_point: u64,
    seconds: i64,
    now: Duration,
) -> Result<LowestHold, GcError> {
    if service == GC_WORKER {
        if seconds != i64::MAX {
            return Err(GcError::WorkerExpires);
        }
        let advanced = states.advance_txn_safe_point(scope, safe_point, now)?;
        let service = advanced.blocker.filter(|_| advanced.new != safe_point).map(|blocker| blocker.id);
        let service = service.unwrap_or_else(|| GC_WORKER.to_owned());
        return Ok(LowestHold { service, safe_point: advanced.new });
    }
    let for_all = service == NATIVE_BR && scope == NULL_KEYSPACE;
    let held = match (seconds > 0, for_all) {
        (true, false) => states.set_barrier(scope, service, Barrier::lasting(safe_point, seconds, now)?).map(drop),
        (true, true) => states.set_global_barrier(service, Barrier::lasting(safe_point, seconds, now)?).map(drop),
        (false, false) => states.delete_barrier(scope, service).map(drop),
        (false, true) => states.delete_global_barrier(service).map(drop),
    };
    match held {
        // Who comes too late is told how far the safe point is, and finds out by itself.
        Ok(()) | Err(GcError::BehindTxn { .. } | GcError::GlobalBehindTxn { .. }) => {}
        Err(error) => return Err(error),
    }
    let safe_point = if for_all { states.furthest_txn_safe_point() } else { states.of(scope).txn_safe_point };
    Ok(LowestHold { service: GC_WORKER.to_owned(), safe_point })
}

fn failed(error: &GcError) -> Status {
    Status::new(Code::Unknown, error.to_string())
}
