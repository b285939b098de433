//! A server for tests of clients: the real one, in one line inside a test, with hooks that a real cluster can't offer.
//!
//! [`TestServer::start`] serves a table `temp` of 8 partitions, memcached and TiKV from memory, on ports that the system chooses, with a
//! [clock](TestServer::clock) that a test can move. [`TestServer::builder`] makes a cluster of several meta servers and nodes, all
//! in this process. What belongs to one protocol is behind a handle of its own, such as [`Pegasus`]: there a test moves partitions,
//! stops nodes, and has requests go wrong. Faults of memcached, and what else is about it, are in [`memcached`], those of TiKV in [`tikv`].
//!
//! ```
//! use charioteer_server::testing::{Action, Call, ErrorCode, Fault, TestServer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = TestServer::builder().metas(2).nodes(3).table("visits", 4).start().await?;
//! println!("a client is to connect to {}", server.pegasus_url());
//!
//! let pegasus = server.pegasus();
//! pegasus.move_primary("visits", 0, 2)?;
//! let busy = pegasus.inject(Fault::new(Action::Answer(ErrorCode::BUSY)).on(Call::Get).times(2));
//! // … the client reads …
//! assert_eq!(busy.hits(), 0, "there is no client here");
//! # Ok(())
//! # }
//! ```

mod builder;
#[cfg(feature = "test-certificates")]
mod certificates;
mod error;
pub mod memcached;
mod pegasus;
pub mod tikv;

use charioteer_engine::Clock;
pub use charioteer_proto::pegasus::frame::RequestHeader;
pub use charioteer_proto::pegasus::rpc::Call;
pub use charioteer_proto::pegasus::special::ErrorCode;
use tokio_util::sync::DropGuard;

pub use crate::hooks::Injected;
pub use crate::pegasus::hooks::{Action, Arrival, Fault, Seen};
use crate::{Addresses, Server};
pub use builder::Builder;
#[cfg(feature = "test-certificates")]
pub use certificates::Certificates;
pub use error::Error;
pub use memcached::Memcached;
pub use pegasus::Pegasus;
pub use tikv::Tikv;

/// A server for tests of clients. Dropping it cuts all connections and stops everything.
///
/// ```
/// use std::time::Duration;
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let server = TestServer::start().await;
/// assert!(server.pegasus_url().starts_with("pegasus://127.0.0.1:"));
/// server.clock().advance(Duration::from_secs(3600));
/// # }
/// ```
#[derive(Debug)]
pub struct TestServer {
    server: Server,
    clock: Clock,
    pegasus: Pegasus,
    memcached: Memcached,
    tikv: Tikv,
    cut_on_drop: DropGuard,
}

impl TestServer {
    /// A server on one port, with a table `temp` of 8 partitions in memory.
    ///
    /// # Panics
    /// When it can't start; [`Builder::start`] says why.
    pub async fn start() -> Self {
        Builder::default().start().await.expect("a server for tests starts")
    }

    /// What else it can be.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where Pegasus' clients find it: all meta servers, the one that leads first.
    #[must_use]
    pub fn pegasus_url(&self) -> String {
        let mut metas = self.server.addresses().pegasus_metas.clone();
        let leading = self.pegasus.leader().unwrap_or_default();
        if let Some(up_to_leader) = metas.get_mut(..=leading) {
            up_to_leader.rotate_right(1);
        }
        let metas: Vec<_> = metas.iter().map(ToString::to_string).collect();
        format!("pegasus://{}", metas.join(","))
    }

    /// Where memcached's clients find it: all of its addresses, which are one server.
    #[must_use]
    pub fn memcached_url(&self) -> String {
        let addresses: Vec<_> = self.server.addresses().memcached.iter().map(ToString::to_string).collect();
        format!("memcached://{}", addresses.join(","))
    }

    /// Where memcached's clients find it over TLS, if it is served so: all of its addresses, which are one server.
    #[must_use]
    pub fn memcached_tls_url(&self) -> Option<String> {
        let addresses: Vec<_> = self.server.addresses().memcached_tls.iter().map(ToString::to_string).collect();
        (!addresses.is_empty()).then(|| format!("memcacheds://{}", addresses.join(",")))
    }

    /// Where TiKV's clients find it: PD.
    #[must_use]
    pub fn tikv_url(&self) -> String {
        self.server.addresses().tikv_pd.map(|address| format!("tikv://{address}")).unwrap_or_default()
    }

    /// Where it listens.
    #[must_use]
    pub const fn addresses(&self) -> &Addresses {
        self.server.addresses()
    }

    /// The time by which rows and items expire: the system's, unless another was given. A test can move it forward.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What a test can do to Pegasus.
    #[must_use]
    pub fn pegasus(&self) -> Pegasus {
        self.pegasus.clone()
    }

    /// What a test can do to memcached.
    #[must_use]
    pub fn memcached(&self) -> Memcached {
        self.memcached.clone()
    }

    /// What a test can do to TiKV.
    #[must_use]
    pub fn tikv(&self) -> Tikv {
        self.tikv.clone()
    }

    /// Stops as [`Server::shutdown`] does, which waits a while for requests that faults hold. A folder can be opened again afterwards.
    pub async fn shutdown(self) {
        let Self { server, cut_on_drop, .. } = self;
        server.shutdown().await;
        drop(cut_on_drop);
    }
}
