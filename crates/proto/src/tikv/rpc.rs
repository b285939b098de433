//! The table of all methods: the path that travels, what goes each way, and as what a store takes it in a batch.

use prost::Message;

use super::tikvpb::{batch_commands_request, batch_commands_response};
use super::{coprocessor, etcdserverpb, grpchealth, keyspacepb, kvrpcpb, meta_storagepb, pdpb, tikvpb};

/// A command in a batch.
pub use batch_commands_request::request::Cmd as Command;
/// The answer to a command in a batch.
pub use batch_commands_response::response::Cmd as Answer;

/// A method: its path and what travels each way.
///
/// ```
/// use charioteer_proto::tikv::rpc::{Call, Kind, Method, RawGet};
///
/// assert_eq!(RawGet::PATH, "/tikvpb.Tikv/RawGet");
/// assert_eq!(Call::from_path("/tikvpb.Tikv/RawGet"), Some(Call::RawGet));
/// assert_eq!((RawGet::KIND, Call::RawGet.command()), (Kind::Unary, Some(13)));
/// ```
pub trait Method {
    /// The method as a value.
    const CALL: Call;
    /// The path of an HTTP/2 request for it.
    const PATH: &'static str;
    /// How many messages go each way.
    const KIND: Kind;
    /// What the client sends.
    type Request: Message + Default + Clone + PartialEq + 'static;
    /// What the server sends.
    type Reply: Message + Default + Clone + PartialEq + 'static;
}

/// A method that can also travel in the messages of [`BatchCommands`].
///
/// ```
/// use charioteer_proto::tikv::kvrpcpb::{RawGetRequest, RawPutRequest};
/// use charioteer_proto::tikv::rpc::{Batched, Call, Command, RawGet, RawPut};
///
/// let command = RawGet::into_command(RawGetRequest { key: "a".into(), ..RawGetRequest::default() });
/// assert_eq!(Call::of_command(&command), Some(Call::RawGet));
/// assert_eq!(RawPut::from_command(command.clone()), Err(command.clone()));
/// assert_eq!(&RawGet::from_command(command).unwrap().key[..], b"a");
/// ```
pub trait Batched: Method {
    /// The number of the command, the same in a request and in its answer.
    const COMMAND: u32;

    /// The request as a command.
    fn into_command(request: Self::Request) -> Command;

    /// The request that the command is.
    ///
    /// # Errors
    ///
    /// The command itself if it is another method's.
    fn from_command(command: Command) -> Result<Self::Request, Command>;

    /// The reply as an answer.
    fn into_answer(reply: Self::Reply) -> Answer;

    /// The reply that the answer is.
    ///
    /// # Errors
    ///
    /// The answer itself if it is another method's.
    #[expect(clippy::result_large_err, reason = "an answer of another method is given back, not dropped")]
    fn from_answer(answer: Answer) -> Result<Self::Reply, Answer>;
}

/// How many messages go each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One request, one reply.
    Unary,
    /// One request, replies until the server ends them.
    Watch,
    /// Requests and replies side by side.
    Stream,
}

macro_rules! methods {
    ($(
        $service:literal $module:ident {
            $($kind:ident $name:ident = $method:literal ($request:ident) -> $reply:ident $(, command $number:literal $variant:ident)?;)*
        }
    )*) => {
        $($(
            #[doc = concat!("`/", $service, "/", $method, "`")]
            #[derive(Clone, Copy, Debug)]
            pub struct $name;

            impl Method for $name {
                const CALL: Call = Call::$name;
                const PATH: &'static str = concat!("/", $service, "/", $method);
                const KIND: Kind = Kind::$kind;
                type Request = $module::$request;
                type Reply = $module::$reply;
            }

            $(
                impl Batched for $name {
                    const COMMAND: u32 = $number;

                    fn into_command(request: Self::Request) -> Command {
                        Command::$variant(request.into())
                    }

                    fn from_command(command: Command) -> Result<Self::Request, Command> {
                        match command {
                            Command::$variant(request) => Ok(*request),
                            other => Err(other),
                        }
                    }

                    fn into_answer(reply: Self::Reply) -> Answer {
                        Answer::$variant(reply)
                    }

                    fn from_answer(answer: Answer) -> Result<Self::Reply, Answer> {
                        match answer {
                            Answer::$variant(reply) => Ok(reply),
                            other => Err(other),
                        }
                    }
                }
            )?
        )*)*

        /// All methods, by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Call {
            $($(#[doc = concat!("`/", $service, "/", $method, "`")] $name,)*)*
        }

        impl Call {
            /// Every method of the table.
            pub const ALL: &[Self] = &[$($(Self::$name,)*)*];

            /// The method of that path.
            #[must_use]
            pub fn from_path(path: &str) -> Option<Self> {
                match path {
                    $($(concat!("/", $service, "/", $method) => Some(Self::$name),)*)*
                    _ => None,
                }
            }

            /// The path of an HTTP/2 request for it.
            #[must_use]
            pub const fn path(self) -> &'static str {
                match self {
                    $($(Self::$name => $name::PATH,)*)*
                }
            }

            /// How many messages go each way.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self {
                    $($(Self::$name => Kind::$kind,)*)*
                }
            }

            /// Its number in a batch; `None` if it travels by itself only.
            #[must_use]
            pub const fn command(self) -> Option<u32> {
                match self {
                    $($($(Self::$name => Some($number),)?)*)*
                    _ => None,
                }
            }

            /// The method that the command stands for; `None` for the empty one, which is none.
            #[must_use]
            pub const fn of_command(command: &Command) -> Option<Self> {
                match command {
                    $($($(Command::$variant(_) => Some(Self::$name),)?)*)*
                    Command::Empty(_) => None,
                }
            }

            /// The method that the answer belongs to; `None` for the empty one, which is none.
            #[must_use]
            pub const fn of_answer(answer: &Answer) -> Option<Self> {
                match answer {
                    $($($(Answer::$variant(_) => Some(Self::$name),)?)*)*
                    Answer::Empty(_) => None,
                }
            }
        }
    };
}

methods! {
    "pdpb.PD" pdpb {
        Unary GetClusterInfo = "GetClusterInfo" (GetClusterInfoRequest) -> GetClusterInfoResponse;
        Unary GetMembers = "GetMembers" (GetMembersRequest) -> GetMembersResponse;
        Stream Tso = "Tso" (TsoRequest) -> TsoResponse;
        Unary Bootstrap = "Bootstrap" (BootstrapRequest) -> BootstrapResponse;
        Unary IsBootstrapped = "IsBootstrapped" (IsBootstrappedRequest) -> IsBootstrappedResponse;
        Unary AllocId = "AllocID" (AllocIdRequest) -> AllocIdResponse;
        Unary GetStore = "GetStore" (GetStoreRequest) -> GetStoreResponse;
        Unary PutStore = "PutStore" (PutStoreRequest) -> PutStoreResponse;
        Unary GetAllStores = "GetAllStores" (GetAllStoresRequest) -> GetAllStoresResponse;
        Unary GetRegion = "GetRegion" (GetRegionRequest) -> GetRegionResponse;
        Unary GetPrevRegion = "GetPrevRegion" (GetRegionRequest) -> GetRegionResponse;
        Unary GetRegionById = "GetRegionByID" (GetRegionByIdRequest) -> GetRegionResponse;
        Stream QueryRegion = "QueryRegion" (QueryRegionRequest) -> QueryRegionResponse;
        Unary ScanRegions = "ScanRegions" (ScanRegionsRequest) -> ScanRegionsResponse;
        Unary BatchScanRegions = "BatchScanRegions" (BatchScanRegionsRequest) -> BatchScanRegionsResponse;
        Unary GetClusterConfig = "GetClusterConfig" (GetClusterConfigRequest) -> GetClusterConfigResponse;
        Unary ScatterRegion = "ScatterRegion" (ScatterRegionRequest) -> ScatterRegionResponse;
        Unary GetGcSafePoint = "GetGCSafePoint" (GetGcSafePointRequest) -> GetGcSafePointResponse;
        Unary UpdateGcSafePoint = "UpdateGCSafePoint" (UpdateGcSafePointRequest) -> UpdateGcSafePointResponse;
        Unary UpdateServiceGcSafePoint = "UpdateServiceGCSafePoint" (UpdateServiceGcSafePointRequest) -> UpdateServiceGcSafePointResponse;
        Unary AdvanceGcSafePoint = "AdvanceGCSafePoint" (AdvanceGcSafePointRequest) -> AdvanceGcSafePointResponse;
        Unary AdvanceTxnSafePoint = "AdvanceTxnSafePoint" (AdvanceTxnSafePointRequest) -> AdvanceTxnSafePointResponse;
        Unary SetGcBarrier = "SetGCBarrier" (SetGcBarrierRequest) -> SetGcBarrierResponse;
        Unary DeleteGcBarrier = "DeleteGCBarrier" (DeleteGcBarrierRequest) -> DeleteGcBarrierResponse;
        Unary SetGlobalGcBarrier = "SetGlobalGCBarrier" (SetGlobalGcBarrierRequest) -> SetGlobalGcBarrierResponse;
        Unary DeleteGlobalGcBarrier = "DeleteGlobalGCBarrier" (DeleteGlobalGcBarrierRequest) -> DeleteGlobalGcBarrierResponse;
        Unary GetGcState = "GetGCState" (GetGcStateRequest) -> GetGcStateResponse;
        Unary GetAllKeyspacesGcStates = "GetAllKeyspacesGCStates" (GetAllKeyspacesGcStatesRequest) -> GetAllKeyspacesGcStatesResponse;
        Unary GetOperator = "GetOperator" (GetOperatorRequest) -> GetOperatorResponse;
        Unary SplitRegions = "SplitRegions" (SplitRegionsRequest) -> SplitRegionsResponse;
        Unary SplitAndScatterRegions = "SplitAndScatterRegions" (SplitAndScatterRegionsRequest) -> SplitAndScatterRegionsResponse;
        Unary StoreGlobalConfig = "StoreGlobalConfig" (StoreGlobalConfigRequest) -> StoreGlobalConfigResponse;
        Unary LoadGlobalConfig = "LoadGlobalConfig" (LoadGlobalConfigRequest) -> LoadGlobalConfigResponse;
        Watch WatchGlobalConfig = "WatchGlobalConfig" (WatchGlobalConfigRequest) -> WatchGlobalConfigResponse;
        Unary SetExternalTimestamp = "SetExternalTimestamp" (SetExternalTimestampRequest) -> SetExternalTimestampResponse;
        Unary GetExternalTimestamp = "GetExternalTimestamp" (GetExternalTimestampRequest) -> GetExternalTimestampResponse;
        Unary GetMinTs = "GetMinTS" (GetMinTsRequest) -> GetMinTsResponse;
    }

    "keyspacepb.Keyspace" keyspacepb {
        Unary LoadKeyspace = "LoadKeyspace" (LoadKeyspaceRequest) -> LoadKeyspaceResponse;
        Unary LookupKeyspace = "LookupKeyspace" (LookupKeyspaceRequest) -> LookupKeyspaceResponse;
        Unary LoadKeyspaceById = "LoadKeyspaceByID" (LoadKeyspaceByIdRequest) -> LoadKeyspaceResponse;
        Watch WatchKeyspaces = "WatchKeyspaces" (WatchKeyspacesRequest) -> WatchKeyspacesResponse;
        Unary UpdateKeyspaceState = "UpdateKeyspaceState" (UpdateKeyspaceStateRequest) -> UpdateKeyspaceStateResponse;
        Unary GetAllKeyspaces = "GetAllKeyspaces" (GetAllKeyspacesRequest) -> GetAllKeyspacesResponse;
    }

    "tikvpb.Tikv" kvrpcpb {
        Unary KvGet = "KvGet" (GetRequest) -> GetResponse, command 1 Get;
        Unary KvScan = "KvScan" (ScanRequest) -> ScanResponse, command 2 Scan;
        Unary KvPrewrite = "KvPrewrite" (PrewriteRequest) -> PrewriteResponse, command 3 Prewrite;
        Unary KvPessimisticLock = "KvPessimisticLock" (PessimisticLockRequest) -> PessimisticLockResponse, command 23 PessimisticLock;
        Unary KvPessimisticRollback = "KVPessimisticRollback" (PessimisticRollbackRequest) -> PessimisticRollbackResponse, command 24 PessimisticRollback;
        Unary KvTxnHeartBeat = "KvTxnHeartBeat" (TxnHeartBeatRequest) -> TxnHeartBeatResponse, command 26 TxnHeartBeat;
        Unary KvCheckTxnStatus = "KvCheckTxnStatus" (CheckTxnStatusRequest) -> CheckTxnStatusResponse, command 25 CheckTxnStatus;
        Unary KvCheckSecondaryLocks = "KvCheckSecondaryLocks" (CheckSecondaryLocksRequest) -> CheckSecondaryLocksResponse, command 33 CheckSecondaryLocks;
        Unary KvCommit = "KvCommit" (CommitRequest) -> CommitResponse, command 4 Commit;
        Unary KvCleanup = "KvCleanup" (CleanupRequest) -> CleanupResponse, command 6 Cleanup;
        Unary KvBatchGet = "KvBatchGet" (BatchGetRequest) -> BatchGetResponse, command 7 BatchGet;
        Unary KvBatchRollback = "KvBatchRollback" (BatchRollbackRequest) -> BatchRollbackResponse, command 8 BatchRollback;
        Unary KvScanLock = "KvScanLock" (ScanLockRequest) -> ScanLockResponse, command 9 ScanLock;
        Unary KvResolveLock = "KvResolveLock" (ResolveLockRequest) -> ResolveLockResponse, command 10 ResolveLock;
        Unary KvGc = "KvGC" (GcRequest) -> GcResponse, command 11 Gc;
        Unary KvDeleteRange = "KvDeleteRange" (DeleteRangeRequest) -> DeleteRangeResponse, command 12 DeleteRange;
        Unary KvPrepareFlashbackToVersion = "KvPrepareFlashbackToVersion" (PrepareFlashbackToVersionRequest) -> PrepareFlashbackToVersionResponse, command 36 PrepareFlashbackToVersion;
        Unary KvFlashbackToVersion = "KvFlashbackToVersion" (FlashbackToVersionRequest) -> FlashbackToVersionResponse, command 35 FlashbackToVersion;
        Unary KvFlush = "KvFlush" (FlushRequest) -> FlushResponse, command 37 Flush;
        Unary KvBufferBatchGet = "KvBufferBatchGet" (BufferBatchGetRequest) -> BufferBatchGetResponse, command 38 BufferBatchGet;
        Unary RawGet = "RawGet" (RawGetRequest) -> RawGetResponse, command 13 RawGet;
        Unary RawBatchGet = "RawBatchGet" (RawBatchGetRequest) -> RawBatchGetResponse, command 14 RawBatchGet;
        Unary RawPut = "RawPut" (RawPutRequest) -> RawPutResponse, command 15 RawPut;
        Unary RawBatchPut = "RawBatchPut" (RawBatchPutRequest) -> RawBatchPutResponse, command 16 RawBatchPut;
        Unary RawDelete = "RawDelete" (RawDeleteRequest) -> RawDeleteResponse, command 17 RawDelete;
        Unary RawBatchDelete = "RawBatchDelete" (RawBatchDeleteRequest) -> RawBatchDeleteResponse, command 18 RawBatchDelete;
        Unary RawScan = "RawScan" (RawScanRequest) -> RawScanResponse, command 19 RawScan;
        Unary RawDeleteRange = "RawDeleteRange" (RawDeleteRangeRequest) -> RawDeleteRangeResponse, command 20 RawDeleteRange;
        Unary RawBatchScan = "RawBatchScan" (RawBatchScanRequest) -> RawBatchScanResponse, command 21 RawBatchScan;
        Unary RawGetKeyTtl = "RawGetKeyTTL" (RawGetKeyTtlRequest) -> RawGetKeyTtlResponse;
        Unary RawCompareAndSwap = "RawCompareAndSwap" (RawCasRequest) -> RawCasResponse;
        Unary RawChecksum = "RawChecksum" (RawChecksumRequest) -> RawChecksumResponse;
        Unary UnsafeDestroyRange = "UnsafeDestroyRange" (UnsafeDestroyRangeRequest) -> UnsafeDestroyRangeResponse;
        Unary RegisterLockObserver = "RegisterLockObserver" (RegisterLockObserverRequest) -> RegisterLockObserverResponse;
        Unary CheckLockObserver = "CheckLockObserver" (CheckLockObserverRequest) -> CheckLockObserverResponse;
        Unary RemoveLockObserver = "RemoveLockObserver" (RemoveLockObserverRequest) -> RemoveLockObserverResponse;
        Unary PhysicalScanLock = "PhysicalScanLock" (PhysicalScanLockRequest) -> PhysicalScanLockResponse;
        Unary RawCoprocessor = "RawCoprocessor" (RawCoprocessorRequest) -> RawCoprocessorResponse, command 34 RawCoprocessor;
        Unary SplitRegion = "SplitRegion" (SplitRegionRequest) -> SplitRegionResponse;
        Unary MvccGetByKey = "MvccGetByKey" (MvccGetByKeyRequest) -> MvccGetByKeyResponse;
        Unary MvccGetByStartTs = "MvccGetByStartTs" (MvccGetByStartTsRequest) -> MvccGetByStartTsResponse;
        Unary GetStoreSafeTs = "GetStoreSafeTS" (StoreSafeTsRequest) -> StoreSafeTsResponse;
        Unary GetLockWaitInfo = "GetLockWaitInfo" (GetLockWaitInfoRequest) -> GetLockWaitInfoResponse;
        Unary GetHealthFeedback = "GetHealthFeedback" (GetHealthFeedbackRequest) -> GetHealthFeedbackResponse, command 39 GetHealthFeedback;
        Unary BroadcastTxnStatus = "BroadcastTxnStatus" (BroadcastTxnStatusRequest) -> BroadcastTxnStatusResponse, command 40 BroadcastTxnStatus;
    }

    "tikvpb.Tikv" coprocessor {
        Unary Coprocessor = "Coprocessor" (Request) -> Response, command 22 Coprocessor;
        Watch CoprocessorStream = "CoprocessorStream" (Request) -> Response;
    }

    "tikvpb.Tikv" tikvpb {
        Stream BatchCommands = "BatchCommands" (BatchCommandsRequest) -> BatchCommandsResponse;
    }

    "grpc.health.v1.Health" grpchealth {
        Unary HealthCheck = "Check" (HealthCheckRequest) -> HealthCheckResponse;
        Watch HealthWatch = "Watch" (HealthCheckRequest) -> HealthCheckResponse;
    }

    "etcdserverpb.Cluster" etcdserverpb {
        Unary EtcdMemberList = "MemberList" (MemberListRequest) -> MemberListResponse;
    }

    "meta_storagepb.MetaStorage" meta_storagepb {
        Unary MetaStorageGet = "Get" (GetRequest) -> GetResponse;
    }

    "etcdserverpb.KV" etcdserverpb {
        Unary EtcdRange = "Range" (RangeRequest) -> RangeResponse;
        Unary EtcdPut = "Put" (PutRequest) -> PutResponse;
    }
}
