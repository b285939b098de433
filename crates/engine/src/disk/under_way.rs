//! The batch that is being committed, which no snapshot may show by half.
//!
//! fjall's snapshots show everything below a number that it raises behind each batch, once all of it is there. But it raises
//! that number also when it has written a table in the background, beyond the number of a batch that is under way.

use std::sync::atomic::{AtomicU64, Ordering};

/// No batch is under way.
const NONE: u64 = u64::MAX;

/// The lowest sequence number that the batch under way may have.
#[derive(Debug)]
pub(super) struct UnderWay {
    from: AtomicU64,
}

impl UnderWay {
    pub(super) fn begin(&self, from: u64) {
        self.from.store(from, Ordering::SeqCst);
    }

    /// All of the batch is there, or nothing of it will be.
    pub(super) fn end(&self) {
        self.from.store(NONE, Ordering::SeqCst);
    }

    /// Whether what lies below a number, which was asked for before, may be part of the batch under way. One that ended in
    /// between is there as a whole; one that began in between has a higher number.
    pub(super) fn may_show_below(&self, seqno: u64) -> bool {
        self.from.load(Ordering::SeqCst) < seqno
    }
}

impl Default for UnderWay {
    fn default() -> Self {
        Self { from: AtomicU64::new(NONE) }
    }
}
