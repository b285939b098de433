//! What a client has done, for programs and for the `metrics` facade.

use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{Counter, Histogram, counter, histogram};
use tokio::time::Instant;

use crate::error::ErrorKind;

/// What a client has done of one kind of call since it was made.
///
/// ```
/// let stats = charioteer::CallStats::default();
/// assert_eq!((stats.calls, stats.errors, stats.retries), (0, 0, 0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallStats {
    /// Calls that have ended, well or not; those that were dropped are not among them.
    pub calls: u64,
    /// Calls that ended with an error.
    pub errors: u64,
    /// Attempts beyond each call's first.
    pub retries: u64,
}

/// The same, being counted.
#[derive(Debug)]
pub(crate) struct OperationStats {
    system: &'static str,
    operation: &'static str,
    calls: AtomicU64,
    errors: AtomicU64,
    retries: AtomicU64,
    duration: Histogram,
    retried: Counter,
}

impl OperationStats {
    /// Registers an operation with whatever recorder the program has installed by now.
    pub(crate) fn new(system: &'static str, operation: &'static str) -> Self {
        Self {
            system,
            operation,
            calls: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            duration: histogram!(
                "charioteer_call_duration_seconds", "system" => system, "operation" => operation
            ),
            retried: counter!("charioteer_call_retries_total", "system" => system, "operation" => operation),
        }
    }

    pub(crate) fn read(&self) -> CallStats {
        CallStats {
            calls: self.calls.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn succeeded(&self, started: Instant) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.duration.record(started.elapsed());
    }

    pub(crate) fn failed(&self, kind: ErrorKind, started: Instant) {
        self.succeeded(started);
        self.errors.fetch_add(1, Ordering::Relaxed);
        // Errors are rare enough to be looked up.
        counter!(
            "charioteer_call_errors_total",
            "system" => self.system, "operation" => self.operation, "error" => kind.name()
        )
        .increment(1);
    }

    pub(crate) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
        self.retried.increment(1);
    }
}
