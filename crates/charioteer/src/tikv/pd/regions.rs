//! Regions and stores, as PD knows them.

use bytes::Bytes;
use charioteer_proto::tikv::{metapb, pdpb, rpc};
use smallvec::SmallVec;
use tokio::time::Instant;

use super::{Pd, answer};
use crate::error::{ErrorKind, Failure};
use crate::tikv::failure;
use crate::tikv::grpc::is_unimplemented;

/// A region, as PD knows it; its boundaries are in PD's encoding.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RegionInfo {
    pub(crate) region: metapb::Region,
    /// The peer that leads, if PD knows it.
    pub(crate) leader: Option<metapb::Peer>,
    /// The ids of peers that have not been heard of for long.
    pub(crate) down: SmallVec<[u64; 1]>,
}

impl RegionInfo {
    fn new(region: metapb::Region, leader: Option<metapb::Peer>, down: &[pdpb::PeerStats]) -> Self {
        let down = down.iter().filter_map(|stats| stats.peer).map(|peer| peer.id).collect();
        // PD tells of an unknown leader with an empty one.
        Self { region, leader: leader.filter(|leader| leader.id != 0), down }
    }

    fn told(reply: Result<pdpb::GetRegionResponse, Failure>) -> Result<Self, Failure> {
        let reply = reply.map_err(|failure| if failure.kind == ErrorKind::NotFound { unknown() } else { failure })?;
        let region = reply.region.filter(|region| region.id != 0).ok_or_else(unknown)?;
        Ok(Self::new(region, reply.leader, &reply.down_peers))
    }

    fn listed(told: pdpb::Region) -> Option<Self> {
        Some(Self::new(told.region?, told.leader, &told.down_peers))
    }
}

/// A region of which PD knows nothing. While regions split and merge there are moments of that.
fn unknown() -> Failure {
    Failure::new(ErrorKind::Unavailable, "PD does not know the region").retry(&failure::REGION_MISS)
}

impl Pd {
    /// The region that holds a key, which is in PD's encoding.
    pub(crate) async fn region_by_key(&self, pd_key: &Bytes, deadline: Instant) -> Result<RegionInfo, Failure> {
        let request = pdpb::GetRegionRequest { region_key: pd_key.clone(), ..pdpb::GetRegionRequest::default() };
        RegionInfo::told(self.question::<rpc::GetRegion>(request, deadline).await)
    }

    /// The region before the one that holds a key.
    pub(crate) async fn region_before_key(&self, pd_key: &Bytes, deadline: Instant) -> Result<RegionInfo, Failure> {
        let request = pdpb::GetRegionRequest { region_key: pd_key.clone(), ..pdpb::GetRegionRequest::default() };
        RegionInfo::told(self.question::<rpc::GetPrevRegion>(request, deadline).await)
    }

    /// The regions of a range in the order of their keys, from the one that holds its start; 0 for no limit.
    pub(crate) async fn scan_regions(
        &self,
        start: &Bytes,
        end: &Bytes,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<RegionInfo>, Failure> {
        let request = pdpb::ScanRegionsRequest {
            start_key: start.clone(),
            end_key: end.clone(),
            limit: i32::try_from(limit).unwrap_or(i32::MAX),
            ..pdpb::ScanRegionsRequest::default()
        };
        let reply = self.question::<rpc::ScanRegions>(request, deadline).await?;
        if !reply.regions.is_empty() {
            return Ok(reply.regions.into_iter().filter_map(RegionInfo::listed).collect());
        }
        // What PDs of before 2020 tell.
        let leaders = reply.leaders.into_iter().map(Some).chain(std::iter::repeat(None));
        let regions = reply.region_metas.into_iter().zip(leaders);
        Ok(regions.map(|(region, leader)| RegionInfo::new(region, leader, &[])).collect())
    }

    /// The regions of several ranges, which must ascend. A PD that does not know this call is asked for one range after the other.
    pub(crate) async fn batch_scan_regions(
        &self,
        ranges: &[(Bytes, Bytes)],
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<RegionInfo>, Failure> {
        let range = |(start, end): &(Bytes, Bytes)| pdpb::KeyRange { start_key: start.clone(), end_key: end.clone() };
        let request = pdpb::BatchScanRegionsRequest {
            ranges: ranges.iter().map(range).collect(),
            limit: i32::try_from(limit).unwrap_or(i32::MAX),
            ..pdpb::BatchScanRegionsRequest::default()
        };
        match self.question::<rpc::BatchScanRegions>(request, deadline).await {
            Ok(reply) => Ok(reply.regions.into_iter().filter_map(RegionInfo::listed).collect()),
            Err(failure) if is_unimplemented(&failure) => self.scan_each(ranges, limit, deadline).await,
            Err(failure) => Err(failure),
        }
    }

    async fn scan_each(
        &self,
        ranges: &[(Bytes, Bytes)],
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<RegionInfo>, Failure> {
        let most = if limit == 0 { usize::MAX } else { limit };
        let mut found: Vec<RegionInfo> = Vec::new();
        for (start, end) in ranges {
            // Ranges may share a region, which is told once.
            let last = found.last().map(|last| last.region.id);
            let left = if limit == 0 { 0 } else { limit - found.len() + usize::from(last.is_some()) };
            let more = self.scan_regions(start, end, left, deadline).await?;
            found.extend(more.into_iter().filter(|region| Some(region.region.id) != last));
            found.truncate(most);
            if found.len() == most {
                break;
            }
        }
        Ok(found)
    }

    /// A store. One that is not there, or no more, is [`ErrorKind::NotFound`] or told as a tombstone.
    pub(crate) async fn store(&self, id: u64, deadline: Instant) -> Result<metapb::Store, Failure> {
        let request = pdpb::GetStoreRequest { store_id: id, ..pdpb::GetStoreRequest::default() };
        let reply = self.question::<rpc::GetStore>(request, deadline).await?;
        reply.store.ok_or_else(|| answer::lacks("store"))
    }

    /// All stores that are not tombstones.
    pub(crate) async fn all_stores(&self, deadline: Instant) -> Result<Vec<metapb::Store>, Failure> {
        let request =
            pdpb::GetAllStoresRequest { exclude_tombstone_stores: true, ..pdpb::GetAllStoresRequest::default() };
        Ok(self.question::<rpc::GetAllStores>(request, deadline).await?.stores)
    }
}
