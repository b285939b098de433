//! What a store says about itself.

use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use charioteer_proto::tikv::kvrpcpb::HealthFeedback;

/// Nothing is slow.
const BEST: i32 = 1;
const WORST: i32 = 100;

/// How a store feels, as it has said last.
#[derive(Debug)]
pub(super) struct Health {
    slow_score: AtomicI32,
    /// The number of what it has said last; it grows.
    said: AtomicU64,
}

impl Default for Health {
    fn default() -> Self {
        Self { slow_score: AtomicI32::new(BEST), said: AtomicU64::new(0) }
    }
}

impl Health {
    /// From 1, all is well, to 100.
    pub(super) fn slow_score(&self) -> i32 {
        self.slow_score.load(Ordering::Relaxed)
    }

    /// Takes note of what it says, unless it has said something newer before.
    pub(super) fn note(&self, feedback: &HealthFeedback) {
        let said = feedback.feedback_seq_no;
        if self.said.fetch_max(said, Ordering::Relaxed) < said {
            self.slow_score.store(feedback.slow_score.clamp(BEST, WORST), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_before_does_not_count() {
        let health = Health::default();
        let say = |said, slow_score| health.note(&HealthFeedback { store_id: 1, feedback_seq_no: said, slow_score });
        say(7, 80);
        say(6, 1);
        assert_eq!(health.slow_score(), 80);
        say(8, 1000);
        assert_eq!(health.slow_score(), 100);
    }
}
