//! Accepting connections: no more than allowed, none lost when the system is short of something, all ended when the server stops.

use std::future::Future;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
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

fn reserve(address: SocketAddr) -> io::Result<TcpSocket> {
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
}

/// What accepts connections.
pub(crate) trait Accept: Send + Sync + 'static {
    /// A connection.
    type Stream: Send;
    /// Who is at its other end.
    type Peer: Send;

    /// Where it listens, for people.
    fn place(&self) -> String;

    /// The next connection.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Self::Peer)>> + Send;
}

impl Accept for Listener {
    type Stream = TcpStream;
    type Peer = SocketAddr;

    fn place(&self) -> String {
        format!("{} at {}", self.what, self.address)
    }

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            let (stream, peer) = self.socket.accept().await?;
            match stream.set_nodelay(true) {
                Ok(()) => return Ok((stream, peer)),
                Err(error) => debug!(%peer, %error, "connection gone before it was served"),
            }
        }
    }
}

/// A Unix socket that is listened on. It is removed with this.
pub(crate) struct UnixPort {
    path: PathBuf,
    socket: UnixListener,
}

impl UnixPort {
    /// Listens at `path`, in the place of a socket that is there already: one that a server has left which was killed.
    pub(crate) fn bind(path: &Path, permissions: u32) -> io::Result<Self> {
        if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
            fs::remove_file(path)?;
        }
        let port = Self { path: path.to_owned(), socket: UnixListener::bind(path)? };
        fs::set_permissions(path, fs::Permissions::from_mode(permissions))?;
        Ok(port)
    }
}

impl Drop for UnixPort {
    fn drop(&mut self) {
        // The next server replaces it if this one cannot.
        let _ = fs::remove_file(&self.path);
    }
}

impl Accept for UnixPort {
    type Stream = UnixStream;
    type Peer = ();

    fn place(&self) -> String {
        self.path.display().to_string()
    }

    async fn accept(&self) -> io::Result<(UnixStream, ())> {
        let (stream, _) = self.socket.accept().await?;
        Ok((stream, ()))
    }
}

/// Accepts connections and has each served by a task of its own, until told to stop.
pub(crate) async fn run<A: Accept, F>(
    listener: A,
    connections: usize,
    stop: CancellationToken,
    serve: impl Fn(A::Stream, A::Peer) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(connections));
    let mut pause = Pause::default();
    loop {
        // The semaphore is never closed.
        let accepted = async {
            let permit = Arc::clone(&permits).acquire_owned().await.ok();
            listener.accept().await.map(|(stream, peer)| (stream, peer, permit))
        };
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accepted => accepted,
        };
        let (stream, peer, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                let pause = pause.next();
                warn!(at = listener.place(), %error, ?pause, "cannot accept a connection");
                tokio::time::sleep(pause).await;
                continue;
            }
        };
        pause = Pause::default();
        let connection = serve(stream, peer);
        tokio::spawn(async move {
            connection.await;
            drop(permit);
        });
    }
    debug!(at = listener.place(), "stopped listening");
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
