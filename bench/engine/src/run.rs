//! The measurement: the sides take turns in each phase, then comes the verdict.

use std::fmt;
use std::path::PathBuf;

use bench_store_load::{Error, Figures, Phase, Turn};
use clap::ValueEnum;

use crate::comparison::{Check, Comparison};
use crate::side::Side;

/// What the measurement is told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The program that holds RocksDB, to have it take turns too
    #[arg(long, value_name = "PROGRAM")]
    with: Option<PathBuf>,
    /// Phases, instead of all
    #[arg(value_enum)]
    phases: Vec<Phase>,
    /// How many turns each side has in a phase
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..))]
    turns: u16,
    /// Rows that a store holds
    #[arg(long, default_value_t = 300_000, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    rows: u32,
    /// How long the phases last that wait for the disk, in milliseconds
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(10..=3_600_000))]
    milliseconds: u32,
    /// Where to make the stores; the disk below it is what is measured
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,
}

/// Measures and prints; says whether everything is within its bounds.
pub(crate) fn run(options: &Options) -> Result<bool, Error> {
    let phases = if options.phases.is_empty() { Phase::value_variants() } else { &options.phases };
    let mut checks = Vec::new();
    for phase in phases {
        let comparison = compare(options, *phase)?;
        say(&comparison);
        checks.extend(comparison.checks());
    }
    checks.iter().for_each(say);
    Ok(checks.iter().all(Check::holds))
}

#[expect(clippy::print_stdout, reason = "the figures are what the program is for")]
fn say(what: &impl fmt::Display) {
    println!("{what}");
}

/// Gives all sides their turns, forth and back, so that what changes slowly in the machine meets all alike.
fn compare(options: &Options, phase: Phase) -> Result<Comparison, Error> {
    let sides = Side::of(phase, options.with.as_ref());
    let mut turns = vec![Vec::new(); sides.len()];
    for turn in 0..options.turns {
        let forth = 0..sides.len();
        let order: Vec<_> = if turn % 2 == 0 { forth.collect() } else { forth.rev().collect() };
        for at in order {
            turns[at].push(take(options, phase, &sides[at])?);
        }
    }
    Ok(Comparison { phase, turns: sides.into_iter().zip(turns).collect() })
}

fn take(options: &Options, phase: Phase, side: &Side) -> Result<Figures, Error> {
    let folder = tempfile::Builder::new().prefix("charioteer-bench-").tempdir_in(&options.folder)?;
    let Options { rows, milliseconds, .. } = *options;
    side.take(&Turn { phase, folder: folder.path().join("store"), rows, milliseconds })
}
