//! Opening folders: one at a time, none that is something else, and what is kept from one opening to the next.

use std::fs;
use std::path::Path;

use charioteer_engine::table::{CreateTable, Put, Tables, raw_key};
use charioteer_engine::{
    Clock, Db, DiskOptions, Durability, Error, Outcome, repair_folder, restore_backup, verify_folder,
};
use tempfile::TempDir;

use crate::store::{
    KEYSPACES, compact, copy_of, files, fill, key, open, open_and_read, options, put, read, rows, value, write_files,
};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_folder_is_open_once_at_a_time() {
    let folder = folder();
    let db = open(folder.path()).unwrap();
    fill(&db, 0..3);
    let in_use = Error::InUse { path: folder.path().to_owned() };
    assert_eq!(open(folder.path()).map(drop), Err(in_use.clone()));
    assert_eq!(verify_folder(folder.path()).map(drop), Err(in_use.clone()));
    assert_eq!(repair_folder(folder.path(), true).map(drop), Err(in_use));
    fill(&db, 3..6);
    drop(db);
    assert_eq!(open_and_read(folder.path()), Ok([rows(0..6), rows(0..6)]));
}

#[test]
fn a_keyspace_that_is_still_held_keeps_no_folder_open_for_writing() {
    let folder = folder();
    let db = open(folder.path()).unwrap();
    let keyspace = db.keyspace("first").unwrap();
    let clone = db.clone();
    drop(db);
    put(&clone, &keyspace, "key", "value");
    drop((clone, keyspace));
    let db = open(folder.path()).unwrap();
    assert_eq!(db.get(&db.keyspace("first").unwrap(), b"key").unwrap().as_deref(), Some(&b"value"[..]));
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let folder = folder();
    fill(&open(folder.path()).unwrap(), 0..3);
    fs::write(folder.path().join("CHARIOTEER"), "charioteer store, format 2\n").unwrap();
    let before = files(folder.path());
    let newer = Error::NewerFormat { path: folder.path().to_owned(), found: 2, known: 1 };
    assert_eq!(open(folder.path()).map(drop), Err(newer.clone()));
    assert_eq!(verify_folder(folder.path()).map(drop), Err(newer.clone()));
    assert_eq!(repair_folder(folder.path(), true).map(drop), Err(newer));
    assert_eq!(files(folder.path()), before);
}

#[test]
fn a_folder_with_something_else_in_it_is_refused_and_left_alone() {
    let folder = folder();
    fs::write(folder.path().join("thesis.txt"), "my only copy").unwrap();
    assert!(matches!(open(folder.path()), Err(Error::NotAStore { .. })));
    assert!(matches!(verify_folder(folder.path()), Err(Error::NotAStore { .. })));
    assert!(matches!(repair_folder(folder.path(), true), Err(Error::NotAStore { .. })));
    assert_eq!(files(folder.path()).len(), 1);
}

#[test]
fn a_store_whose_making_was_interrupted_is_made_anew() {
    let folder = folder();
    for (left, text) in [("lock", ""), ("CHARIOTEER.part", "chari")] {
        fs::write(folder.path().join(left), text).unwrap();
    }
    fill(&open(folder.path()).unwrap(), 0..3);
    assert_eq!(open_and_read(folder.path()), Ok([rows(0..3), rows(0..3)]));
}

#[test]
fn a_backup_is_not_opened_as_a_store() {
    let folder = folder();
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
    let db = open(&data).unwrap();
    fill(&db, 0..3);
    db.backup(&backup).unwrap();
    let before = files(&backup);
    assert!(matches!(open(&backup), Err(Error::NotAStore { .. })));
    assert_eq!(files(&backup), before);
    restore_backup(&backup, folder.path().join("restored")).unwrap();
    assert_eq!(open_and_read(&folder.path().join("restored")), Ok([rows(0..3), rows(0..3)]));
}

#[test]
fn a_path_below_a_file_is_an_error_that_names_it() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "text").unwrap();
    let below = file.join("data");
    for path in [&file, &below] {
        let error = open(path).map(drop).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"text");
}

#[test]
fn a_folder_that_may_not_be_written_to_is_an_error_and_left_alone() {
    let folder = folder();
    let data = folder.path().join("data");
    fill(&open(&data).unwrap(), 0..3);
    let (before, mut permissions) = (files(&data), fs::metadata(&data).unwrap().permissions());
    permissions.set_readonly(true);
    for path in before.keys() {
        fs::set_permissions(data.join(path), permissions.clone()).unwrap();
    }
    if fs::OpenOptions::new().write(true).open(data.join("lock")).is_ok() {
        // Nothing is read-only to the superuser.
        assert_eq!(open_and_read(&data), Ok([rows(0..3), rows(0..3)]));
        return;
    }
    let error = open(&data).map(drop).unwrap_err();
    assert!(matches!(error, Error::Io { kind: std::io::ErrorKind::PermissionDenied, .. }), "{error}");
    assert_eq!(files(&data), before);
}

#[test]
fn rows_keyspaces_and_drops_are_kept_from_one_opening_to_the_next() {
    let folder = folder();
    for round in 0..5 {
        let db = open(folder.path()).unwrap();
        fill(&db, round * 10..(round + 1) * 10);
        let passing = db.keyspace(&format!("passing-{round}")).unwrap();
        put(&db, &passing, "round", &round.to_string());
        if round > 0 {
            db.drop_keyspace(&format!("passing-{}", round - 1)).unwrap();
        }
        if round % 2 == 0 {
            compact(&db);
        }
        drop((db, passing));

        let db = open(folder.path()).unwrap();
        assert_eq!(
            db.keyspace_names(),
            ["first", "passing-", "second"].map(|name| match name {
                "passing-" => format!("passing-{round}"),
                name => name.to_owned(),
            })
        );
        let passing = db.keyspace(&format!("passing-{round}")).unwrap();
        assert_eq!(db.get(&passing, b"round").unwrap().unwrap(), round.to_string());
        assert_eq!(read(&db), Ok([rows(0..(round + 1) * 10), rows(0..(round + 1) * 10)]));
    }
}

#[test]
fn a_store_opens_with_other_options_than_it_was_made_with() {
    let folder = folder();
    let small = DiskOptions { memtable_bytes: 4 << 10, cache_bytes: 64 << 10, ..options() };
    fill(&Db::open(folder.path(), small).unwrap(), 0..300);
    let synced = DiskOptions { durability: Durability::Fsync, ..DiskOptions::default() };
    let db = Db::open(folder.path(), synced).unwrap();
    fill(&db, 300..310);
    assert_eq!(read(&db), Ok([rows(0..310), rows(0..310)]));
}

#[test]
fn without_space_writes_are_refused_reads_go_on_and_nothing_is_lost() {
    let folder = folder();
    fill(&open(folder.path()).unwrap(), 0..20);
    let full = Db::open(folder.path(), DiskOptions { reserve_bytes: u64::MAX, ..options() }).unwrap();
    let keyspace = full.keyspace("first").unwrap();
    for attempt in 0..3 {
        let mut batch = charioteer_engine::Batch::new();
        batch.put(&keyspace, key(attempt), "another".into());
        let error = if attempt == 0 { full.commit(batch) } else { full.submit(batch).wait() }.unwrap_err();
        assert!(matches!(&error, Error::DiskFull { path, .. } if path == folder.path()), "{error}");
        assert!(error.is_retryable());
        assert_eq!(error.outcome(), Outcome::NotApplied);
    }
    assert_eq!(read(&full), Ok([rows(0..20), rows(0..20)]));
    drop((full, keyspace));

    let db = open(folder.path()).unwrap();
    assert_eq!(read(&db), Ok([rows(0..20), rows(0..20)]));
    fill(&db, 20..40);
    assert_eq!(read(&db), Ok([rows(0..40), rows(0..40)]));
}

#[test]
fn without_space_rows_can_still_be_deleted() {
    let folder = folder();
    fill(&open(folder.path()).unwrap(), 0..20);
    let disk = rustix::fs::statvfs(folder.path()).unwrap();
    // What is free is less than the reserve, and more than the quarter of it that deletions leave alone.
    let reserve_bytes = disk.f_bavail * disk.f_frsize * 2;
    let full = Db::open(folder.path(), DiskOptions { reserve_bytes, ..options() }).unwrap();
    let keyspace = full.keyspace("first").unwrap();
    let mut put = charioteer_engine::Batch::new();
    put.put(&keyspace, key(0), "another".into());
    assert!(matches!(full.commit(put), Err(Error::DiskFull { .. })));
    let mut delete = charioteer_engine::Batch::new();
    delete.delete(&keyspace, key(0));
    full.commit(delete).unwrap();
    let mut vital = charioteer_engine::Batch::new();
    vital.put(&keyspace, key(1), "another".into());
    vital.take_from_reserve();
    full.submit(vital).wait().unwrap();
    assert_eq!(full.get(&keyspace, &key(0)), Ok(None));
    assert_eq!(full.get(&keyspace, &key(1)).unwrap().as_deref(), Some(&b"another"[..]));
}

#[test]
fn without_space_tables_refuse_writes_too() {
    let folder = folder();
    let tables = Tables::open(open(folder.path()).unwrap(), Clock::system()).unwrap();
    tables.create(CreateTable::new("temp", 4)).unwrap();
    drop(tables);
    let full = Db::open(folder.path(), DiskOptions { reserve_bytes: u64::MAX, ..options() }).unwrap();
    let tables = Tables::open(full, Clock::system()).unwrap();
    let table = tables.table_by_name("temp").unwrap();
    let put = Put::new(raw_key(b"hash", b"sort"), "value".into(), 0);
    assert!(matches!(table.run(0, put), Err(Error::DiskFull { .. })));
    assert!(tables.create(CreateTable::new("other", 4)).is_err());
    assert!(tables.table_by_name("other").is_none(), "what could not be stored is not seen");
}

/// What a copy of the folder of an open store holds: what a process that is killed now leaves.
fn read_copy(store: &Path) -> Result<[crate::store::Rows; 2], Error> {
    let copy = folder();
    write_files(copy.path(), &copy_of(store));
    open_and_read(copy.path())
}

#[test]
fn what_was_flushed_or_synced_survives_that_the_process_is_killed() {
    for durability in [Durability::Flush, Durability::Fsync] {
        let folder = folder();
        let db = Db::open(folder.path(), DiskOptions { durability, ..options() }).unwrap();
        for count in 1..30 {
            fill(&db, count - 1..count);
            assert_eq!(read_copy(folder.path()), Ok([rows(0..count), rows(0..count)]), "{durability}");
        }
    }
}

#[test]
fn what_is_in_memory_survives_with_a_later_write_that_does_or_with_a_sync() {
    let folder = folder();
    let db = Db::open(folder.path(), DiskOptions { durability: Durability::Memory, ..options() }).unwrap();
    fill(&db, 0..10);
    let mut batch = charioteer_engine::Batch::new();
    for name in KEYSPACES {
        batch.put(&db.keyspace(name).unwrap(), key(10), value(10));
    }
    batch.set_durability(Durability::Flush);
    db.commit(batch).unwrap();
    assert_eq!(read_copy(folder.path()), Ok([rows(0..11), rows(0..11)]));

    fill(&db, 11..20);
    db.sync().unwrap();
    assert_eq!(read_copy(folder.path()), Ok([rows(0..20), rows(0..20)]));

    fill(&db, 20..30);
    drop(db);
    assert_eq!(open_and_read(folder.path()), Ok([rows(0..30), rows(0..30)]), "closing a store keeps everything");
}

#[test]
fn half_a_batch_that_was_not_acknowledged_is_passed_over_and_said() {
    let folder = folder();
    let db = open(folder.path()).unwrap();
    fill(&db, 0..10);
    let mut killed = copy_of(folder.path());
    fill(&db, 10..11);
    let further = copy_of(folder.path());
    // What a process leaves that is killed while it writes the last batch.
    let journal = Path::new("rows/0.jnl");
    let acknowledged = killed[journal].len();
    for end in acknowledged + 1..further[journal].len() {
        killed.insert(journal.to_owned(), further[journal][..end].to_owned());
        let copy = self::folder();
        write_files(copy.path(), &killed);
        let db = open(copy.path()).unwrap();
        let passed_over = db.passed_over().unwrap().to_owned();
        assert!(passed_over.contains(&format!("offset {acknowledged}")), "{passed_over}");
        assert_eq!(read(&db), Ok([rows(0..10), rows(0..10)]));
        fill(&db, 10..15);
        drop(db);
        let db = open(copy.path()).unwrap();
        assert_eq!(db.passed_over(), None);
        assert_eq!(read(&db), Ok([rows(0..15), rows(0..15)]));
    }
}
