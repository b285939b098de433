//! Shows how a table that is written once gives its disk back while its rows expire.
//!
//! `expiry_curve [ROWS]` writes rows that live for between 10 and 60 minutes, and then lets an hour and a half pass on a clock
//! of its own, with the tidying that a server does once a minute and nothing else. What it prints is in `docs/expiry.md`.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::time::Duration;

use charioteer_engine::table::{CreateTable, MultiPut, PEGASUS_EPOCH, Tables, has_expired};
use charioteer_engine::{Clock, Db, DiskOptions, Durability};

const ROWS_PER_HASH_KEY: u32 = 100;

/// When the rows are written, in seconds since Pegasus' epoch.
const START: u32 = 300_000_000;

const VALUE_BYTES: usize = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows: u32 = std::env::args().nth(1).map_or(Ok(2_000_000), |rows| rows.parse())?;
    let folder = tempfile::tempdir()?;
    let clock = Clock::stopped_at(Duration::from_secs(PEGASUS_EPOCH + u64::from(START)));
    let options = DiskOptions {
        durability: Durability::Flush,
        expired: has_expired,
        clock: clock.clone(),
        ..DiskOptions::default()
    };
    let db = Db::open(folder.path(), options)?;
    let tables = Tables::open(db.clone(), clock.clone())?;
    tables.create(CreateTable::new("sessions", 1))?;
    write(&tables, rows)?;

    println!("| minute | rows alive | tables | journals |");
    println!("|---:|---:|---:|---:|");
    for minute in 0..=90_u32 {
        if minute % 10 == 0 {
            let stats = db.stats().ok_or("a store on disk counts")?;
            let tables = (stats.disk_bytes - stats.journal_bytes) >> 20;
            println!("| {minute} | {} | {tables} MiB | {} MiB |", alive(rows, minute), stats.journal_bytes >> 20);
        }
        clock.advance(Duration::from_secs(60));
        tables.tidy()?;
    }
    Ok(())
}

/// Values that do not compress, of rows that expire evenly from the 10th to the 60th minute.
fn write(tables: &Tables, rows: u32) -> Result<(), Box<dyn std::error::Error>> {
    let table = tables.table_by_name("sessions").ok_or("it was made")?;
    let mut random = 1_u64;
    for first in (0..rows).step_by(ROWS_PER_HASH_KEY as usize) {
        let hash_key = format!("user {first:012}");
        let pairs = (0..ROWS_PER_HASH_KEY).map(|number| {
            let mut value = Vec::with_capacity(VALUE_BYTES + 8);
            while value.len() < VALUE_BYTES {
                // xorshift: enough to leave nothing to compress.
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                value.extend(random.to_le_bytes());
            }
            value.truncate(VALUE_BYTES);
            (format!("{number:04}").into(), value.into())
        });
        let lives = 600 + u32::try_from(u64::from(first) * 3000 / u64::from(rows))?;
        let expire_ts = i32::try_from(START + lives)?;
        table.run(0, MultiPut::new(hash_key.into(), pairs.collect(), expire_ts))?;
    }
    Ok(())
}

fn alive(rows: u32, minute: u32) -> u64 {
    let expired = (u64::from(minute) * 60).saturating_sub(600).min(3000);
    u64::from(rows) * (3000 - expired) / 3000
}
