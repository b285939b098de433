//! Starting, running and stopping.

mod tikv;

use std::net::{SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use charioteer_engine::{Db, DiskOptions, cache, raw, table};
use hyper::StatusCode;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::backend::{Backend, Embedded, EmbeddedRows, aside};
use crate::control::Control;
use crate::http::{self, Answer, Asked, Posts, not_found, text};
use crate::listener::{Listener, UnixPort};
use crate::memcached::{self, Ends, Items};
use crate::metrics::Metrics;
use crate::pegasus::{self, Cluster, Ports, Service, plain_table};
use crate::port::Port;
use crate::running::Running;
use crate::tls::{Handshakes, Protocols};
use crate::{Data, Error, Limits, Options, PegasusOptions, UnixSocket};

/// How long a scrape that is under way may take after everything else has stopped.
const OBSERVERS_DRAIN: Duration = Duration::from_secs(1);

/// How long what is left of the work on a store may hold it after everything that serves has stopped.
const STORE_CLOSES_WITHIN: Duration = Duration::from_secs(10);

/// A running server. It stops when it is dropped; [`shutdown`](Self::shutdown) also waits for what is under way.
///
/// ```
/// use charioteer_server::{Options, Server};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), charioteer_server::Error> {
/// let server = Server::start(Options::for_tests()).await?;
/// println!("metas: {}", server.addresses().pegasus.unwrap());
/// server.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    backend: Arc<Embedded>,
    addresses: Addresses,
    ready: Arc<AtomicBool>,
    limits: Limits,
    pegasus: Option<Arc<Ports<Embedded>>>,
    memcached: Option<Arc<memcached::Served>>,
    tikv: Option<Arc<crate::tikv::Ports<EmbeddedRows>>>,
    serving: Arc<Running>,
    observing: Running,
}

/// Where a server listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Addresses {
    /// Pegasus' first meta server.
    pub pegasus: Option<SocketAddr>,
    /// All of Pegasus' meta servers, the first included.
    pub pegasus_metas: Vec<SocketAddr>,
    /// Pegasus' replica servers, where they have ports of their own.
    pub pegasus_nodes: Vec<SocketAddr>,
    /// memcached, on all of its addresses.
    pub memcached: Vec<SocketAddr>,
    /// memcached over TLS, on all of its addresses.
    pub memcached_tls: Vec<SocketAddr>,
    /// memcached's Unix socket.
    pub memcached_socket: Option<PathBuf>,
    /// TiKV's PD.
    pub tikv_pd: Option<SocketAddr>,
    /// TiKV's stores.
    pub tikv_stores: Vec<SocketAddr>,
    /// Health and metrics.
    pub http: Option<SocketAddr>,
}

impl Server {
    /// Opens the data, listens on all addresses, and serves.
    ///
    /// # Errors
    /// When an address can't be listened on or must not be, or a table that should exist from the start can't be made.
    pub async fn start(options: Options) -> Result<Self, Error> {
        Self::start_with(options, Hooks::default()).await
    }

    /// The same, where a test has its say.
    pub(crate) async fn start_with(options: Options, hooks: Hooks) -> Result<Self, Error> {
        let backend = open_store(&options).await.map_err(Error::Store)?;
        let items = match &options.memcached {
            Some(memcached) => Some(Items::open(memcached, &backend, &options.clock).await.map_err(Error::Store)?),
            None => None,
        };
        let metrics = Metrics::new(backend.db(), items.as_ref());
        let mut starting = Starting {
            backend: Arc::new(backend),
            metrics: Arc::new(metrics),
            addresses: Addresses::default(),
            ready: Arc::new(AtomicBool::new(false)),
            serving: Arc::new(Running::new()),
            observing: Running::new(),
            options,
            hooks,
        };
        starting.check_limits()?;
        starting.control();
        starting.http().await?;
        let pegasus = starting.pegasus().await?;
        let memcached = match items {
            Some(items) => starting.memcached(items).await?,
            None => None,
        };
        let tikv = starting.tikv().await?;
        starting.tidy();
        starting.ready.store(true, Ordering::Release);
        Ok(Self {
            backend: starting.backend,
            addresses: starting.addresses,
            ready: starting.ready,
            limits: starting.options.limits,
            pegasus: pegasus.map(Arc::new),
            memcached: memcached.map(Arc::new),
            tikv: tikv.map(Arc::new),
            serving: starting.serving,
            observing: starting.observing,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Pegasus' ports, where it is served.
    pub(crate) const fn pegasus(&self) -> Option<&Arc<Ports<Embedded>>> {
        self.pegasus.as_ref()
    }

    /// memcached, where it is served.
    pub(crate) const fn memcached(&self) -> Option<&Arc<memcached::Served>> {
        self.memcached.as_ref()
    }

    /// PD and the stores, where TiKV is served.
    pub(crate) const fn tikv(&self) -> Option<&Arc<crate::tikv::Ports<EmbeddedRows>>> {
        self.tikv.as_ref()
    }

    /// What cuts all connections at once.
    pub(crate) fn cut(&self) -> &CancellationToken {
        self.serving.cut()
    }

    /// Waits until a client of memcached has asked for the server to stop, where
    /// [that is allowed](crate::MemcachedOptions::allows_shutdown).
    pub async fn stop_asked(&self) {
        match &self.memcached {
            Some(memcached) => memcached.service.stop_asked.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Says that it is not ready any more, stops accepting connections, lets requests that are under way end, and closes all
    /// connections; after [`Limits::drain`] it no longer waits and cuts those that are left. Health and metrics are answered until the end.
    /// Everything that was written is on the disk then, whatever its durability, and the folder of the data can be opened again.
    pub async fn shutdown(self) {
        self.ready.store(false, Ordering::Release);
        self.serving.shutdown(self.limits.drain).await;
        self.observing.shutdown(OBSERVERS_DRAIN).await;
        drop((self.pegasus, self.memcached, self.tikv));
        if let Err(error) = self.backend.sync().await {
            error!(%error, "the last writes are as durable as their level says, and no more");
        }
        // Closing the store may wait for what it does in the background, and others may hold it for a moment still: a read
        // whose client has gone, work whose answer came before it was put away.
        let closing = self.backend.db().closing();
        let backend = self.backend;
        let is_closed = aside(move || {
            drop(backend);
            closing.wait(STORE_CLOSES_WITHIN)
        });
        if !is_closed.await {
            warn!("the store is still in use; its folder cannot be opened again yet");
        }
    }
}

/// Whether a row has expired, be it a table's, an item or a raw one.
fn has_expired(keyspace: &str, value: &[u8], now: Duration) -> bool {
    table::has_expired(keyspace, value, now)
        || cache::has_expired(keyspace, value, now)
        || raw::has_expired(keyspace, value, now)
}

/// Opens the store where it holds nobody up: a journal may have to be replayed.
async fn open_store(options: &Options) -> Result<Embedded, charioteer_engine::Error> {
    let (data, clock) = (options.data.clone(), options.clock.clone());
    aside(move || {
        let db = match data {
            Data::Memory => Db::memory(),
            Data::Folder(path, options) => {
                Db::open(path, DiskOptions { expired: has_expired, clock: clock.clone(), ..options })?
            }
        };
        if let Some(passed_over) = db.passed_over() {
            warn!("the last run did not end in order: {passed_over}; nothing acknowledged is lost");
        }
        Embedded::open(db, clock)
    })
    .await
}

struct Starting {
    options: Options,
    backend: Arc<Embedded>,
    metrics: Arc<Metrics>,
    addresses: Addresses,
    ready: Arc<AtomicBool>,
    serving: Arc<Running>,
    observing: Running,
    hooks: Hooks,
}

/// Where a test has its say, protocol by protocol.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hooks {
    pub(crate) pegasus: Option<Arc<pegasus::hooks::Hooks>>,
    pub(crate) memcached: Option<Arc<memcached::hooks::Hooks>>,
    pub(crate) tikv: Option<Arc<crate::tikv::hooks::Hooks>>,
}

impl Hooks {
    /// In everything.
    pub(crate) fn all() -> Self {
        Self { pegasus: Some(Arc::default()), memcached: Some(Arc::default()), tikv: Some(Arc::default()) }
    }
}

/// How often what time has freed is given back.
const TIDY_EVERY: Duration = Duration::from_secs(60);

impl Starting {
    /// Limits of zero would let nothing through, and look like a server that hangs.
    fn check_limits(&self) -> Result<(), Error> {
        let limits = &self.options.limits;
        let numbers = [
            ("connections", limits.connections),
            ("bytes of a message", limits.frame_bytes),
            ("bytes in flight", limits.in_flight_bytes),
        ];
        match numbers.iter().find(|(_, number)| *number == 0) {
            Some((what, _)) => Err(Error::LimitOfZero(what)),
            None => Ok(()),
        }
    }

    /// Listens for commands in the folder of the data. What is served does not depend on it.
    fn control(&self) {
        let Data::Folder(folder, _) = &self.options.data else { return };
        let (stop, tasks) = (self.serving.stop.clone(), self.serving.tasks.clone());
        match Control::bind(folder, self.backend.db().clone()) {
            Ok(control) => {
                self.serving.tasks.spawn(control.run(stop, tasks));
            }
            Err(error) => {
                warn!(%error, "no backup can be made while this server runs: cannot listen in {}", folder.display())
            }
        }
    }

    fn tidy(&self) {
        let (backend, stop) = (Arc::clone(&self.backend), self.serving.stop.clone());
        self.serving.tasks.spawn(async move {
            let mut minutes = tokio::time::interval(TIDY_EVERY);
            minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while stop.run_until_cancelled(minutes.tick()).await.is_some() {
                if let Err(error) = backend.tidy().await {
                    warn!(%error, "cannot give back what time has freed");
                }
            }
        });
    }

    async fn bind(&self, what: &'static str, address: SocketAddr) -> Result<Listener, Error> {
        if !address.ip().is_loopback() && !self.options.allow_remote {
            return Err(Error::NotLoopback(address));
        }
        Listener::bind(what, address).await
    }

    /// The same for a server that may ask who is there, and may listen anywhere then.
    async fn bind_asking(&self, what: &'static str, address: SocketAddr, asks: bool) -> Result<Listener, Error> {
        if asks { Listener::bind(what, address).await } else { self.bind(what, address).await }
    }

    async fn http(&mut self) -> Result<(), Error> {
        let Some(address) = self.options.http else { return Ok(()) };
        let listener = self.bind("HTTP", address).await?;
        self.addresses.http = Some(listener.address());
        let health = Arc::new(Health {
            ready: Arc::clone(&self.ready),
            db: self.backend.db().clone(),
            metrics: Arc::clone(&self.metrics),
        });
        let (stop, stalled) = (self.observing.stop.clone(), self.options.limits.stalled);
        let serve = move |stream, _| {
            let (health, stop) = (Arc::clone(&health), stop.clone());
            async move { http::serve(stream, stalled, &stop, Posts::Refused, |asked| health.answer(asked)).await }
        };
        self.observing.serve(listener, self.options.limits.connections, serve);
        Ok(())
    }

    async fn pegasus(&mut self) -> Result<Option<Ports<Embedded>>, Error> {
        let Some(options) = self.options.pegasus.clone() else { return Ok(None) };
        let mut metas = vec![self.bind_pegasus("Pegasus", options.address).await?];
        for address in &options.metas {
            metas.push(self.bind_pegasus("a Pegasus meta server", *address).await?);
        }
        let mut nodes = Vec::new();
        for address in &options.nodes {
            nodes.push(self.bind_pegasus("a Pegasus replica server", *address).await?);
        }
        self.make_tables(&options).await?;

        let addresses =
            |listeners: &[(Listener, SocketAddrV4)]| listeners.iter().map(|(_, address)| *address).collect();
        let shape = self.hooks.pegasus.as_ref().map(|hooks| Arc::clone(&hooks.shape));
        let (cluster, endpoints) = Cluster::new(addresses(&metas), addresses(&nodes), shape);
        self.addresses.pegasus_metas = metas.iter().map(|(listener, _)| listener.address()).collect();
        self.addresses.pegasus_nodes = nodes.iter().map(|(listener, _)| listener.address()).collect();
        self.addresses.pegasus = self.addresses.pegasus_metas.first().copied();
        let service = Arc::new(Service::new(pegasus::Parts {
            backend: Arc::clone(&self.backend),
            cluster,
            metrics: Arc::clone(&self.metrics),
            limits: self.options.limits.clone(),
            latency: self.options.latency,
            auto_create: options.auto_create,
            host_ports: options.host_ports,
            clock: self.options.clock.clone(),
            hooks: self.hooks.pegasus.clone(),
        }));
        let listeners = metas.into_iter().chain(nodes).map(|(listener, _)| listener);
        Ok(Some(Ports::open(service, listeners.zip(endpoints), &self.serving)))
    }

    /// Serves memcached's protocols over these items.
    async fn memcached(&mut self, items: Items) -> Result<Option<memcached::Served>, Error> {
        let Some(options) = self.options.memcached.clone() else { return Ok(None) };
        let asks_who_it_is = options.credentials.is_some();
        let plain = self.bind_memcached(&options.addresses, asks_who_it_is).await?;
        let (handshakes, over_tls) = match &options.tls {
            None => (None, Vec::new()),
            Some(over_tls) => {
                let asks_who_it_is = asks_who_it_is || over_tls.tls.asks_who_it_is();
                let listeners = self.bind_memcached(&over_tls.addresses, asks_who_it_is).await?;
                (Some(Arc::new(Handshakes::new(over_tls.tls.clone(), Protocols::Unnamed)?)), listeners)
            }
        };
        self.addresses.memcached = plain.iter().map(Listener::address).collect();
        self.addresses.memcached_tls = over_tls.iter().map(Listener::address).collect();
        let socket = options.unix_socket.clone();
        self.serving.tasks.spawn(memcached::Service::sweep(items.clone(), self.serving.stop.clone()));
        let service = Arc::new(memcached::Service::new(memcached::Parts {
            items,
            options,
            limits: self.options.limits.clone(),
            latency: self.options.latency,
            clock: self.options.clock.clone(),
            metrics: Arc::clone(&self.metrics),
            handshakes,
            hooks: self.hooks.memcached.clone(),
        }));
        let plain = plain.into_iter().map(|listener| self.memcached_port(listener, &service, false));
        let over_tls = over_tls.into_iter().map(|listener| self.memcached_port(listener, &service, true));
        let ports = plain.chain(over_tls).collect();
        if let Some(socket) = socket {
            self.memcached_socket(Arc::clone(&service), socket)?;
        }
        Ok(Some(memcached::Served { ports, service }))
    }

    /// Listens on all of these.
    async fn bind_memcached(&self, addresses: &[SocketAddr], asks_who_it_is: bool) -> Result<Vec<Listener>, Error> {
        const WHAT: &str = "memcached";
        let mut listeners = Vec::new();
        for address in addresses {
            listeners.push(self.bind_asking(WHAT, *address, asks_who_it_is).await?);
        }
        Ok(listeners)
    }

    fn memcached_port(&self, listener: Listener, service: &Arc<memcached::Service>, over_tls: bool) -> Port {
        let (serving, service) = (Arc::clone(&self.serving), Arc::clone(service));
        let connections = self.options.limits.connections;
        Port::open(listener, move |listener| {
            let (running, service) = (serving.part(), Arc::clone(&service));
            let stop = running.stop.clone();
            if over_tls {
                running.serve(listener, connections, move |stream, peer| {
                    let ends = Ends::tcp(&stream, peer);
                    Arc::clone(&service).serve_over_tls(stream, ends, stop.clone())
                });
            } else {
                running.serve(listener, connections, move |stream, peer| {
                    let ends = Ends::tcp(&stream, peer);
                    Arc::clone(&service).serve(stream.into_split(), ends, stop.clone())
                });
            }
            running
        })
    }

    fn memcached_socket(&mut self, service: Arc<memcached::Service>, socket: UnixSocket) -> Result<(), Error> {
        let UnixSocket { path, permissions } = socket;
        let port =
            UnixPort::bind(&path, permissions).map_err(|source| Error::ListenUnix { path: path.clone(), source })?;
        let (stop, peer) = (self.serving.stop.clone(), format!("unix:{}", path.display()));
        self.addresses.memcached_socket = Some(path);
        self.serving.serve(port, self.options.limits.connections, move |stream, ()| {
            let ends = Ends { peer: peer.clone(), local: None };
            Arc::clone(&service).serve(stream.into_split(), ends, stop.clone())
        });
        Ok(())
    }

    async fn bind_pegasus(&self, what: &'static str, address: SocketAddr) -> Result<(Listener, SocketAddrV4), Error> {
        if address.is_ipv6() {
            return Err(Error::NotIpv4(address));
        }
        let listener = self.bind(what, address).await?;
        match listener.address() {
            SocketAddr::V4(v4) => Ok((listener, v4)),
            other => Err(Error::NotIpv4(other)),
        }
    }

    async fn make_tables(&self, options: &PegasusOptions) -> Result<(), Error> {
        for (name, partition_count) in &options.tables {
            if self.backend.find(name).is_some() {
                // It was made in an earlier run, perhaps with other partitions, and has rows.
                continue;
            }
            let made = self.backend.create(plain_table(name, *partition_count)).await;
            made.map_err(|error| Error::Table { name: name.clone(), reason: error.to_string() })?;
        }
        Ok(())
    }
}

/// What the HTTP port answers.
struct Health {
    ready: Arc<AtomicBool>,
    db: Db,
    metrics: Arc<Metrics>,
}

impl Health {
    fn answer(&self, asked: &Asked<'_>) -> Answer {
        match asked.path {
            "/healthz" => text(StatusCode::OK, "alive\n").into(),
            "/readyz" if self.db.is_halted() => {
                text(StatusCode::SERVICE_UNAVAILABLE, "the store takes no more writes; see the log, and start again\n")
                    .into()
            }
            "/readyz" if self.ready.load(Ordering::Acquire) => text(StatusCode::OK, "ready\n").into(),
            "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, "starting or stopping\n").into(),
            "/metrics" => self.metrics.page(),
            _ => not_found(asked).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_has_shut_down_when_the_last_who_held_its_store_has_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let data = Data::Folder(folder.path().join("data"), DiskOptions::default());
        let options = Options { data, ..Options::for_tests() };
        let server = Server::start(options.clone()).await.unwrap();
        let (let_go, gate) = std::sync::mpsc::channel::<()>();
        let held = server.backend.db().clone();
        let holding = std::thread::spawn(move || {
            gate.recv().unwrap();
            drop(held);
        });
        let mut shutting_down = std::pin::pin!(server.shutdown());
        let waited = tokio::time::timeout(Duration::from_millis(50), shutting_down.as_mut()).await;
        assert!(waited.is_err(), "the store is held still");
        let_go.send(()).unwrap();
        shutting_down.await;
        Server::start(options).await.unwrap().shutdown().await;
        holding.join().unwrap();
    }
}
