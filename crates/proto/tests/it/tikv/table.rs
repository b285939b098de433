//! Every message of the protocol, so that a test (or a fuzz target) can say once what holds for all of them.

use std::fmt::Debug;

use charioteer_proto::tikv::{
    coprocessor, deadlock, errorpb, etcdserverpb, grpchealth, keyspacepb, kvrpcpb, meta_storagepb, metapb, mvccpb,
    pdpb, tikvpb,
};

/// What every message can do.
pub(crate) trait Message: prost::Message + Default + Clone + PartialEq + Debug {}

impl<T: prost::Message + Default + Clone + PartialEq + Debug> Message for T {}

/// Something to do with a message of any type.
pub(crate) trait Visitor {
    type Out;
    fn visit<M: Message>(self) -> Self::Out;
}

/// A message's name, and what to do with it.
pub(crate) type Row<V> = (&'static str, fn(V) -> <V as Visitor>::Out);

/// A name as it is looked up: Rust and the .proto files differ in case and in how they nest.
pub(crate) fn folded(name: &str) -> String {
    name.chars().filter(|character| character.is_alphanumeric()).collect::<String>().to_lowercase()
}

macro_rules! messages {
    (@name $module:ident ($outer:ident $name:ident)) => {
        concat!(stringify!($module), ".", stringify!($outer), ".", stringify!($name))
    };
    (@name $module:ident $name:ident) => {
        concat!(stringify!($module), ".", stringify!($name))
    };
    (@visit $visitor:ident $module:ident ($outer:ident $name:ident)) => {
        $visitor::visit::<$module::$outer::$name>
    };
    (@visit $visitor:ident $module:ident $name:ident) => {
        $visitor::visit::<$module::$name>
    };
    ($($module:ident { $($message:tt)* })*) => {
        /// Every message.
        pub(crate) fn messages<V: Visitor>() -> Vec<Row<V>> {
            vec![$($((messages!(@name $module $message), messages!(@visit V $module $message)),)*)*]
        }
    };
}

messages! {
    coprocessor {
        KeyRange Request Response
    }
    deadlock {
        WaitForEntry
    }
    errorpb {
        NotLeader IsWitness BucketVersionNotMatch DiskFull StoreNotMatch RegionNotFound
        RegionNotInitialized KeyNotInRegion EpochNotMatch ServerIsBusy StaleCommand
        RaftEntryTooLarge MaxTimestampNotSynced ReadIndexNotReady ProposalInMergingMode
        DataIsNotReady RecoveryInProgress FlashbackInProgress FlashbackNotPrepared MismatchPeerId
        UndeterminedResult Error
    }
    etcdserverpb {
        ResponseHeader MemberListRequest MemberListResponse Member RangeRequest RangeResponse
        PutRequest PutResponse
    }
    grpchealth {
        HealthCheckRequest HealthCheckResponse
    }
    keyspacepb {
        KeyspaceMeta LoadKeyspaceRequest LoadKeyspaceByIdRequest LookupKeyspaceRequest
        LookupKeyspaceResponse LoadKeyspaceResponse WatchKeyspacesRequest WatchKeyspacesResponse
        UpdateKeyspaceStateRequest UpdateKeyspaceStateResponse GetAllKeyspacesRequest
        GetAllKeyspacesResponse
    }
    kvrpcpb {
        Context ResourceControlContext LockInfo KeyError WriteConflict AlreadyExist Deadlock
        CommitTsExpired TxnNotFound TxnLockNotFound CommitTsTooLarge AssertionFailed PrimaryMismatch
        LockUpgradeConflict SharedLockLost DebugInfo MvccDebugInfo HealthFeedback KvPair KeyRange
        RawBatchDeleteRequest RawBatchDeleteResponse RawBatchGetRequest RawBatchGetResponse
        RawBatchPutRequest RawBatchPutResponse RawBatchScanRequest RawBatchScanResponse
        RawCasRequest RawCasResponse RawChecksumRequest RawChecksumResponse RawCoprocessorRequest
        RawCoprocessorResponse RawDeleteRangeRequest RawDeleteRangeResponse RawDeleteRequest
        RawDeleteResponse RawGetKeyTtlRequest RawGetKeyTtlResponse RawGetRequest RawGetResponse
        RawPutRequest RawPutResponse RawScanRequest RawScanResponse GetRequest GetResponse
        ScanRequest ScanResponse BatchGetRequest BatchGetResponse BufferBatchGetRequest
        BufferBatchGetResponse Mutation PrewriteRequest (prewrite_request ForUpdateTsConstraint)
        PrewriteResponse FlushRequest FlushResponse PessimisticLockRequest PessimisticLockKeyResult
        PessimisticLockResponse PessimisticRollbackRequest PessimisticRollbackResponse
        TxnHeartBeatRequest TxnHeartBeatResponse CommitRequest CommitResponse CleanupRequest
        CleanupResponse BatchRollbackRequest BatchRollbackResponse CheckTxnStatusRequest
        CheckTxnStatusResponse CheckSecondaryLocksRequest CheckSecondaryLocksResponse
        ScanLockRequest ScanLockResponse TxnInfo ResolveLockRequest ResolveLockResponse
        BroadcastTxnStatusRequest TxnStatus BroadcastTxnStatusResponse GcRequest GcResponse
        DeleteRangeRequest DeleteRangeResponse UnsafeDestroyRangeRequest UnsafeDestroyRangeResponse
        PrepareFlashbackToVersionRequest PrepareFlashbackToVersionResponse FlashbackToVersionRequest
        FlashbackToVersionResponse RegisterLockObserverRequest RegisterLockObserverResponse
        CheckLockObserverRequest CheckLockObserverResponse RemoveLockObserverRequest
        RemoveLockObserverResponse PhysicalScanLockRequest PhysicalScanLockResponse
        SplitRegionRequest SplitRegionResponse MvccGetByKeyRequest MvccGetByKeyResponse
        MvccGetByStartTsRequest MvccGetByStartTsResponse MvccInfo MvccLock MvccWrite MvccValue
        StoreSafeTsRequest StoreSafeTsResponse GetLockWaitInfoRequest GetLockWaitInfoResponse
        GetHealthFeedbackRequest GetHealthFeedbackResponse
    }
    meta_storagepb {
        Error GetRequest GetResponse KeyValue RequestHeader ResponseHeader
    }
    metapb {
        Cluster StoreLabel RegionEpoch Buckets Region Peer Store
    }
    mvccpb {
        KeyValue
    }
    pdpb {
        RequestHeader ResponseHeader Error Timestamp Member Region KeyRange PeerStats
        GetMembersRequest GetMembersResponse GetClusterInfoRequest GetClusterInfoResponse TsoRequest
        TsoResponse GetMinTsRequest GetMinTsResponse GetRegionRequest GetRegionByIdRequest
        GetRegionResponse QueryRegionRequest QueryRegionResponse RegionResponse ScanRegionsRequest
        ScanRegionsResponse BatchScanRegionsRequest BatchScanRegionsResponse GetStoreRequest
        GetStoreResponse GetAllStoresRequest GetAllStoresResponse GetClusterConfigRequest
        GetClusterConfigResponse SplitRegionsRequest SplitRegionsResponse
        SplitAndScatterRegionsRequest SplitAndScatterRegionsResponse ScatterRegionRequest
        ScatterRegionResponse GetOperatorRequest GetOperatorResponse GetGcSafePointRequest
        GetGcSafePointResponse UpdateGcSafePointRequest UpdateGcSafePointResponse
        UpdateServiceGcSafePointRequest UpdateServiceGcSafePointResponse KeyspaceScope
        AdvanceGcSafePointRequest AdvanceGcSafePointResponse AdvanceTxnSafePointRequest
        AdvanceTxnSafePointResponse SetGcBarrierRequest SetGcBarrierResponse DeleteGcBarrierRequest
        DeleteGcBarrierResponse GcBarrierInfo GcState GetGcStateRequest GetGcStateResponse
        GetAllKeyspacesGcStatesRequest GetAllKeyspacesGcStatesResponse BootstrapRequest
        BootstrapResponse IsBootstrappedRequest IsBootstrappedResponse AllocIdRequest
        AllocIdResponse PutStoreRequest PutStoreResponse StoreGlobalConfigRequest GlobalConfigItem
        LoadGlobalConfigRequest LoadGlobalConfigResponse WatchGlobalConfigRequest
        WatchGlobalConfigResponse SetExternalTimestampRequest GetExternalTimestampRequest
        GetExternalTimestampResponse GlobalGcBarrierInfo GlobalGcBarriersInfo
        SetGlobalGcBarrierRequest SetGlobalGcBarrierResponse DeleteGlobalGcBarrierRequest
        DeleteGlobalGcBarrierResponse StoreGlobalConfigResponse SetExternalTimestampResponse
    }
    tikvpb {
        BatchCommandsRequest (batch_commands_request Request) BatchCommandsResponse
        (batch_commands_response Response) BatchCommandsEmptyRequest BatchCommandsEmptyResponse
    }
}
