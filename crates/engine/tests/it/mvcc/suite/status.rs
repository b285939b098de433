//! What became of a transaction, by its primary.

use charioteer_engine::mvcc::{
    BatchRollback, CheckTxnStatus, KeyError, Mutation, PessimisticLock, Prewrite, TxnStatus, WriteKind,
};

use super::fixture::{Fixture, at_ms, bytes, put};

/// As a reader asks that met a lock, long before its time is over.
fn ask(primary: &str, start_ts: u64) -> CheckTxnStatus {
    CheckTxnStatus {
        primary: bytes(primary),
        start_ts,
        caller_start_ts: 0,
        current_ts: 0,
        rollback_if_not_exist: false,
        force_sync_commit: false,
        resolving_pessimistic_lock: false,
        verify_is_primary: true,
    }
}

fn alive(status: Result<TxnStatus, KeyError>) -> (u64, bool) {
    match status {
        Ok(TxnStatus::Uncommitted { lock, min_commit_ts_pushed }) => (lock.min_commit_ts, min_commit_ts_pushed),
        other => panic!("{other:?}"),
    }
}

fn has_rollback(store: &Fixture, key: &str, start_ts: u64) -> bool {
    let writes = store.info(key).writes;
    writes.iter().any(|(ts, write)| *ts == start_ts && write.kind == WriteKind::Rollback && write.is_protected)
}

#[test]
fn what_is_over_is_told() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    assert_eq!(store.run(ask("a", 10)), Ok(TxnStatus::Committed { commit_ts: 20 }));
    store.run(BatchRollback { start_ts: 30, keys: vec!["a".into()] }).unwrap();
    assert_eq!(store.run(ask("a", 30)), Ok(TxnStatus::RolledBack));
}

#[test]
fn what_is_unknown_is_an_error_or_rolled_back_for_good() {
    let store = Fixture::new();
    assert_eq!(store.run(ask("a", 10)), Err(KeyError::TxnNotFound { start_ts: 10, primary: "a".into() }));
    let roll_back = CheckTxnStatus { rollback_if_not_exist: true, ..ask("a", 10) };
    let may_run = CheckTxnStatus { resolving_pessimistic_lock: true, ..roll_back.clone() };
    assert_eq!(store.run(may_run), Ok(TxnStatus::LockNotExistDoNothing));
    assert_eq!(store.run(roll_back), Ok(TxnStatus::LockNotExistRolledBack));
    assert!(has_rollback(&store, "a", 10));
    assert!(store.prewrite(10, vec![put("a", "1")]).is_err());
}

#[test]
fn a_lock_whose_time_is_over_is_rolled_back() {
    let store = Fixture::new();
    store.prewrite(at_ms(100), vec![put("a", "1")]).unwrap();
    let at = |current_ts| CheckTxnStatus { current_ts, ..ask("a", at_ms(100)) };
    assert_eq!(alive(store.run(at(at_ms(3_100)))), (0, false));
    let done = store.done(at(at_ms(3_101)));
    assert_eq!((done.reply, done.released.len()), (Ok(TxnStatus::TtlExpired), 1));
    assert!(has_rollback(&store, "a", at_ms(100)));
    assert_eq!(store.run(at(u64::MAX)), Ok(TxnStatus::RolledBack));
}

#[test]
fn a_reader_has_the_commit_pushed_behind_it() {
    let store = Fixture::new();
    let start = at_ms(100);
    let prewrite = Prewrite { min_commit_ts: start + 1, ..Prewrite::new(vec![put("a", "1")], "a".into(), start) };
    store.run(prewrite).unwrap();
    let by = |caller_start_ts, current_ts| CheckTxnStatus { caller_start_ts, current_ts, ..ask("a", start) };
    assert_eq!(alive(store.run(by(start + 5, start + 9))), (start + 9, true));
    assert_eq!(alive(store.run(by(start + 20, start + 9))), (start + 21, true));
    assert_eq!(alive(store.run(by(start + 5, start + 9))), (start + 21, true), "it is behind already");
    assert_eq!(alive(store.run(by(u64::MAX, start + 9))), (start + 21, true), "the latest is read");
    assert_eq!(alive(store.run(by(0, start + 9))), (start + 21, false), "nobody reads");
    assert!(matches!(store.commit(start, start + 20, &["a"]), Err(KeyError::CommitTsExpired(_))));
    store.commit(start, start + 21, &["a"]).unwrap();
}

#[test]
fn who_tells_no_commit_timestamp_is_not_pushed() {
    let store = Fixture::new();
    store.prewrite(at_ms(100), vec![put("a", "1")]).unwrap();
    let asked = CheckTxnStatus { caller_start_ts: at_ms(101), current_ts: at_ms(101), ..ask("a", at_ms(100)) };
    assert_eq!(alive(store.run(asked)), (0, false));
}

#[test]
fn asynchronous_commit_is_told_by_all_locks_unless_forced() {
    let store = Fixture::new();
    let prewrite =
        Prewrite { secondaries: Some(vec!["b".into()]), ..Prewrite::new(vec![put("a", "1")], "a".into(), 10) };
    store.run(prewrite).unwrap();
    let late = CheckTxnStatus { current_ts: at_ms(9_999), caller_start_ts: at_ms(9_999), ..ask("a", 10) };
    match store.run(late.clone()).unwrap() {
        TxnStatus::Uncommitted { lock, min_commit_ts_pushed: false } => {
            assert!(lock.use_async_commit && lock.min_commit_ts == 11 && lock.secondaries == ["b"]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(store.run(CheckTxnStatus { force_sync_commit: true, ..late }), Ok(TxnStatus::TtlExpired));
}

#[test]
fn the_lock_of_a_running_transaction_leaves_no_rollback() {
    let store = Fixture::new();
    let over = CheckTxnStatus { current_ts: at_ms(9_999), resolving_pessimistic_lock: true, ..ask("a", 10) };
    store.lock(10, 10, &["a"]).unwrap();
    let alive_still = CheckTxnStatus { current_ts: at_ms(1), ..over.clone() };
    assert_eq!(alive(store.run(alive_still)), (0, false));
    let done = store.done(over.clone());
    assert_eq!((done.reply, done.released.len()), (Ok(TxnStatus::PessimisticRolledBack), 1));
    assert_eq!(store.info("a").writes, []);

    store.lock(10, 10, &["a"]).unwrap();
    let committing = CheckTxnStatus { resolving_pessimistic_lock: false, ..over };
    assert_eq!(store.run(committing), Ok(TxnStatus::TtlExpired));
    assert!(has_rollback(&store, "a", 10));
}

#[test]
fn the_key_that_is_asked_must_be_the_primary() {
    let store = Fixture::new();
    store.run(Prewrite::new(vec![put("b", "1")], "a".into(), 10)).unwrap();
    match store.run(ask("b", 10)) {
        Err(KeyError::PrimaryMismatch(lock)) => assert_eq!((&lock.key[..], &lock.primary[..]), (&b"b"[..], &b"a"[..])),
        other => panic!("{other:?}"),
    }
    let unverified = CheckTxnStatus { verify_is_primary: false, ..ask("b", 10) };
    assert_eq!(alive(store.run(unverified)), (0, false));
}

#[test]
fn a_pessimistic_lock_with_another_primary_came_late_to_a_transaction_that_commits() {
    let store = Fixture::new();
    let lock = PessimisticLock::new(vec!["b".into()], "a".into(), 10);
    store.run(lock).unwrap();
    let running = CheckTxnStatus { resolving_pessimistic_lock: true, rollback_if_not_exist: true, ..ask("b", 10) };
    assert!(matches!(store.run(running.clone()), Err(KeyError::PrimaryMismatch(_))));
    let done = store.done(CheckTxnStatus { resolving_pessimistic_lock: false, ..running });
    assert_eq!((done.reply, done.released.len()), (Ok(TxnStatus::LockNotExistRolledBack), 1));
    assert!(!store.is_locked("b") && has_rollback(&store, "b", 10));
}

#[test]
fn a_forced_lock_that_came_late_tells_what_had_happened() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    let lock = PessimisticLock { force: true, ..PessimisticLock::new(vec!["a".into()], "a".into(), 10) };
    store.run(lock).unwrap();
    assert!(store.info("a").lock.unwrap().is_locked_with_conflict);
    assert_eq!(store.run(ask("a", 10)), Ok(TxnStatus::Committed { commit_ts: 20 }));
    assert!(!store.is_locked("a"));
}

#[test]
fn who_asks_was_there() {
    let store = Fixture::new();
    let asked = CheckTxnStatus { caller_start_ts: 70, current_ts: 60, rollback_if_not_exist: true, ..ask("a", 50) };
    store.run(asked.clone()).unwrap();
    assert_eq!(store.store().max_read_ts(), 70);
    store.run(CheckTxnStatus { caller_start_ts: u64::MAX, current_ts: u64::MAX, ..asked }).unwrap();
    assert_eq!(store.store().max_read_ts(), 70, "that is no timestamp");
}

#[test]
fn a_prewrite_after_the_rollback_of_an_unlocked_key_fails() {
    let store = Fixture::new();
    let roll_back = CheckTxnStatus { rollback_if_not_exist: true, ..ask("a", 10) };
    store.run(roll_back).unwrap();
    store.run(BatchRollback { start_ts: 11, keys: vec!["a".into()] }).unwrap();
    let late: Mutation = put("a", "1");
    assert!(store.prewrite(10, vec![late]).is_err(), "the rollback of the primary stays");
}
