//! Finding and ending locks of transactions whose fate is known.

use charioteer_engine::mvcc::{Abort, KeyError, KeyRange, ResolveLock, ResolveLockLite, ScanLock};

use super::fixture::{Fixture, blocking, bytes, lock_only, put};

fn resolve(store: &Fixture, resolve: ResolveLock) -> Result<usize, KeyError> {
    let (mut left, mut released) = (Some(resolve), 0);
    while let Some(resolve) = left {
        let done = store.done(resolve);
        released += done.released.len();
        left = done.reply?;
    }
    Ok(released)
}

fn locked_keys(store: &Fixture, scan: ScanLock) -> Vec<String> {
    let locks = store.read(scan).unwrap();
    locks.iter().map(|lock| super::fixture::text(&lock.key)).collect()
}

#[test]
fn the_given_keys_are_committed_or_rolled_back() {
    let store = Fixture::new();
    store.prewrite(10, vec![put("a", "1"), put("b", "1")]).unwrap();
    let lite = |commit_ts, keys: &[&str]| ResolveLockLite {
        start_ts: 10,
        commit_ts,
        keys: keys.iter().map(|key| bytes(key)).collect(),
    };
    assert_eq!(store.run(lite(20, &["a"])), Ok(()));
    assert_eq!(store.get("a", 20).as_deref(), Some("1"));
    let committed = Abort::Committed { start_ts: 10, commit_ts: 20, key: "a".into() };
    assert_eq!(store.run(lite(0, &["b", "a"])), Err(KeyError::Abort(committed)));
    assert!(store.is_locked("b"), "all or nothing");
    assert_eq!(store.run(lite(0, &["b"])), Ok(()));
    assert!(!store.is_locked("b"));
    assert!(matches!(store.run(lite(10, &["b"])), Err(KeyError::Abort(Abort::InvalidTimestamps { .. }))));
}

#[test]
fn all_locks_of_some_transactions_in_a_range_are_ended() {
    let store = Fixture::new();
    let keys = |prefix: &str| (0..700).map(|number| put(&format!("{prefix}{number:04}"), "1")).collect::<Vec<_>>();
    store.prewrite(10, keys("a")).unwrap();
    store.prewrite(11, keys("b")).unwrap();
    store.prewrite(12, vec![put("b", "1"), put("c", "1")]).unwrap();
    assert_eq!(
        resolve(&store, ResolveLock::new(KeyRange::new("".into(), "b0100".into()), [(10, 20), (11, 0)])),
        Ok(800)
    );
    assert!(!store.is_locked("b0099") && store.is_locked("b0100"));
    assert_eq!(resolve(&store, ResolveLock::new(KeyRange::all(), [(10, 20), (11, 0)])), Ok(600));
    assert_eq!(store.get("a0699", 20).as_deref(), Some("1"));
    assert_eq!(locked_keys(&store, ScanLock::new(KeyRange::all(), u64::MAX, 0)), ["b", "c"]);
}

#[test]
fn a_pessimistic_lock_of_a_committed_transaction_goes() {
    let store = Fixture::new();
    store.lock(10, 10, &["a"]).unwrap();
    store.prewrite(10, vec![lock_only("b")]).unwrap();
    assert_eq!(resolve(&store, ResolveLock::new(KeyRange::all(), [(10, 20)])), Ok(2));
    assert!(store.info("a").writes.is_empty() && !store.is_locked("a"));
}

#[test]
fn ranges_in_the_wrong_order_hold_nothing() {
    let store = Fixture::new();
    store.prewrite(10, vec![put("b", "1")]).unwrap();
    let wrong = KeyRange::new("c".into(), "a".into());
    assert_eq!(resolve(&store, ResolveLock::new(wrong.clone(), [(10, 20)])), Ok(0));
    assert!(locked_keys(&store, ScanLock::new(wrong, 99, 0)).is_empty());
}

#[test]
fn locks_are_found_by_range_and_start() {
    let store = Fixture::new();
    store.lock(10, 10, &["a"]).unwrap();
    store.prewrite(20, vec![put("b", "1"), put("c", "1")]).unwrap();
    store.prewrite(30, vec![put("d", "1")]).unwrap();
    let all = KeyRange::all;
    assert_eq!(locked_keys(&store, ScanLock::new(all(), 30, 0)), ["a", "b", "c", "d"]);
    assert_eq!(locked_keys(&store, ScanLock::new(all(), 29, 0)), ["a", "b", "c"]);
    assert_eq!(locked_keys(&store, ScanLock::new(all(), 29, 2)), ["a", "b"]);
    assert_eq!(locked_keys(&store, ScanLock::new(KeyRange::new("b".into(), "d".into()), 30, 0)), ["b", "c"]);
    assert_eq!(store.store().max_read_ts(), 30);
}

#[test]
fn locks_are_found_however_many_there_are() {
    let store = Fixture::new();
    store.prewrite(10, (0..2_500).map(|number| put(&format!("{number:04}"), "1")).collect()).unwrap();
    assert_eq!(locked_keys(&store, ScanLock::new(KeyRange::all(), 10, 0)).len(), 2_500);
    let lock = blocking(store.get_at("0000", charioteer_engine::mvcc::ReadAt::new(10)));
    assert_eq!((lock.start_ts, lock.txn_size), (10, 2_500));
}
