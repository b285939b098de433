//! Files that are not what was written: told at opening or at reading, never a wrong row, never a row less without a word.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use charioteer_engine::{Error, repair_folder, verify_folder};
use tempfile::TempDir;

use crate::store::{
    Files, Rows, compact, copy_of, files, fill, is_journal, is_table, key, open, open_and_read, read, rows, write_files,
};

/// Rows in tables, and rows that are only in the journal.
const IN_TABLES: u32 = 60;
const ALL: u32 = 75;

/// A store, closed in order or copied while it was open, as a process that is killed leaves it.
#[derive(Debug, Clone, Copy)]
enum Left {
    Closed,
    Killed,
}

/// The files of a store with rows in tables and in its journal.
fn store(left: Left, in_tables: u32, all: u32) -> Files {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path()).unwrap();
    fill(&db, 0..in_tables);
    compact(&db);
    fill(&db, in_tables..all);
    let killed = copy_of(folder.path());
    drop(db);
    match left {
        Left::Closed => copy_of(folder.path()),
        Left::Killed => killed,
    }
}

/// A folder with files that can be damaged one after the other.
struct Case {
    folder: TempDir,
    whole: Files,
}

impl Case {
    fn new(whole: Files) -> Self {
        // Thousands of these are made, which is quick in memory.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        write_files(folder.path(), &whole);
        Self { folder, whole }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts other bytes in place of a file, or nothing.
    fn replace(&self, file: &Path, bytes: Option<&[u8]>) {
        let path = self.path().join(file);
        match bytes {
            Some(bytes) => fs::write(path, bytes).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
    }

    /// Makes the folder what it was at first.
    fn heal(&self) {
        for entry in fs::read_dir(self.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        write_files(self.path(), &self.whole);
    }

    /// The folder is refused, was not changed, and is reported.
    fn is_refused(&self, what: &str) -> Error {
        let before = files(self.path());
        let error = open(self.path()).map(drop).expect_err(what);
        assert!(matches!(error, Error::Damaged { .. }), "{what}: {error}");
        let verified = verify_folder(self.path()).unwrap();
        assert!(verified.damage.contains(&error), "{what}: {error}, but verified {verified:?}");
        assert_eq!(files(self.path()), before, "{what}: {error}, and the folder was changed");
        error
    }
}

/// The only file of that kind, and what is in it.
fn only(files: &Files, is_wanted: impl Fn(&Path) -> bool) -> (PathBuf, Vec<u8>) {
    let mut wanted = files.iter().filter(|(path, _)| is_wanted(path));
    let (path, bytes) = wanted.next().unwrap();
    assert_eq!(wanted.next(), None);
    (path.clone(), bytes.clone())
}

fn flipped(bytes: &[u8], at: usize, mask: u8) -> Vec<u8> {
    let mut bytes = bytes.to_owned();
    bytes[at] ^= mask;
    bytes
}

/// Flips bytes of the journal all over; each is told with its place, or does not matter.
fn flip_journal(left: Left) {
    let case = Case::new(store(left, 8, 24));
    let (journal, bytes) = only(&case.whole, is_journal);
    let mut harmless = 0;
    for at in (0..bytes.len()).step_by(5) {
        for mask in [0xff, 0x01] {
            case.replace(&journal, Some(&flipped(&bytes, at, mask)));
            match open_and_read(case.path()) {
                Ok(found) => {
                    assert_eq!(found, [rows(0..24), rows(0..24)], "{left:?}: {at} with {mask:x}");
                    harmless += 1;
                    case.heal();
                }
                Err(_) => {
                    let error = case.is_refused(&format!("{left:?}: {at} with {mask:x}"));
                    let Error::Damaged { path, offset: Some(offset), .. } = &error else { panic!("{error:?}") };
                    assert_eq!(*path, case.path().join(&journal));
                    // In the same batch or, if it is a number that does not fit its neighbours', in the one beside it.
                    assert!(offset.abs_diff(at as u64) < 200, "{at} with {mask:x}: {error}");
                }
            }
        }
    }
    // A sequence number that still fits between its neighbours' says the same.
    assert!(harmless * 50 < bytes.len(), "{harmless} flips of {} bytes went unnoticed", bytes.len());
}

#[test]
fn a_flipped_byte_in_the_journal_of_a_closed_store_is_told_with_its_place() {
    flip_journal(Left::Closed);
}

#[test]
fn a_flipped_byte_in_the_journal_of_a_killed_store_is_told_with_its_place() {
    flip_journal(Left::Killed);
}

/// Flips bytes of a table, each in a store of its own; each is told, or does not matter, and costs nothing but itself.
fn flip_table(positions: impl Iterator<Item = usize>) {
    let case = Case::new(store(Left::Closed, IN_TABLES, ALL));
    let (table, bytes) = case.whole.iter().find(|(path, _)| is_table(path)).unwrap();
    for at in positions.take_while(|at| *at < bytes.len()) {
        let mask = if at.is_multiple_of(10) { 0xff } else { 0x01 };
        case.replace(table, Some(&flipped(bytes, at, mask)));
        let opened = open(case.path());
        if let Err(error) = &opened {
            let path = case.path().join(table);
            assert!(
                matches!(error, Error::Damaged { path: named, .. } if *named == path),
                "{at} with {mask:x}: {error}"
            );
        }
        match opened.and_then(|db| read(&db)) {
            Ok(found) => assert_eq!(found, [rows(0..ALL), rows(0..ALL)], "{at} with {mask:x}"),
            Err(error) => {
                assert!(matches!(error, Error::Damaged { .. }), "{at} with {mask:x}: {error}");
                let verified = verify_folder(case.path()).unwrap();
                assert!(!verified.damage.is_empty(), "{at} with {mask:x}: {error}, but verified as whole");
                case.replace(table, Some(bytes));
                let found = open_and_read(case.path());
                assert_eq!(found, Ok([rows(0..ALL), rows(0..ALL)]), "{at} with {mask:x}: {error}, and more was lost");
            }
        }
        case.heal();
    }
}

#[test]
fn a_flipped_byte_in_a_table_is_told_and_loses_nothing_else() {
    thread::scope(|threads| {
        for first in [0, 5] {
            threads.spawn(move || flip_table((first..).step_by(10)));
        }
    });
}

/// Every file that matters.
fn is_needed(file: &Path) -> bool {
    let name = file.file_name().unwrap().to_str().unwrap();
    is_journal(file) || is_table(file) || matches!(name, "acknowledged" | "version" | "current")
}

#[test]
fn files_that_are_missing_cut_or_emptied_are_refused() {
    let case = Case::new(store(Left::Closed, IN_TABLES, ALL));
    for (file, bytes) in case.whole.iter().filter(|(file, _)| is_needed(file)) {
        let half = if file.ends_with("acknowledged") { 100 } else { bytes.len() / 2 };
        for damaged in [None, Some(&bytes[..half]), Some(&[][..])] {
            case.replace(file, damaged);
            case.is_refused(&format!("{} with {:?} bytes", file.display(), damaged.map(<[u8]>::len)));
            case.replace(file, Some(bytes));
        }
    }
    assert_eq!(open_and_read(case.path()), Ok([rows(0..ALL), rows(0..ALL)]));
}

#[test]
fn folders_that_are_missing_are_refused() {
    for left in [Left::Closed, Left::Killed] {
        let case = Case::new(store(left, IN_TABLES, ALL));
        let keyspaces = fs::read_dir(case.path().join("rows/keyspaces")).unwrap();
        let mut missing: Vec<_> = keyspaces.map(|entry| entry.unwrap().path()).collect();
        missing.extend([case.path().join("rows/keyspaces"), case.path().join("rows")]);
        for folder in missing {
            fs::remove_dir_all(&folder).unwrap();
            case.is_refused(&format!("{left:?} without {}", folder.display()));
            case.heal();
        }
    }
}

#[test]
fn a_keyspace_that_was_just_made_is_missed_when_its_folder_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path()).unwrap();
    for number in 0..4 {
        let made = copy_of(folder.path());
        db.keyspace(&format!("made-{number}")).unwrap();
        let mut without = copy_of(folder.path());
        // What fjall has of the keyspace, apart from its name.
        let newest = without.keys().find(|path| path.ends_with("current") && !made.contains_key(*path)).cloned();
        let newest = newest.unwrap().parent().unwrap().to_owned();
        without.retain(|path, _| !path.starts_with(&newest));
        Case::new(without).is_refused(&format!("without {}", newest.display()));
    }
}

#[test]
fn a_journal_that_was_cut_anywhere_behind_what_was_acknowledged_is_refused() {
    let case = Case::new(store(Left::Closed, 2, 12));
    let (journal, bytes) = only(&case.whole, is_journal);
    for end in 0..bytes.len() {
        case.replace(&journal, Some(&bytes[..end]));
        case.is_refused(&format!("cut at {end} of {}", bytes.len()));
    }
}

#[test]
fn a_lock_that_a_copy_left_out_is_made_again() {
    let case = Case::new(store(Left::Closed, IN_TABLES, ALL));
    for lock in ["lock", "rows/lock"] {
        case.replace(Path::new(lock), None);
        assert_eq!(open_and_read(case.path()), Ok([rows(0..ALL), rows(0..ALL)]), "without {lock}");
    }
}

#[test]
fn a_marker_that_cannot_be_read_is_refused() {
    let case = Case::new(store(Left::Closed, 2, 4));
    let marker = Path::new("CHARIOTEER");
    for at in 0..case.whole[marker].len() {
        case.replace(marker, Some(&flipped(&case.whole[marker], at, 0x80)));
        let before = files(case.path());
        assert!(matches!(open(case.path()), Err(Error::Damaged { .. })), "{at}");
        assert_eq!(files(case.path()), before);
    }
}

/// Repairs, and checks what is said before and done then. Gives the rows that are left.
fn repaired(case: &Case) -> [Rows; 2] {
    let before = files(case.path());
    let told = repair_folder(case.path(), false).unwrap();
    assert_eq!(files(case.path()), before, "without being told to, it changes nothing");
    let done = repair_folder(case.path(), true).unwrap();
    assert!(done.steps.starts_with(&told.steps), "{told:?}, {done:?}");
    let left = open_and_read(case.path()).unwrap();
    assert!(verify_folder(case.path()).unwrap().damage.is_empty());

    let db = open(case.path()).unwrap();
    fill(&db, ALL..ALL + 10);
    drop(db);
    let mut expected = left.clone();
    expected.iter_mut().for_each(|rows_then| rows_then.extend(rows(ALL..ALL + 10)));
    assert_eq!(open_and_read(case.path()), Ok(expected), "what was written after the repair");
    left
}

#[test]
fn repair_loses_the_batch_that_is_damaged_and_no_other() {
    let case = Case::new(store(Left::Closed, IN_TABLES, ALL));
    let (journal, bytes) = only(&case.whole, is_journal);
    for number in [IN_TABLES, ALL - 8, ALL - 1] {
        let key = key(number);
        let at = bytes.windows(key.len()).position(|window| window == key).unwrap();
        case.replace(&journal, Some(&flipped(&bytes, at, 0xff)));
        let mut expected = rows(0..ALL);
        expected.remove(&key);
        assert_eq!(repaired(&case), [expected.clone(), expected], "without {number}");
        case.heal();
    }
}

#[test]
fn repair_without_a_journal_keeps_what_is_in_tables() {
    for bytes in [None, Some(&[][..])] {
        let case = Case::new(store(Left::Closed, IN_TABLES, ALL));
        let (journal, _) = only(&case.whole, is_journal);
        case.replace(&journal, bytes);
        assert_eq!(repaired(&case), [rows(0..IN_TABLES), rows(0..IN_TABLES)]);
    }
}

#[test]
fn repair_without_the_marks_keeps_everything() {
    let case = Case::new(store(Left::Closed, IN_TABLES, ALL));
    case.replace(Path::new("acknowledged"), None);
    assert_eq!(repaired(&case), [rows(0..ALL), rows(0..ALL)]);
}

#[test]
fn repair_loses_the_rows_of_a_damaged_block_and_no_others() {
    let many = 400;
    let case = Case::new(store(Left::Closed, many, many));
    let (table, bytes) = case.whole.iter().find(|(path, _)| is_table(path)).unwrap();
    case.replace(table, Some(&flipped(bytes, 500, 0xff)));
    let left = repaired(&case);
    let [fewer, all] = if left[0].len() < left[1].len() { [&left[0], &left[1]] } else { [&left[1], &left[0]] };
    assert_eq!(*all, rows(0..many), "the other keyspace is not touched");
    assert!(fewer.len() > 200, "{} rows are left of {many}, which are in several blocks", fewer.len());
    assert!(fewer.iter().all(|(key, value)| all.get(key) == Some(value)));
}

#[test]
fn repair_goes_on_without_a_table_that_cannot_be_opened() {
    let case = Case::new(store(Left::Closed, IN_TABLES, ALL));
    let (table, bytes) = case.whole.iter().find(|(path, _)| is_table(path)).unwrap();
    let mut cases = vec![None, Some(bytes[..bytes.len() / 2].to_vec()), Some(Vec::new())];
    cases.extend((0..bytes.len()).step_by(50).map(|at| Some(flipped(bytes, at, 0xff))));
    let mut repairs = 0;
    for damaged in cases {
        case.replace(table, damaged.as_deref());
        if open(case.path()).is_err() {
            // The journal still has the rows that were only in it besides.
            assert_eq!(repaired(&case), [rows(0..ALL), rows(0..ALL)]);
            repairs += 1;
        }
        case.heal();
    }
    assert!(repairs > 6, "{repairs}");
}

#[test]
fn repair_of_a_table_and_the_journal_keeps_the_other_tables() {
    let case = Case::new(store(Left::Closed, IN_TABLES, ALL));
    let (journal, _) = only(&case.whole, is_journal);
    let (table, bytes) = case.whole.iter().find(|(path, _)| is_table(path)).unwrap();
    case.replace(&journal, Some(&[]));
    case.replace(table, Some(&bytes[..bytes.len() - 1]));
    assert_eq!(repaired(&case), [Rows::new(), rows(0..IN_TABLES)]);
}

#[test]
fn repair_without_the_marks_passes_over_no_fault_of_the_journal() {
    let case = Case::new(store(Left::Closed, IN_TABLES, ALL));
    let (journal, bytes) = only(&case.whole, is_journal);
    let key = key(ALL - 8);
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap();
    case.replace(&journal, Some(&flipped(&bytes, at, 0xff)));
    case.replace(Path::new("acknowledged"), None);
    let mut expected = rows(0..ALL);
    expected.remove(&key);
    assert_eq!(repaired(&case), [expected.clone(), expected]);
}

#[test]
fn repair_keeps_the_damaged_files_as_they_were() {
    let case = Case::new(store(Left::Closed, IN_TABLES, ALL));
    let (table, bytes) = case.whole.iter().find(|(path, _)| is_table(path)).unwrap();
    case.replace(table, Some(&bytes[..bytes.len() / 2]));
    let before = files(&case.path().join("rows"));
    let kept = repair_folder(case.path(), true).unwrap().kept_in.unwrap();
    assert_eq!(files(&kept.join("rows")), before);
}

#[test]
fn what_only_a_backup_replaces_is_not_repaired_and_left_alone() {
    let case = Case::new(store(Left::Closed, IN_TABLES, ALL));
    let names = |file: &Path| file.starts_with("rows/keyspaces/0/tables");
    for (file, bytes) in case.whole.iter().filter(|(file, _)| names(file) || file.ends_with("current")) {
        for marks in [Some(&case.whole[Path::new("acknowledged")][..]), None] {
            case.replace(file, Some(&bytes[..bytes.len() / 2]));
            case.replace(Path::new("acknowledged"), marks);
            let rows_before = files(&case.path().join("rows"));
            let refused = repair_folder(case.path(), true);
            assert!(matches!(refused, Err(Error::Damaged { .. })), "{}: {refused:?}", file.display());
            assert_eq!(files(&case.path().join("rows")), rows_before, "{}", file.display());
            case.heal();
        }
    }
}

#[test]
fn a_repair_that_was_interrupted_is_finished_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), &store(Left::Closed, 50, 60));
    // The damaged rows are aside, the others not yet in their place.
    fs::rename(folder.path().join("rows"), folder.path().join("rows.part")).unwrap();
    assert!(matches!(open(folder.path()), Err(Error::Damaged { .. })));
    assert_eq!(repair_folder(folder.path(), false).unwrap().steps.len(), 1);
    assert!(folder.path().join("rows.part").is_dir());
    repair_folder(folder.path(), true).unwrap();
    assert_eq!(open_and_read(folder.path()), Ok([rows(0..60), rows(0..60)]));
}
