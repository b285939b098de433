//! The `charioteer` command.

mod address;
mod banner;
mod care;
mod commands;
mod descriptors;
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

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use commands::Kind;

/// A toolkit for key–value stores.
#[derive(Parser)]
#[command(name = "charioteer", version, propagate_version = true)]
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
}

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let kind = Kind::meant_by(&words, commands::url_of_environment());
    let mut grammar = grammar(kind);
    let matches = match grammar.try_get_matches_from_mut(std::env::args_os()) {
        Ok(matches) => matches,
        Err(error) => return refuse(&error, &words),
    };
    match kind.request(matches) {
        Ok(request) => commands::run(request),
        Err(matches) => run(&matches, &mut grammar),
    }
}

/// Tells the help, or why a command line makes no sense, which may only be so for want of a URL that does.
fn refuse(error: &clap::Error, words: &[String]) -> ExitCode {
    let has_no_url = words.first().is_some_and(|word| Arguments::command().find_subcommand(word).is_some());
    match Kind::named_by(words, commands::url_of_environment()) {
        Err(failure) if error.use_stderr() && !has_no_url => {
            say::error(&failure);
            failure.code()
        }
        _ => error.exit(),
    }
}

/// What can be said: the commands above, and the verbs of stores of some kind.
fn grammar(kind: &Kind) -> clap::Command {
    let help = format!("{}\n{}", kind.help_on_others(), exit::HELP);
    kind.add_verbs(Arguments::command()).after_help(help)
}

/// Carries out what is no command on data.
fn run(matches: &ArgMatches, grammar: &mut clap::Command) -> ExitCode {
    let command = match Arguments::from_arg_matches(matches) {
        Ok(Arguments { command }) => command,
        Err(error) => error.format(grammar).exit(),
    };
    let ended = match command {
        Command::Serve(arguments) => serve::run(*arguments),
        Command::Memcached(arguments) => memcached::run(&arguments),
        Command::Backup(arguments) => care::backup(&arguments),
        Command::Restore(arguments) => care::restore(&arguments),
        Command::Verify(arguments) => care::verify(&arguments),
        Command::Repair(arguments) => care::repair(&arguments),
        Command::Shell(arguments) => return shell::run(*arguments),
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
