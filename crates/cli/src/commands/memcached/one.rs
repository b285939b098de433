//! Verbs that read an item, or say when it ends.

use bytes::Bytes;
use charioteer::memcached::{Cas, Client, InvalidateOptions, Ttl};
use charioteer::{Error, ErrorKind};
use clap::Args;

use super::words;
use crate::exit::{Ended, Failure};
use crate::output::{Cell, Output, escape};
use crate::say;

/// Which item.
#[derive(Args)]
pub(super) struct Key {
    /// The key.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    pub(super) key: Bytes,
}

/// Which version of the item.
#[derive(Args)]
pub(super) struct Version {
    /// Only if the item has this version, which gets tells.
    #[arg(long, value_name = "VERSION")]
    cas: Option<u64>,
}

impl Version {
    pub(super) fn cas(&self) -> Option<Cas> {
        self.cas.map(Cas::new)
    }
}

/// What came of a call that may need an item of a certain version: nothing if it has another one.
pub(super) fn if_unchanged<T>(done: Result<T, Error>) -> Result<Option<T>, Failure> {
    match done {
        Err(error) if error.kind() == ErrorKind::Conflict => {
            say::note("(changed meanwhile, or gone)");
            Ok(None)
        }
        done => Ok(Some(done?)),
    }
}

/// Says, beside the answer, that there is no item.
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
    pub(super) async fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let value = client.get(self.key.key).await?.map(|item| item.value);
        let found = value.is_some();
        output.fact("value", value)?;
        Ok(told(found))
    }
}

#[derive(Args)]
pub(crate) struct Gets {
    #[command(flatten)]
    key: Key,
}

impl Gets {
    pub(super) async fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        match client.get(self.key.key).await? {
            Some(item) => {
                let (flags, cas) = (u64::from(item.flags).into(), item.cas.get().into());
                output.facts([("value", item.value.into()), ("flags", flags), ("cas", cas)])?;
                Ok(Ended::Done)
            }
            None => {
                output.fact("value", None::<Bytes>)?;
                Ok(told(false))
            }
        }
    }
}

#[derive(Args)]
pub(crate) struct Inspect {
    #[command(flatten)]
    key: Key,
}

impl Inspect {
    pub(super) async fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let Some(item) = client.inspect(self.key.key).await? else {
            output.fact("ttl", Cell::Nothing)?;
            return Ok(told(false));
        };
        output.facts([
            ("ttl", Cell::Ttl(item.facts.remaining)),
            ("size", item.facts.size.into()),
            ("idle_seconds", item.facts.idle.as_secs().into()),
            ("hit_before", item.facts.hit_before.into()),
            ("class", u64::from(item.class).into()),
            ("cas", item.cas.get().into()),
        ])?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct GetAndTouch {
    #[command(flatten)]
    key: Key,

    /// How long it lives from now on, such as 10s, 5m or 1d; or until when, such as 2027-01-31T12:00:00Z; or never, for ever.
    #[arg(value_parser = words::ttl)]
    ttl: Ttl,
}

impl GetAndTouch {
    pub(super) async fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let value = client.get_and_touch(self.key.key, self.ttl).await?.map(|item| item.value);
        let found = value.is_some();
        output.fact("value", value)?;
        Ok(told(found))
    }
}

#[derive(Args)]
pub(crate) struct Touch {
    #[command(flatten)]
    key: Key,

    /// How long it lives from now on, such as 10s, 5m or 1d; or until when, such as 2027-01-31T12:00:00Z; or never, for ever.
    #[arg(value_parser = words::ttl)]
    ttl: Ttl,
}

impl Touch {
    pub(super) async fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let touched = client.touch(self.key.key, self.ttl).await?;
        output.fact("touched", touched)?;
        Ok(Ended::found(touched))
    }
}

#[derive(Args)]
pub(crate) struct Invalidate {
    #[command(flatten)]
    key: Key,

    /// How long the old value is used at most, such as 10s, 5m or 1d; without it, as long as the item lives.
    #[arg(long, value_name = "TIME", value_parser = words::ttl)]
    ttl: Option<Ttl>,

    #[command(flatten)]
    version: Version,
}

impl Invalidate {
    pub(super) async fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let mut options = InvalidateOptions::default();
        options.ttl = self.ttl;
        options.cas = self.version.cas();
        let invalidated = if_unchanged(client.invalidate_with(self.key.key, options).await)?.unwrap_or(false);
        output.fact("invalidated", invalidated)?;
        Ok(Ended::found(invalidated))
    }
}

#[derive(Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    key: Key,

    #[command(flatten)]
    version: Version,
}

impl Delete {
    pub(super) async fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let deleted = match self.version.cas() {
            Some(cas) => if_unchanged(client.delete_if(self.key.key, cas).await)?.unwrap_or(false),
            None => client.delete(self.key.key).await?,
        };
        output.fact("deleted", deleted)?;
        Ok(Ended::found(deleted))
    }
}
