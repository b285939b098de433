//! What becomes of servers, one piece of news after the other.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use charioteer::memcached;
use futures_util::{Stream, StreamExt};
use pyo3::prelude::*;

use super::answers::{News, told};
use crate::bridge::feed::{Feed, Source};
use crate::bridge::{Line, iterator_faces, object};

/// News as they come.
struct Changes(memcached::ServerChanges);

impl Source for Changes {
    type Item = News;
    type Error = Infallible;
    type Mark = ();

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<News, Infallible>>> {
        Pin::new(&mut self.0).poll_next(cx).map(|news| news.map(|(server, change)| Ok(News(server, change))))
    }

    fn mark(&self) {}
}

/// What both kinds of news have.
#[pyclass(frozen, subclass, name = "_ServerChanges", module = "charioteer.memcached")]
pub(crate) struct ChangesBase {
    line: Line,
    feed: Feed<Changes>,
}

/// News of servers, for callers who wait.
#[pyclass(frozen, extends = ChangesBase, name = "ServerChanges", module = "charioteer.memcached")]
pub(crate) struct ServerChanges;

/// News of servers, for asyncio.
#[pyclass(frozen, extends = ChangesBase, name = "AsyncServerChanges", module = "charioteer.memcached")]
pub(crate) struct AsyncServerChanges;

/// News that begin now, which reach Python as the client does.
pub(super) fn begin<'py>(py: Python<'py>, line: &Line, client: &memcached::Client) -> PyResult<Bound<'py, PyAny>> {
    let base = ChangesBase { line: line.clone(), feed: Feed::new(line, Changes(client.server_changes())) };
    object!(py, line, base => ServerChanges | AsyncServerChanges)
}

/// Has a function called with all news from now on, until the client is closed.
pub(super) fn listen(py: Python<'_>, line: &Line, client: &memcached::Client, listener: Py<PyAny>) -> PyResult<()> {
    line.tell(py, client.server_changes().map(|(server, change)| (server, told(change))), listener)
}

#[pymethods]
impl ChangesBase {
    /// The next piece of news; `None` when the client is closed.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.feed.next(py)
    }

    fn close(&self) {
        self.feed.close();
    }
}

iterator_faces! { ChangesBase: ServerChanges, AsyncServerChanges }
