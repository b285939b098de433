//! Where memcached's verbs go.

use charioteer::memcached::{Client, Compression as Values, Options};
use clap::{ArgMatches, FromArgMatches};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use super::Verb;
use crate::commands::settings::{Compression, Reach};
use crate::commands::store::Store;
use crate::exit::{Ended, Failure};
use crate::output::Output;

/// A client of some servers.
struct Servers(Client);

/// Makes one.
pub(super) fn open(reach: &Reach) -> Result<Box<dyn Store>, Failure> {
    Ok(Box::new(Servers(Client::new(options(reach)?)?)))
}

fn options(reach: &Reach) -> Result<Options, Failure> {
    let mut options = Options::from_url(&reach.url)?;
    if let Some(timeout) = reach.timeout {
        options.operation_timeout = timeout;
    }
    if let Some(attempts) = reach.attempts {
        options.attempts = attempts;
    }
    match reach.compression {
        Some(Compression::Zstd) => options.compression = Values::Zstd,
        Some(Compression::None) => options.compression = Values::None,
        None => {}
    }
    Ok(options)
}

impl Store for Servers {
    fn run<'a>(
        &'a self,
        verb: &'a ArgMatches,
        _: Option<String>,
        output: &'a mut Output<'_>,
    ) -> LocalBoxFuture<'a, Result<Ended, Failure>> {
        async move { Verb::from_arg_matches(verb)?.run(&self.0, output).await }.boxed_local()
    }

    /// The first of them, and whether there are others.
    fn name(&self) -> String {
        let servers = self.0.servers();
        let others = if servers.len() > 1 { ",…" } else { "" };
        servers.first().map(|first| format!("{first}{others}")).unwrap_or_default()
    }
}
