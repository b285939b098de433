//! The table of all calls: the name that travels, the argument, the result.

use bytes::Bytes;

use super::thrift::Value;
use super::{admin, data, meta, node, special::Text};

/// A call: its name on the wire and what travels each way.
///
/// ```
/// use charioteer_proto::pegasus::rpc::{Call, Get, Rpc};
///
/// assert_eq!(Get::NAME, "RPC_RRDB_RRDB_GET");
/// assert_eq!(Call::from_name(b"RPC_RRDB_RRDB_GET"), Some(Call::Get));
/// ```
pub trait Rpc {
    /// The name that travels.
    const NAME: &'static str;
    /// The one argument.
    type Request: Value + Send + Sync;
    /// The result.
    type Reply: Value + Send + Sync;
}

macro_rules! rpcs {
    ($($(#[$meta:meta])* $name:ident = $text:literal ($request:ty) -> $reply:ty;)*) => {
        $(
            $(#[$meta])*
            #[doc = concat!("`", $text, "`")]
            #[derive(Clone, Copy, Debug)]
            pub struct $name;

            impl Rpc for $name {
                const NAME: &'static str = $text;
                type Request = $request;
                type Reply = $reply;
            }
        )*

        /// All calls, by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Call {
            $(#[doc = concat!("`", $text, "`")] $name,)*
        }

        impl Call {
            /// Every call of the table.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The call of that name.
            #[must_use]
            pub fn from_name(name: &[u8]) -> Option<Self> {
                match core::str::from_utf8(name).ok()? {
                    $($text => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The name that travels.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

rpcs! {
    Get = "RPC_RRDB_RRDB_GET" (Bytes) -> data::ReadResponse;
    Put = "RPC_RRDB_RRDB_PUT" (data::UpdateRequest) -> data::UpdateResponse;
    Remove = "RPC_RRDB_RRDB_REMOVE" (Bytes) -> data::UpdateResponse;
    MultiPut = "RPC_RRDB_RRDB_MULTI_PUT" (data::MultiPutRequest) -> data::UpdateResponse;
    MultiRemove = "RPC_RRDB_RRDB_MULTI_REMOVE" (data::MultiRemoveRequest) -> data::MultiRemoveResponse;
    Incr = "RPC_RRDB_RRDB_INCR" (data::IncrRequest) -> data::IncrResponse;
    CheckAndSet = "RPC_RRDB_RRDB_CHECK_AND_SET" (data::CheckAndSetRequest) -> data::CheckAndSetResponse;
    CheckAndMutate = "RPC_RRDB_RRDB_CHECK_AND_MUTATE" (data::CheckAndMutateRequest) -> data::CheckAndMutateResponse;
    MultiGet = "RPC_RRDB_RRDB_MULTI_GET" (data::MultiGetRequest) -> data::MultiGetResponse;
    BatchGet = "RPC_RRDB_RRDB_BATCH_GET" (data::BatchGetRequest) -> data::BatchGetResponse;
    /// The argument is the bare hash key.
    SortkeyCount = "RPC_RRDB_RRDB_SORTKEY_COUNT" (Bytes) -> data::CountResponse;
    Ttl = "RPC_RRDB_RRDB_TTL" (Bytes) -> data::TtlResponse;
    GetScanner = "RPC_RRDB_RRDB_GET_SCANNER" (data::GetScannerRequest) -> data::ScanResponse;
    Scan = "RPC_RRDB_RRDB_SCAN" (data::ScanRequest) -> data::ScanResponse;
    /// Never answered: a reply would end the Go client's reading for good.
    ClearScanner = "RPC_RRDB_RRDB_CLEAR_SCANNER" (i64) -> i32;

    QueryConfig = "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX" (meta::QueryCfgRequest) -> meta::QueryCfgResponse;
    CreateApp = "RPC_CM_CREATE_APP" (meta::CreateAppRequest) -> meta::CreateAppResponse;
    DropApp = "RPC_CM_DROP_APP" (meta::DropAppRequest) -> meta::DropAppResponse;
    RecallApp = "RPC_CM_RECALL_APP" (meta::RecallAppRequest) -> meta::RecallAppResponse;
    RenameApp = "RPC_CM_RENAME_APP" (meta::RenameAppRequest) -> meta::RenameAppResponse;
    ListApps = "RPC_CM_LIST_APPS" (meta::ListAppsRequest) -> meta::ListAppsResponse;
    ListNodes = "RPC_CM_LIST_NODES" (meta::ListNodesRequest) -> meta::ListNodesResponse;
    ClusterInfo = "RPC_CM_CLUSTER_INFO" (meta::ClusterInfoRequest) -> meta::ClusterInfoResponse;
    UpdateAppEnv = "RPC_CM_UPDATE_APP_ENV" (meta::UpdateAppEnvRequest) -> meta::UpdateAppEnvResponse;

    ControlMeta = "RPC_CM_CONTROL_META" (admin::ControlMetaRequest) -> admin::ControlMetaResponse;
    ProposeBalancer = "RPC_CM_PROPOSE_BALANCER" (admin::ProposeBalancerRequest) -> admin::PlainResponse;
    Diagnose = "RPC_CM_DDD_DIAGNOSE" (admin::DiagnoseRequest) -> admin::DiagnoseResponse;
    StartManualCompact = "RPC_CM_START_MANUAL_COMPACT" (admin::StartManualCompactRequest) -> admin::HintResponse;
    QueryManualCompact = "RPC_CM_QUERY_MANUAL_COMPACT_STATUS" (admin::TableRequest) -> admin::QueryManualCompactResponse;
    GetMaxReplicaCount = "RPC_CM_GET_MAX_REPLICA_COUNT" (admin::TableRequest) -> admin::MaxReplicaCountResponse;
    SetMaxReplicaCount = "RPC_CM_SET_MAX_REPLICA_COUNT" (admin::SetMaxReplicaCountRequest) -> admin::MaxReplicaCountResponse;
    GetAtomicIdempotent = "RPC_CM_GET_ATOMIC_IDEMPOTENT" (admin::TableRequest) -> admin::AtomicIdempotentResponse;
    SetAtomicIdempotent = "RPC_CM_SET_ATOMIC_IDEMPOTENT" (admin::SetAtomicIdempotentRequest) -> admin::AtomicIdempotentResponse;
    AddDuplication = "RPC_CM_ADD_DUPLICATION" (admin::AddDuplicationRequest) -> admin::AddDuplicationResponse;
    ModifyDuplication = "RPC_CM_MODIFY_DUPLICATION" (admin::ModifyDuplicationRequest) -> admin::ModifyDuplicationResponse;
    QueryDuplication = "RPC_CM_QUERY_DUPLICATION" (admin::TableRequest) -> admin::QueryDuplicationResponse;
    ListDuplication = "RPC_CM_LIST_DUPLICATION" (admin::ListDuplicationRequest) -> admin::ListDuplicationResponse;
    StartBackup = "RPC_CM_START_BACKUP_APP" (admin::StartBackupRequest) -> admin::StartBackupResponse;
    QueryBackupStatus = "RPC_CM_QUERY_BACKUP_STATUS" (admin::QueryBackupStatusRequest) -> admin::QueryBackupStatusResponse;
    StartRestore = "RPC_CM_START_RESTORE" (admin::StartRestoreRequest) -> meta::CreateAppResponse;
    QueryRestore = "RPC_CM_QUERY_RESTORE_STATUS" (admin::QueryRestoreRequest) -> admin::QueryRestoreResponse;
    StartPartitionSplit = "RPC_CM_START_PARTITION_SPLIT" (admin::StartPartitionSplitRequest) -> admin::HintResponse;
    QueryPartitionSplit = "RPC_CM_QUERY_PARTITION_SPLIT" (admin::TableRequest) -> admin::QueryPartitionSplitResponse;
    ControlPartitionSplit = "RPC_CM_CONTROL_PARTITION_SPLIT" (admin::ControlPartitionSplitRequest) -> admin::HintResponse;
    StartBulkLoad = "RPC_CM_START_BULK_LOAD" (admin::StartBulkLoadRequest) -> admin::HintResponse;
    ControlBulkLoad = "RPC_CM_CONTROL_BULK_LOAD" (admin::ControlBulkLoadRequest) -> admin::HintResponse;
    StartRecovery = "RPC_CM_START_RECOVERY" (admin::StartRecoveryRequest) -> admin::HintResponse;

    QueryAppInfo = "RPC_QUERY_APP_INFO" (node::QueryAppInfoRequest) -> node::QueryAppInfoResponse;
    QueryDiskInfo = "RPC_QUERY_DISK_INFO" (node::QueryDiskInfoRequest) -> node::QueryDiskInfoResponse;
    Negotiation = "RPC_NEGOTIATION" (node::NegotiationRequest) -> node::NegotiationResponse;
    /// The remote command; its result is a bare string.
    RemoteCommand = "RPC_CLI_CLI_CALL" (node::Command) -> Text;
}
