//! The suite on items in a store that could be on disk, and is in memory.

#[path = "suite/mod.rs"]
mod suite;

use std::ops::Deref;

use charioteer_engine::{Clock, Db};

use super::durable::Opened;

/// A fresh store of items.
pub(crate) struct TestItems {
    opened: Opened,
}

impl TestItems {
    pub(crate) const NOTES_READS: bool = false;

    pub(crate) const MODEL_CASES: u32 = 256;

    pub(crate) fn new(item_limit: usize, clock: Clock) -> Self {
        Self { opened: Opened::new(Db::memory(), item_limit, clock) }
    }
}

impl Deref for TestItems {
    type Target = Opened;

    fn deref(&self) -> &Opened {
        &self.opened
    }
}
