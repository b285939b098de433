//! One load on one server, by one kind of client, and one line of JSON that says how it went.
//!
//! - `raw` speaks to servers without any client: what it sends was made before, and it compares every byte of what comes back;
//! - `peers` are the clients, ours among them, and `callers` has each caller make one call after the other;
//! - `items` is what is stored, `figures` what is told, `process` what Linux says of processes.

mod callers;
mod figures;
mod items;
mod peers;
mod process;
mod raw;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::figures::Figures;

/// Why a load could not be measured.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// How long a load lasts before anything is counted.
pub(crate) const WARM_UP: Duration = Duration::from_millis(200);

#[derive(Parser)]
#[command(about = "A load on a memcached, which prints a line of JSON")]
pub(crate) struct Options {
    /// The server
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:11211")]
    server: SocketAddr,
    /// The server's process, to tell what processor time it takes
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Who asks
    #[arg(long, default_value = "raw")]
    client: Client,
    /// What is asked
    #[arg(long, default_value = "mixed")]
    work: Work,
    /// Keys in one call
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    keys: u16,
    /// Callers, each of which awaits one call; of the raw client, calls in flight on each connection
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    callers: u16,
    /// Connections
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: u16,
    /// What the raw client and Charioteer's speak
    #[arg(long, default_value = "binary")]
    protocol: Protocol,
    /// Charioteer's client may leave the versions of many items away, which the others do not tell
    #[arg(long)]
    without_versions: bool,
    /// What the callers of asynchronous clients run on
    #[arg(long, default_value = "multi-thread")]
    runtime: Runtime,
    /// How long is measured
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    seconds: f64,
    /// Items, all of which are there
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1000..=100_000_000))]
    items: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Client {
    /// None: packets that were made before
    Raw,
    /// Charioteer's
    Charioteer,
    /// The crate `memcache`, its older interface, by the text protocol
    MemcacheAscii,
    /// The same by the binary protocol
    MemcacheBinary,
    /// The crate `memcache`, its newer interface for threads
    MemcacheExp,
    /// The crate `memcache`, its newer interface for tasks
    MemcacheExpAsync,
    /// The crate `async-memcached`
    AsyncMemcached,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Work {
    /// Sets every item once
    Fill,
    /// Gets
    Get,
    /// Sets
    Set,
    /// As many gets as sets, in no order
    Mixed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    Binary,
    Meta,
    Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtime {
    /// One thread, which everything shares
    CurrentThread,
    /// A thread for each processor
    MultiThread,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.05..=3600.0).contains(&seconds) { Ok(seconds) } else { Err("from 0.05 to 3600".into()) }
}

impl Options {
    pub(crate) fn time(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(None) => ExitCode::SUCCESS,
        #[expect(clippy::print_stdout, reason = "the figures are what the program is for")]
        Ok(Some(figures)) => {
            println!("{}", figures.json());
            ExitCode::SUCCESS
        }
        #[expect(clippy::print_stderr, reason = "a command tells its user why it stopped")]
        Err(error) => {
            eprintln!("bench-memcached: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<Option<Figures>, Error> {
    match (options.work, options.client) {
        (Work::Fill, _) => raw::fill(options).map(|()| None),
        (_, Client::Raw) => raw::measure(options).map(Some),
        _ => peers::measure(options).map(Some),
    }
}
