//! Scans: of what lies between two keys, or of many such ranges, in either direction.
//!
//! A page is asked for at a time, from where the last one ended up to the end of the region at most, and the next while its rows are
//! handed out. A page is all there is of its part of the region, since a store refuses to answer for a region that has changed. What
//! comes next follows from the keys alone, so that a scan goes on after any error, and whatever becomes of the regions.

mod page;

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use futures_core::future::BoxFuture;

use super::client::RawClient;
use crate::error::Error;
use crate::tikv::range::check_range;
use page::{Page, Rest, Wanted};

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
    /// Where rows are fetched, from behind the last that came.
    lane: Option<Lane>,
    /// What comes after this lane.
    lanes: VecDeque<Lane>,
    /// How many rows may still be fetched.
    left: u64,
    pace: Pace,
    rows: std::vec::IntoIter<Row>,
    fetch: Option<BoxFuture<'static, Result<Page, Error>>>,
}

/// What is left of a range.
#[derive(Clone, Debug)]
struct Lane {
    rest: Rest,
    /// How many rows may still be fetched of it.
    left: u64,
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
        let left = options.limit_each.unwrap_or(u64::MAX);
        let lane = |(start, end): (S, E)| {
            let (start, end) = (start.as_ref(), end.as_ref());
            check_range(page::NAME, start, end)?;
            Ok(Lane { rest: Rest::Given(Bytes::copy_from_slice(start), Bytes::copy_from_slice(end)), left })
        };
        Ok(Scanner {
            client: self.clone(),
            options: *options,
            lane: None,
            lanes: ranges.into_iter().map(lane).collect::<Result<_, Error>>()?,
            left: options.limit.unwrap_or(u64::MAX),
            pace: Pace::up_to(options.batch_size),
            rows: Vec::new().into_iter(),
            fetch: None,
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
            if let Some(fetch) = &mut self.fetch {
                let fetched = ready!(fetch.as_mut().poll(cx));
                self.fetch = None;
                match fetched {
                    Ok(page) => {
                        if let Err(error) = self.accept(page, cx) {
                            return Poll::Ready(Some(Err(error)));
                        }
                    }
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
            } else if !self.begin_fetch() {
                return Poll::Ready(None);
            }
        }
    }

    /// Asks for the next rows, unless there are none.
    fn begin_fetch(&mut self) -> bool {
        if self.lane.as_ref().is_none_or(|lane| lane.left == 0) {
            self.lane = self.lanes.pop_front();
        }
        let Some(lane) = self.lane.as_ref().filter(|lane| self.left > 0 && lane.left > 0) else {
            return false;
        };
        let wanted = Wanted {
            rest: lane.rest.clone(),
            limit: u32::try_from(lane.left.min(self.left)).unwrap_or(u32::MAX).min(self.pace.limit),
            keys_only: self.options.keys_only,
            reverse: self.options.reverse,
        };
        let client = self.client.clone();
        self.fetch = Some(Box::pin(async move { client.fetch(wanted).await }));
        true
    }

    /// Takes a page, and asks for the next one before its rows are read and handed out.
    fn accept(&mut self, page: Page, cx: &mut Context<'_>) -> Result<(), Error> {
        let (lane, waiting) = (self.lane.clone(), self.lanes.len());
        let (left, rows) = (self.left, page.answer.len() as u64);
        self.pace.learn(&page);
        self.left = left.saturating_sub(rows);
        self.lane =
            lane.clone().and_then(|lane| Some(Lane { rest: page.rest.clone()?, left: lane.left.saturating_sub(rows) }));
        if rows > 0 && self.begin_fetch() {
            // Looked at once, so that it is sent; what it gives is looked at when the rows have been handed out.
            if let Some(fetch) = &mut self.fetch
                && let Poll::Ready(fetched) = fetch.as_mut().poll(cx)
            {
                self.fetch = Some(Box::pin(std::future::ready(fetched)));
            }
        }
        let rows = page.rows().inspect_err(|_| {
            // Whoever asks again is to get this page.
            let next = std::mem::replace(&mut self.lane, lane);
            if self.lanes.len() < waiting {
                next.into_iter().for_each(|next| self.lanes.push_front(next));
            }
            (self.left, self.fetch) = (left, None);
        })?;
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

/// How many rows are asked for at a time.
#[derive(Clone, Copy, Debug)]
struct Pace {
    limit: u32,
    most: u32,
}

impl Pace {
    /// The first page is soon there.
    const FIRST: u32 = 256;
    /// A page with so many bytes is large enough.
    const BYTES: usize = 512 << 10;

    fn up_to(most: u32) -> Self {
        Self { limit: most.min(Self::FIRST), most }
    }

    fn learn(&mut self, page: &Page) {
        if page.is_cut {
            // What was too large once may well be so again.
            (self.limit, self.most) = (page.limit, page.limit);
        } else if page.answer.len() >= self.limit as usize && page.answer.bytes() < Self::BYTES {
            self.limit = self.limit.saturating_mul(2).min(self.most);
        }
    }
}
