//! Transactions that lock their keys as they go.

use charioteer_proto::tikv::kvrpcpb::*;
use charioteer_proto::tikv::rpc;

use super::super::support::Way;
use super::support::{Txns, keys, lock_request, mutation, put};

#[tokio::test]
async fn a_lock_is_taken_with_the_value_and_committed() {
    let mut txns = Txns::start().await;
    txns.write(vec![put("a", "0")]).await;
    for (way, before, after) in [(Way::Alone, "0", "1"), (Way::InBatch, "1", "2")] {
        let start_version = txns.ts().await;
        let lock = PessimisticLockRequest { return_values: true, ..lock_request(start_version, ["a", "none"]) };
        let locked = txns.run::<rpc::KvPessimisticLock>(way, lock).await;
        assert_eq!((&locked.values[..], &locked.not_founds[..]), (&[before.into(), "".into()][..], &[false, true][..]));
        assert_eq!((&locked.errors[..], locked.results.len()), (&[][..], 0));
        let prewrite = PrewriteRequest {
            for_update_ts: start_version,
            pessimistic_actions: vec![prewrite_request::PessimisticAction::DoPessimisticCheck.into()],
            ..Txns::prewrite(start_version, vec![put("a", after)])
        };
        assert_eq!(txns.run::<rpc::KvPrewrite>(way, prewrite).await, PrewriteResponse::default());
        txns.commit(start_version, keys(["a"])).await;
        let rollback = PessimisticRollbackRequest {
            start_version,
            for_update_ts: start_version,
            keys: keys(["none"]),
            ..Default::default()
        };
        assert_eq!(txns.run::<rpc::KvPessimisticRollback>(way, rollback).await, Default::default());
        assert_eq!(txns.value("a").await.unwrap(), after);
        assert!(txns.locks().await.is_empty());
    }
}

#[tokio::test]
async fn locks_hold_up_no_reader() {
    let mut txns = Txns::start().await;
    txns.write(vec![put("a", "0")]).await;
    let start_ts = txns.ts().await;
    txns.lock_keys(start_ts, ["a"]).await;
    assert_eq!(txns.value("a").await.unwrap(), "0");
}

#[tokio::test]
async fn existence_is_told_without_values_and_only_keys_that_are_there_are_locked() {
    let mut txns = Txns::start().await;
    txns.write(vec![put("a", "0")]).await;
    let start_ts = txns.ts().await;
    let lock = PessimisticLockRequest { check_existence: true, ..lock_request(start_ts, ["a", "b"]) };
    let locked = txns.ask::<rpc::KvPessimisticLock>(lock).await;
    assert_eq!((locked.values.len(), &locked.not_founds[..]), (0, &[false, true][..]));
    let start_ts = txns.ts().await;
    let lock =
        PessimisticLockRequest { return_values: true, lock_only_if_exists: true, ..lock_request(start_ts, ["c"]) };
    let locked = txns.ask::<rpc::KvPessimisticLock>(lock.clone()).await;
    assert_eq!((&locked.values[..], &locked.not_founds[..]), (&["".into()][..], &[true][..]));
    assert!(txns.locks().await.iter().all(|lock| lock.key != "c"));
    let refused = PessimisticLockRequest { return_values: false, ..lock };
    let refused = txns.ask::<rpc::KvPessimisticLock>(refused).await;
    assert!(refused.errors[0].abort.contains("LockIfExistsFailed"), "{refused:?}");
}

#[tokio::test]
async fn a_key_that_is_there_cannot_be_locked_as_new() {
    let mut txns = Txns::start().await;
    txns.write(vec![put("a", "0")]).await;
    let start_ts = txns.ts().await;
    let mut lock = lock_request(start_ts, ["a"]);
    lock.mutations[0].assertion = Assertion::NotExist.into();
    let refused = txns.ask::<rpc::KvPessimisticLock>(lock).await;
    assert_eq!(refused.errors[0].already_exist.as_ref().unwrap().key, "a");
}

#[tokio::test]
async fn a_key_written_since_is_a_conflict_unless_the_lock_is_forced() {
    let mut txns = Txns::start().await;
    for way in Way::BOTH {
        let start_ts = txns.ts().await;
        let commit_ts = txns.write(vec![put("a", "1")]).await;
        let refused = txns.run::<rpc::KvPessimisticLock>(way, lock_request(start_ts, ["a"])).await;
        let conflict = refused.errors[0].conflict.as_ref().unwrap();
        assert_eq!(
            (conflict.reason(), conflict.conflict_commit_ts),
            (write_conflict::Reason::PessimisticRetry, commit_ts)
        );
        let forced = txns.run::<rpc::KvPessimisticLock>(way, forced(start_ts, "a")).await;
        let expected = PessimisticLockKeyResult {
            r#type: PessimisticLockKeyResultType::LockResultLockedWithConflict.into(),
            value: "1".into(),
            existence: true,
            locked_with_conflict_ts: commit_ts,
            ..Default::default()
        };
        assert_eq!((&forced.results[..], forced.errors.len()), (&[expected][..], 0));
        txns.give_back(start_ts, ["a"]).await;
    }
}

fn forced(start_ts: u64, key: &'static str) -> PessimisticLockRequest {
    let wake_up_mode = PessimisticLockWakeUpMode::WakeUpModeForceLock.into();
    PessimisticLockRequest { wake_up_mode, ..lock_request(start_ts, [key]) }
}

#[tokio::test]
async fn all_locks_of_a_region_are_given_back_without_naming_them() {
    let mut txns = Txns::start().await;
    let (start_version, other) = (txns.ts().await, txns.ts().await);
    txns.lock_keys(start_version, ["a", "b"]).await;
    txns.lock_keys(other, ["c"]).await;
    for way in Way::BOTH {
        let all = PessimisticRollbackRequest { start_version, for_update_ts: start_version, ..Default::default() };
        assert_eq!(txns.run::<rpc::KvPessimisticRollback>(way, all).await, Default::default());
    }
    assert_eq!(txns.locks().await.into_iter().map(|lock| lock.key).collect::<Vec<_>>(), ["c"]);
}

#[tokio::test]
async fn what_lost_its_lock_is_refused_in_the_words_of_the_original() {
    let mut txns = Txns::start().await;
    let start_ts = txns.ts().await;
    txns.write(vec![put("a", "1")]).await;
    let prewrite = PrewriteRequest {
        for_update_ts: start_ts,
        pessimistic_actions: vec![prewrite_request::PessimisticAction::DoPessimisticCheck.into()],
        ..Txns::prewrite(start_ts, vec![put("a", "2")])
    };
    let refused = txns.ask::<rpc::KvPrewrite>(prewrite).await;
    let expected = format!(
        "Error(Txn(Error(Mvcc(Error(PessimisticLockNotFound {{ start_ts: TimeStamp({start_ts}), key: [97], \
         reason: LockMissingAmendFail }})))))"
    );
    assert_eq!(refused.errors[0].abort, expected);
}

#[tokio::test]
async fn a_mutation_of_another_kind_is_no_lock() {
    let mut txns = Txns::start().await;
    let start_ts = txns.ts().await;
    let wrong = PessimisticLockRequest { mutations: vec![put("a", "1")], ..lock_request(start_ts, ["a"]) };
    let refused = txns.ask::<rpc::KvPessimisticLock>(wrong).await;
    assert!(refused.errors[0].abort.contains("mismatch Op"), "{refused:?}");
}

#[tokio::test]
async fn locks_that_several_would_have_are_refused_clearly() {
    let mut txns = Txns::start().await;
    let start_ts = txns.ts().await;
    for way in Way::BOTH {
        let mut lock = lock_request(start_ts, ["a"]);
        lock.mutations[0].op = Op::SharedPessimisticLock.into();
        let refused = txns.run::<rpc::KvPessimisticLock>(way, lock).await;
        assert!(refused.errors[0].abort.contains("shared locks are not supported"), "{refused:?}");
        let prewrite = Txns::prewrite(start_ts, vec![mutation(Op::SharedLock, "a")]);
        let refused = txns.run::<rpc::KvPrewrite>(way, prewrite).await;
        assert!(refused.errors[0].abort.contains("shared locks are not supported"), "{refused:?}");
    }
    assert!(txns.locks().await.is_empty());
}
