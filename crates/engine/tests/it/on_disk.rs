//! The suite on a store on disk.

#[path = "suite/mod.rs"]
mod suite;

use std::ops::Deref;
use std::path::Path;

use charioteer_engine::table::has_expired;
use charioteer_engine::{Clock, Db, DiskOptions, Durability};
use tempfile::TempDir;

/// A fresh store. What is flushed is enough: none of these tests stops the machine.
pub(crate) struct TestDb {
    pub(crate) db: Db,
    clock: Clock,
    folder: TempDir,
}

impl TestDb {
    /// Each makes a folder, and opens it several times.
    pub(crate) const MODEL_CASES: u32 = 24;

    pub(crate) fn new() -> Self {
        Self::with_clock(Clock::system())
    }

    pub(crate) fn with_clock(clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { db: open(folder.path(), &clock), clock, folder }
    }

    pub(crate) fn reopen(&mut self) {
        // The folder is free once nobody has the store any more.
        self.db = Db::memory();
        self.db = open(self.folder.path(), &self.clock);
    }
}

fn open(folder: &Path, clock: &Clock) -> Db {
    let options = DiskOptions {
        durability: Durability::Flush,
        expired: has_expired,
        clock: clock.clone(),
        ..DiskOptions::default()
    };
    Db::open(folder, options).unwrap()
}

impl Deref for TestDb {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}
