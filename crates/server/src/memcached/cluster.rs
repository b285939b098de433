//! What a server tells of the cluster that it belongs to.

use std::net::SocketAddr;
use std::sync::Arc;

use charioteer_proto::memcached::cluster::{ClusterConfig, Node};
use parking_lot::RwLock;

/// What is answered to `config get cluster`, by which clients of ElastiCache find their servers. Clones are the same, so that it can be
/// changed while the server runs.
///
/// ```
/// use charioteer_proto::memcached::cluster::{ClusterConfig, Node};
/// use charioteer_server::{MemcachedCluster, MemcachedOptions};
///
/// let cluster = MemcachedCluster::default();
/// let options = MemcachedOptions { cluster: cluster.clone(), ..MemcachedOptions::default() };
/// // … a server starts with them; clients find it alone …
/// let node = Node { host: "cache-2".to_owned(), address: String::new(), port: 11211 };
/// cluster.tell(ClusterConfig { version: 2, nodes: vec![node] });
/// // … now they find another one.
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemcachedCluster(Arc<RwLock<Told>>);

#[derive(Clone, Debug, Default)]
enum Told {
    /// The server itself, at the address by which the client has reached it.
    #[default]
    Itself,
    Config(ClusterConfig),
    Nothing,
}

impl MemcachedCluster {
    /// Tells of these servers from now on. Clients take note of them if the version is greater than the one they know; a server that
    /// was told nothing tells of itself, in version 1.
    pub fn tell(&self, config: ClusterConfig) {
        *self.0.write() = Told::Config(config);
    }

    /// Knows of no cluster from now on, as memcached itself.
    pub fn tell_nothing(&self) {
        *self.0.write() = Told::Nothing;
    }

    /// What a client is told that has reached the server at this address; a Unix socket has none.
    pub(super) fn told(&self, local: Option<SocketAddr>) -> Option<ClusterConfig> {
        match &*self.0.read() {
            Told::Config(config) => Some(config.clone()),
            Told::Nothing => None,
            Told::Itself => {
                let (host, port) = local.map(|local| (local.ip().to_string(), local.port()))?;
                Some(ClusterConfig { version: 1, nodes: vec![Node { host: host.clone(), address: host, port }] })
            }
        }
    }
}

/// Whether both are one.
impl PartialEq for MemcachedCluster {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for MemcachedCluster {}
