//! What all tables of a client share: connections, meta servers, counters.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::BytesMut;
use charioteer_proto::pegasus::frame::{RequestHeader, write_request};
use charioteer_proto::pegasus::rpc::Rpc;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::failure;
use super::meta::Metas;
use super::options::Options;
use super::wire::Frames;
use crate::error::{ErrorKind, Failure};
use crate::exec::Operation;
use crate::net::{self, Address, Counters, Dialler, NodeOptions, Progress};
use crate::stats::{CallStats, OperationStats};
use crate::told::told;

/// A replica server or a meta server.
pub(super) type Node = net::Node<Frames>;

/// A cluster, as one client knows it.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) options: Options,
    pub(super) metas: Metas,
    nodes: Mutex<HashMap<Address, Arc<Node>>>,
    net: Arc<Counters>,
    calls: Mutex<HashMap<&'static str, Arc<OperationStats>>>,
    closed: AtomicBool,
}

impl Cluster {
    pub(super) fn new(options: Options) -> Self {
        Self {
            metas: Metas::new(options.metas.clone()),
            options,
            nodes: Mutex::default(),
            net: Arc::default(),
            calls: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    /// The server at an address; the same one for all who ask.
    pub(super) fn node(&self, address: &Address) -> Result<Arc<Node>, Failure> {
        let mut nodes = self.nodes.lock();
        if self.closed.load(Ordering::Relaxed) {
            return Err(failure::closed());
        }
        if let Some(node) = nodes.get(address) {
            return Ok(Arc::clone(node));
        }
        let options = NodeOptions {
            connections: self.options.connections_per_node,
            dialler: Dialler::plain(self.options.connect_timeout),
            counters: Arc::clone(&self.net),
        };
        let wire = Frames { max_reply_bytes: self.options.max_reply_bytes };
        let node = Arc::new(Node::new(address.clone(), wire, options));
        nodes.insert(address.clone(), Arc::clone(&node));
        Ok(node)
    }

    /// Lets go of servers of which no table has a partition any more. The meta servers will be asked again.
    pub(super) fn forget_unused_nodes(&self) {
        self.nodes.lock().retain(|address, node| Arc::strong_count(node) > 1 || self.metas.knows(address));
    }

    /// The counters of one kind of call.
    pub(super) fn stats<O: Operation>(&self) -> Arc<OperationStats> {
        let mut calls = self.calls.lock();
        let stats = calls.entry(O::NAME).or_insert_with(|| Arc::new(OperationStats::new(super::SYSTEM, O::NAME)));
        Arc::clone(stats)
    }

    pub(super) fn net_stats(&self) -> net::NetStats {
        self.net.read()
    }

    pub(super) fn call_stats(&self) -> Vec<(&'static str, CallStats)> {
        let mut stats: Vec<_> = self.calls.lock().iter().map(|(name, stats)| (*name, stats.read())).collect();
        stats.sort_unstable_by_key(|(name, _)| *name);
        stats
    }

    /// What a failure comes to when the client has been closed meanwhile.
    pub(super) fn or_closed(&self, failure: Failure) -> Failure {
        if failure.retry.is_none() || !self.closed.load(Ordering::Relaxed) {
            return failure;
        }
        Failure { outcome: failure.outcome, peer: failure.peer, ..failure::closed() }
    }

    pub(super) fn close(&self) {
        let mut nodes = self.nodes.lock();
        self.closed.store(true, Ordering::Relaxed);
        nodes.drain().for_each(|(_, node)| node.close());
    }
}

/// Sends one request and reads its result; `header`'s timeout is what is left until the deadline.
pub(super) async fn ask<R: Rpc>(
    node: &Arc<Node>,
    header: RequestHeader,
    request: &R::Request,
    bytes: usize,
    deadline: Instant,
    progress: &Progress,
) -> Result<R::Reply, Failure> {
    let connection = node.connection().await.map_err(|error| failure::unreachable(&error, node.peer()))?;
    let left = deadline.saturating_duration_since(Instant::now()).as_millis();
    // At least 1: to a server, 0 stands for an old client.
    let client_timeout_ms = i32::try_from(left).unwrap_or(i32::MAX).max(1);
    let header = RequestHeader { client_timeout_ms, ..header };
    let encode = |out: &mut BytesMut, id: u32| write_request(out, &header, R::NAME, id.cast_signed(), request);
    let reply = connection.call(bytes, progress, encode).await.map_err(failure::lost)?;
    let reply = reply.map_err(|too_long| failure::too_long(&too_long))?;
    if reply.name.strip_suffix(b"_ACK") != Some(R::NAME.as_bytes()) {
        let reason = format!("the server answered {} with {}", R::NAME, told(&String::from_utf8_lossy(&reply.name)));
        connection.close(&Arc::from(&*reason));
        return Err(Failure::new(ErrorKind::Protocol, reason).unknown());
    }
    if !reply.error.is_ok() {
        return Err(failure::system(reply.error.name()));
    }
    reply.result().map_err(failure::unreadable)
}
