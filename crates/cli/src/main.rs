//! The `charioteer` command.

mod address;
mod banner;
mod care;
mod commands;
mod exit;
mod logging;
mod memcached;
mod output;
mod ready;
mod say;
mod serve;
mod shell;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A toolkit for key–value stores.
#[derive(Parser)]
#[command(name = "charioteer", version, propagate_version = true, after_help = exit::HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves Apache Pegasus' protocol on an embedded store, and memcached's.
    Serve(Box<serve::ServeArguments>),
    /// Serves memcached alone, told what to do as a memcached is: for programs that start one.
    Memcached(Box<memcached::MemcachedArguments>),
    /// Copies the data to a new folder, consistently, while a server goes on with it or without one.
    Backup(care::BackupArguments),
    /// Makes a folder that can be served of a backup.
    Restore(care::RestoreArguments),
    /// Reads all of the data, or of a backup, and compares its checksums.
    Verify(care::VerifyArguments),
    /// Says what can be saved of damaged data, and saves it.
    Repair(care::RepairArguments),
    /// Carries out the commands below line by line, with an editor for people and without one for pipes.
    Shell(Box<shell::ShellArguments>),
    #[command(flatten)]
    Data(Box<commands::Request>),
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let ended = match command {
        Command::Serve(arguments) => serve::run(*arguments),
        Command::Memcached(arguments) => memcached::run(&arguments),
        Command::Backup(arguments) => care::backup(&arguments),
        Command::Restore(arguments) => care::restore(&arguments),
        Command::Verify(arguments) => care::verify(&arguments),
        Command::Repair(arguments) => care::repair(&arguments),
        Command::Shell(arguments) => return shell::run(*arguments),
        Command::Data(request) => return commands::run(*request),
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
