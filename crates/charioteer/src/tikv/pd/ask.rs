//! Questions: one request to the member that leads, and its answer.

use std::sync::Arc;

use charioteer_proto::tikv::pdpb;
use charioteer_proto::tikv::rpc::{self, Method};
use tokio::time::Instant;

use super::members::Leader;
use super::{Pd, answer};
use crate::error::{ErrorKind, Failure};
use crate::exec::{Backend, Effect, Operation};
use crate::net::Progress;
use crate::tikv::failure;

/// What a member says that leads no more, or has just begun to and gives no timestamps yet, whatever the status.
const DOES_NOT_LEAD: [&str; 5] =
    ["not leader", "no leader", "mismatch leader id", "not served", "generate timestamp failed"];

/// A method of PD: what it is called, and where its headers are.
pub(crate) trait Ask: Method + Send + Sync + 'static {
    /// Its name in errors, spans and metrics.
    const NAME: &'static str;
    /// What it changes.
    const EFFECT: Effect;

    /// Where the request says which cluster is meant.
    fn header(request: &mut Self::Request) -> &mut Option<pdpb::RequestHeader>;

    /// Where the answer says what went wrong.
    fn answer(reply: &Self::Reply) -> Option<&pdpb::ResponseHeader>;
}

macro_rules! asks {
    ($($method:ident = $name:literal, $effect:ident;)*) => {
        $(
            impl Ask for rpc::$method {
                const NAME: &'static str = concat!("pd.", $name);
                const EFFECT: Effect = Effect::$effect;

                fn header(request: &mut Self::Request) -> &mut Option<pdpb::RequestHeader> {
                    &mut request.header
                }

                fn answer(reply: &Self::Reply) -> Option<&pdpb::ResponseHeader> {
                    reply.header.as_ref()
                }
            }
        )*
    };
}

asks! {
    GetRegion = "get_region", Reads;
    GetPrevRegion = "get_prev_region", Reads;
    ScanRegions = "scan_regions", Reads;
    BatchScanRegions = "batch_scan_regions", Reads;
    GetStore = "get_store", Reads;
    GetAllStores = "get_all_stores", Reads;
    GetExternalTimestamp = "get_external_timestamp", Reads;
    SetExternalTimestamp = "set_external_timestamp", Idempotent;
    LoadKeyspace = "load_keyspace", Reads;
    // Regions that begin there already are left alone.
    SplitRegions = "split_regions", Idempotent;
    SplitAndScatterRegions = "split_and_scatter_regions", Idempotent;
    ScatterRegion = "scatter_region", Idempotent;
    GetOperator = "get_operator", Reads;
    // Points go forward only, and to what is asked for.
    GetGcState = "get_gc_state", Reads;
    AdvanceTxnSafePoint = "advance_txn_safe_point", Idempotent;
    AdvanceGcSafePoint = "advance_gc_safe_point", Idempotent;
    SetGcBarrier = "set_gc_barrier", Idempotent;
    DeleteGcBarrier = "delete_gc_barrier", Idempotent;
    GetGcSafePoint = "get_gc_safe_point", Reads;
    UpdateGcSafePoint = "update_gc_safe_point", Idempotent;
    UpdateServiceGcSafePoint = "update_service_gc_safe_point", Idempotent;
}

/// A question, with its header.
pub(super) struct Question<M: Ask>(pub(super) M::Request);

impl<M: Ask> Operation for Question<M> {
    const NAME: &'static str = M::NAME;
    const EFFECT: Effect = M::EFFECT;
    type Reply = M::Reply;
}

impl<M: Ask> Backend<Question<M>> for Pd {
    type Target = Leader;

    async fn route(&self, _: &Question<M>) -> Result<Leader, Failure> {
        self.leader().await
    }

    async fn attempt(
        &self,
        leader: &Leader,
        question: &Question<M>,
        deadline: Instant,
        progress: &Progress,
    ) -> Result<M::Reply, Failure> {
        let reply = leader.channel.unary::<M>(&question.0, deadline, progress).await.map_err(|it| self.meaning(it))?;
        answer::check(M::answer(&reply), self.cluster_id()).map(|()| reply)
    }

    fn learn(&self, leader: &Leader, failure: &Failure) {
        self.0.members.learn(leader, failure);
    }

    fn obstacle(&self) -> Option<String> {
        self.0.members.obstacle()
    }

    fn peer(leader: &Leader) -> &Arc<str> {
        leader.channel.peer()
    }
}

impl Pd {
    /// What a call's failure means where the peer is PD.
    pub(super) fn meaning(&self, failure: Failure) -> Failure {
        if self.0.members.is_closed() && failure.retry.is_some() {
            return Failure { outcome: failure.outcome, peer: failure.peer, ..failure::closed() };
        }
        if failure.message.contains("mismatch cluster id") {
            return Failure { kind: ErrorKind::InvalidConfig, retry: None, ..failure };
        }
        let does_not_lead = DOES_NOT_LEAD.iter().any(|words| failure.message.contains(words));
        if failure.retry.is_some() || does_not_lead { failure.retry(&failure::PD) } else { failure }
    }
}
