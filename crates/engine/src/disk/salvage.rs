//! Copying what can still be read of damaged tables.

use std::path::Path;

use fjall::{Guard, Iter, Keyspace, PersistMode, Readable};

use super::errors::fjall_error;
use super::folder::{remove_all, sync_folder};
use super::{DiskOptions, keyspace_options, open_database};
use crate::Error;

/// A damaged block gives one error, a damaged index gives them for ever.
const ERRORS_IN_A_ROW: u64 = 1000;

/// How many rows are written at a time.
const ROWS_PER_BATCH: usize = 1000;

/// Copies all rows that can be read to a new place. Gives the number of blocks that could not be read.
pub(super) fn copy_what_can_be_read(from: &Path, to: &Path, options: &DiskOptions) -> Result<u64, Error> {
    remove_all(to)?;
    let (damaged, copy) = (open_database(from, options)?, open_database(to, options)?);
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

struct Copying<'a, F> {
    copy: &'a fjall::Database,
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
        let (mut errors, mut in_a_row) = (0, 0);
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
            batch.insert(&self.target, key, value);
            if batch.len() == ROWS_PER_BATCH {
                std::mem::replace(&mut batch, self.copy.batch()).commit().map_err(self.failed)?;
            }
        }
        batch.commit().map_err(self.failed)?;
        Ok(errors)
    }
}
