//! What follows from an error of a region: what the cache does about it, and what the caller does.

use std::time::Duration;

use charioteer_proto::tikv::errorpb;

use crate::backoff::Cause;
use crate::error::Failure;
use crate::tikv::failure;

/// What follows from an error of a region, once the cache has learnt from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lesson {
    /// Why it is tried again, which says how long to wait before; `None` when it would fail again.
    pub(crate) retry: Option<&'static Cause>,
    /// Whether the region still is what it was taken for, so that the same keys belong together.
    pub(crate) same_region: bool,
    /// How long the store asks to be left alone.
    pub(crate) leave_alone: Option<Duration>,
}

/// What the cache does about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Nothing,
    /// What is known of the region is wrong.
    Doubt,
    /// Another peer is asked.
    NextPeer,
    /// The leader is asked for what a replica could not do.
    ToLeader,
    /// The store behind the address is another one.
    StoreMoved,
    /// It is told who leads.
    Leader,
    /// It is told which regions there are now, if the list is not empty.
    Regions,
}

impl Lesson {
    /// The same as a failure, with what the store says of it.
    pub(crate) fn failure(&self, error: &errorpb::Error) -> Failure {
        Failure { retry: self.retry, leave_alone: self.leave_alone, ..failure::region(error) }
    }

    pub(super) const fn at_once(self) -> Self {
        Self { retry: Some(&failure::MOVED), ..self }
    }
}

/// What to do about an error, in the order in which client-go looks for what it holds.
pub(super) fn action(error: &errorpb::Error) -> Action {
    let actions = [
        (error.undetermined_result.is_some(), Action::Nothing),
        (error.not_leader.is_some_and(|told| told.leader.is_some()), Action::Leader),
        (error.not_leader.is_some(), Action::NextPeer),
        (error.disk_full.is_some(), Action::Nothing),
        (error.recovery_in_progress.is_some(), Action::Doubt),
        (error.is_witness.is_some(), Action::Doubt),
        (error.flashback_in_progress.is_some() || error.flashback_not_prepared.is_some(), Action::ToLeader),
        (error.key_not_in_region.is_some(), Action::Doubt),
        (error.epoch_not_match.is_some(), Action::Regions),
        (error.server_is_busy.is_some(), Action::Nothing),
        (error.stale_command.is_some(), Action::Nothing),
        (error.store_not_match.is_some(), Action::StoreMoved),
        (error.raft_entry_too_large.is_some() || error.max_timestamp_not_synced.is_some(), Action::Nothing),
        (error.region_not_found.is_some() || error.mismatch_peer_id.is_some(), Action::Doubt),
        (error.region_not_initialized.is_some() || error.proposal_in_merging_mode.is_some(), Action::Nothing),
        (error.read_index_not_ready.is_some() || error.data_is_not_ready.is_some(), Action::ToLeader),
        (error.bucket_version_not_match.is_some(), Action::Nothing),
        (error.message.contains("deadline is exceeded"), Action::NextPeer),
    ];
    actions.into_iter().find(|(is_there, _)| *is_there).map_or(Action::Doubt, |(_, action)| action)
}

/// What a caller does who knows nothing but the error and what was done about it.
pub(super) fn lesson(error: &errorpb::Error, action: Action) -> Lesson {
    let busy = error.server_is_busy.as_ref();
    let leave_alone_ms = busy.map_or(0, |busy| busy.backoff_ms.max(busy.estimated_wait_ms.into()));
    let lesson = Lesson {
        retry: failure::region(error).retry,
        same_region: !matches!(action, Action::Doubt | Action::Regions),
        leave_alone: (leave_alone_ms > 0).then(|| Duration::from_millis(leave_alone_ms)),
    };
    match action {
        Action::Leader | Action::StoreMoved => lesson.at_once(),
        Action::Doubt if lesson.retry == Some(&failure::REGION_MISS) => lesson.at_once(),
        _ => lesson,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Outcome;

    #[test]
    fn a_store_that_does_not_know_what_became_of_a_write_is_not_asked_again() {
        let error = errorpb::Error {
            undetermined_result: Some(errorpb::UndeterminedResult::default()),
            not_leader: Some(errorpb::NotLeader::default()),
            ..errorpb::Error::default()
        };
        assert_eq!(action(&error), Action::Nothing);
        let lesson = lesson(&error, Action::Nothing);
        assert_eq!((lesson.retry, lesson.failure(&error).outcome), (None, Outcome::Unknown));
    }

    #[test]
    fn an_error_of_words_alone_has_the_region_looked_up_again() {
        for words in ["", "TiKV is Closing", "of another year"] {
            let error = errorpb::Error { message: words.to_owned(), ..errorpb::Error::default() };
            assert_eq!(action(&error), Action::Doubt, "{words}");
            assert!(lesson(&error, Action::Doubt).retry.is_some(), "{words}");
        }
    }

    #[test]
    fn a_busy_store_says_how_long_to_leave_it_alone() {
        let busy = errorpb::ServerIsBusy { backoff_ms: 7, estimated_wait_ms: 3, ..errorpb::ServerIsBusy::default() };
        let error = errorpb::Error { server_is_busy: Some(busy), ..errorpb::Error::default() };
        let lesson = lesson(&error, action(&error));
        assert_eq!((lesson.leave_alone, lesson.retry), (Some(Duration::from_millis(7)), Some(&failure::SERVER_BUSY)));
        assert!(lesson.same_region);
    }
}
