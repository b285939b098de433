//! Raw rows and a clock that stands still, in a fresh store of the kind that the suite is run on.

use std::time::Duration;

use bytes::Bytes;
use charioteer_engine::Clock;
use charioteer_engine::raw::{Family, Get, Operation, Put, RawStore, Scan, Walk};

use super::super::TestStore;

/// The time at which every test starts, in Unix seconds.
pub(crate) const START: u64 = 1_700_000_000;

pub(crate) struct Fixture {
    pub(crate) opened: TestStore,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self { opened: TestStore::new(Clock::stopped_at(Duration::from_secs(START))) }
    }

    pub(crate) fn store(&self) -> &RawStore {
        &self.opened.store
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.opened.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) fn run<O: Operation>(&self, operation: O) -> O::Reply {
        self.store().run(Family::Default, operation).unwrap()
    }

    pub(crate) fn walk<W: Walk>(&self, walk: W) -> W::Reply {
        self.store().walk(Family::Default, walk).unwrap()
    }

    pub(crate) fn put(&self, key: &str, value: &str) {
        self.run(Put::new(bytes(key), bytes(value)));
    }

    pub(crate) fn put_for(&self, key: &str, value: &str, ttl: u64) {
        self.run(Put::new(bytes(key), bytes(value)).with_ttl(ttl));
    }

    pub(crate) fn get(&self, key: &str) -> Option<String> {
        self.run(Get::new(bytes(key))).map(|value| text(&value))
    }

    /// All keys that are there.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.scan(Scan::forward(Bytes::new(), Bytes::new(), usize::MAX))
    }

    /// The keys that a scan finds.
    pub(crate) fn scan(&self, scan: Scan) -> Vec<String> {
        self.walk(scan).pairs.iter().map(|pair| text(&pair.key)).collect()
    }
}

pub(crate) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
