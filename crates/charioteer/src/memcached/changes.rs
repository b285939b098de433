//! News of servers, for those who would rather wait for it than be called.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::client::Client;
use super::servers::ServerChange;

/// News that waits for somebody who does not look. What comes beyond is not kept.
const KEPT: usize = 1024;

type News = (String, ServerChange);

/// The changes of a client's servers, as they come: a [`Stream`], or [`next`](Self::next) for one after the other. It ends with the
/// client.
///
/// ```
/// use charioteer::memcached::{Client, Options};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), charioteer::Error> {
/// let client = Client::new(Options::new(["127.0.0.1:11211"])?)?;
/// let mut changes = client.server_changes();
/// let watcher = tokio::spawn(async move {
///     while let Some((server, change)) = changes.next().await {
///         println!("{server}: {change:?}");
///     }
/// });
/// drop(client);
/// watcher.await.unwrap();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ServerChanges(mpsc::Receiver<News>);

impl ServerChanges {
    /// The next change: which server, as it was written in the options, and what has become of it. `None` when the client has ended.
    ///
    /// May be dropped before it is done: no change is lost.
    pub async fn next(&mut self) -> Option<(String, ServerChange)> {
        self.0.recv().await
    }
}

impl Stream for ServerChanges {
    type Item = News;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<News>> {
        self.0.poll_recv(cx)
    }
}

impl Client {
    /// Changes of servers from now on, for as many as ask; beside [`on_server_change`](Self::on_server_change), which is told too. Up to
    /// 1024 changes wait for whoever does not look; those that come after them are left out.
    #[must_use]
    pub fn server_changes(&self) -> ServerChanges {
        let changes = ServerChanges(self.servers.watchers.begin());
        if self.servers.view().is_err() {
            self.servers.watchers.end();
        }
        changes
    }
}

/// Those who wait for news.
#[derive(Debug, Default)]
pub(super) struct Watchers(Mutex<Vec<mpsc::Sender<News>>>);

impl Watchers {
    fn begin(&self) -> mpsc::Receiver<News> {
        let (tell, news) = mpsc::channel(KEPT);
        self.0.lock().push(tell);
        news
    }

    pub(super) fn tell(&self, server: &str, change: ServerChange) {
        let is_there = |told| !matches!(told, Err(TrySendError::Closed(_)));
        self.0.lock().retain(|watcher| is_there(watcher.try_send((server.to_owned(), change))));
    }

    /// There will be no more news.
    pub(super) fn end(&self) {
        self.0.lock().clear();
    }
}
