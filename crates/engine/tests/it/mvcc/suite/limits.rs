//! Keys and values of hostile lengths.

use charioteer_engine::Error;
use charioteer_engine::mvcc::{
    BatchRollback, CheckTxnStatus, Cleanup, Commit, DeleteRange, Get, KeyRange, MAX_KEY_BYTES, MvccByKey,
    PessimisticLock, Prewrite, ReadAt, ResolveLockLite, Scan, TxnHeartBeat,
};

use super::fixture::{Fixture, put};

/// The longest key whose form is not longer than may be.
const LONGEST: usize = MAX_KEY_BYTES / 9 * 8 - 1;

fn key(len: usize) -> bytes::Bytes {
    vec![b'k'; len].into()
}

fn put_at(len: usize) -> charioteer_engine::mvcc::Mutation {
    charioteer_engine::mvcc::Mutation { key: key(len), ..put("", "1") }
}

#[test]
fn the_empty_key_is_a_key_like_any_other() {
    let store = Fixture::new();
    store.put(10, 20, "", "1");
    store.put(10, 20, "\0", "2");
    assert_eq!((store.get("", 20).as_deref(), store.get("\0", 20).as_deref()), (Some("1"), Some("2")));
    assert_eq!(store.scan(Scan::forward("".into(), "".into(), 9, ReadAt::new(20))).len(), 2);
}

#[test]
fn the_longest_key_is_written_and_a_longer_one_refused() {
    let store = Fixture::new();
    store.run(Prewrite::new(vec![put_at(LONGEST)], key(LONGEST), 10)).unwrap();
    store.run(Commit { start_ts: 10, commit_ts: 20, keys: vec![key(LONGEST)] }).unwrap();
    assert!(store.read(Get { key: key(LONGEST), at: ReadAt::new(20) }).unwrap().is_some());

    let long = LONGEST + 1;
    let is_refused = |error: Option<Error>| assert_eq!(error, Some(Error::MvccKey { len: long }));
    let store = store.store();
    let keys = || vec![key(long)];
    is_refused(store.run(Prewrite::new(vec![put_at(long)], "a".into(), 10)).err());
    is_refused(store.submit(Prewrite::new(vec![put_at(long)], "a".into(), 10)).wait().err());
    is_refused(store.run(Commit { start_ts: 10, commit_ts: 20, keys: keys() }).err());
    is_refused(store.run(BatchRollback { start_ts: 10, keys: keys() }).err());
    is_refused(store.run(Cleanup { key: key(long), start_ts: 10, current_ts: 0 }).err());
    is_refused(store.run(PessimisticLock::new(keys(), key(long), 10)).err());
    is_refused(store.run(ResolveLockLite { start_ts: 10, commit_ts: 0, keys: keys() }).err());
    is_refused(store.run(TxnHeartBeat { primary: key(long), start_ts: 1, advise_ttl_ms: 1, min_commit_ts: 0 }).err());
    let status = CheckTxnStatus {
        primary: key(long),
        start_ts: 1,
        caller_start_ts: 0,
        current_ts: 0,
        rollback_if_not_exist: true,
        force_sync_commit: false,
        resolving_pessimistic_lock: false,
        verify_is_primary: true,
    };
    is_refused(store.run(status).err());
}

#[test]
fn to_readers_a_key_that_is_too_long_is_missing() {
    let store = Fixture::new();
    store.put(10, 20, "l", "1");
    for len in [LONGEST + 1, 70_000] {
        assert_eq!(store.read(Get { key: key(len), at: ReadAt::new(20) }), Ok(None));
        assert!(store.read(MvccByKey { key: key(len) }).writes.is_empty());
        assert_eq!(store.scan(Scan::forward(key(len), "".into(), 9, ReadAt::new(20))).len(), 1);
        assert_eq!(store.scan(Scan::backward(key(len), "".into(), 9, ReadAt::new(20))).len(), 0);
        assert_eq!(store.run(DeleteRange::new(KeyRange::new("".into(), key(len)))), None);
        assert_eq!(store.run(DeleteRange::new(KeyRange::new(key(len), key(len)))), None);
    }
    assert!(store.get("l", 20).is_some());
}

#[test]
fn a_large_value_comes_back_whole() {
    let store = Fixture::new();
    let value = "x".repeat(5 << 20);
    store.put(10, 20, "a", &value);
    assert_eq!(store.get("a", 20).unwrap().len(), value.len());
    store.prewrite(30, vec![put("a", &value)]).unwrap();
    store.run(BatchRollback { start_ts: 30, keys: vec!["a".into()] }).unwrap();
    assert_eq!(store.info("a").values.len(), 1);
}

#[test]
fn timestamps_at_the_ends_are_timestamps() {
    let store = Fixture::new();
    store.put(0, 1, "a", "1");
    store.put(u64::MAX - 1, u64::MAX, "a", "2");
    assert_eq!(store.get("a", u64::MAX - 1).as_deref(), Some("1"));
    assert_eq!(store.get("a", u64::MAX).as_deref(), Some("2"));
    store.run(Cleanup { key: "b".into(), start_ts: 0, current_ts: u64::MAX }).unwrap();
    let one_phase = Prewrite { try_one_pc: true, ..Prewrite::new(vec![put("c", "1")], "c".into(), u64::MAX) };
    store.run(one_phase).unwrap();
}

#[test]
fn a_key_twice_in_a_command_is_once() {
    let store = Fixture::new();
    store.prewrite(10, vec![put("a", "1"), put("a", "2")]).unwrap();
    assert_eq!(store.commit(10, 20, &["a", "a"]), Ok(20));
    assert_eq!(store.get("a", 20).as_deref(), Some("2"));
    store.lock(30, 30, &["a", "a"]).unwrap();
    store.run(BatchRollback { start_ts: 30, keys: vec!["a".into(), "a".into()] }).unwrap();
    assert!(!store.is_locked("a"));
}

#[test]
fn commands_without_keys_do_nothing() {
    let store = Fixture::new();
    assert!(store.run(Prewrite::new(vec![], "a".into(), 10)).is_ok());
    assert!(store.run(Prewrite { try_one_pc: true, ..Prewrite::new(vec![], "a".into(), 10) }).is_ok());
    assert!(store.commit(10, 20, &[]).is_ok());
    assert!(store.run(BatchRollback { start_ts: 10, keys: vec![] }).is_ok());
    assert!(store.run(PessimisticLock::new(vec![], "a".into(), 10)).is_ok());
}
