//! Which of PD's methods answers a call.

use charioteer_proto::tikv::grpchealth::HealthCheckResponse;
use charioteer_proto::tikv::grpchealth::health_check_response::ServingStatus;
use charioteer_proto::tikv::rpc::{self, Call};

use super::pd::Dialled;
use super::service::{Endpoint, only_request};
use crate::backend::Rows;
use crate::grpc::{Exchange, Status};

/// Whoever asks gets an answer, so that there is nothing else to say.
pub(super) const SERVING: HealthCheckResponse = HealthCheckResponse { status: ServingStatus::Serving as i32 };

/// Has a call of one request and one reply answered by the method of PD behind its name, or goes on with the expression at the end.
macro_rules! answer {
    ($endpoint:ident, $call:ident, $exchange:ident: $($name:ident $method:ident,)*; $rest:expr) => {
        match $call {
            $(Call::$name => {
                let pd = $endpoint.service.pd();
                $endpoint.unary::<rpc::$name, _>($exchange, |asked| pd.$method(asked)).await
            })*
            _ => $rest,
        }
    };
}

impl<R: Rows> Endpoint<R> {
    /// Answers a call at PD's port.
    pub(super) async fn answer_pd(&self, call: Call, exchange: &mut Exchange) -> Result<(), Status> {
        let pd = self.service.pd();
        match call {
            Call::Tso => self.each::<rpc::Tso, _>(exchange, |asked| pd.tso(asked)).await,
            Call::QueryRegion => self.each::<rpc::QueryRegion, _>(exchange, |asked| pd.query_region(asked)).await,
            Call::HealthCheck => self.unary::<rpc::HealthCheck, _>(exchange, |_| async { Ok(SERVING) }).await,
            Call::HealthWatch => self.watch_health(exchange).await,
            Call::WatchGlobalConfig => self.watch_global_config(exchange).await,
            Call::WatchKeyspaces => self.watch_keyspaces(exchange).await,
            _ => self.answer_by_address(call, exchange).await,
        }
    }

    /// What is told of addresses, which depends on how the client reached PD.
    async fn answer_by_address(&self, call: Call, exchange: &mut Exchange) -> Result<(), Status> {
        let (pd, dialled) = (self.service.pd(), self.dialled(exchange));
        match call {
            Call::GetMembers => {
                self.unary::<rpc::GetMembers, _>(exchange, |asked| pd.get_members(asked, &dialled)).await
            }
            Call::GetStore => self.unary::<rpc::GetStore, _>(exchange, |asked| pd.get_store(asked, &dialled)).await,
            Call::GetAllStores => {
                self.unary::<rpc::GetAllStores, _>(exchange, |asked| pd.get_all_stores(asked, &dialled)).await
            }
            Call::EtcdMemberList => {
                self.unary::<rpc::EtcdMemberList, _>(exchange, |asked| pd.etcd_member_list(asked, &dialled)).await
            }
            _ => self.answer_about_cluster(call, exchange).await,
        }
    }

    async fn answer_about_cluster(&self, call: Call, exchange: &mut Exchange) -> Result<(), Status> {
        answer! { self, call, exchange:
            GetClusterInfo get_cluster_info,
            GetClusterConfig get_cluster_config,
            IsBootstrapped is_bootstrapped,
            Bootstrap bootstrap,
            AllocId alloc_id,
            PutStore put_store,
            GetMinTs get_min_ts,
            GetExternalTimestamp get_external_timestamp,
            SetExternalTimestamp set_external_timestamp,
            GetRegion get_region,
            GetPrevRegion get_prev_region,
            GetRegionById get_region_by_id,
            ScanRegions scan_regions,
            BatchScanRegions batch_scan_regions,
            ; self.answer_about_changes(call, exchange).await
        }
    }

    async fn answer_about_changes(&self, call: Call, exchange: &mut Exchange) -> Result<(), Status> {
        answer! { self, call, exchange:
            SplitRegions split_regions,
            SplitAndScatterRegions split_and_scatter_regions,
            ScatterRegion scatter_region,
            GetOperator get_operator,
            StoreGlobalConfig store_global_config,
            LoadGlobalConfig load_global_config,
            LoadKeyspace load_keyspace,
            LoadKeyspaceById load_keyspace_by_id,
            LookupKeyspace lookup_keyspace,
            GetAllKeyspaces get_all_keyspaces,
            UpdateKeyspaceState update_keyspace_state,
            EtcdRange etcd_range,
            EtcdPut etcd_put,
            MetaStorageGet meta_storage_get,
            ; self.answer_about_garbage(call, exchange).await
        }
    }

    async fn answer_about_garbage(&self, call: Call, exchange: &mut Exchange) -> Result<(), Status> {
        answer! { self, call, exchange:
            GetGcSafePoint get_gc_safe_point,
            UpdateGcSafePoint update_gc_safe_point,
            UpdateServiceGcSafePoint update_service_gc_safe_point,
            GetGcState get_gc_state,
            GetAllKeyspacesGcStates get_all_keyspaces_gc_states,
            AdvanceTxnSafePoint advance_txn_safe_point,
            AdvanceGcSafePoint advance_gc_safe_point,
            SetGcBarrier set_gc_barrier,
            DeleteGcBarrier delete_gc_barrier,
            SetGlobalGcBarrier set_global_gc_barrier,
            DeleteGlobalGcBarrier delete_global_gc_barrier,
            ; Err(Status::unimplemented(format!("{} is not served by PD", call.path())))
        }
    }

    /// Says once that all is well, and nothing else until the end.
    pub(super) async fn watch_health(&self, exchange: &mut Exchange) -> Result<(), Status> {
        let (_request, _room) = only_request::<rpc::HealthWatch>(exchange).await?;
        exchange.replies.send(&SERVING).await?;
        exchange.wait_for(std::future::pending()).await
    }

    /// How the client reached PD, which is how it is told of it.
    fn dialled(&self, exchange: &Exchange) -> Dialled {
        Dialled::new(exchange.authority(), self.local, self.service.handshakes().is_some())
    }
}
