//! Items with a clock that stands still, in a fresh store of the kind that the suite is run on.

use std::time::Duration;

use bytes::Bytes;
use charioteer_engine::Clock;
use charioteer_engine::cache::{
    Arithmetic, ArithmeticReply, Computed, DEFAULT_ITEM_LIMIT, Delete, DeleteReply, Expiry, Hit, Operation, Read,
    Store, StoreReply, Stored,
};

use super::super::TestItems;

/// The second at which every test starts.
pub(crate) const START: u32 = 1_700_000_000;

/// How often two reads find that the same item has died: where reads write nothing, the dead stay where they are.
pub(crate) const DEATHS_IN_TWO_READS: u64 = if TestItems::NOTES_READS { 1 } else { 2 };

pub(crate) struct Fixture {
    pub(crate) items: TestItems,
    clock: Clock,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with_limit(DEFAULT_ITEM_LIMIT)
    }

    pub(crate) fn with_limit(item_limit: usize) -> Self {
        let clock = Clock::stopped_at(Duration::from_secs(START.into()));
        Self { items: TestItems::new(item_limit, clock.clone()), clock }
    }

    pub(crate) fn advance(&self, seconds: u32) {
        self.clock.advance(Duration::from_secs(seconds.into()));
    }

    pub(crate) fn run<O: Operation>(&self, key: &str, operation: O) -> O::Reply {
        self.items.run(key.as_bytes(), operation)
    }

    /// Sets a value that does not expire; its CAS id.
    pub(crate) fn set(&self, key: &str, value: &str) -> u64 {
        self.set_until(key, value, Expiry::NEVER)
    }

    pub(crate) fn set_until(&self, key: &str, value: &str, expiry: Expiry) -> u64 {
        stored(self.run(key, Store::set(bytes(value), 0, expiry))).cas
    }

    pub(crate) fn get(&self, key: &str) -> Option<String> {
        text(self.run(key, Read::get())?)
    }

    /// Reads as one who can be told to make a new value.
    pub(crate) fn read(&self, key: &str) -> Option<Hit> {
        self.run(key, Read::meta_get())
    }

    /// What there is of the item, without leaving a trace.
    pub(crate) fn peek(&self, key: &str) -> Option<Hit> {
        let mut read = Read::get();
        read.bump = false;
        self.run(key, read)
    }

    pub(crate) fn delete(&self, key: &str) -> DeleteReply {
        self.run(key, Delete::new())
    }

    pub(crate) fn increment(&self, key: &str, delta: u64) -> ArithmeticReply {
        self.run(key, Arithmetic::increment(delta))
    }

    pub(crate) fn decrement(&self, key: &str, delta: u64) -> ArithmeticReply {
        self.run(key, Arithmetic::decrement(delta))
    }
}

/// So many seconds after the start.
pub(crate) fn after(seconds: u32) -> Expiry {
    Expiry::at(START + seconds)
}

pub(crate) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(crate) fn text(hit: Hit) -> Option<String> {
    hit.value.map(|value| String::from_utf8(value.to_vec()).unwrap())
}

pub(crate) fn stored(reply: StoreReply) -> Stored {
    match reply {
        StoreReply::Stored(stored) => stored,
        other => panic!("it was not stored: {other:?}"),
    }
}

pub(crate) fn computed(reply: ArithmeticReply) -> Computed {
    match reply {
        ArithmeticReply::Computed(computed) => computed,
        other => panic!("it was not computed: {other:?}"),
    }
}
