//! Loads a Pegasus server through Charioteer's client and prints one line of JSON that says how that went.
//!
//! The program in `../go` has the same flags, does the same and prints the same, through the Go client of Apache Pegasus.

mod figures;
mod histogram;
mod load;
mod rows;
mod scan;

use std::alloc::System;
use std::process::ExitCode;
use std::time::Duration;

use charioteer::pegasus::{Client, Table};
use clap::{Parser, ValueEnum};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use crate::figures::Figures;

/// Counts what is allocated, which costs the client a little and the Go client nothing: its runtime counts anyway.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Why a load could not be measured.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// How long a load lasts before anything is counted.
pub(crate) const WARM_UP: Duration = Duration::from_millis(500);

#[derive(Parser)]
#[command(about = "A load on a Pegasus server through Charioteer's client")]
pub(crate) struct Options {
    /// The meta servers
    #[arg(long, value_name = "HOST:PORT,…", default_value = "127.0.0.1:34601")]
    metas: String,
    /// The table
    #[arg(long, default_value = "temp")]
    table: String,
    /// What is done
    #[arg(long, default_value = "get")]
    work: Work,
    /// Tasks, each with one call in flight; for scans, scanners
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    callers: u16,
    /// How long is measured; scans are finished
    #[arg(long, default_value_t = 5.0, value_parser = seconds)]
    seconds: f64,
    /// Rows that are set and read; a scan must find as many
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    rows: u32,
    /// What the tasks run on
    #[arg(long, default_value = "multi-thread")]
    runtime: Runtime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Work {
    /// Sets the rows once
    Load,
    /// Gets rows
    Get,
    /// Sets rows
    Set,
    /// As many gets as sets
    Mixed,
    /// Scans the whole table
    Scan,
}

#[derive(Clone, Copy, ValueEnum)]
enum Runtime {
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
            eprintln!("bench-pegasus-client: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<Option<Figures>, Error> {
    let mut runtime = match options.runtime {
        Runtime::CurrentThread => tokio::runtime::Builder::new_current_thread(),
        Runtime::MultiThread => tokio::runtime::Builder::new_multi_thread(),
    };
    runtime.enable_all().build()?.block_on(measure(options))
}

async fn measure(options: &Options) -> Result<Option<Figures>, Error> {
    let client = Client::connect(&format!("pegasus://{}", options.metas)).await?;
    let table: Table = client.open_table(&options.table).await?;
    match options.work {
        Work::Load => rows::fill(&table, options.rows).await.map(|()| None),
        Work::Scan => scan::measure(&table, options).await.map(Some),
        Work::Get | Work::Set | Work::Mixed => load::measure(&table, options).await.map(Some),
    }
}
