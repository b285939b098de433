//! What is done to rows of transactions by those who look after them.

use charioteer_proto::tikv::kvrpcpb::*;
use charioteer_proto::tikv::rpc;

use super::super::support::Way;
use super::support::{Txns, keys, lock_request, mutation, put};

async fn versions(txns: &mut Txns, key: &'static str) -> Vec<u64> {
    let looked = txns.ask::<rpc::MvccGetByKey>(MvccGetByKeyRequest { key: key.into(), ..Default::default() }).await;
    looked.info.unwrap().writes.into_iter().map(|write| write.commit_ts).collect()
}

#[tokio::test]
async fn locks_are_scanned_up_to_a_time_and_in_whole_stores() {
    let mut txns = Txns::start().await;
    let (first, second) = (txns.ts().await, txns.ts().await);
    txns.lock(first, vec![put("a", "1")]).await;
    txns.lock_keys(second, ["b", "c"]).await;
    for way in Way::BOTH {
        let scan = ScanLockRequest { max_version: first, ..Default::default() };
        let found = txns.run::<rpc::KvScanLock>(way, scan).await;
        assert_eq!(found.locks.into_iter().map(|lock| lock.key).collect::<Vec<_>>(), ["a"]);
        let scan =
            ScanLockRequest { max_version: second, start_key: "b".into(), end_key: "c".into(), ..Default::default() };
        let found = txns.run::<rpc::KvScanLock>(way, scan).await;
        assert_eq!(found.locks.into_iter().map(|lock| lock.key).collect::<Vec<_>>(), ["b"]);
    }
    let scan = PhysicalScanLockRequest { max_ts: second, limit: 2, ..Default::default() };
    let found = txns.tikv.store.call::<rpc::PhysicalScanLock>(&scan).await.unwrap();
    assert_eq!((found.error, found.locks.len()), (String::new(), 2));
}

#[tokio::test]
async fn versions_that_nobody_sees_go_when_pd_moves_the_safe_point() {
    let mut txns = Txns::start().await;
    let mut written = Vec::new();
    for value in ["1", "2", "3"] {
        written.push(txns.write(vec![put("a", value), put("gone", value)]).await);
    }
    let deleted = txns.write(vec![mutation(Op::Del, "gone")]).await;
    let last = txns.write(vec![put("a", "4")]).await;
    txns.raise_safe_point(deleted).await;
    while !versions(&mut txns, "gone").await.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(versions(&mut txns, "a").await, [last, written[2]]);
    assert_eq!(txns.value_at("a", deleted).await.unwrap(), "3");
}

#[tokio::test]
async fn versions_go_when_a_client_says_so() {
    let mut txns = Txns::start().await;
    for way in Way::BOTH {
        txns.write(vec![put("a", "1")]).await;
        let last = txns.write(vec![put("a", "2")]).await;
        let gc = GcRequest { safe_point: last, ..Default::default() };
        let refused = txns.run::<rpc::KvGc>(way, gc.clone()).await.error.unwrap();
        assert!(refused.abort.contains("is beyond PD's"), "{refused:?}");
        assert_eq!(versions(&mut txns, "a").await[0], last);
        assert!(versions(&mut txns, "a").await.len() > 1);
        txns.raise_safe_point(last).await;
        assert_eq!(txns.run::<rpc::KvGc>(way, gc).await, Default::default());
        assert_eq!(versions(&mut txns, "a").await, [last]);
    }
}

#[tokio::test]
async fn readers_and_transactions_from_before_the_safe_point_are_refused() {
    let mut txns = Txns::start().await;
    txns.write(vec![put("a", "1")]).await;
    let before = txns.ts().await;
    let gone = txns.write(vec![mutation(Op::Del, "a")]).await;
    txns.raise_safe_point(gone).await;
    while !versions(&mut txns, "a").await.is_empty() {
        tokio::task::yield_now().await;
    }
    let is_too_old = |error: &KeyError| {
        error.abort
            == format!(
                "GC life time is shorter than transaction duration, transaction starts at {before}, \
                 GC safe point is {gone}"
            )
    };
    for way in Way::BOTH {
        let get = GetRequest { key: "a".into(), version: before, ..Default::default() };
        assert!(is_too_old(&txns.run::<rpc::KvGet>(way, get).await.error.unwrap()));
        let get = BatchGetRequest { keys: keys(["a"]), version: before, ..Default::default() };
        assert!(is_too_old(&txns.run::<rpc::KvBatchGet>(way, get).await.error.unwrap()));
        let scan = ScanRequest { version: before, limit: 9, ..Default::default() };
        assert!(is_too_old(&txns.run::<rpc::KvScan>(way, scan).await.error.unwrap()));
        let prewrite = Txns::prewrite(before, vec![put("a", "2")]);
        assert!(is_too_old(&txns.run::<rpc::KvPrewrite>(way, prewrite).await.errors[0]));
        let locked = txns.run::<rpc::KvPessimisticLock>(way, lock_request(before, ["a"])).await;
        assert!(is_too_old(&locked.errors[0]));
    }
    assert_eq!(txns.value_at("a", gone).await, None);
}

#[tokio::test]
async fn a_safe_point_of_the_future_collects_no_further_than_now() {
    let mut txns = Txns::start().await;
    txns.write(vec![put("a", "1")]).await;
    let last = txns.write(vec![put("a", "2")]).await;
    txns.raise_safe_point(u64::MAX).await;
    while versions(&mut txns, "a").await != [last] {
        tokio::task::yield_now().await;
    }
    txns.write(vec![put("a", "3")]).await;
    assert_eq!(txns.value("a").await.unwrap(), "3");
}

#[tokio::test]
async fn ranges_are_removed_with_locks_and_versions() {
    let mut txns = Txns::start().await;
    for way in Way::BOTH {
        txns.write(["a", "b", "c"].map(|key| put(key, "1")).into()).await;
        let start_ts = txns.ts().await;
        txns.lock(start_ts, vec![put("b", "2")]).await;
        let notify_only =
            DeleteRangeRequest { start_key: "a".into(), end_key: "c".into(), notify_only: true, ..Default::default() };
        assert_eq!(txns.run::<rpc::KvDeleteRange>(way, notify_only.clone()).await, Default::default());
        assert_eq!(txns.locks().await.len(), 1);
        let delete = DeleteRangeRequest { notify_only: false, ..notify_only };
        assert_eq!(txns.run::<rpc::KvDeleteRange>(way, delete).await, Default::default());
        assert!(txns.locks().await.is_empty());
        assert_eq!((txns.value("a").await, txns.value("c").await.unwrap()), (None, "1".into()));
    }
    let destroy = UnsafeDestroyRangeRequest { start_key: "a".into(), end_key: "z".into(), ..Default::default() };
    assert_eq!(txns.ask::<rpc::UnsafeDestroyRange>(destroy).await, Default::default());
    assert_eq!(txns.value("c").await, None);
}

#[tokio::test]
async fn rows_are_looked_at() {
    let mut txns = Txns::start().await;
    let long = "x".repeat(300);
    let commit_ts = txns.write(vec![put("a", &long)]).await;
    let start_ts = txns.ts().await;
    txns.lock(start_ts, vec![mutation(Op::Del, "a")]).await;
    let by_key = txns.ask::<rpc::MvccGetByKey>(MvccGetByKeyRequest { key: "a".into(), ..Default::default() }).await;
    let info = by_key.info.unwrap();
    assert_eq!((info.writes[0].commit_ts, &info.values[0].value[..]), (commit_ts, long.as_bytes()));
    assert_eq!((info.lock.as_ref().unwrap().start_ts, info.lock.as_ref().unwrap().r#type()), (start_ts, Op::Del));
    let by_start = txns.ask::<rpc::MvccGetByStartTs>(MvccGetByStartTsRequest { start_ts, ..Default::default() }).await;
    assert_eq!((&by_start.key[..], by_start.info.unwrap()), (&b"a"[..], info));
}

#[tokio::test]
async fn going_back_is_refused_clearly() {
    let mut txns = Txns::start().await;
    for way in Way::BOTH {
        let prepared = txns.run::<rpc::KvPrepareFlashbackToVersion>(way, Default::default()).await;
        assert!(prepared.error.contains("flashback is not supported"), "{prepared:?}");
        let gone_back = txns.run::<rpc::KvFlashbackToVersion>(way, Default::default()).await;
        assert!(gone_back.error.contains("flashback is not supported"), "{gone_back:?}");
    }
}

#[tokio::test]
async fn a_transaction_is_cleaned_up_key_by_key() {
    let mut txns = Txns::start().await;
    for way in Way::BOTH {
        let start_version = txns.ts().await;
        txns.lock(start_version, vec![put("a", "1")]).await;
        let current_ts = txns.ts().await;
        let cleanup = CleanupRequest { key: "a".into(), start_version, current_ts, ..Default::default() };
        let alive = txns.run::<rpc::KvCleanup>(way, cleanup.clone()).await;
        assert_eq!(alive.error.unwrap().locked.unwrap().lock_version, start_version);
        let commit_version = txns.commit(start_version, keys(["a"])).await;
        let committed = txns.run::<rpc::KvCleanup>(way, cleanup).await;
        assert_eq!(committed, CleanupResponse { commit_version, ..Default::default() });
        let rollback = BatchRollbackRequest { start_version, keys: keys(["a"]), ..Default::default() };
        let refused = txns.run::<rpc::KvBatchRollback>(way, rollback).await.error.unwrap();
        assert!(refused.abort.starts_with("Error(Txn(Error(Mvcc(Error(Committed { start_ts: "), "{refused:?}");
    }
}
