//! The errors of regions, as a test names them.

use charioteer_proto::tikv::errorpb::{self, Error};
use charioteer_proto::tikv::kvrpcpb::Context;

/// An error of a region, in place of an answer. What it tells of region and peer is taken from the request.
///
/// ```
/// use charioteer_server::testing::tikv::{Action, Fault, RegionError};
///
/// let busy = RegionError::ServerIsBusy { reason: "too many".to_owned(), backoff_ms: 10 };
/// let fault = Fault::new(Action::Answer(busy)).times(3);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegionError {
    /// Another peer leads, and nobody knows which.
    NotLeader,
    /// The peer on this store leads, if there is one; as [`NotLeader`](Self::NotLeader) if there is none. Stores are numbered from 0.
    NotLeaderBut(usize),
    /// There is no such region here.
    RegionNotFound,
    /// A key lies in another region.
    KeyNotInRegion,
    /// The region has changed; it is not told how.
    EpochNotMatch,
    /// The store has too much to do.
    ServerIsBusy {
        /// Why.
        reason: String,
        /// How long a client is asked to wait, in milliseconds; 0 does not say.
        backoff_ms: u64,
    },
    /// The command has been overtaken.
    StaleCommand,
    /// Another store is meant.
    StoreNotMatch,
    /// The write is too large.
    RaftEntryTooLarge,
    /// The store's greatest timestamp is not known yet.
    MaxTimestampNotSynced,
    /// A follower can't read yet.
    ReadIndexNotReady,
    /// The region is being merged.
    ProposalInMergingMode,
    /// A follower has not got as far as a stale read asks.
    DataIsNotReady,
    /// The region has been split off and can't be used yet.
    RegionNotInitialized,
    /// The store's disk is full.
    DiskFull,
    /// The cluster is being restored.
    RecoveryInProgress,
    /// The region is going back to an earlier state.
    FlashbackInProgress,
    /// The region was to be made ready for going back.
    FlashbackNotPrepared,
    /// The peer has no data.
    IsWitness,
    /// The peer has been replaced by another one on the same store.
    MismatchPeerId,
    /// The region's buckets have changed.
    BucketVersionNotMatch,
    /// The write may have been applied or not.
    UndeterminedResult,
    /// Nothing but these words.
    Message(String),
}

impl RegionError {
    /// As it travels, for a request with this context; `leader_at` finds the peer that a region has on a store.
    pub(crate) fn about(
        &self,
        context: Option<&Context>,
        leader_at: impl Fn(u64, usize) -> Option<charioteer_proto::tikv::metapb::Peer>,
    ) -> Error {
        let region_id = context.map_or(0, |context| context.region_id);
        let peer = context.and_then(|context| context.peer).unwrap_or_default();
        let mut error = Error { message: format!("{self:?}"), ..Error::default() };
        match self {
            Self::NotLeader => error.not_leader = Some(errorpb::NotLeader { region_id, leader: None }),
            Self::NotLeaderBut(store) => {
                error.not_leader = Some(errorpb::NotLeader { region_id, leader: leader_at(region_id, *store) });
            }
            Self::RegionNotFound => error.region_not_found = Some(errorpb::RegionNotFound { region_id }),
            Self::KeyNotInRegion => {
                error.key_not_in_region = Some(errorpb::KeyNotInRegion { region_id, ..Default::default() });
            }
            Self::EpochNotMatch => error.epoch_not_match = Some(errorpb::EpochNotMatch::default()),
            Self::ServerIsBusy { reason, backoff_ms } => {
                let (reason, backoff_ms) = (reason.clone(), *backoff_ms);
                error.server_is_busy = Some(errorpb::ServerIsBusy { reason, backoff_ms, ..Default::default() });
            }
            Self::StaleCommand => error.stale_command = Some(errorpb::StaleCommand {}),
            Self::StoreNotMatch => {
                let (request_store_id, actual_store_id) = (peer.store_id, peer.store_id + 1_000_000);
                error.store_not_match = Some(errorpb::StoreNotMatch { request_store_id, actual_store_id });
            }
            Self::RaftEntryTooLarge => {
                error.raft_entry_too_large = Some(errorpb::RaftEntryTooLarge { region_id, entry_size: 8 << 20 });
            }
            Self::MaxTimestampNotSynced => error.max_timestamp_not_synced = Some(errorpb::MaxTimestampNotSynced {}),
            Self::ReadIndexNotReady => {
                error.read_index_not_ready = Some(errorpb::ReadIndexNotReady { region_id, ..Default::default() });
            }
            Self::ProposalInMergingMode => {
                error.proposal_in_merging_mode = Some(errorpb::ProposalInMergingMode { region_id });
            }
            Self::DataIsNotReady => {
                error.data_is_not_ready = Some(errorpb::DataIsNotReady { region_id, peer_id: peer.id, safe_ts: 0 });
            }
            other => other.rare(&mut error, region_id, peer.id, peer.store_id),
        }
        error
    }

    fn rare(&self, error: &mut Error, region_id: u64, peer_id: u64, store_id: u64) {
        match self {
            Self::RegionNotInitialized => {
                error.region_not_initialized = Some(errorpb::RegionNotInitialized { region_id });
            }
            Self::DiskFull => {
                error.disk_full = Some(errorpb::DiskFull { store_id: vec![store_id], ..Default::default() });
            }
            Self::RecoveryInProgress => error.recovery_in_progress = Some(errorpb::RecoveryInProgress { region_id }),
            Self::FlashbackInProgress => {
                error.flashback_in_progress = Some(errorpb::FlashbackInProgress { region_id, ..Default::default() });
            }
            Self::FlashbackNotPrepared => {
                error.flashback_not_prepared = Some(errorpb::FlashbackNotPrepared { region_id });
            }
            Self::IsWitness => error.is_witness = Some(errorpb::IsWitness { region_id }),
            Self::MismatchPeerId => {
                let (request_peer_id, store_peer_id) = (peer_id, peer_id + 1_000_000);
                error.mismatch_peer_id = Some(errorpb::MismatchPeerId { request_peer_id, store_peer_id });
            }
            Self::BucketVersionNotMatch => {
                error.bucket_version_not_match = Some(errorpb::BucketVersionNotMatch::default());
            }
            Self::UndeterminedResult => error.undetermined_result = Some(errorpb::UndeterminedResult::default()),
            Self::Message(message) => error.message.clone_from(message),
            _ => {}
        }
    }
}
