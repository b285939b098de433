use std::ops::{Bound, ControlFlow};
use std::thread;

use super::super::TestDb;
use bytes::Bytes;
use charioteer_engine::{Batch, Db, Direction, Error, Keyspace, MAX_KEY_BYTES, Snapshot};

fn put(db: &Db, keyspace: &Keyspace, key: &str, value: &str) {
    let mut batch = Batch::new();
    batch.put(keyspace, Bytes::copy_from_slice(key.as_bytes()), Bytes::copy_from_slice(value.as_bytes()));
    db.commit(batch).unwrap();
}

fn get(db: &Db, keyspace: &Keyspace, key: &str) -> Option<Bytes> {
    db.get(keyspace, key.as_bytes()).unwrap()
}

fn keys_in(snapshot: &Snapshot, keyspace: &Keyspace, range: Range<'_>, direction: Direction) -> Vec<Bytes> {
    let mut keys = Vec::new();
    let visit = |key: &Bytes, _: &Bytes| {
        keys.push(key.clone());
        ControlFlow::Continue(())
    };
    snapshot.visit(keyspace, range, direction, visit).unwrap();
    keys
}

type Range<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

const ALL: Range<'_> = (Bound::Unbounded, Bound::Unbounded);

#[test]
fn a_keyspace_is_opened_again_under_its_name() {
    let db = TestDb::new();
    let first = db.keyspace("a").unwrap();
    put(&db, &first, "k", "v");
    let second = db.keyspace("a").unwrap();
    assert_eq!(get(&db, &second, "k").as_deref(), Some(&b"v"[..]));
    assert_eq!(second.name(), "a");
}

#[test]
fn keyspaces_keep_their_rows_apart() {
    let db = TestDb::new();
    let (a, b) = (db.keyspace("a").unwrap(), db.keyspace("b").unwrap());
    put(&db, &a, "k", "in a");
    assert_eq!(get(&db, &b, "k"), None);
    assert_eq!(db.keyspace_names(), ["a", "b"]);
}

#[test]
fn the_last_change_of_a_batch_to_a_key_wins() {
    let db = TestDb::new();
    let rows = db.keyspace("rows").unwrap();
    let mut batch = Batch::new();
    batch.put(&rows, "twice".into(), "1".into());
    batch.put(&rows, "twice".into(), "2".into());
    batch.put(&rows, "gone".into(), "1".into());
    batch.delete(&rows, "gone".into());
    assert_eq!(batch.len(), 4);
    db.commit(batch).unwrap();
    assert_eq!(get(&db, &rows, "twice").as_deref(), Some(&b"2"[..]));
    assert_eq!(get(&db, &rows, "gone"), None);
}

#[test]
fn an_empty_batch_commits() {
    let batch = Batch::new();
    assert!(batch.is_empty());
    TestDb::new().db.commit(batch).unwrap();
}

#[test]
fn a_snapshot_sees_no_later_write() {
    let db = TestDb::new();
    let rows = db.keyspace("rows").unwrap();
    put(&db, &rows, "a", "1");
    put(&db, &rows, "b", "1");
    for snapshot in [db.snapshot(), db.snapshot_of(&rows).unwrap()] {
        put(&db, &rows, "a", "2");
        put(&db, &rows, "c", "2");
        let mut batch = Batch::new();
        batch.delete(&rows, "b".into());
        db.commit(batch).unwrap();

        assert_eq!(snapshot.get(&rows, b"a").unwrap().as_deref(), Some(&b"1"[..]));
        assert_eq!(keys_in(&snapshot, &rows, ALL, Direction::Forward), ["a", "b"]);
        assert_eq!(keys_in(&db.snapshot(), &rows, ALL, Direction::Forward), ["a", "c"]);

        let mut batch = Batch::new();
        batch.put(&rows, "a".into(), "1".into());
        batch.put(&rows, "b".into(), "1".into());
        batch.delete(&rows, "c".into());
        db.commit(batch).unwrap();
    }
}

#[test]
fn a_keyspace_younger_than_the_snapshot_has_no_rows_in_it() {
    let db = TestDb::new();
    let snapshot = db.snapshot();
    let rows = db.keyspace("rows").unwrap();
    put(&db, &rows, "a", "1");
    assert_eq!(snapshot.get(&rows, b"a").unwrap(), None);
    assert!(keys_in(&snapshot, &rows, ALL, Direction::Forward).is_empty());
}

#[test]
fn get_many_answers_in_the_order_of_the_keys() {
    let db = TestDb::new();
    let rows = db.keyspace("rows").unwrap();
    put(&db, &rows, "a", "1");
    put(&db, &rows, "b", "2");
    let found = db.get_many(&rows, &["b", "none", "a", "b"]).unwrap();
    assert_eq!(found, [Some("2".into()), None, Some("1".into()), Some("2".into())]);
    assert_eq!(db.get_many(&rows, &["a", ""]), Err(Error::KeyEmpty));
}

#[test]
fn ranges_keep_to_their_bounds_in_both_directions() {
    let db = TestDb::new();
    let rows = db.keyspace("rows").unwrap();
    for key in ["a", "b", "c", "d"] {
        put(&db, &rows, key, "v");
    }
    let snapshot = db.snapshot();
    let cases: [(Range<'_>, &[&str]); 8] = [
        ((Bound::Unbounded, Bound::Unbounded), &["a", "b", "c", "d"]),
        ((Bound::Included(b"b"), Bound::Excluded(b"d")), &["b", "c"]),
        ((Bound::Excluded(b"b"), Bound::Included(b"d")), &["c", "d"]),
        ((Bound::Included(b"aa"), Bound::Unbounded), &["b", "c", "d"]),
        ((Bound::Included(b"b"), Bound::Included(b"b")), &["b"]),
        ((Bound::Included(b"b"), Bound::Excluded(b"b")), &[]),
        ((Bound::Excluded(b"b"), Bound::Excluded(b"b")), &[]),
        ((Bound::Included(b"c"), Bound::Included(b"a")), &[]),
    ];
    for (range, expected) in cases {
        assert_eq!(keys_in(&snapshot, &rows, range, Direction::Forward), expected);
        let backward: Vec<&str> = expected.iter().rev().copied().collect();
        assert_eq!(keys_in(&snapshot, &rows, range, Direction::Backward), backward);
    }
}

#[test]
fn bounds_may_be_longer_than_keys() {
    let db = TestDb::new();
    let rows = db.keyspace("rows").unwrap();
    let longest = vec![b'b'; MAX_KEY_BYTES];
    let too_long = vec![b'b'; MAX_KEY_BYTES + 1];
    let mut batch = Batch::new();
    for key in [&b"a"[..], &longest, b"c"] {
        batch.put(&rows, Bytes::copy_from_slice(key), "v".into());
    }
    db.commit(batch).unwrap();
    let snapshot = db.snapshot();
    for (bound, before, behind) in [
        (Bound::Included(&too_long[..]), 2, 1),
        (Bound::Excluded(&too_long[..]), 2, 1),
        (Bound::Included(&longest[..]), 2, 2),
    ] {
        for direction in [Direction::Forward, Direction::Backward] {
            assert_eq!(count_in(&snapshot, &rows, (Bound::Unbounded, bound), direction), before);
            assert_eq!(count_in(&snapshot, &rows, (bound, Bound::Unbounded), direction), behind);
        }
    }
}

fn count_in(snapshot: &Snapshot, keyspace: &Keyspace, range: Range<'_>, direction: Direction) -> usize {
    let mut count = 0;
    let visit = |_: &Bytes, _: &Bytes| {
        count += 1;
        ControlFlow::Continue(())
    };
    snapshot.visit(keyspace, range, direction, visit).unwrap();
    count
}

#[test]
fn a_walk_stops_when_told() {
    let db = TestDb::new();
    let rows = db.keyspace("rows").unwrap();
    for key in ["a", "b", "c"] {
        put(&db, &rows, key, "v");
    }
    let mut shown = 0;
    let visit = |_: &Bytes, _: &Bytes| {
        shown += 1;
        ControlFlow::Break(())
    };
    db.snapshot().visit(&rows, ALL, Direction::Forward, visit).unwrap();
    assert_eq!(shown, 1);
}

#[test]
fn keys_the_store_cannot_hold_are_refused_and_nothing_of_their_batch_is_applied() {
    let db = TestDb::new();
    let rows = db.keyspace("rows").unwrap();
    let longest = Bytes::from(vec![7; MAX_KEY_BYTES]);
    let too_long = Bytes::from(vec![7; MAX_KEY_BYTES + 1]);

    for (bad, error) in [(Bytes::new(), Error::KeyEmpty), (too_long, Error::KeyTooLong { len: MAX_KEY_BYTES + 1 })] {
        let mut batch = Batch::new();
        batch.put(&rows, "good".into(), "v".into());
        batch.put(&rows, bad.clone(), "v".into());
        assert_eq!(db.commit(batch), Err(error.clone()));
        assert_eq!(get(&db, &rows, "good"), None);
        assert_eq!(db.get(&rows, &bad), Err(error.clone()));
        assert_eq!(db.snapshot().get(&rows, &bad), Err(error));
    }

    let mut batch = Batch::new();
    batch.put(&rows, longest.clone(), "v".into());
    db.commit(batch).unwrap();
    assert_eq!(db.get(&rows, &longest).unwrap().as_deref(), Some(&b"v"[..]));
}

#[test]
fn a_dropped_keyspace_is_an_error_for_its_handles_and_empty_when_created_again() {
    let db = TestDb::new();
    let old = db.keyspace("rows").unwrap();
    put(&db, &old, "k", "v");
    let before = db.snapshot();
    db.drop_keyspace("rows").unwrap();
    db.drop_keyspace("rows").unwrap();

    let dropped = Error::KeyspaceDropped { name: "rows".to_owned() };
    let mut batch = Batch::new();
    batch.put(&old, "k".into(), "v".into());
    assert_eq!(db.commit(batch), Err(dropped.clone()));
    assert_eq!(db.get(&old, b"k"), Err(dropped.clone()));
    assert_eq!(db.get_many(&old, &["k"]), Err(dropped.clone()));
    assert_eq!(db.snapshot().get(&old, b"k"), Err(dropped.clone()));
    assert_eq!(db.snapshot_of(&old).err(), Some(dropped));
    assert_eq!(before.get(&old, b"k").unwrap().as_deref(), Some(&b"v"[..]), "a snapshot taken before keeps it");

    let new = db.keyspace("rows").unwrap();
    assert_eq!(get(&db, &new, "k"), None);
    assert!(db.get(&old, b"k").is_err(), "the old handle stays dead");
}

#[test]
fn a_batch_over_several_keyspaces_is_refused_whole_when_one_was_dropped() {
    let db = TestDb::new();
    let (a, b) = (db.keyspace("a").unwrap(), db.keyspace("b").unwrap());
    db.drop_keyspace("b").unwrap();
    let mut batch = Batch::new();
    batch.put(&a, "k".into(), "v".into());
    batch.put(&b, "k".into(), "v".into());
    assert_eq!(db.commit(batch), Err(Error::KeyspaceDropped { name: "b".to_owned() }));
    assert_eq!(get(&db, &a, "k"), None);
}

#[test]
fn a_snapshot_never_sees_half_a_batch_over_several_keyspaces() {
    const WRITES: usize = 2000;
    let db = TestDb::new();
    let (a, b) = (db.keyspace("a").unwrap(), db.keyspace("b").unwrap());
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..WRITES {
                // The two orders of the keyspaces in a batch must not lock each other out.
                let mut batch = Batch::new();
                let (first, second) = if number % 2 == 0 { (&a, &b) } else { (&b, &a) };
                batch.put(first, "n".into(), number.to_string().into());
                batch.put(second, "n".into(), number.to_string().into());
                db.commit(batch).unwrap();
            }
        });
        let last = (WRITES - 1).to_string();
        loop {
            let snapshot = db.snapshot();
            let (in_a, in_b) = (snapshot.get(&a, b"n").unwrap(), snapshot.get(&b, b"n").unwrap());
            assert_eq!(in_a, in_b);
            if in_a.is_some_and(|number| number == last) {
                break;
            }
        }
    });
}

#[test]
fn rows_do_not_keep_the_buffer_alive_they_were_cut_from() {
    let db = TestDb::new();
    let rows = db.keyspace("rows").unwrap();
    let buffer = Bytes::from(vec![b'x'; 1 << 16]);
    let mut batch = Batch::new();
    batch.put(&rows, buffer.slice(..1), buffer.slice(1..2));
    db.commit(batch).unwrap();
    assert!(buffer.is_unique());
}

#[test]
fn errors_say_what_is_wrong_in_one_line() {
    let errors = [
        (Error::KeyEmpty, "the key is empty"),
        (Error::KeyTooLong { len: 70_000 }, "the key has 70000 bytes, the store holds keys of at most 65535"),
        (Error::KeyspaceDropped { name: "a".to_owned() }, "the keyspace \"a\" was dropped"),
        (Error::Corrupt { what: "row" }, "stored row cannot be understood"),
        (Error::UnknownPartition { partition: 8, partition_count: 8 }, "there is no partition 8 in a table of 8"),
    ];
    for (error, sentence) in errors {
        assert_eq!(error.to_string(), sentence);
    }
}
