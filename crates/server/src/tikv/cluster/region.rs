//! A region: a range of keys, who holds it, and how often that has changed.

use bytes::Bytes;
use charioteer_engine::Error;
use charioteer_proto::tikv::{errorpb, metapb, pdpb};

use super::refusal;

/// A range of keys and its peers. What changes is another value of this with another epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) id: u64,
    /// The first key, as PD has it; empty for the lowest of all.
    pub(crate) start: Bytes,
    /// The key behind the last, as PD has it; empty for beyond all.
    pub(crate) end: Bytes,
    /// Grows with every change of peers.
    pub(crate) conf_ver: u64,
    /// Grows with every split and merge.
    pub(crate) version: u64,
    pub(crate) peers: Vec<metapb::Peer>,
    /// The peer that leads, if one does.
    pub(crate) leader: Option<u64>,
}

impl Region {
    /// What clients know a region as.
    pub(crate) fn meta(&self) -> metapb::Region {
        metapb::Region {
            id: self.id,
            start_key: self.start.clone(),
            end_key: self.end.clone(),
            region_epoch: Some(metapb::RegionEpoch { conf_ver: self.conf_ver, version: self.version }),
            peers: self.peers.clone(),
            ..metapb::Region::default()
        }
    }

    /// The same with its leader.
    pub(crate) fn message(&self) -> pdpb::Region {
        pdpb::Region { region: Some(self.meta()), leader: self.leader_peer(), ..pdpb::Region::default() }
    }

    /// The region that was kept as this message.
    pub(super) fn from_message(message: pdpb::Region) -> Result<Self, Error> {
        const CORRUPT: Error = Error::Corrupt { what: "region" };
        let region = message.region.ok_or(CORRUPT)?;
        let epoch = region.region_epoch.ok_or(CORRUPT)?;
        Ok(Self {
            id: region.id,
            start: region.start_key,
            end: region.end_key,
            conf_ver: epoch.conf_ver,
            version: epoch.version,
            leader: message.leader.map(|leader| leader.id).filter(|id| region.peers.iter().any(|peer| peer.id == *id)),
            peers: region.peers,
        })
    }

    /// The peer that leads, if one does.
    pub(crate) fn leader_peer(&self) -> Option<metapb::Peer> {
        self.peers.iter().find(|peer| Some(peer.id) == self.leader).copied()
    }

    /// The peer on that store, if it has one.
    pub(crate) fn peer_on(&self, store_id: u64) -> Option<metapb::Peer> {
        self.peers.iter().find(|peer| peer.store_id == store_id).copied()
    }

    /// Whether a key, as PD has it, is one of the region's.
    pub(crate) fn holds(&self, pd_key: &[u8]) -> bool {
        self.start[..] <= *pd_key && (self.end.is_empty() || *pd_key < self.end[..])
    }

    /// Refuses a key, as PD has it, that is not one of the region's.
    ///
    /// # Errors
    /// `KeyNotInRegion`.
    pub(crate) fn check_key(&self, pd_key: &[u8]) -> Result<(), errorpb::Error> {
        if self.holds(pd_key) { Ok(()) } else { Err(refusal::key_not_in_region(pd_key, self)) }
    }

    /// Whether it holds all keys there can be.
    pub(crate) const fn is_whole(&self) -> bool {
        self.start.is_empty() && self.end.is_empty()
    }
}
