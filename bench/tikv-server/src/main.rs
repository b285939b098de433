//! Measures `charioteer serve --memory`, as clients see it that send batches of raw gets, beside a bare stream of tonic's that moves
//! messages of the same sizes, and the engine's own part of it.
//!
//! See the README beside this workspace for what the figures mean.

mod child;
mod echo;
mod engine;
mod load;
mod rows;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Why a measurement could not be made.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
#[command(about = "Charioteer's TiKV server beside a bare stream of tonic's")]
struct Arguments {
    #[command(subcommand)]
    mode: Mode,
}

#[derive(Subcommand)]
enum Mode {
    /// Start both servers, load them in turn, print the figures; fails when the bound is missed.
    Run(run::Options),
    /// Answer every message of a stream with a message of one size, after printing the address.
    Echo(echo::Options),
}

#[expect(clippy::print_stderr, reason = "it tells people why it failed")]
fn main() -> ExitCode {
    let outcome = match Arguments::parse().mode {
        Mode::Run(options) => run::run(&options),
        Mode::Echo(options) => echo::run(&options).map(|()| true),
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
