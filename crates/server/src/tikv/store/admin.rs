//! What is not about rows by their keys: splits, ranges of whatever there is, safe points, health.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use charioteer_engine::mvcc::{self, KeyRange};
use charioteer_engine::raw::{DeleteRange, Family};
use charioteer_proto::tikv::kvrpcpb::{
    GetHealthFeedbackRequest, GetHealthFeedbackResponse, RawCoprocessorRequest, RawCoprocessorResponse,
    SplitRegionRequest, SplitRegionResponse, StoreSafeTsResponse, UnsafeDestroyRangeRequest,
    UnsafeDestroyRangeResponse,
};
use charioteer_proto::tikv::{memcomparable, metapb, rpc};

use super::super::cluster::{Access, ChangeError};
use super::api::{Rule, Version};
use super::place::pd_key;
use super::refusal::Refusal;
use super::{Serve, Serving, Store};
use crate::backend::{Raw, Rows, Soon, aside};

impl<R: Rows> Store<R> {
    /// Up to which time readers may ask any peer. All read the same rows, and mind the locks there.
    pub(crate) fn get_store_safe_ts(&self) -> StoreSafeTsResponse {
        StoreSafeTsResponse { safe_ts: self.pd.safe_ts() }
    }
}

impl<R: Rows> Serve<rpc::GetHealthFeedback> for Store<R> {
    fn serve(&self, asked: GetHealthFeedbackRequest) -> Serving<GetHealthFeedbackResponse> {
        self.check_cluster(asked.context.as_ref())?;
        let health_feedback = Some(self.health.feedback());
        Ok(Soon::Ready(Ok(GetHealthFeedbackResponse { health_feedback, ..GetHealthFeedbackResponse::default() })))
    }
}

impl<R: Rows> Serve<rpc::RawCoprocessor> for Store<R> {
    /// As a store answers that has no folder of plug-ins.
    fn serve(&self, asked: RawCoprocessorRequest) -> Serving<RawCoprocessorResponse> {
        self.check_cluster(asked.context.as_ref())?;
        Err(Rule::Other("Coprocessor plugin is disabled!".to_owned()).into())
    }
}

impl<R: Rows> Serve<rpc::UnsafeDestroyRange> for Store<R> {
    /// Removes what lies in a range of any regions, raw and of transactions, in all families. As in the original the range is one of memcomparable keys, so that
    /// where keys are stored as they come, those are removed that lie between the encodings of the bounds.
    fn serve(&self, asked: UnsafeDestroyRangeRequest) -> Serving<UnsafeDestroyRangeResponse> {
        let context = asked.context.as_ref();
        self.check_cluster(context)?;
        let version = self.api.of_raw_keys(context);
        if asked.start_key.is_empty() || asked.end_key.is_empty() {
            return Err(Rule::Other("a range to be destroyed has a start and an end".to_owned()).into());
        }
        let range = match version {
            Version::V2 => DeleteRange::new(asked.start_key.clone(), asked.end_key.clone()),
            Version::V1 | Version::V1Ttl => {
                DeleteRange::new(memcomparable::encode(&asked.start_key), memcomparable::encode(&asked.end_key))
            }
        };
        let rows = KeyRange { start: asked.start_key.clone(), end: asked.end_key.clone() };
        let rows = self.submit_pieces(version.keys(), mvcc::DeleteRange::new(rows), Ok);
        let raw = self.rows.raw().clone();
        Ok(Soon::later(async move {
            let _: Result<(), Infallible> = rows.wait().await?;
            for family in Family::ALL {
                raw.delete_range(version.keys(), family, range.clone()).wait().await?;
            }
            Ok(UnsafeDestroyRangeResponse::default())
        }))
    }
}

impl<R: Rows> Serve<rpc::SplitRegion> for Store<R> {
    fn serve(&self, asked: SplitRegionRequest) -> Serving<SplitRegionResponse> {
        let context = asked.context.as_ref();
        self.check_cluster(context)?;
        let version = self.api.of_raw_keys(context);
        let region = self.cluster.admit(self.id, context, Access::Write)?;
        let is_in = |key: &Bytes| region.holds(key) && *key != region.start;
        let to_pd = |key: &Bytes| if asked.is_raw_kv { pd_key(version, key) } else { memcomparable::encode(key) };
        let keys: Vec<Bytes> = keys_of(&asked).iter().map(to_pd).filter(is_in).collect();
        if keys.is_empty() {
            return Err(Rule::Other("failed to split: no valid key found for split.".to_owned()).into());
        }
        let cluster = Arc::clone(&self.cluster);
        let split = aside(move || cluster.split(&region, &keys));
        Ok(Soon::later(async move {
            let regions: Vec<metapb::Region> = split.await?.iter().map(|region| region.meta()).collect();
            Ok(told(regions))
        }))
    }
}

/// The only one where it is given, as by clients of old.
#[expect(deprecated, reason = "clients of old name one key")]
fn keys_of(asked: &SplitRegionRequest) -> Vec<Bytes> {
    if asked.split_key.is_empty() { asked.split_keys.clone() } else { vec![asked.split_key.clone()] }
}

#[expect(deprecated, reason = "clients of old look for two regions there")]
fn told(regions: Vec<metapb::Region>) -> SplitRegionResponse {
    let (left, right) = match &regions[..] {
        [left, right] => (Some(left.clone()), Some(right.clone())),
        _ => (None, None),
    };
    SplitRegionResponse { left, right, regions, ..SplitRegionResponse::default() }
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Region(error) => Self::Region(error),
            ChangeError::Refused(why) => Rule::Other(format!("failed to split: {why}")).into(),
            ChangeError::Store(error) => error.into(),
        }
    }
}
