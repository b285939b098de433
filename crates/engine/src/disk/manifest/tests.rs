use std::collections::BTreeSet;

use fjall::{Database, Keyspace, KeyspaceCreateOptions};
use tempfile::TempDir;

use super::*;

fn open(folder: &Path) -> Database {
    Database::builder(folder).worker_threads(1).open().unwrap()
}

fn keyspace(db: &Database, name: &str) -> Keyspace {
    db.keyspace(name, KeyspaceCreateOptions::default).unwrap()
}

/// A store with the keyspaces 1 to 3, of which 2 was dropped, and the others have tables.
fn store() -> TempDir {
    let folder = store_with_older_manifests();
    // Opening clears away the manifests that are no longer current.
    drop(open(folder.path()));
    folder
}

fn store_with_older_manifests() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    for name in ["first", "dropped", "last"] {
        let rows = keyspace(&db, name);
        for table in 0..2_u8 {
            for row in 0..100_u8 {
                rows.insert([row, table], [row; 50]).unwrap();
            }
            rows.rotate_memtable_and_wait().unwrap();
        }
    }
    db.delete_keyspace(keyspace(&db, "dropped")).unwrap();
    drop(db);
    folder
}

fn files(folder: &Path, into: &mut BTreeSet<PathBuf>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else {
            into.insert(path);
        }
    }
}

/// The files of a store below `keyspaces` for which `wanted` holds.
fn files_of(store: &TempDir, wanted: impl Fn(&Path) -> bool) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    files(&store.path().join("keyspaces"), &mut found);
    found.retain(|path| wanted(path));
    assert!(!found.is_empty());
    found
}

fn is_table(path: &Path) -> bool {
    path.parent().is_some_and(|folder| folder.ends_with("tables"))
}

fn is_manifest(path: &Path) -> bool {
    !is_table(path)
}

fn keyspace_file(store: &TempDir, file: &str) -> PathBuf {
    store.path().join("keyspaces").join(file)
}

/// The path that a check complains of.
fn damaged(store: &TempDir) -> Option<PathBuf> {
    match check(store.path()) {
        Ok(_) => None,
        Err(Error::Damaged { path, .. }) => Some(path),
        Err(error) => panic!("{error}"),
    }
}

/// Runs a check for every `step`th byte of a file that is changed, and puts it right again.
fn with_bytes_changed(path: &Path, step: usize, mut check: impl FnMut(usize)) {
    let right = std::fs::read(path).unwrap();
    for position in (0..right.len()).step_by(step) {
        for mask in [0x01, 0xff] {
            let mut wrong = right.clone();
            wrong[position] ^= mask;
            std::fs::write(path, wrong).unwrap();
            check(position);
        }
    }
    std::fs::write(path, right).unwrap();
}

fn found_damage(store: &TempDir) -> Vec<(PathBuf, Damage)> {
    let mut found = Vec::new();
    let note = |path: &Path, _, damage: Option<Damage>| found.extend(damage.map(|damage| (path.to_owned(), damage)));
    verify_tables(store.path(), note).unwrap();
    found
}

#[test]
fn a_right_store_tells_the_names_of_its_keyspaces() {
    let store = store();
    let checked = check(store.path()).unwrap();
    let names: Vec<(u64, &str)> = checked.names.iter().map(|(id, name)| (*id, name.as_str())).collect();
    assert_eq!(names, [(1, "first"), (3, "last")]);
    assert_eq!(checked.missing, Vec::<String>::new());
    assert!(checked.highest_seqno.is_some_and(|seqno| (600..700).contains(&seqno)), "{checked:?}");
}

#[test]
fn the_names_of_many_keyspaces_are_those_fjall_opens() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    for number in 0..40 {
        let rows = keyspace(&db, &format!("keyspace {number}"));
        if number % 3 == 0 {
            db.delete_keyspace(rows).unwrap();
        }
    }
    let mut expected: Vec<String> = db.list_keyspace_names().iter().map(ToString::to_string).collect();
    expected.sort_unstable();
    drop(db);
    let mut names: Vec<String> = check(folder.path()).unwrap().names.into_values().collect();
    names.sort_unstable();
    assert_eq!(names.len(), 26);
    assert_eq!(names, expected);
}

#[test]
fn a_folder_without_a_store_is_right() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(check(folder.path()), Ok(Checked::default()));
    std::fs::create_dir(folder.path().join("keyspaces")).unwrap();
    assert_eq!(check(folder.path()), Ok(Checked::default()));
}

#[test]
fn a_changed_byte_anywhere_in_a_manifest_is_found() {
    let store = store();
    for path in files_of(&store, is_manifest) {
        with_bytes_changed(&path, 3, |position| {
            // A manifest's changed number names one that is not there.
            let named = damaged(&store).unwrap_or_else(|| panic!("{} at {position}", path.display()));
            assert_eq!(named.parent(), path.parent());
        });
    }
    assert_eq!(damaged(&store), None);
}

/// fjall opens it all the same, and deletes whatever is newer.
#[test]
fn an_older_manifest_is_not_taken_for_the_current_one() {
    let store = store_with_older_manifests();
    assert_eq!(damaged(&store), None);
    let (older, path) = (keyspace_file(&store, "0/v0"), keyspace_file(&store, "0/current"));
    let mut current = std::fs::read(&path).unwrap();
    assert!(older.exists() && current[0] > 0);
    current[..8].fill(0);
    std::fs::write(&path, &current).unwrap();
    assert_eq!(damaged(&store), Some(older));
}

#[test]
fn a_changed_byte_anywhere_in_a_table_of_names_is_found() {
    let store = store();
    let names = files_of(&store, |path| is_table(path) && path.starts_with(store.path().join("keyspaces/0")));
    for path in names {
        with_bytes_changed(&path, 31, |position| assert_eq!(damaged(&store).as_ref(), Some(&path), "{position}"));
    }
}

#[test]
fn a_changed_byte_anywhere_in_a_table_is_found_by_reading_all() {
    let store = store();
    assert_eq!(found_damage(&store), []);
    for path in files_of(&store, is_table) {
        with_bytes_changed(&path, 97, |position| {
            assert_eq!(found_damage(&store), [(path.clone(), Damage::Changed)], "{position}");
        });
    }
}

#[test]
fn reading_all_goes_on_after_damage_and_tells_every_file() {
    let store = store();
    let tables = files_of(&store, is_table);
    let (missing, changed) = (tables.first().unwrap(), tables.last().unwrap());
    std::fs::remove_file(missing).unwrap();
    std::fs::write(changed, "no table").unwrap();
    let mut found = Vec::new();
    verify_tables(store.path(), |path, bytes, damage| found.push((path.to_owned(), bytes, damage))).unwrap();
    assert_eq!(found.iter().map(|(path, ..)| path.clone()).collect::<BTreeSet<_>>(), tables);
    assert!(found.contains(&(missing.clone(), 0, Some(Damage::Missing))));
    assert!(found.contains(&(changed.clone(), 8, Some(Damage::Changed))));
    assert_eq!(found.iter().filter(|(_, bytes, damage)| damage.is_none() && *bytes > 1000).count(), tables.len() - 2);
}

#[test]
fn reading_all_goes_on_after_a_damaged_manifest() {
    let store = store();
    let current = keyspace_file(&store, "1/current");
    std::fs::write(&current, "").unwrap();
    let table =
        files_of(&store, |path| is_table(path) && path.starts_with(keyspace_file(&store, "3"))).pop_last().unwrap();
    std::fs::write(&table, "no table").unwrap();
    let found = found_damage(&store);
    assert!(matches!(&found[0], (path, Damage::Unreadable(Error::Damaged { .. })) if *path == current));
    assert_eq!(found[1..], [(table, Damage::Changed)]);
}

#[test]
fn a_table_that_is_missing_empty_or_too_short_is_damage() {
    let store = store();
    for path in files_of(&store, is_table) {
        let right = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(damaged(&store).as_ref(), Some(&path));
        for wrong in [&[][..], &right[..right.len() / 2], &right[..right.len() - 1], &vec![0; right.len()]] {
            std::fs::write(&path, wrong).unwrap();
            assert_eq!(damaged(&store).as_ref(), Some(&path));
        }
        std::fs::write(&path, right).unwrap();
    }
}

#[test]
fn a_keyspace_without_its_manifest_is_damage() {
    let store = store();
    for path in files_of(&store, is_manifest) {
        let right = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(damaged(&store).as_ref(), Some(&path));
        std::fs::write(&path, right).unwrap();
    }
}

#[test]
fn a_keyspace_that_has_a_name_but_no_folder_is_told() {
    let store = store();
    std::fs::remove_dir_all(keyspace_file(&store, "3")).unwrap();
    assert_eq!(check(store.path()).unwrap().missing, ["last"]);
}

#[test]
fn all_keyspaces_without_their_names_are_damage() {
    let store = store();
    std::fs::remove_dir_all(keyspace_file(&store, "0")).unwrap();
    assert_eq!(damaged(&store), Some(keyspace_file(&store, "0/current")));
}

#[test]
fn what_is_left_of_a_dropped_keyspace_is_no_damage() {
    let store = store();
    std::fs::create_dir_all(keyspace_file(&store, "2/tables")).unwrap();
    std::fs::write(keyspace_file(&store, "2/tables/0"), "half of a table").unwrap();
    assert_eq!(damaged(&store), None);
    assert_eq!(found_damage(&store), []);
}

#[test]
fn folders_that_fjall_would_stumble_over_are_damage() {
    for stray in ["lost+found", "01", "1/tables/7", "0/tables/lost+found"] {
        let store = store();
        std::fs::create_dir(keyspace_file(&store, stray)).unwrap();
        assert_eq!(damaged(&store), Some(keyspace_file(&store, stray)));
    }
}

#[test]
fn a_store_without_its_format_or_with_another_is_damage() {
    let store = store();
    let path = store.path().join("version");
    for wrong in ["", "FJL", "FJL\x02", "FJL\x03x"] {
        std::fs::write(&path, wrong).unwrap();
        assert_eq!(damaged(&store).as_ref(), Some(&path));
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(damaged(&store).as_ref(), Some(&path));
}

#[test]
fn checking_changes_nothing() {
    let store = store();
    let contents = || -> Vec<(PathBuf, Vec<u8>)> {
        files_of(&store, |_| true).into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    };
    let before = contents();
    check(store.path()).unwrap();
    verify_tables(store.path(), |_, _, _| {}).unwrap();
    assert_eq!(contents(), before);
}
