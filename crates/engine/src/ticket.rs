//! The answer to come of a write that was handed in.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use futures_channel::oneshot;

use crate::Error;

/// What a write handed in will answer: a future, or something to [`wait`](Self::wait) for.
///
/// The write goes on whether or not anybody still holds its ticket.
///
/// ```
/// use charioteer_engine::{Batch, Db};
///
/// let db = Db::memory();
/// let rows = db.keyspace("rows")?;
/// let mut batch = Batch::new();
/// batch.put(&rows, "key".into(), "value".into());
/// db.submit(batch).wait()?;
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[must_use = "whether the write succeeded is known to its ticket only"]
pub struct Ticket<T> {
    answer: Answer<T>,
}

enum Answer<T> {
    /// `None` once it was handed out.
    Ready(Option<Result<T, Error>>),
    ToCome(oneshot::Receiver<Result<T, Error>>),
}

impl<T> Ticket<T> {
    /// Waits for the answer, holding up this thread.
    ///
    /// # Errors
    /// What the write gives.
    pub fn wait(self) -> Result<T, Error> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut ticket = pin!(self);
        loop {
            match ticket.as_mut().poll(&mut context) {
                Poll::Ready(answer) => return answer,
                Poll::Pending => thread::park(),
            }
        }
    }

    /// The answer if it is there already, as it always is in memory; otherwise the ticket.
    ///
    /// ```
    /// use charioteer_engine::{Batch, Db};
    ///
    /// let ticket = Db::memory().submit(Batch::new());
    /// assert_eq!(ticket.try_take().ok(), Some(Ok(())));
    /// ```
    ///
    /// # Errors
    /// The ticket itself, which is to be waited for.
    pub fn try_take(mut self) -> Result<Result<T, Error>, Self> {
        match &mut self.answer {
            Answer::Ready(answer) => answer.take().ok_or(self),
            Answer::ToCome(_) => Err(self),
        }
    }

    pub(crate) const fn ready(answer: Result<T, Error>) -> Self {
        Self { answer: Answer::Ready(Some(answer)) }
    }

    pub(crate) const fn to_come(answer: oneshot::Receiver<Result<T, Error>>) -> Self {
        Self { answer: Answer::ToCome(answer) }
    }
}

impl<T> Unpin for Ticket<T> {}

impl<T> Future for Ticket<T> {
    type Output = Result<T, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().answer {
            Answer::Ready(answer) => answer.take().map_or(Poll::Pending, Poll::Ready),
            Answer::ToCome(answer) => {
                Pin::new(answer).poll(context).map(|answer| answer.unwrap_or(Err(Error::Abandoned)))
            }
        }
    }
}

impl<T> fmt::Debug for Ticket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}

/// Wakes the thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
