//! An answer that most often is there at once.

use std::fmt;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

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

    /// An answer that is to be waited for.
    pub(crate) fn later(answer: impl Future<Output = T> + Send + 'static) -> Self {
        Self::Pending(answer.boxed())
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
