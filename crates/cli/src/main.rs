//! The `charioteer` command.

mod address;
mod banner;
mod logging;
mod ready;
mod serve;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A toolkit for key–value stores.
#[derive(Parser)]
#[command(name = "charioteer", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves Apache Pegasus' protocol on an embedded store.
    Serve(Box<serve::ServeArguments>),
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let ended = match command {
        Command::Serve(arguments) => serve::run(*arguments),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&*error);
            ExitCode::FAILURE
        }
    }
}

/// Says what went wrong and what lies behind it, in one line. There is nobody to tell if standard error is gone.
fn report(error: &dyn std::error::Error) {
    let mut stderr = std::io::stderr().lock();
    let _ = write!(stderr, "charioteer: {error}");
    let mut source = error.source();
    while let Some(error) = source {
        let _ = write!(stderr, ": {error}");
        source = error.source();
    }
    let _ = writeln!(stderr);
}
