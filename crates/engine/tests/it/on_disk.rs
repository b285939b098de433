//! The suite on a store on disk.

#[path = "suite/mod.rs"]
mod suite;

use std::ops::Deref;

use charioteer_engine::table::has_expired;
use charioteer_engine::{Clock, Db, DiskOptions, Durability};
use tempfile::TempDir;

/// A fresh store. What is flushed is enough: none of these tests stops the machine.
pub(crate) struct TestDb {
    pub(crate) db: Db,
    _folder: TempDir,
}

impl TestDb {
    pub(crate) fn new() -> Self {
        Self::with_clock(Clock::system())
    }

    pub(crate) fn with_clock(clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options =
            DiskOptions { durability: Durability::Flush, expired: has_expired, clock, ..DiskOptions::default() };
        Self { db: Db::open(folder.path(), options).unwrap(), _folder: folder }
    }
}

impl Deref for TestDb {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}
