//! A server's address, and the connection to it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use charioteer_proto::tikv::Message;
use charioteer_proto::tikv::rpc::Method;
use http::uri::Authority;
use tokio::time::Instant;

use super::failure::{denied, unreachable, unreadable};
use super::streaming::{self, Replies, Requests};
use super::{ChannelOptions, Connection, Renewed, call};
use crate::error::Failure;
use crate::net::{Address, Obstacle, Progress, count};

/// A server, and one connection to it at a time: dialled when it is first needed, and again when it has ended. Clones share it.
#[derive(Clone)]
pub(crate) struct Channel(Arc<Inner>);

struct Inner {
    target: Arc<Target>,
    link: Arc<Renewed<Connection>>,
}

/// What is dialled.
struct Target {
    address: Address,
    peer: Arc<str>,
    options: ChannelOptions,
    /// How often it was connected to.
    dials: AtomicU64,
}

impl Channel {
    pub(crate) fn new(address: Address, options: ChannelOptions) -> Self {
        let link = Renewed::new(options.dialler.timeout);
        let peer = Arc::from(address.to_string());
        let target = Target { address, peer, options, dials: AtomicU64::new(0) };
        Self(Arc::new(Inner { target: Arc::new(target), link }))
    }

    /// `host:port`.
    pub(crate) fn peer(&self) -> &Arc<str> {
        &self.0.target.peer
    }

    /// The number of the latest connection, from 1; 0 if there has been none.
    pub(crate) fn number(&self) -> u64 {
        self.0.target.dials.load(Ordering::Relaxed)
    }

    /// A call with one message each way.
    ///
    /// May be dropped at any moment: what has not left is not sent then, and the server learns that nobody waits any more.
    pub(crate) async fn unary<M: Method>(
        &self,
        request: &M::Request,
        deadline: Instant,
        progress: &Progress,
    ) -> Result<M::Reply, Failure> {
        let reply = self.unary_undecoded::<M>(request, deadline, progress).await?;
        M::Reply::decode(reply).map_err(|error| unreadable(error).at(self.peer()))
    }

    /// The same for those who decode the reply themselves.
    pub(crate) async fn unary_undecoded<M: Method>(
        &self,
        request: &M::Request,
        deadline: Instant,
        progress: &Progress,
    ) -> Result<Bytes, Failure> {
        let connection = self.connection(deadline).await?;
        let reply = call::unary::<M>(&connection, request, deadline, progress).await;
        reply.map_err(|failure| failure.at(self.peer()))
    }

    /// A call with streams of messages both ways. The deadline is for its beginning; how long it lasts is not limited.
    pub(crate) async fn open<M: Method>(&self, deadline: Instant) -> Result<(Requests<M>, Replies<M>), Failure> {
        let connection = self.connection(deadline).await?;
        let opened = tokio::time::timeout_at(deadline, streaming::open(connection)).await;
        let opened = opened.unwrap_or_else(|_| Err(super::timed_out("the server took no further call", false)));
        opened.map_err(|failure| failure.at(self.peer()))
    }

    /// The connection, which is made if there is none.
    pub(crate) async fn connection(&self, deadline: Instant) -> Result<Connection, Failure> {
        if let Some(connection) = self.connected() {
            return Ok(connection);
        }
        let dialled = self.0.link.get(deadline, || Arc::clone(&self.0.target).dial()).await;
        dialled.map_err(|failure| failure.at(self.peer()))
    }

    /// The connection, if it is there.
    pub(crate) fn connected(&self) -> Option<Connection> {
        self.0.link.there()
    }

    /// Ends the connection, for good.
    pub(crate) fn close(&self) {
        self.0.link.close();
    }
}

impl Target {
    async fn dial(self: Arc<Self>) -> Result<Connection, Failure> {
        let counters = &self.options.counters;
        let connected = self.connect().await;
        count(if connected.is_ok() { &counters.connections_opened } else { &counters.dials_failed });
        if connected.is_ok() {
            count(&self.dials);
        }
        connected
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let authority = if self.address.path().is_some() { "localhost" } else { &*self.peer };
        let authority = authority.parse::<Authority>().map_err(unreachable)?;
        let stream = self.options.dialler.dial(&self.address).await.map_err(|error| match error.obstacle {
            Obstacle::Denied => denied(&error.reason),
            Obstacle::Network | Obstacle::Closed => unreachable(&error.reason),
        })?;
        Connection::start(stream, &self.peer, authority, &self.options).await
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Channel").field(self.peer()).finish()
    }
}
