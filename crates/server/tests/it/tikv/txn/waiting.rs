//! Requests for locks that others hold.

use charioteer_proto::tikv::kvrpcpb::*;
use charioteer_proto::tikv::rpc::{self, Batched};

use super::super::support::{Batches, Client, Way};
use super::support::{Txns, keys, lock_request, placed, put};

/// A stream with a request that waits, and its connection.
struct Waiting {
    batches: Batches,
    _client: Client,
}

/// Sends a request for locks on a stream of its own, and waits until it waits.
async fn waiting(txns: &mut Txns, request: PessimisticLockRequest, waiting: usize) -> Waiting {
    let request = placed(&mut txns.tikv.pd, request).await;
    let mut client = txns.tikv.connect().await;
    let mut batches = Batches::open(&mut client).await;
    batches.send([(1, rpc::KvPessimisticLock::into_command(request))]).await;
    while txns.waits().await.len() < waiting {
        tokio::task::yield_now().await;
    }
    Waiting { batches, _client: client }
}

async fn answer(waiting: &mut Waiting) -> PessimisticLockResponse {
    waiting.batches.reply::<rpc::KvPessimisticLock>(1).await
}

fn forced(request: PessimisticLockRequest) -> PessimisticLockRequest {
    PessimisticLockRequest { wake_up_mode: PessimisticLockWakeUpMode::WakeUpModeForceLock.into(), ..request }
}

#[tokio::test]
async fn one_that_does_not_wait_is_told_of_the_lock_at_once() {
    let mut txns = Txns::patient().await;
    let (first, second) = (txns.ts().await, txns.ts().await);
    txns.lock_keys(first, ["a"]).await;
    for way in Way::BOTH {
        let at_once = PessimisticLockRequest { wait_timeout: -1, ..lock_request(second, ["a"]) };
        let refused = txns.run::<rpc::KvPessimisticLock>(way, at_once.clone()).await;
        let lock = refused.errors[0].locked.as_ref().unwrap();
        assert_eq!((lock.lock_version, lock.lock_type(), lock.lock_for_update_ts), (first, Op::PessimisticLock, first));
        let refused = txns.run::<rpc::KvPessimisticLock>(way, forced(at_once)).await;
        assert_eq!(refused.results[0].r#type(), PessimisticLockKeyResultType::LockResultFailed);
        assert!(refused.errors[0].locked.is_some());
    }
}

#[tokio::test]
async fn one_that_has_waited_long_enough_is_told_of_the_lock() {
    let mut txns = Txns::patient().await;
    let (first, second) = (txns.ts().await, txns.ts().await);
    txns.lock_keys(first, ["a"]).await;
    for way in Way::BOTH {
        let wait = PessimisticLockRequest { wait_timeout: 1, ..lock_request(second, ["a"]) };
        let refused = txns.run::<rpc::KvPessimisticLock>(way, wait).await;
        assert_eq!(refused.errors[0].locked.as_ref().unwrap().lock_version, first);
    }
    assert!(txns.waits().await.is_empty());
}

#[tokio::test]
async fn a_released_lock_is_a_conflict_for_the_one_that_waits() {
    let mut txns = Txns::patient().await;
    for is_committed in [true, false] {
        let (first, second) = (txns.ts().await, txns.ts().await);
        txns.lock_keys(first, ["a"]).await;
        let mut waiter = waiting(&mut txns, lock_request(second, ["a"]), 1).await;
        let wait = txns.waits().await;
        assert_eq!((wait[0].txn, wait[0].wait_for_txn, &wait[0].key[..]), (second, first, &b"a"[..]));
        let commit_ts = if is_committed {
            txns.prewrite_locked(first, vec![put("a", "1")]).await;
            txns.commit(first, keys(["a"])).await
        } else {
            txns.give_back(first, ["a"]).await;
            0
        };
        let refused = answer(&mut waiter).await;
        let conflict = refused.errors[0].conflict.as_deref().unwrap();
        let expected = WriteConflict {
            start_ts: second,
            conflict_ts: first,
            key: "a".into(),
            primary: "a".into(),
            conflict_commit_ts: commit_ts,
            reason: write_conflict::Reason::PessimisticRetry.into(),
        };
        assert_eq!(*conflict, expected);
        assert!(txns.locks().await.is_empty(), "it does not have the lock");
    }
}

#[tokio::test]
async fn one_that_forces_its_lock_has_it_when_it_is_released() {
    let mut txns = Txns::patient().await;
    let (first, second) = (txns.ts().await, txns.ts().await);
    txns.lock_keys(first, ["a"]).await;
    let mut waiter = waiting(&mut txns, forced(lock_request(second, ["a"])), 1).await;
    txns.prewrite_locked(first, vec![put("a", "1")]).await;
    let commit_ts = txns.commit(first, keys(["a"])).await;
    let locked = answer(&mut waiter).await;
    assert_eq!(locked.results[0].locked_with_conflict_ts, commit_ts);
    assert_eq!(locked.results[0].value, "1");
    assert_eq!(txns.locks().await[0].lock_version, second);
}

#[tokio::test]
async fn of_several_the_oldest_is_answered_first_and_the_others_a_moment_later() {
    let mut txns = Txns::patient().await;
    let (holder, oldest, younger) = (txns.ts().await, txns.ts().await, txns.ts().await);
    txns.lock_keys(holder, ["a"]).await;
    let mut late = waiting(&mut txns, lock_request(younger, ["a"]), 1).await;
    let mut early = waiting(&mut txns, lock_request(oldest, ["a"]), 2).await;
    txns.give_back(holder, ["a"]).await;
    assert!(answer(&mut early).await.errors[0].conflict.is_some());
    assert!(answer(&mut late).await.errors[0].conflict.is_some());
}

#[tokio::test]
async fn those_that_wait_for_each_other_are_told_of_the_circle() {
    let mut txns = Txns::patient().await;
    let (first, second) = (txns.ts().await, txns.ts().await);
    txns.lock_keys(first, ["a"]).await;
    txns.lock_keys(second, ["b"]).await;
    for way in Way::BOTH {
        let waiter = waiting(&mut txns, lock_request(first, ["b"]), 1).await;
        let refused = txns.run::<rpc::KvPessimisticLock>(way, lock_request(second, ["a"])).await;
        let deadlock = refused.errors[0].deadlock.as_ref().unwrap();
        assert_eq!(
            (deadlock.lock_ts, &deadlock.lock_key[..], &deadlock.deadlock_key[..]),
            (first, &b"a"[..], &b"b"[..])
        );
        let chain: Vec<_> =
            deadlock.wait_chain.iter().map(|wait| (wait.txn, wait.wait_for_txn, &wait.key[..])).collect();
        assert_eq!(chain, [(first, second, &b"b"[..]), (second, first, b"a")]);
        assert_eq!(deadlock.deadlock_key_hash, charioteer_proto::tikv::fingerprint::of(b"b"));
        txns.nobody_waits_after(waiter).await;
    }
}

#[tokio::test]
async fn one_whose_client_has_gone_waits_no_more() {
    let mut txns = Txns::patient().await;
    let (first, second) = (txns.ts().await, txns.ts().await);
    txns.lock_keys(first, ["a"]).await;
    let waiter = waiting(&mut txns, lock_request(second, ["a"]), 1).await;
    txns.nobody_waits_after(waiter).await;
    assert_eq!(txns.locks().await.len(), 1);
}

#[tokio::test]
async fn many_that_want_one_lock_all_get_it_in_the_end() {
    let mut txns = Txns::patient().await;
    let holder = txns.ts().await;
    txns.lock_keys(holder, ["a"]).await;
    let mut waiters = Vec::new();
    for count in 1..=8 {
        let start_ts = txns.ts().await;
        waiters.push((start_ts, waiting(&mut txns, forced(lock_request(start_ts, ["a"])), count).await));
    }
    let mut before = holder;
    for (start_ts, mut waiter) in waiters {
        txns.give_back(before, ["a"]).await;
        let locked = answer(&mut waiter).await;
        assert_eq!(locked.errors, [], "{start_ts}");
        before = start_ts;
    }
}

#[tokio::test]
async fn those_who_wait_hold_up_no_command_behind_them_that_gives_their_lock_back() {
    const WAITING: u64 = 600;
    let mut txns = Txns::patient().await;
    let holder = txns.ts().await;
    txns.lock_keys(holder, ["a"]).await;
    let mut client = txns.tikv.connect().await;
    let mut batches = Batches::open(&mut client).await;
    for number in 1..=WAITING {
        let request = placed(&mut txns.tikv.pd, lock_request(holder + number, ["a"])).await;
        batches.send([(number, rpc::KvPessimisticLock::into_command(request))]).await;
    }
    let rollback = PessimisticRollbackRequest {
        start_version: holder,
        for_update_ts: holder,
        keys: keys(["a"]),
        ..Default::default()
    };
    let rollback = placed(&mut txns.tikv.pd, rollback).await;
    batches.send([(WAITING + 1, rpc::KvPessimisticRollback::into_command(rollback))]).await;
    assert_eq!(batches.reply::<rpc::KvPessimisticRollback>(WAITING + 1).await, Default::default());
    let last = batches.reply::<rpc::KvPessimisticLock>(WAITING).await;
    assert!(last.errors[0].conflict.is_some(), "{last:?}");
}
