//! Asking the meta servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use charioteer_proto::pegasus::frame::RequestHeader;
use charioteer_proto::pegasus::meta::{QueryCfgRequest, QueryCfgResponse};
use charioteer_proto::pegasus::rpc::{QueryConfig, Rpc};
use charioteer_proto::pegasus::special::{ErrorCode, Text};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::cluster::{Cluster, Node, ask};
use super::failure;
use super::routes::address;
use crate::error::{Error, ErrorKind, Failure};
use crate::exec::{self, Backend, Effect, Operation, Terms};
use crate::net::{Address, Progress};
use crate::told::told;

/// How long one meta server may take, where there are others to ask.
const ONE_META: Duration = Duration::from_secs(1);

/// The meta servers, and which of them is asked.
#[derive(Debug)]
pub(super) struct Metas {
    addresses: Vec<Address>,
    /// The one whose turn it is.
    turn: AtomicUsize,
    /// The one that another has named as the leader.
    leader: Mutex<Option<Address>>,
    /// What went wrong the last time one of them was asked.
    failure: Mutex<Option<String>>,
}

/// A meta server that is being asked.
#[derive(Debug)]
pub(super) struct Meta {
    node: Arc<Node>,
    /// Whose turn it was, or `None` for one that was named as the leader.
    turn: Option<usize>,
}

impl Metas {
    pub(super) fn new(addresses: Vec<Address>) -> Self {
        Self { addresses, turn: AtomicUsize::new(0), leader: Mutex::default(), failure: Mutex::default() }
    }

    /// What went wrong the last time one of them was asked.
    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }

    /// Whether that is one of the meta servers.
    pub(super) fn knows(&self, address: &Address) -> bool {
        self.addresses.contains(address) || self.leader.lock().as_ref() == Some(address)
    }

    fn next(&self) -> (Address, Option<usize>) {
        if let Some(leader) = self.leader.lock().clone() {
            return (leader, None);
        }
        let turn = self.turn.load(Ordering::Relaxed);
        (self.addresses[turn % self.addresses.len()].clone(), Some(turn))
    }

    /// Passes to the next one, unless that has happened since it was asked.
    fn pass_on(&self, asked: &Meta) {
        match asked.turn {
            Some(turn) => {
                let next = turn.wrapping_add(1);
                let _ = self.turn.compare_exchange(turn, next, Ordering::Relaxed, Ordering::Relaxed);
            }
            None => {
                let named = self.leader.lock().take_if(|leader| leader == asked.node.address());
                // Whoever has named it may name it again: the next one is asked.
                if named.is_some() {
                    self.turn.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

/// A call to the meta servers.
pub(super) trait MetaOperation: Operation<Reply = <Self::Rpc as Rpc>::Reply> {
    type Rpc: Rpc;

    fn request(&self) -> &<Self::Rpc as Rpc>::Request;

    /// The error inside a reply, and what the server says of it.
    fn error(reply: &Self::Reply) -> (&ErrorCode, &str);

    /// Whether a reply without an error is what is waited for.
    fn check(&self, _reply: &Self::Reply) -> Result<(), Failure> {
        Ok(())
    }

    /// Who leads, where a reply that refuses tells it.
    fn leader(_reply: &Self::Reply, _prefer_name: bool) -> Option<Address> {
        None
    }
}

impl<O: MetaOperation> Backend<O> for Cluster {
    type Target = Meta;

    async fn route(&self, _: &O) -> Result<Meta, Failure> {
        let (address, turn) = self.metas.next();
        Ok(Meta { node: self.node(&address)?, turn })
    }

    async fn attempt(
        &self,
        meta: &Meta,
        operation: &O,
        deadline: Instant,
        progress: &Progress,
    ) -> Result<O::Reply, Failure> {
        let header = RequestHeader::default();
        let reply = ask::<O::Rpc>(&meta.node, header, operation.request(), 0, deadline, progress).await;
        let reply = reply.map_err(|failure| match self.or_closed(failure) {
            failure if is_no_meta_server(&failure) && self.metas.addresses.len() > 1 => failure.retry(&failure::META),
            failure => failure,
        })?;
        let (error, hint) = O::error(&reply);
        if error.is_ok() {
            return operation.check(&reply).map(|()| reply);
        }
        if *error == ErrorCode::FORWARD_TO_OTHERS {
            *self.metas.leader.lock() =
                O::leader(&reply, self.options.host_names).filter(|leader| leader != meta.node.address());
        }
        let mut failure = meaning(error);
        if !hint.is_empty() {
            failure.message = format!("{}: {}", failure.message, told(hint)).into();
        }
        Err(failure)
    }

    fn learn(&self, meta: &Meta, failure: &Failure) {
        *self.metas.failure.lock() = Some(format!("meta server {}: {}", meta.node.peer(), failure.message));
        let forwarded = failure.server_code.as_deref() == Some(ErrorCode::FORWARD_TO_OTHERS.name());
        if forwarded && meta.turn.is_some() && self.metas.leader.lock().is_some() {
            return;
        }
        // What is no meta server at all says so for good; another may be one.
        if failure.retry.is_some() || is_no_meta_server(failure) {
            self.metas.pass_on(meta);
        }
    }

    fn peer(meta: &Meta) -> &Arc<str> {
        meta.node.peer()
    }
}

fn is_no_meta_server(failure: &Failure) -> bool {
    matches!(failure.kind, ErrorKind::Unsupported | ErrorKind::Protocol)
}

/// What an error inside a meta server's reply says. Some names mean something else there than on data.
fn meaning(error: &ErrorCode) -> Failure {
    match error.name() {
        name @ "ERR_OBJECT_NOT_FOUND" => Failure::new(ErrorKind::NotFound, "there is no such table").code(told(name)),
        name @ "ERR_CAPACITY_EXCEEDED" => {
            Failure::new(ErrorKind::StorageFull, "the cluster holds no more tables").code(told(name))
        }
        name => failure::system(name),
    }
}

/// Carries out a call to the meta servers.
pub(super) async fn run<O: MetaOperation>(
    cluster: &Cluster,
    operation: &O,
    table: Option<&Arc<str>>,
    timeout: Duration,
) -> Result<O::Reply, Error> {
    run_for(cluster, operation, table, timeout, cluster.options.attempts).await
}

/// The same with a number of attempts.
pub(super) async fn run_for<O: MetaOperation>(
    cluster: &Cluster,
    operation: &O,
    table: Option<&Arc<str>>,
    timeout: Duration,
    attempts: u32,
) -> Result<O::Reply, Error> {
    let stats = cluster.stats::<O>();
    let others = cluster.metas.addresses.len() > 1 || cluster.metas.leader.lock().is_some();
    let terms = Terms {
        timeout,
        attempt_timeout: others.then(|| ONE_META.min(timeout / 2)),
        attempts,
        system: super::SYSTEM,
        collection: table,
        stats: &stats,
    };
    exec::run(cluster, operation, &terms).await
}

/// Asks where a table's partitions are.
pub(super) struct QueryTable(QueryCfgRequest);

impl QueryTable {
    pub(super) fn new(table: &str) -> Self {
        Self(QueryCfgRequest { app_name: Text::from(table), partition_indices: Vec::new() })
    }
}

impl Operation for QueryTable {
    const NAME: &'static str = "query_table";
    const EFFECT: Effect = Effect::Reads;
    type Reply = QueryCfgResponse;
}

impl MetaOperation for QueryTable {
    type Rpc = QueryConfig;

    fn request(&self) -> &QueryCfgRequest {
        &self.0
    }

    fn error(reply: &QueryCfgResponse) -> (&ErrorCode, &str) {
        (&reply.err, "")
    }

    fn leader(reply: &QueryCfgResponse, prefer_name: bool) -> Option<Address> {
        let named = reply.partitions.first()?;
        address(Some(named.primary), named.hp_primary.as_ref(), prefer_name)
    }
}
