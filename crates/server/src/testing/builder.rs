//! What a server for tests is to be.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use charioteer_engine::{Clock, DiskOptions};

use super::{Memcached, Pegasus, TestServer, Tikv};
use crate::server::Hooks;
use crate::{Data, Error, Limits, MemcachedOptions, Options, PegasusOptions, Server, TikvApi, TikvOptions};

/// What a server for tests is to be: of one port and in memory, unless it is told otherwise.
///
/// ```
/// use charioteer_server::HostPorts;
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), charioteer_server::Error> {
/// let builder = TestServer::builder().metas(3).nodes(3).table("visits", 4);
/// let server = builder.pegasus(|pegasus| pegasus.host_ports = HostPorts::ToNobody).start().await?;
/// assert_eq!(server.addresses().pegasus_metas.len(), 3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing starts before it is told to"]
pub struct Builder {
    options: Options,
    pegasus: PegasusOptions,
    tables: Vec<(String, i32)>,
}

impl Default for Builder {
    fn default() -> Self {
        let pegasus = PegasusOptions { address: any_port(), ..PegasusOptions::default() };
        let options = Options { http: None, ..Options::for_tests() };
        Self { options, pegasus, tables: Vec::new() }
    }
}

impl Builder {
    /// So many meta servers, of which the first leads. Default 1.
    pub fn metas(mut self, count: usize) -> Self {
        self.pegasus.metas = vec![any_port(); count.saturating_sub(1)];
        self
    }

    /// So many nodes on ports of their own. Default 0: the first meta server's port is the one node.
    pub fn nodes(mut self, count: usize) -> Self {
        self.pegasus.nodes = vec![any_port(); count];
        self
    }

    /// A table that exists from the start, in place of `temp`; said more than once, all of these.
    pub fn table(mut self, name: impl Into<String>, partitions: i32) -> Self {
        self.tables.push((name.into(), partitions));
        self
    }

    /// Keeps the data in this folder.
    pub fn data(mut self, folder: impl Into<PathBuf>) -> Self {
        self.options.data = Data::Folder(folder.into(), DiskOptions::default());
        self
    }

    /// Keeps memcached's items with the data.
    pub fn memcached_durable(self) -> Self {
        self.memcached(|memcached| memcached.durable = true)
    }

    /// What peers may take.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.limits = limits;
        self
    }

    /// The time by which rows expire, in place of the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.options.clock = clock;
        self
    }

    /// Everything else that a server can be told. What is set here of Pegasus is lost; [`pegasus`](Self::pegasus) sets that.
    pub fn options(mut self, set: impl FnOnce(&mut Options)) -> Self {
        set(&mut self.options);
        self
    }

    /// Everything else that can be told of Pegasus.
    pub fn pegasus(mut self, set: impl FnOnce(&mut PegasusOptions)) -> Self {
        set(&mut self.pegasus);
        self
    }

    /// Everything that can be told of memcached.
    pub fn memcached(mut self, set: impl FnOnce(&mut MemcachedOptions)) -> Self {
        self.options.memcached.as_mut().map(set);
        self
    }

    /// So many TiKV stores. Default 1.
    pub fn tikv_stores(self, count: usize) -> Self {
        self.tikv(|tikv| tikv.stores = vec![any_port(); count])
    }

    /// So many TiKV regions. Default 5, as a new PD makes them.
    pub fn tikv_regions(self, count: usize) -> Self {
        self.tikv(|tikv| tikv.regions = count)
    }

    /// Which API versions of TiKV are served. Default any.
    pub fn tikv_api(self, api: TikvApi) -> Self {
        self.tikv(|tikv| tikv.api = api)
    }

    /// Serves TiKV over TLS.
    #[cfg(feature = "test-certificates")]
    pub fn tikv_tls(self, certificates: &super::Certificates) -> Self {
        let tls = certificates.server();
        self.tikv(|options| options.tls = Some(tls))
    }

    /// Everything that can be told of TiKV.
    pub fn tikv(mut self, set: impl FnOnce(&mut TikvOptions)) -> Self {
        self.options.tikv.as_mut().map(set);
        self
    }

    /// Serves memcached over TLS too, on another port.
    #[cfg(feature = "test-certificates")]
    pub fn memcached_tls(self, certificates: &super::Certificates) -> Self {
        let tls = certificates.server();
        self.memcached(|options| options.tls = Some(crate::OverTls { addresses: vec![any_port()], tls }))
    }

    /// Starts it.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start(self) -> Result<TestServer, Error> {
        let Self { mut options, mut pegasus, tables } = self;
        if !tables.is_empty() {
            pegasus.tables = tables;
        }
        options.pegasus = Some(pegasus);
        let (clock, hooks) = (options.clock.clone(), Hooks::all());
        let server = Server::start_with(options, hooks.clone()).await?;
        let cut_on_drop = server.cut().clone().drop_guard();
        let pegasus = Pegasus::new(hooks.pegasus.unwrap_or_default(), &server);
        let memcached = Memcached::new(hooks.memcached.unwrap_or_default(), &server);
        let tikv = Tikv::new(hooks.tikv.unwrap_or_default(), &server);
        Ok(TestServer { server, clock, pegasus, memcached, tikv, cut_on_drop })
    }
}

/// A port of the system's choice on loopback.
const fn any_port() -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
}
