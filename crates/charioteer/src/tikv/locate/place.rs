//! Where a request goes: a region, one of its peers, and the store of that.

use std::sync::Arc;

use bytes::Bytes;
use charioteer_proto::tikv::key::Layout;
use charioteer_proto::tikv::kvrpcpb;
use charioteer_proto::tikv::metapb::{Peer, PeerRole};

use super::region::Region;
use super::store::Store;

/// From which of a region's peers it is read. Followers make sure that they have what the leader had when they were asked, which takes
/// them another question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum ReadFrom {
    /// The one that leads.
    #[default]
    Leader,
    /// One that does not lead.
    Follower,
    /// One that only learns, as those for analysis do.
    Learner,
    /// Any.
    Any,
    /// The one that leads, unless its store is slow or gone.
    PreferLeader,
    /// One on a store with all of these labels, or any if there is none.
    Closest(Arc<[(String, String)]>),
}

/// How a request is to be answered by the peer that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    AsLeader,
    /// After asking the leader how far it has got.
    AsReplica,
    /// With what it has, if that is as new as is asked for.
    Stale,
}

/// Where a request goes.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(super) region: Arc<Region>,
    /// Which of the region's peers.
    pub(super) at: usize,
    pub(super) store: Arc<Store>,
    pub(super) manner: Manner,
    pub(super) layout: Layout,
    pub(super) cluster_id: u64,
}

impl Place {
    /// The region's number.
    pub(crate) fn region_id(&self) -> u64 {
        self.region.id
    }

    /// The region's first key, as keys travel; empty for the lowest of all.
    pub(crate) fn start(&self) -> &Bytes {
        &self.region.start
    }

    /// The key behind the region's last, as keys travel; empty for beyond all.
    pub(crate) fn end(&self) -> &Bytes {
        &self.region.end
    }

    /// Whether the key, as it travels, lies in the region.
    pub(crate) fn holds(&self, key: &[u8]) -> bool {
        self.region.holds(key)
    }

    /// The store to ask.
    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    pub(crate) fn peer(&self) -> Peer {
        self.region.peers.get(self.at).copied().unwrap_or_default()
    }

    /// What a request says of all this.
    pub(crate) fn context(&self) -> kvrpcpb::Context {
        kvrpcpb::Context {
            region_id: self.region.id,
            region_epoch: Some(self.region.epoch),
            peer: Some(self.peer()),
            api_version: self.layout.api_version().into(),
            keyspace_id: self.layout.keyspace().map(|keyspace| keyspace.get()),
            replica_read: self.manner == Manner::AsReplica,
            stale_read: self.manner == Manner::Stale,
            cluster_id: self.cluster_id,
            ..kvrpcpb::Context::default()
        }
    }
}

/// What speaks for a peer; the greater, the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Merits {
    is_reachable: bool,
    /// Of those that only followers or learners are to be.
    is_of_kind: bool,
    is_quick: bool,
    is_wanted: bool,
    leads: bool,
}

impl ReadFrom {
    /// What speaks for a peer of the region; `None` if it is not asked at all.
    pub(super) fn merits(&self, region: &Region, at: usize, store: &Store) -> Option<Merits> {
        let leads = region.leader == Some(at);
        let learns = region.peers.get(at).is_some_and(|peer| peer.role == i32::from(PeerRole::Learner));
        let is_wanted = match self {
            Self::Leader => leads,
            Self::Follower => !leads && !learns,
            Self::Learner => learns,
            Self::Any => true,
            Self::PreferLeader => leads,
            Self::Closest(labels) => store.has(labels),
        };
        let is_of_kind = is_wanted || !matches!(self, Self::Follower | Self::Learner);
        let prefers_leader = matches!(self, Self::Leader | Self::PreferLeader);
        (*self != Self::Leader || leads).then(|| Merits {
            is_reachable: store.is_reachable(),
            is_of_kind,
            is_quick: !store.is_slow(),
            is_wanted,
            leads: leads && prefers_leader,
        })
    }
}
