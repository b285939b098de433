//! Which region holds a key, and who leads it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use charioteer_proto::tikv::pdpb;

use super::{Pd, check_count};
use crate::grpc::Status;
use crate::tikv::cluster::Region;

impl Pd {
    /// The region that holds a key.
    pub(crate) async fn get_region(&self, request: pdpb::GetRegionRequest) -> Result<pdpb::GetRegionResponse, Status> {
        self.check(request.header.as_ref())?;
        Ok(self.region_response(Some(self.cluster.region_at(&request.region_key))))
    }

    /// The region before the one that holds a key.
    pub(crate) async fn get_prev_region(
        &self,
        request: pdpb::GetRegionRequest,
    ) -> Result<pdpb::GetRegionResponse, Status> {
        self.check(request.header.as_ref())?;
        Ok(self.region_response(self.cluster.region_before(&request.region_key)))
    }

    pub(crate) async fn get_region_by_id(
        &self,
        request: pdpb::GetRegionByIdRequest,
    ) -> Result<pdpb::GetRegionResponse, Status> {
        self.check(request.header.as_ref())?;
        Ok(self.region_response(self.cluster.region(request.region_id)))
    }

    /// Many of those questions at once, for one message of the stream.
    pub(crate) async fn query_region(
        &self,
        request: pdpb::QueryRegionRequest,
    ) -> Result<pdpb::QueryRegionResponse, Status> {
        self.check(request.header.as_ref())?;
        check_count(request.ids.len() + request.keys.len() + request.prev_keys.len())?;
        let mut found = BTreeMap::new();
        let mut id_of = |region: Option<Arc<Region>>| match region {
            Some(region) => {
                found.entry(region.id).or_insert_with(|| answer(&region));
                region.id
            }
            None => 0,
        };
        let key_id_map = request.keys.iter().map(|key| id_of(Some(self.cluster.region_at(key)))).collect();
        let prev_key_id_map = request.prev_keys.iter().map(|key| id_of(self.cluster.region_before(key))).collect();
        for id in request.ids.into_iter().filter(|id| *id != 0) {
            // What is asked for and not there is told as empty.
            found
                .entry(id)
                .or_insert_with(|| self.cluster.region(id).map(|region| answer(&region)).unwrap_or_default());
        }
        let header = self.header();
        Ok(pdpb::QueryRegionResponse { header, key_id_map, prev_key_id_map, regions_by_id: found })
    }

    /// The regions of a range.
    pub(crate) async fn scan_regions(
        &self,
        request: pdpb::ScanRegionsRequest,
    ) -> Result<pdpb::ScanRegionsResponse, Status> {
        self.check(request.header.as_ref())?;
        let regions = self.cluster.regions_between(&request.start_key, &request.end_key, limit_of(request.limit));
        let regions: Vec<_> = regions.iter().map(|region| with_leader(region)).collect();
        Ok(pdpb::ScanRegionsResponse {
            header: self.header(),
            region_metas: regions.iter().filter_map(|region| region.region.clone()).collect(),
            leaders: regions.iter().filter_map(|region| region.leader).collect(),
            regions,
        })
    }

    /// The regions of several ranges, which ascend.
    pub(crate) async fn batch_scan_regions(
        &self,
        request: pdpb::BatchScanRegionsRequest,
    ) -> Result<pdpb::BatchScanRegionsResponse, Status> {
        self.check(request.header.as_ref())?;
        if let Err(why) = check_ranges(&request.ranges) {
            let header = self.failure(pdpb::ErrorType::Unknown, why);
            return Ok(pdpb::BatchScanRegionsResponse { header, regions: Vec::new() });
        }
        let limit = limit_of(request.limit);
        let mut regions: Vec<Arc<Region>> = Vec::new();
        // They ascend, unless one of them has no end; then the rest is in it.
        let mut ranges = request.ranges;
        ranges.sort_by(|one, other| one.start_key.cmp(&other.start_key));
        for range in &ranges {
            let more = self.cluster.regions_between(&range.start_key, &range.end_key, limit);
            // Ranges may share regions, each of which is told once.
            let told = regions.last().map(|last| last.end.clone());
            regions.extend(more.into_iter().filter(|region| told.as_ref().is_none_or(|end| *end <= region.start)));
            if regions.len() >= limit || regions.last().is_some_and(|last| last.end.is_empty()) {
                break;
            }
        }
        let regions = regions.iter().take(limit).map(|region| with_leader(region)).collect();
        Ok(pdpb::BatchScanRegionsResponse { header: self.header(), regions })
    }

    fn region_response(&self, region: Option<Arc<Region>>) -> pdpb::GetRegionResponse {
        pdpb::GetRegionResponse {
            header: self.header(),
            region: region.as_ref().map(|region| region.meta()),
            leader: region.as_ref().and_then(|region| region.leader_peer()),
            ..pdpb::GetRegionResponse::default()
        }
    }
}

fn answer(region: &Region) -> pdpb::RegionResponse {
    pdpb::RegionResponse {
        region: Some(region.meta()),
        leader: region.leader_peer(),
        ..pdpb::RegionResponse::default()
    }
}

/// A region of a scan, where a missing leader is an empty peer.
fn with_leader(region: &Region) -> pdpb::Region {
    let leader = region.leader_peer().unwrap_or_default();
    pdpb::Region { leader: Some(leader), ..region.message() }
}

/// How many regions at most; 0 and less for all.
fn limit_of(limit: i32) -> usize {
    usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX)
}

fn check_ranges(ranges: &[pdpb::KeyRange]) -> Result<(), &'static str> {
    let mut last_end = &Bytes::new();
    for range in ranges {
        if range.start_key < *last_end {
            return Err("invalid key range, ranges overlapped");
        }
        if !range.end_key.is_empty() && range.start_key > range.end_key {
            return Err("invalid key range, start key > end key");
        }
        last_end = &range.end_key;
    }
    Ok(())
}
