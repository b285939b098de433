//! The checks before any command, in TiKV's order.

use std::sync::Arc;

use charioteer_proto::tikv::{errorpb, kvrpcpb};

use super::{Cluster, Region, refusal};

/// What a command does with a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// It reads, which a follower may do for those who ask for it.
    Read,
    /// It writes, or has to be seen by those who write.
    Write,
}

/// As many regions as the original tells with `EpochNotMatch` besides the one that was asked for.
const MAX_SIBLINGS: u64 = 10;

impl Cluster {
    /// The region that a command is for, if that store can serve it: store, region, peer, leader and epoch are checked, in this order.
    /// Keys are [`Region::check_key`]'s matter. All stores have the same data, so that a follower that may read reads what the leader
    /// would.
    ///
    /// # Errors
    /// What the original answers, with what clients learn from it.
    pub(crate) fn admit(
        &self,
        store_id: u64,
        context: Option<&kvrpcpb::Context>,
        access: Access,
    ) -> Result<Arc<Region>, errorpb::Error> {
        let asked = context.and_then(|context| context.peer).unwrap_or_default();
        if asked.store_id != store_id {
            return Err(refusal::store_not_match(asked.store_id, store_id));
        }
        let region_id = context.map_or(0, |context| context.region_id);
        let region = self.region(region_id).ok_or_else(|| refusal::region_not_found(region_id))?;
        let peer = region.peer_on(store_id).ok_or_else(|| refusal::region_not_found(region_id))?;
        if asked.id != peer.id {
            return Err(refusal::mismatch_peer_id(asked.id, peer.id));
        }
        let from_follower = context.is_some_and(|context| context.replica_read || context.stale_read);
        if region.leader != Some(peer.id) && !(from_follower && access == Access::Read) {
            return Err(refusal::not_leader(region_id, region.leader_peer()));
        }
        self.check_epoch(&region, context)?;
        Ok(region)
    }

    /// As the original, which cares for the version alone: a change of peers moves no keys.
    fn check_epoch(&self, region: &Region, context: Option<&kvrpcpb::Context>) -> Result<(), errorpb::Error> {
        let sent = context.and_then(|context| context.region_epoch).unwrap_or_default();
        if sent.version == region.version {
            return Ok(());
        }
        let current = self.shape.read().with_siblings(region.id, sent.version, MAX_SIBLINGS);
        Err(refusal::epoch_not_match(region, sent, &current))
    }
}
