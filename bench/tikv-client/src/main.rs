//! Charioteer's clients of TiKV, raw and transactional, beside those of the crate `tikv-client` and client-go, all against `charioteer serve --memory`.
//!
//! See the README beside this workspace for what the figures mean.

mod client;
mod load;
mod run;
mod server;
mod txn;

use std::alloc::System;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// Counts what is allocated, which costs both clients a little for each allocation.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Why something could not be measured.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
#[command(about = "Charioteer's clients of TiKV beside the crate tikv-client and client-go")]
struct Arguments {
    #[command(subcommand)]
    mode: Mode,
}

#[derive(Subcommand)]
enum Mode {
    /// Start servers, have two clients load them in turn, print the figures; fails when a bound is missed
    Run(run::Options),
    /// One load by one client; prints a line of JSON
    Load(load::Options),
}

#[expect(clippy::print_stderr, reason = "it tells people why it failed")]
fn main() -> ExitCode {
    let outcome = match Arguments::parse().mode {
        Mode::Run(options) => run::run(&options),
        Mode::Load(options) => load::run(&options).map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
