//! Measures the cache of the engine: how often it has what is asked for, beside memcached's segmented LRU and others, how
//! fast it is, and what an item takes.
//!
//! See the README beside this workspace for what the figures mean.

mod hits;
mod lists;
mod policies;
mod speed;
mod trace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "The cache of the engine beside memcached's segmented LRU")]
struct Arguments {
    #[command(subcommand)]
    mode: Mode,
}

#[derive(Subcommand)]
enum Mode {
    /// Print hit ratios; fails when one is below that of the segmented LRU
    Hits(hits::Options),
    /// Print operations per second and bytes per item; fails when an item takes too much
    Speed(speed::Options),
}

fn main() -> ExitCode {
    let is_good = match Arguments::parse().mode {
        Mode::Hits(options) => hits::run(&options),
        Mode::Speed(options) => speed::run(&options),
    };
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
