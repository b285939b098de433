//! Splitting regions, and spreading them over stores.

use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::pdpb::{self, OperatorStatus};
use charioteer_proto::tikv::rpc;
use tokio::time::Instant;

use super::Pd;
use crate::error::{ErrorKind, Failure};
use crate::tikv::failure;

/// How long it takes until PD is asked again whether an operator has finished.
const OPERATORS_TAKE: Duration = Duration::from_millis(50);

/// How often PD is to try it again by itself.
const RETRIES: u64 = 5;

/// The same for splits: not at all. Where a region begins already it would wait longer before each of them, to no end.
const RETRIES_OF_SPLITS: u64 = 0;

/// What came of splitting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    /// How much of it was done, in percent.
    pub(crate) finished_percent: u64,
    /// The regions that have come of it.
    pub(crate) regions: Vec<u64>,
}

/// What PD is doing with a region, or has done last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    /// Such as `scatter-region`.
    pub(crate) description: String,
    pub(crate) is_running: bool,
    pub(crate) has_succeeded: bool,
}

impl Pd {
    /// Splits regions at these keys, which are in PD's encoding.
    pub(crate) async fn split_regions(&self, pd_keys: Vec<Bytes>, deadline: Instant) -> Result<Split, Failure> {
        let request = pdpb::SplitRegionsRequest { header: None, split_keys: pd_keys, retry_limit: RETRIES_OF_SPLITS };
        let reply = self.question::<rpc::SplitRegions>(request, deadline).await?;
        Ok(Split { finished_percent: reply.finished_percentage, regions: reply.regions_id })
    }

    /// Spreads regions over the stores, those of one group as evenly as can be.
    pub(crate) async fn scatter_regions(
        &self,
        regions: Vec<u64>,
        group: &str,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let request = pdpb::ScatterRegionRequest {
            regions_id: regions,
            group: group.to_owned(),
            retry_limit: RETRIES,
            ..pdpb::ScatterRegionRequest::default()
        };
        let reply = self.question::<rpc::ScatterRegion>(request, deadline).await?;
        if reply.failed_regions_id.is_empty() {
            return Ok(());
        }
        let message = format!("PD could not scatter the regions {:?}", reply.failed_regions_id);
        Err(Failure::new(ErrorKind::Unavailable, message).passing())
    }

    /// What PD is doing with a region, if anything.
    pub(crate) async fn operator(&self, region: u64, deadline: Instant) -> Result<Option<Operator>, Failure> {
        let request = pdpb::GetOperatorRequest { region_id: region, ..pdpb::GetOperatorRequest::default() };
        match self.question::<rpc::GetOperator>(request, deadline).await {
            Ok(reply) => Ok(Some(Operator {
                description: String::from_utf8_lossy(&reply.desc).into_owned(),
                is_running: reply.status() == OperatorStatus::Running,
                has_succeeded: reply.status() == OperatorStatus::Success,
            })),
            Err(failure) if is_without_operator(&failure) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Waits until PD has finished spreading a region.
    pub(crate) async fn scattered(&self, region: u64, deadline: Instant) -> Result<(), Failure> {
        loop {
            match self.operator(region, deadline).await? {
                Some(operator) if operator.is_running && operator.description == "scatter-region" => {}
                _ => return Ok(()),
            }
            if Instant::now() + OPERATORS_TAKE >= deadline {
                let message = format!("PD has not finished spreading region {region}");
                return Err(Failure::new(ErrorKind::Timeout, message).retry(&failure::PD));
            }
            tokio::time::sleep(OPERATORS_TAKE).await;
        }
    }
}

fn is_without_operator(failure: &Failure) -> bool {
    let code = failure.server_code.as_deref();
    code == Some(pdpb::ErrorType::RegionNotFound.as_str_name()) || failure.message.contains("operator not found")
}
