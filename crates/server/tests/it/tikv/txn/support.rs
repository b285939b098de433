//! A TiKV for transactions: timestamps from PD, and commands in the regions of their keys, which are memcomparable there.

use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::deadlock::WaitForEntry;
use charioteer_proto::tikv::kvrpcpb::*;
use charioteer_proto::tikv::memcomparable;
use charioteer_proto::tikv::pdpb::{
    GetMembersRequest, RequestHeader, TsoRequest, TsoResponse, UpdateGcSafePointRequest,
};
use charioteer_proto::tikv::regional::Regional;
use charioteer_proto::tikv::rpc::{self, Batched, Method};
use charioteer_server::Options;

use super::super::support::{Batches, Client, Tikv, Way, context_for};

/// A server, and whoever runs transactions on it.
pub(super) struct Txns {
    pub(super) tikv: Tikv,
}

pub(super) fn put(key: &str, value: &str) -> Mutation {
    let (key, value) = (Bytes::copy_from_slice(key.as_bytes()), Bytes::copy_from_slice(value.as_bytes()));
    Mutation { op: Op::Put.into(), key, value, ..Mutation::default() }
}

pub(super) fn mutation(op: Op, key: &str) -> Mutation {
    Mutation { op: op.into(), ..put(key, "") }
}

pub(super) fn keys<const N: usize>(keys: [&str; N]) -> Vec<Bytes> {
    keys.map(|key| Bytes::copy_from_slice(key.as_bytes())).into()
}

/// A request for locks, the primary being the first key, for the newest there is of them when the transaction started.
pub(super) fn lock_request<const N: usize>(start_version: u64, names: [&str; N]) -> PessimisticLockRequest {
    let mutations: Vec<_> = names.iter().map(|key| mutation(Op::PessimisticLock, key)).collect();
    PessimisticLockRequest {
        primary_lock: mutations[0].key.clone(),
        mutations,
        start_version,
        for_update_ts: start_version,
        lock_ttl: 3_000,
        ..PessimisticLockRequest::default()
    }
}

/// What a client says of the region that holds a key of transactions.
pub(super) async fn txn_context(pd: &mut Client, key: &[u8]) -> Context {
    context_for(pd, &memcomparable::encode(key)).await
}

/// A request with the context that its first key asks for.
pub(super) async fn placed<Q: Regional>(pd: &mut Client, mut request: Q) -> Q {
    let key = request.keys().first().map(|key| Bytes::clone(key)).unwrap_or_default();
    let context = txn_context(pd, &key).await;
    let set = request.context().cloned().unwrap_or_default();
    let (region_id, region_epoch, peer) = (context.region_id, context.region_epoch, context.peer);
    *request.context_mut() = Some(Context { region_id, region_epoch, peer, ..set });
    request
}

impl Txns {
    pub(super) async fn start() -> Self {
        Self { tikv: Tikv::start().await }
    }

    /// One whose requests wait for locks for as long as it takes, on a busy machine too.
    pub(super) async fn patient() -> Self {
        Self::with(|options| options.tikv.as_mut().unwrap().lock_wait = Duration::from_secs(3600)).await
    }

    pub(super) async fn with(set: impl FnOnce(&mut Options)) -> Self {
        Self { tikv: Tikv::with(set).await }
    }

    /// A timestamp, as PD hands it out.
    pub(super) async fn ts(&mut self) -> u64 {
        let members = self.tikv.pd.call::<rpc::GetMembers>(&GetMembersRequest::default()).await.unwrap();
        let cluster_id = members.header.unwrap().cluster_id;
        let header = Some(RequestHeader { cluster_id, ..RequestHeader::default() });
        let mut call = self.tikv.pd.open::<rpc::Tso>().await;
        call.send_message(&TsoRequest { header, count: 1, ..TsoRequest::default() }).await;
        let answer: TsoResponse = call.receive().await.unwrap();
        let timestamp = answer.timestamp.unwrap();
        u64::try_from((timestamp.physical << 18) + timestamp.logical).unwrap()
    }

    /// Runs a command, alone or in a batch, and gives the reply.
    pub(super) async fn run<M: Batched>(&mut self, way: Way, request: M::Request) -> M::Reply
    where
        M::Request: Regional,
    {
        let request = placed(&mut self.tikv.pd, request).await;
        match way {
            Way::Alone => self.tikv.store.call::<M>(&request).await.unwrap(),
            Way::InBatch => {
                let mut batches = Batches::open(&mut self.tikv.store).await;
                batches.send([(7, M::into_command(request))]).await;
                batches.reply::<M>(7).await
            }
        }
    }

    /// Runs a command that travels alone.
    pub(super) async fn ask<M: Method>(&mut self, request: M::Request) -> M::Reply
    where
        M::Request: Regional,
    {
        let request = placed(&mut self.tikv.pd, request).await;
        self.tikv.store.call::<M>(&request).await.unwrap()
    }

    /// A prewrite of an optimistic transaction, whose primary is the first key.
    pub(super) fn prewrite(start_version: u64, mutations: Vec<Mutation>) -> PrewriteRequest {
        PrewriteRequest {
            primary_lock: mutations[0].key.clone(),
            txn_size: mutations.len() as u64,
            mutations,
            start_version,
            lock_ttl: 3_000,
            ..PrewriteRequest::default()
        }
    }

    /// Locks keys as an optimistic transaction.
    pub(super) async fn lock(&mut self, start_ts: u64, mutations: Vec<Mutation>) {
        let reply = self.ask::<rpc::KvPrewrite>(Self::prewrite(start_ts, mutations)).await;
        assert_eq!(reply, PrewriteResponse::default());
    }

    /// Commits a transaction of these keys, and gives the timestamp.
    pub(super) async fn commit(&mut self, start_version: u64, keys: Vec<Bytes>) -> u64 {
        let commit_version = self.ts().await;
        let commit = CommitRequest { start_version, commit_version, keys, ..CommitRequest::default() };
        let reply = self.ask::<rpc::KvCommit>(commit).await;
        assert_eq!(reply, CommitResponse { commit_version, ..CommitResponse::default() });
        commit_version
    }

    /// Writes rows in a transaction, and gives the timestamp of its commit.
    pub(super) async fn write(&mut self, mutations: Vec<Mutation>) -> u64 {
        let start_ts = self.ts().await;
        let keys = mutations.iter().map(|mutation| mutation.key.clone()).collect();
        self.lock(start_ts, mutations).await;
        self.commit(start_ts, keys).await
    }

    /// The value that a key had at a time.
    pub(super) async fn value_at(&mut self, key: &str, version: u64) -> Option<Bytes> {
        let key = Bytes::copy_from_slice(key.as_bytes());
        let found = self.ask::<rpc::KvGet>(GetRequest { key, version, ..GetRequest::default() }).await;
        assert_eq!((&found.region_error, &found.error), (&None, &None));
        (!found.not_found).then_some(found.value)
    }

    /// The value that a key has now.
    pub(super) async fn value(&mut self, key: &str) -> Option<Bytes> {
        let now = self.ts().await;
        self.value_at(key, now).await
    }

    /// Locks keys as a pessimistic transaction.
    pub(super) async fn lock_keys<const N: usize>(&mut self, start_ts: u64, names: [&str; N]) {
        let locked = self.ask::<rpc::KvPessimisticLock>(lock_request(start_ts, names)).await;
        assert_eq!(locked, PessimisticLockResponse::default());
    }

    /// Prewrites keys that a pessimistic transaction has locked.
    pub(super) async fn prewrite_locked(&mut self, start_ts: u64, mutations: Vec<Mutation>) {
        let check = prewrite_request::PessimisticAction::DoPessimisticCheck.into();
        let request = PrewriteRequest {
            for_update_ts: start_ts,
            pessimistic_actions: vec![check; mutations.len()],
            ..Self::prewrite(start_ts, mutations)
        };
        assert_eq!(self.ask::<rpc::KvPrewrite>(request).await, PrewriteResponse::default());
    }

    /// Gives locks of a pessimistic transaction back.
    pub(super) async fn give_back<const N: usize>(&mut self, start_version: u64, names: [&str; N]) {
        let (for_update_ts, keys) = (u64::MAX, keys(names));
        let rollback = PessimisticRollbackRequest { start_version, for_update_ts, keys, ..Default::default() };
        assert_eq!(self.ask::<rpc::KvPessimisticRollback>(rollback).await, Default::default());
    }

    /// All locks of the region with the lowest keys.
    pub(super) async fn locks(&mut self) -> Vec<LockInfo> {
        let max_version = self.ts().await;
        let scanned = self.ask::<rpc::KvScanLock>(ScanLockRequest { max_version, ..Default::default() }).await;
        assert_eq!((&scanned.region_error, &scanned.error), (&None, &None));
        scanned.locks
    }

    /// Moves PD's safe points, behind which nothing is kept for readers.
    pub(super) async fn raise_safe_point(&mut self, safe_point: u64) {
        let members = self.tikv.pd.call::<rpc::GetMembers>(&GetMembersRequest::default()).await.unwrap();
        let cluster_id = members.header.unwrap().cluster_id;
        let header = Some(RequestHeader { cluster_id, ..RequestHeader::default() });
        let raise = UpdateGcSafePointRequest { header, safe_point };
        let raised = self.tikv.pd.call::<rpc::UpdateGcSafePoint>(&raise).await.unwrap();
        assert_eq!(raised.new_safe_point, safe_point);
    }

    /// Who waits for whom.
    pub(super) async fn waits(&mut self) -> Vec<WaitForEntry> {
        self.tikv.store.call::<rpc::GetLockWaitInfo>(&Default::default()).await.unwrap().entries
    }

    /// Gives up whatever waits there, and waits until nobody does.
    pub(super) async fn nobody_waits_after(&mut self, waiter: impl Sized) {
        drop(waiter);
        while !self.waits().await.is_empty() {
            tokio::task::yield_now().await;
        }
    }
}
