//! Verbs on what lies between two keys.

use charioteer::tikv::{RawClient, ScanOptions};
use clap::Args;

use super::one::Family;
use crate::commands::range::{Bounds, Range, Reading, count, to_count};
use crate::exit::{Ended, Failure};
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Scan {
    #[command(flatten)]
    range: Range,

    #[command(flatten)]
    reading: Reading,

    /// How many keys come at a time at most.
    #[arg(long, value_name = "NUMBER", default_value_t = ScanOptions::default().batch_size)]
    batch_size: u32,

    #[command(flatten)]
    family: Family,
}

impl Scan {
    pub(super) async fn run(self, client: &RawClient, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let mut options = self.reading.options();
        options.batch_size = self.batch_size;
        let scanner = self.family.of(client).scan_with(&self.range.start, &self.range.end, &options)?;
        self.reading.tell(scanner, output).await
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
        count(self.family.of(client).scan_with(&self.range.start, &self.range.end, &to_count())?, output).await
    }
}

#[derive(Args)]
pub(crate) struct Del {
    #[command(flatten)]
    bounds: Bounds,

    #[command(flatten)]
    family: Family,
}

impl Del {
    pub(super) async fn run(self, client: &RawClient, output: &mut Output<'_>) -> Result<Ended, Failure> {
        self.family.of(client).delete_range(self.bounds.start, self.bounds.end).await?;
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
