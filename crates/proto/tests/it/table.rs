//! Every call and every struct of the protocol, so that a test (or a fuzz target) can say once what holds for all of them.
//!
//! A struct is listed with the names of its fields; the compiler refuses the list when one is missing, and refuses a call whose
//! argument or result is not listed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::{Ipv4Addr, SocketAddrV4};

use bytes::{Bytes, BytesMut};
use charioteer_proto::pegasus::rows::Rows;
use charioteer_proto::pegasus::rpc::{self, Call, Rpc};
use charioteer_proto::pegasus::special::{ErrorCode, HostPort, PartitionId, RpcAddress, Text};
use charioteer_proto::pegasus::thrift::{self, Value};
use charioteer_proto::pegasus::{admin, data, meta, node};

/// What can stand in a frame.
pub(crate) trait Message: Value + Default + Debug + PartialEq + Sample {}

impl<T: Value + Default + Debug + PartialEq + Sample> Message for T {}

/// Something to do with a struct of any type.
pub(crate) trait StructVisitor {
    type Out;
    fn visit<T: Message>(self) -> Self::Out;
}

/// Something to do with a call of any kind.
pub(crate) trait CallVisitor {
    type Out;
    fn visit<R: Rpc<Request: Message, Reply: Message>>(self) -> Self::Out;
}

/// Bytes that become a value: the same bytes the same value, zeros the smallest one.
pub(crate) struct Entropy<'a> {
    bytes: &'a [u8],
    /// What follows when the bytes have been used up.
    then: u8,
}

impl<'a> Entropy<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, then: 0 }
    }

    /// For values in which every field is there and every container holds one element.
    pub(crate) fn full() -> Self {
        Self { bytes: &[], then: 1 }
    }

    fn byte(&mut self) -> u8 {
        match self.bytes.split_first() {
            Some((&first, rest)) => {
                self.bytes = rest;
                first
            }
            None => self.then,
        }
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    fn counted(&mut self) -> Vec<u8> {
        let length = self.byte() % 24;
        (0..length).map(|_| self.byte()).collect()
    }

    fn many<T: Sample, C: FromIterator<T>>(&mut self) -> C {
        let count = self.byte() % 5;
        (0..count).map(|_| T::sample(self)).collect()
    }
}

/// A value made from bytes.
pub(crate) trait Sample: Sized {
    fn sample(entropy: &mut Entropy<'_>) -> Self;
}

macro_rules! sample {
    ($($type:ty: |$entropy:ident| $value:expr;)*) => {$(
        impl Sample for $type {
            fn sample($entropy: &mut Entropy<'_>) -> Self {
                $value
            }
        }
    )*};
}

sample! {
    bool: |entropy| entropy.byte() % 2 == 1;
    u16: |entropy| Self::from_be_bytes(entropy.array());
    i32: |entropy| match entropy.byte() {
        0 => 0,
        1 => 1,
        2 => -1,
        3 => Self::MIN,
        4 => Self::MAX,
        _ => Self::from_be_bytes(entropy.array()),
    };
    i64: |entropy| match entropy.byte() {
        0 => 0,
        1 => 1,
        2 => -1,
        3 => Self::MIN,
        4 => Self::MAX,
        _ => Self::from_be_bytes(entropy.array()),
    };
    Bytes: |entropy| Self::from(entropy.counted());
    Text: |entropy| String::from_utf8_lossy(&entropy.counted()).into_owned().into();
    PartitionId: |entropy| Self { table_id: Sample::sample(entropy), index: Sample::sample(entropy) };
    RpcAddress: |entropy| match entropy.byte() {
        0 => Self::INVALID,
        _ => SocketAddrV4::new(Ipv4Addr::from(entropy.array()), Sample::sample(entropy)).into(),
    };
    HostPort: |entropy| match entropy.byte() {
        0 => Self::default(),
        _ => Self { host: Sample::sample(entropy), port: Sample::sample(entropy), kind: entropy.byte() },
    };
    ErrorCode: |entropy| match entropy.byte() {
        0 => Self::OK,
        1 => Self::BUSY,
        2 => Self::OBJECT_NOT_FOUND,
        _ => error_code(&Text::sample(entropy)),
    };
}

/// The error of that name, also of names that no constant stands for.
pub(crate) fn error_code(name: &Text) -> ErrorCode {
    let mut wire = BytesMut::new();
    thrift::encode(name, &mut wire);
    thrift::decode(wire.freeze()).expect("an error code stands on the wire like a text")
}

impl<T: Sample> Sample for Option<T> {
    fn sample(entropy: &mut Entropy<'_>) -> Self {
        bool::sample(entropy).then(|| T::sample(entropy))
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(entropy: &mut Entropy<'_>) -> Self {
        entropy.many()
    }
}

impl Sample for Rows {
    fn sample(entropy: &mut Entropy<'_>) -> Self {
        Vec::sample(entropy).into_iter().collect()
    }
}

impl<T: Sample + Ord> Sample for BTreeSet<T> {
    fn sample(entropy: &mut Entropy<'_>) -> Self {
        entropy.many()
    }
}

impl<K: Sample + Ord, V: Sample> Sample for BTreeMap<K, V> {
    fn sample(entropy: &mut Entropy<'_>) -> Self {
        entropy.many()
    }
}

impl<A: Sample, B: Sample> Sample for (A, B) {
    fn sample(entropy: &mut Entropy<'_>) -> Self {
        (A::sample(entropy), B::sample(entropy))
    }
}

macro_rules! structs {
    ($($module:ident::$name:ident { $($field:ident)* })*) => {
        $(
            impl Sample for $module::$name {
                #[allow(unused_variables, reason = "an empty struct needs no bytes")]
                fn sample(entropy: &mut Entropy<'_>) -> Self {
                    Self { $($field: Sample::sample(entropy),)* }
                }
            }
        )*

        /// One function per struct, and one per type that stands in a frame without being a struct.
        pub(crate) fn structs<V: StructVisitor>() -> Vec<fn(V) -> V::Out> {
            vec![
                $(V::visit::<$module::$name>,)*
                V::visit::<i32>,
                V::visit::<i64>,
                V::visit::<bool>,
                V::visit::<Text>,
                V::visit::<Bytes>,
                V::visit::<PartitionId>,
                V::visit::<RpcAddress>,
                V::visit::<HostPort>,
                V::visit::<ErrorCode>,
            ]
        }
    };
}

macro_rules! calls {
    ($($name:ident)*) => {
        /// Does it with `call`; `None` for a call that is not listed here.
        pub(crate) fn visit_call<V: CallVisitor>(call: Call, visitor: V) -> Option<V::Out> {
            match call {
                $(Call::$name => Some(visitor.visit::<rpc::$name>()),)*
                _ => None,
            }
        }
    };
}

calls! {
    Get Put Remove MultiPut MultiRemove Incr CheckAndSet CheckAndMutate MultiGet BatchGet SortkeyCount Ttl
    GetScanner Scan ClearScanner QueryConfig CreateApp DropApp RecallApp RenameApp ListApps ListNodes ClusterInfo
    UpdateAppEnv ControlMeta ProposeBalancer Diagnose StartManualCompact QueryManualCompact GetMaxReplicaCount
    SetMaxReplicaCount GetAtomicIdempotent SetAtomicIdempotent AddDuplication ModifyDuplication QueryDuplication
    ListDuplication StartBackup QueryBackupStatus StartRestore QueryRestore StartPartitionSplit QueryPartitionSplit
    ControlPartitionSplit StartBulkLoad ControlBulkLoad StartRecovery QueryAppInfo QueryDiskInfo Negotiation
    RemoteCommand
}

structs! {
    data::UpdateRequest { key value expire_ts_seconds update_type check_value_returned check_value_exist check_value }
    data::UpdateResponse { error app_id partition_index decree server }
    data::ReadResponse { error value app_id partition_index server }
    data::TtlResponse { error ttl_seconds app_id partition_index server }
    data::CountResponse { error count app_id partition_index server }
    data::KeyValue { key value expire_ts_seconds }
    data::MultiPutRequest { hash_key kvs expire_ts_seconds }
    data::MultiRemoveRequest { hash_key sort_keys max_count }
    data::MultiRemoveResponse { error count app_id partition_index decree server }
    data::MultiGetRequest {
        hash_key sort_keys max_kv_count max_kv_size no_value start_sortkey stop_sortkey start_inclusive
        stop_inclusive sort_key_filter_type sort_key_filter_pattern reverse
    }
    data::MultiGetResponse { error kvs app_id partition_index server }
    data::FullKey { hash_key sort_key }
    data::BatchGetRequest { keys }
    data::FullData { hash_key sort_key value }
    data::BatchGetResponse { error data app_id partition_index server }
    data::IncrRequest { key increment expire_ts_seconds }
    data::IncrResponse { error new_value app_id partition_index decree server }
    data::CheckAndSetRequest {
        hash_key check_sort_key check_type check_operand set_diff_sort_key set_sort_key set_value
        set_expire_ts_seconds return_check_value
    }
    data::CheckAndSetResponse {
        error check_value_returned check_value_exist check_value app_id partition_index decree server
    }
    data::Mutate { operation sort_key value set_expire_ts_seconds }
    data::CheckAndMutateRequest { hash_key check_sort_key check_type check_operand mutate_list return_check_value }
    data::CheckAndMutateResponse {
        error check_value_returned check_value_exist check_value app_id partition_index decree server
    }
    data::GetScannerRequest {
        start_key stop_key start_inclusive stop_inclusive batch_size no_value hash_key_filter_type
        hash_key_filter_pattern sort_key_filter_type sort_key_filter_pattern validate_partition_hash
        return_expire_ts full_scan only_return_count
    }
    data::ScanRequest { context_id }
    data::ScanResponse { error kvs context_id app_id partition_index server kv_count }
    meta::QueryCfgRequest { app_name partition_indices }
    meta::QueryCfgResponse { err app_id partition_count is_stateful partitions }
    meta::PartitionConfiguration {
        pid ballot max_replica_count primary secondaries last_drops last_committed_decree partition_flags hp_primary
        hp_secondaries hp_last_drops
    }
    meta::AppInfo {
        status app_type app_name app_id partition_count envs is_stateful max_replica_count expire_second
        create_second drop_second duplicating init_partition_count is_bulk_loading atomic_idempotent
    }
    meta::CreateAppOptions {
        partition_count replica_count success_if_exist app_type is_stateful envs atomic_idempotent
    }
    meta::CreateAppRequest { app_name options }
    meta::CreateAppResponse { err appid }
    meta::DropAppOptions { success_if_not_exist reserve_seconds }
    meta::DropAppRequest { app_name options }
    meta::DropAppResponse { err }
    meta::RecallAppRequest { app_id new_app_name }
    meta::RecallAppResponse { err info }
    meta::RenameAppRequest { old_app_name new_app_name }
    meta::RenameAppResponse { err hint_message }
    meta::ListAppsRequest { status app_name_pattern match_type }
    meta::ListAppsResponse { err infos hint_message }
    meta::ListNodesRequest { status }
    meta::NodeInfo { status node hp_node }
    meta::ListNodesResponse { err infos }
    meta::ClusterInfoRequest {}
    meta::ClusterInfoResponse { err keys values }
    meta::UpdateAppEnvRequest { app_name op keys values clear_prefix }
    meta::UpdateAppEnvResponse { err hint_message }
    admin::ControlMetaRequest { level }
    admin::ControlMetaResponse { err old_level }
    admin::ProposalAction { target node action_type hp_target hp_node }
    admin::ProposeBalancerRequest { gpid action_list force balance_type }
    admin::PlainResponse { err }
    admin::HintResponse { err hint_message }
    admin::DiagnoseRequest { pid }
    admin::LostNode {
        node drop_time_ms is_alive is_collected ballot last_committed_decree last_prepared_decree hp_node
    }
    admin::LostPartition { config dropped reason }
    admin::DiagnoseResponse { err partitions }
    admin::StartManualCompactRequest { app_name trigger_time target_level bottommost max_running_count }
    admin::TableRequest { app_name }
    admin::QueryManualCompactResponse { err hint_msg progress }
    admin::SetMaxReplicaCountRequest { app_name max_replica_count }
    admin::MaxReplicaCountResponse { err max_replica_count hint_message }
    admin::SetAtomicIdempotentRequest { app_name atomic_idempotent }
    admin::AtomicIdempotentResponse { err atomic_idempotent hint_message }
    admin::AddDuplicationRequest {
        app_name remote_cluster_name is_duplicating_checkpoint remote_app_name remote_replica_count
    }
    admin::AddDuplicationResponse { err appid dupid hint remote_app_name remote_replica_count }
    admin::ModifyDuplicationRequest { app_name dupid status fail_mode }
    admin::ModifyDuplicationResponse { err appid }
    admin::DuplicationPartitionState { confirmed_decree last_committed_decree }
    admin::DuplicationEntry {
        dupid status remote create_ts progress fail_mode remote_app_name remote_replica_count mode partition_states
    }
    admin::QueryDuplicationResponse { err appid entry_list }
    admin::ListDuplicationRequest { app_name_pattern match_type }
    admin::DuplicationAppState { appid duplications app_name partition_count }
    admin::ListDuplicationResponse { err hint_message app_states }
    admin::StartBackupRequest { backup_provider_type app_id backup_path }
    admin::StartBackupResponse { err hint_message backup_id }
    admin::QueryBackupStatusRequest { app_id backup_id }
    admin::BackupItem {
        backup_id app_name backup_provider_type backup_path start_time_ms end_time_ms is_backup_failed
    }
    admin::QueryBackupStatusResponse { err hint_message backup_items }
    admin::StartRestoreRequest {
        cluster_name policy_name time_stamp app_name app_id new_app_name backup_provider_name skip_bad_partition
        restore_path
    }
    admin::QueryRestoreRequest { restore_app_id }
    admin::QueryRestoreResponse { err restore_status restore_progress }
    admin::StartPartitionSplitRequest { app_name new_partition_count }
    admin::QueryPartitionSplitResponse { err new_partition_count status hint_message }
    admin::ControlPartitionSplitRequest { app_name control_type parent_pidx old_partition_count }
    admin::StartBulkLoadRequest { app_name cluster_name file_provider_type remote_root_path ingest_behind }
    admin::ControlBulkLoadRequest { app_name control_type }
    admin::StartRecoveryRequest { recovery_nodes skip_bad_nodes skip_lost_partitions hp_recovery_nodes }
    node::Command { cmd arguments }
    node::QueryAppInfoRequest { meta_server hp_meta_server }
    node::QueryAppInfoResponse { err apps }
    node::QueryDiskInfoRequest { node app_name hp_node }
    node::DiskInfo {
        tag full_dir disk_capacity_mb disk_available_mb holding_primary_replicas holding_secondary_replicas
    }
    node::QueryDiskInfoResponse { err total_capacity_mb total_available_mb disk_infos }
    node::NegotiationRequest { status msg }
    node::NegotiationResponse { status msg }
}
