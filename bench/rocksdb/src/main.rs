//! Takes the turns of RocksDB for `bench-engine run --with`.

use std::path::Path;
use std::process::ExitCode;

use bench_store_load::{Error, Level, Row, Scanned, Store, Turn};
use clap::Parser;
use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompressionType, DBRawIterator, Options, WriteBatch, WriteOptions,
};

/// The settings of the other sides, as far as RocksDB has them.
const MEMTABLE_BYTES: usize = 16 << 20;
const CACHE_BYTES: usize = 256 << 20;
const JOURNALS_BYTES: u64 = 64 << 20;
const FILTER_BITS_PER_KEY: f64 = 10.0;

#[derive(Parser)]
#[command(about = "Take one turn with RocksDB and print what it found")]
struct Arguments {
    #[command(flatten)]
    turn: Turn,
}

fn main() -> ExitCode {
    match Arguments::parse().turn.take::<Rocksdb>() {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench-rocksdb: {error}");
            ExitCode::from(2)
        }
    }
}

struct Rocksdb {
    db: DB,
}

impl Store for Rocksdb {
    fn make(folder: &Path) -> Result<Self, Error> {
        let mut tables = BlockBasedOptions::default();
        tables.set_block_cache(&Cache::new_lru_cache(CACHE_BYTES)?);
        tables.set_bloom_filter(FILTER_BITS_PER_KEY, false);
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_write_buffer_size(MEMTABLE_BYTES);
        options.set_max_total_wal_size(JOURNALS_BYTES);
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_block_based_table_factory(&tables);
        Ok(Self { db: DB::open(&options, folder)? })
    }

    fn put(&self, row: Row, level: Level) -> Result<(), Error> {
        let mut options = WriteOptions::default();
        options.set_sync(level == Level::Fsync);
        Ok(self.db.put_opt(&row.key, &row.value, &options)?)
    }

    fn put_all(&self, rows: impl Iterator<Item = Row>) -> Result<(), Error> {
        let mut batch = WriteBatch::default();
        for row in rows {
            batch.put(&row.key, &row.value);
        }
        Ok(self.db.write(batch)?)
    }

    fn get(&self, key: &[u8]) -> Result<Option<usize>, Error> {
        Ok(self.db.get_pinned(key)?.map(|value| value.len()))
    }

    fn scan(&self, first: &[u8], last: &[u8]) -> Result<Scanned, Error> {
        let mut rows = self.db.raw_iterator();
        rows.seek(first);
        look_at(&mut rows, DBRawIterator::next, |key| key <= last)
    }

    fn scan_back(&self, first: &[u8], last: &[u8]) -> Result<Scanned, Error> {
        let mut rows = self.db.raw_iterator();
        rows.seek_for_prev(last);
        look_at(&mut rows, DBRawIterator::prev, |key| key >= first)
    }
}

fn look_at<'a>(
    rows: &mut DBRawIterator<'a>,
    go_on: impl Fn(&mut DBRawIterator<'a>),
    is_in_range: impl Fn(&[u8]) -> bool,
) -> Result<Scanned, Error> {
    let mut scanned = Scanned::default();
    while let Some((key, value)) = rows.item()
        && is_in_range(key)
    {
        scanned.rows += 1;
        scanned.value_bytes += value.len();
        go_on(rows);
    }
    rows.status()?;
    Ok(scanned)
}
