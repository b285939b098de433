//! Backups of a store that is being written to, and their way back.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use bytes::Bytes;
use charioteer_engine::{Batch, Db, Error, restore_backup, verify_folder};
use tempfile::TempDir;

use crate::store::{KEYSPACES, compact, files, fill, open, open_and_read, read, rows};

/// A store with rows in tables and in its journal, its folder, and where its backup goes.
fn store() -> (TempDir, Db, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder.path().join("data")).unwrap();
    fill(&db, 0..100);
    compact(&db);
    fill(&db, 100..120);
    let backup = folder.path().join("backup");
    (folder, db, backup)
}

fn restored(folder: &TempDir, backup: &Path) -> Db {
    let path = folder.path().join("restored");
    restore_backup(backup, &path).unwrap();
    open(&path).unwrap()
}

#[test]
fn a_backup_holds_all_rows_and_no_later_ones() {
    let (folder, db, backup) = store();
    let made = db.backup(&backup).unwrap();
    assert_eq!((made.keyspaces, made.rows), (2, 240));
    fill(&db, 120..130);
    assert!(verify_folder(&backup).unwrap().damage.is_empty());
    let copy = restored(&folder, &backup);
    assert_eq!(read(&copy), Ok([rows(0..120), rows(0..120)]));
    fill(&copy, 120..125);
    drop(copy);
    let again = open_and_read(&folder.path().join("restored"));
    assert_eq!(again, Ok([rows(0..125), rows(0..125)]));
}

/// Sets all rows of both keyspaces to a number, again and again, until told to stop. Gives the last number.
fn keep_writing(db: &Db, written: &AtomicU32, stop: &AtomicBool) {
    let keyspaces = KEYSPACES.map(|name| db.keyspace(name).unwrap());
    while !stop.load(Ordering::Relaxed) {
        let number = Bytes::from((written.load(Ordering::Relaxed) + 1).to_string());
        let mut batch = Batch::new();
        for keyspace in &keyspaces {
            for row in 0..10 {
                batch.put(keyspace, Bytes::from(format!("same-{row}")), number.clone());
            }
        }
        db.commit(batch).unwrap();
        written.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_backup_under_writers_has_each_batch_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder.path().join("data")).unwrap();
    let (written, stop) = (AtomicU32::new(0), AtomicBool::new(false));
    thread::scope(|threads| {
        threads.spawn(|| keep_writing(&db, &written, &stop));
        for round in 0..5 {
            let backup = folder.path().join(format!("backup-{round}"));
            let copy = folder.path().join(format!("copy-{round}"));
            let before = written.load(Ordering::Relaxed);
            db.backup(&backup).unwrap();
            let after = written.load(Ordering::Relaxed) + 1;
            restore_backup(&backup, &copy).unwrap();
            let [first, second] = open_and_read(&copy).unwrap();
            assert_eq!(first, second);
            let mut numbers: Vec<u32> =
                first.values().map(|number| str::from_utf8(number).unwrap().parse().unwrap()).collect();
            numbers.dedup();
            match numbers[..] {
                [] => assert_eq!(before, 0),
                [number] => assert!((before..=after).contains(&number), "{before} <= {number} <= {after}"),
                _ => panic!("a batch is torn: {numbers:?}"),
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_flipped_byte_in_a_backup_is_found_and_not_restored() {
    let (folder, db, backup) = store();
    db.backup(&backup).unwrap();
    let target = folder.path().join("restored");
    for (file, bytes) in files(&backup) {
        // The list's own bytes are as many as a file's.
        for at in (0..bytes.len()).step_by(97) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x01;
            fs::write(backup.join(&file), &damaged).unwrap();
            assert_eq!(verify_folder(&backup).unwrap().damage.len(), 1, "{} at {at}", file.display());
            let refused = restore_backup(&backup, &target);
            assert!(matches!(refused, Err(Error::Damaged { .. })), "{} at {at}: {refused:?}", file.display());
        }
        fs::write(backup.join(&file), &bytes).unwrap();
    }
    let there: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(there.len(), 2, "the data, the backup, and nothing of what was refused: {there:?}");
    assert_eq!(read(&restored(&folder, &backup)), Ok([rows(0..120), rows(0..120)]));
}

#[test]
fn a_backup_without_one_of_its_files_is_found_and_not_restored() {
    let (folder, db, backup) = store();
    db.backup(&backup).unwrap();
    for (file, bytes) in files(&backup).into_iter().filter(|(file, _)| !file.ends_with("BACKUP")) {
        fs::remove_file(backup.join(&file)).unwrap();
        let missing = Error::Damaged { path: backup.join(&file), offset: None, what: "the file is missing".to_owned() };
        assert_eq!(verify_folder(&backup).unwrap().damage, std::slice::from_ref(&missing));
        assert_eq!(restore_backup(&backup, folder.path().join("restored")), Err(missing));
        fs::write(backup.join(&file), bytes).unwrap();
    }
}

#[test]
fn neither_a_backup_nor_a_restored_store_is_made_over_something() {
    let (folder, db, backup) = store();
    db.backup(&backup).unwrap();
    let before = files(folder.path());
    assert!(matches!(db.backup(&backup), Err(Error::NotAStore { .. })));
    assert!(matches!(restore_backup(&backup, folder.path().join("data")), Err(Error::NotAStore { .. })));
    assert!(matches!(
        restore_backup(folder.path().join("data"), folder.path().join("new")),
        Err(Error::NotAStore { .. })
    ));
    assert_eq!(files(folder.path()), before);

    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    restore_backup(&backup, &empty).unwrap();
    assert_eq!(open_and_read(&empty), Ok([rows(0..120), rows(0..120)]));
}

#[test]
fn a_store_in_memory_has_no_backup() {
    assert_eq!(Db::memory().backup("nowhere"), Err(Error::NotOnDisk));
}

#[test]
fn a_folder_that_is_there_and_empty_is_filled_where_it_is() {
    let (folder, db, backup) = store();
    fs::create_dir(&backup).unwrap();
    db.backup(&backup).unwrap();
    let restored = folder.path().join("restored");
    fs::create_dir(&restored).unwrap();
    // As a mounted disk, which cannot be replaced: whoever holds the folder open still sees it.
    let held = fs::File::open(&restored).unwrap().metadata().unwrap();
    restore_backup(&backup, &restored).unwrap();
    use std::os::unix::fs::MetadataExt;
    assert_eq!(fs::metadata(&restored).unwrap().ino(), held.ino());
    assert_eq!(open_and_read(&restored), Ok([rows(0..120), rows(0..120)]));
    assert!(!files(&restored).keys().any(|path| path.to_string_lossy().contains("part")));
}
