//! What became of many calls.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use charioteer::{Error, Outcome};
use parking_lot::Mutex;

/// Wrong answers that are told word for word.
const TOLD: usize = 5;

/// What became of many calls.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    answered: AtomicU64,
    dropped: AtomicU64,
    not_applied: AtomicU64,
    unknown: AtomicU64,
    wrong: AtomicU64,
    told: Mutex<Vec<String>>,
}

impl Tally {
    pub(crate) fn count<T>(&self, result: Option<&Result<T, Error>>) {
        let counter = match result {
            None => &self.dropped,
            Some(Ok(_)) => &self.answered,
            Some(Err(error)) if error.outcome() == Outcome::NotApplied => &self.not_applied,
            Some(Err(_)) => &self.unknown,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes note of an answer that can't be right.
    pub(crate) fn wrong(&self, what: String) {
        self.wrong.fetch_add(1, Ordering::Relaxed);
        let mut told = self.told.lock();
        if told.len() < TOLD {
            told.push(what);
        }
    }

    pub(crate) fn wrong_answers(&self) -> u64 {
        self.wrong.load(Ordering::Relaxed)
    }

    /// Calls that have ended, in whatever way.
    pub(crate) fn calls(&self) -> u64 {
        [&self.answered, &self.dropped, &self.not_applied, &self.unknown]
            .into_iter()
            .map(|counter| counter.load(Ordering::Relaxed))
            .sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        write!(
            f,
            "{} calls: {} answered, {} dropped, {} failed and not applied, {} failed with unknown outcome; {} wrong answers",
            self.calls(),
            read(&self.answered),
            read(&self.dropped),
            read(&self.not_applied),
            read(&self.unknown),
            self.wrong_answers(),
        )?;
        self.told.lock().iter().try_for_each(|what| write!(f, "\n  {what}"))
    }
}
