//! Locks of transactions that are still running.

use charioteer_engine::mvcc::{
    Abort, BatchRollback, Cleanup, ConflictReason, KeyError, KeyLocked, KeyRange, KeyToLock, PessimisticLock,
    PessimisticRollback, PessimisticRollbackRange, ReadAt,
};

use super::fixture::{Fixture, blocking, bytes, delete, lock_only, put};

fn lock(key: &str, start_ts: u64, for_update_ts: u64) -> PessimisticLock {
    PessimisticLock { for_update_ts, ..PessimisticLock::new(vec![bytes(key)], bytes(key), start_ts) }
}

fn new_key(lock: PessimisticLock) -> PessimisticLock {
    let keys = lock.keys.into_iter().map(|key| KeyToLock { should_not_exist: true, ..key }).collect();
    PessimisticLock { keys, ..lock }
}

fn conflict_ts(answer: Result<Vec<KeyLocked>, KeyError>) -> u64 {
    match answer {
        Err(KeyError::WriteConflict(conflict)) => {
            assert_eq!(conflict.reason, ConflictReason::PessimisticRetry);
            conflict.conflict_commit_ts
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lock_keeps_writers_away_and_readers_not() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    let lock = PessimisticLock { ttl_ms: 7, min_commit_ts: 31, ..lock("a", 25, 30) };
    assert_eq!(store.run(lock), Ok(vec![KeyLocked::default()]));
    let written = store.info("a").lock.unwrap();
    assert!(written.is_pessimistic());
    assert_eq!((written.start_ts, written.for_update_ts, written.ttl_ms, written.min_commit_ts), (25, 30, 7, 31));
    assert_eq!(blocking(store.lock(40, 40, &["a"])).start_ts, 25);
    assert_eq!(blocking(store.prewrite(40, vec![put("a", "2")]).map_err(|mut errors| errors.remove(0))).start_ts, 25);
    assert_eq!(store.get("a", 40).as_deref(), Some("1"));
}

#[test]
fn all_keys_are_locked_or_none() {
    let store = Fixture::new();
    store.lock(10, 10, &["b"]).unwrap();
    assert_eq!(blocking(store.lock(20, 20, &["a", "b", "c"])).key, "b");
    assert!(!store.is_locked("a"));
}

#[test]
fn a_version_behind_the_timestamp_is_a_conflict() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    assert_eq!(conflict_ts(store.run(lock("a", 15, 19))), 20);
    assert!(store.run(lock("a", 15, 20)).is_ok());
}

#[test]
fn values_and_whether_there_are_any_are_told_if_asked_for() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    store.prewrite(21, vec![lock_only("a")]).unwrap();
    store.commit(21, 22, &["a"]).unwrap();
    let valued = PessimisticLock { return_values: true, ..lock("a", 30, 30) };
    let locked = |value: Option<&str>, exists| {
        Ok(vec![KeyLocked { value: value.map(bytes), exists, locked_with_conflict_ts: None }])
    };
    assert_eq!(store.run(valued.clone()), locked(Some("1"), true));
    assert_eq!(store.run(valued), locked(Some("1"), true), "asked again it answers again");
    assert_eq!(store.run(PessimisticLock { check_existence: true, ..lock("a", 30, 30) }), locked(None, true));
    assert_eq!(store.run(PessimisticLock { check_existence: true, ..lock("b", 30, 30) }), locked(None, false));
    assert_eq!(store.store().max_read_ts(), 30);
}

#[test]
fn a_key_that_must_be_new_is_not_locked_if_it_has_a_value() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    let exists = Err(KeyError::AlreadyExists { key: "a".into() });
    assert_eq!(store.run(new_key(lock("a", 30, 30))), exists);
    store.run(lock("a", 30, 30)).unwrap();
    assert_eq!(store.run(new_key(lock("a", 30, 30))), exists, "the transaction has locked it already");
    assert!(store.run(new_key(lock("b", 30, 30))).is_ok());
}

#[test]
fn only_what_is_there_is_locked_if_so_asked() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    let only = |key| PessimisticLock { lock_only_if_exists: true, return_values: true, ..lock(key, 30, 30) };
    store.run(only("a")).unwrap();
    assert_eq!(store.run(only("b")), Ok(vec![KeyLocked::default()]));
    assert!(store.is_locked("a") && !store.is_locked("b"));
    let without_values = PessimisticLock { return_values: false, ..only("a") };
    assert!(matches!(store.run(without_values), Err(KeyError::Abort(Abort::LockIfExistsWithoutValues { .. }))));
}

#[test]
fn a_lock_is_taken_again_for_a_later_timestamp() {
    let store = Fixture::new();
    store.run(lock("a", 10, 10)).unwrap();
    store.run(lock("a", 10, 20)).unwrap();
    store.run(lock("a", 10, 15)).unwrap();
    assert_eq!(store.info("a").lock.unwrap().for_update_ts, 20);
    store.prewrite(30, vec![put("b", "1")]).unwrap();
    let again = store.run(lock("b", 30, 30));
    assert!(matches!(again, Err(KeyError::Abort(Abort::LockTypeNotMatch { is_pessimistic: false, .. }))));
}

#[test]
fn who_was_rolled_back_locks_no_more() {
    let store = Fixture::new();
    store.run(BatchRollback { start_ts: 10, keys: vec!["a".into()] }).unwrap();
    let rolled_back = |answer| matches!(answer, Err(KeyError::Abort(Abort::PessimisticLockRolledBack { .. })));
    assert!(rolled_back(store.run(lock("a", 10, 10))));
    store.run(Cleanup { key: "b".into(), start_ts: 10, current_ts: 0 }).unwrap();
    store.put(15, 20, "b", "1");
    assert!(rolled_back(store.run(lock("b", 10, 20))), "below a later version too");
}

#[test]
fn a_forced_lock_is_taken_over_a_conflict_and_tells_it() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    let forced = PessimisticLock { force: true, ..lock("a", 12, 15) };
    let locked = KeyLocked { value: Some("1".into()), exists: true, locked_with_conflict_ts: Some(20) };
    assert_eq!(store.run(forced.clone()), Ok(vec![locked.clone()]));
    let written = store.info("a").lock.unwrap();
    assert!(written.is_locked_with_conflict && written.for_update_ts == 20);
    assert_eq!(store.run(forced.clone()), Ok(vec![locked]), "asked again it tells again");
    assert_eq!(conflict_ts(store.run(new_key(forced))), 20);
}

#[test]
fn a_forced_lock_over_a_conflict_that_cannot_be_had_is_the_conflict() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    store.delete(11, 21, "b");
    let forced = |key| PessimisticLock { force: true, ..lock(key, 12, 15) };
    assert_eq!(conflict_ts(store.run(new_key(forced("a")))), 20);
    let only = PessimisticLock { lock_only_if_exists: true, return_values: true, ..forced("b") };
    assert_eq!(conflict_ts(store.run(only)), 21);
    let locked = KeyLocked { value: None, exists: false, locked_with_conflict_ts: Some(21) };
    assert_eq!(store.run(forced("b")), Ok(vec![locked]));
}

#[test]
fn a_forced_lock_is_one_of_a_single_key() {
    let store = Fixture::new();
    let several = PessimisticLock::new(vec!["a".into(), "b".into()], "a".into(), 10);
    let answer = store.run(PessimisticLock { force: true, ..several });
    assert_eq!(answer, Err(KeyError::Abort(Abort::ForceLockOfSeveral)));
}

#[test]
fn a_pessimistic_rollback_gives_back_the_locks_that_are_meant() {
    let store = Fixture::new();
    store.lock(10, 10, &["a"]).unwrap();
    store.lock(10, 20, &["b"]).unwrap();
    store.lock(11, 11, &["c"]).unwrap();
    store.prewrite(10, vec![put("d", "1")]).unwrap();
    let keys: Vec<_> = ["a", "b", "c", "d", "e"].into_iter().map(bytes).collect();
    let done = store.done(PessimisticRollback { start_ts: 10, for_update_ts: 15, keys });
    assert_eq!(done.released.iter().map(|lock| &lock.key[..]).collect::<Vec<_>>(), [b"a"]);
    assert_eq!(["a", "b", "c", "d"].map(|key| store.is_locked(key)), [false, true, true, true]);
    assert!(store.info("a").writes.is_empty(), "it leaves no rollback");
    store.lock(10, 10, &["a"]).unwrap();
}

#[test]
fn a_range_is_rolled_back_some_hundred_locks_at_a_time() {
    let store = Fixture::new();
    let keys: Vec<String> = (0..600).map(|number| format!("{number:04}")).collect();
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    store.lock(10, 10, &names).unwrap();
    let range = KeyRange::new("0100".into(), "".into());
    let mut left = Some(PessimisticRollbackRange { start_ts: 10, for_update_ts: 10, range });
    let (mut steps, mut released) = (0, 0);
    while let Some(roll_back) = left {
        let done = store.done(roll_back);
        released += done.released.len();
        left = done.reply;
        steps += 1;
    }
    assert_eq!((steps, released), (2, 500));
    assert!(store.is_locked("0099") && !store.is_locked("0100"));
}

#[test]
fn locks_without_a_change_are_no_obstacle_to_readers() {
    let store = Fixture::new();
    store.put(1, 2, "a", "1");
    store.prewrite(10, vec![lock_only("a"), delete("b")]).unwrap();
    assert_eq!(store.get("a", 20).as_deref(), Some("1"));
    assert!(store.get_at("b", ReadAt::new(20)).is_err());
}
