//! How the answers to a handle's calls reach Python.

use std::future::Future;

use futures_util::{Stream, StreamExt};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::post::{Mailbox, Post};
use super::wait::Driver;
use super::{Answer, Raise};

/// How the answers to a handle's calls reach Python: a handle that is made by another has the same.
#[derive(Clone)]
pub(crate) enum Line {
    /// The caller waits.
    Wait(&'static Driver),
    /// The caller gets something to wait for.
    Post(Post),
}

impl Line {
    /// For sync classes.
    pub(crate) fn wait() -> PyResult<Self> {
        Ok(Self::Wait(Driver::of_this_process()?))
    }

    /// For asyncio classes; with a mailbox, answers go there, whatever loop is running.
    pub(crate) fn post(mailbox: Option<&Bound<'_, Mailbox>>) -> PyResult<Self> {
        Ok(Self::Post(Post::new(mailbox)?))
    }

    /// Whether callers are not to wait.
    pub(crate) fn is_async(&self) -> bool {
        matches!(self, Self::Post(_))
    }

    /// Carries a call out: gives its answer, or what can be awaited for it.
    pub(crate) fn carry<'py, T: Answer, E: Raise>(
        &self,
        py: Python<'py>,
        call: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Wait(driver) => match driver.wait(py, call)? {
                Ok(answer) => answer.into_python(py),
                Err(error) => Err(error.into_error(py)),
            },
            Self::Post(post) => post.send(py, call),
        }
    }

    /// Has a function called with what comes, for as long as anything does: on a thread of its own, or by the loop that runs now.
    pub(crate) fn tell<T: Answer>(
        &self,
        py: Python<'_>,
        news: impl Stream<Item = T> + Send + Unpin + 'static,
        listener: Py<PyAny>,
    ) -> PyResult<()> {
        match self {
            Self::Wait(_) => tell_on_a_thread(news, listener),
            Self::Post(post) => post.tell(py, news, listener),
        }
    }

    /// What is there already, where all that is done with it is that it is awaited.
    pub(crate) fn ready<'py>(&self, answer: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Wait(_) => Ok(answer),
            Self::Post(_) => super::Ready::awaitable(answer),
        }
    }

    /// What is there already, as [`carry`](Self::carry) gives it in all respects: a future of asyncio's that has come.
    pub(crate) fn finished<'py>(&self, answer: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Wait(_) => Ok(answer),
            Self::Post(post) => post.finished(answer),
        }
    }

    /// Enters the runtime on which this line's calls run, for what must be made there.
    pub(crate) fn enter(&self) -> tokio::runtime::EnterGuard<'_> {
        match self {
            Self::Wait(driver) => driver.enter(),
            Self::Post(post) => post.enter(),
        }
    }
}

/// The thread ends with the news.
fn tell_on_a_thread<T: Answer>(
    mut news: impl Stream<Item = T> + Send + Unpin + 'static,
    listener: Py<PyAny>,
) -> PyResult<()> {
    let waiting = tokio::runtime::Builder::new_current_thread().build()?;
    let told = move |py: Python<'_>, news: T| {
        let told = news.into_python(py).and_then(|news| listener.bind(py).call1(news.cast_into::<PyTuple>()?));
        if let Err(error) = told {
            error.write_unraisable(py, Some(listener.bind(py)));
        }
    };
    let listening = std::thread::Builder::new().name("charioteer-news".to_owned());
    listening.spawn(move || {
        while let Some(news) = waiting.block_on(news.next()) {
            // None when Python is about to end.
            if Python::try_attach(|py| told(py, news)).is_none() {
                return;
            }
        }
    })?;
    Ok(())
}

/// An object of the sync class or of the asyncio one, as its line has it: `object!(py, line, base => Table | AsyncTable)`.
macro_rules! object {
    ($py:expr, $line:expr, $base:expr => $sync:ident | $async:ident) => {{
        let (line, base) = (&$line, pyo3::PyClassInitializer::from($base));
        if line.is_async() {
            Bound::new($py, base.add_subclass($async)).map(Bound::into_any)
        } else {
            Bound::new($py, base.add_subclass($sync)).map(Bound::into_any)
        }
    }};
}
pub(crate) use object;
