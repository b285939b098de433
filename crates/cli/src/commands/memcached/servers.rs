//! Verbs on the servers.

use std::time::Duration;

use charioteer::memcached::{Client, ServerReply};
use clap::Args;

use super::one::Key;
use crate::exit::{Ended, Failure};
use crate::output::{Cell, Output};

#[derive(Args)]
pub(crate) struct Flush {
    /// Not at once, but when so much time has passed (such as 10s).
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    after: Option<Duration>,
}

impl Flush {
    pub(super) async fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        match self.after {
            Some(delay) => client.flush_all_after(delay).await?,
            None => client.flush_all().await?,
        }
        output.done()?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct Stats {
    /// A group of them, such as settings, items or slabs; without it, the general ones.
    #[arg(default_value = "", hide_default_value = true)]
    group: String,
}

impl Stats {
    pub(super) async fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let replies = client.stats(&self.group).await?;
        tell(replies, &["server", "name", "value"], output, |stats| {
            stats.into_iter().map(|(name, value)| vec![name.into(), value.into()]).collect()
        })
    }
}

#[derive(Args)]
pub(crate) struct Version {}

impl Version {
    pub(super) async fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let replies = client.version().await?;
        tell(replies, &["server", "version"], output, |version| vec![vec![version.into()]])
    }
}

/// Tells what each server has answered, in rows behind its name, also when others have failed.
fn tell<T>(
    replies: Vec<ServerReply<T>>,
    columns: &[&'static str],
    output: &mut Output<'_>,
    cells: impl Fn(T) -> Vec<Vec<Cell>>,
) -> Result<Ended, Failure> {
    let mut failure = None;
    let mut rows = output.rows(columns, columns.get(1..).unwrap_or_default());
    for answered in replies {
        match answered.reply {
            Ok(reply) => {
                for row in cells(reply) {
                    rows.row([vec![answered.server.as_str().into()], row].concat())?;
                }
            }
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    rows.end()?;
    failure.map_or(Ok(Ended::Done), |error| Err(error.into()))
}

#[derive(Args)]
pub(crate) struct ServerOf {
    #[command(flatten)]
    key: Key,
}

impl ServerOf {
    /// Nothing is sent for it.
    pub(super) fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        output.fact("server", client.server_of(self.key.key)?)?;
        Ok(Ended::Done)
    }
}
