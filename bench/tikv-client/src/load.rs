//! One load by one client, in a process of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::{Args, ValueEnum};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, json};

use crate::client::{Client, Whose};
use crate::txn::{TxnClient, Way};
use crate::{ALLOCATOR, Error};

/// How long a load lasts before anything is counted.
const WARM_UP: Duration = Duration::from_millis(300);

/// Keys that are got and put.
const KEYS: u32 = 10_000;
const VALUE_BYTES: usize = 128;

/// Rows that are scanned, and how many of them are put at a time.
const ROWS: u32 = 1_000_000;
const ROWS_AT_A_TIME: usize = 5_000;

/// Keys that each caller commits, in turn, so that no two callers want the same at a time.
const KEYS_OF_CALLER: usize = 8192;

/// All rows lie before this key, which is not in the last region: from there the crate begins anew, and without an end it stops at that of
/// the first region.
const END_OF_ROWS: u8 = 0xf0;

/// Keys and their values.
type Pairs = Arc<[(Bytes, Bytes)]>;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Work {
    /// Puts every key once
    Fill,
    /// Gets keys, and compares the values
    Get,
    /// Puts keys
    Put,
    /// Puts a million rows over nearly the whole space of keys
    FillRows,
    /// Reads all of these, one page after the other; a row is a call
    Scan,
    /// Commits transactions, each of some keys that lie beside each other
    Commit,
    /// Puts a million rows in transactions
    FillTxnRows,
    /// Reads all of these at a timestamp; a row is a call
    TxnScan,
}

#[derive(Args)]
pub(crate) struct Options {
    #[arg(long)]
    pub(crate) client: Whose,
    #[arg(long)]
    pub(crate) work: Work,
    /// Where PD is
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) pd: String,
    /// Tasks, each with one call in flight
    #[arg(long, default_value_t = 64)]
    pub(crate) callers: u64,
    /// How long is measured
    #[arg(long, default_value_t = 2.0)]
    pub(crate) seconds: f64,
    /// Keys of a transaction
    #[arg(long, default_value_t = 1)]
    pub(crate) keys: usize,
    /// Which way a transaction is committed
    #[arg(long, default_value = "two-phases")]
    pub(crate) way: Way,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measure(options))
}

async fn measure(options: &Options) -> Result<(), Error> {
    if matches!(options.work, Work::Commit | Work::FillTxnRows | Work::TxnScan) {
        return measure_txn(options).await;
    }
    let client = Client::connect(options.client, &options.pd).await?;
    if options.work == Work::Fill {
        for number in 0..KEYS {
            client.put(&key(number), &value(number)).await?;
        }
        return Ok(());
    }
    if options.work == Work::FillRows {
        let rows: Vec<_> = (0..ROWS).map(|number| (spread_key(number), value(number))).collect();
        for rows in rows.chunks(ROWS_AT_A_TIME) {
            client.batch_put(rows).await?;
        }
        return Ok(());
    }
    if options.work == Work::Scan {
        let before = Used::now();
        let rows = check_rows(client.scan_to(&[END_OF_ROWS]).await?)?;
        before.print(rows, &[]);
        return Ok(());
    }
    let pairs: Pairs = (0..KEYS).map(|number| (key(number), value(number))).collect();
    load(&client, &pairs, options, WARM_UP).await?;
    let before = Used::now();
    let calls = load(&client, &pairs, options, Duration::from_secs_f64(options.seconds)).await?;
    before.print(calls, &[]);
    Ok(())
}

async fn measure_txn(options: &Options) -> Result<(), Error> {
    let client = TxnClient::connect(options.client, &options.pd).await?;
    match options.work {
        Work::FillTxnRows => {
            let rows: Vec<_> = (0..ROWS).map(|number| (spread_key(number), value(number))).collect();
            for rows in rows.chunks(ROWS_AT_A_TIME) {
                client.commit(rows, Way::TwoPhases).await?;
            }
            client.settle().await;
        }
        Work::TxnScan => {
            let before = Used::now();
            let rows = check_rows(client.scan_to(&[END_OF_ROWS], ROWS).await?)?;
            before.print(rows, &[]);
        }
        _ => {
            let own = |caller| (0..KEYS_OF_CALLER).map(|number| (key_of(caller, number), value(0))).collect();
            let all: Vec<Pairs> = (0..options.callers).map(own).collect();
            commits(&client, &all, options, WARM_UP).await?;
            let (before, sent) = (Used::now(), client.requests());
            let commits = commits(&client, &all, options, Duration::from_secs_f64(options.seconds)).await?;
            before.print(commits, &since(&sent, client.requests()));
            client.settle().await;
        }
    }
    Ok(())
}

/// What was asked since.
fn since(before: &[(&'static str, u64)], now: Vec<(&'static str, u64)>) -> Vec<(&'static str, u64)> {
    let earlier = |name| before.iter().find(|(other, _)| *other == name).map_or(0, |(_, count)| *count);
    now.into_iter().map(|(name, count)| (name, count - earlier(name))).collect()
}

/// How many there are, which must be all.
fn check_rows((rows, bytes): (u64, u64)) -> Result<u64, Error> {
    if (rows, bytes) != (ROWS.into(), u64::from(ROWS) * VALUE_BYTES as u64) {
        return Err(format!("{rows} rows with {bytes} bytes were found").into());
    }
    Ok(rows)
}

/// How many transactions were committed.
async fn commits(client: &TxnClient, all: &[Pairs], options: &Options, time: Duration) -> Result<u64, Error> {
    let until = Instant::now() + time;
    let (keys, way) = (options.keys, options.way);
    let caller = |pairs: &Pairs| {
        let (client, pairs) = (client.clone(), Arc::clone(pairs));
        tokio::spawn(async move {
            let mut made = 0;
            for pairs in pairs.chunks_exact(keys).cycle() {
                if Instant::now() >= until {
                    break;
                }
                client.commit(pairs, way).await?;
                made += 1;
            }
            Ok::<u64, Error>(made)
        })
    };
    let mut made = 0;
    for caller in all.iter().map(caller).collect::<Vec<_>>() {
        made += caller.await??;
    }
    Ok(made)
}

/// How many calls were made.
async fn load(client: &Client, pairs: &Pairs, options: &Options, time: Duration) -> Result<u64, Error> {
    let until = Instant::now() + time;
    let calls = |caller| calls(client.clone(), Arc::clone(pairs), options.work, caller, until);
    let callers = (0..options.callers).map(|caller| tokio::spawn(calls(caller)));
    let mut made = 0;
    for caller in callers.collect::<Vec<_>>() {
        made += caller.await??;
    }
    Ok(made)
}

async fn calls(client: Client, pairs: Pairs, work: Work, caller: u64, until: Instant) -> Result<u64, Error> {
    let mut dice = fastrand::Rng::with_seed(caller);
    let mut made = 0;
    while Instant::now() < until {
        let (key, value) = &pairs[dice.usize(..pairs.len())];
        if work == Work::Put {
            client.put(key, value).await?;
        } else if client.get(key).await?.as_ref() != Some(value) {
            return Err("a value is not what was put".into());
        }
        made += 1;
    }
    Ok(made)
}

fn key(number: u32) -> Bytes {
    format!("key {number:012}").into()
}

/// A key of a caller, all of which lie beside each other, those of the callers spread over all regions.
fn key_of(caller: u64, number: usize) -> Bytes {
    let place = u8::try_from(caller * 16 % 0xf0).unwrap_or_default();
    [&[place][..], format!("{caller:03} key {number:07}").as_bytes()].concat().into()
}

/// Keys of 16 bytes whose first bytes are spread evenly, as the regions of a new cluster are.
fn spread_key(number: u32) -> Bytes {
    let place = u64::from(number) * ((u64::from(END_OF_ROWS) << 56) / u64::from(ROWS));
    [place.to_be_bytes(), u64::from(number).to_be_bytes()].concat().into()
}

fn value(number: u32) -> Bytes {
    format!("{number:0VALUE_BYTES$}").into()
}

/// What the process has used by a moment.
struct Used {
    at: Instant,
    processor: Duration,
    allocations: usize,
    allocated_bytes: usize,
}

impl Used {
    fn now() -> Self {
        let allocated = ALLOCATOR.stats();
        let processor = clock_gettime(ClockId::ProcessCPUTime);
        let nanoseconds = u64::try_from(processor.tv_sec).unwrap_or_default() * 1_000_000_000
            + u64::try_from(processor.tv_nsec).unwrap_or_default();
        Self {
            at: Instant::now(),
            processor: Duration::from_nanos(nanoseconds),
            allocations: allocated.allocations + allocated.reallocations,
            allocated_bytes: allocated.bytes_allocated,
        }
    }

    /// What was used since, and what was asked, for each call.
    #[expect(clippy::print_stdout, reason = "the figures are what the program is for")]
    fn print(self, calls: u64, requests: &[(&str, u64)]) {
        let now = Self::now();
        let each = calls.max(1) as f64;
        let requests: Map<_, _> =
            requests.iter().map(|(name, count)| ((*name).to_owned(), json!(*count as f64 / each))).collect();
        let figures = json!({
            "per_second": calls as f64 / now.at.duration_since(self.at).as_secs_f64(),
            "cpu_us": (now.processor - self.processor).as_secs_f64() * 1e6 / each,
            "allocations": (now.allocations - self.allocations) as f64 / each,
            "allocated_bytes": (now.allocated_bytes - self.allocated_bytes) as f64 / each,
            "peak_mib": peak_mib(),
            "requests": requests,
        });
        println!("{figures}");
    }
}

/// The most memory that the process has had.
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
}
