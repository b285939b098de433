//! What a server is told of memcached before it starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use charioteer_engine::cache::CacheOptions;
use charioteer_proto::memcached::Protocol;

use super::{Credentials, MemcachedCluster};
use crate::Tls;

/// Where memcached's protocols are served, and what is kept.
///
/// ```
/// use charioteer_server::MemcachedOptions;
///
/// let options = MemcachedOptions { memory_bytes: 1 << 30, ..MemcachedOptions::default() };
/// assert_eq!(options.addresses[0].port(), 11211);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemcachedOptions {
    /// Where it is served; all addresses serve the same items. Default 127.0.0.1:11211.
    pub addresses: Vec<SocketAddr>,
    /// Where it is served over TLS. Default nowhere.
    pub tls: Option<OverTls>,
    /// A Unix socket on which it is served too.
    pub unix_socket: Option<UnixSocket>,
    /// Whether items are kept with the rest of the data, as durable as that: all of them, however many, as nothing is evicted.
    /// Default no: they are in memory.
    pub durable: bool,
    /// How much memory the items may take, with all that belongs to them, where they are in memory. Default 64 MiB.
    pub memory_bytes: usize,
    /// How large an item may be, counted as memcached counts it. Default 1 MiB.
    pub item_limit: usize,
    /// Whether items in memory are evicted when there is no room for another, which is refused otherwise. Default yes.
    pub evicts: bool,
    /// Who may connect; `None` for everybody.
    pub credentials: Option<Credentials>,
    /// What clients are told that look for a cluster. Default of this server.
    pub cluster: MemcachedCluster,
    /// The one protocol that is spoken; `None` has the first byte of a connection tell. Default `None`.
    pub protocol: Option<Protocol>,
    /// Whether clients may flush. Default yes.
    pub allows_flush: bool,
    /// Whether clients may list the keys. Default yes.
    pub allows_dump: bool,
    /// Whether clients may have the server stopped, see [`Server::stop_asked`](crate::Server::stop_asked). Default no.
    pub allows_shutdown: bool,
}

/// Addresses on which TLS is spoken.
///
/// ```
/// use charioteer_server::{OverTls, Pem, Tls};
///
/// let tls = Tls::new(Pem::File("server.pem".into()), Pem::File("server.key".into()));
/// let over_tls = OverTls { addresses: vec!["127.0.0.1:11212".parse()?], tls };
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverTls {
    /// Where.
    pub addresses: Vec<SocketAddr>,
    /// How.
    pub tls: Tls,
}

/// A Unix socket.
///
/// ```
/// use charioteer_server::UnixSocket;
///
/// let socket = UnixSocket { path: "/run/memcached.sock".into(), permissions: 0o700 };
/// assert_eq!(socket.permissions, 0o700);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixSocket {
    /// Where it is; a socket that is there already is replaced.
    pub path: PathBuf,
    /// Who may connect, as the permissions of a file.
    pub permissions: u32,
}

impl MemcachedOptions {
    pub(super) const fn cache(&self) -> CacheOptions {
        CacheOptions { memory_bytes: self.memory_bytes, item_limit: self.item_limit, evicts: self.evicts }
    }
}

impl Default for MemcachedOptions {
    fn default() -> Self {
        let CacheOptions { memory_bytes, item_limit, evicts } = CacheOptions::default();
        Self {
            addresses: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 11211))],
            tls: None,
            unix_socket: None,
            durable: false,
            memory_bytes,
            item_limit,
            evicts,
            credentials: None,
            cluster: MemcachedCluster::default(),
            protocol: None,
            allows_flush: true,
            allows_dump: true,
            allows_shutdown: false,
        }
    }
}
