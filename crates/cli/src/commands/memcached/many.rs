//! Verbs on several items, which may be on several servers.

use bytes::Bytes;
use charioteer::memcached::Client;
use clap::Args;

use super::one::told;
use crate::exit::{Ended, Failure};
use crate::output::{Output, escape};

/// Which items.
#[derive(Args)]
struct Keys {
    /// The keys.
    #[arg(value_parser = escape::read, allow_negative_numbers = true, required = true)]
    keys: Vec<Bytes>,
}

#[derive(Args)]
pub(crate) struct GetMany {
    #[command(flatten)]
    keys: Keys,
}

impl GetMany {
    /// What was found is told also when the rest could not be asked for.
    pub(super) async fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let Keys { keys } = self.keys;
        let found = client.get_many(&keys).await;
        let (mut is_any, mut failure) = (false, None);
        let mut rows = output.rows(&["key", "value", "flags", "cas"], &["value"]);
        for (key, found) in keys.into_iter().zip(found) {
            match found {
                Ok(Some(item)) => {
                    is_any = true;
                    let (flags, cas) = (u64::from(item.flags).into(), item.cas.get().into());
                    rows.row(vec![key.into(), item.value.into(), flags, cas])?;
                }
                Ok(None) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        rows.end()?;
        failure.map_or_else(|| Ok(told(is_any)), |error| Err(error.into()))
    }
}

#[derive(Args)]
pub(crate) struct DeleteMany {
    #[command(flatten)]
    keys: Keys,
}

impl DeleteMany {
    /// Tells how many there were.
    pub(super) async fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let (mut count, mut failure) = (0_u64, None);
        for deleted in client.delete_many(self.keys.keys).await {
            match deleted {
                Ok(deleted) => count += u64::from(deleted),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        output.fact("deleted", count)?;
        failure.map_or(Ok(Ended::Done), |error| Err(error.into()))
    }
}
