//! memcached: its three protocols on one port, over items in memory.
//!
//! - `session` reads requests, by the protocol that the first byte of a connection tells;
//! - `binary`, `text` and `meta` make an operation on an item of each request, and a reply of what came of it;
//! - `admin` answers what concerns no item of its own, `stats` what has been counted (of `classes` of memory and of the `processor`'s
//!   time too), `auth` who says who it is, `cluster` where a
//!   client finds others;
//! - `time` makes moments of the numbers by which clients say them.
//!
//! `items` says where the items are: in memory, where an operation is done at once, or in the store. What concerns many items is done in
//! steps, and beside the threads that serve connections. `hooks` is where tests of clients have their say.

mod admin;
mod auth;
mod binary;
mod calls;
mod classes;
mod cluster;
mod connections;
pub(crate) mod hooks;
mod items;
mod meta;
mod options;
mod processor;
mod session;
mod stats;
mod text;
mod time;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use charioteer_engine::Clock;
use charioteer_proto::memcached::Limits as CodecLimits;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::Limits;
use crate::backend::aside;
use crate::connection;
use crate::metrics::Metrics;
use crate::port::Port;
use crate::tls::Handshakes;
pub use auth::Credentials;
pub use calls::Call;
use calls::Calls;
pub use cluster::MemcachedCluster;
use connections::Connections;
use hooks::Hooks;
pub(crate) use items::Items;
pub use options::{MemcachedOptions, OverTls, UnixSocket};
use session::Session;
use time::Now;

/// The version of memcached whose behaviour this is; clients look at it to know what there is.
const VERSION: &str = "1.6.45";

/// How often the dead are looked for that nobody asks for.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// All items are looked at within so many sweeps, but for the least number of a sweep.
const SWEEPS_PER_ROUND: usize = 60;
const FEWEST_PLACES: usize = 10_000;

/// What all connections of a server share.
pub(crate) struct Service {
    items: Items,
    options: MemcachedOptions,
    /// What the codec takes.
    codec: CodecLimits,
    limits: Limits,
    latency: Duration,
    clock: Clock,
    started: Duration,
    metrics: Arc<Metrics>,
    calls: Calls,
    connections: Connections,
    /// How TLS is agreed on, where it is spoken.
    handshakes: Option<Arc<Handshakes>>,
    /// When the certificates were last read, in seconds by the clock.
    certificates_read: AtomicU64,
    /// Cancelled when a client has asked for the server to stop.
    pub(crate) stop_asked: CancellationToken,
    hooks: Option<Arc<Hooks>>,
}

/// A service, and the ports on which it is there.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) service: Arc<Service>,
    pub(crate) ports: Vec<Port>,
}

/// What a service is made of.
pub(crate) struct Parts {
    pub(crate) items: Items,
    pub(crate) options: MemcachedOptions,
    pub(crate) limits: Limits,
    pub(crate) latency: Duration,
    pub(crate) clock: Clock,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) handshakes: Option<Arc<Handshakes>>,
    pub(crate) hooks: Option<Arc<Hooks>>,
}

/// A connection's two ends.
pub(crate) struct Ends {
    /// Who is there, for people.
    pub(crate) peer: String,
    /// Where it came in, if that is an address.
    pub(crate) local: Option<SocketAddr>,
}

impl Ends {
    pub(crate) fn tcp(stream: &TcpStream, peer: SocketAddr) -> Self {
        Self { peer: format!("tcp:{peer}"), local: stream.local_addr().ok() }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("items", &self.items).finish_non_exhaustive()
    }
}

impl Service {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { items, options, limits, latency, clock, metrics, handshakes, hooks } = parts;
        let CodecLimits { line_bytes, keys_line_bytes, .. } = CodecLimits::default();
        let codec = CodecLimits {
            value_bytes: options.item_limit.min(limits.frame_bytes),
            line_bytes,
            keys_line_bytes: keys_line_bytes.min(limits.frame_bytes),
        };
        let (calls, started) = (Calls::new(Arc::clone(&metrics)), clock.now());
        Self {
            items,
            options,
            codec,
            limits,
            latency,
            certificates_read: AtomicU64::new(started.as_secs()),
            started,
            clock,
            metrics,
            calls,
            connections: Connections::default(),
            handshakes,
            stop_asked: CancellationToken::new(),
            hooks,
        }
    }

    /// Serves one connection.
    pub(crate) async fn serve(
        self: Arc<Self>,
        stream: (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
        ends: Ends,
        stop: CancellationToken,
    ) {
        let _open = self.metrics.connection("memcached");
        let open = self.connections.add(ends.peer, self.now().second());
        let session = Session::new(&self, &open.connection, ends.local);
        let serving = connection::serve(&session, stream, BytesMut::new(), &self.limits, &stop);
        let ended = match &self.hooks {
            None => serving.await,
            Some(hooks) => hooks.until_closed(serving).await,
        };
        let peer = session.peer;
        match ended.map(|ended| ended.reason()) {
            Ok(None) => {}
            Ok(Some(reason)) => {
                self.metrics.cut("memcached", reason);
                self.connections.idle_kicks.fetch_add((reason == "idle").into(), Ordering::Relaxed);
                debug!(peer, reason, "connection closed");
            }
            Err(error) => debug!(peer, %error, "connection lost"),
        }
    }

    /// Serves one connection over TLS.
    pub(crate) async fn serve_over_tls(self: Arc<Self>, stream: TcpStream, ends: Ends, stop: CancellationToken) {
        let Some(handshakes) = &self.handshakes else { return };
        let agreed = stop.run_until_cancelled(handshakes.shake(stream, self.limits.stalled)).await;
        match agreed {
            Some(Ok(stream)) => Arc::clone(&self).serve(stream, ends, stop).await,
            Some(Err(error)) => {
                self.metrics.cut("memcached", "handshake");
                debug!(peer = ends.peer, %error, "connection closed: TLS was not agreed on");
            }
            None => {}
        }
    }

    /// Reads the certificates again, for connections that come from now on.
    async fn refresh_certificates(&self) -> Option<Result<(), String>> {
        let handshakes = Arc::clone(self.handshakes.as_ref()?);
        let refreshed = aside(move || handshakes.refresh()).await;
        if refreshed.is_ok() {
            self.certificates_read.store(self.clock.now().as_secs(), Ordering::Relaxed);
        }
        Some(refreshed)
    }

    /// Removes the dead, a part of them every second, until told to stop.
    pub(crate) async fn sweep(items: Items, stop: CancellationToken) {
        let mut seconds = tokio::time::interval(SWEEP_EVERY);
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(seconds.tick()).await.is_some() {
            let places = (items.collect_stats().await.items / SWEEPS_PER_ROUND).max(FEWEST_PLACES);
            if let Err(error) = items.sweep(places).await {
                warn!(%error, "cannot remove the dead among memcached's items");
            }
        }
    }

    /// Forgets all items.
    pub(crate) async fn forget(&self) {
        if let Err(error) = self.items.flush(self.now().second()).await {
            warn!(%error, "cannot forget memcached's items");
        }
    }

    fn now(&self) -> Now {
        Now::at(self.clock.now().as_secs())
    }

    fn uptime(&self) -> Duration {
        self.clock.now().saturating_sub(self.started)
    }

    fn threads(&self) -> usize {
        tokio::runtime::Handle::current().metrics().num_workers()
    }

    async fn reset_stats(&self) {
        self.items.reset_stats().await;
        self.connections.reset();
    }
}
