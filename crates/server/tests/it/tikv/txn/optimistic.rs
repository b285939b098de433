//! Transactions that lock their keys when they commit.

use charioteer_proto::tikv::kvrpcpb::*;
use charioteer_proto::tikv::rpc;

use super::super::support::Way;
use super::support::{Txns, keys, mutation, put};

#[tokio::test]
async fn what_is_committed_is_read_from_then_on() {
    let mut txns = Txns::start().await;
    for way in Way::BOTH {
        let start_version = txns.ts().await;
        let prewrite = Txns::prewrite(start_version, vec![put("a", "one"), put("b", "two")]);
        assert_eq!(txns.run::<rpc::KvPrewrite>(way, prewrite).await, PrewriteResponse::default());
        let before = txns.value_at("a", start_version - 1).await;
        let commit_version = txns.ts().await;
        let commit = CommitRequest { start_version, commit_version, keys: keys(["a", "b"]), ..Default::default() };
        let committed = txns.run::<rpc::KvCommit>(way, commit).await;
        assert_eq!(committed, CommitResponse { commit_version, ..Default::default() });
        let get = GetRequest { key: "a".into(), version: commit_version, need_commit_ts: true, ..Default::default() };
        let found = txns.run::<rpc::KvGet>(way, get).await;
        assert_eq!(found, GetResponse { value: "one".into(), commit_ts: commit_version, ..Default::default() });
        assert_eq!(txns.value_at("a", commit_version - 1).await, before);
        txns.write(vec![mutation(Op::Del, "a")]).await;
        assert_eq!(txns.value("a").await, None);
    }
}

#[tokio::test]
async fn what_is_locked_is_told_with_its_lock() {
    let mut txns = Txns::start().await;
    let start_ts = txns.ts().await;
    txns.lock(start_ts, vec![put("a", "one"), put("b", "two")]).await;
    let version = txns.ts().await;
    for way in Way::BOTH {
        let get = GetRequest { key: "b".into(), version, ..Default::default() };
        let locked = txns.run::<rpc::KvGet>(way, get).await.error.unwrap().locked.unwrap();
        let expected = LockInfo {
            primary_lock: "a".into(),
            lock_version: start_ts,
            key: "b".into(),
            lock_ttl: 3_000,
            txn_size: 2,
            lock_type: Op::Put.into(),
            ..Default::default()
        };
        assert_eq!(*locked, expected);
        let get = BatchGetRequest { keys: keys(["b", "c"]), version, ..Default::default() };
        let found = txns.run::<rpc::KvBatchGet>(way, get).await;
        assert_eq!(found.pairs.len(), 1);
        assert_eq!(found.pairs[0].error.as_ref().unwrap().locked.as_deref(), Some(&expected));
        let passing = Context { resolved_locks: vec![start_ts], ..Default::default() };
        let get = GetRequest { context: Some(passing), key: "b".into(), version, ..Default::default() };
        assert!(txns.run::<rpc::KvGet>(way, get).await.not_found);
        let reading = Context { committed_locks: vec![start_ts], ..Default::default() };
        let get = GetRequest { context: Some(reading), key: "b".into(), version, ..Default::default() };
        assert_eq!(txns.run::<rpc::KvGet>(way, get).await.value, "two");
    }
}

#[tokio::test]
async fn two_that_write_the_same_are_in_conflict() {
    let mut txns = Txns::start().await;
    let (first, second) = (txns.ts().await, txns.ts().await);
    txns.lock(second, vec![put("a", "second")]).await;
    for way in Way::BOTH {
        let refused = txns.run::<rpc::KvPrewrite>(way, Txns::prewrite(first, vec![put("a", "first")])).await;
        assert_eq!(refused.errors[0].locked.as_ref().unwrap().lock_version, second);
    }
    let commit_ts = txns.commit(second, keys(["a"])).await;
    for way in Way::BOTH {
        let refused = txns.run::<rpc::KvPrewrite>(way, Txns::prewrite(first, vec![put("a", "first")])).await;
        let conflict = refused.errors[0].conflict.as_deref().unwrap();
        let expected = WriteConflict {
            start_ts: first,
            conflict_ts: second,
            key: "a".into(),
            primary: "a".into(),
            conflict_commit_ts: commit_ts,
            reason: write_conflict::Reason::Optimistic.into(),
        };
        assert_eq!(*conflict, expected);
        assert!(refused.errors[0].retryable.contains("WriteConflict"), "{refused:?}");
    }
}

#[tokio::test]
async fn one_that_was_rolled_back_leaves_nothing_and_cannot_go_on() {
    let mut txns = Txns::start().await;
    for way in Way::BOTH {
        let start_version = txns.ts().await;
        txns.lock(start_version, vec![put("a", "x"), put("b", "x")]).await;
        let rollback = BatchRollbackRequest { start_version, keys: keys(["a", "b"]), ..Default::default() };
        assert_eq!(txns.run::<rpc::KvBatchRollback>(way, rollback).await, Default::default());
        assert_eq!(txns.value("a").await, None);
        let commit_version = txns.ts().await;
        let commit = CommitRequest { start_version, commit_version, keys: keys(["a"]), ..Default::default() };
        let error = txns.run::<rpc::KvCommit>(way, commit).await.error.unwrap();
        assert_eq!(error.txn_lock_not_found.unwrap().key, "a");
        assert!(error.retryable.contains("TxnLockNotFound"), "{}", error.retryable);
    }
}

#[tokio::test]
async fn a_commit_before_a_start_is_refused_in_the_words_of_the_original() {
    let mut txns = Txns::start().await;
    let commit = CommitRequest { start_version: 9, commit_version: 8, keys: keys(["a"]), ..Default::default() };
    let error = txns.ask::<rpc::KvCommit>(commit).await.error.unwrap();
    let expected = "Error(Txn(Error(InvalidTxnTso { start_ts: TimeStamp(9), commit_ts: TimeStamp(8) })))";
    assert_eq!(error.abort, expected);
}

#[tokio::test]
async fn a_range_is_scanned_both_ways_and_past_locks() {
    let mut txns = Txns::start().await;
    txns.write(["a", "b", "c", "d"].map(|key| put(key, &key.to_uppercase())).into()).await;
    let start_ts = txns.ts().await;
    txns.lock(start_ts, vec![mutation(Op::Del, "c")]).await;
    let version = txns.ts().await;
    for way in Way::BOTH {
        let forward = ScanRequest { start_key: "b".into(), limit: 3, version, ..Default::default() };
        let found = txns.run::<rpc::KvScan>(way, forward).await;
        assert_eq!(found.pairs.iter().map(|pair| &pair.key[..]).collect::<Vec<_>>(), [&b"b"[..], b"", b"d"]);
        assert_eq!(found.pairs[1].error.as_ref().unwrap().locked.as_ref().unwrap().key, "c");
        let backward = ScanRequest {
            start_key: "c".into(),
            end_key: "a".into(),
            limit: 9,
            version,
            reverse: true,
            key_only: true,
            ..Default::default()
        };
        let found = txns.run::<rpc::KvScan>(way, backward).await;
        assert_eq!(found.pairs.iter().map(|pair| &pair.key[..]).collect::<Vec<_>>(), [b"b", b"a"]);
        assert!(found.pairs.iter().all(|pair| pair.value.is_empty()));
    }
}

#[tokio::test]
async fn what_became_of_a_transaction_is_told_and_its_locks_are_resolved() {
    let mut txns = Txns::start().await;
    let lock_ts = txns.ts().await;
    txns.lock(lock_ts, vec![put("a", "1"), put("b", "1")]).await;
    let check = |caller_start_ts, current_ts| CheckTxnStatusRequest {
        primary_key: "a".into(),
        lock_ts,
        caller_start_ts,
        current_ts,
        verify_is_primary: true,
        ..Default::default()
    };
    let now = txns.ts().await;
    let alive = txns.ask::<rpc::KvCheckTxnStatus>(check(now, now)).await;
    assert_eq!((alive.lock_ttl, alive.commit_version, alive.error), (3_000, 0, None));
    assert_eq!(alive.lock_info.unwrap().lock_version, lock_ts);
    let commit_version = txns.commit(lock_ts, keys(["a"])).await;
    let committed = txns.ask::<rpc::KvCheckTxnStatus>(check(now, now)).await;
    assert_eq!(committed, CheckTxnStatusResponse { commit_version, ..Default::default() });
    for way in Way::BOTH {
        let resolve = ResolveLockRequest { start_version: lock_ts, commit_version, ..Default::default() };
        assert_eq!(txns.run::<rpc::KvResolveLock>(way, resolve).await, Default::default());
    }
    assert_eq!(txns.value("b").await.unwrap(), "1");
}

#[tokio::test]
async fn a_lock_is_over_when_the_clock_says_so() {
    let mut txns = Txns::start().await;
    let lock_ts = txns.ts().await;
    txns.lock(lock_ts, vec![put("a", "1")]).await;
    let beat = |advise_lock_ttl| TxnHeartBeatRequest {
        primary_lock: "a".into(),
        start_version: lock_ts,
        advise_lock_ttl,
        ..Default::default()
    };
    assert_eq!(txns.ask::<rpc::KvTxnHeartBeat>(beat(9_000)).await.lock_ttl, 9_000);
    txns.tikv.clock.advance(std::time::Duration::from_secs(10));
    let current_ts = txns.ts().await;
    let check = CheckTxnStatusRequest { primary_key: "a".into(), lock_ts, current_ts, ..Default::default() };
    let over = txns.ask::<rpc::KvCheckTxnStatus>(check).await;
    assert_eq!(over.action(), Action::TtlExpireRollback);
    let gone = txns.ask::<rpc::KvTxnHeartBeat>(beat(20_000)).await.error.unwrap().txn_not_found.unwrap();
    assert_eq!((gone.start_ts, &gone.primary_key[..]), (lock_ts, &b"a"[..]));
}
