//! Why a store does not serve a request, in the original's words, which some clients read.

use std::sync::Arc;

use bytes::Bytes;
use charioteer_proto::tikv::{errorpb, metapb};

use super::Region;

pub(super) fn store_not_match(request_store_id: u64, actual_store_id: u64) -> errorpb::Error {
    errorpb::Error {
        message: format!("to store id {request_store_id}, mine {actual_store_id}"),
        store_not_match: Some(errorpb::StoreNotMatch { request_store_id, actual_store_id }),
        ..errorpb::Error::default()
    }
}

pub(super) fn region_not_found(region_id: u64) -> errorpb::Error {
    errorpb::Error {
        message: format!("region {region_id} not found"),
        region_not_found: Some(errorpb::RegionNotFound { region_id }),
        ..errorpb::Error::default()
    }
}

pub(super) fn mismatch_peer_id(request_peer_id: u64, store_peer_id: u64) -> errorpb::Error {
    errorpb::Error {
        message: format!("mismatch peer id {request_peer_id} != {store_peer_id}"),
        mismatch_peer_id: Some(errorpb::MismatchPeerId { request_peer_id, store_peer_id }),
        ..errorpb::Error::default()
    }
}

pub(super) fn not_leader(region_id: u64, leader: Option<metapb::Peer>) -> errorpb::Error {
    let known =
        leader.map_or_else(|| "None".to_owned(), |peer| format!("Some(id: {} store_id: {})", peer.id, peer.store_id));
    errorpb::Error {
        message: format!("peer is not leader for region {region_id}, leader may {known}"),
        not_leader: Some(errorpb::NotLeader { region_id, leader }),
        ..errorpb::Error::default()
    }
}

/// `current` begins with the region that was asked for.
pub(super) fn epoch_not_match(region: &Region, sent: metapb::RegionEpoch, current: &[Arc<Region>]) -> errorpb::Error {
    errorpb::Error {
        message: format!(
            "EpochNotMatch current epoch of region {} is conf_ver: {} version: {}, but you sent conf_ver: {} version: {}",
            region.id, region.conf_ver, region.version, sent.conf_ver, sent.version
        ),
        epoch_not_match: Some(errorpb::EpochNotMatch {
            current_regions: current.iter().map(|region| region.meta()).collect(),
        }),
        ..errorpb::Error::default()
    }
}

pub(super) fn key_not_in_region(pd_key: &[u8], region: &Region) -> errorpb::Error {
    errorpb::Error {
        message: format!(
            "key {} is not in region key range [{}, {}) for region {}",
            hex(pd_key),
            hex(&region.start),
            hex(&region.end),
            region.id
        ),
        key_not_in_region: Some(errorpb::KeyNotInRegion {
            key: Bytes::copy_from_slice(pd_key),
            region_id: region.id,
            start_key: region.start.clone(),
            end_key: region.end.clone(),
        }),
        ..errorpb::Error::default()
    }
}

/// Keys as TiKV and PD print them.
pub(crate) fn hex(key: &[u8]) -> String {
    use std::fmt::Write;

    key.iter().fold(String::with_capacity(2 * key.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}
