//! The first phase of a commit.

use charioteer_engine::mvcc::{
    Abort, Assertion, AssertionLevel, BatchRollback, Change, ConflictReason, KeyError, LockKind, Mutation,
    PessimisticAction, PessimisticLock, PessimisticLockLost, Prewrite, Prewritten,
};

use super::fixture::{
    Fixture, blocking, bytes, delete, insert, lock_only, locked, long_value, pessimistic, put, refused,
};

fn conflict_of(error: KeyError) -> (ConflictReason, u64, u64) {
    match error {
        KeyError::WriteConflict(conflict) => (conflict.reason, conflict.conflict_start_ts, conflict.conflict_commit_ts),
        other => panic!("{other:?}"),
    }
}

fn lost(error: KeyError) -> PessimisticLockLost {
    match error {
        KeyError::Abort(Abort::PessimisticLockNotFound { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn keys_are_locked_with_what_will_be_written() {
    let store = Fixture::new();
    let long = long_value('x');
    let mutations = vec![put("a", "1"), delete("b"), lock_only("c"), put("d", &long)];
    let prewrite = Prewrite { ttl_ms: 7, min_commit_ts: 11, ..Prewrite::new(mutations, "a".into(), 10) };
    assert_eq!(store.run(prewrite), Ok(Prewritten::default()));
    let locks = ["a", "b", "c", "d"].map(|key| store.info(key).lock.unwrap());
    assert_eq!(
        locks.each_ref().map(|lock| lock.kind),
        [LockKind::Put, LockKind::Delete, LockKind::Lock, LockKind::Put]
    );
    for lock in &locks {
        assert_eq!((lock.start_ts, lock.ttl_ms, lock.txn_size, lock.min_commit_ts), (10, 7, 4, 11));
        assert_eq!((&lock.primary[..], lock.use_async_commit), (&b"a"[..], false));
    }
    assert_eq!((locks[0].short_value.as_deref(), &locks[3].short_value), (Some(&b"1"[..]), &None));
    assert_eq!(store.info("d").values, [(10, bytes(&long))]);
}

#[test]
fn a_value_of_255_bytes_lies_in_the_lock_and_a_longer_one_beside_it() {
    let store = Fixture::new();
    store.prewrite(10, vec![put("a", &"x".repeat(255)), put("b", &"x".repeat(256))]).unwrap();
    assert!(store.info("a").values.is_empty() && store.info("a").lock.unwrap().short_value.is_some());
    assert!(store.info("b").values.len() == 1 && store.info("b").lock.unwrap().short_value.is_none());
    store.commit(10, 11, &["a", "b"]).unwrap();
    assert_eq!((store.get("a", 11).unwrap().len(), store.get("b", 11).unwrap().len()), (255, 256));
}

#[test]
fn all_locks_in_the_way_are_told_and_then_nothing_is_locked() {
    let store = Fixture::new();
    store.prewrite(10, vec![put("b", "1"), put("c", "1")]).unwrap();
    let errors = store.prewrite(20, vec![put("a", "2"), put("b", "2"), put("c", "2")]).unwrap_err();
    let keys: Vec<_> = errors.into_iter().map(|error| blocking::<()>(Err(error)).key).collect();
    assert_eq!(keys, ["b", "c"]);
    assert!(!store.is_locked("a"));
}

#[test]
fn an_optimistic_transaction_has_a_conflict_with_whoever_committed_since_it_started() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    let error = refused(store.prewrite(15, vec![put("a", "2")]));
    assert_eq!(conflict_of(error), (ConflictReason::Optimistic, 10, 20));
    store.prewrite(21, vec![put("a", "2")]).unwrap();
}

#[test]
fn a_lock_without_a_change_is_a_conflict_too() {
    let store = Fixture::new();
    store.prewrite(10, vec![lock_only("a")]).unwrap();
    store.commit(10, 20, &["a"]).unwrap();
    assert_eq!(conflict_of(refused(store.prewrite(15, vec![put("a", "2")]))), (ConflictReason::Optimistic, 10, 20));
}

#[test]
fn who_skips_the_check_has_no_conflict() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    let prewrite = Prewrite { skip_constraint_check: true, ..Prewrite::new(vec![put("a", "2")], "a".into(), 15) };
    assert!(store.run(prewrite).is_ok());
}

#[test]
fn what_was_rolled_back_cannot_be_locked_any_more() {
    let store = Fixture::new();
    store.run(BatchRollback { start_ts: 10, keys: vec!["a".into()] }).unwrap();
    let error = refused(store.prewrite(10, vec![put("a", "1")]));
    assert_eq!(conflict_of(error).0, ConflictReason::SelfRolledBack);
}

#[test]
fn asked_again_it_answers_again() {
    let store = Fixture::new();
    store.prewrite(10, vec![put("a", "1")]).unwrap();
    store.prewrite(10, vec![put("a", "1")]).unwrap();
    store.commit(10, 20, &["a"]).unwrap();
    assert_eq!(store.prewrite(10, vec![put("a", "1")]), Ok(Prewritten::default()), "it is committed already");
    assert!(!store.is_locked("a"));
}

#[test]
fn an_insert_needs_a_key_without_a_value() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    let exists = KeyError::AlreadyExists { key: "a".into() };
    assert_eq!(refused(store.prewrite(30, vec![insert("a", "2")])), exists);
    let check = Mutation::new("a".into(), Change::CheckNotExists);
    assert_eq!(refused(store.prewrite(30, vec![check.clone()])), exists);
    store.prewrite(30, vec![lock_only("a")]).unwrap();
    store.commit(30, 31, &["a"]).unwrap();
    assert_eq!(refused(store.prewrite(32, vec![insert("a", "2")])), exists, "below a lock there is a value");

    store.delete(40, 50, "a");
    store.prewrite(60, vec![check]).unwrap();
    assert!(!store.is_locked("a"), "a check writes nothing");
    store.prewrite(60, vec![insert("a", "2")]).unwrap();
    store.commit(60, 61, &["a"]).unwrap();
    assert_eq!(store.get("a", 61).as_deref(), Some("2"));
}

#[test]
fn what_is_inserted_was_read() {
    let store = Fixture::new();
    store.prewrite(30, vec![put("a", "1")]).unwrap();
    assert_eq!(store.store().max_read_ts(), 0);
    store.prewrite(40, vec![insert("b", "1")]).unwrap();
    assert_eq!(store.store().max_read_ts(), 40);
}

#[test]
fn a_pessimistic_prewrite_takes_over_its_locks() {
    let store = Fixture::new();
    store.lock(10, 15, &["a", "b"]).unwrap();
    let prewrite = pessimistic(10, 15, vec![locked(put("a", "1")), locked(delete("b")), put("c", "3")]);
    store.run(prewrite).unwrap();
    let lock = store.info("a").lock.unwrap();
    assert_eq!((lock.kind, lock.for_update_ts), (LockKind::Put, 15));
    store.commit(10, 20, &["a", "b", "c"]).unwrap();
    assert_eq!(store.get("c", 20).as_deref(), Some("3"));
}

#[test]
fn of_a_lock_and_its_prewrite_the_larger_times_count() {
    let store = Fixture::new();
    let lock = PessimisticLock {
        ttl_ms: 100,
        min_commit_ts: 50,
        for_update_ts: 30,
        ..PessimisticLock::new(vec!["a".into()], "a".into(), 10)
    };
    store.run(lock).unwrap();
    store.run(Prewrite { ttl_ms: 7, min_commit_ts: 11, ..pessimistic(10, 20, vec![locked(put("a", "1"))]) }).unwrap();
    let lock = store.info("a").lock.unwrap();
    assert_eq!((lock.ttl_ms, lock.min_commit_ts, lock.for_update_ts), (100, 50, 30));
}

#[test]
fn a_pessimistic_lock_that_is_gone_can_be_done_without_if_nobody_has_written() {
    let store = Fixture::new();
    store.put(5, 6, "a", "0");
    store.run(pessimistic(10, 15, vec![locked(put("a", "1"))])).unwrap();
    store.commit(10, 20, &["a"]).unwrap();
    let error = refused(store.run(pessimistic(12, 30, vec![locked(put("a", "2"))])));
    assert_eq!(lost(error), PessimisticLockLost::VersionBehind);
}

#[test]
fn a_pessimistic_lock_that_somebody_else_has_is_lost() {
    let store = Fixture::new();
    store.lock(20, 20, &["a"]).unwrap();
    let error = refused(store.run(pessimistic(10, 15, vec![locked(put("a", "1"))])));
    assert_eq!(lost(error), PessimisticLockLost::LockedByAnother);
}

#[test]
fn nobody_need_wait_for_the_lock_of_a_key_that_a_pessimistic_transaction_has_not_locked() {
    let store = Fixture::new();
    store.prewrite(10, vec![put("a", "1")]).unwrap();
    let lock = blocking::<()>(Err(refused(store.run(pessimistic(20, 20, vec![put("a", "1")])))));
    assert_eq!(lock.ttl_ms, 0);
    let lock = blocking::<()>(Err(refused(store.prewrite(20, vec![put("a", "1")]))));
    assert_eq!(lock.ttl_ms, 3_000);
}

#[test]
fn an_optimistic_prewrite_does_not_take_over_a_pessimistic_lock() {
    let store = Fixture::new();
    store.lock(10, 15, &["a"]).unwrap();
    let error = refused(store.prewrite(10, vec![put("a", "1")]));
    assert!(matches!(error, KeyError::Abort(Abort::LockTypeNotMatch { is_pessimistic: true, .. })), "{error:?}");
}

#[test]
fn a_forced_lock_must_be_the_one_that_is_known() {
    let store = Fixture::new();
    store.lock(10, 15, &["a"]).unwrap();
    let expecting = |ts| Mutation { expected_for_update_ts: Some(ts), ..locked(put("a", "1")) };
    let error = refused(store.run(pessimistic(10, 15, vec![expecting(14)])));
    assert_eq!(lost(error), PessimisticLockLost::OtherForUpdateTs);
    store.run(pessimistic(10, 15, vec![expecting(15)])).unwrap();
}

#[test]
fn an_unlocked_key_of_a_pessimistic_transaction_is_checked_if_it_is_asked_to_be() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    let checked = |mutation| Mutation { pessimistic: PessimisticAction::DoConstraintCheck, ..mutation };
    let error = refused(store.run(pessimistic(15, 30, vec![checked(put("a", "2"))])));
    assert_eq!(conflict_of(error), (ConflictReason::LazyUniquenessCheck, 10, 20));
    let error = refused(store.run(pessimistic(25, 30, vec![checked(insert("a", "2"))])));
    assert_eq!(error, KeyError::AlreadyExists { key: "a".into() });
    store.run(pessimistic(25, 30, vec![checked(put("a", "2"))])).unwrap();
}

#[test]
fn an_unlocked_key_of_a_pessimistic_transaction_is_not_checked_but_when_asked_again() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    let again = Prewrite { is_retry: true, ..pessimistic(12, 15, vec![put("a", "2")]) };
    assert_eq!(lost(refused(store.run(again.clone()))), PessimisticLockLost::NotLockedKeyConflict);
    store.run(Prewrite { is_retry: false, ..again }).unwrap();
    store.run(BatchRollback { start_ts: 12, keys: vec!["a".into()] }).unwrap();
    store.run(BatchRollback { start_ts: 25, keys: vec!["b".into()] }).unwrap();
    let passing = Prewrite { is_retry: true, ..pessimistic(21, 22, vec![put("b", "2")]) };
    store.run(passing).unwrap();
}

#[test]
fn a_pessimistic_prewrite_that_comes_late_does_not_undo_its_rollback_or_commit() {
    let store = Fixture::new();
    store.run(BatchRollback { start_ts: 10, keys: vec!["a".into()] }).unwrap();
    let error = refused(store.run(pessimistic(10, 15, vec![put("a", "1")])));
    assert_eq!(conflict_of(error).0, ConflictReason::SelfRolledBack);

    store.run(pessimistic(20, 25, vec![put("b", "1")])).unwrap();
    store.commit(20, 30, &["b"]).unwrap();
    store.run(pessimistic(20, 25, vec![put("b", "1")])).unwrap();
    assert!(!store.is_locked("b"));
}

#[test]
fn a_pessimistic_transaction_cannot_check_without_writing() {
    let store = Fixture::new();
    let check = Mutation::new("a".into(), Change::CheckNotExists);
    let error = refused(store.run(pessimistic(10, 15, vec![check])));
    assert!(matches!(error, KeyError::Abort(Abort::CheckNotExistsInPessimistic { .. })));
}

#[test]
fn what_is_taken_for_granted_is_looked_after_as_far_as_was_asked() {
    let store = Fixture::new();
    store.put(10, 20, "there", "1");
    store.delete(11, 21, "gone");
    let prewrite = |key: &str, assertion, assertion_level| {
        let mutation = Mutation { assertion, ..put(key, "2") };
        store.run(Prewrite { assertion_level, ..Prewrite::new(vec![mutation], bytes(key), 30) })
    };
    for (key, assertion, holds) in [
        ("there", Assertion::Exist, true),
        ("gone", Assertion::NotExist, true),
        ("never", Assertion::NotExist, true),
        ("there1", Assertion::Exist, false),
    ] {
        let answer = prewrite(key, assertion, AssertionLevel::Fast);
        assert_eq!(answer.is_ok(), holds, "{key} {answer:?}");
    }
}

#[test]
fn a_failed_assertion_tells_what_is_there() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    let mutation = Mutation { assertion: Assertion::NotExist, ..put("a", "2") };
    let prewrite = Prewrite::new(vec![mutation], "a".into(), 30);
    match refused(store.run(Prewrite { assertion_level: AssertionLevel::Strict, ..prewrite.clone() })) {
        KeyError::AssertionFailed(failed) => {
            assert_eq!((failed.existing_start_ts, failed.existing_commit_ts, failed.start_ts), (10, 20, 30));
        }
        other => panic!("{other:?}"),
    }
    assert!(store.run(prewrite).is_ok(), "the level is off");
}

#[test]
fn a_key_whose_versions_are_not_read_is_asserted_at_the_strict_level_alone() {
    let store = Fixture::new();
    let asserted = Mutation { assertion: Assertion::Exist, ..put("a", "2") };
    let at = |assertion_level| Prewrite { assertion_level, ..pessimistic(10, 15, vec![asserted.clone()]) };
    assert!(matches!(refused(store.run(at(AssertionLevel::Strict))), KeyError::AssertionFailed(_)));
    assert!(store.run(at(AssertionLevel::Fast)).is_ok());
}

#[test]
fn a_failed_assertion_is_told_only_if_nothing_else_failed() {
    let store = Fixture::new();
    store.put(10, 20, "b", "1");
    let asserted = Mutation { assertion: Assertion::Exist, ..put("a", "2") };
    let mutations = vec![asserted, put("b", "2")];
    let prewrite = Prewrite { assertion_level: AssertionLevel::Strict, ..Prewrite::new(mutations, "a".into(), 15) };
    assert_eq!(conflict_of(refused(store.run(prewrite))).0, ConflictReason::Optimistic);
}
