//! Accepting connections: no more than allowed, none lost when the system is short of something, all ended when the server stops.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::error::Error;

/// Connections that the system completes and keeps until they are accepted; as many as tokio has by default.
const QUEUE: u32 = 1024;

/// A port that nobody can connect to, nor take.
///
/// A port that was chosen by the system and is free again may be chosen for another, even for a connection to that very port.
#[derive(Debug)]
pub(crate) struct KeptPort {
    what: &'static str,
    address: SocketAddr,
    socket: TcpSocket,
}

impl KeptPort {
    /// Keeps a port on which nobody listens any more.
    pub(crate) fn keep(what: &'static str, address: SocketAddr) -> Result<Self, Error> {
        let socket = reserve(address).map_err(|source| Error::Listen { what, address, source })?;
        Ok(Self { what, address, socket })
    }
}

fn reserve(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections to it that have just ended do not stand in the way.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// A port that is listened on.
pub(crate) struct Listener {
    what: &'static str,
    address: SocketAddr,
    socket: TcpListener,
}

impl Listener {
    /// Listens on `address`; port 0 lets the system choose.
    pub(crate) async fn bind(what: &'static str, address: SocketAddr) -> Result<Self, Error> {
        let failed = |source| Error::Listen { what, address, source };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { what, address, socket })
    }

    /// Listens on a port that was kept.
    pub(crate) fn on(kept: KeptPort) -> Result<Self, Error> {
        let KeptPort { what, address, socket } = kept;
        let socket = socket.listen(QUEUE).map_err(|source| Error::Listen { what, address, source })?;
        Ok(Self { what, address, socket })
    }

    /// What it is for.
    pub(crate) const fn what(&self) -> &'static str {
        self.what
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts connections and has each served by a task of its own, until told to stop.
    pub(crate) async fn run<F>(
        self,
        connections: usize,
        stop: CancellationToken,
        serve: impl Fn(TcpStream, SocketAddr) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let permits = Arc::new(Semaphore::new(connections));
        let mut pause = Pause::default();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = self.accept(&permits) => accepted,
            };
            let (stream, peer, permit) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    let pause = pause.next();
                    warn!(what = self.what, address = %self.address, %error, ?pause, "cannot accept a connection");
                    tokio::time::sleep(pause).await;
                    continue;
                }
            };
            pause = Pause::default();
            if let Err(error) = stream.set_nodelay(true) {
                debug!(%peer, %error, "connection gone before it was served");
                continue;
            }
            let connection = serve(stream, peer);
            tokio::spawn(async move {
                connection.await;
                drop(permit);
            });
        }
        debug!(what = self.what, address = %self.address, "stopped listening");
    }

    async fn accept(
        &self,
        permits: &Arc<Semaphore>,
    ) -> std::io::Result<(TcpStream, SocketAddr, Option<tokio::sync::OwnedSemaphorePermit>)> {
        // The semaphore is never closed.
        let permit = Arc::clone(permits).acquire_owned().await.ok();
        let (stream, peer) = self.socket.accept().await?;
        Ok((stream, peer, permit))
    }
}

/// How long to wait after a failure to accept, which mostly means that the process has no file descriptor left.
#[derive(Default)]
struct Pause(u32);

impl Pause {
    fn next(&mut self) -> Duration {
        let pause = Duration::from_millis(10 << self.0.min(7));
        self.0 += 1;
        pause
    }
}
