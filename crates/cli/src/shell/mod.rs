//! `charioteer shell`: the commands on data, line by line.
//!
//! A line is the arguments of a command, and a few words more: `use`, `help`, `exit`. People get an editor for it (`interactive`);
//! what comes out of a pipe is carried out as it comes (`piped`).

mod complete;
mod history;
mod interactive;
mod line;
mod piped;
mod split;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Args;

use crate::commands::{self, Session, Settings};
use crate::exit::{Ended, Failure};
use crate::say;

/// What `shell` is told.
#[derive(Args)]
pub(crate) struct ShellArguments {
    /// Where the data is, such as pegasus://meta1:34601,meta2:34601/table, memcached://cache1,cache2:11212 or tikv://pd1,pd2:2379; otherwise what CHARIOTEER_URL says.
    #[arg(value_name = "URL", conflicts_with = "url")]
    at: Option<String>,

    /// Goes on behind a line of a pipe that failed.
    #[arg(long)]
    keep_going: bool,

    #[command(flatten)]
    settings: Settings,
}

/// Carries out lines until there are no more.
pub(crate) fn run(arguments: ShellArguments) -> ExitCode {
    match run_lines(arguments) {
        Ok(code) => code,
        Err(failure) => {
            say::error(&failure);
            failure.code()
        }
    }
}

fn run_lines(arguments: ShellArguments) -> Result<ExitCode, Failure> {
    let ShellArguments { at, keep_going, mut settings } = arguments;
    settings.url = at.or(settings.url);
    let mut session = Session::new(settings);
    let runtime = commands::runtime()?;
    // A URL that makes no sense is told before anybody has typed anything.
    {
        let _on_it = runtime.enter();
        session.default_store()?;
    }
    let code = if io::stdin().is_terminal() {
        interactive::run(&mut session, &runtime).map(Ended::code)
    } else {
        Ok(piped::run(&mut session, &runtime, io::stdin().lock(), keep_going))
    };
    runtime.shutdown_background();
    code
}
