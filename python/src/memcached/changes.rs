//! What becomes of servers, one piece of news after the other.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use charioteer::memcached;
use futures_util::Stream;
use pyo3::prelude::*;

use super::answers::{News, told};
use crate::bridge::feed::{Feed, Source};
use crate::bridge::{Line, is_closed, object};

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
    let base = ChangesBase { feed: Feed::new(line, Changes(client.server_changes())) };
    object!(py, line, base => ServerChanges | AsyncServerChanges)
}

/// Has a function called with all news from now on: on a thread of its own, or by the loop that runs now.
pub(super) fn listen(py: Python<'_>, line: &Line, client: &memcached::Client, listener: Py<PyAny>) -> PyResult<()> {
    let (tell, by_loop) = if line.is_async() {
        let running = py.import("asyncio")?.call_method0("get_running_loop")?;
        let call_soon = running.getattr("call_soon_threadsafe")?;
        let tell = py.import("functools")?.call_method1("partial", (call_soon, listener))?.unbind();
        (tell, Some(running.unbind()))
    } else {
        (listener, None)
    };
    let mut changes = client.server_changes();
    let waiting = tokio::runtime::Builder::new_current_thread().build();
    let listening = waiting.and_then(|runtime| {
        std::thread::Builder::new().name("charioteer-news".to_owned()).spawn(move || {
            while let Some((server, change)) = runtime.block_on(changes.next()) {
                // None when Python is about to end.
                let goes_on = Python::try_attach(|py| {
                    // Nobody hears of anything any more.
                    if by_loop.as_ref().is_some_and(|by_loop| is_closed(by_loop.bind(py))) {
                        return false;
                    }
                    if let Err(error) = tell.call1(py, (server, told(change))) {
                        error.write_unraisable(py, Some(tell.bind(py)));
                    }
                    true
                });
                if goes_on != Some(true) {
                    return;
                }
            }
        })
    });
    listening.map(drop).map_err(PyErr::from)
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

#[pymethods]
impl ServerChanges {
    fn __iter__(this: Bound<'_, Self>) -> Bound<'_, Self> {
        this
    }

    fn __next__<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        this.as_super().get().feed.iterate(this.py())
    }
}

#[pymethods]
impl AsyncServerChanges {
    fn __aiter__(this: Bound<'_, Self>) -> Bound<'_, Self> {
        this
    }

    fn __anext__<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        this.as_super().get().feed.iterate(this.py())
    }
}
