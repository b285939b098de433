//! Scans of the whole table.

use std::time::{Duration, Instant};

use charioteer::pegasus::{ScanOptions, Scanner, Table};
use tokio::task::JoinSet;

use crate::figures::{Figures, Usage};
use crate::rows::VALUE_BYTES;
use crate::{Error, Options, WARM_UP};

/// Reads the whole table again and again; the scans that begin in the warm-up are not counted.
pub(crate) async fn measure(table: &Table, options: &Options) -> Result<Figures, Error> {
    scan_for(table, options, WARM_UP).await?;
    let before = Usage::now();
    let rows = scan_for(table, options, options.time()).await?;
    Ok(Figures::new(options, Usage::now().since(&before), rows, None))
}

/// Begins whole scans until that time has passed, and says how many rows they found.
async fn scan_for(table: &Table, options: &Options, at_least: Duration) -> Result<u64, Error> {
    let begin = Instant::now();
    let mut rows = 0;
    while begin.elapsed() < at_least {
        let found = scan_once(table, options.callers).await?;
        if found != u64::from(options.rows) {
            return Err(format!("the scan found {found} rows, not {}; was the table loaded?", options.rows).into());
        }
        rows += found;
    }
    Ok(rows)
}

/// Reads the whole table with that many scanners, side by side.
async fn scan_once(table: &Table, scanners: u16) -> Result<u64, Error> {
    let opened = table.get_unordered_scanners(scanners.into(), &ScanOptions::default()).await?;
    if opened.len() != usize::from(scanners) {
        return Err(format!("{} scanners, not {scanners}: the table has few partitions", opened.len()).into());
    }
    let mut readers: JoinSet<_> = opened.into_iter().map(read_out).collect();
    let mut rows = 0;
    while let Some(found) = readers.join_next().await {
        rows += found??;
    }
    Ok(rows)
}

async fn read_out(mut scanner: Scanner) -> Result<u64, Error> {
    let mut rows = 0;
    while let Some(row) = scanner.next().await? {
        if row.value.len() != VALUE_BYTES {
            return Err(format!("a scan found a value of {} bytes", row.value.len()).into());
        }
        rows += 1;
    }
    Ok(rows)
}
