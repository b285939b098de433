//! What TiKV's errors mean to a caller, and how long to wait after each.
//!
//! There are three sorts: errors of a region, which say that it is not there, or not as the request has it; lines of text by which a store
//! says what is wrong with a request; and statuses of calls, which `grpc` reads.

use std::borrow::Cow;
use std::time::Duration;

use charioteer_proto::tikv::{errorpb, kvrpcpb};

use crate::backoff::Cause;
use crate::error::{ErrorKind, Failure, Outcome};
use crate::told::told;

const fn cause(name: &'static str, at_once: u32, base_ms: u64, cap_ms: u64) -> Cause {
    Cause { name, at_once, base: Duration::from_millis(base_ms), cap: Duration::from_millis(cap_ms) }
}

// The waits are those of client-go, but for the attempts at once: its replica selectors make those before they wait.

/// No PD that leads could be reached.
pub(super) const PD: Cause = cause("pd_rpc", 1, 500, 3000);
/// Another peer leads, or the region has changed, and it was told how: go there.
pub(super) const MOVED: Cause = cause("moved", 3, 2, 500);
/// The region is not, or no longer, where and what it was thought to be.
pub(super) const REGION_MISS: Cause = cause("region_miss", 0, 2, 500);
/// The region has no leader at the moment, or does not serve while it is changed.
pub(super) const REGION_SCHEDULING: Cause = cause("region_scheduling", 0, 2, 500);
/// The region was split off, and its peer is not ready yet.
pub(super) const REGION_NOT_INITIALIZED: Cause = cause("region_not_initialized", 0, 2, 1000);
/// The region is being restored.
pub(super) const REGION_RECOVERY: Cause = cause("region_recovery", 0, 100, 10_000);
/// The store has too much to do.
pub(super) const SERVER_BUSY: Cause = cause("server_busy", 0, 2000, 10_000);
/// The store's disk is full.
pub(super) const DISK_FULL: Cause = cause("disk_full", 0, 500, 5000);
/// The peer has no data.
pub(super) const WITNESS: Cause = cause("is_witness", 0, 1000, 10_000);
/// The command has been overtaken by a change of the region.
pub(super) const STALE_COMMAND: Cause = cause("stale_command", 0, 2, 1000);
/// The new leader does not know the greatest timestamp yet.
pub(super) const MAX_TS_NOT_SYNCED: Cause = cause("max_timestamp_not_synced", 0, 2, 500);

/// An error of a region. What is said of trying again is what goes for whoever knows nothing else of the region.
pub(super) fn region(error: &errorpb::Error) -> Failure {
    let words = told(&error.message);
    let Some(code) = code(error) else {
        return Failure::new(ErrorKind::Unavailable, format!("the region failed: {words}")).retry(&REGION_MISS);
    };
    let known = REGION_ERRORS.iter().find(|(name, ..)| *name == code);
    let (kind, retry, message) = known
        .map_or((ErrorKind::Internal, None, "the region failed"), |(_, kind, retry, message)| {
            (*kind, *retry, *message)
        });
    let message = if words.is_empty() { message.into() } else { Cow::Owned(format!("{message}: {words}")) };
    let failure = Failure { retry, ..Failure::new(kind, message) }.code(code);
    if error.undetermined_result.is_some() { failure.unknown() } else { failure }
}

/// What is there of an error, by the name that it has in TiKV.
fn code(error: &errorpb::Error) -> Option<&'static str> {
    let parts = [
        (error.undetermined_result.is_some(), "UndeterminedResult"),
        (error.not_leader.is_some(), "NotLeader"),
        (error.disk_full.is_some(), "DiskFull"),
        (error.recovery_in_progress.is_some(), "RecoveryInProgress"),
        (error.is_witness.is_some(), "IsWitness"),
        (error.flashback_in_progress.is_some(), "FlashbackInProgress"),
        (error.flashback_not_prepared.is_some(), "FlashbackNotPrepared"),
        (error.bucket_version_not_match.is_some(), "BucketVersionNotMatch"),
        (error.key_not_in_region.is_some(), "KeyNotInRegion"),
        (error.epoch_not_match.is_some(), "EpochNotMatch"),
        (error.server_is_busy.is_some(), "ServerIsBusy"),
        (error.stale_command.is_some(), "StaleCommand"),
        (error.store_not_match.is_some(), "StoreNotMatch"),
        (error.raft_entry_too_large.is_some(), "RaftEntryTooLarge"),
        (error.max_timestamp_not_synced.is_some(), "MaxTimestampNotSynced"),
        (error.region_not_found.is_some(), "RegionNotFound"),
        (error.region_not_initialized.is_some(), "RegionNotInitialized"),
        (error.read_index_not_ready.is_some(), "ReadIndexNotReady"),
        (error.proposal_in_merging_mode.is_some(), "ProposalInMergingMode"),
        (error.data_is_not_ready.is_some(), "DataIsNotReady"),
        (error.mismatch_peer_id.is_some(), "MismatchPeerId"),
    ];
    parts.into_iter().find(|(is_there, _)| *is_there).map(|(_, code)| code)
}

/// An error's name, its kind, how long to wait before it is tried again, and what it means.
type RegionError = (&'static str, ErrorKind, Option<&'static Cause>, &'static str);

#[rustfmt::skip]
const REGION_ERRORS: &[RegionError] = &[
    ("UndeterminedResult", ErrorKind::Unavailable, None, "the store does not know whether it was carried out"),
    ("NotLeader", ErrorKind::Unavailable, Some(&REGION_SCHEDULING), "the peer does not lead the region"),
    ("DiskFull", ErrorKind::StorageFull, Some(&DISK_FULL), "the store's disk is full"),
    ("RecoveryInProgress", ErrorKind::Unavailable, Some(&REGION_RECOVERY), "the region is being restored"),
    ("IsWitness", ErrorKind::Unavailable, Some(&WITNESS), "the peer has no data"),
    ("FlashbackInProgress", ErrorKind::Unavailable, None, "the region is being set back to an earlier state"),
    ("FlashbackNotPrepared", ErrorKind::Unavailable, None, "the region was not made ready to be set back"),
    ("BucketVersionNotMatch", ErrorKind::Unavailable, Some(&REGION_MISS), "the region's buckets have changed"),
    ("KeyNotInRegion", ErrorKind::Unavailable, Some(&REGION_MISS), "the key lies in another region"),
    ("EpochNotMatch", ErrorKind::Unavailable, Some(&REGION_MISS), "the region has changed"),
    ("ServerIsBusy", ErrorKind::Busy, Some(&SERVER_BUSY), "the store has too much to do"),
    ("StaleCommand", ErrorKind::Unavailable, Some(&STALE_COMMAND), "the region has changed meanwhile"),
    ("StoreNotMatch", ErrorKind::Unavailable, Some(&REGION_MISS), "another store has this address"),
    ("RaftEntryTooLarge", ErrorKind::TooLarge, None, "the request, or its answer, is too large"),
    ("MaxTimestampNotSynced", ErrorKind::Unavailable, Some(&MAX_TS_NOT_SYNCED), "the region's leader is not ready yet"),
    ("RegionNotFound", ErrorKind::Unavailable, Some(&REGION_MISS), "the store does not have the region"),
    ("RegionNotInitialized", ErrorKind::Unavailable, Some(&REGION_NOT_INITIALIZED), "the region is not ready yet"),
    ("ReadIndexNotReady", ErrorKind::Unavailable, Some(&REGION_SCHEDULING), "the peer is not ready to read yet"),
    ("ProposalInMergingMode", ErrorKind::Unavailable, Some(&REGION_SCHEDULING), "the region is being merged"),
    ("DataIsNotReady", ErrorKind::Unavailable, Some(&MOVED), "the peer does not have the data yet"),
    ("MismatchPeerId", ErrorKind::Unavailable, Some(&REGION_MISS), "the peer was replaced by another one"),
];

/// What stores say is wrong with requests, by a part of it. Where an answer has no place for words, they are names out of TiKV's code.
#[rustfmt::skip]
const REFUSALS: &[(&str, ErrorKind, &str)] = &[
    ("max key size exceeded", ErrorKind::TooLarge, "the key is too long for the store"),
    ("KeyTooLarge", ErrorKind::TooLarge, "the key is too long for the store"),
    ("ttl is not enabled", ErrorKind::Unsupported, "the cluster keeps no times to live"),
    ("Api version in request does not match", ErrorKind::Unsupported, "the cluster has another API version"),
    ("ApiVersionNotMatched", ErrorKind::Unsupported, "the cluster has another API version"),
    ("Key mode mismatched", ErrorKind::Unsupported, "the cluster has another API version, or no such keys"),
    ("InvalidKeyMode", ErrorKind::Unsupported, "the cluster has another API version, or no such keys"),
    ("InvalidKeyRangeMode", ErrorKind::Unsupported, "the cluster has another API version, or no such keys"),
    ("cf is deprecated", ErrorKind::InvalidArgument, "the cluster has no column families"),
    ("CfDeprecated", ErrorKind::InvalidArgument, "the cluster has no column families"),
    ("invalid cf name", ErrorKind::InvalidArgument, "there is no such column family"),
    ("InvalidCf", ErrorKind::InvalidArgument, "there is no such column family"),
    ("length of ttls", ErrorKind::InvalidArgument, "the store takes no such arguments"),
    ("invalid delete range", ErrorKind::InvalidArgument, "the store takes no such range"),
    ("Invalid KeyRange", ErrorKind::InvalidArgument, "the store takes no such range"),
    ("checksum algorithm", ErrorKind::Unsupported, "the store knows no such checksum"),
    ("oprocessor", ErrorKind::Unsupported, "the coprocessor can't be called"),
];

/// What a store says is wrong with a request, in its own words.
pub(super) fn refusal(words: &str) -> Failure {
    match REFUSALS.iter().find(|(part, ..)| words.contains(part)) {
        Some((_, kind, message)) => Failure::new(*kind, format!("{message}: {}", told(words))),
        // Of what is not known, nobody can say that nothing was done.
        None => Failure::new(ErrorKind::Internal, format!("the store failed: {}", told(words))).unknown(),
    }
}

/// The line in an answer that says what is wrong, if it does.
pub(super) fn refused(words: &str) -> Result<(), Failure> {
    if words.is_empty() { Ok(()) } else { Err(refusal(words)) }
}

/// The same of an answer that consists of pairs: then it is the only one.
pub(super) fn refused_pairs(pairs: &[kvrpcpb::KvPair]) -> Result<(), Failure> {
    let Some(error) = pairs.first().and_then(|pair| pair.error.as_deref()) else {
        return Ok(());
    };
    let words = [&error.abort, &error.retryable].into_iter().find(|words| !words.is_empty());
    Err(refusal(words.map_or("an error of a key", String::as_str)))
}

/// An answer that its protocol does not allow.
pub(super) fn odd(message: impl Into<Cow<'static, str>>) -> Failure {
    Failure { outcome: Outcome::Unknown, ..Failure::new(ErrorKind::Protocol, message) }
}

pub(super) fn closed() -> Failure {
    Failure::new(ErrorKind::Closed, "the client was closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_region_refuses_was_not_done_unless_it_says_that_it_does_not_know() {
        let busy = errorpb::Error { server_is_busy: Some(errorpb::ServerIsBusy::default()), ..Default::default() };
        let failure = region(&busy);
        assert_eq!((failure.kind, failure.outcome), (ErrorKind::Busy, Outcome::NotApplied));
        assert_eq!(failure.retry, Some(&SERVER_BUSY));
        let unknown =
            errorpb::Error { undetermined_result: Some(errorpb::UndeterminedResult::default()), ..Default::default() };
        let failure = region(&unknown);
        assert_eq!((failure.outcome, failure.retry), (Outcome::Unknown, None));
    }

    #[test]
    fn an_error_of_words_alone_is_told_and_tried_again() {
        let failure = region(&errorpb::Error { message: "TiKV is\nClosing".to_owned(), ..Default::default() });
        assert_eq!(failure.message, "the region failed: TiKV is\\nClosing");
        assert_eq!((failure.retry, failure.server_code), (Some(&REGION_MISS), None));
    }

    #[test]
    fn words_of_a_store_that_nobody_knows_leave_the_outcome_open() {
        assert_eq!(refusal("max key size exceeded, size: 9000, limit: 8192").kind, ErrorKind::TooLarge);
        assert_eq!(refusal("cf is deprecated in API V2, cf name: x").kind, ErrorKind::InvalidArgument);
        let failure = refusal("something of another year");
        assert_eq!((failure.kind, failure.outcome), (ErrorKind::Internal, Outcome::Unknown));
        assert!(refused("").is_ok());
    }
}
