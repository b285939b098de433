//! Ranges of keys, in both directions.

use charioteer_engine::Direction;
use charioteer_engine::mvcc::{BatchRollback, ConflictReason, Isolation, KeyError, Prewrite, ReadAt, Scan};

use super::fixture::{Fixture, bytes, delete, lock_only, long_value, put, text};

/// Keys with several versions, deleted ones, locked ones, and ones that are locked alone.
fn crowded() -> Fixture {
    let store = Fixture::new();
    for key in ["a", "b", "c", "d", "e"] {
        store.put(10, 20, key, "old");
    }
    store.put(30, 40, "b", &long_value('b'));
    store.delete(31, 41, "c");
    store.prewrite(50, vec![put("primary", "1"), put("aa", "1"), put("d", "1"), lock_only("e")]).unwrap();
    store
}

fn between(direction: Direction, at: ReadAt) -> Scan {
    match direction {
        Direction::Forward => Scan::forward(bytes("a"), bytes("f"), usize::MAX, at),
        Direction::Backward => Scan::backward(bytes("f"), bytes("a"), usize::MAX, at),
    }
}

fn expect(store: &Fixture, at: &ReadAt, expected: &[(&str, Option<&str>)]) {
    let mut expected: Vec<(String, Option<String>)> =
        expected.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect();
    assert_eq!(store.scan(between(Direction::Forward, at.clone())), expected);
    expected.reverse();
    assert_eq!(store.scan(between(Direction::Backward, at.clone())), expected);
}

#[test]
fn the_versions_of_a_timestamp_come_in_order() {
    let store = crowded();
    let old = Some("old");
    let long = long_value('b');
    expect(&store, &ReadAt::new(19), &[]);
    expect(&store, &ReadAt::new(20), &[("a", old), ("b", old), ("c", old), ("d", old), ("e", old)]);
    expect(&store, &ReadAt::new(40), &[("a", old), ("b", Some(&long)), ("c", old), ("d", old), ("e", old)]);
    expect(&store, &ReadAt::new(49), &[("a", old), ("b", Some(&long)), ("d", old), ("e", old)]);
}

#[test]
fn locked_keys_are_told_and_the_scan_goes_on_behind_them() {
    let store = crowded();
    let long = long_value('b');
    let (old, long) = (Some("old"), Some(&long[..]));
    expect(&store, &ReadAt::new(50), &[("a", old), ("aa", None), ("b", long), ("d", None), ("e", old)]);
    let resolved = ReadAt { resolved_locks: vec![50], ..ReadAt::new(60) };
    expect(&store, &resolved, &[("a", old), ("b", long), ("d", old), ("e", old)]);
    let committed = ReadAt { committed_locks: vec![50], ..ReadAt::new(60) };
    expect(&store, &committed, &[("a", old), ("aa", Some("1")), ("b", long), ("d", Some("1")), ("e", old)]);
    let read_committed = ReadAt { isolation: Isolation::ReadCommitted, ..ReadAt::new(60) };
    expect(&store, &read_committed, &[("a", old), ("b", long), ("d", old), ("e", old)]);
}

#[test]
fn bounds_are_a_first_key_and_one_behind_the_last() {
    let store = crowded();
    let at = || ReadAt::new(20);
    let keys = |scan| store.scan(scan).into_iter().map(|(key, _)| key).collect::<String>();
    assert_eq!(keys(Scan::forward("b".into(), "d".into(), 9, at())), "bc");
    assert_eq!(keys(Scan::backward("d".into(), "b".into(), 9, at())), "cb");
    assert_eq!(keys(Scan::forward("".into(), "".into(), 9, at())), "abcde");
    assert_eq!(keys(Scan::backward("".into(), "".into(), 9, at())), "edcba");
    assert_eq!(keys(Scan::forward("d".into(), "b".into(), 9, at())), "", "the wrong order");
    assert_eq!(keys(Scan::forward("".into(), "".into(), 2, at())), "ab");
    assert_eq!(keys(Scan::backward("".into(), "".into(), 2, at())), "ed");
    assert_eq!(keys(Scan::forward("".into(), "".into(), 0, at())), "");
}

#[test]
fn a_limit_counts_what_could_not_be_read_too() {
    let store = crowded();
    let scan = |limit| store.scan(Scan::forward("".into(), "".into(), limit, ReadAt::new(50))).len();
    assert_eq!([1, 2, 3].map(scan), [1, 2, 3]);
    let found = store.scan(Scan::forward("".into(), "".into(), 2, ReadAt::new(50)));
    assert_eq!(found[1], ("aa".to_owned(), None));
    let found = store.scan(Scan::backward("".into(), "".into(), 1, ReadAt::new(50)));
    assert_eq!(found, [("primary".to_owned(), None)]);
}

#[test]
fn keys_alone_samples_and_bytes() {
    let store = crowded();
    let at = || ReadAt::new(20);
    let keys = store.scan(Scan::forward("".into(), "".into(), 9, at()).keys_only());
    assert!(keys.len() == 5 && keys.iter().all(|(_, value)| value.as_deref() == Some("")));
    let sampled = store.scan(Scan::forward("".into(), "".into(), 9, at()).sample_step(2));
    assert_eq!(sampled.iter().map(|(key, _)| &key[..]).collect::<String>(), "ace");
    let cut = store.read(Scan::forward("".into(), "".into(), 9, at()).max_bytes(1)).unwrap();
    assert_eq!((cut.pairs.len(), cut.is_cut), (1, true));
    let whole = store.read(Scan::forward("".into(), "".into(), 9, at()).max_bytes(1_000)).unwrap();
    assert_eq!((whole.pairs.len(), whole.is_cut), (5, false));
}

#[test]
fn keys_with_many_versions_are_found_among_others() {
    let store = Fixture::new();
    for turn in 0..40 {
        let ts = 10 + turn * 10;
        for key in ["a", "c"] {
            store.put(ts, ts + 1, key, &turn.to_string());
        }
        store.prewrite(ts + 2, vec![lock_only("b")]).unwrap();
        store.commit(ts + 2, ts + 3, &["b"]).unwrap();
    }
    store.put(500, 501, "d", "late");
    for turn in [0, 1, 7, 8, 9, 20, 39] {
        let (at, value) = (ReadAt::new(10 + turn * 10 + 5), turn.to_string());
        expect(&store, &at, &[("a", Some(&value)), ("c", Some(&value))]);
    }
    store.delete(600, 601, "c");
    expect(&store, &ReadAt::new(700), &[("a", Some("39")), ("d", Some("late"))]);
}

#[test]
fn more_locks_than_are_known_beforehand_are_all_met() {
    let store = Fixture::new();
    let key = |number: usize| format!("{number:05}");
    store.prewrite(10, (0..1_000).map(|number| put(&key(number), "old")).collect()).unwrap();
    let keys: Vec<String> = (0..1_000).map(key).collect();
    store.commit(10, 11, &keys.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    store.prewrite(20, (0..2_000).step_by(2).map(|number| put(&key(number), "new")).collect()).unwrap();
    let expected: Vec<(String, Option<String>)> = (0..2_000)
        .filter(|number| *number < 1_000 || number % 2 == 0)
        .map(|number| (key(number), (number % 2 == 1).then(|| "old".to_owned())))
        .collect();
    assert_eq!(store.scan(Scan::forward("".into(), "".into(), usize::MAX, ReadAt::new(30))), expected);
    let backward = store.scan(Scan::backward("".into(), "".into(), usize::MAX, ReadAt::new(30)));
    assert!(backward.iter().eq(expected.iter().rev()));
}

#[test]
fn a_scan_of_many_rows_is_taken_in_steps_and_sees_one_instant() {
    let store = Fixture::new();
    let keys: Vec<String> = (0..3_000).map(|number| format!("{number:05}")).collect();
    store.prewrite(10, keys.iter().map(|key| put(key, "1")).collect()).unwrap();
    store.commit(10, 11, &keys.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    let scans = [
        Scan::forward("".into(), "".into(), usize::MAX, ReadAt::new(20)),
        Scan::backward("".into(), "".into(), usize::MAX, ReadAt::new(20)),
    ];
    for (scan, start_ts) in scans.into_iter().zip([15, 16]) {
        let mut reading = store.store().begin_read(scan).unwrap();
        assert!(reading.step().unwrap().is_none());
        // Later ones would meet these locks.
        let keys = vec![bytes("00000"), bytes("02999")];
        store.prewrite(start_ts, vec![delete("00000"), delete("02999")]).unwrap();
        let (mut steps, mut found) = (1, None);
        while found.is_none() {
            found = reading.step().unwrap();
            steps += 1;
        }
        assert!(steps > 3, "{steps}");
        let found = found.unwrap().unwrap();
        assert!(found.pairs.len() == 3_000 && found.pairs.iter().all(|pair| pair.found.is_ok()));
        assert!(reading.step().unwrap().is_none(), "it was given before");
        store.run(BatchRollback { start_ts, keys }).unwrap();
    }
}

#[test]
fn read_committed_with_a_check_is_refused_where_there_is_something_newer() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    store.put(10, 20, "b", "1");
    store.put(30, 40, "b", "2");
    let at = ReadAt { isolation: Isolation::ReadCommittedCheck, ..ReadAt::new(25) };
    expect(&store, &at, &[("a", Some("1")), ("b", None)]);
    let scanned = store.read(between(Direction::Forward, at)).unwrap();
    match &scanned.pairs[1].found {
        Err(KeyError::WriteConflict(conflict)) => assert_eq!(conflict.reason, ConflictReason::RcCheckTs),
        other => panic!("{other:?}"),
    }
    assert_eq!(text(&scanned.pairs[1].key), "b");
}

#[test]
fn something_newer_is_found_below_much_that_changes_nothing() {
    let store = Fixture::new();
    store.put(10, 11, "a", "1");
    store.put(20, 21, "a", "2");
    for ts in (30..60).step_by(2) {
        store.prewrite(ts, vec![lock_only("a")]).unwrap();
        store.commit(ts, ts + 1, &["a"]).unwrap();
    }
    let at = ReadAt { isolation: Isolation::ReadCommittedCheck, ..ReadAt::new(15) };
    expect(&store, &at, &[("a", None)]);
    expect(&store, &ReadAt::new(15), &[("a", Some("1"))]);
}

#[test]
fn read_committed_with_a_check_backwards_over_many_versions() {
    let store = Fixture::new();
    for turn in 0..20 {
        store.put(10 + turn * 10, 11 + turn * 10, "a", "1");
    }
    let at = |ts| ReadAt { isolation: Isolation::ReadCommittedCheck, ..ReadAt::new(ts) };
    expect(&store, &at(100), &[("a", None)]);
    expect(&store, &at(300), &[("a", Some("1"))]);
    let lock = Prewrite { min_commit_ts: 500, ..Prewrite::new(vec![put("a", "2")], "a".into(), 250) };
    store.run(lock).unwrap();
    expect(&store, &at(300), &[("a", None)]);
}
