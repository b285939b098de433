//! Scans: of one hash key, or of a whole table.
//!
//! A server keeps a context for a scan and gives a batch of rows at a time. The context may expire, and is gone when the primary moves
//! or the server restarts; the scan then goes on with a new one, at the row after the last that came.

mod fetch;
mod lane;

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use charioteer_proto::pegasus::data::KeyValue;
use charioteer_proto::pegasus::key;
use charioteer_proto::pegasus::rows::Rows;
use futures_core::Stream;
use futures_core::future::BoxFuture;
use futures_util::stream::{SelectAll, select_all};
use tokio::runtime::Handle;

use super::filter::Filter;
use super::table::Table;
use super::time::{Ttl, remaining};
use crate::error::{Error, ErrorKind, Failure};
use fetch::{Batch, End, Fetch};
use lane::Lane;
pub use lane::ResumeToken;

/// A row, as a scan finds it.
///
/// ```
/// use charioteer::pegasus::Row;
///
/// let row = Row { hash_key: "alice".into(), sort_key: "city".into(), value: "Paris".into(), ttl: None };
/// assert_eq!(row.hash_key, "alice");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The hash key.
    pub hash_key: Bytes,
    /// The sort key.
    pub sort_key: Bytes,
    /// The value; empty where values were not asked for. The rows of one batch share its memory; copy what is to be kept for long.
    pub value: Bytes,
    /// How long the row has still to live, where that was asked for.
    pub ttl: Option<Ttl>,
}

/// What a scan takes.
///
/// ```
/// use charioteer::pegasus::{Filter, ScanOptions};
///
/// let mut options = ScanOptions::default();
/// assert_eq!(options.batch_size, 1000);
/// options.hash_key_filter = Filter::prefix("user-");
/// options.no_value = true;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanOptions {
    /// How many rows come at a time. Servers give no more than 1000. Default 1000.
    pub batch_size: u32,
    /// Whether the row at the start belongs to the scan. Default yes.
    pub start_inclusive: bool,
    /// Whether the row at the end belongs to the scan. Default no.
    pub stop_inclusive: bool,
    /// Which hash keys are wanted. Default all.
    pub hash_key_filter: Filter,
    /// Which sort keys are wanted. Default all.
    pub sort_key_filter: Filter,
    /// Whether values are left out. Default no.
    pub no_value: bool,
    /// Whether each row comes with its time to live. Default no.
    pub return_ttl: bool,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            batch_size: 1000,
            start_inclusive: true,
            stop_inclusive: false,
            hash_key_filter: Filter::All,
            sort_key_filter: Filter::All,
            no_value: false,
            return_ttl: false,
        }
    }
}

/// A scan under way: a [`Stream`] of rows, or [`next`](Self::next) for one row after the other.
///
/// Rows of a hash key come in the order of their sort keys. Those of a table come partition by partition, in each in the order of the
/// hash keys' lengths first, then of hash keys and sort keys.
///
/// What is written while a scan is under way may or may not be found by it. After an error it may be asked again, and goes on where it
/// was. Dropping it tells the server, as far as it can be reached.
///
/// ```
/// use charioteer::pegasus::{Client, ScanOptions};
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), charioteer::Error> {
/// let server = TestServer::start().await;
/// let table = Client::connect(&server.pegasus_url()).await?.open_table("temp").await?;
/// table.multi_set("alice", [("city", "Paris"), ("name", "Alice")]).await?;
///
/// let mut scanner = table.get_scanner("alice", "", "", &ScanOptions::default())?;
/// while let Some(row) = scanner.next().await? {
///     println!("{:?} = {:?}", row.sort_key, row.value);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Scanner {
    table: Table,
    options: ScanOptions,
    /// Where rows are fetched, from the row after the last that came.
    lane: Option<Lane>,
    /// The same, from the row after the last that was handed out.
    handed_out: Option<Lane>,
    /// What comes after this lane.
    lanes: VecDeque<Lane>,
    rows: Rows,
    /// Whether the server has no more rows in this lane.
    lane_is_over: bool,
    /// What the server keeps for this scan.
    context: Option<i64>,
    fetch: Option<BoxFuture<'static, Result<Batch, Error>>>,
}

impl Table {
    /// Scans a hash key from one sort key to another. An empty end is none, and the scan goes on to the last row. Nothing is sent yet.
    ///
    /// # Errors
    /// When the hash key is empty or too long, or the options make no sense.
    pub fn get_scanner(
        &self,
        hash_key: impl AsRef<[u8]>,
        start: impl AsRef<[u8]>,
        stop: impl AsRef<[u8]>,
        options: &ScanOptions,
    ) -> Result<Scanner, Error> {
        self.check_hash_key(Fetch::NAME, hash_key.as_ref())?;
        let lane = Lane::of_hash_key(hash_key.as_ref(), start.as_ref(), stop.as_ref(), options);
        self.scanner(lane.into_iter().collect(), options)
    }

    /// Scans the whole table with `max_split_count` scanners at most, each of which has some of the partitions. Together they find every
    /// row once; they may be used side by side, by different tasks.
    ///
    /// # Errors
    /// When there are to be no scanners, the options make no sense, or no meta server can be asked.
    pub async fn get_unordered_scanners(
        &self,
        max_split_count: usize,
        options: &ScanOptions,
    ) -> Result<Vec<Scanner>, Error> {
        if max_split_count == 0 {
            return Err(self.invalid("get_unordered_scanners", "at least one scanner must be asked for"));
        }
        let map = self.shared.routes.map(&self.shared.cluster).await;
        let map = map.map_err(|error| error.during("get_unordered_scanners").on(&self.shared.name))?;
        let count = map.count();
        let scanners = max_split_count.min(usize::try_from(count).unwrap_or(1)).max(1);
        let mut shares = vec![VecDeque::new(); scanners];
        for index in 0..count {
            shares[usize::try_from(index).unwrap_or(0) % scanners].push_back(Lane::of_partition(index, count));
        }
        shares.into_iter().map(|lanes| self.scanner(lanes, options)).collect()
    }

    /// All rows of the table, from `parallel` partitions at a time, as they come.
    ///
    /// # Errors
    /// As [`get_unordered_scanners`](Self::get_unordered_scanners).
    pub async fn scan_all(&self, parallel: usize, options: &ScanOptions) -> Result<SelectAll<Scanner>, Error> {
        Ok(select_all(self.get_unordered_scanners(parallel, options).await?))
    }

    /// Goes on with a scan that was given up, at the row after the last that it had handed out. The options are not part of the token;
    /// they should be the same, but for the two that say what belongs to the range, which are part of it.
    ///
    /// # Errors
    /// When the options make no sense.
    pub fn resume_scanner(&self, token: &ResumeToken, options: &ScanOptions) -> Result<Scanner, Error> {
        self.scanner(token.lanes().clone(), options)
    }

    fn scanner(&self, lanes: VecDeque<Lane>, options: &ScanOptions) -> Result<Scanner, Error> {
        if options.batch_size == 0 {
            return Err(self.invalid(Fetch::NAME, "a batch must have at least one row"));
        }
        Ok(Scanner {
            // A context is known to the server that gave it and to no other, which may have one of the same number.
            table: self.clone().with_hedged_reads(None),
            options: options.clone(),
            lane: None,
            handed_out: None,
            lanes,
            rows: Rows::default(),
            lane_is_over: true,
            context: None,
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
    /// When no answer was to be had within the table's time for a call, or the table was dropped or split meanwhile.
    pub async fn next(&mut self) -> Result<Option<Row>, Error> {
        poll_fn(|cx| self.poll_row(cx)).await.transpose()
    }

    /// How many rows there are, from here on. Servers count, and send no rows.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn count(mut self) -> Result<u64, Error> {
        let mut total = self.rows.len() as u64;
        self.forget_context();
        if self.lane_is_over {
            self.lane = None;
        }
        while let Some(lane) = self.lane.take().or_else(|| self.lanes.pop_front()) {
            total += self.count_lane(&lane).await?;
        }
        Ok(total)
    }

    /// Where the scan is, so that another scanner, also of another process, can go on after the last row that was handed out.
    #[must_use]
    pub fn token(&self) -> ResumeToken {
        let is_over = self.lane_is_over && self.rows.is_empty();
        let current = self.handed_out.iter().filter(|_| !is_over);
        ResumeToken::new(current.chain(&self.lanes).cloned().collect())
    }

    async fn count_lane(&mut self, lane: &Lane) -> Result<u64, Error> {
        // Without rows nobody knows how far the counting had come: when its context is gone, it begins anew.
        'anew: loop {
            let (mut counted, mut fetch) = (0, Fetch::counting(lane, &self.options));
            loop {
                let batch = self.table.fetch(&fetch).await?;
                counted += batch.count;
                match batch.end {
                    End::More(context) => fetch = Fetch::more(lane, context),
                    End::Complete => return Ok(counted),
                    End::Expired => continue 'anew,
                    End::TookTooLong => return Err(self.took_too_long()),
                }
            }
        }
    }

    fn poll_row(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Row, Error>>> {
        loop {
            if let Some(row) = self.rows.next() {
                return Poll::Ready(Some(self.hand_out(row)));
            }
            if let Some(fetch) = &mut self.fetch {
                let fetched = ready!(fetch.as_mut().poll(cx));
                self.fetch = None;
                if let Err(error) = fetched.and_then(|batch| self.accept(batch, cx)) {
                    // It is not known what has become of the context.
                    self.context = None;
                    return Poll::Ready(Some(Err(error)));
                }
            } else if !self.begin_fetch() {
                return Poll::Ready(None);
            }
        }
    }

    /// Asks for the next rows, unless there are none.
    fn begin_fetch(&mut self) -> bool {
        if self.lane_is_over {
            self.lane = self.lanes.pop_front();
            self.handed_out.clone_from(&self.lane);
            self.context = None;
        }
        let Some(lane) = &self.lane else {
            return false;
        };
        self.lane_is_over = false;
        let fetch = match self.context.take() {
            Some(context) => Fetch::more(lane, context),
            None => Fetch::rows(lane, &self.options),
        };
        let table = self.table.clone();
        self.fetch = Some(Box::pin(async move { table.fetch(&fetch).await }));
        true
    }

    /// Takes a batch, and asks for the next one while its rows are handed out.
    fn accept(&mut self, batch: Batch, cx: &mut Context<'_>) -> Result<(), Error> {
        if let Some(lane) = &mut self.lane {
            let mut last = None;
            // Rows are deleted by what comes here, and the next range begins at it.
            if !lane.can_hold(batch.rows.keys().inspect(|key| last = Some(*key))) {
                let message = "the server gave rows out of order, or from outside of the range";
                return Err(self.error(Failure::new(ErrorKind::Protocol, message)));
            }
            // A copy, which does not hold the whole batch.
            last.into_iter().for_each(|last| lane.go_on_after(Bytes::copy_from_slice(last)));
        }
        let is_empty = batch.rows.is_empty();
        self.rows = batch.rows;
        match batch.end {
            End::Complete => self.lane_is_over = true,
            End::Expired => {}
            End::TookTooLong if is_empty => return Err(self.took_too_long()),
            End::TookTooLong => {}
            End::More(context) => {
                self.context = Some(context);
                self.begin_fetch();
                // Looked at once, so that it is sent; what it gives is looked at when the rows have been handed out.
                if let Some(fetch) = &mut self.fetch
                    && let Poll::Ready(fetched) = fetch.as_mut().poll(cx)
                {
                    self.fetch = Some(Box::pin(std::future::ready(fetched)));
                }
            }
        }
        Ok(())
    }

    fn hand_out(&mut self, row: KeyValue) -> Result<Row, Error> {
        let KeyValue { key: raw, value, expire_ts_seconds } = row;
        let Some((hash_key, sort_key)) = key::split(&raw) else {
            let failure = Failure::new(ErrorKind::Protocol, "the server gave a row without a hash key");
            return Err(self.error(failure));
        };
        let row = Row {
            hash_key: raw.slice_ref(hash_key),
            sort_key: raw.slice_ref(sort_key),
            value: if self.options.no_value { value } else { self.table.read(Fetch::NAME, value)? },
            ttl: expire_ts_seconds.filter(|_| self.options.return_ttl).map(remaining),
        };
        if let Some(lane) = &mut self.handed_out {
            lane.go_on_after(raw);
        }
        Ok(row)
    }

    fn took_too_long(&self) -> Error {
        let message = "the server looked at rows for as long as it may, and found none that is wanted";
        self.error(Failure::new(ErrorKind::Timeout, message))
    }

    fn error(&self, failure: Failure) -> Error {
        Error::from(failure).during(Fetch::NAME).on(&self.table.shared.name)
    }

    /// Tells the server that its context is not needed any more.
    fn forget_context(&mut self) {
        let Some(lane) = self.lane.clone() else {
            return;
        };
        if let Some(context) = self.context.take() {
            return lane.clear(&self.table, context);
        }
        // Which context there is after a fetch that is under way only its answer tells.
        if let (Some(fetch), Ok(runtime)) = (self.fetch.take(), Handle::try_current()) {
            let table = self.table.clone();
            runtime.spawn(async move {
                if let Ok(Batch { end: End::More(context), .. }) = fetch.await {
                    lane.clear(&table, context);
                }
            });
        }
    }
}

impl Stream for Scanner {
    type Item = Result<Row, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_row(cx)
    }
}

impl Drop for Scanner {
    fn drop(&mut self) {
        self.forget_context();
    }
}

impl fmt::Debug for Scanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scanner").field("table", &self.table).field("options", &self.options).finish_non_exhaustive()
    }
}
