//! Splitting regions and spreading them. What is asked for is done when it is answered, so that nothing is ever under way.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use charioteer_proto::tikv::pdpb;

use super::Pd;
use crate::backend::aside;
use crate::grpc::{Code, Status};
use crate::tikv::cluster::{ChangeError, Cluster, Region};

/// How far a split has come.
#[derive(Debug, Default, PartialEq, Eq)]
struct Split {
    finished_percentage: u64,
    regions_id: Vec<u64>,
}

/// How far a scattering has come.
#[derive(Debug, Default, PartialEq, Eq)]
struct Scattered {
    finished_percentage: u64,
    failed_regions_id: Vec<u64>,
}

impl Pd {
    /// Splits regions at these keys.
    pub(crate) async fn split_regions(
        &self,
        request: pdpb::SplitRegionsRequest,
    ) -> Result<pdpb::SplitRegionsResponse, Status> {
        self.check(request.header.as_ref())?;
        let split = self.split(request.split_keys).await?;
        Ok(pdpb::SplitRegionsResponse {
            header: self.header(),
            finished_percentage: split.finished_percentage,
            regions_id: split.regions_id,
        })
    }

    /// Splits regions at these keys and spreads the new ones.
    pub(crate) async fn split_and_scatter_regions(
        &self,
        request: pdpb::SplitAndScatterRegionsRequest,
    ) -> Result<pdpb::SplitAndScatterRegionsResponse, Status> {
        self.check(request.header.as_ref())?;
        let split = self.split(request.split_keys).await?;
        let scattered = self.scatter(split.regions_id.clone()).await?;
        Ok(pdpb::SplitAndScatterRegionsResponse {
            header: self.header(),
            split_finished_percentage: split.finished_percentage,
            scatter_finished_percentage: scattered.finished_percentage,
            regions_id: split.regions_id,
        })
    }

    /// Spreads regions over the stores.
    pub(crate) async fn scatter_region(
        &self,
        request: pdpb::ScatterRegionRequest,
    ) -> Result<pdpb::ScatterRegionResponse, Status> {
        self.check(request.header.as_ref())?;
        if !request.regions_id.is_empty() {
            let Scattered { finished_percentage, failed_regions_id } = self.scatter(request.regions_id).await?;
            let header = self.header();
            return Ok(pdpb::ScatterRegionResponse { header, finished_percentage, failed_regions_id });
        }
        #[expect(deprecated, reason = "older clients name the one region there")]
        let id = request.region_id;
        if self.cluster.region(id).is_none() {
            // As the original says it, without the number.
            let header = self.failure(pdpb::ErrorType::RegionNotFound, "region %d not found");
            return Ok(pdpb::ScatterRegionResponse { header, ..pdpb::ScatterRegionResponse::default() });
        }
        let Scattered { finished_percentage, .. } = self.scatter(vec![id]).await?;
        let header = self.header();
        Ok(pdpb::ScatterRegionResponse { header, finished_percentage, failed_regions_id: Vec::new() })
    }

    /// What is being done to a region: nothing, which those who wait for the end of a scattering take for it.
    pub(crate) async fn get_operator(
        &self,
        request: pdpb::GetOperatorRequest,
    ) -> Result<pdpb::GetOperatorResponse, Status> {
        self.check(request.header.as_ref())?;
        let header = self.failure(pdpb::ErrorType::RegionNotFound, "Not Found");
        Ok(pdpb::GetOperatorResponse { header, ..pdpb::GetOperatorResponse::default() })
    }

    async fn split(&self, keys: Vec<Bytes>) -> Result<Split, Status> {
        let cluster = Arc::clone(&self.cluster);
        aside(move || split(&cluster, &keys)).await.map_err(|error| failed(&error))
    }

    async fn scatter(&self, region_ids: Vec<u64>) -> Result<Scattered, Status> {
        let (count, first) = (region_ids.len() as u64, region_ids.first().copied().unwrap_or_default());
        let cluster = Arc::clone(&self.cluster);
        let missing = aside(move || cluster.scatter(&region_ids)).await.map_err(|error| failed(&error))?;
        let missed = missing.len() as u64;
        match (count, missed) {
            (0, _) => Err(Status::new(Code::Unknown, "[PD:scatter:ErrEmptyRegion]empty region")),
            (1, 1) => Err(Status::new(Code::Unknown, format!("[PD:region:ErrRegionNotFound]region {first} not found"))),
            _ if count == missed => Err(Status::new(Code::Unknown, "[PD:scatter:ErrEmptyRegion]empty region")),
            _ => Ok(Scattered { finished_percentage: 100 - 100 * missed / count, failed_regions_id: missing }),
        }
    }
}

/// Splits regions at those of the keys at which none begins yet. Keys at which one does count for nothing, as in the original.
fn split(cluster: &Cluster, keys: &[Bytes]) -> Result<Split, ChangeError> {
    let mut made = BTreeMap::new();
    let mut left = keys.to_vec();
    while !left.is_empty() {
        let mut overtaken = Vec::new();
        for (region, keys) in by_region(cluster, &left) {
            match cluster.split(&region, &keys) {
                // All parts but the first are new to who asked, also that which keeps the id.
                Ok(parts) => made.extend(parts.iter().skip(1).map(|part| (part.start.clone(), part.id))),
                // It was split or merged meanwhile. This ends: each time, something else did.
                Err(ChangeError::Region(_)) => overtaken.extend(keys),
                Err(ChangeError::Refused(_)) => {}
                Err(error @ ChangeError::Store(_)) => return Err(error),
            }
        }
        left = overtaken;
    }
    let (asked, undone) = (keys.len() as u64, keys.iter().filter(|key| !made.contains_key(*key)).count() as u64);
    // Who asks for nothing is told that nothing is finished.
    let finished_percentage = (100 * undone).checked_div(asked).map_or(0, |undone| 100 - undone);
    Ok(Split { finished_percentage, regions_id: made.into_values().collect() })
}

/// The regions that are to be split at these keys, each with its own.
fn by_region(cluster: &Cluster, keys: &[Bytes]) -> Vec<(Arc<Region>, Vec<Bytes>)> {
    let mut by_region: BTreeMap<u64, (Arc<Region>, Vec<Bytes>)> = BTreeMap::new();
    for key in keys {
        let region = cluster.region_at(key);
        if region.start != *key && region.leader.is_some() {
            by_region.entry(region.id).or_insert_with(|| (region, Vec::new())).1.push(key.clone());
        }
    }
    by_region.into_values().collect()
}

fn failed(error: &ChangeError) -> Status {
    Status::new(Code::Unknown, error.to_string())
}
