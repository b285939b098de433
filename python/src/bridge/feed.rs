//! What gives one thing after the other: scans, pages.
//!
//! What is there already is taken at once, on the caller's thread. What must be waited for is left in a place of its own until Python
//! has it in hand, so that nothing is lost with a caller who has gone away meanwhile.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use pyo3::exceptions::{PyRuntimeError, PyStopAsyncIteration, PyStopIteration};
use pyo3::prelude::*;
use tokio::sync::Mutex;

use super::{Answer, Line, Own, Raise};

/// What gives one thing after the other.
pub(crate) trait Source: Send + 'static {
    type Item: Answer;
    type Error: Raise;
    /// Where it is, so that another can go on from there.
    type Mark: Send + 'static;

    /// The next one, or `None` at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Self::Item, Self::Error>>>;

    /// Where it is.
    fn mark(&self) -> Self::Mark;
}

type Next<S> = Option<Result<<S as Source>::Item, <S as Source>::Error>>;

/// A source, and how Python gets at what it gives.
pub(crate) struct Feed<S: Source> {
    line: Line,
    shared: Own<Arc<Mutex<State<S>>>>,
}

struct State<S: Source> {
    /// None when it was closed.
    source: Option<S>,
    /// What has been waited for and nobody has taken, and where the source was before it.
    waited_for: Option<(Next<S>, S::Mark)>,
}

impl<S: Source> State<S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Next<S>> {
        match &mut self.source {
            Some(source) => source.poll_next(cx),
            None => Poll::Ready(None),
        }
    }
}

impl<S: Source> Feed<S> {
    pub(crate) fn new(line: &Line, source: S) -> Self {
        let state = State { source: Some(source), waited_for: None };
        Self { line: line.clone(), shared: Own::new(Arc::new(Mutex::new(state))) }
    }

    /// The next one, or `None` at the end: as it is, or to be awaited.
    pub(crate) fn next<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.step(py, AtTheEnd::None)
    }

    /// What `__next__` and `__anext__` give.
    pub(crate) fn iterate<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.step(py, if self.line.is_async() { AtTheEnd::StopAsyncIteration } else { AtTheEnd::StopIteration })
    }

    fn step<'py>(&self, py: Python<'py>, at_the_end: AtTheEnd) -> PyResult<Bound<'py, PyAny>> {
        let shared = self.shared.get()?;
        loop {
            if let Some(next) = self.at_hand(shared) {
                return match given(py, next, at_the_end) {
                    Ok(item) => self.line.ready(item),
                    // Whoever awaits it expects to be told then.
                    Err(error) if self.line.is_async() => self.line.carry(py, std::future::ready(Err::<(), _>(error))),
                    Err(error) => Err(error),
                };
            }
            let is_taken_here = !self.line.is_async();
            let arrival = Arrival { shared: Arc::clone(shared), at_the_end, is_taken_here };
            let waited = self.line.carry(py, async move {
                arrival.wait().await;
                Ok::<_, Infallible>(arrival)
            })?;
            if self.line.is_async() {
                return Ok(waited);
            }
            // Another thread may have taken it.
        }
    }

    /// What need not be waited for.
    fn at_hand(&self, shared: &Mutex<State<S>>) -> Option<Next<S>> {
        let mut state = shared.try_lock().ok()?;
        if let Some((next, _)) = state.waited_for.take() {
            return Some(next);
        }
        let _entered = self.line.enter();
        match state.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(next) => Some(next),
            Poll::Pending => None,
        }
    }

    /// Where it is: behind what Python has taken.
    pub(crate) fn mark(&self) -> PyResult<Option<S::Mark>>
    where
        S::Mark: Clone,
    {
        let state = self.shared.get()?.try_lock().map_err(|_| waited_for_elsewhere())?;
        Ok(match &state.waited_for {
            Some((_, mark)) => Some(mark.clone()),
            None => state.source.as_ref().map(Source::mark),
        })
    }

    /// Takes the source away, for what it can do only once; it is at its end then.
    pub(crate) fn take(&self) -> PyResult<Option<S>> {
        let mut state = self.shared.get()?.try_lock().map_err(|_| waited_for_elsewhere())?;
        state.waited_for = None;
        Ok(state.source.take())
    }

    /// Ends it. One that is waited for ends when that has come.
    pub(crate) fn close(&self) -> PyResult<()> {
        let shared = Arc::clone(self.shared.get()?);
        let _entered = self.line.enter();
        if let Ok(mut state) = shared.try_lock() {
            (state.source, state.waited_for) = (None, None);
        }
        Ok(())
    }
}

impl<S: Source> Drop for Feed<S> {
    fn drop(&mut self) {
        // Not in a child of the process that made it.
        let _ = self.close();
    }
}

fn waited_for_elsewhere() -> PyErr {
    PyRuntimeError::new_err("it is waited for elsewhere")
}

/// What Python is told at the end.
#[derive(Clone, Copy)]
enum AtTheEnd {
    None,
    StopIteration,
    StopAsyncIteration,
}

fn given<T: Answer, E: Raise>(
    py: Python<'_>,
    next: Option<Result<T, E>>,
    at_the_end: AtTheEnd,
) -> PyResult<Bound<'_, PyAny>> {
    match (next, at_the_end) {
        (Some(Ok(item)), _) => item.into_python(py),
        (Some(Err(error)), _) => Err(error.into_error(py)),
        (None, AtTheEnd::None) => Ok(py.None().into_bound(py)),
        (None, AtTheEnd::StopIteration) => Err(PyStopIteration::new_err(())),
        (None, AtTheEnd::StopAsyncIteration) => Err(PyStopAsyncIteration::new_err(())),
    }
}

/// The news that something has come; it is taken by whoever gets to see the news.
struct Arrival<S: Source> {
    shared: Arc<Mutex<State<S>>>,
    at_the_end: AtTheEnd,
    /// Whether whoever has waited takes it himself.
    is_taken_here: bool,
}

impl<S: Source> Arrival<S> {
    async fn wait(&self) {
        let mut state = self.shared.lock().await;
        if state.waited_for.is_none() {
            let before = state.source.as_ref().map(Source::mark);
            let next = poll_fn(|cx| state.poll(cx)).await;
            state.waited_for = before.map(|before| (next, before));
        }
    }
}

impl<S: Source> Answer for Arrival<S> {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        if self.is_taken_here {
            return ().into_python(py);
        }
        let mut state = self.shared.try_lock().map_err(|_| waited_for_elsewhere())?;
        match state.waited_for.take() {
            Some((next, _)) => given(py, next, self.at_the_end),
            None if state.source.is_none() => given::<S::Item, S::Error>(py, None, self.at_the_end),
            None => Err(waited_for_elsewhere()),
        }
    }
}
