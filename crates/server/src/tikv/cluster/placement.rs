//! Which stores have a region: up to three of them, and leaders in turn.

use charioteer_proto::tikv::metapb;

use super::{MAX_PEERS, Region};

/// Puts the regions on these stores: the first on the first store and those behind it, the second on the second, and so on, each led by
/// the first of its stores.
pub(super) fn place(regions: &mut [Region], stores: &[u64], ids: &mut impl FnMut() -> u64) {
    regions.sort_by(|one, other| one.start.cmp(&other.start));
    for (index, region) in regions.iter_mut().enumerate() {
        let first = index % stores.len().max(1);
        let wanted: Vec<u64> = stores.iter().copied().cycle().skip(first).take(stores.len().min(MAX_PEERS)).collect();
        move_to(region, &wanted, ids);
    }
}

/// Has the first peer of each region lead where none does.
pub(super) fn have_leaders(regions: &mut [Region]) {
    for region in regions {
        region.leader = region.leader.or_else(|| region.peers.first().map(|peer| peer.id));
    }
}

fn move_to(region: &mut Region, stores: &[u64], ids: &mut impl FnMut() -> u64) {
    let old = std::mem::take(&mut region.peers);
    let kept = old.iter().filter(|peer| stores.contains(&peer.store_id)).count();
    let peer = |store_id: &u64| {
        let known = old.iter().find(|peer| peer.store_id == *store_id).copied();
        known.unwrap_or_else(|| metapb::Peer { id: ids(), store_id: *store_id, ..metapb::Peer::default() })
    };
    region.peers = stores.iter().map(peer).collect();
    // One step for each peer that came and for each that went.
    region.conf_ver += (old.len() - kept + region.peers.len() - kept) as u64;
    region.leader = region.peers.first().map(|peer| peer.id);
}
