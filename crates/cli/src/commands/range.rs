//! What lies between two keys of TiKV, raw ones or those of transactions.

use bytes::Bytes;
use charioteer::Error;
use charioteer::tikv::{Row, ScanOptions};
use clap::Args;
use futures_util::{Stream, TryStreamExt};

use crate::exit::{Ended, Failure};
use crate::output::{Cell, Output, escape};

/// Where a range begins and ends.
#[derive(Args)]
pub(super) struct Range {
    /// The first key; without it, the first of all.
    #[arg(value_parser = escape::read, allow_negative_numbers = true, default_value = "", hide_default_value = true)]
    pub(super) start: Bytes,

    /// The key before which it ends; without it, or when it is empty, behind the last of all.
    #[arg(value_parser = escape::read, allow_negative_numbers = true, default_value = "", hide_default_value = true)]
    pub(super) end: Bytes,
}

/// The same of a range that is not to be all there is by mistake.
#[derive(Args)]
pub(super) struct Bounds {
    /// The first key; may be empty ('') for the first of all.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    pub(super) start: Bytes,

    /// The key before which it ends; may be empty ('') for behind the last of all.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    pub(super) end: Bytes,
}

/// How a range is read.
#[derive(Args)]
pub(super) struct Reading {
    /// Ends after so many keys.
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u64>,

    /// Tells the last keys first.
    #[arg(long)]
    reverse: bool,

    /// Leaves the values out.
    #[arg(long)]
    keys_only: bool,
}

impl Reading {
    pub(super) fn options(&self) -> ScanOptions {
        let mut options = ScanOptions::default();
        options.limit = self.limit;
        options.reverse = self.reverse;
        options.keys_only = self.keys_only;
        options
    }

    /// Tells the rows that a scan with these options gives.
    pub(super) async fn tell(
        self,
        mut scanner: impl Stream<Item = Result<Row, Error>> + Unpin,
        output: &mut Output<'_>,
    ) -> Result<Ended, Failure> {
        let columns: &[&str] = if self.keys_only { &["key"] } else { &["key", "value"] };
        let mut rows = output.rows(columns, &columns[columns.len() - 1..]);
        while let Some(row) = scanner.try_next().await? {
            let cells: [Cell; 2] = [row.key.into(), row.value.into()];
            rows.row(cells.into_iter().take(columns.len()).collect())?;
        }
        rows.end()?;
        Ok(Ended::Done)
    }
}

/// How a range is read of which nothing but the number of its keys is told.
pub(super) fn to_count() -> ScanOptions {
    let mut options = ScanOptions::default();
    options.keys_only = true;
    options
}

/// Tells how many rows a scan gives.
pub(super) async fn count(
    mut scanner: impl Stream<Item = Result<Row, Error>> + Unpin,
    output: &mut Output<'_>,
) -> Result<Ended, Failure> {
    let mut count = 0_u64;
    while scanner.try_next().await?.is_some() {
        count += 1;
    }
    output.fact("count", count)?;
    Ok(Ended::Done)
}
