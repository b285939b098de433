//! A worker that appends to lists and reads them, in all ways, and whose client vanishes now and then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use charioteer::tikv::{Locking, PipelinedOptions, PipelinedTransaction, Transaction, TxnClient, TxnOptions};
use charioteer::{Error, Outcome};
use charioteer_server::testing::TestServer;

use super::history::{Did, List, Told, Txn};
use crate::tikv::txn::disturber::{Progress, hasty};
use crate::tikv::txn::support::WAYS;

/// How many lists are appended to at a time, and how often, before another takes a list's place.
pub(super) const PLACES: usize = 6;
const APPENDS: usize = 40;

/// What all workers share.
pub(super) struct Lists {
    pub(super) progress: Progress,
    appended: [AtomicUsize; PLACES],
    numbers: AtomicU64,
}

impl Lists {
    pub(super) fn new(progress: Progress) -> Self {
        Self { progress, appended: <[AtomicUsize; PLACES]>::default(), numbers: AtomicU64::new(0) }
    }

    /// The list that has a place now.
    fn at(&self, place: usize) -> List {
        place + PLACES * (self.appended[place].load(Ordering::Relaxed) / APPENDS)
    }

    /// All lists so far.
    pub(super) fn all(&self) -> Vec<List> {
        let of = |place| (0..=self.at(place) / PLACES).map(move |generation| place + PLACES * generation);
        (0..PLACES).flat_map(of).collect()
    }
}

/// The key of a list.
pub(super) fn key(list: List) -> String {
    format!("list {}-{:06}", list % PLACES, list / PLACES)
}

pub(super) fn numbers(value: Option<Bytes>) -> Vec<u64> {
    let text = value.map(|value| String::from_utf8_lossy(&value).into_owned()).unwrap_or_default();
    text.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// What a transaction is going to do.
#[derive(Clone, Debug)]
struct Intent {
    how: How,
    /// Lists, and how many numbers are appended to each.
    steps: Vec<(List, Vec<u64>)>,
    /// Whether what it reads it reads at once, and by a scan.
    by_scan: bool,
}

/// How a transaction goes about it.
#[derive(Clone, Debug)]
enum How {
    /// It only reads.
    Snapshot,
    Usual(TxnOptions),
    /// It sends everything as soon as it is written, or with the commit.
    Pipelined(PipelinedOptions),
}

pub(super) struct Worker {
    server: Arc<TestServer>,
    lists: Arc<Lists>,
    client: TxnClient,
    dice: fastrand::Rng,
    history: Vec<Txn>,
}

impl Worker {
    pub(super) fn new(server: &Arc<TestServer>, lists: &Arc<Lists>, seed: u64) -> Self {
        let client = hasty(server);
        let (server, lists) = (Arc::clone(server), Arc::clone(lists));
        Self { server, lists, client, dice: fastrand::Rng::with_seed(seed), history: Vec::new() }
    }

    /// Works for as long as that goes on, and hands over what it has done and was told.
    pub(super) async fn work(mut self) -> Vec<Txn> {
        while self.lists.progress.goes_on() {
            let intent = self.intent();
            self.carry_out(intent).await;
        }
        self.history
    }

    fn intent(&mut self) -> Intent {
        let how = self.how();
        let is_writing = !matches!(how, How::Snapshot);
        let mut steps = BTreeMap::new();
        for _ in 0..self.dice.usize(1..5) {
            let place = self.dice.usize(..PLACES);
            let count = [0, 1, 1, 1, 2][self.dice.usize(..5)];
            steps.insert(place, if is_writing { count } else { 0 });
        }
        if is_writing && steps.values().all(|count| *count == 0) {
            steps.insert(self.dice.usize(..PLACES), 1);
        }
        let mut steps: Vec<_> = steps.into_iter().map(|(place, count)| self.step(place, count)).collect();
        self.dice.shuffle(&mut steps);
        Intent { how, steps, by_scan: self.dice.bool() }
    }

    fn step(&self, place: usize, count: usize) -> (List, Vec<u64>) {
        let list = self.lists.at(place);
        self.lists.appended[place].fetch_add(count, Ordering::Relaxed);
        let number = || self.lists.numbers.fetch_add(1, Ordering::Relaxed);
        (list, (0..count).map(|_| number()).collect())
    }

    fn how(&mut self) -> How {
        match self.dice.u32(..8) {
            0 | 1 => How::Snapshot,
            2 => {
                let mut options = PipelinedOptions::default();
                if self.dice.bool() {
                    options.flush_bytes = 1;
                }
                How::Pipelined(options)
            }
            _ => How::Usual(self.options()),
        }
    }

    fn options(&mut self) -> TxnOptions {
        let mut options = WAYS[self.dice.usize(..WAYS.len())].options();
        options.locking = if self.dice.bool() { Locking::Optimistic } else { Locking::Pessimistic };
        options.fair_locking = self.dice.bool();
        options.lock_ttl = Duration::from_secs(2);
        options
    }

    async fn carry_out(&mut self, intent: Intent) {
        let reads_at_once = !matches!(&intent.how, How::Usual(options) if options.locking == Locking::Pessimistic);
        let began = self.lists.progress.now();
        let running = tokio::spawn(run(self.client.clone(), intent));
        if self.dice.u32(..12) == 0 {
            let often = self.dice.u64(..12);
            tokio::time::sleep(Duration::from_micros(300 * often)).await;
            self.client.close();
            self.client = hasty(&self.server);
        }
        let (did, told) = running.await.unwrap();
        let ended = self.lists.progress.now();
        self.lists.progress.one_ended(told == Told::Committed);
        self.history.push(Txn { began, ended, told, reads_at_once, did });
    }
}

/// Carries out a transaction, and tells what it has done, and what became of it.
async fn run(client: TxnClient, intent: Intent) -> (Vec<Did>, Told) {
    let mut did = Vec::new();
    let committed = match &intent.how {
        How::Snapshot => Ok(read(&client, &intent, &mut did).await.map(|()| None)),
        How::Usual(options) => match append(&client, options, &intent, &mut did).await {
            Ok(txn) => Ok(txn.commit().await),
            Err(error) => Err(error),
        },
        How::Pipelined(options) => match send(&client, options, &intent, &mut did).await {
            Ok(txn) => Ok(txn.commit().await),
            Err(error) => Err(error),
        },
    };
    let told = match committed {
        Ok(Ok(_)) => Told::Committed,
        Ok(Err(error)) if error.outcome() == Outcome::Unknown => Told::Unknown,
        // Whatever is not known of what comes before a commit, nothing of it happens.
        Ok(Err(_)) | Err(_) => Told::Failed,
    };
    (did, told)
}

async fn read(client: &TxnClient, intent: &Intent, did: &mut Vec<Did>) -> Result<(), Error> {
    let snapshot = client.snapshot().await?;
    let keys: Vec<String> = intent.steps.iter().map(|(list, _)| key(*list)).collect();
    if !intent.by_scan {
        let values = snapshot.batch_get(&keys).await?;
        did.extend(intent.steps.iter().zip(values).map(|((list, _), value)| Did::Read(*list, numbers(value))));
        return Ok(());
    }
    for ((list, _), key) in intent.steps.iter().zip(&keys) {
        let row = snapshot.scan(key, format!("{key}~"))?.next().await?;
        did.push(Did::Read(*list, numbers(row.map(|row| row.value))));
    }
    Ok(())
}

async fn append(
    client: &TxnClient,
    options: &TxnOptions,
    intent: &Intent,
    did: &mut Vec<Did>,
) -> Result<Transaction, Error> {
    let mut txn = client.begin_with(options).await?;
    for (list, appended) in &intent.steps {
        let key = key(*list);
        let before = if txn.is_pessimistic() { txn.get_for_update(&key).await? } else { txn.get(&key).await? };
        let mut now = numbers(before);
        did.push(Did::Read(*list, now.clone()));
        for number in appended {
            now.push(*number);
            txn.put(&key, text(&now)).await?;
            did.push(Did::Append(*list, *number));
        }
        if appended.len() > 1 {
            did.push(Did::Read(*list, numbers(txn.get(&key).await?)));
        }
    }
    Ok(txn)
}

async fn send(
    client: &TxnClient,
    options: &PipelinedOptions,
    intent: &Intent,
    did: &mut Vec<Did>,
) -> Result<PipelinedTransaction, Error> {
    let mut txn = client.begin_pipelined(options).await?;
    for (list, appended) in &intent.steps {
        let key = key(*list);
        let mut now = numbers(txn.get(&key).await?);
        did.push(Did::Read(*list, now.clone()));
        for number in appended {
            now.push(*number);
            txn.put(&key, text(&now)).await?;
            did.push(Did::Append(*list, *number));
            did.push(Did::Read(*list, numbers(txn.get(&key).await?)));
        }
    }
    Ok(txn)
}

fn text(numbers: &[u64]) -> String {
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}
