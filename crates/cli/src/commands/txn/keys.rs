//! Verbs on keys.

use bytes::Bytes;
use charioteer::tikv::{LockOptions, LockWait};
use clap::Args;

use super::place::{Place, none_is_open};
use crate::exit::{Ended, Failure};
use crate::output::{Output, escape};
use crate::say;

/// Which key.
#[derive(Args)]
pub(super) struct Key {
    /// The key.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    key: Bytes,
}

/// A key and its value.
#[derive(Args)]
pub(super) struct Pair {
    #[command(flatten)]
    key: Key,

    /// The value; may be empty ('').
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    value: Bytes,
}

/// Several keys.
#[derive(Args)]
pub(super) struct Keys {
    /// The keys.
    #[arg(value_name = "KEY", value_parser = escape::read, allow_negative_numbers = true, required = true)]
    keys: Vec<Bytes>,
}

fn told(value: Option<Bytes>, output: &mut Output<'_>) -> Result<Ended, Failure> {
    let found = value.is_some();
    output.fact("value", value)?;
    if !found {
        say::note("(missing)");
    }
    Ok(Ended::found(found))
}

#[derive(Args)]
pub(crate) struct Get {
    #[command(flatten)]
    key: Key,
}

impl Get {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let value = match &*place.open.lock().await {
            Some(open) => open.txn.get(&self.key.key).await?,
            None => place.client.snapshot().await?.get(&self.key.key).await?,
        };
        told(value, output)
    }
}

#[derive(Args)]
pub(crate) struct GetForUpdate {
    #[command(flatten)]
    key: Key,
}

impl GetForUpdate {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let mut open = place.open.lock().await;
        let value = open.as_mut().ok_or_else(none_is_open)?.txn.get_for_update(&self.key.key).await?;
        told(value, output)
    }
}

#[derive(Args)]
pub(crate) struct Set {
    #[command(flatten)]
    pair: Pair,
}

impl Set {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        place.write(async |txn| txn.put(self.pair.key.key, self.pair.value).await, output).await
    }
}

#[derive(Args)]
pub(crate) struct Insert {
    #[command(flatten)]
    pair: Pair,
}

impl Insert {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        place.write(async |txn| txn.insert(self.pair.key.key, self.pair.value).await, output).await
    }
}

#[derive(Args)]
pub(crate) struct Del {
    #[command(flatten)]
    keys: Keys,
}

impl Del {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        place.write(async |txn| txn.batch_delete(self.keys.keys).await, output).await
    }
}

#[derive(Args)]
pub(crate) struct Lock {
    #[command(flatten)]
    keys: Keys,

    /// Does not wait for others that have locked them.
    #[arg(long)]
    no_wait: bool,
}

impl Lock {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let mut options = LockOptions::default();
        options.wait = self.no_wait.then_some(LockWait::None);
        let mut open = place.open.lock().await;
        open.as_mut().ok_or_else(none_is_open)?.txn.lock_keys_with(self.keys.keys, &options).await?;
        output.done()?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct BatchGet {
    #[command(flatten)]
    keys: Keys,
}

impl BatchGet {
    /// Tells those that there are.
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let keys = self.keys.keys;
        let values = match &*place.open.lock().await {
            Some(open) => open.txn.batch_get(&keys).await?,
            None => place.client.snapshot().await?.batch_get(&keys).await?,
        };
        let mut rows = output.rows(&["key", "value"], &["value"]);
        let mut found = false;
        for (key, value) in keys.into_iter().zip(values) {
            if let Some(value) = value {
                found = true;
                rows.row(vec![key.into(), value.into()])?;
            }
        }
        rows.end()?;
        Ok(Ended::found(found))
    }
}

#[derive(Args)]
pub(crate) struct BatchSet {
    /// Keys, each with its value behind it.
    #[arg(value_name = "KEY VALUE", value_parser = escape::read, allow_negative_numbers = true, required = true)]
    pairs: Vec<Bytes>,
}

impl BatchSet {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let (pairs, []) = self.pairs.as_chunks::<2>() else {
            return Err(Failure::Invalid("the last key has no value behind it".to_owned()));
        };
        let pairs = pairs.iter().map(|[key, value]| (key.clone(), value.clone()));
        place.write(async |txn| txn.batch_put(pairs).await, output).await
    }
}
