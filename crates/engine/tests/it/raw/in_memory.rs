//! The suite on raw rows in memory.

#[path = "suite/mod.rs"]
mod suite;

use charioteer_engine::raw::RawStore;
use charioteer_engine::{Clock, Db};

/// A fresh store.
pub(crate) struct TestStore {
    pub(crate) store: RawStore,
    pub(crate) db: Db,
    pub(crate) clock: Clock,
}

impl TestStore {
    pub(crate) const MODEL_CASES: u32 = 256;

    pub(crate) fn new(clock: Clock) -> Self {
        let db = Db::memory();
        Self { store: RawStore::open(db.clone(), clock.clone()).unwrap(), db, clock }
    }

    /// Opens the rows again; the store they lie in stays open, since it would forget them.
    pub(crate) fn reopen(&mut self) {
        self.store = RawStore::open(self.db.clone(), self.clock.clone()).unwrap();
    }
}
