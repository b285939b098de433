//! What a test can do to memcached.

use std::fmt;
use std::sync::{Arc, Weak};

use super::{Error, Injected};
use crate::Server;
pub use crate::memcached::Call;
use crate::memcached::Served;
use crate::memcached::hooks::Hooks;
pub use crate::memcached::hooks::{Action, Failure, Fault, Seen};

/// What a test can do to memcached; clones do it to the same.
///
/// ```
/// use charioteer_server::testing::TestServer;
/// use charioteer_server::testing::memcached::{Action, Call, Fault};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = TestServer::start().await;
/// let memcached = server.memcached();
/// let lost = memcached.inject(Fault::new(Action::DropReply).on(Call::Store).times(1));
/// // … a client stores, and is not answered …
/// memcached.stop().await?;
/// memcached.start().await?;
/// assert_eq!(lost.hits(), 0, "there is no client here");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Memcached {
    hooks: Arc<Hooks>,
    /// Weak, so that a server that has stopped lets go of its items.
    served: Weak<Served>,
}

impl Memcached {
    pub(super) fn new(hooks: Arc<Hooks>, server: &Server) -> Self {
        Self { hooks, served: server.memcached().map(Arc::downgrade).unwrap_or_default() }
    }

    /// Stops it: its ports are closed, with all connections to them. Items stay as they are. A Unix socket is left as it is.
    ///
    /// # Errors
    /// When the whole server has stopped, or serves no memcached.
    pub async fn stop(&self) -> Result<(), Error> {
        for port in &self.served()?.ports {
            port.close().await;
        }
        Ok(())
    }

    /// Starts it again, on the same ports.
    ///
    /// # Errors
    /// When a port can't be listened on, or the whole server has stopped.
    pub async fn start(&self) -> Result<(), Error> {
        for port in &self.served()?.ports {
            port.reopen().await.map_err(Error::Listen)?;
        }
        Ok(())
    }

    /// Forgets all items, as a memcached has that is started anew.
    ///
    /// # Errors
    /// When the whole server has stopped, or serves no memcached.
    pub async fn forget(&self) -> Result<(), Error> {
        self.served()?.service.forget().await;
        Ok(())
    }

    /// Closes all connections that are open now, whatever is under way on them. Others may be made at once.
    pub fn close_connections(&self) {
        self.hooks.close_connections();
    }

    /// Has a fault take effect, for as long as what is returned lives.
    pub fn inject(&self, fault: Fault) -> Injected {
        self.hooks.faults.inject(fault)
    }

    /// How many requests of a kind have arrived.
    #[must_use]
    pub fn requests(&self, call: Call) -> u64 {
        self.hooks.seen.now(|seen| seen.requests(call))
    }

    /// How many connections are open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.hooks.seen.now(Seen::connections)
    }

    /// Waits until so many requests of a kind have arrived.
    pub async fn arrived(&self, call: Call, count: u64) {
        self.until(|seen| seen.requests(call) >= count).await;
    }

    /// Waits until what has been seen is as wanted.
    pub async fn until(&self, wanted: impl FnMut(&Seen) -> bool) {
        self.hooks.seen.until(wanted).await;
    }

    fn served(&self) -> Result<Arc<Served>, Error> {
        self.served.upgrade().ok_or(Error::Stopped)
    }
}

impl fmt::Debug for Memcached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memcached").field("hooks", &self.hooks).finish_non_exhaustive()
    }
}
