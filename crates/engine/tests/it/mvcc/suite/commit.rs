//! The second phase of a commit, and heartbeats.

use charioteer_engine::mvcc::{
    Abort, BatchRollback, Commit, CommitTsExpired, KeyError, Prewrite, Prewritten, Released, TxnHeartBeat, WriteKind,
};

use super::fixture::{Fixture, delete, lock_only, long_value, put};

#[test]
fn locks_become_versions_at_the_commit_timestamp() {
    let store = Fixture::new();
    let long = long_value('x');
    store.put(1, 2, "b", "old");
    store.prewrite(10, vec![put("a", &long), delete("b"), lock_only("c")]).unwrap();
    let done = store.done(Commit { start_ts: 10, commit_ts: 20, keys: vec!["a".into(), "b".into(), "c".into()] });
    assert_eq!(done.reply, Ok(20));
    let released = |key| Released { key, start_ts: 10, commit_ts: 20, was_pessimistic: false };
    assert_eq!(done.released, ["a", "b", "c"].map(|key| released(key.into())));
    assert_eq!((store.get("a", 20), store.get("a", 19)), (Some(long), None));
    assert_eq!((store.get("b", 20), store.get("b", 19).as_deref()), (None, Some("old")));
    assert_eq!(store.info("c").writes[0].1.kind, WriteKind::Lock);
}

#[test]
fn what_is_committed_is_committed_again() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    assert_eq!(store.commit(10, 20, &["a"]), Ok(20));
    store.prewrite(30, vec![put("a", "2")]).unwrap();
    assert_eq!(store.commit(10, 20, &["a"]), Ok(20), "the lock of another transaction changes nothing");
}

#[test]
fn what_is_not_locked_or_rolled_back_is_not_committed() {
    let store = Fixture::new();
    store.prewrite(10, vec![put("a", "1")]).unwrap();
    let missing =
        |start_ts, key: &'static str| Err(KeyError::TxnLockNotFound { start_ts, commit_ts: 20, key: key.into() });
    assert_eq!(store.commit(10, 20, &["a", "b"]), missing(10, "b"));
    assert!(store.is_locked("a"), "all or nothing");
    assert_eq!(store.commit(11, 20, &["a"]), missing(11, "a"));
    store.run(BatchRollback { start_ts: 10, keys: vec!["a".into()] }).unwrap();
    assert_eq!(store.commit(10, 20, &["a"]), missing(10, "a"));
}

#[test]
fn a_commit_lies_behind_its_start_and_behind_what_readers_were_told() {
    let store = Fixture::new();
    let prewrite = Prewrite { min_commit_ts: 30, ..Prewrite::new(vec![put("a", "1")], "a".into(), 10) };
    store.run(prewrite).unwrap();
    let invalid = KeyError::Abort(Abort::InvalidTimestamps { start_ts: 10, commit_ts: 10 });
    assert_eq!(store.commit(10, 10, &["a"]), Err(invalid));
    let expired = CommitTsExpired { start_ts: 10, commit_ts: 29, key: "a".into(), min_commit_ts: 30 };
    assert_eq!(store.commit(10, 29, &["a"]), Err(KeyError::CommitTsExpired(expired)));
    assert_eq!(store.commit(10, 30, &["a"]), Ok(30));
}

#[test]
fn a_pessimistic_lock_that_is_committed_just_goes() {
    let store = Fixture::new();
    store.lock(10, 10, &["a"]).unwrap();
    let done = store.done(Commit { start_ts: 10, commit_ts: 20, keys: vec!["a".into()] });
    assert_eq!((done.reply, done.released.len()), (Ok(20), 1));
    assert!(done.released[0].was_pessimistic);
    assert_eq!(store.info("a").writes, []);
}

#[test]
fn a_commit_in_two_phases_that_was_done_in_one_before_tells_when() {
    let store = Fixture::new();
    let both = Prewrite::new(vec![put("a", "1"), put("b", "1")], "a".into(), 10);
    assert_eq!(store.run(Prewrite { try_one_pc: true, ..both }).unwrap().one_pc_commit_ts, 11);
    // Its client was not told, and meanwhile a region was split between the keys.
    for key in ["a", "b"] {
        let again = Prewrite::new(vec![put(key, "1")], "a".into(), 10);
        assert_eq!(store.run(again), Ok(Prewritten::default()));
        assert_eq!(store.commit(10, 40, &[key]), Ok(11));
        assert_eq!(store.info(key).writes.len(), 1);
    }
}

#[test]
fn a_heartbeat_makes_a_lock_last_longer_and_never_shorter() {
    let store = Fixture::new();
    store.prewrite(10, vec![put("a", "1")]).unwrap();
    let beat =
        |start_ts, advise_ttl_ms| TxnHeartBeat { primary: "a".into(), start_ts, advise_ttl_ms, min_commit_ts: 99 };
    assert_eq!(store.run(beat(10, 5_000)), Ok(5_000));
    assert_eq!(store.run(beat(10, 4_000)), Ok(5_000));
    let lock = store.info("a").lock.unwrap();
    assert_eq!((lock.ttl_ms, lock.min_commit_ts), (5_000, 0));
    assert_eq!(store.run(beat(11, 9_000)), Err(KeyError::TxnNotFound { start_ts: 11, primary: "a".into() }));
}

#[test]
fn commits_stay_over_a_reopening() {
    let mut store = Fixture::new();
    store.put(10, 20, "a", "1");
    store.prewrite(30, vec![put("a", "2")]).unwrap();
    store.opened.reopen();
    assert_eq!(store.get("a", 29).as_deref(), Some("1"));
    assert!(store.is_locked("a"));
    store.commit(30, 40, &["a"]).unwrap();
    store.opened.reopen();
    assert_eq!(store.get("a", 40).as_deref(), Some("2"));
}
