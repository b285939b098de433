//! Where TiKV's verbs go.

use charioteer::tikv::{Options, RawClient};
use clap::{ArgMatches, FromArgMatches};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use super::Verb;
use crate::commands::settings::{Compression, Reach};
use crate::commands::store::Store;
use crate::exit::{Ended, Failure};
use crate::output::Output;

/// A client of a cluster's raw keys.
struct Cluster(RawClient);

/// Makes one.
pub(super) fn open(reach: &Reach) -> Result<Box<dyn Store>, Failure> {
    Ok(Box::new(Cluster(RawClient::new(options(reach)?)?)))
}

/// How its clients are made.
pub(in crate::commands) fn options(reach: &Reach) -> Result<Options, Failure> {
    let mut options = Options::from_url(&reach.url)?;
    if let Some(table) = options.table() {
        return Err(Failure::Invalid(format!("/{table}: keys of TiKV are in no table")));
    }
    if reach.compression == Some(Compression::Zstd) {
        return Err(Failure::Invalid("--compression: values of TiKV are stored as they are".to_owned()));
    }
    if let Some(timeout) = reach.timeout {
        options.operation_timeout = timeout;
    }
    if let Some(attempts) = reach.attempts {
        options.attempts = attempts;
    }
    Ok(options)
}

impl Store for Cluster {
    fn run<'a>(
        &'a self,
        verb: &'a ArgMatches,
        _: Option<String>,
        output: &'a mut Output<'_>,
    ) -> LocalBoxFuture<'a, Result<Ended, Failure>> {
        async move { Verb::from_arg_matches(verb)?.run(&self.0, output).await }.boxed_local()
    }

    /// The first of its PD servers, and whether there are others.
    fn name(&self) -> String {
        let servers = self.0.options().pd_servers();
        let others = if servers.len() > 1 { ",…" } else { "" };
        servers.first().map(|first| format!("{first}{others}")).unwrap_or_default()
    }
}
