//! What a store must be able to do to be measured.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use crate::{Error, Row, Rows, write_until};

/// How safe a write is when it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Handed to the operating system.
    Flush,
    /// On the disk.
    Fsync,
}

/// What a scan has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// How many rows.
    pub rows: usize,
    /// How many bytes their values have.
    pub value_bytes: usize,
}

/// A store with one keyspace.
pub trait Store: Send + Sync + Sized {
    /// Makes a store in a folder that is not there yet.
    ///
    /// # Errors
    /// What the store gives, as everywhere here.
    fn make(folder: &Path) -> Result<Self, Error>;

    /// Writes one row, which is a commit of its own.
    fn put(&self, row: Row, level: Level) -> Result<(), Error>;

    /// Writes rows in one commit, handed to the operating system.
    fn put_all(&self, rows: impl Iterator<Item = Row>) -> Result<(), Error>;

    /// How long the value of a key is.
    fn get(&self, key: &[u8]) -> Result<Option<usize>, Error>;

    /// Walks the rows from `first` to `last`, both included, and looks at their values.
    fn scan(&self, first: &[u8], last: &[u8]) -> Result<Scanned, Error>;

    /// Walks the same rows from `last` to `first`.
    fn scan_back(&self, first: &[u8], last: &[u8]) -> Result<Scanned, Error>;

    /// Has so many writers put rows, each one after the other and on the disk, until the time has come; says how many
    /// rows they put.
    fn put_together(&self, writers: usize, rows: &Arc<Rows>, until: Instant) -> Result<u64, Error> {
        thread::scope(|scope| {
            let write = |writer| move || write_until(until, rows, writer, |row| self.put(row, Level::Fsync));
            let writers: Vec<_> = (0..writers).map(|writer| scope.spawn(write(writer))).collect();
            writers.into_iter().map(|writer| writer.join().map_err(|_| "a writer panicked")?).sum()
        })
    }
}
