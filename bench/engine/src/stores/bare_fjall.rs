//! fjall by itself, with the settings that our store gives it.

use std::path::Path;

use bench_store_load::{Error, Level, Row, Scanned, Store};
use fjall::{CompressionType, Database, Guard, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::{CACHE_BYTES, MEMTABLE_BYTES};

const JOURNALS_BYTES: u64 = 64 << 20;

pub(crate) struct BareFjall {
    db: Database,
    rows: Keyspace,
}

impl Store for BareFjall {
    fn make(folder: &Path) -> Result<Self, Error> {
        let db = Database::builder(folder)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNALS_BYTES)
            .journal_compression(CompressionType::None)
            .open()?;
        let rows = db.keyspace("rows", || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES))?;
        Ok(Self { db, rows })
    }

    fn put(&self, row: Row, level: Level) -> Result<(), Error> {
        if level == Level::Flush {
            // Its quickest way for one row; it ends in `PersistMode::Buffer`.
            return Ok(self.rows.insert(&row.key[..], &row.value[..])?);
        }
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncData));
        batch.insert(&self.rows, &row.key[..], &row.value[..]);
        Ok(batch.commit()?)
    }

    fn put_all(&self, rows: impl Iterator<Item = Row>) -> Result<(), Error> {
        let mut batch = self.db.batch().durability(Some(PersistMode::Buffer));
        for row in rows {
            batch.insert(&self.rows, &row.key[..], &row.value[..]);
        }
        Ok(batch.commit()?)
    }

    fn get(&self, key: &[u8]) -> Result<Option<usize>, Error> {
        Ok(self.rows.get(key)?.map(|value| value.len()))
    }

    fn scan(&self, first: &[u8], last: &[u8]) -> Result<Scanned, Error> {
        look_at(self.rows.range(first..=last))
    }

    fn scan_back(&self, first: &[u8], last: &[u8]) -> Result<Scanned, Error> {
        look_at(self.rows.range(first..=last).rev())
    }
}

fn look_at(rows: impl Iterator<Item = Guard>) -> Result<Scanned, Error> {
    let mut scanned = Scanned::default();
    for row in rows {
        let (_, value) = row.into_inner()?;
        scanned.rows += 1;
        scanned.value_bytes += value.len();
    }
    Ok(scanned)
}
