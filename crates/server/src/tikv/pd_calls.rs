//! Which of PD's methods answers a call.

use charioteer_proto::tikv::grpchealth::HealthCheckResponse;
use charioteer_proto::tikv::grpchealth::health_check_response::ServingStatus;
use charioteer_proto::tikv::rpc::{self, Call};

use super::pd::Dialled;
use super::service::Endpoint;
use crate::backend::Raw;
use crate::grpc::{Exchange, Status};

/// Whoever asks gets an answer, so that there is nothing else to say.
pub(super) const SERVING: HealthCheckResponse = HealthCheckResponse { status: ServingStatus::Serving as i32 };

impl<R: Raw> Endpoint<R> {
    /// Answers a call at PD's port.
    pub(super) async fn answer_pd(&self, call: Call, exchange: &mut Exchange) -> Result<(), Status> {
        let pd = self.service.pd();
        match call {
            Call::GetMembers => {
                let dialled = self.dialled(exchange);
                self.unary::<rpc::GetMembers, _>(exchange, |asked| pd.get_members(asked, &dialled)).await
            }
            Call::GetClusterInfo => {
                self.unary::<rpc::GetClusterInfo, _>(exchange, |asked| pd.get_cluster_info(asked)).await
            }
            Call::Tso => self.each::<rpc::Tso, _>(exchange, |asked| pd.tso(asked)).await,
            Call::GetMinTs => self.unary::<rpc::GetMinTs, _>(exchange, |asked| pd.get_min_ts(asked)).await,
            Call::HealthCheck => self.unary::<rpc::HealthCheck, _>(exchange, |_| async { Ok(SERVING) }).await,
            Call::IsBootstrapped => {
                self.unary::<rpc::IsBootstrapped, _>(exchange, |asked| pd.is_bootstrapped(asked)).await
            }
            Call::Bootstrap => self.unary::<rpc::Bootstrap, _>(exchange, |asked| pd.bootstrap(asked)).await,
            Call::AllocId => self.unary::<rpc::AllocId, _>(exchange, |asked| pd.alloc_id(asked)).await,
            Call::GetClusterConfig => {
                self.unary::<rpc::GetClusterConfig, _>(exchange, |asked| pd.get_cluster_config(asked)).await
            }
            _ => self.answer_about_shape(call, exchange).await,
        }
    }

    /// Regions and stores.
    async fn answer_about_shape(&self, call: Call, exchange: &mut Exchange) -> Result<(), Status> {
        let pd = self.service.pd();
        match call {
            Call::GetRegion => self.unary::<rpc::GetRegion, _>(exchange, |asked| pd.get_region(asked)).await,
            Call::GetPrevRegion => {
                self.unary::<rpc::GetPrevRegion, _>(exchange, |asked| pd.get_prev_region(asked)).await
            }
            Call::GetRegionById => {
                self.unary::<rpc::GetRegionById, _>(exchange, |asked| pd.get_region_by_id(asked)).await
            }
            Call::QueryRegion => self.each::<rpc::QueryRegion, _>(exchange, |asked| pd.query_region(asked)).await,
            Call::ScanRegions => self.unary::<rpc::ScanRegions, _>(exchange, |asked| pd.scan_regions(asked)).await,
            Call::BatchScanRegions => {
                self.unary::<rpc::BatchScanRegions, _>(exchange, |asked| pd.batch_scan_regions(asked)).await
            }
            Call::GetStore => {
                let dialled = self.dialled(exchange);
                self.unary::<rpc::GetStore, _>(exchange, |asked| pd.get_store(asked, &dialled)).await
            }
            Call::GetAllStores => {
                let dialled = self.dialled(exchange);
                self.unary::<rpc::GetAllStores, _>(exchange, |asked| pd.get_all_stores(asked, &dialled)).await
            }
            Call::PutStore => self.unary::<rpc::PutStore, _>(exchange, |asked| pd.put_store(asked)).await,
            _ => self.answer_about_keyspaces(call, exchange).await,
        }
    }

    async fn answer_about_keyspaces(&self, call: Call, exchange: &mut Exchange) -> Result<(), Status> {
        let pd = self.service.pd();
        match call {
            Call::LoadKeyspace => self.unary::<rpc::LoadKeyspace, _>(exchange, |asked| pd.load_keyspace(asked)).await,
            Call::LoadKeyspaceById => {
                self.unary::<rpc::LoadKeyspaceById, _>(exchange, |asked| pd.load_keyspace_by_id(asked)).await
            }
            Call::LookupKeyspace => {
                self.unary::<rpc::LookupKeyspace, _>(exchange, |asked| pd.lookup_keyspace(asked)).await
            }
            Call::GetAllKeyspaces => {
                self.unary::<rpc::GetAllKeyspaces, _>(exchange, |asked| pd.get_all_keyspaces(asked)).await
            }
            Call::UpdateKeyspaceState => {
                self.unary::<rpc::UpdateKeyspaceState, _>(exchange, |asked| pd.update_keyspace_state(asked)).await
            }
            other => Err(Status::unimplemented(format!("{} is not served by PD", other.path()))),
        }
    }

    /// How the client reached PD, which is how it is told of it.
    fn dialled(&self, exchange: &Exchange) -> Dialled {
        Dialled::new(exchange.authority(), self.local, false)
    }
}
