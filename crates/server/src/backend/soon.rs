//! An answer that most often is there at once.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

/// An answer that is there, or comes. What is read and written in memory is answered at once, and costs no future.
///
/// ```
/// use charioteer_server::backend::Soon;
///
/// let soon = Soon::Ready(20).map(|answer| answer + 1);
/// assert!(matches!(soon, Soon::Ready(21)));
/// ```
pub enum Soon<T> {
    /// It is here.
    Ready(T),
    /// It has to be waited for. Dropping the future does not undo what was begun.
    Pending(BoxFuture<'static, T>),
}

impl<T: Send + 'static> Soon<T> {
    /// What is made of the answer.
    pub fn map<U: Send + 'static>(self, then: impl FnOnce(T) -> U + Send + 'static) -> Soon<U> {
        match self {
            Self::Ready(answer) => Soon::Ready(then(answer)),
            Self::Pending(answer) => Soon::Pending(answer.map(then).boxed()),
        }
    }

    /// The answer, once it is there.
    pub async fn wait(self) -> T {
        match self {
            Self::Ready(answer) => answer,
            Self::Pending(answer) => answer.await,
        }
    }

    /// What is made of the answer, also if whoever waits for it leaves: then a task does it.
    pub(crate) fn map_to_the_end<U: Send + 'static>(self, then: impl FnOnce(T) -> U + Send + 'static) -> Soon<U> {
        match self.map(then) {
            Soon::Ready(answer) => Soon::Ready(answer),
            Soon::Pending(answer) => Soon::Pending(ToTheEnd::new(answer).boxed()),
        }
    }

    /// An answer that is to be waited for.
    pub(crate) fn later(answer: impl Future<Output = T> + Send + 'static) -> Self {
        Self::Pending(answer.boxed())
    }
}

/// Is waited for to the end: by whoever has it or, when it is dropped, by a task.
struct ToTheEnd<T: Send + 'static> {
    answer: Option<BoxFuture<'static, T>>,
    /// Without a runtime everybody is leaving.
    runtime: Option<Handle>,
}

impl<T: Send + 'static> ToTheEnd<T> {
    fn new(answer: BoxFuture<'static, T>) -> Self {
        Self { answer: Some(answer), runtime: Handle::try_current().ok() }
    }
}

impl<T: Send + 'static> Future for ToTheEnd<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Some(waiting) = &mut self.answer else { return Poll::Pending };
        let answer = ready!(waiting.poll_unpin(context));
        self.answer = None;
        Poll::Ready(answer)
    }
}

impl<T: Send + 'static> Drop for ToTheEnd<T> {
    fn drop(&mut self) {
        if let (Some(answer), Some(runtime)) = (self.answer.take(), &self.runtime) {
            runtime.spawn(answer.map(drop));
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Soon<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(answer) => f.debug_tuple("Ready").field(answer).finish(),
            Self::Pending(_) => f.debug_tuple("Pending").finish_non_exhaustive(),
        }
    }
}
