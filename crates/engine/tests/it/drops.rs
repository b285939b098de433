//! Keyspaces that come and go on a disk: their space comes back, and no other keyspace suffers from it.

use std::collections::BTreeMap;

use bytes::Bytes;
use charioteer_engine::{Batch, Db, Direction, DiskOptions, Error};

use crate::store::{KEYSPACES, compact, files, fill, is_table, open, options, put, rows, value, walk};

/// Names and the one row that each keyspace has.
type Expected = BTreeMap<String, String>;

fn make(db: &Db, expected: &mut Expected, name: &str, row: &str) {
    put(db, &db.keyspace(name).unwrap(), "row", row);
    expected.insert(name.to_owned(), row.to_owned());
}

fn discard(db: &Db, expected: &mut Expected, name: &str) {
    db.drop_keyspace(name).unwrap();
    expected.remove(name);
}

fn check(db: &Db, expected: &Expected) {
    assert_eq!(db.keyspace_names(), expected.keys().cloned().collect::<Vec<_>>());
    for (name, row) in expected {
        let found = walk(&db.snapshot(), &db.keyspace(name).unwrap(), Direction::Forward).unwrap();
        let one = BTreeMap::from([(Bytes::from("row"), Bytes::copy_from_slice(row.as_bytes()))]);
        assert_eq!(found, one, "{name}");
    }
}

#[test]
fn keyspaces_made_after_drops_and_openings_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Expected::new();
    for round in 0..12 {
        let db = open(folder.path()).unwrap();
        check(&db, &expected);
        make(&db, &mut expected, &format!("stays-{round}"), "stays");
        make(&db, &mut expected, "goes", &round.to_string());
        discard(&db, &mut expected, "goes");
        drop(db);

        // The next gets the number of the one that was dropped, and more follow, which rewrite the list of names.
        let db = open(folder.path()).unwrap();
        check(&db, &expected);
        make(&db, &mut expected, &format!("follows-{round}"), "follows");
        make(&db, &mut expected, &format!("second-{round}"), "without a later row");
        if round > 1 {
            discard(&db, &mut expected, &format!("follows-{}", round - 2));
        }
    }
    check(&open(folder.path()).unwrap(), &expected);
}

#[test]
fn keyspaces_made_without_rows_and_dropped_do_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Expected::new();
    let db = open(folder.path()).unwrap();
    make(&db, &mut expected, "first", "row");
    for number in 0..30 {
        db.keyspace(&format!("empty-{number:02}")).unwrap();
    }
    drop(db);
    let db = open(folder.path()).unwrap();
    db.drop_keyspace("empty-29").unwrap();
    make(&db, &mut expected, "new", "row of the new one");
    drop(db);
    let db = open(folder.path()).unwrap();
    for number in 0..29 {
        db.drop_keyspace(&format!("empty-{number:02}")).unwrap();
        make(&db, &mut expected, &format!("newer-{number:02}"), "row");
    }
    drop(db);
    check(&open(folder.path()).unwrap(), &expected);
}

#[test]
fn a_dropped_keyspace_gives_its_space_back() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path()).unwrap();
    fill(&db, 0..2000);
    compact(&db);
    let tables = || files(folder.path()).into_keys().filter(|path| is_table(path)).count();
    let before = db.stats().unwrap();
    assert!(tables() > 0);
    for name in KEYSPACES {
        db.drop_keyspace(name).unwrap();
    }
    let after = db.stats().unwrap();
    assert!(before.disk_bytes - before.journal_bytes > 100_000, "{before:?}");
    assert_eq!(after.disk_bytes, after.journal_bytes);
    drop(db);
    assert_eq!(tables(), 0);
}

#[test]
fn a_snapshot_outlives_later_writes_compaction_and_drops() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(folder.path(), DiskOptions { memtable_bytes: 16 << 10, ..options() }).unwrap();
    fill(&db, 0..200);
    let keyspaces = KEYSPACES.map(|name| db.keyspace(name).unwrap());
    let snapshot = db.snapshot();
    for number in 0..200 {
        let mut batch = Batch::new();
        for keyspace in &keyspaces {
            batch.delete(keyspace, crate::store::key(number));
            batch.put(keyspace, crate::store::key(number + 1000), value(number));
        }
        db.commit(batch).unwrap();
    }
    compact(&db);
    db.drop_keyspace("second").unwrap();
    for keyspace in &keyspaces {
        for direction in [Direction::Forward, Direction::Backward] {
            assert_eq!(walk(&snapshot, keyspace, direction), Ok(rows(0..200)), "{keyspace:?}");
        }
        assert_eq!(snapshot.get(keyspace, &crate::store::key(7)), Ok(Some(value(7))));
    }
    let dropped = db.get(&keyspaces[1], b"key");
    assert!(matches!(dropped, Err(Error::KeyspaceDropped { .. })), "{dropped:?}");
    assert_eq!(walk(&db.snapshot(), &keyspaces[0], Direction::Forward).unwrap().len(), 200);
}
