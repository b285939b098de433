//! A store, as its callers see it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use charioteer_proto::tikv::Message;
use charioteer_proto::tikv::grpchealth::HealthCheckRequest;
use charioteer_proto::tikv::grpchealth::health_check_response::ServingStatus;
use charioteer_proto::tikv::rpc::{Batched, HealthCheck, Method};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::health::Health;
use super::stream::BatchStream;
use crate::error::Failure;
use crate::net::{Address, Progress};
use crate::tikv::grpc::{self, Channel, ChannelOptions, Renewed};

/// How stores are spoken to.
#[derive(Clone, Debug)]
pub(crate) struct StoreOptions {
    pub(crate) channel: ChannelOptions,
    /// How many connections there are to a store, among which calls are spread. One is best, until its task is all that one processor does.
    pub(crate) connections: usize,
    /// Whether commands travel in batches, where stores know that.
    pub(crate) batches: bool,
    pub(crate) limits: BatchLimits,
}

/// What goes into one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchLimits {
    /// How many requests at most.
    pub(crate) requests: usize,
    /// How many bytes, unless a single request has more.
    pub(crate) bytes: usize,
}

impl StoreOptions {
    pub(crate) const fn new(channel: ChannelOptions) -> Self {
        let limits = BatchLimits { requests: 128, bytes: 1 << 20 };
        Self { channel, connections: 1, batches: true, limits }
    }
}

/// A store. It is connected to when somebody first needs it.
pub(crate) struct StoreConnection {
    links: Vec<Link>,
    turn: AtomicUsize,
    options: StoreOptions,
    health: Arc<Health>,
    /// When it was last asked whether it is there, and whether it was.
    liveness: Mutex<Option<(Instant, bool)>>,
}

/// A connection and its stream of batches.
struct Link {
    channel: Channel,
    stream: Arc<Renewed<BatchStream>>,
    /// The number of the connection on which the store took no batches; it may have been replaced by another one since.
    without_batches: AtomicU64,
    began: Instant,
    /// Until when commands travel by themselves, in milliseconds since then; 0 if they need not.
    apart_until_ms: AtomicU64,
}

/// How long commands travel by themselves after a stream was ended for one of them: those that were on it are tried again, and that one
/// is not to end another stream.
const APART_MS: u64 = 1000;

/// The number of no connection.
const NONE: u64 = u64::MAX;

impl StoreConnection {
    pub(crate) fn new(address: &Address, options: StoreOptions) -> Self {
        let patience = options.channel.dialler.timeout.saturating_mul(2);
        let link = || Link {
            channel: Channel::new(address.clone(), options.channel.clone()),
            stream: Renewed::new(patience),
            without_batches: AtomicU64::new(NONE),
            began: Instant::now(),
            apart_until_ms: AtomicU64::new(0),
        };
        let links = (0..options.connections.max(1)).map(|_| link()).collect();
        Self { links, turn: AtomicUsize::new(0), options, health: Arc::default(), liveness: Mutex::default() }
    }

    /// `host:port`.
    pub(crate) fn peer(&self) -> &Arc<str> {
        self.links[0].channel.peer()
    }

    /// Has a command carried out, in a batch with others if the store takes batches.
    ///
    /// May be dropped at any moment: what has not left is not sent then, and an answer that comes later is dropped.
    pub(crate) async fn batched<M: Batched>(
        &self,
        request: &M::Request,
        deadline: Instant,
        progress: &Progress,
    ) -> Result<M::Reply, Failure> {
        let reply = self.batched_undecoded::<M>(request, deadline, progress).await?;
        M::Reply::decode(reply).map_err(|error| grpc::unreadable(error).at(self.peer()))
    }

    /// The same for those who decode the answer themselves.
    pub(crate) async fn batched_undecoded<M: Batched>(
        &self,
        request: &M::Request,
        deadline: Instant,
        progress: &Progress,
    ) -> Result<Bytes, Failure> {
        let link = self.link();
        if self.options.batches && link.takes_batches() {
            match self.in_batch::<M>(link, request, deadline, progress).await {
                Err(failure) if grpc::is_unimplemented(&failure) => {}
                Err(failure) => return Err(failure.at(self.peer())),
                Ok(reply) => return Ok(reply),
            }
        }
        link.channel.unary_undecoded::<M>(request, deadline, progress).await
    }

    /// Has a command carried out by a call of its own.
    pub(crate) async fn unary<M: Method>(
        &self,
        request: &M::Request,
        deadline: Instant,
        progress: &Progress,
    ) -> Result<M::Reply, Failure> {
        self.link().channel.unary::<M>(request, deadline, progress).await
    }

    /// Whether the store says that it serves; those who ask at the same time share the answer.
    pub(crate) async fn is_live(&self, deadline: Instant) -> bool {
        let asked = Instant::now();
        let Ok(mut latest) = tokio::time::timeout_at(deadline, self.liveness.lock()).await else { return false };
        match *latest {
            Some((at, is_live)) if at >= asked => is_live,
            _ => {
                let is_live = self.ask_for_health(deadline).await;
                *latest = Some((Instant::now(), is_live));
                is_live
            }
        }
    }

    /// How slow the store is as it says itself, from 1 to 100; 80 is slow.
    pub(crate) fn slow_score(&self) -> i32 {
        self.health.slow_score()
    }

    /// Ends all connections, for good.
    pub(crate) fn close(&self) {
        for link in &self.links {
            link.stream.close();
            link.channel.close();
        }
    }

    async fn in_batch<M: Batched>(
        &self,
        link: &Link,
        request: &M::Request,
        deadline: Instant,
        progress: &Progress,
    ) -> Result<Bytes, Failure> {
        let stream = match link.stream.there() {
            Some(stream) => stream,
            None => self.stream(link, deadline).await?,
        };
        let reply = stream.call::<M>(request, deadline, progress).await;
        if reply.as_ref().is_err_and(grpc::is_unimplemented) && !stream.has_answered() {
            link.without_batches.store(link.channel.number(), Ordering::Relaxed);
        }
        if reply.is_err() && stream.ended_for_one() {
            link.go_apart();
        }
        reply
    }

    async fn stream(&self, link: &Link, deadline: Instant) -> Result<BatchStream, Failure> {
        let stream = link.stream.get(deadline, || {
            let (channel, health, limits) = (link.channel.clone(), Arc::clone(&self.health), self.options.limits);
            let patience = self.options.channel.dialler.timeout.saturating_mul(2);
            async move { BatchStream::open(channel, health, limits, Instant::now() + patience).await }
        });
        stream.await
    }

    fn link(&self) -> &Link {
        match self.links.len() {
            1 => &self.links[0],
            links => &self.links[self.turn.fetch_add(1, Ordering::Relaxed) % links],
        }
    }

    async fn ask_for_health(&self, deadline: Instant) -> bool {
        let (request, progress) = (HealthCheckRequest::default(), Progress::default());
        match self.unary::<HealthCheck>(&request, deadline, &progress).await {
            Ok(reply) => reply.status == ServingStatus::Serving as i32,
            // It answers, which is as much as can be known of it.
            Err(failure) => grpc::is_unimplemented(&failure),
        }
    }
}

impl Link {
    /// Whether the store takes batches, as far as is known.
    fn takes_batches(&self) -> bool {
        let without = self.without_batches.load(Ordering::Relaxed);
        let apart_until = self.apart_until_ms.load(Ordering::Relaxed);
        (without == NONE || without != self.channel.number()) && (apart_until == 0 || self.millis() >= apart_until)
    }

    /// Has commands travel by themselves for a while.
    fn go_apart(&self) {
        self.apart_until_ms.store(self.millis() + APART_MS, Ordering::Relaxed);
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for StoreConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StoreConnection").field(self.peer()).finish()
    }
}
