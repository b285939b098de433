//! Scans: of what lies between two keys, or of many such ranges, in either direction.
//!
//! Rows come in [pages](crate::tikv::pages), each from where the last one ended up to the end of the region at most. A page is all there
//! is of its part of the region, since a store refuses to answer for a region that has changed. What comes next follows from the keys
//! alone, so that a scan goes on after any error, and whatever becomes of the regions.

mod page;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;

use super::client::RawClient;
use crate::error::Error;
use crate::tikv::pages::{Page, Pages, Rest, Wanted};
use crate::tikv::range::check_range;
use page::Unread;

/// A key and its value, as a scan finds them.
///
/// ```
/// use charioteer::tikv::Row;
///
/// let row = Row { key: "city".into(), value: "Paris".into() };
/// assert_eq!(row.key, "city");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key.
    pub key: Bytes,
    /// The value; empty where values were not asked for. The rows of one page share its memory; copy what is to be kept for long.
    pub value: Bytes,
}

/// What a scan takes, and how.
///
/// ```
/// use charioteer::tikv::ScanOptions;
///
/// let mut options = ScanOptions::default();
/// assert_eq!(options.batch_size, 4096);
/// options.reverse = true;
/// options.limit = Some(10);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanOptions {
    /// How many rows come at a time at most. Fewer come at first, and where they are large. Default 4096.
    pub batch_size: u32,
    /// How many rows come in all. Default no limit.
    pub limit: Option<u64>,
    /// How many rows come of each range. Default no limit.
    pub limit_each: Option<u64>,
    /// Whether values are left out. Default no.
    pub keys_only: bool,
    /// Whether rows come in descending order of their keys. Default no.
    pub reverse: bool,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self { batch_size: 4096, limit: None, limit_each: None, keys_only: false, reverse: false }
    }
}

/// A scan under way: a [`Stream`] of rows, or [`next`](Self::next) for one row after the other.
///
/// What is written while a scan is under way may or may not be found by it. After an error it may be asked again, and goes on where it
/// was.
///
/// ```
/// use charioteer::tikv::RawClient;
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), charioteer::Error> {
/// let server = TestServer::start().await;
/// let client = RawClient::connect(&server.tikv_url()).await?;
/// client.put("city", "Paris").await?;
///
/// let mut scanner = client.scan("a", "")?;
/// while let Some(row) = scanner.next().await? {
///     println!("{:?} = {:?}", row.key, row.value);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Scanner {
    client: RawClient,
    options: ScanOptions,
    pages: Pages<Unread>,
    /// How many rows are wanted behind those that have come.
    left: u64,
    rows: std::vec::IntoIter<Row>,
}

impl RawClient {
    /// Scans from `start` up to just before `end`, or up to the last key of all if that is empty. Nothing is sent yet.
    ///
    /// # Errors
    /// When the range ends before it begins.
    pub fn scan(&self, start: impl AsRef<[u8]>, end: impl AsRef<[u8]>) -> Result<Scanner, Error> {
        self.scan_with(start, end, &ScanOptions::default())
    }

    /// The same range backwards: from the last key before `end`, or of all if that is empty, down to `start`.
    ///
    /// # Errors
    /// As [`scan`](Self::scan).
    pub fn reverse_scan(&self, start: impl AsRef<[u8]>, end: impl AsRef<[u8]>) -> Result<Scanner, Error> {
        self.scan_with(start, end, &ScanOptions { reverse: true, ..ScanOptions::default() })
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`scan`](Self::scan); and when the options make no sense.
    pub fn scan_with(
        &self,
        start: impl AsRef<[u8]>,
        end: impl AsRef<[u8]>,
        options: &ScanOptions,
    ) -> Result<Scanner, Error> {
        self.scan_ranges([(start, end)], options)
    }

    /// Scans many ranges, one after the other in the order given, whatever keys they have.
    ///
    /// # Errors
    /// As [`scan_with`](Self::scan_with).
    pub fn scan_ranges<S: AsRef<[u8]>, E: AsRef<[u8]>>(
        &self,
        ranges: impl IntoIterator<Item = (S, E)>,
        options: &ScanOptions,
    ) -> Result<Scanner, Error> {
        if options.batch_size == 0 {
            return Err(Error::invalid(page::NAME, "a batch must have at least one row"));
        }
        let range = |(start, end): (S, E)| {
            let (start, end) = (start.as_ref(), end.as_ref());
            check_range(page::NAME, start, end)?;
            Ok(Rest::Given(Bytes::copy_from_slice(start), Bytes::copy_from_slice(end)))
        };
        let ranges = ranges.into_iter().map(range).collect::<Result<Vec<_>, Error>>()?;
        Ok(Scanner {
            client: self.clone(),
            options: *options,
            pages: Pages::new(ranges, options.limit_each, options.batch_size, options.reverse),
            left: options.limit.unwrap_or(u64::MAX),
            rows: Vec::new().into_iter(),
        })
    }
}

impl Scanner {
    /// The next row, or `None` at the end.
    ///
    /// May be dropped before it is done: no row is lost, and the next call goes on.
    ///
    /// # Errors
    /// When no answer was to be had within the client's time for a call, or the cluster has another API version.
    pub async fn next(&mut self) -> Result<Option<Row>, Error> {
        poll_fn(|cx| self.poll_row(cx)).await.transpose()
    }

    fn poll_row(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Row, Error>>> {
        loop {
            if let Some(row) = self.rows.next() {
                return Poll::Ready(Some(Ok(row)));
            }
            match ready!(self.poll_page(cx)) {
                Some(Ok(page)) => {
                    if let Err(error) = self.accept(&page) {
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }

    fn poll_page(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Page<Unread>, Error>>> {
        let (client, ScanOptions { keys_only, reverse, .. }) = (&self.client, self.options);
        self.pages.poll_next(cx, self.left, |wanted: Wanted| {
            let client = client.clone();
            Box::pin(async move { client.fetch(wanted, keys_only, reverse).await })
        })
    }

    /// Reads the rows of a page.
    fn accept(&mut self, page: &Page<Unread>) -> Result<(), Error> {
        // Whoever asks again after an error is to get this page.
        let mut rows = page.body.rows().inspect_err(|_| self.pages.take_back(page))?;
        rows.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= rows.len() as u64;
        self.rows = rows.into_iter();
        Ok(())
    }
}

impl Stream for Scanner {
    type Item = Result<Row, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_row(cx)
    }
}

impl fmt::Debug for Scanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scanner").field("client", &self.client).field("options", &self.options).finish_non_exhaustive()
    }
}
