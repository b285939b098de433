//! What the cluster's PD is asked for.
//!
//! PD is several members, one of which leads and answers. Who that is any of them tells ([`members`]); followers are asked for nothing
//! else. A question is an [`Ask`] and goes the way of all calls, through [`exec`](crate::exec): routed to the leader, tried again at
//! whoever leads then, and given up at its deadline. All carry the cluster's id, which is asked for once: what answers with another one
//! is another cluster. Timestamps come on a stream which all callers share ([`timestamps`]).

mod answer;
mod ask;
mod changes;
mod keyspaces;
mod members;
mod regions;
mod safe_points;
mod timestamps;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use charioteer_proto::tikv::pdpb;
use parking_lot::Mutex;
use tokio::time::Instant;

pub(crate) use ask::Ask;
pub(crate) use regions::RegionInfo;
pub(crate) use safe_points::{Advanced, Barrier, Scope};

use ask::Question;
use members::Members;
use timestamps::Timestamps;

use super::grpc::ChannelOptions;
use crate::error::{Error, ErrorKind, Failure};
use crate::exec::{self, Effect, Operation, Terms};
use crate::net::Address;
use crate::stats::{CallStats, OperationStats};

/// Where PD listens unless something else is said.
pub(crate) const DEFAULT_PORT: u16 = 2379;

/// The database's name, by OpenTelemetry's conventions.
const SYSTEM: &str = "tikv";

/// How long one member may take to answer a question. Client-go gives it as long.
const ONE_ANSWER: Duration = Duration::from_secs(3);

/// How often a question is put at most.
const ATTEMPTS: u32 = 30;

/// A cluster's PD. Clones share connections.
#[derive(Clone, Debug)]
pub(crate) struct Pd(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    members: Members,
    /// 0 before it is known.
    cluster_id: AtomicU64,
    timestamps: Timestamps,
    calls: Mutex<HashMap<&'static str, Arc<OperationStats>>>,
}

impl Pd {
    /// Finds the cluster of which these addresses are members of PD. Names are looked up at each dialling.
    pub(crate) async fn connect(
        addresses: Vec<Address>,
        options: ChannelOptions,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        if addresses.is_empty() {
            return Err(Failure::new(ErrorKind::InvalidConfig, "no address of PD is given"));
        }
        let pd = Self(Arc::new(Shared {
            members: Members::new(addresses, options),
            cluster_id: AtomicU64::new(0),
            timestamps: Timestamps::default(),
            calls: Mutex::default(),
        }));
        pd.ask(Meet, deadline).await?;
        Ok(pd)
    }

    /// The number by which the cluster is told from others.
    pub(crate) fn cluster_id(&self) -> u64 {
        self.0.cluster_id.load(Ordering::Relaxed)
    }

    /// What every question begins with.
    fn header(&self) -> Option<pdpb::RequestHeader> {
        Some(pdpb::RequestHeader { cluster_id: self.cluster_id(), ..pdpb::RequestHeader::default() })
    }

    /// Asks with a request to which the header is added.
    async fn question<M: Ask>(&self, mut request: M::Request, deadline: Instant) -> Result<M::Reply, Failure> {
        *M::header(&mut request) = self.header();
        self.ask(Question::<M>(request), deadline).await
    }

    async fn ask<O: Operation>(&self, operation: O, deadline: Instant) -> Result<O::Reply, Failure>
    where
        Self: exec::Backend<O>,
    {
        let stats = self.stats(O::NAME);
        let timeout = deadline.saturating_duration_since(Instant::now());
        let attempt_timeout = Some(if self.0.members.are_several() { ONE_ANSWER.min(timeout / 2) } else { ONE_ANSWER });
        let terms =
            Terms { timeout, attempt_timeout, attempts: ATTEMPTS, system: SYSTEM, collection: None, stats: &stats };
        exec::run(self, &operation, &terms).await.map_err(|error| told_of(O::NAME, error))
    }

    fn stats(&self, name: &'static str) -> Arc<OperationStats> {
        let mut calls = self.0.calls.lock();
        Arc::clone(calls.entry(name).or_insert_with(|| Arc::new(OperationStats::new(SYSTEM, name))))
    }

    /// What was asked so far, by kind of question.
    pub(crate) fn call_stats(&self) -> Vec<(&'static str, CallStats)> {
        let mut asked: Vec<_> = self.0.calls.lock().iter().map(|(name, stats)| (*name, stats.read())).collect();
        asked.sort_unstable_by_key(|(name, _)| *name);
        asked
    }

    /// Ends all connections, for good.
    pub(crate) fn close(&self) {
        self.0.members.close();
        self.0.timestamps.close();
    }
}

/// What a question's failure says to the call that has asked it.
fn told_of(name: &'static str, error: Error) -> Failure {
    let failure = error.into_failure();
    let message = format!("{name}: {}", failure.message).into();
    Failure { message, ..failure }
}

/// The first question: who leads, and which cluster it is.
struct Meet;

impl Operation for Meet {
    const NAME: &'static str = "pd.get_members";
    const EFFECT: Effect = Effect::Reads;
    type Reply = ();
}

#[cfg(test)]
mod tests;
