//! The suite on a store in memory.

#[path = "suite/mod.rs"]
mod suite;

use std::ops::Deref;

use charioteer_engine::{Clock, Db};

/// A fresh store.
pub(crate) struct TestDb {
    pub(crate) db: Db,
}

impl TestDb {
    pub(crate) const MODEL_CASES: u32 = 256;

    pub(crate) fn new() -> Self {
        Self::with_clock(Clock::system())
    }

    pub(crate) fn with_clock(_: Clock) -> Self {
        Self { db: Db::memory() }
    }

    /// There is nothing to open again.
    pub(crate) const fn reopen(&mut self) {}
}

impl Deref for TestDb {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}
