//! Versions that nobody can see any more.

use charioteer_engine::mvcc::{
    BatchGet, Cleanup, Command, FindGarbage, Get, Isolation, KeyError, KeyRange, Latches, PessimisticLock, Prewrite,
    Prewritten, ReadAt, Scan, WriteKind,
};

use super::fixture::{Fixture, bytes, lock_only, locked, long_value, pessimistic, put, refused};

fn collect(store: &Fixture, range: KeyRange, safe_point: u64) -> usize {
    let (mut left, mut removed) = (Some(FindGarbage::new(range, safe_point)), 0);
    while let Some(find) = left {
        let found = store.read(find);
        removed += found.garbage.len();
        store.run(found.garbage);
        left = found.left;
    }
    removed
}

fn versions(store: &Fixture, key: &str) -> Vec<u64> {
    store.info(key).writes.iter().map(|(commit_ts, _)| *commit_ts).collect()
}

#[test]
fn the_latest_value_at_the_safe_point_stays_with_all_that_is_later() {
    let store = Fixture::new();
    for ts in [10, 20, 30, 40] {
        store.put(ts, ts + 1, "a", &long_value('x'));
    }
    assert_eq!(collect(&store, KeyRange::all(), 35), 2);
    assert_eq!(versions(&store, "a"), [41, 31]);
    assert_eq!(store.info("a").values.iter().map(|(start_ts, _)| *start_ts).collect::<Vec<_>>(), [40, 30]);
    assert_eq!(store.get("a", 35), Some(long_value('x')));
    assert_eq!(collect(&store, KeyRange::all(), 35), 0);
}

#[test]
fn a_deletion_goes_with_what_it_deleted() {
    let store = Fixture::new();
    store.put(10, 11, "a", "1");
    store.delete(20, 21, "a");
    assert_eq!(collect(&store, KeyRange::all(), 20), 0);
    assert_eq!(collect(&store, KeyRange::all(), 21), 2);
    assert_eq!(versions(&store, "a"), Vec::<u64>::new());
}

#[test]
fn what_was_deleted_does_not_come_back_while_it_goes() {
    let store = Fixture::new();
    for ts in 0..1_500 {
        store.put(10 + ts * 2, 11 + ts * 2, "a", "1");
    }
    store.delete(4_000, 4_001, "a");
    let (mut left, mut steps) = (Some(FindGarbage::new(KeyRange::all(), 5_000)), 0);
    while let Some(find) = left {
        let found = store.read(find);
        store.run(found.garbage);
        assert_eq!(store.get("a", 5_000), None);
        (left, steps) = (found.left, steps + 1);
    }
    assert_eq!((steps, versions(&store, "a").len()), (2, 0));
}

#[test]
fn what_readers_never_see_goes() {
    let store = Fixture::new();
    store.put(10, 11, "a", "1");
    store.prewrite(20, vec![lock_only("a")]).unwrap();
    store.commit(20, 21, &["a"]).unwrap();
    store.run(Cleanup { key: "a".into(), start_ts: 22, current_ts: 0 }).unwrap();
    store.run(Cleanup { key: "a".into(), start_ts: 32, current_ts: 0 }).unwrap();
    assert_eq!(collect(&store, KeyRange::all(), 30), 2);
    assert_eq!(versions(&store, "a"), [32, 11], "a rollback behind the safe point still keeps its transaction out");
    assert_eq!(store.info("a").writes[0].1.kind, WriteKind::Rollback);
}

#[test]
fn a_value_with_the_note_of_a_rollback_keeps_both() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    store.run(Cleanup { key: "a".into(), start_ts: 20, current_ts: 0 }).unwrap();
    assert_eq!(collect(&store, KeyRange::all(), 30), 0);
    assert!(store.info("a").writes[0].1.has_overlapped_rollback);
}

#[test]
fn other_ranges_and_locks_are_left_alone() {
    let store = Fixture::new();
    for key in ["a", "b", "c"] {
        store.put(10, 11, key, "1");
        store.put(20, 21, key, "2");
    }
    store.prewrite(25, vec![put("b", "3")]).unwrap();
    assert_eq!(collect(&store, KeyRange::new("b".into(), "c".into()), 30), 1);
    assert_eq!(["a", "b", "c"].map(|key| versions(&store, key).len()), [2, 1, 2]);
    assert!(store.is_locked("b"));
}

#[test]
fn garbage_is_found_however_much_there_is() {
    let store = Fixture::new();
    for ts in 0..60 {
        let keys: Vec<String> = (0..50).map(|number| format!("{number:03}")).collect();
        store.prewrite(10 + ts * 2, keys.iter().map(|key| put(key, &ts.to_string())).collect()).unwrap();
        store.commit(10 + ts * 2, 11 + ts * 2, &keys.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    }
    let first = store.read(FindGarbage::new(KeyRange::all(), 1_000));
    assert!(first.left.is_some() && !first.garbage.is_empty(), "a bit at a time");
    assert_eq!(collect(&store, KeyRange::all(), 1_000), 59 * 50);
    assert!((0..50).all(|number| store.get(&format!("{number:03}"), 1_000).as_deref() == Some("59")));
}

const fn too_old(ts: u64, safe_point: u64) -> KeyError {
    KeyError::TooOld { ts, safe_point }
}

#[test]
fn whoever_reads_before_the_safe_point_is_refused() {
    let store = Fixture::new();
    store.put(10, 11, "a", "1");
    store.delete(20, 21, "a");
    store.put(10, 11, "c", "1");
    collect(&store, KeyRange::new("a".into(), "c".into()), 30);
    for isolation in [Isolation::Snapshot, Isolation::ReadCommitted, Isolation::ReadCommittedCheck] {
        let at = ReadAt { isolation, ..ReadAt::new(15) };
        assert_eq!(store.get_at("a", at.clone()), Err(too_old(15, 30)), "{isolation:?}");
        let batch = BatchGet::new(vec!["c".into(), "a".into()], at.clone());
        assert_eq!(store.read(batch).unwrap_err(), too_old(15, 30));
        assert_eq!(store.read(Scan::backward("d".into(), "b".into(), 9, at)).unwrap_err(), too_old(15, 30));
    }
    assert_eq!((store.get("a", 30), store.get("a", u64::MAX)), (None, None));
    assert_eq!(store.get("c", 15).as_deref(), Some("1"), "elsewhere all is there");
    assert_eq!(store.scan(Scan::forward("c".into(), "".into(), 9, ReadAt::new(15))).len(), 1);
}

#[test]
fn a_reader_that_has_begun_reads_on() {
    let store = Fixture::new();
    store.put(10, 11, "a", "1");
    store.put(20, 21, "a", "2");
    let mut reading = store.store().begin_read(Get { key: "a".into(), at: ReadAt::new(15) }).unwrap();
    collect(&store, KeyRange::all(), 30);
    let found = reading.step().unwrap().unwrap().unwrap().unwrap();
    assert_eq!(found.value, "1");
}

#[test]
fn a_transaction_from_before_the_safe_point_locks_nothing_more() {
    let store = Fixture::new();
    store.put(10, 11, "a", "1");
    store.delete(20, 21, "a");
    store.lock(15, 15, &["b"]).unwrap();
    collect(&store, KeyRange::all(), 30);
    assert_eq!(refused(store.prewrite(15, vec![put("a", "2")])), too_old(15, 30), "it would not see the deletion");
    assert_eq!(store.lock(15, 40, &["a"]), Err(too_old(15, 30)));
    let missing = PessimisticLock { for_update_ts: 25, ..PessimisticLock::new(vec!["a".into()], "a".into(), 15) };
    assert_eq!(store.run(missing).unwrap_err(), too_old(15, 30));
    assert_eq!(store.run(pessimistic(15, 15, vec![locked(put("b", "2"))])), Ok(Prewritten::default()), "it has it");
    store.commit(15, 40, &["b"]).unwrap();
    store.prewrite(30, vec![put("a", "2")]).unwrap();
}

#[test]
fn a_commit_from_before_the_safe_point_is_told_again() {
    let store = Fixture::new();
    let at_once = Prewrite { try_one_pc: true, ..Prewrite::new(vec![put("a", "1")], "a".into(), 10) };
    assert_eq!(store.run(at_once.clone()).unwrap().one_pc_commit_ts, 11);
    collect(&store, KeyRange::all(), 30);
    assert_eq!(store.run(at_once).unwrap().one_pc_commit_ts, 11);
}

#[test]
fn after_a_reopening_the_past_is_as_gone_as_the_opener_says() {
    let mut store = Fixture::new();
    store.put(10, 11, "a", "1");
    store.opened.reopen();
    store.store().raise_safe_point(&KeyRange::new("a".into(), "b".into()), 30);
    assert_eq!(store.get_at("a", ReadAt::new(29)), Err(too_old(29, 30)));
    assert_eq!(store.get("b", 29), None);
}

#[test]
fn garbage_is_removed_under_the_latches_of_its_keys() {
    let store = Fixture::new();
    for ts in [10, 20, 30] {
        store.put(ts, ts + 1, "a", "1");
        store.put(ts, ts + 1, "b", "1");
    }
    let found = store.read(FindGarbage::new(KeyRange::all(), 40));
    assert_eq!(found.garbage.latches(), Latches::Keys(vec![bytes("a"), bytes("b")]));
}

#[test]
fn a_version_that_took_the_place_of_what_was_found_stays() {
    let store = Fixture::new();
    store.prewrite(5, vec![put("a", &long_value('x'))]).unwrap();
    store.run(Cleanup { key: "a".into(), start_ts: 22, current_ts: 0 }).unwrap();
    let found = store.read(FindGarbage::new(KeyRange::all(), 30));
    assert_eq!(found.garbage.len(), 1);
    store.commit(5, 22, &["a"]).unwrap();
    store.run(found.garbage);
    assert_eq!(store.get("a", 30), Some(long_value('x')));
}
