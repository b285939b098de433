//! Whether a server is up, as far as calls have shown.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Failures that come closer together than this have one reason: a connection that is lost fails all calls on it, and a dialling that
/// fails all that wait for it.
const APART: Duration = Duration::from_millis(20);

/// A server from which nothing comes for so long, though it was asked, is taken for one that fails. Where it is less, a call that ends
/// without an answer had too little time, or met a pause: a packet that is lost is sent again after 200 ms.
const SILENCE: Duration = Duration::from_millis(500);

/// Whether a call that was not answered in time says anything against a server that has been silent since then.
pub(super) fn is_silence(since: Option<Instant>, now: Instant) -> bool {
    since.is_some_and(|since| now.saturating_duration_since(since) >= SILENCE)
}

/// What is known of a server's health.
#[derive(Debug, Default)]
pub(super) struct Health {
    down: AtomicBool,
    /// Whether anything has failed since the last answer: all that most calls look at.
    ailing: AtomicBool,
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    in_a_row: u32,
    last: Option<Instant>,
}

impl Health {
    pub(super) fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    pub(super) fn answered(&self) {
        if self.ailing.load(Ordering::Relaxed) {
            *self.failures.lock() = Failures::default();
            self.ailing.store(false, Ordering::Relaxed);
        }
    }

    /// Takes note of a failure, and says whether there have been so many in a row by now.
    pub(super) fn failed(&self, limit: u32, now: Instant) -> bool {
        let mut failures = self.failures.lock();
        if failures.last.is_some_and(|last| now.saturating_duration_since(last) < APART) {
            return false;
        }
        self.ailing.store(true, Ordering::Relaxed);
        *failures = Failures { in_a_row: failures.in_a_row + 1, last: Some(now) };
        failures.in_a_row >= limit
    }

    /// Says whether this is news.
    pub(super) fn set_down(&self, down: bool) -> bool {
        self.down.swap(down, Ordering::Relaxed) != down
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_that_come_together_count_as_one() {
        let (health, begin) = (Health::default(), Instant::now());
        assert!((0..100).all(|_| !health.failed(2, begin)));
        assert!(!health.failed(2, begin + APART / 2));
        assert!(health.failed(2, begin + APART));
    }

    #[test]
    fn an_answer_between_them_makes_failures_count_from_the_beginning() {
        let (health, begin) = (Health::default(), Instant::now());
        assert!(!health.failed(2, begin));
        health.answered();
        assert!(!health.failed(2, begin + APART));
        assert!(health.failed(2, begin + APART * 2));
    }

    #[test]
    fn a_call_that_had_too_little_time_says_nothing_of_a_server_that_was_heard_of_lately() {
        let begin = Instant::now();
        assert!(!is_silence(None, begin));
        assert!(!is_silence(Some(begin), begin + SILENCE / 2));
        assert!(is_silence(Some(begin), begin + SILENCE));
    }

    #[test]
    fn only_a_change_is_news() {
        let health = Health::default();
        assert_eq!([true, true, false, false].map(|down| health.set_down(down)), [true, false, true, false]);
    }
}
