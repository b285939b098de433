//! Verbs on what lies between two keys.

use charioteer::tikv::{ScanOptions, TxnScanner};
use clap::Args;

use super::place::Place;
use crate::commands::range::{Bounds, Range, Reading, count, to_count};
use crate::exit::{Ended, Failure};
use crate::output::Output;

/// Reads in the transaction that is open, or as of now.
async fn scan(place: &Place, range: &Range, options: &ScanOptions) -> Result<TxnScanner, Failure> {
    Ok(match &*place.open.lock().await {
        Some(open) => open.txn.scan_with(&range.start, &range.end, options)?,
        None => place.client.snapshot().await?.scan_with(&range.start, &range.end, options)?,
    })
}

#[derive(Args)]
pub(crate) struct Scan {
    #[command(flatten)]
    range: Range,

    #[command(flatten)]
    reading: Reading,
}

impl Scan {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let scanner = scan(place, &self.range, &self.reading.options()).await?;
        self.reading.tell(scanner, output).await
    }
}

#[derive(Args)]
pub(crate) struct Count {
    #[command(flatten)]
    range: Range,
}

impl Count {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        count(scan(place, &self.range, &to_count()).await?, output).await
    }
}

#[derive(Args)]
pub(crate) struct Del {
    #[command(flatten)]
    bounds: Bounds,
}

impl Del {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        place.client.delete_range(self.bounds.start, self.bounds.end).await?;
        output.done()?;
        Ok(Ended::Done)
    }
}
