//! A worker that writes and reads while the cluster moves.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use charioteer::Error;
use charioteer::tikv::{RawClient, ReadFrom, ScanOptions, Scanner};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::faults::is_meant_for_good;
use crate::chaos::Shift;
use crate::chaos::history::{Operation, State, What};
use crate::chaos::ledger::{Ledger, Told, number};

/// What a call may take.
const TIMEOUT: Duration = Duration::from_millis(500);

/// A call that takes so much longer is taken to hang.
const EVER: Duration = Duration::from_secs(20);

/// Operations on one register, after which workers go on to the next. Some more may be under way.
const ON_ONE_REGISTER: u64 = 48;

/// A scan that fails so often is not gone on with.
const FAILED_SCANS: u32 = 10;

/// What all workers share.
#[derive(Debug)]
pub(super) struct Office {
    /// Puts calls and answers in order.
    clock: AtomicU64,
    /// How many calls have ended.
    pub(super) ended: watch::Sender<u64>,
}

impl Default for Office {
    fn default() -> Self {
        Self { clock: AtomicU64::new(0), ended: watch::Sender::new(0) }
    }
}

impl Office {
    pub(super) fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }
}

/// Workers that share registers.
#[derive(Debug, Default)]
pub(super) struct Group {
    name: usize,
    operations: AtomicU64,
    /// What one of them has last seen in a register.
    seen: Mutex<(u64, State)>,
}

impl Group {
    pub(super) fn new(name: usize) -> Arc<Self> {
        Arc::new(Self { name, ..Self::default() })
    }
}

/// A key among those that workers use, and a border between them as good as any.
pub(super) fn any_key(dice: &mut fastrand::Rng) -> String {
    match dice.u32(..3) {
        0 => format!("register {}-{:03}", dice.u32(..8), dice.u32(..20)),
        _ => format!("row {:02}-{:05}", dice.u32(..32), dice.u32(..200)),
    }
}

/// A register of which more is known than of most, and a number that it held before others.
pub(super) fn register(ledger: &Ledger, operations: usize) -> (String, i64) {
    let written = |operation: &Operation| match operation.what {
        What::Exchange(_, Some(number), (true, _)) | What::Write(Some(number)) => Some(number),
        _ => None,
    };
    let long = ledger.histories.iter().filter(|(_, history)| history.len() >= operations);
    let mut held = long.map(|(key, history)| (key.clone(), history.iter().filter_map(written).min()));
    held.find_map(|(key, number)| Some((key, number?))).unwrap()
}

/// A worker.
pub(super) struct Worker {
    name: usize,
    /// Makes writes again of which nothing was heard.
    client: RawClient,
    /// Has its writes in one order with compare-and-swap.
    atomic: RawClient,
    /// Reads wherever it comes.
    anywhere: RawClient,
    office: Arc<Office>,
    group: Arc<Group>,
    dice: fastrand::Rng,
    ledger: Ledger,
}

impl Worker {
    pub(super) fn new(name: usize, client: &RawClient, office: &Arc<Office>, group: &Arc<Group>, seed: u64) -> Self {
        let client = client.clone().with_timeout(TIMEOUT);
        let (office, group) = (Arc::clone(office), Arc::clone(group));
        Self {
            name,
            atomic: client.clone().with_atomic(true),
            anywhere: client.clone().with_read_from(ReadFrom::Any),
            client,
            office,
            group,
            dice: fastrand::Rng::with_seed(seed),
            ledger: Ledger::default(),
        }
    }

    /// Works as long as that, and hands over what it was told.
    pub(super) async fn work(mut self, shift: Shift) -> Ledger {
        while !shift.is_over(self.ledger.calls) {
            match self.dice.u32(..40) {
                0..=7 => self.put().await,
                8 | 9 => self.put_several().await,
                10..=13 => self.read_back().await,
                14 | 15 => self.read_several_back().await,
                16 => self.scan().await,
                _ => self.register().await,
            }
        }
        self.ledger
    }

    /// A row that nobody else writes, and that is written once, so that it does not matter how often the client sends it.
    fn new_row(&self, further: usize) -> String {
        format!("row {:02}-{:05}", self.name, self.ledger.rows.len() + further)
    }

    async fn put(&mut self) {
        let (key, client) = (self.new_row(0), self.client.clone());
        let result = self.call(client.put(&key, key.clone())).await;
        self.ledger.rows.push((key, Told::of(&result)));
    }

    async fn put_several(&mut self) {
        let keys: Vec<_> = (0..self.dice.usize(1..16)).map(|further| self.new_row(further)).collect();
        let client = self.client.clone();
        let put = client.batch_put(keys.iter().map(|key| (key, key.clone())));
        let results = self.call(async { Ok(put.await) }).await.unwrap();
        assert_eq!(results.len(), keys.len());
        for (key, result) in keys.into_iter().zip(results) {
            self.look_at(&result);
            self.ledger.rows.push((key, Told::of(&result)));
        }
    }

    async fn read_back(&mut self) {
        let Some((key, told)) = self.dice.choice(&self.ledger.rows).cloned() else { return };
        let client = self.reader();
        let Ok(value) = self.call(client.get(&key)).await else { return };
        self.check(&key, told, value.as_deref());
    }

    async fn read_several_back(&mut self) {
        let many = self.dice.usize(1..16);
        let rows: Vec<_> = (0..many).filter_map(|_| self.dice.choice(&self.ledger.rows).cloned()).collect();
        let client = self.reader();
        let got = client.batch_get(rows.iter().map(|(key, _)| key));
        let results = self.call(async { Ok(got.await) }).await.unwrap();
        assert_eq!(results.len(), rows.len());
        for ((key, told), result) in rows.iter().zip(results) {
            self.look_at(&result);
            if let Ok(value) = result {
                self.check(key, *told, value.as_deref());
            }
        }
    }

    /// Reads all rows of its own, in whichever direction, and looks whether they are what they must be.
    async fn scan(&mut self) {
        let mut options = ScanOptions::default();
        (options.batch_size, options.reverse) = (self.dice.u32(5..50), self.dice.bool());
        let (start, end) = (format!("row {:02}-", self.name), format!("row {:02}.", self.name));
        let scanner = self.reader().scan_with(start, end, &options).unwrap();
        let Some(found) = self.rows_of(scanner).await else { return };
        if !found.is_sorted_by(|one, other| (one.0 < other.0) != options.reverse) {
            self.ledger.wrong.push(format!("a scan out of order: {found:?}"));
        }
        let mut found: HashMap<_, _> = found.into_iter().collect();
        for (key, told) in self.ledger.rows.clone() {
            let value = found.remove(key.as_bytes());
            self.check(&key, told, value.as_deref());
        }
        if let Some(key) = found.keys().next() {
            self.ledger.wrong.push(format!("a scan found what was never put: {key:?}"));
        }
    }

    async fn rows_of(&mut self, mut scanner: Scanner) -> Option<Vec<(Bytes, Bytes)>> {
        let (mut rows, mut failed) = (Vec::new(), 0);
        loop {
            let next = tokio::time::timeout(EVER, scanner.next()).await;
            match next.unwrap_or_else(|_| panic!("a scan hangs: {scanner:?}")) {
                Ok(Some(row)) => rows.push((row.key, row.value)),
                Ok(None) => return Some(rows),
                Err(error) => {
                    self.look_at::<()>(&Err(error));
                    failed += 1;
                    if failed > FAILED_SCANS {
                        return None;
                    }
                }
            }
        }
    }

    /// Reads or writes the register of the group whose turn it is.
    async fn register(&mut self) {
        let turn = self.group.operations.fetch_add(1, Ordering::Relaxed) / ON_ONE_REGISTER;
        let (key, called) = (format!("register {}-{turn:03}", self.group.name), self.office.now());
        let seen = Some(*self.group.seen.lock()).filter(|(of, _)| *of == turn).and_then(|(_, state)| state);
        let desired = i64::try_from(called).unwrap();
        match self.dice.u32(..20) {
            0..=4 => self.read(key, turn, called).await,
            5 | 6 => self.write(key, called, Some(desired)).await,
            7 => self.write(key, called, None).await,
            8 | 9 if seen.is_some() => self.exchange(key, turn, called, seen, None).await,
            _ => self.exchange(key, turn, called, seen, Some(desired)).await,
        }
    }

    async fn read(&mut self, key: String, turn: u64, called: u64) {
        let client = self.reader();
        if let Ok(value) = self.call(client.get(&key)).await {
            let state = value.map(|value| number(&value));
            *self.group.seen.lock() = (turn, state);
            self.note(key, called, Told::Acknowledged, What::Read(state));
        }
    }

    async fn write(&mut self, key: String, called: u64, desired: State) {
        let client = self.atomic.clone();
        let result = match desired {
            Some(desired) => self.call(client.put(&key, desired.to_string())).await,
            None => self.call(client.delete(&key)).await,
        };
        self.note(key, called, Told::of(&result), What::Write(desired));
    }

    async fn exchange(&mut self, key: String, turn: u64, called: u64, expected: State, desired: State) {
        let text = |number: i64| Bytes::from(number.to_string());
        let client = self.atomic.clone();
        let result = match (expected, desired) {
            (Some(expected), None) => self.call(client.compare_and_delete(&key, text(expected))).await,
            _ => {
                let desired = text(desired.unwrap_or_default());
                self.call(client.compare_and_swap(&key, expected.map(text), desired)).await
            }
        };
        let told = Told::of(&result);
        let answer = result.map(|swap| (swap.swapped, swap.previous.map(|value| number(&value))));
        if let Ok((swapped, previous)) = answer {
            *self.group.seen.lock() = (turn, if swapped { desired } else { previous });
        }
        self.note(key, called, told, What::Exchange(expected, desired, answer.unwrap_or_default()));
    }

    fn note(&mut self, key: String, called: u64, told: Told, what: What) {
        let answered = match told {
            Told::Acknowledged => Some(self.office.now()),
            Told::Unknown => None,
            // It has not taken effect. If it has after all, there is no history that explains it.
            Told::NotApplied => return,
        };
        self.ledger.histories.entry(key).or_default().push(Operation { called, answered, what });
    }

    fn reader(&mut self) -> RawClient {
        if self.dice.u32(..3) == 0 { self.anywhere.clone() } else { self.client.clone() }
    }

    fn check(&mut self, key: &str, told: Told, value: Option<&[u8]>) {
        if !told.allows(key, value) {
            self.ledger.wrong.push(format!("{key}: {told:?}, and then read as {value:?}"));
        }
    }

    /// Makes a call, and sees when it ends.
    async fn call<T>(&mut self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let begun = Instant::now();
        let result = tokio::time::timeout(EVER, call).await.unwrap_or_else(|_| panic!("a call hangs"));
        let overrun = begun.elapsed().saturating_sub(TIMEOUT);
        self.ledger.longest_overrun = self.ledger.longest_overrun.max(overrun);
        self.ledger.calls += 1;
        self.office.ended.send_modify(|ended| *ended += 1);
        self.look_at(&result);
        result
    }

    fn look_at<T>(&mut self, result: &Result<T, Error>) {
        if let Err(error) = result {
            self.ledger.failed += 1;
            if !error.is_retryable() && !is_meant_for_good(error) {
                self.ledger.wrong.push(format!("fails for good: {error:?}"));
            }
        }
    }
}
