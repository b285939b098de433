//! Something that is made when it is first needed, once for all who wait, and made anew when it has ended.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::failure::{closed, timed_out};
use crate::error::Failure;

/// How long a failure is told to those who come after, before it is tried again: the first one, and the longest after further ones.
const REST: Duration = Duration::from_millis(20);
const LONGEST_REST: Duration = Duration::from_millis(500);

/// What is made anew when it has ended.
pub(crate) trait Renewable: Clone + Send + Sync + 'static {
    /// Whether it can still be used, as far as is known.
    fn is_alive(&self) -> bool;

    /// Ends it: the client was closed.
    fn close(&self);
}

/// Something of which there is one at a time.
pub(crate) struct Renewed<T> {
    state: Mutex<State<T>>,
    /// How long making it may take.
    patience: Duration,
}

enum State<T> {
    Idle,
    Making { begun: Instant, failures: u32, made: watch::Receiver<()> },
    There(T),
    Failed { at: Instant, failures: u32, failure: Failure },
    Closed,
}

impl<T: Renewable> Renewed<T> {
    /// None so far. Making it takes no longer than that.
    pub(crate) fn new(patience: Duration) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::Idle), patience })
    }

    /// The one that there is, if it is there.
    pub(crate) fn there(&self) -> Option<T> {
        match &*self.state.lock() {
            State::There(it) if it.is_alive() => Some(it.clone()),
            _ => None,
        }
    }

    /// The one that there is, or that is made now. Making goes on when nobody waits for it any more.
    pub(crate) async fn get<F>(self: &Arc<Self>, deadline: Instant, make: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        loop {
            let mut made = match self.look(&make)? {
                Ok(it) => return Ok(it),
                Err(made) => made,
            };
            // An error means that the maker has finished, which is what is waited for.
            if tokio::time::timeout_at(deadline, made.changed()).await.is_err() {
                return Err(timed_out("there was no connection", false));
            }
        }
    }

    /// The one that there is, or the making to wait for, which begins here if need be.
    fn look<F>(self: &Arc<Self>, make: &impl Fn() -> F) -> Result<Result<T, watch::Receiver<()>>, Failure>
    where
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let mut state = self.state.lock();
        let failures = match &*state {
            State::There(it) if it.is_alive() => return Ok(Ok(it.clone())),
            State::Making { begun, made, .. } if made.has_changed().is_ok() && !self.is_overdue(*begun) => {
                return Ok(Err(made.clone()));
            }
            State::Failed { at, failures, failure } if at.elapsed() < rest_after(*failures) => {
                return Err(failure.clone());
            }
            State::Closed => return Err(closed()),
            State::Failed { failures, .. } | State::Making { failures, .. } => *failures,
            State::Idle | State::There(_) => 0,
        };
        let begun = Instant::now();
        let (done, made) = watch::channel(());
        *state = State::Making { begun, failures, made: made.clone() };
        tokio::spawn(Arc::clone(self).make(make(), begun, done));
        Ok(Err(made))
    }

    /// Whether something must have been made long ago: its runtime stands still.
    fn is_overdue(&self, begun: Instant) -> bool {
        begun.elapsed() > self.patience.saturating_mul(2)
    }

    async fn make<F>(self: Arc<Self>, making: F, begun: Instant, done: watch::Sender<()>)
    where
        F: Future<Output = Result<T, Failure>> + Send,
    {
        let made = tokio::time::timeout(self.patience, making).await;
        let made = made.unwrap_or_else(|_| {
            let message = format!("no connection within {:?}", self.patience);
            Err(super::failure::unreachable(message))
        });
        let mut state = self.state.lock();
        match &*state {
            State::Making { begun: latest, failures, .. } if *latest == begun => {
                let failures = failures.saturating_add(1);
                *state = match made {
                    // Whoever waits for one that is over already would have the next one made at once, and so on.
                    Ok(it) if !it.is_alive() => {
                        let failure = super::failure::unreachable("the connection was closed as soon as it was open");
                        State::Failed { at: Instant::now(), failures, failure }
                    }
                    Ok(it) => State::There(it),
                    Err(failure) => State::Failed { at: Instant::now(), failures, failure },
                };
            }
            // Closed meanwhile, or made by somebody else.
            _ => made.iter().for_each(T::close),
        }
        // Those who wait look again only now, when there is something to see.
        drop(done);
    }

    /// Ends it, for good.
    pub(crate) fn close(&self) {
        if let State::There(it) = std::mem::replace(&mut *self.state.lock(), State::Closed) {
            it.close();
        }
    }
}

fn rest_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(10);
    REST.saturating_mul(1 << doublings).min(LONGEST_REST)
}
