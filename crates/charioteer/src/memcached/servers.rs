//! The servers, and which of them keys are on.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::BytesMut;
use charioteer_proto::memcached::binary::{Command, Status};
use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::debug;

use super::changes::Watchers;
use super::dialect::{Dialect, Question};
use super::discovery::Discovery;
use super::failure;
use super::health::Health;
use super::options::{Named, Options, Protocol};
use super::ring::{Ring, Spot};
use crate::error::{Error, ErrorKind, Failure};
use crate::net::{self, Counters, Dialler, Lanes, NodeOptions, Progress};

/// The first wait before a server that is down is asked again.
const FIRST_RETRY: Duration = Duration::from_millis(100);

/// What has become of a server.
///
/// ```
/// use charioteer::memcached::{Client, Options, ServerChange};
///
/// let client = Client::new(Options::new(["127.0.0.1:11211"])?)?;
/// client.on_server_change(|server, change| match change {
///     ServerChange::Down => println!("{server} does not answer"),
///     ServerChange::Up => println!("{server} answers again"),
///     _ => {}
/// });
/// # Ok::<(), charioteer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerChange {
    /// It has failed too often in a row.
    Down,
    /// It answers again.
    Up,
    /// It is new in the cluster that [`Options::discovery`] asks for.
    Added,
    /// It is no longer in that cluster.
    Removed,
}

type Listener = Arc<dyn Fn(&str, ServerChange) + Send + Sync>;

/// A server.
#[derive(Debug)]
pub(super) struct Server {
    name: String,
    weight: u32,
    pub(super) node: Arc<net::Node<Dialect>>,
    pub(super) health: Health,
}

/// A server that somebody holds for the time of a call. It is held itself by each view, and counts its calls there.
pub(super) type Held = Arc<Arc<Server>>;

/// The servers as they are at some time.
#[derive(Debug)]
pub(super) struct View {
    /// Another number for each change.
    pub(super) generation: u64,
    pub(super) servers: Vec<Arc<Server>>,
    /// Those that have keys, in the ring's order.
    placed: Vec<Held>,
    ring: Arc<Ring>,
}

impl View {
    fn new(generation: u64, servers: Vec<Arc<Server>>, options: &Options) -> Self {
        let has_keys = |server: &&Arc<Server>| !(options.failover && server.health.is_down());
        let placed: Vec<_> = servers.iter().filter(has_keys).map(|server| Arc::new(Arc::clone(server))).collect();
        let spots = placed.iter().map(|server| {
            let address = server.node.address();
            Spot { name: &server.name, host: address.host(), port: address.port(), weight: server.weight }
        });
        let ring = Arc::new(Ring::new(options.hashing, &spots.collect::<Vec<_>>()));
        Self { generation, servers, placed, ring }
    }

    /// The same, counting apart.
    fn copy(&self) -> Self {
        let placed = self.placed.iter().map(|server| Arc::new((**server).clone())).collect();
        Self { generation: self.generation, servers: self.servers.clone(), placed, ring: Arc::clone(&self.ring) }
    }

    /// The server that a key is on.
    pub(super) fn find(&self, key: &[u8]) -> Result<&Held, Failure> {
        let server = self.ring.place(key).and_then(|at| self.placed.get(at)).ok_or_else(|| failure::down(None))?;
        if server.health.is_down() { Err(failure::down(Some(server.node.peer()))) } else { Ok(server) }
    }
}

/// All servers of a client.
pub(super) struct Servers {
    pub(super) options: Options,
    pub(super) net: Arc<Counters>,
    pub(super) dialler: Dialler,
    pub(super) discovery: Option<Discovery>,
    view: Lanes<Arc<View>>,
    /// Held by whoever makes another view of the one there is.
    changing: Mutex<()>,
    listener: Mutex<Option<Listener>>,
    pub(super) watchers: Watchers,
    closed: AtomicBool,
}

impl Servers {
    pub(super) fn new(options: Options) -> Result<Self, Error> {
        let (net, dialler) = (Arc::default(), options.dialler()?);
        let discovery = options.discovery.map(Discovery::new);
        let weights = options.weights.iter().copied().chain(std::iter::repeat(1));
        let servers = options.servers.iter().zip(weights);
        let servers = servers.map(|(named, weight)| server(named.clone(), weight, &options, &dialler, &net)).collect();
        let view = View::new(0, servers, &options);
        let view = Lanes::new(|| Arc::new(view.copy()));
        let (changing, listener) = (Mutex::default(), Mutex::default());
        let closed = AtomicBool::new(false);
        let watchers = Watchers::default();
        Ok(Self { options, net, dialler, discovery, view, changing, listener, watchers, closed })
    }

    /// The servers as they are now.
    pub(super) fn view(&self) -> Result<Arc<View>, Failure> {
        self.look(|view| Ok(Arc::clone(view)))
    }

    /// Looks for something in the servers as they are now, without keeping them.
    pub(super) fn look<T>(&self, find: impl FnOnce(&Arc<View>) -> Result<T, Failure>) -> Result<T, Failure> {
        if self.closed.load(Ordering::Relaxed) { Err(failure::closed()) } else { find(&self.view.own()) }
    }

    pub(super) fn add(&self, named: Named, weight: u32) -> Result<(), Error> {
        self.change(|servers| {
            if servers.iter().any(|known| *known.node.address() == named.address) {
                let message = format!("the server {} is there already", named.address);
                return Err(Failure::new(ErrorKind::AlreadyExists, message).into());
            }
            servers.push(self.server(named, weight));
            Ok(())
        })
    }

    /// What is under way to the server comes to its end, as its connections last as long.
    pub(super) fn remove(&self, named: &Named) -> bool {
        self.change(|servers| {
            let before = servers.len();
            servers.retain(|known| *known.node.address() != named.address);
            servers.len() < before
        })
    }

    /// Makes these all the servers there are, each once. Those that are known stay what they are.
    pub(super) fn replace(&self, named: Vec<Named>) {
        let (before, after) = self.change(|servers| {
            let before = std::mem::take(servers);
            for named in named {
                let is_same = |server: &&Arc<Server>| *server.node.address() == named.address;
                if servers.iter().find(is_same).is_none() {
                    let known = before.iter().find(is_same).cloned();
                    servers.push(known.unwrap_or_else(|| self.server(named, 1)));
                }
            }
            (before, servers.clone())
        });
        let is_in = |servers: &[Arc<Server>], server| servers.iter().any(|known| Arc::ptr_eq(known, server));
        let added = after.iter().filter(|server| !is_in(&before, server));
        added.for_each(|server| self.tell(server, ServerChange::Added));
        let removed = before.iter().filter(|server| !is_in(&after, server));
        removed.for_each(|server| self.tell(server, ServerChange::Removed));
    }

    /// Waits until it is known which servers there are.
    pub(super) async fn settle(self: &Arc<Self>) {
        if let Some(discovery) = &self.discovery {
            discovery.settle(self).await;
        }
    }

    fn server(&self, named: Named, weight: u32) -> Arc<Server> {
        server(named, weight, &self.options, &self.dialler, &self.net)
    }

    pub(super) fn listen(&self, listener: Listener) {
        *self.listener.lock() = Some(listener);
    }

    pub(super) fn close(&self) {
        let _changing = self.changing.lock();
        self.closed.store(true, Ordering::Relaxed);
        let servers = self.view.own().servers.clone();
        servers.iter().for_each(|server| server.node.close());
        self.watchers.end();
    }

    /// Takes note that a server has failed to answer.
    pub(super) fn failed(self: &Arc<Self>, server: &Arc<Server>) {
        if server.health.failed(self.options.failures, Instant::now()) && self.turn(server, ServerChange::Down) {
            let absence = Absence { servers: Arc::downgrade(self), server: Arc::clone(server) };
            tokio::spawn(absence.end());
        }
    }

    /// Says whether it is news that a server is up or down; if it is, the listener has heard it.
    fn turn(&self, server: &Arc<Server>, change: ServerChange) -> bool {
        let down = change == ServerChange::Down;
        let is_news = server.health.is_down() != down && self.change(|_| server.health.set_down(down));
        if is_news {
            self.tell(server, change);
        }
        is_news
    }

    fn tell(&self, server: &Server, change: ServerChange) {
        debug!(server = server.name, ?change, "server changed");
        self.watchers.tell(&server.name, change);
        let listener = self.listener.lock().clone();
        // Without any lock, so that it may add and remove servers.
        if let Some(listener) = listener {
            listener(&server.name, change);
        }
    }

    /// Changes the servers, or what they are.
    fn change<R>(&self, change: impl FnOnce(&mut Vec<Arc<Server>>) -> R) -> R {
        let _changing = self.changing.lock();
        let before = Arc::clone(&self.view.own());
        let mut servers = before.servers.clone();
        let result = change(&mut servers);
        let view = View::new(before.generation + 1, servers, &self.options);
        self.view.all().for_each(|mut own| *own = Arc::new(view.copy()));
        result
    }

    fn has(&self, server: &Arc<Server>) -> bool {
        self.view().is_ok_and(|view| view.servers.iter().any(|known| Arc::ptr_eq(known, server)))
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Servers").field("view", &*self.view.own()).finish_non_exhaustive()
    }
}

/// Those that are left end with the client.
impl Drop for Servers {
    fn drop(&mut self) {
        self.close();
    }
}

fn server(named: Named, weight: u32, options: &Options, dialler: &Dialler, counters: &Arc<Counters>) -> Arc<Server> {
    let node = NodeOptions {
        connections: options.connections_per_server,
        dialler: dialler.clone(),
        counters: Arc::clone(counters),
    };
    let node = Arc::new(net::Node::new(named.address, Dialect::new(options), node));
    Arc::new(Server { name: named.name, weight, node, health: Health::default() })
}

/// A server that is down. When this ends, for whatever reason, the server is given another chance: were its runtime to end, nobody
/// else would ask it again.
struct Absence {
    servers: Weak<Servers>,
    server: Arc<Server>,
}

impl Absence {
    /// Asks the server again and again, until it answers or is nobody's business any more.
    async fn end(self) {
        let mut wait = FIRST_RETRY;
        loop {
            tokio::time::sleep(wait).await;
            let options = self.servers().map(|servers| (servers.options.retry_interval, servers.options.protocol));
            let Some((longest, protocol)) = options else {
                return;
            };
            let answers = tokio::time::timeout(longest.max(FIRST_RETRY), answers(protocol, &self.server));
            if answers.await.unwrap_or(false) {
                return;
            }
            wait = (wait * 2).min(longest);
        }
    }

    /// The servers among which it is still one.
    fn servers(&self) -> Option<Arc<Servers>> {
        self.servers.upgrade().filter(|servers| servers.has(&self.server))
    }
}

impl Drop for Absence {
    fn drop(&mut self) {
        if let Some(servers) = self.servers() {
            self.server.health.answered();
            servers.turn(&self.server, ServerChange::Up);
        }
    }
}

/// Whether a server answers.
async fn answers(protocol: Protocol, server: &Server) -> bool {
    let Ok(connection) = server.node.connection().await else {
        return false;
    };
    let encode = |out: &mut BytesMut, id| Question::new(protocol, out, id).one(&Command::Noop, 0);
    let answer = connection.call(0, &Progress::default(), encode).await;
    answer.is_ok_and(|answer| answer.last.status == Status::OK)
}
