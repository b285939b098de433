//! Verbs on what lies between two keys.

use bytes::Bytes;
use charioteer::tikv::{RawClient, ScanOptions};
use clap::Args;

use super::one::Family;
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

    /// How many keys come at a time at most.
    #[arg(long, value_name = "NUMBER", default_value_t = ScanOptions::default().batch_size)]
    batch_size: u32,

    #[command(flatten)]
    family: Family,
}

impl Scan {
    pub(super) async fn run(self, client: &RawClient, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let mut options = ScanOptions::default();
        options.batch_size = self.batch_size;
        options.limit = self.limit;
        options.reverse = self.reverse;
        options.keys_only = self.keys_only;
        let mut scanner = self.family.of(client).scan_with(&self.range.start, &self.range.end, &options)?;
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

    #[command(flatten)]
    family: Family,
}

impl Count {
    /// Keys are read for it, since stores count only together with checksums, which read values too.
    pub(super) async fn run(self, client: &RawClient, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let mut options = ScanOptions::default();
        options.keys_only = true;
        let mut scanner = self.family.of(client).scan_with(&self.range.start, &self.range.end, &options)?;
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

    #[command(flatten)]
    family: Family,
}

impl Del {
    pub(super) async fn run(self, client: &RawClient, output: &mut Output<'_>) -> Result<Ended, Failure> {
        self.family.of(client).delete_range(self.start, self.end).await?;
        output.done()?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct Checksum {
    #[command(flatten)]
    range: Range,
}

impl Checksum {
    pub(super) async fn run(self, client: &RawClient, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let sum = client.checksum(&self.range.start, &self.range.end).await?;
        let crc64_xor = format!("{:016x}", sum.crc64_xor).into();
        output.facts([("crc64_xor", crc64_xor), ("keys", sum.pairs.into()), ("bytes", sum.bytes.into())])?;
        Ok(Ended::Done)
    }
}
