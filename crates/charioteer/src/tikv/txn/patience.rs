//! How long a call waits for others, and until when.

use std::time::Duration;

use tokio::time::Instant;

use super::error::TxnError;
use super::locks::Lock;
use crate::backoff::{Cause, Waits};
use crate::error::{Error, ErrorKind, Failure, Outcome};

/// A transaction under way stands before a read.
pub(super) const READ_BLOCKED: Cause =
    Cause { name: "lock_of_a_read", at_once: 0, base: Duration::from_millis(2), cap: Duration::from_millis(500) };
/// A transaction under way stands before a write.
pub(super) const WRITE_BLOCKED: Cause =
    Cause { name: "lock", at_once: 0, base: Duration::from_millis(5), cap: Duration::from_secs(1) };
/// Keys that were grouped by region are no groups any more.
pub(super) const SCATTERED: Cause =
    Cause { name: "regrouped", at_once: 3, base: Duration::from_millis(2), cap: Duration::from_millis(500) };
/// A store does not know what has become of a request.
pub(super) const UNDETERMINED: Cause =
    Cause { name: "undetermined", at_once: 0, base: Duration::from_millis(10), cap: Duration::from_secs(1) };
/// A transaction is made again from its beginning.
pub(super) const RESTARTED: Cause =
    Cause { name: "restarted", at_once: 1, base: Duration::from_millis(2), cap: Duration::from_millis(500) };

/// The deadline of a call, and how often it has waited.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    pub(super) deadline: Instant,
    waits: Waits,
    times: u32,
    began: Instant,
    /// The lock that stood in the way last.
    blocked_by: Option<Lock>,
}

impl Patience {
    pub(super) fn until(deadline: Instant) -> Self {
        Self { deadline, waits: Waits::default(), times: 1, began: Instant::now(), blocked_by: None }
    }

    /// Waits before something is tried again, for no longer than `most`; fails with `last` if that would take too long.
    pub(super) async fn wait<E: Into<Error>>(
        &mut self,
        cause: &'static Cause,
        most: Option<Duration>,
        last: impl FnOnce() -> E,
    ) -> Result<(), Error> {
        let wait = self.waits.next(cause, None).min(most.unwrap_or(Duration::MAX));
        if Instant::now() + wait >= self.deadline {
            return Err(self.told(last().into()));
        }
        self.times += 1;
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Waits for a lock that may be gone after so long.
    pub(super) async fn wait_for(
        &mut self,
        lock: Option<Lock>,
        cause: &'static Cause,
        most: Duration,
    ) -> Result<(), Error> {
        self.blocked_by = lock;
        let failure = || Failure::new(ErrorKind::Timeout, "a key is locked");
        // Stores take a lock for over when its time is behind.
        let waited = self.wait(cause, Some(most + Duration::from_millis(1)), failure).await;
        waited.map_err(|error| self.explain(error))
    }

    /// What an error comes to of which the cause may be that a lock stood in the way for too long.
    pub(super) fn explain(&mut self, error: Error) -> Error {
        if error.kind() != ErrorKind::Timeout || error.outcome() == Outcome::Unknown {
            return error;
        }
        let Some(lock) = self.blocked_by.take() else { return error };
        let failure = Failure { kind: ErrorKind::Timeout, ..TxnError::Locked(lock).failure() };
        self.told(failure.passing().into())
    }

    fn told(&mut self, error: Error) -> Error {
        error.after(self.times, self.began.elapsed(), std::mem::take(&mut self.waits))
    }

    /// How long there is yet.
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}
