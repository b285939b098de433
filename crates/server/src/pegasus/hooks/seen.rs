//! What has been seen of clients.

use std::collections::VecDeque;

use charioteer_proto::pegasus::frame::{Request, RequestHeader};
use charioteer_proto::pegasus::rpc::Call;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::pegasus::Endpoint;

/// How many requests are remembered.
const REMEMBERED: usize = 10_000;

const CALLS: usize = Call::ALL.len();

/// What a server has seen of its clients so far.
///
/// ```
/// use charioteer_server::testing::{Call, TestServer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let server = TestServer::start().await;
/// server.pegasus().until(|seen| seen.requests(Call::Get) == 0 && seen.connections() == 0).await;
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Seen {
    requests: [u64; CALLS],
    handled: [u64; CALLS],
    connections: usize,
}

impl Seen {
    /// How many requests of a call have arrived.
    #[must_use]
    pub fn requests(&self, call: Call) -> u64 {
        self.requests.get(call as usize).copied().unwrap_or_default()
    }

    /// How many requests of a call are done with: answered, or left without an answer.
    #[must_use]
    pub fn handled(&self, call: Call) -> u64 {
        self.handled.get(call as usize).copied().unwrap_or_default()
    }

    /// How many connections are open.
    #[must_use]
    pub const fn connections(&self) -> usize {
        self.connections
    }
}

/// One request as it arrived.
///
/// ```no_run
/// # async fn example() {
/// use charioteer_server::testing::{Call, TestServer};
///
/// let server = TestServer::start().await;
/// // … a client reads with a timeout of a second …
/// let get = server.pegasus().last_request(Call::Get).unwrap();
/// assert_eq!(get.header.client_timeout_ms, 1000);
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrival {
    /// What was called.
    pub call: Call,
    /// Which meta server's port it came to, if one's.
    pub meta: Option<usize>,
    /// Which node's port it came to, if one's.
    pub node: Option<usize>,
    /// Table, partition, hash, timeout, and whether a secondary may answer.
    pub header: RequestHeader,
    /// How long the message behind the header was.
    pub body_bytes: usize,
}

/// Keeps what has been seen, and wakes those who wait for it.
#[derive(Debug)]
pub(crate) struct Watch {
    seen: watch::Sender<Seen>,
    arrivals: Mutex<VecDeque<Arrival>>,
}

impl Default for Watch {
    fn default() -> Self {
        let seen = Seen { requests: [0; CALLS], handled: [0; CALLS], connections: 0 };
        Self { seen: watch::Sender::new(seen), arrivals: Mutex::default() }
    }
}

impl Watch {
    pub(super) fn arrived(&self, call: Call, endpoint: &Endpoint, request: &Request) {
        let (header, body_bytes) = (request.header, request.body_bytes);
        let arrival = Arrival { call, meta: endpoint.meta, node: endpoint.node, header, body_bytes };
        let mut arrivals = self.arrivals.lock();
        if arrivals.len() == REMEMBERED {
            arrivals.pop_front();
        }
        arrivals.push_back(arrival);
        // Under the lock, so that the requests that are remembered are those that are counted.
        self.count(|seen| &mut seen.requests, call);
    }

    pub(super) fn handled(&self, call: Call) {
        self.count(|seen| &mut seen.handled, call);
    }

    fn count(&self, counts: impl FnOnce(&mut Seen) -> &mut [u64; CALLS], call: Call) {
        self.seen.send_modify(|seen| {
            if let Some(count) = counts(seen).get_mut(call as usize) {
                *count += 1;
            }
        });
    }

    /// Counts a connection for as long as what is returned lives.
    pub(crate) fn connected(&self) -> Connected<'_> {
        self.seen.send_modify(|seen| seen.connections += 1);
        Connected(self)
    }

    /// What has been seen by now.
    pub(crate) fn now<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.borrow())
    }

    /// Waits until what has been seen is as wanted.
    pub(crate) async fn until(&self, wanted: impl FnMut(&Seen) -> bool) {
        // It fails only when there is no sender, and this is it.
        let _ = self.seen.subscribe().wait_for(wanted).await;
    }

    /// The last requests, the oldest first.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.lock().iter().cloned().collect()
    }

    /// The last request of a call, if it is remembered.
    pub(crate) fn last(&self, call: Call) -> Option<Arrival> {
        self.arrivals.lock().iter().rfind(|arrival| arrival.call == call).cloned()
    }
}

/// A connection that is open.
pub(crate) struct Connected<'a>(&'a Watch);

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        self.0.seen.send_modify(|seen| seen.connections -= 1);
    }
}
