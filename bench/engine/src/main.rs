//! Measures the store on disk beside bare fjall, which it stands on, and RocksDB.
//!
//! See the README beside this workspace for what the figures mean.

mod comparison;
mod run;
mod side;
mod statistics;
mod stores;

use std::process::ExitCode;

use bench_store_load::{Error, Turn};
use clap::{Parser, Subcommand};

use crate::side::Held;

#[derive(Parser)]
#[command(about = "Charioteer's store on disk beside bare fjall, and RocksDB")]
struct Arguments {
    #[command(subcommand)]
    mode: Mode,
}

#[derive(Subcommand)]
enum Mode {
    /// Give the stores their turns, print the figures; fails when one is beyond its bound
    Run(run::Options),
    /// Take one turn and print what it found
    Turn {
        /// The store whose turn it is
        #[arg(long, value_enum)]
        store: Held,
        #[command(flatten)]
        turn: Turn,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().mode {
        Mode::Run(options) => run::run(&options),
        Mode::Turn { store, turn } => take(store, &turn),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        #[expect(clippy::print_stderr, reason = "a command tells its user why it stopped")]
        Err(error) => {
            eprintln!("bench-engine: {error}");
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what the program is for")]
fn take(store: Held, turn: &Turn) -> Result<bool, Error> {
    let figures = match store {
        Held::Ours => turn.take::<stores::Ours>()?,
        Held::OursTasks => turn.take::<stores::OursByTasks>()?,
        Held::Fjall => turn.take::<stores::BareFjall>()?,
    };
    println!("{figures}");
    Ok(true)
}
