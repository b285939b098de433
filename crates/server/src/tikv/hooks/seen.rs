//! What has been seen of clients.

use charioteer_proto::tikv::rpc::Call;
use tokio::sync::watch;

/// What PD and the stores have seen of their clients so far. A command in a batch counts as a call.
///
/// ```
/// use charioteer_server::testing::TestServer;
/// use charioteer_server::testing::tikv::Call;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let server = TestServer::start().await;
/// server.tikv().until(|seen| seen.requests(Call::RawGet) == 0 && seen.connections() == 0).await;
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Seen {
    requests: Vec<u64>,
    connections: usize,
}

impl Seen {
    /// How many requests of a kind have arrived.
    #[must_use]
    pub fn requests(&self, call: Call) -> u64 {
        self.requests.get(call as usize).copied().unwrap_or_default()
    }

    /// How many connections are open.
    #[must_use]
    pub const fn connections(&self) -> usize {
        self.connections
    }
}

/// Keeps what has been seen, and wakes those who wait for it.
#[derive(Debug)]
pub(crate) struct Watch(watch::Sender<Seen>);

impl Default for Watch {
    fn default() -> Self {
        Self(watch::Sender::new(Seen { requests: vec![0; Call::ALL.len()], connections: 0 }))
    }
}

impl Watch {
    pub(crate) fn arrived(&self, call: Call) {
        self.0.send_modify(|seen| {
            if let Some(count) = seen.requests.get_mut(call as usize) {
                *count += 1;
            }
        });
    }

    /// Counts a connection for as long as what is returned lives.
    pub(crate) fn connected(&self) -> Connected<'_> {
        self.0.send_modify(|seen| seen.connections += 1);
        Connected(self)
    }

    /// What has been seen by now.
    pub(crate) fn now<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.0.borrow())
    }

    /// Waits until what has been seen is as wanted.
    pub(crate) async fn until(&self, wanted: impl FnMut(&Seen) -> bool) {
        // It fails only when there is no sender, and this is it.
        let _ = self.0.subscribe().wait_for(wanted).await;
    }
}

/// A connection that is open.
pub(crate) struct Connected<'a>(&'a Watch);

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|seen| seen.connections -= 1);
    }
}
