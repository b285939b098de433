//! Commands on data: verbs over a URL. The shell's lines are the same commands.
//!
//! The URL's scheme says which kind of stores is meant (`kind`), and so which verbs there are. A kind is a folder: its verbs, and how
//! they are carried out on a store. Nothing outside of that folder, but the row in the table of kinds, knows of it.

mod kind;
mod memcached;
mod pegasus;
mod range;
mod session;
mod settings;
mod store;
mod tikv;
mod txn;

use std::process::ExitCode;

use clap::ArgMatches;

use crate::exit::{Ended, Failure};
use crate::say;
pub(crate) use kind::{Kind, url_of_environment};
pub(crate) use session::Session;
pub(crate) use settings::Settings;

/// A verb of some kind with its arguments, and the options that all verbs have.
pub(crate) struct Request {
    kind: &'static Kind,
    settings: Settings,
    verb: ArgMatches,
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
