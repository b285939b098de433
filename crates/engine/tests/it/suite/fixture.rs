//! A table with a clock that stands still, in a fresh store of the kind that the suite is run on.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use charioteer_engine::table::{CreateTable, Get, Operation, PEGASUS_EPOCH, Put, Table, Tables, Ttl, Walk, raw_key};
use charioteer_engine::table::{RangeRequest, Scan, TimeToLive};
use charioteer_engine::{Clock, Db};

use super::super::TestDb;

/// The time at which every test starts, in seconds since Pegasus' epoch.
pub(crate) const START: u32 = 1_000_000;

pub(crate) const PARTITIONS: i32 = 4;

pub(crate) struct Fixture {
    pub(crate) tables: Tables,
    pub(crate) table: Arc<Table>,
    pub(crate) clock: Clock,
    pub(crate) db: Db,
    _store: TestDb,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let clock = Clock::stopped_at(Duration::from_secs(PEGASUS_EPOCH + u64::from(START)));
        let store = TestDb::with_clock(clock.clone());
        let db = store.db.clone();
        let tables = Tables::open(db.clone(), clock.clone()).unwrap();
        tables.create(CreateTable::new("test", PARTITIONS)).unwrap();
        let table = tables.table_by_name("test").unwrap();
        Self { tables, table, clock, db, _store: store }
    }

    pub(crate) fn set_env(&self, name: &str, text: &str) {
        self.tables.set_envs("test", &[(name.to_owned(), text.to_owned())]).unwrap();
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Runs an operation on partition 0.
    pub(crate) fn run<O: Operation>(&self, operation: O) -> O::Reply {
        self.table.run(0, operation).unwrap().reply
    }

    /// Runs a walk on partition 0.
    pub(crate) fn walk<W: Walk>(&self, walk: W) -> W::Reply {
        self.table.walk(0, walk).unwrap()
    }

    pub(crate) fn put(&self, hash_key: &str, sort_key: &str, value: &str) {
        self.put_until(hash_key, sort_key, value, 0);
    }

    pub(crate) fn put_until(&self, hash_key: &str, sort_key: &str, value: &str, expire_ts: u32) {
        let value = Bytes::copy_from_slice(value.as_bytes());
        self.run(Put::new(key(hash_key, sort_key), value, expire_ts.cast_signed()));
    }

    pub(crate) fn get(&self, hash_key: &str, sort_key: &str) -> Option<String> {
        let value = self.run(Get::new(key(hash_key, sort_key)))?;
        Some(String::from_utf8(value.to_vec()).unwrap())
    }

    pub(crate) fn ttl(&self, hash_key: &str, sort_key: &str) -> Option<TimeToLive> {
        self.run(Ttl::new(key(hash_key, sort_key)))
    }
}

pub(crate) fn key(hash_key: &str, sort_key: &str) -> Bytes {
    raw_key(hash_key.as_bytes(), sort_key.as_bytes())
}

pub(crate) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// All rows of one hash key.
pub(crate) fn whole_hash_key(hash_key: &str) -> RangeRequest {
    RangeRequest { hash_key: bytes(hash_key), start_inclusive: true, ..RangeRequest::default() }
}

/// All rows of a partition, as clients ask for them.
pub(crate) fn full_scan() -> Scan {
    Scan {
        start_key: Bytes::from_static(b"\0\0"),
        stop_key: Bytes::from_static(b"\xff\xff"),
        start_inclusive: true,
        full_scan: true,
        ..Scan::default()
    }
}
