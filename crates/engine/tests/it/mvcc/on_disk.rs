//! The suite on transactions on disk.

#[path = "suite/mod.rs"]
mod suite;

use std::path::Path;

use charioteer_engine::mvcc::MvccStore;
use charioteer_engine::{Db, DiskOptions, Durability};
use tempfile::TempDir;

/// A fresh store. What is flushed is enough: none of these tests stops the machine.
pub(crate) struct TestStore {
    pub(crate) store: MvccStore,
    folder: TempDir,
}

impl TestStore {
    /// Each makes a folder, and opens it several times.
    pub(crate) const MODEL_CASES: u32 = 12;

    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        Self { store, folder }
    }

    pub(crate) fn reopen(&mut self) {
        // The folder is free once nobody has the store any more.
        self.store = MvccStore::open(Db::memory()).unwrap();
        self.store = open(self.folder.path());
    }
}

fn open(folder: &Path) -> MvccStore {
    let options = DiskOptions { durability: Durability::Flush, ..DiskOptions::default() };
    MvccStore::open(Db::open(folder, options).unwrap()).unwrap()
}
