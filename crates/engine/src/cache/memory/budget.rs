//! How much memory there is, and how much of it is taken.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The memory that all shards share. It is taken before it is used, so that it never exceeds its limit.
pub(super) struct Budget {
    limit: AtomicUsize,
    taken: AtomicUsize,
}

impl Budget {
    pub(super) const fn new(limit: usize) -> Self {
        Self { limit: AtomicUsize::new(limit), taken: AtomicUsize::new(0) }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    pub(super) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.taken() > self.limit()
    }

    /// Takes so many bytes, if there are as many.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let limit = self.limit();
        let more = |taken: usize| taken.checked_add(bytes).filter(|taken| *taken <= limit);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Takes what has been used already.
    pub(super) fn take_anyway(&self, bytes: usize) {
        self.taken.fetch_add(bytes, Ordering::Relaxed);
    }
}
