//! Writers wait for fjall's workers here, where it is noticed when there is nobody to wait for.
//!
//! fjall holds up whoever commits while a keyspace has too many memtables or tables that are yet to be worked on, and does so
//! for ever when its workers have ended in an error. So it is never let come to that.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use fjall::{AbstractTree, Database, PersistMode};

use super::keyspace::DiskKeyspace;
use crate::Error;
use crate::batch::Change;

/// fjall waits at 4.
const CLOSED_MEMTABLES: usize = 3;

/// fjall slows down at 20 and waits at 30.
const TABLES_TO_MERGE: usize = 24;

/// How much is written between two looks. What is looked at grows by memtables, which are far larger.
const BYTES_PER_LOOK: usize = 1 << 20;

/// Looks after how far writers are ahead of the workers.
#[derive(Debug, Default)]
pub(super) struct Pace {
    written: usize,
}

impl Pace {
    /// Waits while a keyspace that is about to be written is too far ahead.
    pub(super) fn keep(&mut self, changes: &[Change], byte_count: usize, db: &Database) -> Result<(), Error> {
        self.written += byte_count;
        if self.written < BYTES_PER_LOOK {
            return Ok(());
        }
        self.written = 0;
        let mut keyspaces = BTreeMap::new();
        for change in changes {
            let keyspace = change.keyspace.on_disk()?;
            keyspaces.insert(keyspace.id(), keyspace);
        }
        keyspaces.values().try_for_each(|keyspace| keep_behind(keyspace, db))
    }
}

fn keep_behind(keyspace: &DiskKeyspace, db: &Database) -> Result<(), Error> {
    let tree = &keyspace.handle().tree;
    wait_for_workers(db, || tree.sealed_memtable_count() < CLOSED_MEMTABLES && tree.l0_run_count() < TABLES_TO_MERGE)
}

/// Waits until fjall's workers have done something, unless they have ended and never will.
pub(super) fn wait_for_workers(db: &Database, is_done: impl Fn() -> bool) -> Result<(), Error> {
    while !is_done() {
        if matches!(db.persist(PersistMode::Buffer), Err(fjall::Error::Poisoned)) {
            let cause = "writing tables in the background, most likely for want of space".to_owned();
            return Err(Error::Halted { cause });
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
