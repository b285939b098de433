//! Versions that nobody can see any more.

use charioteer_engine::mvcc::{Cleanup, FindGarbage, KeyRange, WriteKind};

use super::fixture::{Fixture, lock_only, long_value, put};

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
