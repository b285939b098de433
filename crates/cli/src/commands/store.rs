//! What commands ask of a store, whatever its kind.

use clap::ArgMatches;
use futures_util::future::LocalBoxFuture;

use crate::exit::{Ended, Failure};
use crate::output::Output;

/// A store that is reached.
pub(crate) trait Store {
    /// Carries out what was read of one of its kind's verbs, and writes what is answered. A table may be named for it.
    fn run<'a>(
        &'a self,
        verb: &'a ArgMatches,
        table: Option<String>,
        output: &'a mut Output<'_>,
    ) -> LocalBoxFuture<'a, Result<Ended, Failure>>;

    /// Its name, as the shell's prompt has it where there are no tables.
    fn name(&self) -> String;

    /// Its tables, if it has any.
    fn tables(&self) -> Option<&dyn Tables> {
        None
    }
}

/// The tables of a store.
pub(crate) trait Tables {
    /// The one that the URL names.
    fn named(&self) -> Option<String>;

    /// Whether there is one of this name, which is an error if there is none.
    fn look_for<'a>(&'a self, name: &'a str) -> LocalBoxFuture<'a, Result<(), Failure>>;

    /// The names of all.
    fn list(&self) -> LocalBoxFuture<'_, Result<Vec<String>, Failure>>;
}
