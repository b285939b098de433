//! Writers that never pause leave everybody else a turn.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use charioteer_engine::{Batch, Db, DiskOptions, Durability};

#[test]
fn others_get_their_turn_while_the_queue_of_writes_never_runs_empty() {
    let folder = tempfile::tempdir().unwrap();
    let options = DiskOptions { durability: Durability::Flush, ..DiskOptions::default() };
    let db = Db::open(folder.path(), options).unwrap();
    let rows = db.keyspace("rows").unwrap();
    let write = |number: u32| {
        let mut batch = Batch::new();
        batch.put(&rows, number.to_be_bytes().to_vec().into(), "v".into());
        db.submit(batch)
    };
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut tickets: std::collections::VecDeque<_> = (0..1000).map(write).collect();
            while !done.load(Ordering::Relaxed) {
                tickets.push_back(write(7));
                tickets.pop_front().unwrap().wait().unwrap();
            }
        });
        // Each of these has to wait for the writers to make way.
        for round in 0..20 {
            db.sync().unwrap();
            db.keyspace(&format!("other {round}")).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(db.keyspace_names().len(), 21);
}

#[test]
fn others_get_their_turn_while_callers_never_pause_to_commit() {
    let folder = tempfile::tempdir().unwrap();
    let options = DiskOptions { durability: Durability::Flush, ..DiskOptions::default() };
    let db = Db::open(folder.path(), options).unwrap();
    let rows = db.keyspace("rows").unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in 0..4_u32 {
            let (db, rows, done) = (&db, &rows, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let mut batch = Batch::new();
                    batch.put(rows, writer.to_be_bytes().to_vec().into(), "v".into());
                    db.commit(batch).unwrap();
                }
            });
        }
        for round in 0..20 {
            db.keyspace(&format!("other {round}")).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(db.keyspace_names().len(), 21);
}
