//! What the tests of folders share: a store whose rows follow from their numbers, and copies of folders.

use std::collections::BTreeMap;
use std::fs;
use std::ops::{Bound, ControlFlow, Range};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use charioteer_engine::{Batch, Db, Direction, DiskOptions, Durability, Error, Keyspace, Snapshot};

/// Every batch writes the same row to both.
pub(crate) const KEYSPACES: [&str; 2] = ["first", "second"];

pub(crate) type Rows = BTreeMap<Bytes, Bytes>;

/// A folder's files by their paths below it.
pub(crate) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// What is flushed is enough where nothing stops the machine.
pub(crate) fn options() -> DiskOptions {
    DiskOptions { durability: Durability::Flush, cache_bytes: 1 << 20, ..DiskOptions::default() }
}

pub(crate) fn open(path: &Path) -> Result<Db, Error> {
    Db::open(path, options())
}

pub(crate) fn key(number: u32) -> Bytes {
    Bytes::from(format!("key-{number:04}"))
}

/// A value that says whose it is, and does not compress.
pub(crate) fn value(number: u32) -> Bytes {
    let mut state = u64::from(number) + 1;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:08x}", state >> 32)
    });
    Bytes::from(format!("{number}-{}", noise.take(3).collect::<String>()))
}

/// The rows of these numbers.
pub(crate) fn rows(numbers: Range<u32>) -> Rows {
    numbers.map(|number| (key(number), value(number))).collect()
}

pub(crate) fn put(db: &Db, keyspace: &Keyspace, key: &str, value: &str) {
    let mut batch = Batch::new();
    batch.put(keyspace, Bytes::copy_from_slice(key.as_bytes()), Bytes::copy_from_slice(value.as_bytes()));
    db.commit(batch).unwrap();
}

/// Writes these rows, a batch for each number.
pub(crate) fn fill(db: &Db, numbers: Range<u32>) {
    let keyspaces = KEYSPACES.map(|name| db.keyspace(name).unwrap());
    for number in numbers {
        let mut batch = Batch::new();
        for keyspace in &keyspaces {
            batch.put(keyspace, key(number), value(number));
        }
        db.commit(batch).unwrap();
    }
}

/// Writes the rows so far to table files.
pub(crate) fn compact(db: &Db) {
    for name in KEYSPACES {
        db.compact(&db.keyspace(name).unwrap()).unwrap();
    }
}

/// All rows of a keyspace, walked in a direction.
pub(crate) fn walk(snapshot: &Snapshot, keyspace: &Keyspace, direction: Direction) -> Result<Rows, Error> {
    let (mut rows, mut walked) = (Rows::new(), 0);
    snapshot.visit(keyspace, (Bound::Unbounded, Bound::Unbounded), direction, |key, value| {
        rows.insert(key.clone(), value.clone());
        walked += 1;
        ControlFlow::Continue(())
    })?;
    assert_eq!(rows.len(), walked, "a row came twice");
    Ok(rows)
}

/// Reads everything in every way, which must be the same; the rows of the keyspaces, one behind the other.
pub(crate) fn read(db: &Db) -> Result<[Rows; 2], Error> {
    let mut found = [Rows::new(), Rows::new()];
    for (name, found) in KEYSPACES.iter().zip(&mut found) {
        let (keyspace, snapshot) = (db.keyspace(name)?, db.snapshot());
        let rows = walk(&snapshot, &keyspace, Direction::Forward)?;
        assert_eq!(rows, walk(&snapshot, &keyspace, Direction::Backward)?, "{name}");
        for (key, value) in &rows {
            assert_eq!(db.get(&keyspace, key)?.as_ref(), Some(value), "{name} {key:?}");
        }
        *found = rows;
    }
    Ok(found)
}

/// Opens a folder and reads everything.
pub(crate) fn open_and_read(path: &Path) -> Result<[Rows; 2], Error> {
    read(&open(path)?)
}

/// All files of a folder.
pub(crate) fn files(folder: &Path) -> Files {
    let mut files = Files::new();
    collect(folder, folder, &mut files);
    files
}

fn collect(top: &Path, folder: &Path, files: &mut Files) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(top, &path, files);
        } else {
            files.insert(path.strip_prefix(top).unwrap().to_owned(), fs::read(&path).unwrap());
        }
    }
}

/// Makes a folder of these files.
pub(crate) fn write_files(folder: &Path, files: &Files) {
    for (path, bytes) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// A copy of a store's files as it is now, open or not, without the zeros at the ends of journals.
pub(crate) fn copy_of(store: &Path) -> Files {
    let mut files = files(store);
    for (path, bytes) in &mut files {
        if is_journal(path) {
            let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            bytes.truncate(end);
        }
    }
    files
}

pub(crate) fn is_journal(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jnl")
}

/// The table files of a keyspace made by the numbers of fjall, but for its own keyspace 0.
pub(crate) fn is_table(path: &Path) -> bool {
    path.parent().is_some_and(|parent| parent.ends_with("tables")) && !path.starts_with("rows/keyspaces/0")
}
