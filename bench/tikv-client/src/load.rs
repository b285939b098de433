//! One load by one client, in a process of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::{Args, ValueEnum};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use crate::client::{Client, Whose};
use crate::{ALLOCATOR, Error};

/// How long a load lasts before anything is counted.
const WARM_UP: Duration = Duration::from_millis(300);

/// Keys that are got and put.
const KEYS: u32 = 10_000;
const VALUE_BYTES: usize = 128;

/// Rows that are scanned, and how many of them are put at a time.
const ROWS: u32 = 1_000_000;
const ROWS_AT_A_TIME: usize = 5_000;

/// All of them lie before this key, which is not in the last region: from there the crate begins anew, and without an end it stops at that of
/// the first region.
const END_OF_ROWS: u8 = 0xf0;

/// All keys and their values.
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
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measure(options))
}

async fn measure(options: &Options) -> Result<(), Error> {
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
        let (rows, bytes) = client.scan_to(&[END_OF_ROWS]).await?;
        if (rows, bytes) != (ROWS.into(), u64::from(ROWS) * VALUE_BYTES as u64) {
            return Err(format!("{rows} rows with {bytes} bytes were found").into());
        }
        before.print(rows);
        return Ok(());
    }
    let pairs: Pairs = (0..KEYS).map(|number| (key(number), value(number))).collect();
    load(&client, &pairs, options, WARM_UP).await?;
    let before = Used::now();
    let calls = load(&client, &pairs, options, Duration::from_secs_f64(options.seconds)).await?;
    before.print(calls);
    Ok(())
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

    /// What was used since, for each call.
    #[expect(clippy::print_stdout, reason = "the figures are what the program is for")]
    fn print(self, calls: u64) {
        let now = Self::now();
        let each = calls.max(1) as f64;
        let figures = json!({
            "per_second": calls as f64 / now.at.duration_since(self.at).as_secs_f64(),
            "cpu_us": (now.processor - self.processor).as_secs_f64() * 1e6 / each,
            "allocations": (now.allocations - self.allocations) as f64 / each,
            "allocated_bytes": (now.allocated_bytes - self.allocated_bytes) as f64 / each,
            "peak_mib": peak_mib(),
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
