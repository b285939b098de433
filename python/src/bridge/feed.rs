//! What gives one thing after the other: scans, pages.
//!
//! What is there already is taken at once, on the caller's thread. What must be waited for is left in a place of its own until Python
//! has it in hand, so that nothing is lost with a caller who has gone away meanwhile.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use pyo3::exceptions::{PyRuntimeError, PyStopAsyncIteration, PyStopIteration};
use pyo3::prelude::*;
use tokio::sync::futures::Notified;
use tokio::sync::{Mutex, Notify};

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

/// What a source has given: `None` at its end.
pub(crate) type Next<S> = Option<Result<<S as Source>::Item, <S as Source>::Error>>;

/// A source, and how Python gets at what it gives.
pub(crate) struct Feed<S: Source> {
    line: Line,
    shared: Own<Arc<Shared<S>>>,
}

struct Shared<S: Source> {
    state: Mutex<State<S>>,
    is_closed: AtomicBool,
    /// Ends the waits of those who are at it when it is closed.
    closing: Notify,
}

impl<S: Source> Shared<S> {
    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.closing.notify_waiters();
        // Where it is waited for, whoever does so lets go of the source.
        if let Ok(mut state) = self.state.try_lock() {
            state.clear();
        }
    }
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

    fn clear(&mut self) {
        (self.source, self.waited_for) = (None, None);
    }
}

/// A source that was taken away, and what it has given that nobody has had.
pub(crate) struct Taken<S: Source> {
    pub(crate) waited_for: Option<Next<S>>,
    pub(crate) source: Option<S>,
}

impl<S: Source> Feed<S> {
    pub(crate) fn new(line: &Line, source: S) -> Self {
        let state = Mutex::new(State { source: Some(source), waited_for: None });
        let shared = Shared { state, is_closed: AtomicBool::new(false), closing: Notify::new() };
        Self { line: line.clone(), shared: Own::new(Arc::new(shared)) }
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
                    // What `next` gives may be used in all ways that futures may.
                    Ok(item) if at_the_end == AtTheEnd::None => self.line.finished(item),
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
    fn at_hand(&self, shared: &Shared<S>) -> Option<Next<S>> {
        if shared.is_closed() {
            return Some(None);
        }
        let mut state = shared.state.try_lock().ok()?;
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
        let state = self.shared.get()?.state.try_lock().map_err(|_| waited_for_elsewhere())?;
        Ok(match &state.waited_for {
            Some((_, mark)) => Some(mark.clone()),
            None => state.source.as_ref().map(Source::mark),
        })
    }

    /// Takes the source away, for what it can do only once; it is at its end then.
    pub(crate) fn take(&self) -> PyResult<Taken<S>> {
        let mut state = self.shared.get()?.state.try_lock().map_err(|_| waited_for_elsewhere())?;
        Ok(Taken { waited_for: state.waited_for.take().map(|(next, _)| next), source: state.source.take() })
    }

    /// Ends it, also for those who wait. In a child of the process that made it there is nothing to end.
    pub(crate) fn close(&self) {
        if let Some(shared) = self.shared.unless_forked() {
            let _entered = self.line.enter();
            shared.close();
        }
    }
}

impl<S: Source> Drop for Feed<S> {
    fn drop(&mut self) {
        self.close();
    }
}

fn waited_for_elsewhere() -> PyErr {
    PyRuntimeError::new_err("it is waited for elsewhere")
}

/// What Python is told at the end.
#[derive(Clone, Copy, PartialEq)]
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
    shared: Arc<Shared<S>>,
    at_the_end: AtTheEnd,
    /// Whether whoever has waited takes it himself.
    is_taken_here: bool,
}

impl<S: Source> Arrival<S> {
    async fn wait(&self) {
        // It hears of a closing from here on, so that none falls between the look and the wait.
        let closing = pin!(self.shared.closing.notified());
        let mut state = self.shared.state.lock().await;
        if !self.shared.is_closed() && state.waited_for.is_none() {
            state.fetch(closing).await;
        }
        if self.shared.is_closed() {
            state.clear();
        }
    }
}

impl<S: Source> State<S> {
    /// Waits for the next one, unless it is closed meanwhile.
    async fn fetch(&mut self, mut closing: Pin<&mut Notified<'_>>) {
        let before = self.source.as_ref().map(Source::mark);
        let next = poll_fn(|cx| match closing.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => self.poll(cx).map(Some),
        });
        let next = next.await;
        self.waited_for = next.zip(before);
    }
}

impl<S: Source> Answer for Arrival<S> {
    const TAKES: bool = true;

    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        if self.is_taken_here {
            return ().into_python(py);
        }
        if self.shared.is_closed() {
            return given::<S::Item, S::Error>(py, None, self.at_the_end);
        }
        let mut state = self.shared.state.try_lock().map_err(|_| waited_for_elsewhere())?;
        match state.waited_for.take() {
            Some((next, _)) => given(py, next, self.at_the_end),
            None if state.source.is_none() => given::<S::Item, S::Error>(py, None, self.at_the_end),
            None => Err(waited_for_elsewhere()),
        }
    }
}
