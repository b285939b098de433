//! Rollbacks that would lie where somebody has committed: at the same timestamp.

use charioteer_engine::mvcc::{
    BatchRollback, CheckSecondaryLocks, CheckTxnStatus, Cleanup, ConflictReason, KeyError, Prewrite, SecondaryLocks,
    TxnStatus, WriteKind,
};

use super::fixture::{Fixture, put, refused};

fn cleanup(store: &Fixture, start_ts: u64) {
    assert_eq!(store.run(Cleanup { key: "a".into(), start_ts, current_ts: 0 }), Ok(0));
}

fn status(store: &Fixture, start_ts: u64) -> Result<TxnStatus, KeyError> {
    store.run(CheckTxnStatus {
        primary: "a".into(),
        start_ts,
        caller_start_ts: 0,
        current_ts: 0,
        rollback_if_not_exist: false,
        force_sync_commit: false,
        resolving_pessimistic_lock: false,
        verify_is_primary: true,
    })
}

fn is_rolled_back(store: &Fixture, start_ts: u64) -> bool {
    match refused(store.prewrite(start_ts, vec![put("a", "late")])) {
        KeyError::WriteConflict(conflict) => conflict.reason == ConflictReason::SelfRolledBack,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_protected_rollback_is_noted_at_the_version() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    cleanup(&store, 20);
    let (commit_ts, write) = store.info("a").writes.remove(0);
    assert_eq!((commit_ts, write.kind, write.has_overlapped_rollback), (20, WriteKind::Put, true));
    assert_eq!(store.get("a", 20).as_deref(), Some("1"), "the version is what it was");
    assert_eq!(status(&store, 20), Ok(TxnStatus::RolledBack));
    assert_eq!(status(&store, 10), Ok(TxnStatus::Committed { commit_ts: 20 }));
    assert!(is_rolled_back(&store, 20));
    cleanup(&store, 20);
    let secondaries = store.run(CheckSecondaryLocks { start_ts: 20, keys: vec!["a".into()] });
    assert_eq!(secondaries, Ok(SecondaryLocks::RolledBack));
}

#[test]
fn a_rollback_that_need_not_stay_is_noted_too_and_keeps_its_transaction_out() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    store.run(BatchRollback { start_ts: 20, keys: vec!["a".into()] }).unwrap();
    assert!(store.info("a").writes[0].1.has_overlapped_rollback);
    assert!(is_rolled_back(&store, 20));
    assert_eq!(store.get("a", 99).as_deref(), Some("1"));
}

#[test]
fn a_rollback_that_need_not_stay_is_not_hidden_by_a_commit_that_is_calculated() {
    let store = Fixture::new();
    let prewrite = Prewrite { secondaries: Some(vec![]), ..Prewrite::new(vec![put("a", "1")], "a".into(), 10) };
    store.run(prewrite).unwrap();
    store.run(BatchRollback { start_ts: 20, keys: vec!["a".into()] }).unwrap();
    store.commit(10, 20, &["a"]).unwrap();
    assert!(is_rolled_back(&store, 20));
}

#[test]
fn the_lock_of_a_primary_leaves_a_note() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    store.prewrite(20, vec![put("a", "2")]).unwrap();
    store.run(BatchRollback { start_ts: 20, keys: vec!["a".into()] }).unwrap();
    assert!(is_rolled_back(&store, 20));
    assert_eq!(store.get("a", 99).as_deref(), Some("1"));
}

#[test]
fn the_commit_of_another_transaction_at_its_start_is_not_its_own() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    let unknown = KeyError::TxnNotFound { start_ts: 20, primary: "a".into() };
    assert_eq!(status(&store, 20), Err(unknown));
}

#[test]
fn a_lock_that_may_come_to_be_committed_there_takes_the_note_along() {
    let store = Fixture::new();
    let prewrite = Prewrite { secondaries: Some(vec![]), ..Prewrite::new(vec![put("a", "1")], "a".into(), 10) };
    store.run(prewrite).unwrap();
    cleanup(&store, 20);
    cleanup(&store, 5);
    assert_eq!(store.info("a").lock.unwrap().rollback_ts, [20]);
    store.commit(10, 20, &["a"]).unwrap();
    let writes = store.info("a").writes;
    assert_eq!(writes.iter().filter(|(ts, _)| *ts == 20).count(), 1, "the rollback lay there before");
    assert!(writes.iter().any(|(ts, write)| *ts == 20 && write.has_overlapped_rollback && write.start_ts == 10));
    assert!(is_rolled_back(&store, 20));
    assert_eq!(store.get("a", 20).as_deref(), Some("1"));
}

#[test]
fn a_lock_with_a_timestamp_of_the_oracle_takes_no_note() {
    let store = Fixture::new();
    store.prewrite(10, vec![put("a", "1")]).unwrap();
    cleanup(&store, 20);
    assert!(store.info("a").lock.unwrap().rollback_ts.is_empty());
    store.commit(10, 30, &["a"]).unwrap();
    assert_eq!(status(&store, 20), Ok(TxnStatus::RolledBack));
}
