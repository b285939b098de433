//! Snapshots while tables are written in the background.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use charioteer_engine::{Batch, Db, DiskOptions, Durability, Keyspace, Snapshot};

const ROWS: u32 = 200;

/// Enough for some twenty tables.
const ROUNDS: u64 = 400;

fn value_at(snapshot: &Snapshot, rows: &Keyspace, row: u32) -> u64 {
    let value = snapshot.get(rows, &row.to_be_bytes()).unwrap().unwrap();
    u64::from_be_bytes(value[..8].try_into().unwrap())
}

/// Overwrites all rows in each batch, and looks at the first and the last, and at the first again later.
fn snapshots_show_batches_whole(durability: Durability) {
    let folder = tempfile::tempdir().unwrap();
    let options = DiskOptions { durability, memtable_bytes: 1 << 20, ..DiskOptions::default() };
    let db = Db::open(folder.path(), options).unwrap();
    let (rows, other) = (db.keyspace("rows").unwrap(), db.keyspace("other").unwrap());
    let write = |number: u64| {
        let mut value = number.to_be_bytes().to_vec();
        value.resize(500, 0);
        let mut batch = Batch::new();
        for row in 0..ROWS {
            batch.put(&rows, row.to_be_bytes().to_vec().into(), value.clone().into());
            batch.put(&other, row.to_be_bytes().to_vec().into(), value.clone().into());
        }
        db.commit(batch).unwrap();
    };
    write(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            (1..=ROUNDS).for_each(write);
            done.store(true, Ordering::Release);
        });
        let mut earlier: Option<(Snapshot, u64)> = None;
        while !done.load(Ordering::Acquire) {
            let snapshot = db.snapshot();
            let number = value_at(&snapshot, &rows, 0);
            assert_eq!(value_at(&snapshot, &other, ROWS - 1), number, "half a batch");
            if let Some((snapshot, number)) = &earlier {
                assert_eq!(value_at(snapshot, &rows, 0), *number, "the snapshot moved");
            }
            earlier = Some((snapshot, number));
        }
    });
}

#[test]
fn snapshots_show_batches_whole_while_tables_are_written() {
    snapshots_show_batches_whole(Durability::Flush);
}

#[test]
fn snapshots_show_batches_whole_while_tables_are_written_and_the_journal_is_synced() {
    snapshots_show_batches_whole(Durability::Fsync);
}
