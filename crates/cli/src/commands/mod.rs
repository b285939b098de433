//! Commands on data: verbs over a URL. The shell's lines are the same commands.

mod pegasus;
mod session;
mod settings;

use std::process::ExitCode;

use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};

use crate::exit::{Ended, Failure};
use crate::say;
use pegasus::Verb;
pub(crate) use session::Session;
pub(crate) use settings::Settings;

/// Where the verbs stand among the commands in the help.
const BEHIND_ALL_OTHERS: usize = 100;

/// A verb with its arguments, and the options that all verbs have.
pub(crate) struct Request {
    pub(crate) settings: Settings,
    pub(crate) verb: Verb,
}

/// The options are given to each verb, so that neither `serve` nor the shell's own words have them.
impl Subcommand for Request {
    fn augment_subcommands(command: Command) -> Command {
        let verbs = Verb::augment_subcommands(Command::new("verbs"));
        let verbs = verbs.get_subcommands().enumerate().map(|(at, verb)| {
            let about = verb.get_about().cloned().unwrap_or_default();
            Settings::augment_args(verb.clone()).about(about).display_order(BEHIND_ALL_OTHERS + at)
        });
        command.subcommands(verbs)
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        Verb::has_subcommand(name)
    }
}

impl FromArgMatches for Request {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let settings = match matches.subcommand() {
            Some((_, of_verb)) => Settings::from_arg_matches(of_verb)?,
            None => Settings::default(),
        };
        Ok(Self { settings, verb: Verb::from_arg_matches(matches)? })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Carries out one command.
pub(crate) fn run(request: Request) -> ExitCode {
    match run_once(request) {
        Ok(ended) => ended.code(),
        Err(failure) if failure.is_gone_reader() => ExitCode::SUCCESS,
        Err(failure) => {
            say::error(&failure);
            failure.code()
        }
    }
}

fn run_once(request: Request) -> Result<Ended, Failure> {
    let runtime = runtime()?;
    let ended = runtime.block_on(Session::new(Settings::default()).run(request));
    runtime.shutdown_background();
    ended
}

/// What connections live on; one thread carries all that one person, or one pipe, can ask.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    built.map_err(|error| Failure::Input(format!("the background thread can't be started: {error}")))
}
