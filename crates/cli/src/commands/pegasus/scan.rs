//! Scans: their rows, and how many there are.

use bytes::Bytes;
use charioteer::pegasus::{Filter, Row, ScanOptions, Table};
use clap::Args;
use futures_util::{Stream, StreamExt, TryStreamExt};

use super::place::Place;
use super::range::Range;
use super::words;
use crate::exit::{Ended, Failure};
use crate::output::{Cell, Output, escape};

/// How a scan goes about it.
#[derive(Args)]
struct Pace {
    /// Only hash keys that match.
    #[arg(long, value_name = "anywhere:TEXT|prefix:TEXT|postfix:TEXT", value_parser = words::filter)]
    hash_filter: Option<Filter>,

    /// How many rows come from a server at a time.
    #[arg(long, value_name = "NUMBER", default_value_t = ScanOptions::default().batch_size)]
    batch_size: u32,

    /// From how many partitions rows come at a time, when the table is scanned.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    parallel: usize,
}

impl Pace {
    fn options(&self) -> ScanOptions {
        let mut options = ScanOptions::default();
        options.batch_size = self.batch_size;
        options.hash_key_filter = self.hash_filter.clone().unwrap_or_default();
        options
    }
}

#[derive(Args)]
pub(crate) struct Scan {
    /// The hash key; without it, the whole table is scanned.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    hash_key: Option<Bytes>,

    #[command(flatten)]
    range: Range,

    #[command(flatten)]
    pace: Pace,

    /// Ends after so many rows.
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,

    /// Leaves the values out.
    #[arg(long)]
    no_value: bool,

    /// Tells how long each row has to live.
    #[arg(long)]
    with_ttl: bool,
}

impl Scan {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let table = place.table().await?;
        let options = self.options();
        match &self.hash_key {
            Some(hash_key) => {
                let scanner = table.get_scanner(hash_key, &self.range.start, &self.range.stop, &options)?;
                self.tell(scanner, output).await
            }
            None => self.tell(table.scan_all(self.pace.parallel, &options).await?, output).await,
        }
    }

    fn options(&self) -> ScanOptions {
        let mut options = self.pace.options();
        options.start_inclusive = self.range.start_inclusive;
        options.stop_inclusive = self.range.stop_inclusive;
        options.sort_key_filter = self.range.filter.clone().unwrap_or_default();
        options.no_value = self.no_value;
        options.return_ttl = self.with_ttl;
        // Rows beyond the limit need not travel.
        if let Some(limit) = self.limit.and_then(|limit| u32::try_from(limit).ok()).filter(|limit| *limit > 0) {
            options.batch_size = options.batch_size.min(limit);
        }
        options
    }

    async fn tell(
        &self,
        rows: impl Stream<Item = Result<Row, charioteer::Error>> + Unpin,
        output: &mut Output<'_>,
    ) -> Result<Ended, Failure> {
        let mut answer = output.rows(&self.columns(), &self.raw_columns());
        let mut rows = rows.take(self.limit.unwrap_or(usize::MAX));
        while let Some(row) = rows.try_next().await? {
            answer.row(self.cells(row))?;
        }
        answer.end()?;
        Ok(Ended::Done)
    }

    fn columns(&self) -> Vec<&'static str> {
        let wanted =
            [("hash_key", true), ("sort_key", true), ("value", !self.no_value), ("ttl", self.with_ttl)].into_iter();
        wanted.filter(|(_, is_wanted)| *is_wanted).map(|(column, _)| column).collect()
    }

    fn raw_columns(&self) -> Vec<&'static str> {
        match (self.no_value, &self.hash_key) {
            (false, _) => vec!["value"],
            (true, Some(_)) => vec!["sort_key"],
            (true, None) => vec!["hash_key", "sort_key"],
        }
    }

    fn cells(&self, row: Row) -> Vec<Cell> {
        let mut cells = vec![row.hash_key.into(), row.sort_key.into()];
        cells.extend((!self.no_value).then(|| row.value.into()));
        cells.extend(self.with_ttl.then(|| row.ttl.into()));
        cells
    }
}

#[derive(Args)]
pub(crate) struct Count {
    /// The hash key; without it, the whole table is counted.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    hash_key: Option<Bytes>,

    /// Only sort keys that match.
    #[arg(long, value_name = "anywhere:TEXT|prefix:TEXT|postfix:TEXT", value_parser = words::filter)]
    filter: Option<Filter>,

    #[command(flatten)]
    pace: Pace,
}

impl Count {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let table = place.table().await?;
        let count = match (&self.hash_key, self.options()) {
            (Some(hash_key), None) => table.sort_key_count(hash_key).await?,
            (Some(hash_key), Some(options)) => table.get_scanner(hash_key, "", "", &options)?.count().await?,
            (None, options) => self.of_table(&table, &options.unwrap_or_else(|| self.pace.options())).await?,
        };
        output.fact("count", count)?;
        Ok(Ended::Done)
    }

    /// What is counted, unless it is all.
    fn options(&self) -> Option<ScanOptions> {
        let is_all = self.filter.is_none() && self.pace.hash_filter.is_none();
        (!is_all).then(|| {
            let mut options = self.pace.options();
            options.sort_key_filter = self.filter.clone().unwrap_or_default();
            options
        })
    }

    async fn of_table(&self, table: &Table, options: &ScanOptions) -> Result<u64, Failure> {
        let scanners = table.get_unordered_scanners(self.pace.parallel, options).await?;
        let counts = futures_util::future::try_join_all(scanners.into_iter().map(|scanner| scanner.count())).await?;
        Ok(counts.into_iter().sum())
    }
}
