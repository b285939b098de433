//! A worker that writes and reads while servers come and go.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use charioteer::Error;
use charioteer::pegasus::Table;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::chaos::Shift;
use crate::chaos::history::{Operation, State, What};
use crate::chaos::ledger::{Ledger, Told, number};

/// What a call may take.
pub(in crate::pegasus) const TIMEOUT: Duration = Duration::from_millis(500);

/// A call that takes so much longer is taken to hang.
const EVER: Duration = Duration::from_secs(20);

/// Operations on one shared row, after which workers go on to the next. Some more may be under way.
const ON_ONE_ROW: u64 = 48;

/// What all workers share.
#[derive(Debug)]
pub(in crate::pegasus) struct Office {
    pub(in crate::pegasus) table: Table,
    /// Puts calls and answers in order.
    clock: AtomicU64,
    /// How many calls have ended.
    pub(in crate::pegasus) ended: watch::Sender<u64>,
}

impl Office {
    pub(in crate::pegasus) fn new(table: &Table) -> Arc<Self> {
        let table = table.clone().with_timeout(TIMEOUT);
        Arc::new(Self { table, clock: AtomicU64::new(0), ended: watch::Sender::new(0) })
    }

    pub(in crate::pegasus) fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }
}

/// Workers that share rows.
#[derive(Debug, Default)]
pub(in crate::pegasus) struct Group {
    name: usize,
    counter: AtomicU64,
    register: AtomicU64,
    /// What one of them has last seen in a register.
    seen: Mutex<(u64, State)>,
}

impl Group {
    pub(in crate::pegasus) fn new(name: usize) -> Arc<Self> {
        Arc::new(Self { name, ..Self::default() })
    }
}

/// A worker.
pub(in crate::pegasus) struct Worker {
    name: usize,
    office: Arc<Office>,
    group: Arc<Group>,
    dice: fastrand::Rng,
    ledger: Ledger,
}

impl Worker {
    pub(in crate::pegasus) fn new(name: usize, office: &Arc<Office>, group: &Arc<Group>, seed: u64) -> Self {
        let (office, group) = (Arc::clone(office), Arc::clone(group));
        Self { name, office, group, dice: fastrand::Rng::with_seed(seed), ledger: Ledger::default() }
    }

    /// Works as long as that, and hands over what it was told.
    pub(in crate::pegasus) async fn work(mut self, shift: Shift) -> Ledger {
        while !shift.is_over(self.ledger.calls) {
            match self.dice.u32(..10) {
                0..=2 => self.set().await,
                3 | 4 => self.read_back().await,
                5..=7 => self.register().await,
                _ => self.counter().await,
            }
        }
        self.ledger
    }

    /// Sets a row that nobody else does, once, so that it does not matter how often the client sends it.
    async fn set(&mut self) {
        let key = format!("row {}-{}", self.name, self.ledger.rows.len());
        let office = Arc::clone(&self.office);
        let result = self.call(office.table.set(&key, "", key.clone())).await;
        self.ledger.rows.push((key, Told::of(&result)));
    }

    async fn read_back(&mut self) {
        let Some((key, told)) = self.dice.choice(&self.ledger.rows).cloned() else { return };
        let office = Arc::clone(&self.office);
        let Ok(value) = self.call(office.table.get(&key, "")).await else { return };
        if !told.allows(&key, value.as_deref()) {
            self.ledger.wrong.push(format!("{key}: {told:?}, and then read otherwise"));
        }
    }

    async fn counter(&mut self) {
        let row = self.group.counter.fetch_add(1, Ordering::Relaxed) / ON_ONE_ROW;
        let (key, office, called) =
            (format!("counter {}-{row}", self.group.name), Arc::clone(&self.office), self.office.now());
        if self.dice.u32(..4) == 0 {
            let result = self.call(office.table.get(&key, "")).await;
            return self.note_read(key, called, result);
        }
        let result = self.call(office.table.incr(&key, "", 1)).await;
        let told = Told::of(&result);
        self.note(key, called, told, What::Add(result.unwrap_or_default()));
    }

    async fn register(&mut self) {
        let row = self.group.register.fetch_add(1, Ordering::Relaxed) / ON_ONE_ROW;
        let (key, office, called) =
            (format!("register {}-{row}", self.group.name), Arc::clone(&self.office), self.office.now());
        if self.dice.u32(..4) == 0 {
            let result = self.call(office.table.get(&key, "")).await;
            return self.note_read(key, called, result);
        }
        let seen = *self.group.seen.lock();
        let expected = Some(seen).filter(|(of, _)| *of == row).and_then(|(_, state)| state);
        let desired = i64::try_from(called).unwrap();
        let text = |number: i64| Bytes::from(number.to_string());
        let exchange = office.table.compare_exchange(&key, "", expected.map(text), text(desired), None);
        let result = self.call(exchange).await;
        let told = Told::of(&result);
        let answer = result.map(|result| (result.exchanged, result.actual.map(|value| number(&value))));
        if let Ok((exchanged, actual)) = answer {
            *self.group.seen.lock() = (row, if exchanged { Some(desired) } else { actual });
        }
        self.note(key, called, told, What::Exchange(expected, Some(desired), answer.unwrap_or_default()));
    }

    fn note_read(&mut self, key: String, called: u64, result: Result<Option<Bytes>, Error>) {
        if let Ok(value) = result {
            self.note(key, called, Told::Acknowledged, What::Read(value.map(|value| number(&value))));
        }
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

    /// Makes a call, and sees when it ends.
    async fn call<T>(&mut self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let begun = Instant::now();
        let result = tokio::time::timeout(EVER, call).await.unwrap_or_else(|_| panic!("a call hangs"));
        let overrun = begun.elapsed().saturating_sub(TIMEOUT);
        self.ledger.longest_overrun = self.ledger.longest_overrun.max(overrun);
        self.ledger.calls += 1;
        self.office.ended.send_modify(|ended| *ended += 1);
        if let Err(error) = &result {
            self.ledger.failed += 1;
            if !error.is_retryable() {
                self.ledger.wrong.push(format!("fails for good: {error}"));
            }
        }
        result
    }
}
