//! Verbs that store a value.

use bytes::Bytes;
use charioteer::memcached::{Cas, Client, Encoded, StoreOptions, Ttl};
use clap::Args;

use super::one::{Key, Version, if_unchanged};
use super::words;
use crate::exit::{Ended, Failure};
use crate::output::{Output, escape};

/// What is stored, and how.
#[derive(Args)]
struct Value {
    /// The value; may be empty ('').
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    value: Bytes,

    /// How long it lives, such as 10s, 5m or 1d; or until when, such as 2027-01-31T12:00:00Z; without it, for ever.
    #[arg(long, value_name = "TIME", value_parser = words::ttl)]
    ttl: Option<Ttl>,

    /// What clients say of the value: 32 bits.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    flags: u32,
}

impl Value {
    fn parts(self) -> (Encoded, StoreOptions) {
        (Encoded::new(self.value, self.flags), StoreOptions::ttl(self.ttl.unwrap_or_default()))
    }
}

/// Says whether it was stored.
fn tell(stored: bool, output: &mut Output<'_>) -> Result<Ended, Failure> {
    output.fact("stored", stored)?;
    Ok(Ended::found(stored))
}

#[derive(Args)]
pub(crate) struct Set {
    #[command(flatten)]
    key: Key,

    #[command(flatten)]
    value: Value,
}

impl Set {
    pub(super) async fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let (value, options) = self.value.parts();
        client.set_with(self.key.key, value, options).await?;
        output.done()?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct Add {
    #[command(flatten)]
    key: Key,

    #[command(flatten)]
    value: Value,
}

impl Add {
    pub(super) async fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let (value, options) = self.value.parts();
        let stored = client.add_with(self.key.key, value, options).await?;
        tell(stored.is_some(), output)
    }
}

#[derive(Args)]
pub(crate) struct Replace {
    #[command(flatten)]
    key: Key,

    #[command(flatten)]
    value: Value,
}

impl Replace {
    pub(super) async fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let (value, options) = self.value.parts();
        let stored = client.replace_with(self.key.key, value, options).await?;
        tell(stored.is_some(), output)
    }
}

#[derive(Args)]
pub(crate) struct CompareAndSwap {
    #[command(flatten)]
    key: Key,

    /// The version that the item must have.
    #[arg(value_name = "VERSION")]
    cas: u64,

    #[command(flatten)]
    value: Value,
}

impl CompareAndSwap {
    pub(super) async fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let (value, options) = self.value.parts();
        let stored = client.set_with(self.key.key, value, options.cas(Cas::new(self.cas))).await;
        tell(if_unchanged(stored)?.is_some(), output)
    }
}

/// What is put beside a value.
#[derive(Args)]
struct Piece {
    #[command(flatten)]
    key: Key,

    /// What is added.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    value: Bytes,

    #[command(flatten)]
    version: Version,
}

#[derive(Args)]
pub(crate) struct Append {
    #[command(flatten)]
    piece: Piece,
}

impl Append {
    pub(super) async fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let Piece { key: Key { key }, value, version } = self.piece;
        let stored = match version.cas() {
            Some(cas) => client.append_if(key, value, cas).await,
            None => client.append(key, value).await,
        };
        tell(if_unchanged(stored)?.flatten().is_some(), output)
    }
}

#[derive(Args)]
pub(crate) struct Prepend {
    #[command(flatten)]
    piece: Piece,
}

impl Prepend {
    pub(super) async fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let Piece { key: Key { key }, value, version } = self.piece;
        let stored = match version.cas() {
            Some(cas) => client.prepend_if(key, value, cas).await,
            None => client.prepend(key, value).await,
        };
        tell(if_unchanged(stored)?.flatten().is_some(), output)
    }
}
