//! Verbs on several rows of a hash key.

use bytes::Bytes;
use charioteer::pegasus::{Entries, MultiGetOptions};
use clap::Args;
use clap::error::ErrorKind;

use super::place::Place;
use super::rows::{Lifetime, told};
use crate::exit::{Ended, Failure};
use crate::output::{Output, escape};
use crate::say;

/// How much may come.
#[derive(Args)]
pub(super) struct Amount {
    /// At most so many rows; 0 leaves it to the server.
    #[arg(long, value_name = "NUMBER", default_value_t = MultiGetOptions::default().max_count)]
    max_count: u32,

    /// No further row once there are so many bytes; 0 leaves it to the server.
    #[arg(long, value_name = "BYTES", default_value_t = MultiGetOptions::default().max_bytes)]
    max_bytes: u32,

    /// Leaves the values out.
    #[arg(long)]
    no_value: bool,
}

impl Amount {
    pub(super) fn options(&self) -> MultiGetOptions {
        let mut options = MultiGetOptions::default();
        options.max_count = self.max_count;
        options.max_bytes = self.max_bytes;
        options.no_value = self.no_value;
        options
    }

    /// Tells what was found, and whether there is more.
    pub(super) fn tell(&self, found: Entries, output: &mut Output<'_>) -> Result<(), Failure> {
        let columns = if self.no_value { &["sort_key"][..] } else { &["sort_key", "value"] };
        let raw = columns.last().copied();
        let mut rows = output.rows(columns, raw.as_slice());
        for entry in found.entries {
            let mut row = vec![entry.sort_key.into()];
            row.extend((!self.no_value).then(|| entry.value.into()));
            rows.row(row)?;
        }
        rows.end()?;
        if !found.complete {
            say::note("(there is more: raise --max-count or --max-bytes, or scan)");
        }
        Ok(())
    }
}

#[derive(Args)]
pub(crate) struct MultiGet {
    /// The hash key.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    hash_key: Bytes,

    /// The sort keys.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    sort_keys: Vec<Bytes>,

    #[command(flatten)]
    amount: Amount,
}

impl MultiGet {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let table = place.table().await?;
        let found = table.multi_get_with(self.hash_key, self.sort_keys, &self.amount.options()).await?;
        let is_any = !found.entries.is_empty();
        self.amount.tell(found, output)?;
        Ok(told(is_any))
    }
}

#[derive(Args)]
pub(crate) struct MultiSet {
    /// The hash key.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    hash_key: Bytes,

    /// Sort keys, each with its value behind it.
    #[arg(value_parser = escape::read, allow_negative_numbers = true, value_name = "SORT_KEY VALUE")]
    rows: Vec<Bytes>,

    #[command(flatten)]
    lifetime: Lifetime,
}

impl MultiSet {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let (pairs, rest) = self.rows.as_chunks::<2>();
        if let [alone] = rest {
            let message = format!("{}: each sort key needs a value behind it", escape::word(alone));
            return Err(clap::Error::raw(ErrorKind::WrongNumberOfValues, message).into());
        }
        let pairs = pairs.iter().map(|[sort_key, value]| (sort_key, value.clone()));
        let table = place.table().await?;
        table.multi_set_with(&self.hash_key, pairs, self.lifetime.options()).await?;
        output.done()?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct MultiDel {
    /// The hash key.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    hash_key: Bytes,

    /// The sort keys.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    sort_keys: Vec<Bytes>,
}

impl MultiDel {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        place.table().await?.multi_del(self.hash_key, self.sort_keys).await?;
        output.done()?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct SortKeys {
    /// The hash key.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    hash_key: Bytes,
}

impl SortKeys {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let (sort_keys, complete) = place.table().await?.get_sort_keys(self.hash_key).await?;
        let mut rows = output.rows(&["sort_key"], &["sort_key"]);
        for sort_key in sort_keys {
            rows.row(vec![sort_key.into()])?;
        }
        rows.end()?;
        if !complete {
            say::note("(there are more: scan --no-value tells all)");
        }
        Ok(Ended::Done)
    }
}
