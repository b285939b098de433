//! What a store says of its health. Clients look elsewhere for a time when a store is slow; this one never says that it is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use charioteer_proto::tikv::kvrpcpb::HealthFeedback;

/// The best score there is.
const NOT_SLOW: i32 = 1;

/// Tells a store's health. Each time it is told has a higher number, also after a restart.
#[derive(Debug)]
pub(super) struct Health {
    store_id: u64,
    next_number: AtomicU64,
}

impl Health {
    /// Of a store that starts at that time.
    pub(super) fn new(store_id: u64, now: Duration) -> Self {
        let next_number = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        Self { store_id, next_number: AtomicU64::new(next_number) }
    }

    pub(super) fn feedback(&self) -> HealthFeedback {
        let feedback_seq_no = self.next_number.fetch_add(1, Ordering::Relaxed);
        HealthFeedback { store_id: self.store_id, feedback_seq_no, slow_score: NOT_SLOW }
    }
}
