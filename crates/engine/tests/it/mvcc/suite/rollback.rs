//! Undoing what a transaction was about to do.

use charioteer_engine::mvcc::{Abort, BatchRollback, Cleanup, KeyError, WriteKind};

use super::fixture::{Fixture, at_ms, blocking, bytes, long_value, put};

fn rollback(store: &Fixture, start_ts: u64, keys: &[&str]) -> Result<(), KeyError> {
    store.run(BatchRollback { start_ts, keys: keys.iter().map(|key| bytes(key)).collect() })
}

fn rollbacks(store: &Fixture, key: &str) -> Vec<(u64, bool)> {
    let writes = store.info(key).writes;
    let rollbacks = writes.iter().filter(|(_, write)| write.kind == WriteKind::Rollback);
    rollbacks.map(|(ts, write)| (*ts, write.is_protected)).collect()
}

#[test]
fn locks_go_with_what_they_were_about_to_write() {
    let store = Fixture::new();
    store.prewrite(10, vec![put("a", &long_value('x')), put("b", "1")]).unwrap();
    let done = store.done(BatchRollback { start_ts: 10, keys: vec!["a".into(), "b".into()] });
    assert_eq!((done.reply, done.released.len()), (Ok(()), 2));
    assert!(!store.is_locked("a") && store.info("a").values.is_empty());
    assert_eq!(rollbacks(&store, "a"), [(10, true)], "that of the primary stays");
    assert_eq!(rollbacks(&store, "b"), [(10, false)]);
}

#[test]
fn what_is_committed_is_not_rolled_back() {
    let store = Fixture::new();
    store.prewrite(10, vec![put("a", "1"), put("b", "1")]).unwrap();
    store.commit(10, 20, &["b"]).unwrap();
    let committed = Abort::Committed { start_ts: 10, commit_ts: 20, key: "b".into() };
    assert_eq!(rollback(&store, 10, &["a", "b"]), Err(KeyError::Abort(committed)));
    assert!(store.is_locked("a"), "all or nothing");
}

#[test]
fn of_rollbacks_that_need_not_stay_the_last_does() {
    let store = Fixture::new();
    for start_ts in [10, 20, 30] {
        rollback(&store, start_ts, &["a"]).unwrap();
    }
    assert_eq!(rollbacks(&store, "a"), [(30, false)]);
    store.run(Cleanup { key: "a".into(), start_ts: 40, current_ts: 0 }).unwrap();
    rollback(&store, 50, &["a"]).unwrap();
    assert_eq!(rollbacks(&store, "a"), [(50, false), (40, true), (30, false)]);
    rollback(&store, 50, &["a"]).unwrap();
    assert_eq!(rollbacks(&store, "a").len(), 3, "once more is once");
}

#[test]
fn the_rollback_of_another_transaction_leaves_a_lock_alone() {
    let store = Fixture::new();
    store.prewrite(10, vec![put("a", "1")]).unwrap();
    rollback(&store, 5, &["a"]).unwrap();
    store.commit(10, 20, &["a"]).unwrap();
    assert_eq!(store.get("a", 20).as_deref(), Some("1"));
}

#[test]
fn cleaning_up_waits_for_the_time_of_a_lock() {
    let store = Fixture::new();
    store.prewrite(at_ms(100), vec![put("a", "1")]).unwrap();
    let cleanup = |current_ts| store.run(Cleanup { key: "a".into(), start_ts: at_ms(100), current_ts });
    assert_eq!(blocking(cleanup(at_ms(3_100))).ttl_ms, 3_000);
    assert_eq!(cleanup(at_ms(3_101)), Ok(0));
    assert_eq!(rollbacks(&store, "a"), [(at_ms(100), true)]);
    assert_eq!(cleanup(0), Ok(0), "once more is once");
}

#[test]
fn cleaning_up_tells_when_it_was_committed() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    assert_eq!(store.run(Cleanup { key: "a".into(), start_ts: 10, current_ts: 0 }), Ok(20));
    assert_eq!(store.run(Cleanup { key: "a".into(), start_ts: 11, current_ts: 0 }), Ok(0));
    assert_eq!(rollbacks(&store, "a"), [(11, true)]);
}

#[test]
fn a_commit_that_is_calculated_does_not_hide_the_rollback_of_another_transaction() {
    use super::fixture::{locked, pessimistic};
    use charioteer_engine::mvcc::Prewrite;

    let store = Fixture::new();
    store.lock(10, 10, &["a"]).unwrap();
    store.run(Cleanup { key: "a".into(), start_ts: 11, current_ts: 0 }).unwrap();
    let prewrite = Prewrite { try_one_pc: true, ..pessimistic(10, 10, vec![locked(put("a", "1"))]) };
    assert_eq!(store.run(prewrite).unwrap().one_pc_commit_ts, 12);
    assert_eq!(rollbacks(&store, "a"), [(11, true)]);
}
