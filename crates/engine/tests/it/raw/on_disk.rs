//! The suite on raw rows on disk.

#[path = "suite/mod.rs"]
mod suite;

use std::path::Path;

use charioteer_engine::raw::{RawStore, has_expired};
use charioteer_engine::{Clock, Db, DiskOptions, Durability};
use tempfile::TempDir;

/// A fresh store. What is flushed is enough: none of these tests stops the machine.
pub(crate) struct TestStore {
    pub(crate) store: RawStore,
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    folder: TempDir,
}

impl TestStore {
    /// Each makes a folder, and opens it several times.
    pub(crate) const MODEL_CASES: u32 = 24;

    pub(crate) fn new(clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = open(folder.path(), &clock);
        Self { store: RawStore::open(db.clone(), clock.clone()).unwrap(), db, clock, folder }
    }

    pub(crate) fn reopen(&mut self) {
        // The folder is free once nobody has the store any more.
        self.db = Db::memory();
        self.store = RawStore::open(Db::memory(), self.clock.clone()).unwrap();
        self.db = open(self.folder.path(), &self.clock);
        self.store = RawStore::open(self.db.clone(), self.clock.clone()).unwrap();
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
