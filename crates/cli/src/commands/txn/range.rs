//! Verbs on what lies between two keys.

use bytes::Bytes;
use charioteer::tikv::{ScanOptions, TxnScanner};
use clap::Args;

use super::place::Place;
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

impl Range {
    async fn scan(&self, place: &Place, options: &ScanOptions) -> Result<TxnScanner, Failure> {
        Ok(match &*place.open.lock().await {
            Some(open) => open.txn.scan_with(&self.start, &self.end, options)?,
            None => place.client.snapshot().await?.scan_with(&self.start, &self.end, options)?,
        })
    }
}

#[derive(Args)]
pub(crate) struct Scan {
    #[command(flatten)]
    range: Range,

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

impl Scan {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let mut options = ScanOptions::default();
        options.limit = self.limit;
        options.reverse = self.reverse;
        options.keys_only = self.keys_only;
        let mut scanner = self.range.scan(place, &options).await?;
        let columns: &[&str] = if self.keys_only { &["key"] } else { &["key", "value"] };
        let mut rows = output.rows(columns, &columns[columns.len() - 1..]);
        while let Some(row) = scanner.next().await? {
            let cells: [Cell; 2] = [row.key.into(), row.value.into()];
            rows.row(cells.into_iter().take(columns.len()).collect())?;
        }
        rows.end()?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct Count {
    #[command(flatten)]
    range: Range,
}

impl Count {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let mut options = ScanOptions::default();
        options.keys_only = true;
        let mut scanner = self.range.scan(place, &options).await?;
        let mut count = 0_u64;
        while scanner.next().await?.is_some() {
            count += 1;
        }
        output.fact("count", count)?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct Del {
    /// The first key; may be empty ('') for the first of all.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    start: Bytes,

    /// The key before which it ends; may be empty ('') for behind the last of all.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    end: Bytes,
}

impl Del {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        place.client.delete_range(self.start, self.end).await?;
        output.done()?;
        Ok(Ended::Done)
    }
}
