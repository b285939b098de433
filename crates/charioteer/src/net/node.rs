//! One server, and the connections to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::stats::{Counters, count};
use super::{Address, Connection, Dialler, Lanes, Wire};

/// How long a failure to connect is told to those who come after, before it is tried again.
const REST: Duration = Duration::from_millis(20);

/// How to connect.
#[derive(Clone, Debug)]
pub(crate) struct NodeOptions {
    /// How many connections there are to a server, among which calls are spread.
    pub(crate) connections: usize,
    pub(crate) dialler: Dialler,
    pub(crate) counters: Arc<Counters>,
}

/// A server. It is dialled when somebody first needs it, and again whenever a connection has ended.
#[derive(Debug)]
pub(crate) struct Node<W: Wire + Clone> {
    address: Address,
    peer: Arc<str>,
    wire: W,
    options: NodeOptions,
    links: Vec<Mutex<Link<W>>>,
    /// The connections of the links once more, as far as they have been asked for, and as they were then.
    known: Lanes<Vec<Option<Arc<Connection<W>>>>>,
    turn: AtomicUsize,
}

#[derive(Debug)]
enum Link<W: Wire> {
    Idle,
    Dialling {
        since: Instant,
        begun: Instant,
        dialled: watch::Receiver<()>,
    },
    Connected(Connection<W>),
    /// `since` is when it was dialled for the first time in vain.
    Failed {
        since: Instant,
        at: Instant,
        error: Unreachable,
    },
    Closed,
}

/// Why there is no connection.
#[derive(Clone, Debug)]
pub(crate) struct Unreachable {
    pub(crate) reason: Arc<str>,
    pub(crate) obstacle: Obstacle,
}

/// What stands between a client and its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// The network, or the server itself, for now.
    Network,
    /// The server does not let this client in, or is not the one that the client trusts.
    Denied,
    /// The client was closed.
    Closed,
}

impl Unreachable {
    pub(crate) fn new(obstacle: Obstacle, reason: impl Into<Arc<str>>) -> Self {
        Self { reason: reason.into(), obstacle }
    }
}

impl<W: Wire + Clone> Node<W> {
    pub(crate) fn new(address: Address, wire: W, options: NodeOptions) -> Self {
        let links: Vec<_> = (0..options.connections.max(1)).map(|_| Mutex::new(Link::Idle)).collect();
        let known = Lanes::new(|| links.iter().map(|_| None).collect());
        let peer = Arc::from(address.to_string());
        Self { address, peer, wire, options, links, known, turn: AtomicUsize::new(0) }
    }

    /// `host:port`.
    pub(crate) fn peer(&self) -> &Arc<str> {
        &self.peer
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// A connection that is alive, as far as is known. Those who come together wait for the same dialling.
    pub(crate) async fn connection(self: &Arc<Self>) -> Result<Arc<Connection<W>>, Unreachable> {
        let at = match self.links.len() {
            1 => 0,
            links => self.turn.fetch_add(1, Ordering::Relaxed) % links,
        };
        if let Some(connection) = &self.known.own()[at]
            && connection.is_alive()
        {
            return Ok(Arc::clone(connection));
        }
        loop {
            let mut dialled = match self.look(at)? {
                Ok(connection) => {
                    let connection = Arc::new(connection);
                    self.known.own()[at] = Some(Arc::clone(&connection));
                    return Ok(connection);
                }
                Err(dialled) => dialled,
            };
            // An error means that the dialler has finished, which is what is waited for.
            let _ = dialled.changed().await;
        }
    }

    /// A connection that is there already.
    pub(crate) fn connected(&self) -> Option<Connection<W>> {
        self.links.iter().find_map(|link| match &*link.lock() {
            Link::Connected(connection) if connection.is_alive() => Some(connection.clone()),
            _ => None,
        })
    }

    /// Since when nothing at all has come from the server on one of its connections, though calls on it were given up meanwhile; or
    /// since when there has been none.
    pub(crate) fn silent_since(&self) -> Option<Instant> {
        let since = |link: &Mutex<Link<W>>| match &*link.lock() {
            Link::Connected(connection) => connection.silent_since(),
            Link::Dialling { since, .. } | Link::Failed { since, .. } => Some(*since),
            Link::Idle | Link::Closed => None,
        };
        self.links.iter().filter_map(since).min()
    }

    /// The connection, or the dialling to wait for, which begins here if need be.
    fn look(self: &Arc<Self>, at: usize) -> Result<Result<Connection<W>, watch::Receiver<()>>, Unreachable> {
        let mut link = self.links[at].lock();
        match &*link {
            Link::Connected(connection) if connection.is_alive() => return Ok(Ok(connection.clone())),
            Link::Dialling { begun, dialled, .. } if dialled.has_changed().is_ok() && !self.is_overdue(*begun) => {
                return Ok(Err(dialled.clone()));
            }
            Link::Failed { at, error, .. } if at.elapsed() < REST => return Err(error.clone()),
            Link::Closed => return Err(Unreachable::new(Obstacle::Closed, "the client was closed")),
            _ => {}
        }
        let begun = Instant::now();
        let since = match &*link {
            Link::Failed { since, .. } => *since,
            _ => begun,
        };
        let (done, dialled) = watch::channel(());
        *link = Link::Dialling { since, begun, dialled: dialled.clone() };
        // On a task of its own, so that it comes to an end even when those who wait give up.
        tokio::spawn(Arc::clone(self).dial(at, (since, begun), done));
        Ok(Err(dialled))
    }

    /// Whether a dialling must have come to its end long ago: its runtime stands still.
    fn is_overdue(&self, begun: Instant) -> bool {
        begun.elapsed() > self.options.dialler.timeout.saturating_mul(2)
    }

    async fn dial(self: Arc<Self>, at: usize, (since, begun): (Instant, Instant), done: watch::Sender<()>) {
        let patience = self.options.dialler.timeout;
        let dialled = tokio::time::timeout(patience, self.open())
            .await
            .unwrap_or_else(|_| Err(Unreachable::new(Obstacle::Network, format!("no connection within {patience:?}"))));
        let counters = &self.options.counters;
        // What is left of the connection before this one is nobody's any more.
        self.known.all().for_each(|mut known| known[at] = None);
        let mut link = self.links[at].lock();
        if !matches!(*link, Link::Dialling { begun: latest, .. } if latest == begun) {
            // Closed meanwhile, or dialled by somebody else.
            return;
        }
        let dialled =
            dialled.and_then(|connection| if connection.is_alive() { Ok(connection) } else { Err(closed_at_once()) });
        *link = match dialled {
            Ok(connection) => {
                count(&counters.connections_opened);
                Link::Connected(connection)
            }
            Err(error) => {
                count(&counters.dials_failed);
                Link::Failed { since, at: Instant::now(), error }
            }
        };
        // Those who wait look again only now, when there is something to see.
        drop(done);
    }

    /// Connects, and says what is to be said first.
    async fn open(&self) -> Result<Connection<W>, Unreachable> {
        let stream = self.options.dialler.dial(&self.address).await?;
        let (wire, peer) = (self.wire.clone(), Arc::clone(&self.peer));
        let connection = Connection::start(stream, wire, peer, Arc::clone(&self.options.counters));
        match self.wire.greet(&connection).await {
            Ok(()) => Ok(connection),
            Err(error) if connection.is_refused() => Err(Unreachable::new(Obstacle::Denied, error.reason)),
            Err(error) => Err(error),
        }
    }

    /// Ends all connections, for good.
    pub(crate) fn close(&self) {
        for link in &self.links {
            if let Link::Connected(connection) = std::mem::replace(&mut *link.lock(), Link::Closed) {
                connection.close(&Arc::from("the client was closed"));
            }
        }
    }
}

/// Whoever waits for a connection that is over already would dial the next one at once, and so on.
fn closed_at_once() -> Unreachable {
    Unreachable::new(Obstacle::Network, "the connection was closed as soon as it was open")
}
