//! Transactions in a folder: the same as in memory, and there when a server is started again.

use std::time::Duration;

use charioteer_engine::Clock;
use charioteer_proto::tikv::kvrpcpb::*;
use charioteer_proto::tikv::rpc::{self, Batched};
use charioteer_server::Data;
use tempfile::TempDir;

use super::super::support::{Batches, START};
use super::support::{Txns, keys, lock_request, placed, put};

struct Kept {
    folder: TempDir,
    clock: Clock,
}

impl Kept {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: Clock::stopped_at(Duration::from_secs(START)) }
    }

    async fn start(&self) -> Txns {
        Txns::with(|options| {
            options.data = Data::Folder(self.folder.path().join("data"), Default::default());
            options.clock = self.clock.clone();
        })
        .await
    }
}

async fn stop(txns: Txns) {
    txns.tikv.server.shutdown().await;
}

#[tokio::test]
async fn what_was_committed_and_what_was_locked_is_there_again() {
    let kept = Kept::new();
    let mut txns = kept.start().await;
    let long = "x".repeat(10_000);
    txns.write(vec![put("a", "short"), put("b", &long)]).await;
    let (optimistic, pessimistic) = (txns.ts().await, txns.ts().await);
    txns.lock(optimistic, vec![put("c", "1")]).await;
    txns.lock_keys(pessimistic, ["d"]).await;
    let locks = txns.locks().await;
    stop(txns).await;
    let mut txns = kept.start().await;
    assert_eq!(txns.locks().await, locks);
    assert_eq!((txns.value("a").await.unwrap(), txns.value("b").await.unwrap()), ("short".into(), long.into()));
    txns.commit(optimistic, keys(["c"])).await;
    assert_eq!(txns.value("c").await.unwrap(), "1");
    stop(txns).await;
}

#[tokio::test]
async fn nothing_is_committed_before_what_was_read_when_the_server_ran_before() {
    let kept = Kept::new();
    let mut txns = kept.start().await;
    let start_ts = txns.ts().await;
    let read_ts = txns.ts().await;
    assert_eq!(txns.value_at("a", read_ts).await, None);
    stop(txns).await;
    let mut txns = kept.start().await;
    let prewrite = PrewriteRequest { try_one_pc: true, ..Txns::prewrite(start_ts, vec![put("a", "1")]) };
    let written = txns.ask::<rpc::KvPrewrite>(prewrite).await;
    assert!(written.one_pc_commit_ts > read_ts, "{written:?}, read at {read_ts}");
    assert_eq!(txns.value_at("a", read_ts).await, None);
    stop(txns).await;
}

#[tokio::test]
async fn what_was_before_the_safe_point_stays_gone() {
    let kept = Kept::new();
    let mut txns = kept.start().await;
    txns.write(vec![put("a", "1")]).await;
    let before = txns.ts().await;
    let safe_point = txns.write(vec![put("a", "2")]).await;
    txns.raise_safe_point(safe_point).await;
    stop(txns).await;
    let mut txns = kept.start().await;
    let get = GetRequest { key: "a".into(), version: before, ..GetRequest::default() };
    let refused = txns.ask::<rpc::KvGet>(get).await;
    assert!(refused.error.unwrap().abort.contains("GC life time"), "whether it was collected or not");
    assert_eq!(txns.value_at("a", safe_point).await.unwrap(), "2");
    stop(txns).await;
}

#[tokio::test]
async fn a_lock_is_waited_for_and_released() {
    let kept = Kept::new();
    let mut txns = kept.start().await;
    let (first, second) = (txns.ts().await, txns.ts().await);
    txns.lock_keys(first, ["a"]).await;
    let mut client = txns.tikv.connect().await;
    let mut batches = Batches::open(&mut client).await;
    let request = placed(&mut txns.tikv.pd, lock_request(second, ["a"])).await;
    batches.send([(1, rpc::KvPessimisticLock::into_command(request))]).await;
    while txns.waits().await.is_empty() {
        tokio::task::yield_now().await;
    }
    txns.prewrite_locked(first, vec![put("a", "1")]).await;
    let commit_ts = txns.commit(first, keys(["a"])).await;
    let refused = batches.reply::<rpc::KvPessimisticLock>(1).await;
    assert_eq!(refused.errors[0].conflict.as_ref().unwrap().conflict_commit_ts, commit_ts);
    stop(txns).await;
}
