//! The suite on items in a store on disk.

#[path = "suite/mod.rs"]
mod suite;

use std::ops::Deref;

use charioteer_engine::{Clock, Db, DiskOptions, Durability, cache};
use tempfile::TempDir;

use super::durable::Opened;

/// A fresh store of items. What is flushed is enough: none of these tests stops the machine.
pub(crate) struct TestItems {
    opened: Opened,
    _folder: TempDir,
}

impl TestItems {
    pub(crate) const NOTES_READS: bool = false;

    /// Each makes a folder.
    pub(crate) const MODEL_CASES: u32 = 24;

    pub(crate) fn new(item_limit: usize, clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = DiskOptions {
            durability: Durability::Flush,
            expired: cache::has_expired,
            clock: clock.clone(),
            ..DiskOptions::default()
        };
        let db = Db::open(folder.path(), options).unwrap();
        Self { opened: Opened::new(db, item_limit, clock), _folder: folder }
    }
}

impl Deref for TestItems {
    type Target = Opened;

    fn deref(&self) -> &Opened {
        &self.opened
    }
}
