//! Which of a store's methods answers a call.

use charioteer_proto::tikv::kvrpcpb::BroadcastTxnStatusResponse;
use charioteer_proto::tikv::regional::{Regional, RegionalReply};
use charioteer_proto::tikv::rpc::{self, Call, Method};

use super::pd_calls::SERVING;
use super::service::Endpoint;
use super::store::{Refusable, Serve, Store};
use crate::backend::Rows;
use crate::grpc::{Exchange, Status};

impl<R: Rows> Endpoint<R> {
    /// Answers a call at a store's port.
    pub(super) async fn answer_store(
        &self,
        store: &Store<R>,
        call: Call,
        exchange: &mut Exchange,
    ) -> Result<(), Status> {
        match call {
            Call::BatchCommands => self.batches(exchange).await,
            Call::RawGet => self.run::<rpc::RawGet>(store, exchange).await,
            Call::RawBatchGet => self.run::<rpc::RawBatchGet>(store, exchange).await,
            Call::RawGetKeyTtl => self.run::<rpc::RawGetKeyTtl>(store, exchange).await,
            Call::RawPut => self.run::<rpc::RawPut>(store, exchange).await,
            Call::RawBatchPut => self.run::<rpc::RawBatchPut>(store, exchange).await,
            Call::RawDelete => self.run::<rpc::RawDelete>(store, exchange).await,
            Call::RawBatchDelete => self.run::<rpc::RawBatchDelete>(store, exchange).await,
            Call::RawDeleteRange => self.run::<rpc::RawDeleteRange>(store, exchange).await,
            Call::RawScan => self.run::<rpc::RawScan>(store, exchange).await,
            Call::RawBatchScan => self.run::<rpc::RawBatchScan>(store, exchange).await,
            Call::RawChecksum => self.run::<rpc::RawChecksum>(store, exchange).await,
            Call::RawCompareAndSwap => self.run::<rpc::RawCompareAndSwap>(store, exchange).await,
            Call::RawCoprocessor => self.run::<rpc::RawCoprocessor>(store, exchange).await,
            Call::SplitRegion => self.run::<rpc::SplitRegion>(store, exchange).await,
            Call::UnsafeDestroyRange => self.run::<rpc::UnsafeDestroyRange>(store, exchange).await,
            Call::GetLockWaitInfo => self.run::<rpc::GetLockWaitInfo>(store, exchange).await,
            Call::GetHealthFeedback => self.run::<rpc::GetHealthFeedback>(store, exchange).await,
            Call::GetStoreSafeTs => {
                self.unary::<rpc::GetStoreSafeTs, _>(exchange, |_| async { Ok(store.get_store_safe_ts()) }).await
            }
            Call::HealthCheck => self.unary::<rpc::HealthCheck, _>(exchange, |_| async { Ok(SERVING) }).await,
            Call::HealthWatch => self.watch_health(exchange).await,
            other => self.answer_in_transaction(store, other, exchange).await,
        }
    }

    /// Answers a call of a transaction, or about transactions.
    async fn answer_in_transaction(&self, store: &Store<R>, call: Call, exchange: &mut Exchange) -> Result<(), Status> {
        match call {
            Call::KvGet => self.run::<rpc::KvGet>(store, exchange).await,
            Call::KvScan => self.run::<rpc::KvScan>(store, exchange).await,
            Call::KvBatchGet => self.run::<rpc::KvBatchGet>(store, exchange).await,
            Call::KvPrewrite => self.run::<rpc::KvPrewrite>(store, exchange).await,
            Call::KvCommit => self.run::<rpc::KvCommit>(store, exchange).await,
            Call::KvCleanup => self.run::<rpc::KvCleanup>(store, exchange).await,
            Call::KvBatchRollback => self.run::<rpc::KvBatchRollback>(store, exchange).await,
            Call::KvTxnHeartBeat => self.run::<rpc::KvTxnHeartBeat>(store, exchange).await,
            Call::KvCheckTxnStatus => self.run::<rpc::KvCheckTxnStatus>(store, exchange).await,
            Call::KvResolveLock => self.run::<rpc::KvResolveLock>(store, exchange).await,
            Call::KvPessimisticLock => self.run::<rpc::KvPessimisticLock>(store, exchange).await,
            Call::KvPessimisticRollback => self.run::<rpc::KvPessimisticRollback>(store, exchange).await,
            Call::KvCheckSecondaryLocks => self.run::<rpc::KvCheckSecondaryLocks>(store, exchange).await,
            Call::KvScanLock => self.run::<rpc::KvScanLock>(store, exchange).await,
            Call::KvFlush => self.run::<rpc::KvFlush>(store, exchange).await,
            Call::KvBufferBatchGet => self.run::<rpc::KvBufferBatchGet>(store, exchange).await,
            Call::KvGc => self.run::<rpc::KvGc>(store, exchange).await,
            Call::KvDeleteRange => self.run::<rpc::KvDeleteRange>(store, exchange).await,
            Call::KvPrepareFlashbackToVersion => self.run::<rpc::KvPrepareFlashbackToVersion>(store, exchange).await,
            Call::KvFlashbackToVersion => self.run::<rpc::KvFlashbackToVersion>(store, exchange).await,
            Call::MvccGetByKey => self.run::<rpc::MvccGetByKey>(store, exchange).await,
            Call::MvccGetByStartTs => self.run::<rpc::MvccGetByStartTs>(store, exchange).await,
            Call::BroadcastTxnStatus => {
                let answer = |_| async { Ok(BroadcastTxnStatusResponse::default()) };
                self.unary::<rpc::BroadcastTxnStatus, _>(exchange, answer).await
            }
            Call::PhysicalScanLock => {
                self.unary::<rpc::PhysicalScanLock, _>(exchange, |asked| store.physical_scan_lock(asked)).await
            }
            other => Err(Status::unimplemented(format!("{} is not served by stores", other.path()))),
        }
    }

    async fn run<M: Method>(&self, store: &Store<R>, exchange: &mut Exchange) -> Result<(), Status>
    where
        Store<R>: Serve<M>,
        M::Request: Regional,
        M::Reply: RegionalReply + Refusable + Send,
    {
        let is_large = store.may_answer_much(M::CALL);
        // Nothing is run before the answer is waited for.
        self.regional::<M, _>(exchange, is_large, |request| async move { store.call::<M>(request).wait().await }).await
    }
}
