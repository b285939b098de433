//! Writers who are too far ahead of the background wait, which is told; nobody else does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use charioteer_engine::{Batch, Db, DiskOptions, Keyspace};
use parking_lot::{Mutex, MutexGuard};

use crate::store::{options, put};

/// Compaction asks whether a row has expired, and waits for the answer as long as somebody holds this.
static ANSWER: Mutex<()> = Mutex::new(());

fn has_expired(_: &str, _: &[u8], _: Duration) -> bool {
    drop(ANSWER.lock());
    false
}

/// So many bytes are looked at each time whether the background keeps up.
const LARGE: usize = 1 << 20;

fn large_batch(rows: &Keyspace, number: u64) -> Batch {
    let mut batch = Batch::new();
    batch.put(rows, Bytes::copy_from_slice(&number.to_be_bytes()), Bytes::from(vec![0; LARGE]));
    batch
}

/// Writes until a commit has been under way for a second, has it go on, and says how many stalls were told.
fn hold_up(db: &Db, rows: &Keyspace, held: MutexGuard<'_, ()>) -> u64 {
    let begun = AtomicU64::new(0);
    let enough = AtomicU64::new(u64::MAX);
    thread::scope(|threads| {
        threads.spawn(|| {
            while begun.fetch_add(1, Ordering::Relaxed) < enough.load(Ordering::Relaxed) {
                db.commit(large_batch(rows, begun.load(Ordering::Relaxed))).unwrap();
            }
        });
        let (mut last, mut since) = (0, Instant::now());
        while since.elapsed() < Duration::from_secs(1) {
            let now = begun.load(Ordering::Relaxed);
            if now != last {
                (last, since) = (now, Instant::now());
            }
            thread::yield_now();
        }
        // Neither reading nor handing in waits.
        assert_eq!(db.get(rows, b"key").unwrap().as_deref(), Some(&b"value"[..]));
        let handed_in = db.submit(large_batch(rows, u64::MAX));
        enough.store(0, Ordering::Relaxed);
        drop(held);
        handed_in.wait().unwrap();
    });
    db.stats().unwrap().stalls
}

#[test]
fn a_writer_who_waits_for_the_background_is_told_of_and_holds_up_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let options = DiskOptions { memtable_bytes: 4096, expired: has_expired, ..options() };
    let db = Db::open(folder.path(), options).unwrap();
    let rows = db.keyspace("rows").unwrap();
    put(&db, &rows, "key", "value");
    // A writer may also have waited for the processor alone.
    assert!((0..5).any(|_| hold_up(&db, &rows, ANSWER.lock()) > 0), "{:?}", db.stats());
    let stats = db.stats().unwrap();
    assert!(stats.stalled_time > Duration::from_millis(100), "{stats:?}");
}
