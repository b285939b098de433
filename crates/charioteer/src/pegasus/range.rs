//! Calls on ranges of a hash key that take more than one request: paging through one, and deleting one.

use std::fmt;

use bytes::{Bytes, BytesMut};

use super::filter::Filter;
use super::multi::{Entries, Entry, MultiGetOptions};
use super::scan::ScanOptions;
use super::table::Table;
use crate::error::Error;

/// How many rows a del_range deletes at a time.
const DELETED_AT_A_TIME: usize = 1000;

/// What a del_range deletes.
///
/// ```
/// use charioteer::pegasus::{DelRangeOptions, Filter};
///
/// let mut options = DelRangeOptions::default();
/// assert!(options.start_inclusive && !options.stop_inclusive);
/// options.filter = Filter::prefix("2025-");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DelRangeOptions {
    /// Whether the row at the start is deleted. Default yes.
    pub start_inclusive: bool,
    /// Whether the row at the end is deleted. Default no.
    pub stop_inclusive: bool,
    /// Which sort keys are deleted. Default all.
    pub filter: Filter,
}

impl Default for DelRangeOptions {
    fn default() -> Self {
        Self { start_inclusive: true, stop_inclusive: false, filter: Filter::All }
    }
}

/// A del_range that did not come to its end.
///
/// ```
/// use charioteer::pegasus::DelRangeError;
///
/// /// Goes on where a del_range has stopped.
/// fn resume_at(error: &DelRangeError) -> &[u8] {
///     &error.next_sort_key
/// }
/// ```
#[derive(Clone, Debug)]
pub struct DelRangeError {
    /// Why the request failed that was the last; its outcome is not that of those before.
    pub error: Error,
    /// The first sort key that may not have been deleted: another del_range may begin here, its start inclusive.
    pub next_sort_key: Bytes,
    /// How many rows were deleted before.
    pub deleted: u64,
}

impl fmt::Display for DelRangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}; {} rows were deleted before, it can go on at {}",
            self.error,
            self.deleted,
            shortened(&self.next_sort_key)
        )
    }
}

impl std::error::Error for DelRangeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// The error of the whole call, of which something may have been carried out: [`DelRangeError::error`] tells of the request that failed.
impl From<DelRangeError> for Error {
    fn from(stopped: DelRangeError) -> Self {
        if stopped.deleted > 0 { stopped.error.unknown() } else { stopped.error }
    }
}

impl Table {
    /// Deletes the rows of a hash key from one sort key to another, and says how many. The start belongs to the range, the end does
    /// not; an empty end is none.
    ///
    /// Rows are deleted a thousand at a time: somebody may see some of them gone and others there, and rows that are set meanwhile may
    /// or may not be deleted.
    ///
    /// # Errors
    /// As [`multi_del`](Self::multi_del), with the place to go on at.
    pub async fn del_range(
        &self,
        hash_key: impl AsRef<[u8]>,
        start: impl AsRef<[u8]>,
        stop: impl AsRef<[u8]>,
    ) -> Result<u64, DelRangeError> {
        self.del_range_with(hash_key, start, stop, &DelRangeOptions::default()).await
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`del_range`](Self::del_range).
    pub async fn del_range_with(
        &self,
        hash_key: impl AsRef<[u8]>,
        start: impl AsRef<[u8]>,
        stop: impl AsRef<[u8]>,
        options: &DelRangeOptions,
    ) -> Result<u64, DelRangeError> {
        let (hash_key, mut next_sort_key) = (hash_key.as_ref(), Bytes::copy_from_slice(start.as_ref()));
        let mut deleted = 0;
        let result = self.del_from(hash_key, &mut next_sort_key, stop.as_ref(), options, &mut deleted).await;
        result.map_err(|error| DelRangeError { error: error.during("del_range"), next_sort_key, deleted })?;
        Ok(deleted)
    }

    async fn del_from(
        &self,
        hash_key: &[u8],
        next: &mut Bytes,
        stop: &[u8],
        options: &DelRangeOptions,
        deleted: &mut u64,
    ) -> Result<(), Error> {
        let scan = ScanOptions {
            start_inclusive: options.start_inclusive,
            stop_inclusive: options.stop_inclusive,
            sort_key_filter: options.filter.clone(),
            no_value: true,
            ..ScanOptions::default()
        };
        let mut scanner = self.get_scanner(hash_key, &*next, stop, &scan)?;
        let mut sort_keys = Vec::new();
        loop {
            let row = scanner.next().await?;
            let is_last = row.is_none();
            if let Some(row) = row {
                if sort_keys.is_empty() {
                    *next = row.sort_key.clone();
                }
                sort_keys.push(row.sort_key);
            }
            if sort_keys.len() == DELETED_AT_A_TIME || (is_last && !sort_keys.is_empty()) {
                self.multi_del(hash_key, &sort_keys).await?;
                *deleted += sort_keys.len() as u64;
                sort_keys.clear();
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Reads a range page by page, to its end: a page is what a multi_get_range with these options gives. With `reverse`, pages come
    /// from the end to the start, and the rows of each in ascending order.
    ///
    /// # Errors
    /// When the hash key is empty or too long.
    pub fn pages(
        &self,
        hash_key: impl AsRef<[u8]>,
        start: impl AsRef<[u8]>,
        stop: impl AsRef<[u8]>,
        options: &MultiGetOptions,
    ) -> Result<Pager, Error> {
        self.check_hash_key("multi_get", hash_key.as_ref())?;
        Ok(Pager {
            table: self.clone(),
            hash_key: Bytes::copy_from_slice(hash_key.as_ref()),
            start: Bytes::copy_from_slice(start.as_ref()),
            stop: Bytes::copy_from_slice(stop.as_ref()),
            options: options.clone(),
            is_over: false,
        })
    }
}

/// A range that is read page by page.
///
/// ```
/// use charioteer::pegasus::{Client, MultiGetOptions};
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), charioteer::Error> {
/// let server = TestServer::start().await;
/// let table = Client::connect(&server.pegasus_url()).await?.open_table("temp").await?;
/// table.multi_set("log", (0..250).map(|line| (format!("{line:04}"), "…"))).await?;
///
/// let mut pages = table.pages("log", "", "", &MultiGetOptions::default())?;
/// let mut sizes = Vec::new();
/// while let Some(page) = pages.next_page().await? {
///     sizes.push(page.len());
/// }
/// assert_eq!(sizes, [100, 100, 50]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Pager {
    table: Table,
    hash_key: Bytes,
    start: Bytes,
    stop: Bytes,
    options: MultiGetOptions,
    is_over: bool,
}

impl Pager {
    /// The next rows, or `None` at the end. A page is never empty.
    ///
    /// # Errors
    /// As [`Table::multi_get_range`]; it may be called again then, and goes on.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Entry>>, Error> {
        while !self.is_over {
            let Entries { entries, complete } = self.page(&self.options).await?;
            if entries.is_empty() && !complete {
                self.get_past_unwanted().await?;
                continue;
            }
            self.is_over = complete;
            self.get_past(&entries);
            if !entries.is_empty() {
                return Ok(Some(entries));
            }
        }
        Ok(None)
    }

    /// Gets past as many rows as the server looks at in a multi_get, none of which was wanted. Without the filter it shows which these
    /// were.
    async fn get_past_unwanted(&mut self) -> Result<(), Error> {
        let all =
            MultiGetOptions { filter: Filter::All, max_count: 0, max_bytes: 0, no_value: true, ..self.options.clone() };
        let Entries { entries, complete } = self.page(&all).await?;
        if entries.is_empty() && !complete {
            return self.get_past_expired().await;
        }
        // One that is wanted was set meanwhile, and comes with the next page.
        let is_wanted = |entry: &Entry| self.options.filter.matches(&entry.sort_key);
        let passed =
            if self.options.reverse { entries.rsplit(is_wanted).next() } else { entries.split(is_wanted).next() };
        let passed = passed.unwrap_or_default();
        self.is_over = complete && passed.len() == entries.len();
        self.get_past(passed);
        Ok(())
    }

    /// Gets past more rows that have expired than the server looks at in a multi_get, which does not say which these were: a scan does.
    async fn get_past_expired(&mut self) -> Result<(), Error> {
        let options = ScanOptions {
            start_inclusive: self.options.start_inclusive,
            stop_inclusive: self.options.stop_inclusive,
            sort_key_filter: self.options.filter.clone(),
            no_value: true,
            ..ScanOptions::default()
        };
        let mut scanner = self.table.get_scanner(&self.hash_key, &self.start, &self.stop, &options)?;
        let Some(first) = scanner.next().await? else {
            self.is_over = true;
            return Ok(());
        };
        if !self.options.reverse {
            (self.start, self.options.start_inclusive) = (first.sort_key, true);
            return Ok(());
        }
        let mut last = first;
        while let Some(row) = scanner.next().await? {
            last = row;
        }
        // The first key after the last row, since an empty end would be none.
        self.stop = [&last.sort_key[..], b"\0"].concat().into();
        self.options.stop_inclusive = false;
        Ok(())
    }

    async fn page(&self, options: &MultiGetOptions) -> Result<Entries, Error> {
        self.table.multi_get_range_with(&self.hash_key, &self.start, &self.stop, options).await
    }

    fn get_past(&mut self, entries: &[Entry]) {
        if self.options.reverse {
            if let Some(first) = entries.first() {
                // Nothing is before the empty sort key, and an empty end would be none.
                self.is_over |= first.sort_key.is_empty();
                self.stop = first.sort_key.clone();
                self.options.stop_inclusive = false;
            }
        } else if let Some(last) = entries.last() {
            self.start = last.sort_key.clone();
            self.options.start_inclusive = false;
        }
    }
}

/// The first key that is after all that begin with this one.
pub(super) fn successor(key: &[u8]) -> Bytes {
    let kept = key.iter().rposition(|byte| *byte != 0xff).map_or(0, |at| at + 1);
    let mut successor = BytesMut::from(&key[..kept]);
    match successor.last_mut() {
        Some(last) => *last += 1,
        None => successor.extend_from_slice(&[0xff, 0xff]),
    }
    successor.freeze()
}

/// A key as it is told: escaped, and not all of a long one.
fn shortened(key: &[u8]) -> String {
    const SHOWN: usize = 40;
    let shown = key[..key.len().min(SHOWN)].escape_ascii();
    if key.len() > SHOWN { format!("\"{shown}…\" ({} bytes)", key.len()) } else { format!("\"{shown}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_successor_comes_after_all_that_begin_with_the_key() {
        assert_eq!(&successor(b"\x00\x02hk")[..], b"\x00\x02hl");
        assert_eq!(&successor(b"\x00\x02h\xff")[..], b"\x00\x02i");
        assert_eq!(&successor(b"\x00\x02\xff\xff")[..], b"\x00\x03");
        assert_eq!(&successor(b"\xff\xff")[..], b"\xff\xff");
    }

    #[test]
    fn keys_are_told_escaped_and_shortened() {
        assert_eq!(shortened(b"a\x00"), "\"a\\x00\"");
        assert!(shortened(&[b'x'; 1000]).ends_with("…\" (1000 bytes)"));
    }
}
