//! What readers see, and what is in their way.

use charioteer_engine::mvcc::{BatchGet, ConflictReason, Isolation, KeyError, Prewrite, ReadAt};

use super::fixture::{Fixture, blocking, bytes, delete, lock_only, long_value, put};

#[test]
fn readers_see_the_latest_version_at_their_timestamp() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    store.put(30, 40, "a", &long_value('x'));
    store.delete(50, 60, "a");
    store.prewrite(61, vec![lock_only("a")]).unwrap();
    store.commit(61, 62, &["a"]).unwrap();
    assert_eq!([19, 20, 39].map(|ts| store.get("a", ts)), [None, Some("1".into()), Some("1".into())]);
    assert_eq!([40, 59].map(|ts| store.get("a", ts)), [Some(long_value('x')), Some(long_value('x'))]);
    assert_eq!([60, 62, u64::MAX].map(|ts| store.get("a", ts)), [None, None, None]);
    assert_eq!(store.get("b", 99), None);
}

#[test]
fn the_commit_timestamp_comes_with_the_value() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    let found = store.read(charioteer_engine::mvcc::Get { key: "a".into(), at: ReadAt::new(30) }).unwrap().unwrap();
    assert_eq!(found.commit_ts, 20);
}

#[test]
fn a_lock_is_in_the_way_of_those_who_read_behind_its_start() {
    let store = Fixture::new();
    store.put(1, 2, "a", "0");
    store.prewrite(10, vec![put("primary", "1"), put("a", "1")]).unwrap();
    assert_eq!(store.get("a", 9).as_deref(), Some("0"));
    let lock = blocking(store.get_at("a", ReadAt::new(10)));
    assert_eq!((&lock.key[..], &lock.primary[..], lock.start_ts), (&b"a"[..], &b"primary"[..], 10));
}

#[test]
fn a_lock_that_commits_later_is_in_nobodys_way() {
    let store = Fixture::new();
    let prewrite = Prewrite { min_commit_ts: 30, ..Prewrite::new(vec![put("a", "1")], "a".into(), 10) };
    store.run(prewrite).unwrap();
    assert_eq!(store.get("a", 29), None);
    assert!(store.get_at("a", ReadAt::new(30)).is_err());
}

#[test]
fn known_transactions_are_passed_over_or_read() {
    let store = Fixture::new();
    store.put(1, 2, "a", "0");
    store.put(1, 2, "b", "0");
    let long = long_value('x');
    store.prewrite(10, vec![put("primary", "1"), put("a", "1"), delete("b"), put("c", &long)]).unwrap();
    let resolved = ReadAt { resolved_locks: vec![10], ..ReadAt::new(20) };
    assert_eq!(store.get_at("a", resolved), Ok(Some("0".into())));
    let committed = ReadAt { committed_locks: vec![10], ..ReadAt::new(20) };
    let read = ["a", "b", "c"].map(|key| store.get_at(key, committed.clone()).unwrap());
    assert_eq!(read, [Some("1".into()), None, Some(long)]);
    let dated = ReadAt { need_commit_ts: true, ..committed };
    assert!(store.get_at("a", dated).is_err(), "the lock does not know when");
}

#[test]
fn who_reads_the_latest_need_not_wait_for_a_primary() {
    let store = Fixture::new();
    store.put(1, 2, "a", "0");
    store.prewrite(10, vec![put("a", "1"), put("b", "1")]).unwrap();
    assert_eq!(store.get("a", u64::MAX).as_deref(), Some("0"));
    assert!(store.get_at("b", ReadAt::new(u64::MAX)).is_err(), "the primary may be committed");
    let asynchronous = Prewrite { secondaries: Some(Vec::new()), ..Prewrite::new(vec![put("c", "1")], "c".into(), 10) };
    store.run(asynchronous).unwrap();
    assert!(store.get_at("c", ReadAt::new(u64::MAX)).is_err(), "it may be as good as committed");
}

#[test]
fn reading_the_latest_is_reading_at_no_timestamp() {
    let store = Fixture::new();
    store.get("a", 50);
    store.get("a", 40);
    store.get("a", u64::MAX);
    assert_eq!(store.store().max_read_ts(), 50);
    let at = ReadAt { isolation: Isolation::ReadCommitted, ..ReadAt::new(60) };
    store.get_at("a", at).unwrap();
    assert_eq!(store.store().max_read_ts(), 50, "who reads what is committed keeps nobody from anything");
}

#[test]
fn read_committed_minds_no_locks() {
    let store = Fixture::new();
    store.put(1, 2, "a", "0");
    store.prewrite(10, vec![put("a", "1")]).unwrap();
    let at = ReadAt { isolation: Isolation::ReadCommitted, ..ReadAt::new(20) };
    assert_eq!(store.get_at("a", at), Ok(Some("0".into())));
}

#[test]
fn read_committed_with_a_check_is_refused_by_anything_newer() {
    let store = Fixture::new();
    store.put(1, 2, "a", "0");
    store.prewrite(3, vec![lock_only("a")]).unwrap();
    let at = |ts| ReadAt { isolation: Isolation::ReadCommittedCheck, ..ReadAt::new(ts) };
    assert_eq!(store.get_at("a", at(5)), Ok(Some("0".into())), "a lock that writes nothing is nothing newer");
    store.commit(3, 4, &["a"]).unwrap();
    store.prewrite(10, vec![put("a", "1")]).unwrap();
    let conflict = |ts, known: Vec<u64>| match store.get_at("a", ReadAt { resolved_locks: known, ..at(ts) }) {
        Err(KeyError::WriteConflict(conflict)) => (conflict.reason, conflict.conflict_start_ts),
        other => panic!("{other:?}"),
    };
    assert_eq!(conflict(5, vec![]), (ConflictReason::RcCheckTs, 10));
    assert_eq!(store.get_at("a", ReadAt { resolved_locks: vec![10], ..at(5) }), Ok(Some("0".into())));
    store.commit(10, 20, &["a"]).unwrap();
    assert_eq!(conflict(19, vec![10]), (ConflictReason::RcCheckTs, 10));
    assert_eq!(store.get_at("a", at(20)), Ok(Some("1".into())));
}

#[test]
fn of_several_keys_come_those_that_are_there_or_locked() {
    let store = Fixture::new();
    store.put(1, 2, "a", "0");
    store.prewrite(10, vec![put("b", "1")]).unwrap();
    let keys: Vec<_> = ["c", "b", "a", "a"].into_iter().map(bytes).collect();
    let found = store.read(BatchGet::new(keys.clone(), ReadAt::new(20))).unwrap();
    assert!(!found.is_cut);
    let found: Vec<_> = found.pairs.into_iter().map(|pair| (pair.key, pair.found.is_ok())).collect();
    assert_eq!(found, [("b".into(), false), ("a".into(), true), ("a".into(), true)]);
    let cut = store.read(BatchGet::new(keys, ReadAt::new(20)).max_bytes(1)).unwrap();
    assert_eq!((cut.pairs.len(), cut.is_cut), (1, true));
}

#[test]
fn many_keys_are_read_in_steps() {
    let store = Fixture::new();
    store.prewrite(10, (0..2_000).map(|number| put(&format!("{number}"), "1")).collect()).unwrap();
    let keys: Vec<_> = (0..2_000).map(|number| bytes(&number.to_string())).collect();
    let at = ReadAt { committed_locks: vec![10], ..ReadAt::new(20) };
    let mut reading = store.store().begin_read(BatchGet::new(keys, at)).unwrap();
    assert!(reading.step().unwrap().is_none());
    let found = loop {
        if let Some(found) = reading.step().unwrap() {
            break found.unwrap();
        }
    };
    assert_eq!(found.pairs.len(), 2_000);
    assert!(reading.step().unwrap().is_none(), "it was given before");
}
