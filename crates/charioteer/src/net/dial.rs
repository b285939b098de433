//! Opening streams to servers.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream};

use super::stream::is_refusal;
use super::{Address, Obstacle, Stream, Unreachable};
#[cfg(feature = "tls")]
use crate::tls::Trust;

/// How long an address is tried alone before the next one of the same name is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);

/// How long a connection is idle before the operating system asks whether the peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// How streams are opened.
#[derive(Clone, Debug)]
pub(crate) struct Dialler {
    /// How long it may take, with what the protocol says first.
    pub(crate) timeout: Duration,
    /// Whom to trust, where TLS is spoken.
    #[cfg(feature = "tls")]
    pub(crate) trust: Option<std::sync::Arc<Trust>>,
}

impl Dialler {
    /// A dialler that does not speak TLS.
    pub(crate) fn plain(timeout: Duration) -> Self {
        Self {
            timeout,
            #[cfg(feature = "tls")]
            trust: None,
        }
    }

    /// The same over TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn over_tls(self, trust: std::sync::Arc<Trust>) -> Self {
        Self { trust: Some(trust), ..self }
    }

    /// Connects to a server. Whoever asks sees to it that it takes no longer than it may.
    pub(crate) async fn dial(&self, address: &Address) -> Result<Stream, Unreachable> {
        self.open(address).await.map_err(|error| {
            let obstacle = if is_refusal(&error) { Obstacle::Denied } else { Obstacle::Network };
            Unreachable::new(obstacle, error.to_string())
        })
    }

    async fn open(&self, address: &Address) -> io::Result<Stream> {
        let stream = match address.path() {
            Some(path) => UnixStream::connect(path).await?.into(),
            None => self.connect(address).await?.into(),
        };
        #[cfg(feature = "tls")]
        if let Some(trust) = &self.trust {
            let (config, name) = trust.terms(address).await?;
            return super::tls::shake_hands(stream, config, name).await;
        }
        Ok(stream)
    }

    /// Tries all addresses that the name stands for.
    async fn connect(&self, address: &Address) -> io::Result<TcpStream> {
        let addresses = address.resolve().await?;
        let shares = u32::try_from(addresses.len()).unwrap_or(u32::MAX).saturating_add(1);
        let stream = connect_to_any(addresses, HEAD_START.min(self.timeout / shares)).await?;
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
        Ok(stream)
    }
}

/// Connects to the first address that answers. Each has a head start to the next, since one that is dead may never say so.
async fn connect_to_any(addresses: Vec<SocketAddr>, head_start: Duration) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name stands for no address");
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
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(connect_to_any(Vec::new(), SOON).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
