//! The marks of what was acknowledged name the journal that it is in.

use std::fs;
use std::path::Path;

use charioteer_engine::{Batch, Db, DiskOptions, Durability};

/// The number of the latest journal.
fn latest(folder: &Path) -> u64 {
    let names = fs::read_dir(folder.join("rows")).unwrap().flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.to_str()?.strip_suffix(".jnl")?.parse().ok()).max().unwrap()
}

/// The journal of the last write that was flushed, as `docs/format.md` says where it is.
fn marked(folder: &Path) -> u64 {
    let bytes = fs::read(folder.join("acknowledged")).unwrap();
    let number = |slot: &[u8], at: usize| u64::from_le_bytes(slot[at..at + 8].try_into().unwrap());
    let slots = bytes.chunks(512).filter(|slot| slot.len() >= 216);
    number(slots.max_by_key(|slot| number(slot, 200)).unwrap(), 56)
}

#[test]
fn large_batches_are_marked_in_the_journal_that_they_are_in() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(folder.path(), DiskOptions::default()).unwrap();
    let rows = db.keyspace("rows").unwrap();
    let write = |bytes: usize, durability: Durability| {
        let mut batch = Batch::new();
        batch.put(&rows, "key".into(), vec![7; bytes].into());
        batch.set_durability(durability);
        db.commit(batch).unwrap();
    };
    for _ in 0..2 {
        // The last of these is handed in while the journal is long enough to be closed, and may be the first in the next.
        (0..7).for_each(|_| write(12 << 20, Durability::Flush));
        for small in 0..700 {
            let before = latest(folder.path());
            write(100 << 10, if small % 10 == 0 { Durability::Fsync } else { Durability::Flush });
            assert!(small % 10 > 0 || marked(folder.path()) >= before, "{before}: {}", marked(folder.path()));
        }
    }
    assert!(latest(folder.path()) > 0);
}
