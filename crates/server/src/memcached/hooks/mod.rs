//! Where a test of clients has its say: what goes wrong on purpose, and what has been seen.
//!
//! Handlers know nothing of it. A session asks `Faults` before it has a request answered, and again before the reply goes out.

mod answer;
mod asked;
mod fault;
mod seen;

use std::future::Future;
use std::io;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::connection::Ended;
use crate::hooks::Faults;
pub use fault::{Action, Failure, Fault};
pub use seen::Seen;
use seen::Watch;

/// Everything in which a test has its say.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    pub(crate) faults: Arc<Faults<Fault>>,
    pub(crate) seen: Watch,
    /// Tells all connections to close.
    closing: Notify,
}

impl Hooks {
    /// Closes all connections that are open, whatever is under way on them.
    pub(crate) fn close_connections(&self) {
        self.closing.notify_waiters();
    }

    /// Serves a connection until it ends, or all are closed.
    pub(super) async fn until_closed(&self, serving: impl Future<Output = io::Result<Ended>>) -> io::Result<Ended> {
        let _connected = self.seen.connected();
        tokio::select! {
            biased;
            () = self.closing.notified() => Ok(Ended::Cut),
            ended = serving => ended,
        }
    }
}
