//! Copying what can still be read of damaged tables.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fjall::{Database, Guard, Iter, Keyspace, PersistMode, Readable};

use super::errors::fjall_error;
use super::folder::{remove_all, sync_folder};
use super::{DiskOptions, keyspace_options, manifest, open_database};
use crate::Error;

/// A damaged block gives one error, a damaged index gives them for ever.
const ERRORS_IN_A_ROW: u64 = 1000;

/// How much is written at a time.
const BYTES_PER_BATCH: usize = 4 << 20;

/// What could not be salvaged.
pub(super) struct Lost {
    /// The number of blocks that could not be read.
    pub(super) blocks: u64,
    /// Tables that could not even be opened, by their paths below the folder.
    pub(super) tables: BTreeSet<PathBuf>,
}

/// Copies all rows that can be read to a new place. The damaged tables are told by their paths below the folder. The folder is
/// not changed.
pub(super) fn copy_what_can_be_read(
    from: &Path,
    damaged: Vec<PathBuf>,
    to: &Path,
    options: &DiskOptions,
) -> Result<Lost, Error> {
    let work = from.with_extension("work");
    let (database, tables) = open_without_some(from, damaged, &work, options)?;
    let blocks = copy_all(&database, to, options)?;
    drop(database);
    remove_all(&work)?;
    Ok(Lost { blocks, tables })
}

/// Opens a copy of a folder without the tables that keep it from being opened.
fn open_without_some(
    from: &Path,
    damaged: Vec<PathBuf>,
    work: &Path,
    options: &DiskOptions,
) -> Result<(Database, BTreeSet<PathBuf>), Error> {
    let is_hopeless = |table: &PathBuf| !manifest::looks_whole(&from.join(table));
    let (left_out, others): (Vec<_>, Vec<_>) = damaged.into_iter().partition(is_hopeless);
    let (mut left_out, mut others) = (BTreeSet::from_iter(left_out), others.into_iter());
    loop {
        remove_all(work)?;
        link_all(from, work)?;
        manifest::leave_out(work, &left_out)?;
        match (open_database(work, options), others.next()) {
            (Ok(database), _) => return Ok((database, left_out)),
            (Err(Error::Damaged { .. }), Some(table)) => left_out.insert(table),
            (Err(error), _) => return Err(error),
        };
    }
}

fn copy_all(damaged: &Database, to: &Path, options: &DiskOptions) -> Result<u64, Error> {
    remove_all(to)?;
    let copy = open_database(to, options)?;
    let failed = |error| fjall_error("copying rows to", to, error);
    let mut unreadable = 0;
    for name in damaged.list_keyspace_names() {
        let source = damaged.keyspace(&name, || keyspace_options(options)).map_err(failed)?;
        let target = copy.keyspace(&name, || keyspace_options(options)).map_err(failed)?;
        unreadable += Copying { copy: &copy, target, failed: &failed }.all(&damaged.snapshot(), &source)?;
    }
    copy.persist(PersistMode::SyncAll).map_err(failed)?;
    drop(copy);
    sync_folder(&to.join("keyspaces"))?;
    sync_folder(to)?;
    Ok(unreadable)
}

/// Makes a second folder of the same files. Tables are never written to again, so that both can have the same; all others are
/// copied.
fn link_all(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to).map_err(|error| Error::io("making the folder", to, &error))?;
    let reading = |error| Error::io("reading the folder", from, &error);
    let are_tables = from.file_name().is_some_and(|name| name == "tables");
    for entry in fs::read_dir(from).map_err(reading)? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).map_err(reading)?;
        let copy = to.join(name);
        if path.is_dir() {
            link_all(&path, &copy)?;
        } else if !(are_tables && fs::hard_link(&path, &copy).is_ok()) {
            fs::copy(&path, &copy).map_err(|error| Error::io("copying", &path, &error))?;
        }
    }
    Ok(())
}

struct Copying<'a, F> {
    copy: &'a Database,
    target: Keyspace,
    failed: &'a F,
}

impl<F: Fn(fjall::Error) -> Error> Copying<'_, F> {
    fn all(&self, snapshot: &fjall::Snapshot, source: &Keyspace) -> Result<u64, Error> {
        let forward = self.copy_rows(snapshot.iter(source), Iter::next)?;
        // Behind damage that the one direction does not pass, the other may.
        let backward = if forward == 0 { 0 } else { self.copy_rows(snapshot.iter(source), Iter::next_back)? };
        Ok(forward.min(backward))
    }

    /// Copies rows until there are no more, or nothing but errors. Gives the number of errors.
    fn copy_rows(&self, mut rows: Iter, next: impl Fn(&mut Iter) -> Option<Guard>) -> Result<u64, Error> {
        let (mut errors, mut in_a_row, mut bytes) = (0, 0, 0);
        let mut batch = self.copy.batch();
        while let Some(row) = next(&mut rows) {
            let Ok((key, value)) = row.into_inner() else {
                (errors, in_a_row) = (errors + 1, in_a_row + 1);
                if in_a_row == ERRORS_IN_A_ROW {
                    break;
                }
                continue;
            };
            in_a_row = 0;
            bytes += key.len() + value.len();
            batch.insert(&self.target, key, value);
            if bytes > BYTES_PER_BATCH {
                bytes = 0;
                std::mem::replace(&mut batch, self.copy.batch()).commit().map_err(self.failed)?;
            }
        }
        batch.commit().map_err(self.failed)?;
        Ok(errors)
    }
}
