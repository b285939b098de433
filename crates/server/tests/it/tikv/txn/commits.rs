//! Commits whose timestamp the store chooses: without a second phase, and with one that nobody waits for.

use charioteer_proto::tikv::kvrpcpb::*;
use charioteer_proto::tikv::rpc;

use super::super::support::Way;
use super::support::{Txns, keys, mutation, put};

#[tokio::test]
async fn one_phase_is_all_where_a_region_has_all_keys() {
    let mut txns = Txns::start().await;
    for way in Way::BOTH {
        let (start_ts, read_ts) = (txns.ts().await, txns.ts().await);
        txns.value_at("a", read_ts).await;
        let prewrite = PrewriteRequest {
            try_one_pc: true,
            ..Txns::prewrite(start_ts, vec![put("a", "1"), mutation(Op::Del, "b")])
        };
        let written = txns.run::<rpc::KvPrewrite>(way, prewrite.clone()).await;
        assert!(written.one_pc_commit_ts > read_ts, "{written:?}");
        assert_eq!(txns.value_at("a", written.one_pc_commit_ts).await.unwrap(), "1");
        let again = txns.run::<rpc::KvPrewrite>(way, prewrite).await;
        assert_eq!(again.one_pc_commit_ts, written.one_pc_commit_ts);
        assert!(txns.locks().await.is_empty());
    }
}

#[tokio::test]
async fn what_would_be_committed_too_late_falls_back_to_two_phases() {
    let mut txns = Txns::start().await;
    for (way, try_one_pc) in [(Way::Alone, true), (Way::InBatch, false)] {
        let start_version = txns.ts().await;
        let prewrite = PrewriteRequest {
            try_one_pc,
            use_async_commit: true,
            max_commit_ts: start_version,
            ..Txns::prewrite(start_version, vec![put("a", "1")])
        };
        let written = txns.run::<rpc::KvPrewrite>(way, prewrite).await;
        assert_eq!(written, PrewriteResponse::default());
        assert!(!txns.locks().await[0].use_async_commit);
        txns.commit(start_version, keys(["a"])).await;
    }
}

#[tokio::test]
async fn all_locks_of_an_asynchronous_commit_tell_when_it_is() {
    let mut txns = Txns::start().await;
    for way in Way::BOTH {
        let start_version = txns.ts().await;
        let prewrite = PrewriteRequest {
            use_async_commit: true,
            secondaries: keys(["b"]),
            ..Txns::prewrite(start_version, vec![put("a", "1")])
        };
        let primary = txns.run::<rpc::KvPrewrite>(way, prewrite).await;
        let secondary = PrewriteRequest {
            use_async_commit: true,
            primary_lock: "a".into(),
            ..Txns::prewrite(start_version, vec![put("b", "1")])
        };
        let secondary = txns.run::<rpc::KvPrewrite>(way, secondary).await;
        let commit_ts = primary.min_commit_ts.max(secondary.min_commit_ts);
        assert!(primary.min_commit_ts > start_version && secondary.min_commit_ts > start_version);
        let status = CheckTxnStatusRequest {
            primary_key: "a".into(),
            lock_ts: start_version,
            current_ts: u64::MAX,
            ..Default::default()
        };
        let status = txns.run::<rpc::KvCheckTxnStatus>(way, status).await;
        assert_eq!(status.lock_info.unwrap().secondaries, keys(["b"]));
        let check = CheckSecondaryLocksRequest { keys: keys(["b"]), start_version, ..Default::default() };
        let checked = txns.run::<rpc::KvCheckSecondaryLocks>(way, check.clone()).await;
        assert_eq!(checked.locks[0].min_commit_ts, secondary.min_commit_ts);
        let resolve = ResolveLockRequest {
            start_version,
            commit_version: commit_ts,
            keys: keys(["a", "b"]),
            ..Default::default()
        };
        assert_eq!(txns.run::<rpc::KvResolveLock>(way, resolve).await, Default::default());
        let checked = txns.run::<rpc::KvCheckSecondaryLocks>(way, check).await;
        assert_eq!((checked.locks.len(), checked.commit_ts), (0, commit_ts));
        assert_eq!(txns.value("b").await.unwrap(), "1");
    }
}

#[tokio::test]
async fn a_secondary_that_was_not_locked_never_will_be() {
    let mut txns = Txns::start().await;
    let start_version = txns.ts().await;
    let check = CheckSecondaryLocksRequest { keys: keys(["a"]), start_version, ..Default::default() };
    assert_eq!(txns.ask::<rpc::KvCheckSecondaryLocks>(check).await, Default::default());
    let refused = txns.ask::<rpc::KvPrewrite>(Txns::prewrite(start_version, vec![put("a", "1")])).await;
    let conflict = refused.errors[0].conflict.as_ref().unwrap();
    assert_eq!(conflict.reason(), write_conflict::Reason::SelfRolledBack);
}

#[tokio::test]
async fn a_large_transaction_writes_its_buffer_bit_by_bit() {
    let mut txns = Txns::start().await;
    for way in Way::BOTH {
        let start_ts = txns.ts().await;
        let flush = |generation, value| FlushRequest {
            mutations: vec![put("a", value), put("b", value)],
            primary_key: "a".into(),
            start_ts,
            min_commit_ts: start_ts + 1,
            generation,
            lock_ttl: 3_000,
            ..Default::default()
        };
        for (generation, value) in [(1, "1"), (2, "2"), (1, "late")] {
            assert_eq!(txns.run::<rpc::KvFlush>(way, flush(generation, value)).await, Default::default());
        }
        let read = BufferBatchGetRequest { keys: keys(["a", "none"]), version: start_ts, ..Default::default() };
        let read = txns.run::<rpc::KvBufferBatchGet>(way, read).await;
        assert_eq!((read.pairs.len(), &read.pairs[0].value[..]), (1, &b"2"[..]));
        txns.commit(start_ts, keys(["a", "b"])).await;
        assert_eq!(txns.value("b").await.unwrap(), "2");
    }
    let broadcast = BroadcastTxnStatusRequest::default();
    txns.tikv.store.call::<rpc::BroadcastTxnStatus>(&broadcast).await.unwrap();
}
