//! Scans at a timestamp, with what a transaction has written itself.
//!
//! Rows come in [pages](crate::tikv::pages), each from where the last one ended up to the end of the region at most. Locks that are met in a page are found out about, all together, before the page is asked for again.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::{self, KvPair, ScanRequest, ScanResponse};
use charioteer_proto::tikv::rpc;
use futures_core::Stream;

use super::locks::user_key;
use super::merge::Written;
use super::patience::Patience;
use super::snapshot::{Reader, Seen};
use crate::error::{Error, ErrorKind, Failure};
use crate::exec::{Effect, Operation};
use crate::tikv::failure;
use crate::tikv::locate::Place;
use crate::tikv::pages::{Page, Pages, Rest, Wanted};
use crate::tikv::range::{Behind, check_range, is_over, left, overlap, upper_bound};
use crate::tikv::raw::{Row, ScanOptions};
use crate::tikv::send::{RegionOperation, Spot};

pub(super) const NAME: &str = "scan";

/// A scan under way: a [`Stream`] of rows, or [`next`](Self::next) for one row after the other.
///
/// It finds what there was at the timestamp at which it reads, and what its transaction had written before it began. After an error it may
/// be asked again, and goes on where it was.
///
/// ```
/// use charioteer::tikv::TxnClient;
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), charioteer::Error> {
/// let server = TestServer::start().await;
/// let client = TxnClient::connect(&server.tikv_url()).await?;
/// let mut txn = client.begin().await?;
/// txn.put("city", "Paris").await?;
///
/// let mut scanner = txn.scan("a", "")?;
/// while let Some(row) = scanner.next().await? {
///     println!("{:?} = {:?}", row.key, row.value);
/// }
/// txn.rollback().await?;
/// # Ok(())
/// # }
/// ```
pub struct TxnScanner {
    reader: Arc<Reader>,
    options: ScanOptions,
    pages: Pages<Vec<KvPair>>,
    /// How many rows may still be handed out.
    left: u64,
    written: Written,
    rows: std::vec::IntoIter<Row>,
}

impl TxnScanner {
    /// A scan of a range; `written` tells what was written in it, as it travels.
    pub(super) fn new(
        reader: Arc<Reader>,
        start: &[u8],
        end: &[u8],
        options: &ScanOptions,
        written: impl FnOnce(&Bytes, &Bytes) -> Written,
    ) -> Result<Self, Error> {
        check_range(NAME, start, end)?;
        if options.batch_size == 0 {
            return Err(Error::invalid(NAME, "a batch must have at least one row"));
        }
        let (start, end) = reader.layout.wire_range(start, end);
        let written = written(&start, &end);
        let range = (!is_over(&start, &end)).then_some(Rest::Wire(start, end));
        let limits = [options.limit, options.limit_each].into_iter().flatten();
        Ok(Self {
            reader,
            options: *options,
            pages: Pages::new(range, None, options.batch_size, options.reverse),
            left: limits.min().unwrap_or(u64::MAX),
            written,
            rows: Vec::new().into_iter(),
        })
    }

    /// The next row, or `None` at the end.
    ///
    /// May be dropped before it is done: no row is lost, and the next call goes on.
    ///
    /// # Errors
    /// When no answer was to be had in time, a key was locked all the time, or the timestamp is older than what is kept.
    pub async fn next(&mut self) -> Result<Option<Row>, Error> {
        poll_fn(|cx| self.poll_row(cx)).await.transpose()
    }

    fn poll_row(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Row, Error>>> {
        loop {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            if let Some(row) = self.rows.next() {
                self.left -= 1;
                let key = user_key(self.reader.layout, &row.key);
                let value = if self.options.keys_only { Bytes::new() } else { row.value };
                return Poll::Ready(Some(Ok(Row { key, value })));
            }
            match ready!(self.poll_page(cx)) {
                Some(Ok(page)) => self.accept(page),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }

    fn poll_page(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Page<Vec<KvPair>>, Error>>> {
        let (reader, ScanOptions { keys_only, reverse, .. }) = (&self.reader, self.options);
        // Of what there was before, the transaction itself may have deleted so many.
        let wanted = self.left.saturating_add(self.written.hidden());
        self.pages.poll_next(cx, wanted, |wanted| {
            let reader = Arc::clone(reader);
            Box::pin(async move { reader.page(wanted, keys_only, reverse).await.map_err(|error| error.during(NAME)) })
        })
    }

    fn accept(&mut self, page: Page<Vec<KvPair>>) {
        let (start, end) = &page.asked;
        let border = match (&page.rest, self.options.reverse) {
            (Some((start, _)), false) => Some(start),
            (Some((_, end)), true) => Some(end),
            (None, false) => Some(end).filter(|end| !end.is_empty()),
            (None, true) => Some(start),
        };
        self.rows = self.written.merge(page.body, border).into_iter();
    }
}

impl Stream for TxnScanner {
    type Item = Result<Row, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_row(cx)
    }
}

impl fmt::Debug for TxnScanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TxnScanner").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Reader {
    async fn page(&self, wanted: Wanted, keys_only: bool, reverse: bool) -> Result<Page<Vec<KvPair>>, Error> {
        let mut patience = Patience::until(self.deadline());
        self.check_age(NAME, patience.deadline).await?;
        let (Rest::Given(start, end) | Rest::Wire(start, end)) = wanted.rest;
        let fetch = Fetch { reader: self, seen: self.seen(), start, end, limit: wanted.limit, keys_only, reverse };
        let page = self.page_within(fetch, &mut patience).await.map_err(|error| patience.explain(error))?;
        self.check_age(NAME, patience.deadline).await?;
        Ok(page)
    }

    async fn page_within(&self, mut fetch: Fetch<'_>, patience: &mut Patience) -> Result<Page<Vec<KvPair>>, Error> {
        let (limit, mut was_locked) = (fetch.limit, false);
        loop {
            let found = match self.core.run(&fetch, &self.source(was_locked), patience.deadline).await {
                Err(error) if error.kind() == ErrorKind::TooLarge && fetch.limit > 1 => {
                    fetch.limit /= 2;
                    continue;
                }
                found => found?,
            };
            if found.errors.is_empty() {
                return Ok(fetch.page(found, limit));
            }
            let mut locks = Vec::new();
            for error in found.errors {
                locks.extend(self.locks_of(error)?);
            }
            self.blocked(locks, &fetch.seen, patience).await?;
            was_locked = true;
        }
    }
}

/// Asks for a page.
struct Fetch<'a> {
    reader: &'a Reader,
    seen: Seen,
    start: Bytes,
    /// Empty for beyond all.
    end: Bytes,
    limit: u32,
    keys_only: bool,
    reverse: bool,
}

/// What a store has found, the range that is left, and where the region ends within it.
struct Found {
    pairs: Vec<KvPair>,
    errors: Vec<kvrpcpb::KeyError>,
    rest: Behind,
    border: Option<Bytes>,
}

impl Fetch<'_> {
    /// The page that has come, of which so many rows were wanted.
    fn page(self, Found { pairs, rest, border, .. }: Found, wanted: u32) -> Page<Vec<KvPair>> {
        Page {
            rows: pairs.len(),
            bytes: pairs.iter().map(|pair| pair.key.len() + pair.value.len()).sum(),
            limit: self.limit,
            is_cut: self.limit < wanted,
            asked: (self.start, self.end),
            body: pairs,
            rest,
            border,
        }
    }

    /// The part of the range that lies in the region; an empty end is beyond all.
    fn part(&self, place: &Place) -> (Bytes, Bytes) {
        overlap((&self.start, &self.end), place)
    }

    /// Whether pairs are what a store may have found: in order, and within the range.
    fn is_plausible(&self, pairs: &[KvPair], (start, end): &(Bytes, Bytes)) -> bool {
        let in_order = |one: &KvPair, other: &KvPair| (one.key < other.key) != self.reverse && one.key != other.key;
        let within = |pair: &KvPair| pair.key >= *start && (end.is_empty() || pair.key < *end);
        pairs.len() <= self.limit as usize
            && pairs.is_sorted_by(in_order)
            && pairs.first().is_none_or(within)
            && pairs.last().is_none_or(within)
    }
}

impl Operation for Fetch<'_> {
    const NAME: &'static str = NAME;
    const EFFECT: Effect = Effect::Reads;
    type Reply = Found;
}

impl RegionOperation for Fetch<'_> {
    type Method = rpc::KvScan;

    fn spot(&self) -> Spot<'_> {
        if self.reverse { Spot::Before(&self.end) } else { Spot::At(&self.start) }
    }

    fn request(&self, place: &Place) -> ScanRequest {
        let (start, end) = self.part(place);
        let (start_key, end_key) = if self.reverse { (upper_bound(end), start) } else { (start, end) };
        ScanRequest {
            context: None,
            start_key,
            end_key,
            limit: self.limit,
            version: self.reader.version.into(),
            key_only: self.keys_only,
            reverse: self.reverse,
            sample_step: self.reader.sample_step,
        }
    }

    fn explain(&self, context: &mut kvrpcpb::Context) {
        self.reader.hints.tell(context);
        (context.resolved_locks, context.committed_locks) = self.seen.known();
    }

    fn reply(&self, place: &Place, reply: ScanResponse) -> Result<Found, Failure> {
        let mut errors: Vec<_> = reply.error.into_iter().map(|error| *error).collect();
        let mut pairs = reply.pairs;
        errors.extend(pairs.iter_mut().filter_map(|pair| pair.error.take()).map(|error| *error));
        let part = self.part(place);
        if errors.is_empty() && !self.is_plausible(&pairs, &part) {
            return Err(failure::odd("the store gave rows out of order, or from outside of the range"));
        }
        let last = pairs.last().filter(|_| pairs.len() >= self.limit as usize).map(|pair| &pair.key);
        let (rest, border) = left((&self.start, &self.end), part, last, self.reverse);
        Ok(Found { pairs, errors, rest, border })
    }
}
