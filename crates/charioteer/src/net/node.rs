//! One server, and the connections to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use parking_lot::Mutex;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::stats::{Counters, count};
use super::{Address, Connection, Wire};

/// How long a failure to connect is told to those who come after, before it is tried again.
const REST: Duration = Duration::from_millis(20);

/// How long an address is tried alone before the next one of the same name is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);

/// How long a connection is idle before the operating system asks whether the peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// How to connect.
#[derive(Clone, Debug)]
pub(crate) struct NodeOptions {
    /// How many connections there are to a server, among which calls are spread.
    pub(crate) connections: usize,
    pub(crate) connect_timeout: Duration,
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
    turn: AtomicUsize,
}

#[derive(Debug)]
enum Link<W: Wire> {
    Idle,
    Dialling {
        since: Instant,
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
    /// The server does not let this client in.
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
        let links = (0..options.connections.max(1)).map(|_| Mutex::new(Link::Idle)).collect();
        let peer = Arc::from(address.to_string());
        Self { address, peer, wire, options, links, turn: AtomicUsize::new(0) }
    }

    /// `host:port`.
    pub(crate) fn peer(&self) -> &Arc<str> {
        &self.peer
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// A connection that is alive, as far as is known. Those who come together wait for the same dialling.
    pub(crate) async fn connection(self: &Arc<Self>) -> Result<Connection<W>, Unreachable> {
        let at = match self.links.len() {
            1 => 0,
            links => self.turn.fetch_add(1, Ordering::Relaxed) % links,
        };
        loop {
            let mut dialled = match self.look(at)? {
                Ok(connection) => return Ok(connection),
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
            Link::Dialling { dialled, .. } if dialled.has_changed().is_ok() => return Ok(Err(dialled.clone())),
            Link::Failed { at, error, .. } if at.elapsed() < REST => return Err(error.clone()),
            Link::Closed => return Err(Unreachable::new(Obstacle::Closed, "the client was closed")),
            _ => {}
        }
        let since = match &*link {
            Link::Failed { since, .. } => *since,
            _ => Instant::now(),
        };
        let (done, dialled) = watch::channel(());
        *link = Link::Dialling { since, dialled: dialled.clone() };
        // On a task of its own, so that it comes to an end even when those who wait give up.
        tokio::spawn(Arc::clone(self).dial(at, since, done));
        Ok(Err(dialled))
    }

    async fn dial(self: Arc<Self>, at: usize, since: Instant, done: watch::Sender<()>) {
        let dialled = tokio::time::timeout(self.options.connect_timeout, self.open()).await.unwrap_or_else(|_| {
            let reason = format!("no connection within {:?}", self.options.connect_timeout);
            Err(Unreachable::new(Obstacle::Network, reason))
        });
        let counters = &self.options.counters;
        let mut link = self.links[at].lock();
        if matches!(*link, Link::Closed) {
            return;
        }
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
        let connected = self.connect().await;
        let stream = connected.map_err(|error| Unreachable::new(Obstacle::Network, error.to_string()))?;
        let (wire, peer) = (self.wire.clone(), Arc::clone(&self.peer));
        let connection = Connection::start(stream, wire, peer, Arc::clone(&self.options.counters));
        self.wire.greet(&connection).await?;
        Ok(connection)
    }

    /// Tries all addresses that the name stands for.
    async fn connect(&self) -> std::io::Result<TcpStream> {
        let addresses = self.address.resolve().await?;
        let shares = u32::try_from(addresses.len()).unwrap_or(u32::MAX).saturating_add(1);
        let stream = connect_to_any(addresses, HEAD_START.min(self.options.connect_timeout / shares)).await?;
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
        Ok(stream)
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

/// Connects to the first address that answers. Each has a head start to the next, since one that is dead may never say so.
async fn connect_to_any(addresses: Vec<SocketAddr>, head_start: Duration) -> std::io::Result<TcpStream> {
    let mut failed = std::io::Error::new(std::io::ErrorKind::NotFound, "the name stands for no address");
    let mut dialled = FuturesUnordered::new();
    let mut others = addresses.into_iter();
    loop {
        match others.next() {
            Some(address) => dialled.push(TcpStream::connect(address)),
            None if dialled.is_empty() => return Err(failed),
            None => {}
        }
        let patience = if others.len() > 0 { head_start } else { Duration::MAX };
        match tokio::time::timeout(patience, dialled.next()).await {
            Ok(Some(Ok(stream))) => return Ok(stream),
            Ok(Some(Err(error))) => failed = error,
            Ok(None) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use socket2::{Domain, Socket, Type};
    use tokio::net::TcpListener;

    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    async fn open() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// An address that nobody listens at, nor will as long as the socket lives.
    fn refusing() -> (Socket, SocketAddr) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        (socket, address)
    }

    /// An address at which nobody ever answers: too many wait there already.
    #[cfg(target_os = "linux")]
    async fn silent() -> (Socket, Vec<TcpStream>, SocketAddr) {
        let (socket, address) = refusing();
        socket.listen(0).unwrap();
        let mut waiting = Vec::new();
        while let Ok(stream) = tokio::time::timeout(SOON, TcpStream::connect(address)).await {
            waiting.push(stream.unwrap());
        }
        (socket, waiting, address)
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_address_that_never_answers_does_not_stand_before_one_that_does() {
        let ((_socket, _waiting, silent), (_listener, alive)) = (silent().await, open().await);
        let connected = connect_to_any(vec![silent, alive], Duration::from_millis(1)).await.unwrap();
        assert_eq!(connected.peer_addr().unwrap(), alive);
    }

    #[tokio::test]
    async fn addresses_that_refuse_are_passed_at_once_and_the_last_says_why_there_is_none() {
        let ((_socket, refused), (_listener, alive)) = (refusing(), open().await);
        let connected = connect_to_any(vec![refused, alive], Duration::MAX).await.unwrap();
        assert_eq!(connected.peer_addr().unwrap(), alive);
        let error = connect_to_any(vec![refused], SOON).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        assert_eq!(connect_to_any(Vec::new(), SOON).await.unwrap_err().kind(), std::io::ErrorKind::NotFound);
    }
}
