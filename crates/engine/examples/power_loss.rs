//! Writes rows in a known order, or checks what a power loss has left of them.
//!
//! ```text
//! power_loss write DIR --writes N    does the first N steps, one line for each: `ack LEVEL STEP`
//! power_loss check                   reads lines `DIR ACKED`, answers each: `ok STEP` or `bad REASON`
//! ```
//!
//! What the store must hold after a step follows from the step's number alone (module [`plan`]), so
//! that a store is right when it is, in every row, the store after some step that is not before
//! the last one acknowledged as synced.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::ops::{Bound, ControlFlow};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use bytes::Bytes;
use charioteer_engine::{Batch, Db, Direction, DiskOptions, Durability, Keyspace};

type Result<T> = std::result::Result<T, Box<dyn Error>>;
type Rows = BTreeMap<Bytes, Bytes>;

/// What each step does, and what follows from it.
mod plan {
    use super::{Bytes, Durability, Rows};

    /// Each batch goes to all of these.
    pub(crate) const KEYSPACES: [&str; 3] = ["first", "second", "third"];
    /// This one takes part for a while, is dropped, and comes again under the same name.
    pub(crate) const PASSING: &str = "passing";
    /// This one is created and dropped at once, without a row that a journal would remember it by.
    pub(crate) const BRIEF: &str = "brief";
    /// What fills journals; nobody reads it.
    pub(crate) const FILLER: &str = "filler";
    /// The checker creates these.
    pub(crate) const NEWS: [&str; 3] = ["news", "other news", "more news"];
    /// The row that each step overwrites.
    pub(crate) const LATEST: &[u8] = b"latest";
    /// Each step removes the row that the step so many before it wrote.
    const KEPT: u64 = 24;
    const CYCLE: u64 = 40;

    /// Whether the step drops [`PASSING`] before it writes.
    pub(crate) fn drops(step: u64) -> bool {
        step % CYCLE == 30
    }

    /// Whether the step creates and drops [`BRIEF`] before it writes.
    pub(crate) fn is_brief(step: u64) -> bool {
        step % CYCLE == 5
    }

    /// Whether the store is closed and opened again before the step.
    pub(crate) fn reopens(step: u64) -> bool {
        step % CYCLE == 20
    }

    /// Whether the step writes more than a journal holds before it begins.
    pub(crate) fn fills(step: u64) -> bool {
        step % (2 * CYCLE) == 36
    }

    /// Whether the step's batch goes to [`PASSING`] too.
    pub(crate) fn passes(step: u64) -> bool {
        (10..30).contains(&(step % CYCLE))
    }

    /// Most steps are synced; those right before a drop are, because a drop is synced by itself.
    pub(crate) fn durability(step: u64) -> Durability {
        match step % CYCLE {
            29 => Durability::Fsync,
            s if s % 5 == 2 => Durability::Memory,
            s if s % 5 == 3 => Durability::Flush,
            _ => Durability::Fsync,
        }
    }

    pub(crate) fn key(step: u64) -> Bytes {
        Bytes::from(format!("step {step:08}"))
    }

    /// The key of the row that a step removes.
    pub(crate) fn removed(step: u64) -> Option<Bytes> {
        step.checked_sub(KEPT).filter(|&old| old > 0).map(key)
    }

    /// Bytes that tell their step and keyspace, from shorter than a page to several pages.
    pub(crate) fn value(keyspace: &str, step: u64) -> Bytes {
        let words = [5, 40, 300, 1200, 2600, 9][usize::try_from(step % 6).unwrap_or_default()];
        let mut state = keyspace.bytes().fold(step, |sum, byte| sum.wrapping_mul(257).wrapping_add(byte.into()));
        let mut value = step.to_be_bytes().to_vec();
        for _ in 0..words {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            value.extend_from_slice(&(state ^ (state >> 29)).to_be_bytes());
        }
        value.into()
    }

    /// All rows of one of the [`KEYSPACES`] after a step.
    pub(crate) fn rows(keyspace: &str, step: u64) -> Rows {
        let first = step.saturating_sub(KEPT) + 1;
        let mut rows: Rows = (first..=step).map(|n| (key(n), value(keyspace, n))).collect();
        if step > 0 {
            rows.insert(Bytes::from_static(LATEST), value(keyspace, step));
        }
        rows
    }

    /// All rows of [`PASSING`] after a step; none when it is not there.
    pub(crate) fn passing_rows(step: u64) -> Rows {
        let first = step - step % CYCLE + 10;
        match passes(step) {
            true => (first..=step).map(|n| (key(n), value(PASSING, n))).collect(),
            false => Rows::new(),
        }
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["write", dir, "--writes", writes] => write(Path::new(dir), writes.parse()?),
        ["check"] => check_each(io::stdin().lock()),
        _ => Err("usage: power_loss write DIR --writes N | power_loss check".into()),
    }
}

fn write(dir: &Path, writes: u64) -> Result<()> {
    let mut store = Store::open(dir)?;
    for step in 1..=writes {
        store = store.take(dir, step)?;
        // One system call for each line: it tells the reader of a trace what was acknowledged when.
        let line = format!("ack {} {step}\n", level(plan::durability(step)));
        io::stdout().write_all(line.as_bytes())?;
    }
    Ok(())
}

fn level(durability: Durability) -> &'static str {
    match durability {
        Durability::Fsync => "fsync",
        Durability::Flush => "flush",
        Durability::Memory => "memory",
    }
}

/// The store under test with the keyspaces that are always there.
struct Store {
    db: Db,
    keyspaces: Vec<Keyspace>,
}

impl Store {
    fn open(dir: &Path) -> Result<Self> {
        // Small memtables, so that flushes and compactions come every few steps.
        let options = DiskOptions { memtable_bytes: 64 << 10, after_power_loss: true, ..DiskOptions::default() };
        let db = Db::open(dir, options)?;
        let keyspaces = plan::KEYSPACES.iter().map(|name| db.keyspace(name)).collect::<std::result::Result<_, _>>()?;
        Ok(Self { db, keyspaces })
    }

    fn take(self, dir: &Path, step: u64) -> Result<Self> {
        let store = if plan::reopens(step) { self.reopen(dir)? } else { self };
        if plan::drops(step) {
            store.db.drop_keyspace(plan::PASSING)?;
        }
        if plan::is_brief(step) {
            store.db.keyspace(plan::BRIEF)?;
            store.db.drop_keyspace(plan::BRIEF)?;
        }
        if plan::fills(step) {
            store.fill()?;
        }
        store.db.commit(store.batch(step)?)?;
        Ok(store)
    }

    fn reopen(self, dir: &Path) -> Result<Self> {
        drop(self);
        Self::open(dir)
    }

    fn batch(&self, step: u64) -> Result<Batch> {
        let mut batch = Batch::new();
        batch.set_durability(plan::durability(step));
        for (keyspace, name) in self.keyspaces.iter().zip(plan::KEYSPACES) {
            let value = plan::value(name, step);
            batch.put(keyspace, plan::key(step), value.clone());
            batch.put(keyspace, Bytes::from_static(plan::LATEST), value);
            if let Some(key) = plan::removed(step) {
                batch.delete(keyspace, key);
            }
        }
        if plan::passes(step) {
            batch.put(&self.db.keyspace(plan::PASSING)?, plan::key(step), plan::value(plan::PASSING, step));
        }
        Ok(batch)
    }

    /// Writes 64 MiB of zeros, which cost nothing in a sparse image, so that the journal rotates.
    fn fill(&self) -> Result<()> {
        let filler = self.db.keyspace(plan::FILLER)?;
        for _ in 0..16 {
            let mut batch = Batch::new();
            batch.set_durability(Durability::Memory);
            batch.put(&filler, Bytes::from_static(b"filler"), Bytes::from(vec![0; 4 << 20]));
            self.db.commit(batch)?;
        }
        Ok(())
    }

    /// Writes to keyspaces that were not there, which must not be taken for ones that were dropped.
    fn put_news(&self) -> Result<()> {
        for name in plan::NEWS {
            let mut batch = Batch::new();
            batch.put(&self.db.keyspace(name)?, Bytes::from_static(plan::LATEST), Bytes::from_static(name.as_bytes()));
            self.db.commit(batch)?;
        }
        Ok(())
    }

    fn check_news(&self) -> Result<()> {
        for name in plan::NEWS {
            if self.db.get(&self.db.keyspace(name)?, plan::LATEST)?.as_deref() != Some(name.as_bytes()) {
                return Err(format!("the keyspace {name:?} was created, written to, and lost").into());
            }
        }
        Ok(())
    }

    /// The step that the store is right after.
    fn step(&self, acked: u64) -> Result<u64> {
        let step = self.latest()?;
        if step < acked {
            return Err(format!("step {acked} was acknowledged, and the store is at step {step}").into());
        }
        for (keyspace, name) in self.keyspaces.iter().zip(plan::KEYSPACES) {
            same(name, step, &self.rows(keyspace)?, &plan::rows(name, step))?;
        }
        self.check_passing(step)?;
        Ok(step)
    }

    fn latest(&self) -> Result<u64> {
        let Some(value) = self.db.get(&self.keyspaces[0], plan::LATEST)? else { return Ok(0) };
        let number = value.first_chunk().ok_or("the latest row is too short to have a number")?;
        Ok(u64::from_be_bytes(*number))
    }

    /// The passing keyspace may be gone already when the next step drops it.
    fn check_passing(&self, step: u64) -> Result<()> {
        let is_there = self.db.keyspace_names().iter().any(|name| name == plan::PASSING);
        let rows = if is_there { self.rows(&self.db.keyspace(plan::PASSING)?)? } else { Rows::new() };
        if rows.is_empty() && plan::drops(step + 1) {
            return Ok(());
        }
        same(plan::PASSING, step, &rows, &plan::passing_rows(step))
    }

    fn rows(&self, keyspace: &Keyspace) -> Result<Rows> {
        let mut rows = Rows::new();
        let all = (Bound::Unbounded, Bound::Unbounded);
        self.db.snapshot().visit(keyspace, all, Direction::Forward, |key, value| {
            rows.insert(key.clone(), value.clone());
            ControlFlow::Continue(())
        })?;
        Ok(rows)
    }
}

/// Says the first row in which the two differ.
fn same(keyspace: &str, step: u64, found: &Rows, expected: &Rows) -> Result<()> {
    let differs = |key: &&Bytes| found.get(*key) != expected.get(*key);
    let Some(key) = found.keys().chain(expected.keys()).find(differs) else { return Ok(()) };
    let how = match (found.contains_key(key), expected.contains_key(key)) {
        (true, true) => "has another value",
        (true, false) => "should not be there",
        _ => "is missing",
    };
    Err(format!("at step {step}, row {key:?} of {keyspace} {how}").into())
}

fn check_each(requests: impl BufRead) -> Result<()> {
    panic::set_hook(Box::new(|_| ()));
    for line in requests.lines() {
        let line = line?;
        let (image, acked) = line.rsplit_once(' ').ok_or("a line is `DIR ACKED`")?;
        let (image, acked) = (Path::new(image), acked.parse()?);
        let answer = match panic::catch_unwind(AssertUnwindSafe(|| check(image, acked))) {
            Ok(Ok(step)) => format!("ok {step}\n"),
            Ok(Err(error)) => format!("bad {error}\n"),
            Err(panic) => format!("bad panic: {}\n", message(&*panic)),
        };
        io::stdout().write_all(answer.as_bytes())?;
    }
    Ok(())
}

/// Checks an image, goes on writing where it ends, and checks that after another start too.
fn check(image: &Path, acked: u64) -> Result<u64> {
    let mut store = Store::open(image)?;
    let found = store.step(acked)?;
    store.put_news()?;
    let last = (found + 1..).find(|&step| plan::durability(step) == Durability::Fsync).unwrap_or(found);
    for step in found + 1..=last {
        store = store.take(image, step)?;
    }
    let store = store.reopen(image)?;
    store.step(last).map_err(|error| format!("after writing on: {error}"))?;
    store.check_news()?;
    Ok(found)
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
