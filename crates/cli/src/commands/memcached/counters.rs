//! Verbs on counters.

use charioteer::Error;
use charioteer::memcached::{Client, Count, CountOptions, Ttl};
use clap::Args;

use super::one::{Key, Version, if_unchanged, told};
use super::words;
use crate::exit::{Ended, Failure};
use crate::output::Output;

/// Which counter, and by how much it changes.
#[derive(Args)]
struct Change {
    #[command(flatten)]
    key: Key,

    /// By how much.
    #[arg(default_value_t = 1)]
    delta: u64,

    /// Makes the counter where there is none, at this number.
    #[arg(long, value_name = "NUMBER")]
    initial: Option<u64>,

    /// How long a counter lives that is made; one that is there lives as long as before.
    #[arg(long, value_name = "TIME", value_parser = words::ttl, requires = "initial")]
    ttl: Option<Ttl>,

    #[command(flatten)]
    version: Version,
}

impl Change {
    fn options(&self) -> CountOptions {
        let mut options = CountOptions::default().ttl(self.ttl.unwrap_or_default());
        options.initial = self.initial;
        options.cas = self.version.cas();
        options
    }
}

fn tell(counted: Result<Option<Count>, Error>, output: &mut Output<'_>) -> Result<Ended, Failure> {
    let count = if_unchanged(counted)?;
    output.fact("value", count.flatten().map(|count| count.value))?;
    Ok(count.map_or(Ended::Missing, |count| told(count.is_some())))
}

#[derive(Args)]
pub(crate) struct Incr {
    #[command(flatten)]
    change: Change,
}

impl Incr {
    pub(super) async fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let options = self.change.options();
        tell(client.increment_with(self.change.key.key, self.change.delta, options).await, output)
    }
}

#[derive(Args)]
pub(crate) struct Decr {
    #[command(flatten)]
    change: Change,
}

impl Decr {
    pub(super) async fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let options = self.change.options();
        tell(client.decrement_with(self.change.key.key, self.change.delta, options).await, output)
    }
}
