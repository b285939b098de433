//! Stores that earlier versions wrote are read.
//!
//! `fixture/format-1` was written by version 0.1.0 with what [`write`] does; the journal was cut to its length, without the
//! zeros behind it. With `CHARIOTEER_FIXTURE=FOLDER cargo test -p charioteer-engine --test it format::` this version writes its
//! own there. A fixture is never written anew: it is what somebody has on a disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use charioteer_engine::{Batch, Db, Direction, verify_folder};

use crate::store::{Rows, compact, copy_of, files, fill, key, open, put, read, rows, value, walk, write_files};

/// Rows in tables and in the journal, some of each overwritten or removed, and a keyspace that is not there any more.
fn write(folder: &Path) {
    let db = open(folder).unwrap();
    fill(&db, 0..50);
    put(&db, &db.keyspace("passing").unwrap(), "key", "value");
    compact(&db);
    fill(&db, 50..70);
    db.drop_keyspace("passing").unwrap();
    change(&db);
}

fn change(db: &Db) {
    let (first, second) = (db.keyspace("first").unwrap(), db.keyspace("second").unwrap());
    let mut batch = Batch::new();
    batch.put(&first, key(7), "of the journal".into());
    batch.put(&second, key(60), Bytes::new());
    batch.delete(&first, key(8));
    batch.delete(&second, key(61));
    batch.put(&second, Bytes::from_static(&[0, 0xff]), Bytes::from_static(&[0, 0xff, 0]));
    db.commit(batch).unwrap();
}

fn expected() -> [Rows; 2] {
    let (mut first, mut second) = (rows(0..70), rows(0..70));
    first.insert(key(7), "of the journal".into());
    second.insert(key(60), Bytes::new());
    first.remove(&key(8));
    second.remove(&key(61));
    second.insert(Bytes::from_static(&[0, 0xff]), Bytes::from_static(&[0, 0xff, 0]));
    [first, second]
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixture").join(name)
}

/// Opens a copy of a store, which must have just these rows, and goes on with it.
fn is_read_and_written(store: &BTreeMap<PathBuf, Vec<u8>>) {
    let copy = tempfile::tempdir().unwrap();
    write_files(copy.path(), store);
    assert!(verify_folder(copy.path()).unwrap().damage.is_empty());
    let db = open(copy.path()).unwrap();
    assert_eq!(db.keyspace_names(), ["first", "second"]);
    assert_eq!(read(&db), Ok(expected()));
    let added = db.keyspace("added").unwrap();
    put(&db, &added, "key", "value");
    drop((db, added));
    let db = open(copy.path()).unwrap();
    let added = walk(&db.snapshot(), &db.keyspace("added").unwrap(), Direction::Forward).unwrap();
    assert_eq!(added, Rows::from([("key".into(), "value".into())]));
    assert_eq!(read(&db), Ok(expected()));
}

#[test]
fn a_store_of_format_1_is_read_and_written() {
    is_read_and_written(&files(&fixture("format-1")));
}

#[test]
fn a_store_of_this_version_is_read_and_written() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let store = copy_of(folder.path());
    is_read_and_written(&store);
    if let Some(wanted) = std::env::var_os("CHARIOTEER_FIXTURE") {
        write_files(Path::new(&wanted), &store);
    }
}

#[test]
fn the_fixture_has_rows_in_tables_and_in_the_journal() {
    let store = files(&fixture("format-1"));
    let holds = |path: &str, row: Bytes| {
        let bytes = &store[Path::new(path)];
        bytes.windows(row.len()).any(|window| window == row)
    };
    assert!(holds("rows/0.jnl", value(60)));
    assert!(store.keys().any(|path| crate::store::is_table(path)));
    assert!(store.values().map(Vec::len).sum::<usize>() < 30_000);
}
