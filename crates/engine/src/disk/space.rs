//! Free space: a store that runs into the end of its disk stops in the middle of a write, so it stops before.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::statvfs;

use crate::Error;

/// How long an answer of the operating system is believed, as long as little is written.
const BELIEVED_FOR: Duration = Duration::from_millis(200);

/// Compaction writes new tables beside the old ones: so much of all tables, and no more than that many bytes, stays free for
/// it besides the reserve. A compaction that runs out of space stops the store.
const SHARE_OF_TABLES: u64 = 4;
const MOST_FOR_TABLES: u64 = 1 << 30;

/// What deletions take from the reserve leaves so much of it, for tables that are being written.
const SHARE_OF_RESERVE: u64 = 4;

/// How much may be written on an answer, in bytes.
const BELIEVED_BYTES: usize = 8 << 20;

/// Looks after the free space under a folder.
pub(super) struct Space {
    path: PathBuf,
    reserve: u64,
    asked: Option<Instant>,
    written: usize,
}

impl Space {
    pub(super) const fn new(path: PathBuf, reserve: u64) -> Self {
        Self { path, reserve, asked: None, written: 0 }
    }

    #[cfg(test)]
    pub(super) fn pretend_full(&mut self, is_full: bool) {
        (self.reserve, self.asked) = (if is_full { u64::MAX } else { 0 }, None);
    }

    /// Refuses a write that would take from the reserve, or from what compaction needs of tables of so many bytes.
    pub(super) fn check(&mut self, byte_count: usize, tables: impl Fn() -> u64) -> Result<(), Error> {
        self.written += byte_count;
        let is_known = self.asked.is_some_and(|asked| asked.elapsed() < BELIEVED_FOR);
        if is_known && self.written < BELIEVED_BYTES {
            return Ok(());
        }
        // Asked again for the next write if there is none, so that it is taken as soon as there is space.
        self.asked = None;
        let reserve = self.reserve.saturating_add((tables() / SHARE_OF_TABLES).min(MOST_FOR_TABLES));
        check_space(&self.path, byte_count as u64, reserve)?;
        (self.asked, self.written) = (Some(Instant::now()), byte_count);
        Ok(())
    }

    /// Refuses a write that frees space, or without which nothing could be freed, only when most of the reserve is gone too.
    pub(super) fn check_reserve(&mut self, byte_count: usize) -> Result<(), Error> {
        self.written += byte_count;
        if self.asked.is_some_and(|asked| asked.elapsed() < BELIEVED_FOR) && self.written < BELIEVED_BYTES {
            return Ok(());
        }
        check_space(&self.path, byte_count as u64, self.reserve / SHARE_OF_RESERVE)
    }
}

/// Whether so many bytes can be written under a folder without taking from the reserve.
pub(super) fn check_space(path: &Path, byte_count: u64, reserve: u64) -> Result<(), Error> {
    let Ok(disk) = statvfs(path) else {
        // A file system that does not say how much is free is no reason to write nothing.
        return Ok(());
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < reserve.saturating_add(byte_count) {
        return Err(Error::DiskFull { path: path.to_owned(), free, reserve });
    }
    Ok(())
}
