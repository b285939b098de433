//! Which of PD's methods answers a call. The calls whose replies have no end are [`pd_watches`](super::pd_watches)'.

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
            Call::WatchKeyspaces => self.watch_keyspaces(exchange).await,
            _ => self.answer_about_operators(call, exchange).await,
        }
    }

    /// Splits, and leaders spread.
    async fn answer_about_operators(&self, call: Call, exchange: &mut Exchange) -> Result<(), Status> {
        let pd = self.service.pd();
        match call {
            Call::SplitRegions => self.unary::<rpc::SplitRegions, _>(exchange, |asked| pd.split_regions(asked)).await,
            Call::ScatterRegion => {
                self.unary::<rpc::ScatterRegion, _>(exchange, |asked| pd.scatter_region(asked)).await
            }
            Call::SplitAndScatterRegions => {
                let answer = |asked| pd.split_and_scatter_regions(asked);
                self.unary::<rpc::SplitAndScatterRegions, _>(exchange, answer).await
            }
            Call::GetOperator => self.unary::<rpc::GetOperator, _>(exchange, |asked| pd.get_operator(asked)).await,
            _ => self.answer_about_collection(call, exchange).await,
        }
    }

    /// Garbage collection.
    async fn answer_about_collection(&self, call: Call, exchange: &mut Exchange) -> Result<(), Status> {
        let pd = self.service.pd();
        match call {
            Call::GetGcState => self.unary::<rpc::GetGcState, _>(exchange, |asked| pd.get_gc_state(asked)).await,
            Call::GetAllKeyspacesGcStates => {
                let answer = |asked| pd.get_all_keyspaces_gc_states(asked);
                self.unary::<rpc::GetAllKeyspacesGcStates, _>(exchange, answer).await
            }
            Call::AdvanceTxnSafePoint => {
                self.unary::<rpc::AdvanceTxnSafePoint, _>(exchange, |asked| pd.advance_txn_safe_point(asked)).await
            }
            Call::AdvanceGcSafePoint => {
                self.unary::<rpc::AdvanceGcSafePoint, _>(exchange, |asked| pd.advance_gc_safe_point(asked)).await
            }
            Call::GetGcSafePoint => {
                self.unary::<rpc::GetGcSafePoint, _>(exchange, |asked| pd.get_gc_safe_point(asked)).await
            }
            Call::UpdateGcSafePoint => {
                self.unary::<rpc::UpdateGcSafePoint, _>(exchange, |asked| pd.update_gc_safe_point(asked)).await
            }
            _ => self.answer_about_barriers(call, exchange).await,
        }
    }

    async fn answer_about_barriers(&self, call: Call, exchange: &mut Exchange) -> Result<(), Status> {
        let pd = self.service.pd();
        match call {
            Call::UpdateServiceGcSafePoint => {
                let answer = |asked| pd.update_service_gc_safe_point(asked);
                self.unary::<rpc::UpdateServiceGcSafePoint, _>(exchange, answer).await
            }
            Call::SetGcBarrier => self.unary::<rpc::SetGcBarrier, _>(exchange, |asked| pd.set_gc_barrier(asked)).await,
            Call::DeleteGcBarrier => {
                self.unary::<rpc::DeleteGcBarrier, _>(exchange, |asked| pd.delete_gc_barrier(asked)).await
            }
            Call::SetGlobalGcBarrier => {
                self.unary::<rpc::SetGlobalGcBarrier, _>(exchange, |asked| pd.set_global_gc_barrier(asked)).await
            }
            Call::DeleteGlobalGcBarrier => {
                let answer = |asked| pd.delete_global_gc_barrier(asked);
                self.unary::<rpc::DeleteGlobalGcBarrier, _>(exchange, answer).await
            }
            _ => self.answer_about_settings(call, exchange).await,
        }
    }

    /// What is kept for others: settings, a timestamp, etcd's keys.
    async fn answer_about_settings(&self, call: Call, exchange: &mut Exchange) -> Result<(), Status> {
        let pd = self.service.pd();
        match call {
            Call::StoreGlobalConfig => {
                self.unary::<rpc::StoreGlobalConfig, _>(exchange, |asked| pd.store_global_config(asked)).await
            }
            Call::LoadGlobalConfig => {
                self.unary::<rpc::LoadGlobalConfig, _>(exchange, |asked| pd.load_global_config(asked)).await
            }
            Call::WatchGlobalConfig => self.watch_global_config(exchange).await,
            Call::SetExternalTimestamp => {
                self.unary::<rpc::SetExternalTimestamp, _>(exchange, |asked| pd.set_external_timestamp(asked)).await
            }
            Call::GetExternalTimestamp => {
                self.unary::<rpc::GetExternalTimestamp, _>(exchange, |asked| pd.get_external_timestamp(asked)).await
            }
            Call::EtcdMemberList => {
                let dialled = self.dialled(exchange);
                self.unary::<rpc::EtcdMemberList, _>(exchange, |asked| pd.etcd_member_list(asked, &dialled)).await
            }
            Call::EtcdRange => self.unary::<rpc::EtcdRange, _>(exchange, |asked| pd.etcd_range(asked)).await,
            Call::EtcdPut => self.unary::<rpc::EtcdPut, _>(exchange, |asked| pd.etcd_put(asked)).await,
            other => Err(Status::unimplemented(format!("{} is not served by PD", other.path()))),
        }
    }

    /// How the client reached PD, which is how it is told of it.
    fn dialled(&self, exchange: &Exchange) -> Dialled {
        Dialled::new(exchange.authority(), self.local, false)
    }
}
