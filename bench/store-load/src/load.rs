//! The loads: what each phase does to a store.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::rows::{ROWS_PER_HASH_KEY, VALUE_BYTES, shuffled};
use crate::{Error, Level, Phase, Row, Rows, Scanned, Store};

const PUTTING_THREADS: usize = 8;

const SYNCING_WRITERS: usize = 16;

/// Each row is read so often, each hash key scanned so often.
const GETS_PER_ROW: usize = 3;
const SCANS_PER_HASH_KEY: usize = 10;

const OVERWRITES: usize = 3;

/// A phase of a store.
pub(crate) struct Load<'a, S> {
    pub(crate) store: &'a S,
    pub(crate) rows: &'a Arc<Rows>,
    /// Those that are not there.
    pub(crate) missing: &'a Rows,
    /// How long the phases last that have no number of operations.
    pub(crate) time: Duration,
}

impl<S: Store> Load<'_, S> {
    /// Puts all rows there.
    pub(crate) fn fill(&self) -> Result<u64, Error> {
        self.put_batches(0..1)
    }

    /// Runs a phase and says how many operations it was.
    pub(crate) fn run(&self, phase: Phase) -> Result<u64, Error> {
        match phase {
            Phase::Put => self.put(0, 1),
            Phase::Put8 => self.put_by_threads(),
            Phase::Batch => self.fill(),
            Phase::Get => self.get(self.rows, Some(VALUE_BYTES)),
            Phase::Miss => self.get(self.missing, None),
            Phase::Scan => self.scan(S::scan),
            Phase::ScanBack => self.scan(S::scan_back),
            Phase::Fsync => self.store.put_together(1, self.rows, Instant::now() + self.time),
            Phase::Fsync16 => self.store.put_together(SYNCING_WRITERS, self.rows, Instant::now() + self.time),
            Phase::Overwrite => self.put_batches(1..1 + OVERWRITES),
        }
    }

    /// Puts one in `threads` of all rows.
    fn put(&self, thread: usize, threads: usize) -> Result<u64, Error> {
        let turns = (thread..self.rows.count()).step_by(threads);
        turns.map(|turn| self.store.put(self.row(turn), Level::Flush).map(|()| 1)).sum()
    }

    fn put_by_threads(&self) -> Result<u64, Error> {
        thread::scope(|scope| {
            let put = |thread| move || self.put(thread, PUTTING_THREADS);
            let threads: Vec<_> = (0..PUTTING_THREADS).map(|thread| scope.spawn(put(thread))).collect();
            threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")?).sum()
        })
    }

    fn put_batches(&self, versions: std::ops::Range<usize>) -> Result<u64, Error> {
        let hash_keys = self.rows.hash_keys();
        let batches = versions.flat_map(|version| (0..hash_keys).map(move |turn| (shuffled(turn, hash_keys), version)));
        batches.map(|(hash_key, version)| self.put_batch(hash_key, version).map(|()| 1)).sum()
    }

    fn put_batch(&self, hash_key: usize, version: usize) -> Result<(), Error> {
        self.store.put_all(self.rows.of_hash_key(hash_key, version))
    }

    fn get(&self, rows: &Rows, expected: Option<usize>) -> Result<u64, Error> {
        let numbers = (0..rows.count() * GETS_PER_ROW).map(|turn| shuffled(turn, rows.count()));
        numbers.map(|number| check(self.store.get(&rows.key(number))?, expected)).sum()
    }

    fn scan(&self, scan: impl Fn(&S, &[u8], &[u8]) -> Result<Scanned, Error>) -> Result<u64, Error> {
        let expected = Scanned { rows: ROWS_PER_HASH_KEY, value_bytes: ROWS_PER_HASH_KEY * VALUE_BYTES };
        let hash_keys = self.rows.hash_keys();
        let scan = |turn| {
            let (first, last) = self.rows.bounds_of_hash_key(shuffled(turn, hash_keys));
            check(scan(self.store, &first, &last)?, expected)
        };
        (0..hash_keys * SCANS_PER_HASH_KEY).map(scan).sum()
    }

    fn row(&self, turn: usize) -> Row {
        self.rows.row(shuffled(turn, self.rows.count()), 0)
    }
}

/// Has one of several writers put rows until the time has come; says how many.
///
/// # Errors
/// What `put` gives.
pub fn write_until(
    until: Instant,
    rows: &Rows,
    writer: usize,
    mut put: impl FnMut(Row) -> Result<(), Error>,
) -> Result<u64, Error> {
    for (written, row) in rows.of_writer(writer).enumerate() {
        if Instant::now() >= until {
            return Ok(written as u64);
        }
        put(row)?;
    }
    Err("no rows".into())
}

fn check<T: PartialEq + std::fmt::Debug>(found: T, expected: T) -> Result<u64, Error> {
    if found == expected { Ok(1) } else { Err(format!("found {found:?}, not {expected:?}").into()) }
}
