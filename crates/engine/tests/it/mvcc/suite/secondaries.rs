//! Whether a transaction with asynchronous commit has locked all its keys.

use charioteer_engine::mvcc::{BatchRollback, CheckSecondaryLocks, Prewrite, SecondaryLocks};

use super::fixture::{Fixture, bytes, put};

fn check(store: &Fixture, start_ts: u64, keys: &[&str]) -> SecondaryLocks {
    store.run(CheckSecondaryLocks { start_ts, keys: keys.iter().map(|key| bytes(key)).collect() }).unwrap()
}

fn prewrite_async(store: &Fixture, start_ts: u64, keys: &[&str]) {
    let mutations = keys.iter().map(|key| put(key, "1")).collect();
    let prewrite = Prewrite::new(mutations, "primary".into(), start_ts);
    store.run(Prewrite { secondaries: Some(Vec::new()), ..prewrite }).unwrap();
}

#[test]
fn all_locks_are_told() {
    let store = Fixture::new();
    prewrite_async(&store, 10, &["a", "b"]);
    match check(&store, 10, &["a", "b"]) {
        SecondaryLocks::Locked(locks) => {
            assert_eq!(
                locks.iter().map(|lock| (&lock.key[..], lock.min_commit_ts)).collect::<Vec<_>>(),
                [(&b"a"[..], 11), (&b"b"[..], 11)]
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(store.store().max_read_ts(), 10);
}

#[test]
fn one_that_is_missing_never_comes() {
    let store = Fixture::new();
    prewrite_async(&store, 10, &["a"]);
    assert_eq!(check(&store, 10, &["a", "b"]), SecondaryLocks::RolledBack);
    assert!(store.prewrite(10, vec![put("b", "1")]).is_err());
    store.run(BatchRollback { start_ts: 12, keys: vec!["b".into()] }).unwrap();
    assert!(store.prewrite(10, vec![put("b", "1")]).is_err(), "that rollback stays");
    assert_eq!(check(&store, 10, &["b"]), SecondaryLocks::RolledBack);
}

#[test]
fn one_that_is_committed_decides() {
    let store = Fixture::new();
    prewrite_async(&store, 10, &["a", "b"]);
    store.commit(10, 20, &["b"]).unwrap();
    assert_eq!(check(&store, 10, &["a", "b"]), SecondaryLocks::Committed { commit_ts: 20 });
    assert!(store.is_locked("a"));
}

#[test]
fn a_pessimistic_lock_is_as_good_as_none() {
    let store = Fixture::new();
    store.lock(10, 10, &["a"]).unwrap();
    let done = store.done(CheckSecondaryLocks { start_ts: 10, keys: vec!["a".into()] });
    assert_eq!((done.reply, done.released.len()), (Ok(SecondaryLocks::RolledBack), 1));
    assert!(!store.is_locked("a"));
    assert!(store.lock(10, 10, &["a"]).is_err());
}
