//! Our store, written to by threads that wait, or by tasks that do not.

use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bench_store_load::{Error, Level, Row, Rows, Scanned, Store};
use charioteer_engine::{Batch, Db, Direction, DiskOptions, Durability, Keyspace};

use super::{CACHE_BYTES, MEMTABLE_BYTES};

/// The threads that the tasks share.
const WORKERS: usize = 2;

pub(crate) struct Ours {
    db: Db,
    rows: Keyspace,
}

impl Ours {
    fn walk(&self, first: &[u8], last: &[u8], direction: Direction) -> Result<Scanned, Error> {
        let mut scanned = Scanned::default();
        let range = (Bound::Included(first), Bound::Included(last));
        self.db.snapshot_of(&self.rows)?.visit(&self.rows, range, direction, |_, value| {
            scanned.rows += 1;
            scanned.value_bytes += value.len();
            ControlFlow::Continue(())
        })?;
        Ok(scanned)
    }

    fn batch(&self, row: Row, level: Level) -> Batch {
        let mut batch = Batch::new();
        batch.put(&self.rows, row.key, row.value);
        batch.set_durability(match level {
            Level::Flush => Durability::Flush,
            Level::Fsync => Durability::Fsync,
        });
        batch
    }
}

impl Store for Ours {
    fn make(folder: &Path) -> Result<Self, Error> {
        let options = DiskOptions { cache_bytes: CACHE_BYTES, memtable_bytes: MEMTABLE_BYTES, ..DiskOptions::default() };
        let db = Db::open(folder, options)?;
        let rows = db.keyspace("rows")?;
        Ok(Self { db, rows })
    }

    fn put(&self, row: Row, level: Level) -> Result<(), Error> {
        Ok(self.db.commit(self.batch(row, level))?)
    }

    fn put_all(&self, rows: impl Iterator<Item = Row>) -> Result<(), Error> {
        let mut batch = Batch::new();
        for row in rows {
            batch.put(&self.rows, row.key, row.value);
        }
        batch.set_durability(Durability::Flush);
        Ok(self.db.commit(batch)?)
    }

    fn get(&self, key: &[u8]) -> Result<Option<usize>, Error> {
        Ok(self.db.get(&self.rows, key)?.map(|value| value.len()))
    }

    fn scan(&self, first: &[u8], last: &[u8]) -> Result<Scanned, Error> {
        self.walk(first, last, Direction::Forward)
    }

    fn scan_back(&self, first: &[u8], last: &[u8]) -> Result<Scanned, Error> {
        self.walk(first, last, Direction::Backward)
    }
}

/// The same store, for phases of several writers.
pub(crate) struct OursByTasks(Arc<Ours>);

impl Store for OursByTasks {
    fn make(folder: &Path) -> Result<Self, Error> {
        Ours::make(folder).map(Arc::new).map(Self)
    }

    fn put(&self, row: Row, level: Level) -> Result<(), Error> {
        self.0.put(row, level)
    }

    fn put_all(&self, rows: impl Iterator<Item = Row>) -> Result<(), Error> {
        self.0.put_all(rows)
    }

    fn get(&self, key: &[u8]) -> Result<Option<usize>, Error> {
        self.0.get(key)
    }

    fn scan(&self, first: &[u8], last: &[u8]) -> Result<Scanned, Error> {
        self.0.scan(first, last)
    }

    fn scan_back(&self, first: &[u8], last: &[u8]) -> Result<Scanned, Error> {
        self.0.scan_back(first, last)
    }

    fn put_together(&self, writers: usize, rows: &Arc<Rows>, until: Instant) -> Result<u64, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).build()?;
        let write = |writer| write(Arc::clone(&self.0), Arc::clone(rows), writer, until);
        let writers: Vec<_> = (0..writers).map(|writer| runtime.spawn(write(writer))).collect();
        runtime.block_on(async {
            let mut written = 0;
            for writer in writers {
                written += writer.await??;
            }
            Ok(written)
        })
    }
}

async fn write(store: Arc<Ours>, rows: Arc<Rows>, writer: usize, until: Instant) -> Result<u64, Error> {
    let mut written = 0;
    for row in rows.of_writer(writer) {
        if Instant::now() >= until {
            break;
        }
        store.db.submit(store.batch(row, Level::Fsync)).await?;
        written += 1;
    }
    Ok(written)
}
