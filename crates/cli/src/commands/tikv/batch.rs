//! Verbs on several keys, which may be in several regions.

use bytes::Bytes;
use charioteer::Error;
use charioteer::tikv::RawClient;
use clap::Args;

use super::one::{Family, Lifetime, told};
use crate::exit::{Ended, Failure};
use crate::output::{Output, escape};

/// Which keys.
#[derive(Args)]
struct Keys {
    /// The keys.
    #[arg(value_parser = escape::read, allow_negative_numbers = true, required = true)]
    keys: Vec<Bytes>,

    #[command(flatten)]
    family: Family,
}

#[derive(Args)]
pub(crate) struct Get {
    #[command(flatten)]
    keys: Keys,
}

impl Get {
    /// What was found is told also when the rest could not be asked for.
    pub(super) async fn run(self, client: &RawClient, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let Keys { keys, family } = self.keys;
        let (mut is_any, mut failure) = (false, None);
        let mut rows = output.rows(&["key", "value"], &["value"]);
        for (key, found) in keys.iter().zip(family.of(client).batch_get(&keys).await) {
            match found {
                Ok(Some(value)) => {
                    is_any = true;
                    rows.row(vec![key.clone().into(), value.into()])?;
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
pub(crate) struct Set {
    /// Keys, each with its value behind it.
    #[arg(value_parser = escape::read, allow_negative_numbers = true, required = true, value_name = "KEY VALUE")]
    pairs: Vec<Bytes>,

    #[command(flatten)]
    lifetime: Lifetime,

    #[command(flatten)]
    family: Family,
}

impl Set {
    pub(super) async fn run(self, client: &RawClient, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let (pairs, []) = self.pairs.as_chunks() else {
            return Err(Failure::Invalid("a value is missing behind the last key".to_owned()));
        };
        let pairs = pairs.iter().map(|[key, value]| (key, value.clone()));
        all_done(self.family.of(client).batch_put_with(pairs, self.lifetime.options()).await)?;
        output.done()?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct Del {
    #[command(flatten)]
    keys: Keys,
}

impl Del {
    pub(super) async fn run(self, client: &RawClient, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let Keys { keys, family } = self.keys;
        all_done(family.of(client).batch_delete(&keys).await)?;
        output.done()?;
        Ok(Ended::Done)
    }
}

/// The first error, with what became of the others.
fn all_done(done: Vec<Result<(), Error>>) -> Result<(), Failure> {
    let (all, failed) = (done.len(), done.iter().filter(|done| done.is_err()).count());
    match done.into_iter().find_map(Result::err) {
        None => Ok(()),
        Some(error) => {
            if failed < all {
                crate::say::note(&format!("({} of {all} done)", all - failed));
            }
            Err(error.into())
        }
    }
}
