//! The suite on transactions in memory.

#[path = "suite/mod.rs"]
mod suite;

use charioteer_engine::Db;
use charioteer_engine::mvcc::MvccStore;

/// A fresh store.
pub(crate) struct TestStore {
    pub(crate) store: MvccStore,
    db: Db,
}

impl TestStore {
    pub(crate) const MODEL_CASES: u32 = 96;

    pub(crate) fn new() -> Self {
        let db = Db::memory();
        Self { store: MvccStore::open(db.clone()).unwrap(), db }
    }

    /// Opens the versions again; the store they lie in stays open, since it would forget them.
    pub(crate) fn reopen(&mut self) {
        self.store = MvccStore::open(self.db.clone()).unwrap();
    }
}
