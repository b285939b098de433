//! Verbs on one row.

use std::time::Duration;

use bytes::Bytes;
use charioteer::pegasus::{CounterTtl, IncrOptions, SetOptions};
use clap::Args;

use super::place::Place;
use crate::exit::{Ended, Failure};
use crate::output::{Output, escape};
use crate::say;

/// Which row.
#[derive(Args)]
pub(super) struct Key {
    /// The hash key, which says in which partition the row is.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    pub(super) hash_key: Bytes,

    /// The sort key; may be empty ('').
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    pub(super) sort_key: Bytes,
}

/// How long rows live.
#[derive(Args, Clone, Copy)]
pub(super) struct Lifetime {
    /// How long what is set lives (such as 10s, 5m or 1d); without it, for ever.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(super) ttl: Option<Duration>,
}

impl Lifetime {
    pub(super) fn options(self) -> SetOptions {
        self.ttl.map_or_else(SetOptions::default, SetOptions::ttl)
    }
}

#[derive(Args)]
pub(crate) struct Get {
    #[command(flatten)]
    key: Key,
}

impl Get {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let value = place.table().await?.get(self.key.hash_key, self.key.sort_key).await?;
        let found = value.is_some();
        output.fact("value", value)?;
        Ok(told(found))
    }
}

/// Says, beside the answer, that there is no row.
pub(super) fn told(found: bool) -> Ended {
    if !found {
        say::note("(missing)");
    }
    Ended::found(found)
}

#[derive(Args)]
pub(crate) struct Set {
    #[command(flatten)]
    key: Key,

    /// The value; may be empty ('').
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    value: Bytes,

    #[command(flatten)]
    lifetime: Lifetime,
}

impl Set {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let (Key { hash_key, sort_key }, options) = (self.key, self.lifetime.options());
        place.table().await?.set_with(hash_key, sort_key, self.value, options).await?;
        output.done()?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct Del {
    #[command(flatten)]
    key: Key,
}

impl Del {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        place.table().await?.del(self.key.hash_key, self.key.sort_key).await?;
        output.done()?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct Exist {
    #[command(flatten)]
    key: Key,
}

impl Exist {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let exists = place.table().await?.exist(self.key.hash_key, self.key.sort_key).await?;
        output.fact("exists", exists)?;
        Ok(Ended::found(exists))
    }
}

#[derive(Args)]
pub(crate) struct TimeToLive {
    #[command(flatten)]
    key: Key,
}

impl TimeToLive {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let ttl = place.table().await?.ttl(self.key.hash_key, self.key.sort_key).await?;
        output.fact("ttl", ttl)?;
        Ok(told(ttl.is_some()))
    }
}

#[derive(Args)]
pub(crate) struct Incr {
    #[command(flatten)]
    key: Key,

    /// What is added; may be negative.
    #[arg(allow_negative_numbers = true, default_value_t = 1)]
    increment: i64,

    /// The counter lives for so long from now on; without it, as long as before.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, conflicts_with = "clear_ttl")]
    ttl: Option<Duration>,

    /// The counter lives for ever.
    #[arg(long)]
    clear_ttl: bool,
}

impl Incr {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let mut options = IncrOptions::default();
        options.ttl = match self.ttl {
            Some(ttl) => CounterTtl::Set(ttl),
            None if self.clear_ttl => CounterTtl::Clear,
            None => CounterTtl::Keep,
        };
        let Key { hash_key, sort_key } = self.key;
        let value = place.table().await?.incr_with(hash_key, sort_key, self.increment, options).await?;
        output.fact("value", value)?;
        Ok(Ended::Done)
    }
}
