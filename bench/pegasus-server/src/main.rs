//! Measures `charioteer serve --memory`, as Pegasus clients see it, beside a bare echo server that moves the same numbers of bytes.
//!
//! See the README beside this workspace for what the figures mean.

mod child;
mod echo;
#[cfg(test)]
mod fake;
mod generator;
mod pegasus;
mod process;
mod rows;
mod run;
mod statistics;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Why a measurement could not be made.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
#[command(about = "Charioteer's Pegasus server beside a bare echo server")]
struct Arguments {
    #[command(subcommand)]
    mode: Mode,
}

#[derive(Subcommand)]
enum Mode {
    /// Start both servers, load them in turn, print the figures; fails when one is beyond its bound.
    Run(run::Options),
    /// Answer every frame with a frame of one size, after printing the address.
    Echo(echo::Options),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().mode {
        Mode::Run(options) => run::run(&options),
        Mode::Echo(options) => echo::run(&options).map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        #[expect(clippy::print_stderr, reason = "a command tells its user why it stopped")]
        Err(error) => {
            eprintln!("bench-pegasus-server: {error}");
            ExitCode::from(2)
        }
    }
}
