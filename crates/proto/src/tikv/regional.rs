//! What the commands of stores have in common: a context that names a region, keys, and an answer that may be an error of the region.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;

use super::rpc::{Answer, Batched, Command, Method};
use super::{coprocessor, errorpb, kvrpcpb, rpc};

/// A request that a store runs in a region.
///
/// ```
/// use charioteer_proto::tikv::kvrpcpb::{Context, RawGetRequest};
/// use charioteer_proto::tikv::regional::Regional;
///
/// let mut request = RawGetRequest { key: "a".into(), ..RawGetRequest::default() };
/// *request.context_mut() = Some(Context { region_id: 2, ..Context::default() });
/// assert_eq!(request.context().map(|context| context.region_id), Some(2));
/// assert_eq!(request.keys(), ["a"]);
/// ```
pub trait Regional {
    /// Which region is meant, of which epoch, at which peer, and how it is to be run.
    fn context(&self) -> Option<&kvrpcpb::Context>;

    /// The same, to be set or taken.
    fn context_mut(&mut self) -> &mut Option<kvrpcpb::Context>;

    /// The keys that it names: those that it is about, or where its ranges start.
    fn keys(&self) -> Vec<&Bytes>;
}

/// An answer that may be an error of the region instead.
///
/// ```
/// use charioteer_proto::tikv::errorpb;
/// use charioteer_proto::tikv::kvrpcpb::RawGetResponse;
/// use charioteer_proto::tikv::regional::RegionalReply;
///
/// let error = errorpb::Error { message: "busy".into(), ..errorpb::Error::default() };
/// let mut reply = RawGetResponse::refused(error.clone());
/// assert_eq!(reply.region_error(), Some(&error));
/// assert_eq!(reply.take_region_error().as_deref(), Some(&error));
/// assert_eq!(reply, RawGetResponse::default());
/// ```
pub trait RegionalReply {
    /// The error of the region.
    fn region_error(&self) -> Option<&errorpb::Error>;

    /// Takes it out.
    fn take_region_error(&mut self) -> Option<Box<errorpb::Error>>;

    /// Nothing but this error.
    fn refused(error: errorpb::Error) -> Self;
}

macro_rules! regional {
    ($($request:ident -> $reply:ident, $asked:ident { $keys:expr })*) => {
        $(
            impl Regional for kvrpcpb::$request {
                fn context(&self) -> Option<&kvrpcpb::Context> {
                    self.context.as_ref()
                }

                fn context_mut(&mut self) -> &mut Option<kvrpcpb::Context> {
                    &mut self.context
                }

                fn keys(&self) -> Vec<&Bytes> {
                    let $asked = self;
                    $keys
                }
            }

            regional!(kvrpcpb::$reply);
        )*
    };
    ($reply:path) => {
        impl RegionalReply for $reply {
            fn region_error(&self) -> Option<&errorpb::Error> {
                self.region_error.as_deref()
            }

            fn take_region_error(&mut self) -> Option<Box<errorpb::Error>> {
                self.region_error.take()
            }

            fn refused(error: errorpb::Error) -> Self {
                Self { region_error: Some(Box::new(error)), ..Self::default() }
            }
        }
    };
}

regional! {
    RawGetRequest -> RawGetResponse, asked { [&asked.key].into() }
    RawBatchGetRequest -> RawBatchGetResponse, asked { asked.keys.iter().collect() }
    RawPutRequest -> RawPutResponse, asked { [&asked.key].into() }
    RawBatchPutRequest -> RawBatchPutResponse, asked { asked.pairs.iter().map(|pair| &pair.key).collect() }
    RawDeleteRequest -> RawDeleteResponse, asked { [&asked.key].into() }
    RawBatchDeleteRequest -> RawBatchDeleteResponse, asked { asked.keys.iter().collect() }
    RawDeleteRangeRequest -> RawDeleteRangeResponse, asked { [&asked.start_key].into() }
    RawScanRequest -> RawScanResponse, asked { [&asked.start_key].into() }
    RawBatchScanRequest -> RawBatchScanResponse, asked { starts(&asked.ranges) }
    RawGetKeyTtlRequest -> RawGetKeyTtlResponse, asked { [&asked.key].into() }
    RawCasRequest -> RawCasResponse, asked { [&asked.key].into() }
    RawChecksumRequest -> RawChecksumResponse, asked { starts(&asked.ranges) }
    RawCoprocessorRequest -> RawCoprocessorResponse, asked { starts(&asked.ranges) }
    GetRequest -> GetResponse, asked { [&asked.key].into() }
    ScanRequest -> ScanResponse, asked { [&asked.start_key].into() }
    BatchGetRequest -> BatchGetResponse, asked { asked.keys.iter().collect() }
    BufferBatchGetRequest -> BufferBatchGetResponse, asked { asked.keys.iter().collect() }
    PrewriteRequest -> PrewriteResponse, asked { mutated(&asked.mutations) }
    FlushRequest -> FlushResponse, asked { mutated(&asked.mutations) }
    PessimisticLockRequest -> PessimisticLockResponse, asked { mutated(&asked.mutations) }
    PessimisticRollbackRequest -> PessimisticRollbackResponse, asked { asked.keys.iter().collect() }
    TxnHeartBeatRequest -> TxnHeartBeatResponse, asked { [&asked.primary_lock].into() }
    CommitRequest -> CommitResponse, asked { asked.keys.iter().collect() }
    CleanupRequest -> CleanupResponse, asked { [&asked.key].into() }
    BatchRollbackRequest -> BatchRollbackResponse, asked { asked.keys.iter().collect() }
    CheckTxnStatusRequest -> CheckTxnStatusResponse, asked { [&asked.primary_key].into() }
    CheckSecondaryLocksRequest -> CheckSecondaryLocksResponse, asked { asked.keys.iter().collect() }
    ScanLockRequest -> ScanLockResponse, asked { [&asked.start_key].into() }
    ResolveLockRequest -> ResolveLockResponse, asked { asked.keys.iter().collect() }
    GcRequest -> GcResponse, _asked { Vec::new() }
    DeleteRangeRequest -> DeleteRangeResponse, asked { [&asked.start_key].into() }
    UnsafeDestroyRangeRequest -> UnsafeDestroyRangeResponse, asked { [&asked.start_key].into() }
    PrepareFlashbackToVersionRequest -> PrepareFlashbackToVersionResponse, asked { [&asked.start_key].into() }
    FlashbackToVersionRequest -> FlashbackToVersionResponse, asked { [&asked.start_key].into() }
    SplitRegionRequest -> SplitRegionResponse, asked { asked.split_keys.iter().collect() }
    MvccGetByKeyRequest -> MvccGetByKeyResponse, asked { [&asked.key].into() }
    MvccGetByStartTsRequest -> MvccGetByStartTsResponse, _asked { Vec::new() }
    GetLockWaitInfoRequest -> GetLockWaitInfoResponse, _asked { Vec::new() }
    GetHealthFeedbackRequest -> GetHealthFeedbackResponse, _asked { Vec::new() }
}

impl Regional for coprocessor::Request {
    fn context(&self) -> Option<&kvrpcpb::Context> {
        self.context.as_ref()
    }

    fn context_mut(&mut self) -> &mut Option<kvrpcpb::Context> {
        &mut self.context
    }

    fn keys(&self) -> Vec<&Bytes> {
        Vec::new()
    }
}

regional!(coprocessor::Response);

fn starts(ranges: &[kvrpcpb::KeyRange]) -> Vec<&Bytes> {
    ranges.iter().map(|range| &range.start_key).collect()
}

fn mutated(mutations: &[kvrpcpb::Mutation]) -> Vec<&Bytes> {
    mutations.iter().map(|mutation| &mutation.key).collect()
}

macro_rules! commands {
    ($($variant:ident: $method:ident,)*) => {
        /// What a command in a batch says of its region; `None` for those that are for none.
        #[must_use]
        pub fn of_command(command: &Command) -> Option<&dyn Regional> {
            match command {
                $(Command::$variant(request) => Some(&**request),)*
                _ => None,
            }
        }

        /// The answer to such a command that is nothing but this error; `None` for a command that is for no region.
        #[must_use]
        pub fn refuse_command(command: &Command, error: errorpb::Error) -> Option<Answer> {
            match command {
                $(Command::$variant(_) => {
                    let reply = <rpc::$method as Method>::Reply::refused(error);
                    Some(<rpc::$method as Batched>::into_answer(reply))
                })*
                _ => None,
            }
        }
    };
}

commands! {
    RawGet: RawGet,
    RawBatchGet: RawBatchGet,
    RawPut: RawPut,
    RawBatchPut: RawBatchPut,
    RawDelete: RawDelete,
    RawBatchDelete: RawBatchDelete,
    RawScan: RawScan,
    RawDeleteRange: RawDeleteRange,
    RawBatchScan: RawBatchScan,
    RawCoprocessor: RawCoprocessor,
    Get: KvGet,
    Scan: KvScan,
    Prewrite: KvPrewrite,
    Commit: KvCommit,
    Cleanup: KvCleanup,
    BatchGet: KvBatchGet,
    BatchRollback: KvBatchRollback,
    ScanLock: KvScanLock,
    ResolveLock: KvResolveLock,
    Gc: KvGc,
    DeleteRange: KvDeleteRange,
    PessimisticLock: KvPessimisticLock,
    PessimisticRollback: KvPessimisticRollback,
    CheckTxnStatus: KvCheckTxnStatus,
    TxnHeartBeat: KvTxnHeartBeat,
    CheckSecondaryLocks: KvCheckSecondaryLocks,
    FlashbackToVersion: KvFlashbackToVersion,
    PrepareFlashbackToVersion: KvPrepareFlashbackToVersion,
    Flush: KvFlush,
    BufferBatchGet: KvBufferBatchGet,
    GetHealthFeedback: GetHealthFeedback,
    Coprocessor: Coprocessor,
}
