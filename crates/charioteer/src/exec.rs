//! The one place that routes, tries, waits, tries again, and gives up.
//!
//! A client turns a call into an operation, a value that knows its keys, and a backend says where operations go, carries out one
//! attempt, and learns from its failure. Everything between is here and the same for all clients: routing anew at every attempt, one
//! deadline for all of them, waits by cause, what may be tried again at all, and what became of the data when nothing more is tried.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::time::{Instant, Sleep};
use tracing::{Instrument, Span, debug, field};

use crate::backoff::Waits;
use crate::error::{Error, ErrorKind, Failure, Outcome};
use crate::net::{Progress, ROUND};
use crate::stats::OperationStats;

/// What a client is asked to do.
pub(crate) trait Operation: Sync {
    /// Its name in errors, spans and metrics.
    const NAME: &'static str;
    /// What it changes.
    const EFFECT: Effect;
    /// What the caller gets.
    type Reply: Send;

    /// What it changes with these arguments, where they make a difference.
    fn effect(&self) -> Effect {
        Self::EFFECT
    }
}

/// What an operation does to the data, which says what may be done when nobody knows whether it was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    Reads,
    /// The same, whether it is carried out once or twice.
    Idempotent,
    /// Something else each time.
    Changes,
}

/// Where operations go, and how.
pub(crate) trait Backend<O: Operation>: Sync {
    /// Whom to ask.
    type Target: Send + Sync;

    /// Finds out whom to ask, as things are known at this moment.
    fn route(&self, operation: &O) -> impl Future<Output = Result<Self::Target, Failure>> + Send;

    /// Asks. `progress` tells, should the attempt be cut short, whether anything had left.
    fn attempt(
        &self,
        target: &Self::Target,
        operation: &O,
        deadline: Instant,
        progress: &Progress,
    ) -> impl Future<Output = Result<O::Reply, Failure>> + Send;

    /// Takes note of what a failure says about the route.
    fn learn(&self, target: &Self::Target, failure: &Failure);

    /// What stood in the way of finding whom to ask the last time, where that is known.
    fn obstacle(&self) -> Option<String> {
        None
    }

    /// Whom a target stands for, `host:port`.
    fn peer(target: &Self::Target) -> &Arc<str>;
}

/// How one call is carried out.
#[derive(Clone, Debug)]
pub(crate) struct Terms<'a> {
    /// How long all of it may take.
    pub(crate) timeout: Duration,
    /// How long one attempt may take, where another one could do better.
    pub(crate) attempt_timeout: Option<Duration>,
    /// How often it is tried at most.
    pub(crate) attempts: u32,
    /// The database's name, by OpenTelemetry's conventions.
    pub(crate) system: &'static str,
    /// The table.
    pub(crate) collection: Option<&'a Arc<str>>,
    pub(crate) stats: &'a OperationStats,
}

/// Why a call is cut short that is not answered in time.
const TIMED_OUT: crate::backoff::Cause = crate::backoff::Cause {
    name: "timeout",
    at_once: 1,
    base: Duration::from_millis(10),
    cap: Duration::from_millis(200),
};

/// When a call ends that may take so long.
pub(crate) fn deadline(timeout: Duration) -> Instant {
    ended(Instant::now(), timeout)
}

/// When so much time has passed since then.
fn ended(begun: Instant, timeout: Duration) -> Instant {
    // A timeout too long for the clock is none that anybody sees the end of.
    let far = Duration::from_secs(365 * 24 * 60 * 60);
    begun + timeout.min(far)
}

/// The runtime of whoever calls.
pub(crate) fn runtime(operation: &'static str) -> Result<Id, Error> {
    Handle::try_current().map(|runtime| runtime.id()).map_err(|_| {
        let message = "there is no tokio runtime here: use charioteer::block_on";
        Error::from(Failure::new(ErrorKind::Unsupported, message)).during(operation)
    })
}

/// Carries out an operation within its terms.
pub(crate) async fn run<B, O>(backend: &B, operation: &O, terms: &Terms<'_>) -> Result<O::Reply, Error>
where
    B: Backend<O>,
    O: Operation,
{
    let span = tracing::debug_span!(
        "charioteer",
        otel.kind = "client",
        db.system.name = terms.system,
        db.operation.name = O::NAME,
        db.collection.name = terms.collection.map(|name| &**name),
        server.address = field::Empty,
        error.type = field::Empty,
        attempts = field::Empty,
    );
    let mut call = Run::new(terms, span, runtime(O::NAME)?);
    if call.span.is_disabled() {
        call.run(backend, operation).await
    } else {
        let span = call.span.clone();
        call.run(backend, operation).instrument(span).await
    }
}

/// A call under way.
struct Run<'a> {
    terms: &'a Terms<'a>,
    span: Span,
    runtime: Id,
    started: Instant,
    deadline: Instant,
    attempts: u32,
    waits: Waits,
    /// Whether an attempt may have been carried out of which nothing was heard.
    unknown: bool,
}

/// What comes after a failure.
enum Next {
    Wait(Duration),
    GiveUp(Failure),
}

impl<'a> Run<'a> {
    fn new(terms: &'a Terms<'a>, span: Span, runtime: Id) -> Self {
        let started = Instant::now();
        let deadline = ended(started, terms.timeout);
        Self { terms, span, runtime, started, deadline, attempts: 0, waits: Waits::default(), unknown: false }
    }

    async fn run<B, O>(&mut self, backend: &B, operation: &O) -> Result<O::Reply, Error>
    where
        B: Backend<O>,
        O: Operation,
    {
        loop {
            self.attempts += 1;
            let failure = match self.attempt(backend, operation).await {
                Ok(reply) => return Ok(self.done(reply)),
                Err(failure) => failure,
            };
            match self.after(operation.effect(), failure) {
                Next::Wait(Duration::ZERO) => {}
                Next::Wait(wait) => tokio::time::sleep(wait).await,
                Next::GiveUp(failure) => return Err(self.failed(O::NAME, failure)),
            }
        }
    }

    /// Routes and asks, once.
    async fn attempt<B, O>(&self, backend: &B, operation: &O) -> Result<O::Reply, Failure>
    where
        B: Backend<O>,
        O: Operation,
    {
        let (limit, progress) = (self.limit(), Progress::on(self.runtime));
        let mut timer = pin!(None);
        let routed = {
            let route = pin!(backend.route(operation));
            within(limit, timer.as_mut(), &progress, route).await
        };
        let target = match routed {
            Some(routed) => routed?,
            None => {
                let obstacle = backend.obstacle().map_or_else(String::new, |obstacle| format!(" ({obstacle})"));
                return Err(self.timed_out(&format!("there was no server to ask{obstacle}")));
            }
        };
        self.span.record("server.address", &**B::peer(&target));
        let answered = {
            let attempt = pin!(backend.attempt(&target, operation, limit, &progress));
            within(limit, timer, &progress, attempt).await
        };
        // The attempt is over, and has told by now whether anything had left.
        let result = match answered {
            Some(result) => result,
            None if progress.is_sent() => Err(self.timed_out("there was no answer").unknown()),
            None => Err(self.timed_out("the request could not be sent")),
        };
        result.map_err(|failure| {
            let failure = if failure.peer.is_none() { failure.at(B::peer(&target)) } else { failure };
            backend.learn(&target, &failure);
            failure
        })
    }

    /// When this attempt ends.
    fn limit(&self) -> Instant {
        self.terms.attempt_timeout.map_or(self.deadline, |longest| self.deadline.min(Instant::now() + longest))
    }

    fn timed_out(&self, what: &str) -> Failure {
        let within = self.terms.attempt_timeout.filter(|longest| *longest < self.terms.timeout);
        let message = format!("{what} within {:?}", within.unwrap_or(self.terms.timeout));
        Failure::new(ErrorKind::Timeout, message).retry(&TIMED_OUT)
    }

    /// Decides whether a failure is the last.
    fn after(&mut self, effect: Effect, mut failure: Failure) -> Next {
        if effect == Effect::Reads {
            failure.outcome = Outcome::NotApplied;
        }
        self.unknown |= failure.outcome == Outcome::Unknown;
        let once_only = self.unknown && effect == Effect::Changes;
        let Some(cause) = failure.retry.filter(|_| !once_only && self.attempts < self.terms.attempts) else {
            return Next::GiveUp(failure);
        };
        let mut waits = self.waits.clone();
        let wait = waits.next(cause, failure.leave_alone);
        if Instant::now() + wait >= self.deadline {
            return Next::GiveUp(failure);
        }
        self.waits = waits;
        self.terms.stats.retried();
        debug!(cause = cause.name, ?wait, attempts = self.attempts, reason = %failure.message, "trying again");
        Next::Wait(wait)
    }

    fn done<R>(&self, reply: R) -> R {
        self.span.record("attempts", self.attempts);
        self.terms.stats.succeeded(self.started);
        reply
    }

    fn failed(&mut self, operation: &'static str, mut failure: Failure) -> Error {
        if self.unknown {
            failure.outcome = Outcome::Unknown;
        }
        self.span.record("attempts", self.attempts).record("error.type", failure.kind.name());
        self.terms.stats.failed(failure.kind, self.started);
        let error = Error::from(failure).during(operation).after(
            self.attempts,
            self.started.elapsed(),
            std::mem::take(&mut self.waits),
        );
        match self.terms.collection {
            Some(collection) => error.on(collection),
            None => error,
        }
    }
}

/// What the future gives, unless it takes longer than until then. It gets a timer only when it waits for something that does not see to
/// it that it is looked at again soon. It stays where it is: moving what is
/// as large would be much of what a call costs. Whoever needs to know how far it had come must drop it first.
pub(crate) fn within<T>(
    limit: Instant,
    mut timer: Pin<&mut Option<Sleep>>,
    progress: &Progress,
    mut future: Pin<&mut impl Future<Output = T>>,
) -> impl Future<Output = Option<T>> {
    poll_fn(move |cx| match future.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending if timer.is_none() && progress.is_attended() && limit > Instant::now() + 2 * ROUND => {
            Poll::Pending
        }
        Poll::Pending => {
            if timer.is_none() {
                timer.set(Some(tokio::time::sleep_until(limit)));
            }
            timer.as_mut().as_pin_mut().map_or(Poll::Pending, |timer| timer.poll(cx)).map(|()| None)
        }
    })
}
