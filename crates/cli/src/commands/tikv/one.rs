//! Verbs on one key.

use std::time::Duration;

use bytes::Bytes;
use charioteer::tikv::{PutOptions, RawClient, Ttl as Left};
use clap::Args;

use crate::exit::{Ended, Failure};
use crate::output::{Cell, Output, escape};
use crate::say;

/// Which key.
#[derive(Args)]
pub(super) struct Key {
    /// The key.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    pub(super) key: Bytes,

    #[command(flatten)]
    family: Family,
}

impl Key {
    pub(super) fn of(&self, client: &RawClient) -> RawClient {
        self.family.of(client)
    }
}

/// Which column family.
#[derive(Args)]
pub(super) struct Family {
    /// The column family, with API version 1: default, lock or write.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    cf: String,
}

impl Family {
    pub(super) fn of(&self, client: &RawClient) -> RawClient {
        client.clone().with_column_family(&self.cf)
    }
}

/// How long something that is put lives.
#[derive(Args)]
pub(super) struct Lifetime {
    /// How long it lives, such as 10s, 5m or 1d; without it, for ever.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    ttl: Option<Duration>,
}

impl Lifetime {
    pub(super) fn options(&self) -> PutOptions {
        self.ttl.map(PutOptions::ttl).unwrap_or_default()
    }
}

/// Says, beside the answer, that there is no key.
pub(super) fn told(found: bool) -> Ended {
    if !found {
        say::note("(missing)");
    }
    Ended::found(found)
}

#[derive(Args)]
pub(crate) struct Get {
    #[command(flatten)]
    key: Key,
}

impl Get {
    pub(super) async fn run(self, client: &RawClient, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let value = self.key.of(client).get(&self.key.key).await?;
        let found = value.is_some();
        output.fact("value", value)?;
        Ok(told(found))
    }
}

#[derive(Args)]
pub(crate) struct Ttl {
    #[command(flatten)]
    key: Key,
}

impl Ttl {
    pub(super) async fn run(self, client: &RawClient, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let left = self.key.of(client).get_ttl(&self.key.key).await?;
        output.fact("ttl", left.map_or(Cell::Nothing, |left: Left| Cell::Ttl(left.remaining())))?;
        Ok(told(left.is_some()))
    }
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
    pub(super) async fn run(self, client: &RawClient, output: &mut Output<'_>) -> Result<Ended, Failure> {
        self.key.of(client).put_with(&self.key.key, self.value, self.lifetime.options()).await?;
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
    pub(super) async fn run(self, client: &RawClient, output: &mut Output<'_>) -> Result<Ended, Failure> {
        self.key.of(client).delete(&self.key.key).await?;
        output.done()?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct CompareAndSwap {
    #[command(flatten)]
    key: Key,

    /// The new value; may be empty ('').
    #[arg(value_parser = escape::read, allow_negative_numbers = true, required_unless_present = "delete")]
    value: Option<Bytes>,

    /// The value that is expected; without it, none.
    #[arg(long, value_name = "VALUE", value_parser = escape::read, allow_negative_numbers = true)]
    expect: Option<Bytes>,

    /// Deletes the key in place of putting a value.
    #[arg(long, conflicts_with_all = ["value", "ttl"], requires = "expect")]
    delete: bool,

    #[command(flatten)]
    lifetime: Lifetime,
}

impl CompareAndSwap {
    /// Tells whether it was done, and what there was.
    pub(super) async fn run(self, client: &RawClient, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let client = self.key.of(client).with_atomic(true);
        let (key, options) = (&self.key.key, self.lifetime.options());
        let swap = match self.value {
            Some(value) => client.compare_and_swap_with(key, self.expect, value, options).await?,
            None => client.compare_and_delete(key, self.expect.unwrap_or_default()).await?,
        };
        output.facts([("swapped", swap.swapped.into()), ("previous", swap.previous.into())])?;
        Ok(Ended::found(swap.swapped))
    }
}
