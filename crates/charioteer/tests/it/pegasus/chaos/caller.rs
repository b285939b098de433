//! A caller with rows of its own, who knows what they may hold.

use std::sync::Arc;

use bytes::Bytes;
use charioteer::pegasus::{Entries, MultiGetOptions, Table};
use charioteer::{Error, Outcome};

use crate::chaos::patience::Patience;
use crate::chaos::tagged::Tag;
use crate::chaos::tally::Tally;

const ROWS: u32 = 4;

/// Counters of different callers are so far from each other that none passes for another.
const APART: i64 = 1_000_000_000;

/// Of so many values that a caller writes, the first two are large. As all callers begin together and go on at about the same speed,
/// they write large ones together, so that sockets fill and queues build up.
const LARGE_EVERY: u64 = 64;
const LARGE_BYTES: usize = 100 * 1024;

/// A caller with rows of its own.
pub(in crate::pegasus) struct Caller {
    name: u32,
    table: Table,
    dice: fastrand::Rng,
    /// Whether it drops calls, and gives them little time.
    fickle: bool,
    tally: Arc<Tally>,
    rows: Vec<Row>,
    counter: Counter,
    numbers: u64,
}

/// What a row may hold.
#[derive(Clone, Debug, Default)]
struct Row {
    acknowledged: Option<u64>,
    /// Of writes of which nobody knows what became. They may come to pass at any later time.
    perhaps: Vec<u64>,
}

/// What a counter may hold.
#[derive(Clone, Debug)]
struct Counter {
    least: i64,
    most: i64,
}

impl Row {
    fn may_be(&self, number: Option<u64>) -> bool {
        number == self.acknowledged || number.is_some_and(|number| self.perhaps.contains(&number))
    }
}

impl Caller {
    pub(in crate::pegasus) fn new(name: u32, table: Table, seed: u64, fickle: bool, tally: Arc<Tally>) -> Self {
        Self {
            name,
            table,
            dice: fastrand::Rng::with_seed(seed),
            fickle,
            tally,
            rows: vec![Row::default(); ROWS as usize],
            counter: Counter { least: 0, most: 0 },
            numbers: 0,
        }
    }

    /// Makes so many calls, and then looks at all rows.
    pub(in crate::pegasus) async fn make(&mut self, calls: u64) {
        for _ in 0..calls {
            let patience = if self.fickle { Patience::any(&mut self.dice) } else { Patience::Whole };
            let row = self.dice.u32(..ROWS);
            match self.dice.u32(..10) {
                0..=2 => self.get(row, patience).await,
                3..=5 => self.set(row, patience).await,
                6 | 7 => self.incr(patience).await,
                _ => self.multi_get(patience).await,
            }
        }
        for row in 0..ROWS {
            self.get(row, Patience::Whole).await;
        }
        self.incr(Patience::Whole).await;
    }

    async fn get(&mut self, row: u32, patience: Patience) {
        let (hash_key, table) = (self.hash_key(), self.terms(patience));
        let result = patience.wait(table.get(hash_key, row.to_be_bytes())).await;
        if let Some(value) = self.answer("get", result) {
            self.check(row, value.as_deref());
        }
    }

    async fn multi_get(&mut self, patience: Patience) {
        let (hash_key, table) = (self.hash_key(), self.terms(patience));
        let sort_keys = (0..ROWS).map(u32::to_be_bytes);
        let mut all = MultiGetOptions::default();
        all.max_bytes = 0;
        let result = patience.wait(table.multi_get_with(hash_key, sort_keys, &all)).await;
        if let Some(Entries { entries, .. }) = self.answer("multi_get", result) {
            for row in 0..ROWS {
                let found = entries.iter().find(|entry| entry.sort_key == row.to_be_bytes()[..]);
                self.check(row, found.map(|entry| &*entry.value));
            }
        }
    }

    async fn set(&mut self, row: u32, patience: Patience) {
        let tag = Tag { caller: self.name, row, number: self.numbers };
        let bytes = if self.numbers % LARGE_EVERY < 2 { LARGE_BYTES } else { self.dice.usize(..200) };
        self.numbers += 1;
        let (hash_key, table) = (self.hash_key(), self.terms(patience));
        let result = patience.wait(table.set(hash_key, row.to_be_bytes(), tag.value(bytes))).await;
        let perhaps = is_unknown(result.as_ref());
        let acknowledged = self.answer("set", result).is_some();
        let row = &mut self.rows[row as usize];
        if acknowledged {
            row.acknowledged = Some(tag.number);
        } else if perhaps {
            row.perhaps.push(tag.number);
        }
    }

    async fn incr(&mut self, patience: Patience) {
        let first = self.counter.least == 0;
        let increment = if first { i64::from(self.name + 1) * APART } else { 1 };
        let patience = if first { Patience::Whole } else { patience };
        let (hash_key, table) = (self.hash_key(), self.terms(patience));
        let result = patience.wait(table.incr(hash_key, "counter", increment)).await;
        let perhaps = is_unknown(result.as_ref());
        let Counter { least, most } = self.counter;
        if let Some(total) = self.answer("incr", result) {
            if !(least + increment..=most + increment).contains(&total) {
                self.tally.wrong(format!("caller {}: incr gives {total}, not {least}..={most} and 1", self.name));
            }
            self.counter = Counter { least: total, most: most + increment };
        } else if perhaps {
            self.counter.most += increment;
        }
    }

    fn check(&self, row: u32, value: Option<&[u8]>) {
        let number = match value.map(Tag::read) {
            None => None,
            Some(Some(tag)) if (tag.caller, tag.row) == (self.name, row) => Some(tag.number),
            Some(tag) => return self.tally.wrong(format!("caller {}, row {row}: got {tag:?}", self.name)),
        };
        let known = &self.rows[row as usize];
        if !known.may_be(number) {
            self.tally.wrong(format!("caller {}, row {row}: got {number:?}, not one of {known:?}", self.name));
        }
    }

    /// Counts what became of a call, and gives its answer.
    fn answer<T>(&self, call: &str, result: Option<Result<T, Error>>) -> Option<T> {
        self.tally.count(result.as_ref());
        match result? {
            Ok(answer) => Some(answer),
            Err(error) if error.is_retryable() => None,
            Err(error) => {
                self.tally.wrong(format!("caller {}: {call} fails for good: {error}", self.name));
                None
            }
        }
    }

    fn terms(&self, patience: Patience) -> Table {
        let table = self.table.clone();
        match patience {
            Patience::Timeout(timeout) => table.with_timeout(timeout),
            _ => table,
        }
    }

    fn hash_key(&self) -> Bytes {
        Bytes::from(format!("caller {}", self.name))
    }
}

/// Whether a write may have been carried out of which nothing was heard.
fn is_unknown<T>(result: Option<&Result<T, Error>>) -> bool {
    match result {
        None => true,
        Some(Ok(_)) => false,
        Some(Err(error)) => error.outcome() == Outcome::Unknown,
    }
}
