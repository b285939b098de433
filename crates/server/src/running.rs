//! Tasks that serve connections and stop together.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::listener::{self, Accept};

/// Tasks that stop together; dropping it has them stop.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) tasks: TaskTracker,
    /// All tasks, where these are a part of them.
    whole: Option<TaskTracker>,
    pub(crate) stop: CancellationToken,
    /// Cuts the connections that have not ended when the time to end them is up.
    cut: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl Running {
    pub(crate) fn new() -> Self {
        Self::with(None, CancellationToken::new(), CancellationToken::new())
    }

    /// Some of these tasks, which can also be stopped without the others.
    pub(crate) fn part(&self) -> Self {
        Self::with(Some(self.tasks.clone()), self.stop.child_token(), self.cut.child_token())
    }

    fn with(whole: Option<TaskTracker>, stop: CancellationToken, cut: CancellationToken) -> Self {
        let guard = stop.clone().drop_guard();
        Self { tasks: TaskTracker::new(), whole, stop, cut, _stop_on_drop: guard }
    }

    /// Accepts connections and has each served by a task of its own.
    pub(crate) fn serve<A: Accept, F>(
        &self,
        listener: A,
        connections: usize,
        serve: impl Fn(A::Stream, A::Peer) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let (tasks, whole, cut) = (self.tasks.clone(), self.whole.clone(), self.cut.clone());
        let counted = move || (tasks.token(), whole.as_ref().map(TaskTracker::token));
        let accepting = counted();
        let serve = move |stream, peer| {
            let (cut, counted, connection) = (cut.clone(), counted(), serve(stream, peer));
            async move {
                cut.run_until_cancelled_owned(connection).await;
                drop(counted);
            }
        };
        let run = listener::run(listener, connections, self.stop.clone(), serve);
        tokio::spawn(async move {
            run.await;
            drop(accepting);
        });
    }

    /// What cuts all connections at once.
    pub(crate) const fn cut(&self) -> &CancellationToken {
        &self.cut
    }

    /// Stops accepting, cuts all connections, and waits until the last one is closed.
    pub(crate) async fn close(self) {
        self.stop.cancel();
        self.cut.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Stops accepting, waits until the last connection has ended or the time is up, and cuts those that are left.
    pub(crate) async fn shutdown(&self, patience: Duration) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_err() {
            warn!(connections = self.tasks.len(), "stopped without waiting any longer");
            self.cut.cancel();
        }
    }
}
