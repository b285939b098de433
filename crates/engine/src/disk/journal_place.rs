//! Where in which journal the next batch goes, kept without asking for it each time; and that journals stay short.

use std::fs::{self, DirEntry};
use std::mem;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fjall::Database;

use super::errors::fjall_error;
use super::keyspace::{DiskKeyspace, Keyspaces};
use super::pace::wait_for_workers;
use crate::Error;

/// fjall goes over to a new journal only when the current one is longer than 64,000,000 bytes.
const STAYS_BELOW: u64 = 60_000_000;

/// Each time that so much more is in the current journal, whatever is only there is written to table files: opening replays
/// what is not, at about a second for a million rows. The second time, fjall goes over to a new journal.
const CLOSE_EVERY: u64 = 32 << 20;

/// How many memtables wait to be written at a time.
const FLUSHES_AT_ONCE: usize = 8;

/// The current journal, and two that are being written to tables.
const MAX_JOURNALS: usize = 3;

/// What a batch takes besides its changes.
const START_AND_END_BYTES: u64 = 26;

/// The current journal.
pub(super) struct JournalPlace {
    /// fjall's folder.
    folder: PathBuf,
    id: u64,
    /// How long it is, in bytes, or a little more.
    position: u64,
    /// How much the last batch took.
    last_batch: u64,
    /// Whether it was begun just now.
    is_fresh: bool,
    /// How long it may become before it is seen to that it can be closed.
    limit: u64,
    /// Keyspaces whose memtables are to be closed for that.
    to_close: Vec<Arc<DiskKeyspace>>,
}

impl JournalPlace {
    pub(super) fn new(folder: PathBuf, position: u64) -> Result<Self, Error> {
        let id = latest(&folder)?;
        Ok(Self { folder, id, position, last_batch: 0, is_fresh: false, limit: CLOSE_EVERY, to_close: Vec::new() })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes note of a batch of so many bytes, which the journal puts between a start and an end.
    pub(super) const fn wrote(&mut self, byte_count: usize) {
        self.last_batch = byte_count as u64 + START_AND_END_BYTES;
        self.position += self.last_batch;
    }

    /// Waits until closed journals have gone to tables, if there are too many: opening would have to write them all.
    pub(super) fn keep_few(&mut self, db: &Database) -> Result<(), Error> {
        if !mem::take(&mut self.is_fresh) {
            return Ok(());
        }
        wait_for_workers(db, || db.journal_count() <= MAX_JOURNALS)
    }

    /// The number of the current journal.
    pub(super) fn id(&mut self) -> Result<u64, Error> {
        if self.position >= STAYS_BELOW {
            let id = latest(&self.folder)?;
            if id != self.id {
                // The last batch may be in it already.
                (self.id, self.position, self.limit) = (id, self.last_batch, CLOSE_EVERY);
                self.is_fresh = true;
            }
        }
        Ok(self.id)
    }

    /// Whether nothing has been written to it.
    pub(super) const fn is_empty(&self) -> bool {
        self.position == 0
    }

    pub(super) fn path(&mut self) -> Result<PathBuf, Error> {
        let id = self.id()?;
        Ok(self.folder.join(format!("{id}.jnl")))
    }

    /// A journal can go once every keyspace has in table files what it has of it. A keyspace that is seldom written would
    /// hold it for ever, so that the memtables of all are closed, some with each batch: fjall's workers stop for ever when
    /// they are given too much at once.
    pub(super) fn keep_short(&mut self, keyspaces: &Keyspaces, db: &Database) -> Result<(), Error> {
        if self.position >= self.limit {
            self.limit = self.position + CLOSE_EVERY;
            self.to_close = keyspaces.all();
        }
        while !self.to_close.is_empty() && db.outstanding_flushes() < FLUSHES_AT_ONCE {
            let Some(keyspace) = self.to_close.pop() else { break };
            let rotated = keyspace.handle().rotate_memtable();
            rotated.map_err(|error| fjall_error("closing a memtable of", &self.folder, error))?;
        }
        Ok(())
    }
}

/// What all journals take on the disk, in bytes: their ends are sparse, so that it is less than their lengths.
pub(super) fn bytes_of_journals(folder: &Path) -> u64 {
    let blocks =
        |entry: DirEntry| number_of(&entry).and_then(|_| entry.metadata().ok()).map_or(0, |file| file.blocks());
    fs::read_dir(folder).into_iter().flatten().flatten().map(blocks).sum::<u64>() * 512
}

fn latest(folder: &Path) -> Result<u64, Error> {
    let entries = fs::read_dir(folder).map_err(|error| Error::io("looking for journals in", folder, &error))?;
    Ok(entries.flatten().filter_map(|entry| number_of(&entry)).max().unwrap_or(0))
}

fn number_of(entry: &DirEntry) -> Option<u64> {
    entry.file_name().to_str()?.strip_suffix(".jnl")?.parse().ok()
}
