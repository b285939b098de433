//! A region, as it was told or learnt at a moment.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::key::Layout;
use charioteer_proto::tikv::metapb::{self, Peer, PeerRole, RegionEpoch};
use smallvec::SmallVec;
use tokio::time::Instant;

use crate::error::{ErrorKind, Failure};
use crate::tikv::pd::RegionInfo;

/// How long replicas are not read from after one of them could not do what the leader can.
const CATCHES_UP: Duration = Duration::from_millis(200);

/// A region, as it was told or learnt at a moment. What changes is another value of this, with another generation.
#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) id: u64,
    pub(crate) epoch: RegionEpoch,
    /// The first key, as keys travel; empty for the lowest of all.
    pub(crate) start: Bytes,
    /// The key behind the last, as keys travel; empty for beyond all.
    pub(crate) end: Bytes,
    /// Those that have data and may be asked.
    pub(super) peers: SmallVec<[Peer; 3]>,
    /// The one that leads, as far as is known.
    pub(super) leader: Option<usize>,
    /// The one to ask for what only a leader does: the leader, or the next one to be tried where the leader does not answer.
    pub(super) ask: usize,
    /// How many have been asked in vain since the region was told.
    pub(super) passed: usize,
    /// When it was told, or somebody said who leads.
    pub(super) told: Instant,
    /// Which of all that was ever known this is.
    pub(super) generation: u64,
    /// Whether somebody has found it wrong.
    pub(super) doubted: AtomicBool,
    /// Until when replicas are not read from, in milliseconds since it was told: one of them could not do what the leader can.
    pub(super) behind_ms: AtomicU64,
    /// When it is forgotten, in milliseconds of the cache's time; later with every use.
    pub(super) expires_ms: AtomicU64,
}

impl Region {
    /// The region that PD tells of, with its boundaries as keys travel.
    pub(super) fn new(info: RegionInfo, layout: Layout) -> Result<Self, Failure> {
        let RegionInfo { region, leader, down } = info;
        let asked = |peer: &Peer| !peer.is_witness && !down.contains(&peer.id);
        let peers: SmallVec<[Peer; 3]> = region.peers.iter().copied().filter(asked).collect();
        let leader = leader.and_then(|leader| peers.iter().position(|peer| peer.id == leader.id));
        Self::with_peers(&region, peers, leader, layout)
    }

    /// The region that a store tells of, which leads it too if it has a peer of it: it led what the region was split off from.
    pub(super) fn split_off(region: &metapb::Region, store_id: u64, layout: Layout) -> Result<Self, Failure> {
        let peers: SmallVec<[Peer; 3]> = region.peers.iter().copied().filter(|peer| !peer.is_witness).collect();
        let leader = peers.iter().position(|peer| peer.store_id == store_id);
        Self::with_peers(region, peers, leader, layout)
    }

    fn with_peers(
        region: &metapb::Region,
        peers: SmallVec<[Peer; 3]>,
        leader: Option<usize>,
        layout: Layout,
    ) -> Result<Self, Failure> {
        let ask = leader.or_else(|| peers.iter().position(can_lead)).ok_or_else(|| no_peer(region.id))?;
        Ok(Self {
            id: region.id,
            epoch: region.region_epoch.unwrap_or_default(),
            start: boundary(&region.start_key, layout)?,
            end: boundary(&region.end_key, layout)?,
            peers,
            leader,
            ask,
            passed: 0,
            told: Instant::now(),
            generation: 0,
            doubted: AtomicBool::new(false),
            behind_ms: AtomicU64::new(0),
            expires_ms: AtomicU64::new(0),
        })
    }

    /// The same region, of which another peer is asked.
    pub(super) fn asking(&self, ask: usize, leader: Option<usize>, passed: usize) -> Self {
        Self {
            start: self.start.clone(),
            end: self.end.clone(),
            peers: self.peers.clone(),
            leader,
            ask,
            passed,
            told: Instant::now(),
            doubted: AtomicBool::new(false),
            behind_ms: AtomicU64::new(0),
            expires_ms: AtomicU64::new(0),
            ..*self
        }
    }

    /// Whether the key, as it travels, lies in it.
    pub(crate) fn holds(&self, key: &[u8]) -> bool {
        self.start[..] <= *key && (self.end.is_empty() || *key < self.end[..])
    }

    /// Whether keys just below this bound lie in it; an empty bound is beyond all.
    pub(crate) fn reaches(&self, bound: &[u8]) -> bool {
        if bound.is_empty() {
            return self.end.is_empty();
        }
        self.start[..] < *bound && (self.end.is_empty() || *bound <= self.end[..])
    }

    /// Whether the two have keys in common.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        (self.end.is_empty() || other.start < self.end) && (other.end.is_empty() || self.start < other.end)
    }

    /// The next of the peers that may lead, in turn.
    pub(super) fn next_peer(&self) -> usize {
        self.others().next().unwrap_or(self.ask)
    }

    /// How many peers may lead.
    pub(super) fn candidates(&self) -> usize {
        self.peers.iter().filter(|peer| can_lead(peer)).count()
    }

    /// The others that may lead, in turn.
    pub(super) fn others(&self) -> impl Iterator<Item = usize> {
        let peers = self.peers.len();
        (1..peers).map(move |step| (self.ask + step) % peers).filter(|at| can_lead(&self.peers[*at]))
    }

    /// Has its leader read from for a while.
    pub(super) fn prefer_leader(&self) {
        let until = self.told.elapsed() + CATCHES_UP;
        self.behind_ms.store(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Whether a replica could not do a moment ago what the leader can.
    pub(super) fn prefers_leader(&self) -> bool {
        let until = self.behind_ms.load(Ordering::Relaxed);
        until > 0 && self.told.elapsed() < Duration::from_millis(until)
    }
}

fn can_lead(peer: &Peer) -> bool {
    peer.role != i32::from(PeerRole::Learner) && !peer.is_witness
}

fn boundary(boundary: &Bytes, layout: Layout) -> Result<Bytes, Failure> {
    layout.wire_boundary(boundary).map_err(|error| {
        let message = format!("a region's boundary is no key of this API version: {error}");
        Failure::new(ErrorKind::Protocol, message).because(error)
    })
}

/// A region that nobody can be asked about, for now.
pub(super) fn no_peer(id: u64) -> Failure {
    let message = format!("region {id} has no peer that can be asked");
    Failure::new(ErrorKind::Unavailable, message).retry(&crate::tikv::failure::REGION_SCHEDULING)
}
