//! The commands that a store runs.
//!
//! [`Store::start`] takes a command of a batch, [`Store::call`] a method that came alone; both come to [`Serve::serve`], one for each
//! method. What is asked of it first: is it for this cluster, does the store serve the version that it names ([`api`]), is the region
//! here and the key in it ([`place`]). For transactions these are [`txn_api`] and the same, and what they need besides is in [`txn`]. Then the rules of the command run where the rows are ([`Rows`]). What was refused on the way is
//! put where clients of that method look for it ([`refusal`]).

mod admin;
mod api;
mod batch;
mod health;
mod http;
mod place;
mod raw_reads;
mod raw_scans;
mod raw_writes;
mod refusal;
#[cfg(test)]
mod tests;
mod txn;
mod txn_admin;
mod txn_api;
mod txn_errors;
mod txn_locks;
mod txn_reads;
mod txn_scans;
mod txn_status;
mod txn_writes;

use std::sync::Arc;

use charioteer_engine::Clock;
use charioteer_engine::raw::Keys;
use charioteer_proto::tikv::rpc::{self, Answer, Batched, Call, Command, Method};

use self::health::Health;
use self::refusal::{Refusal, Way};
use super::TikvApi;
use super::cluster::Cluster;
use super::pd::Pd;
use super::waits::Waits;
use crate::backend::{Mvcc, Raw, Rows, Soon};
use crate::grpc::Status;

pub(crate) use batch::{Answered, BatchStream, Begun, may_wait_for_locks};
pub(crate) use refusal::Refusable;

/// What a message needs beside the answer in it.
const AROUND_AN_ANSWER: usize = 256;

/// One of the cluster's stores.
#[derive(Debug)]
pub(crate) struct Store<R> {
    id: u64,
    cluster: Arc<Cluster>,
    pd: Arc<Pd>,
    rows: R,
    /// Requests of all stores that wait for locks.
    waits: Arc<Waits>,
    api: TikvApi,
    clock: Clock,
    health: Health,
    /// An answer with more bytes is not sent.
    most_bytes: usize,
}

/// What a store is made of.
pub(crate) struct StoreParts<R> {
    pub(crate) id: u64,
    pub(crate) cluster: Arc<Cluster>,
    /// Whose timestamps transactions have.
    pub(crate) pd: Arc<Pd>,
    /// The rows, which all stores share.
    pub(crate) rows: R,
    pub(crate) waits: Arc<Waits>,
    pub(crate) api: TikvApi,
    pub(crate) clock: Clock,
    /// The longest message that is sent.
    pub(crate) frame_bytes: usize,
}

/// The answer to a command, now or later. A status ends the whole stream that the command came on.
pub(crate) type Started = Soon<Result<Answer, Status>>;

/// What is being done for a request, or why nothing is.
type Serving<T> = Result<Soon<Result<T, Refusal>>, Refusal>;

/// A method that stores answer.
pub(crate) trait Serve<M: Method> {
    /// Does what the request asks for.
    fn serve(&self, request: M::Request) -> Serving<M::Reply>;
}

impl<R: Rows> Store<R> {
    pub(crate) fn new(parts: StoreParts<R>) -> Self {
        let StoreParts { id, cluster, pd, rows, waits, api, clock, frame_bytes } = parts;
        let health = Health::new(id, clock.now());
        Self {
            id,
            cluster,
            pd,
            rows,
            waits,
            api,
            clock,
            health,
            most_bytes: frame_bytes.saturating_sub(AROUND_AN_ANSWER),
        }
    }

    /// Its rows, which are those of all stores.
    pub(crate) const fn rows(&self) -> &R {
        &self.rows
    }

    /// Those who wait for locks at any store.
    pub(crate) const fn waits(&self) -> &Arc<Waits> {
        &self.waits
    }

    /// Whether the answer can be as long as a message, and takes memory of its own while it is waited for. In memory most are views of rows
    /// that are there anyway; those of many raw rows are written while they are found.
    pub(crate) fn may_answer_much(&self, call: Call) -> bool {
        use Call::{
            KvBatchGet, KvBufferBatchGet, KvGet, KvScan, KvScanLock, MvccGetByKey, MvccGetByStartTs, RawBatchGet,
            RawBatchScan, RawCompareAndSwap, RawGet, RawScan,
        };
        match call {
            RawBatchGet | RawScan | RawBatchScan => true,
            RawGet | RawCompareAndSwap => self.rows.raw().reads_wait(),
            KvGet | KvBatchGet | KvBufferBatchGet | KvScan | KvScanLock | MvccGetByKey | MvccGetByStartTs => {
                self.rows.mvcc(Keys::Plain).reads_wait()
            }
            _ => false,
        }
    }

    /// Answers a method that came alone.
    pub(crate) fn call<M: Method>(&self, request: M::Request) -> Soon<Result<M::Reply, Status>>
    where
        Self: Serve<M>,
        M::Reply: Refusable + Send,
    {
        self.answer::<M>(request, Way::Alone)
    }

    /// Runs a command of a batch. Most are answered at once.
    pub(crate) fn start(&self, command: Command) -> Started {
        match command {
            Command::RawGet(request) => self.command::<rpc::RawGet>(*request),
            Command::RawBatchGet(request) => self.command::<rpc::RawBatchGet>(*request),
            Command::RawPut(request) => self.command::<rpc::RawPut>(*request),
            Command::RawBatchPut(request) => self.command::<rpc::RawBatchPut>(*request),
            Command::RawDelete(request) => self.command::<rpc::RawDelete>(*request),
            Command::RawBatchDelete(request) => self.command::<rpc::RawBatchDelete>(*request),
            Command::RawScan(request) => self.command::<rpc::RawScan>(*request),
            Command::RawBatchScan(request) => self.command::<rpc::RawBatchScan>(*request),
            Command::RawDeleteRange(request) => self.command::<rpc::RawDeleteRange>(*request),
            Command::RawCoprocessor(request) => self.command::<rpc::RawCoprocessor>(*request),
            Command::GetHealthFeedback(request) => self.command::<rpc::GetHealthFeedback>(*request),
            Command::Empty(request) => batch::wait_and_echo(*request),
            other => self.start_in_transaction(other),
        }
    }

    /// The same for a command of a transaction, or about transactions.
    fn start_in_transaction(&self, command: Command) -> Started {
        match command {
            Command::Get(request) => self.command::<rpc::KvGet>(*request),
            Command::Scan(request) => self.command::<rpc::KvScan>(*request),
            Command::Prewrite(request) => self.command::<rpc::KvPrewrite>(*request),
            Command::Commit(request) => self.command::<rpc::KvCommit>(*request),
            Command::Cleanup(request) => self.command::<rpc::KvCleanup>(*request),
            Command::BatchGet(request) => self.command::<rpc::KvBatchGet>(*request),
            Command::BatchRollback(request) => self.command::<rpc::KvBatchRollback>(*request),
            Command::ResolveLock(request) => self.command::<rpc::KvResolveLock>(*request),
            Command::CheckTxnStatus(request) => self.command::<rpc::KvCheckTxnStatus>(*request),
            Command::TxnHeartBeat(request) => self.command::<rpc::KvTxnHeartBeat>(*request),
            Command::ScanLock(request) => self.command::<rpc::KvScanLock>(*request),
            Command::Gc(request) => self.command::<rpc::KvGc>(*request),
            Command::DeleteRange(request) => self.command::<rpc::KvDeleteRange>(*request),
            Command::PessimisticLock(request) => self.command::<rpc::KvPessimisticLock>(*request),
            Command::PessimisticRollback(request) => self.command::<rpc::KvPessimisticRollback>(*request),
            Command::CheckSecondaryLocks(request) => self.command::<rpc::KvCheckSecondaryLocks>(*request),
            Command::FlashbackToVersion(request) => self.command::<rpc::KvFlashbackToVersion>(*request),
            Command::PrepareFlashbackToVersion(request) => self.command::<rpc::KvPrepareFlashbackToVersion>(*request),
            Command::Flush(request) => self.command::<rpc::KvFlush>(*request),
            Command::BufferBatchGet(request) => self.command::<rpc::KvBufferBatchGet>(*request),
            Command::BroadcastTxnStatus(_) => Soon::Ready(Ok(Answer::BroadcastTxnStatus(Default::default()))),
            other => {
                let name = Call::of_command(&other).map_or("an unknown command", Call::path);
                Soon::Ready(Err(Status::unimplemented(format!("{name} is not served"))))
            }
        }
    }

    fn command<M: Batched>(&self, request: M::Request) -> Started
    where
        Self: Serve<M>,
        M::Reply: Refusable + Send,
    {
        self.answer::<M>(request, Way::InBatch).map(|reply| reply.map(M::into_answer))
    }

    fn answer<M: Method>(&self, request: M::Request, way: Way) -> Soon<Result<M::Reply, Status>>
    where
        Self: Serve<M>,
        M::Reply: Refusable + Send,
    {
        let refuse = move |refusal: Refusal| refusal.into_reply(way);
        match self.serve(request) {
            Ok(serving) => serving.map(move |reply| reply.or_else(refuse)),
            Err(refusal) => Soon::Ready(refuse(refusal)),
        }
    }
}
