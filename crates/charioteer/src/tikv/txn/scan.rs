//! Scans at a timestamp, with what a transaction has written itself.
//!
//! A page is asked for at a time, from where the last one ended up to the end of the region at most, and the next while its rows are
//! handed out. Locks that are met in a page are found out about, all together, before the page is asked for again.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::{self, KvPair, ScanRequest, ScanResponse};
use charioteer_proto::tikv::rpc;
use futures_core::Stream;
use futures_core::future::BoxFuture;

use super::locks::user_key;
use super::merge::Written;
use super::patience::Patience;
use super::snapshot::{Reader, Seen};
use crate::error::{Error, ErrorKind, Failure};
use crate::exec::{Effect, Operation};
use crate::tikv::failure;
use crate::tikv::locate::Place;
use crate::tikv::range::{Behind, apart, check_range, is_over, just_behind, upper_bound};
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
    /// What is left of the range, if anything.
    rest: Behind,
    /// How many rows may still be handed out.
    left: u64,
    pace: Pace,
    written: Written,
    rows: std::vec::IntoIter<Row>,
    fetch: Option<BoxFuture<'static, Result<Page, Error>>>,
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
        let limits = [options.limit, options.limit_each].into_iter().flatten();
        Ok(Self {
            reader,
            options: *options,
            rest: Some((start, end)).filter(|(start, end)| !is_over(start, end)),
            left: limits.min().unwrap_or(u64::MAX),
            pace: Pace::up_to(options.batch_size),
            written,
            rows: Vec::new().into_iter(),
            fetch: None,
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
            if let Some(fetch) = &mut self.fetch {
                let fetched = ready!(fetch.as_mut().poll(cx));
                self.fetch = None;
                match fetched {
                    Ok(page) => self.accept(page, cx),
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
            } else if !self.begin_fetch(self.left) {
                return Poll::Ready(None);
            }
        }
    }

    /// Asks for the next rows, of which so many are of use, unless there are none.
    fn begin_fetch(&mut self, wanted: u64) -> bool {
        let Some((start, end)) = self.rest.clone().filter(|_| wanted > 0) else { return false };
        let limit = u32::try_from(wanted.saturating_add(self.written.hidden())).unwrap_or(u32::MAX);
        let (reverse, keys_only) = (self.options.reverse, self.options.keys_only);
        let wanted = Wanted { start, end, limit: limit.min(self.pace.limit), keys_only, reverse };
        let reader = Arc::clone(&self.reader);
        self.fetch = Some(Box::pin(async move { reader.page(wanted).await.map_err(|error| error.during(NAME)) }));
        true
    }

    /// Takes a page, and asks for the next one while its rows are handed out.
    fn accept(&mut self, page: Page, cx: &mut Context<'_>) {
        self.pace.learn(&page);
        let border = page.rest.as_ref().map(|(start, end)| if self.options.reverse { end } else { start });
        let rows = self.written.merge(page.pairs, border);
        self.rest = page.rest;
        let wanted = self.left.saturating_sub(rows.len() as u64);
        let is_any = !rows.is_empty();
        self.rows = rows.into_iter();
        if is_any && self.begin_fetch(wanted) {
            // Looked at once, so that it is sent; what it gives is looked at when the rows have been handed out.
            if let Some(fetch) = &mut self.fetch
                && let Poll::Ready(fetched) = fetch.as_mut().poll(cx)
            {
                self.fetch = Some(Box::pin(std::future::ready(fetched)));
            }
        }
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
        let bytes: usize = page.pairs.iter().map(|pair| pair.key.len() + pair.value.len()).sum();
        if page.is_cut {
            // What was too large once may well be so again.
            (self.limit, self.most) = (page.limit, page.limit);
        } else if page.pairs.len() >= self.limit as usize && bytes < Self::BYTES {
            self.limit = self.limit.saturating_mul(2).min(self.most);
        }
    }
}

/// A page that is asked for.
struct Wanted {
    start: Bytes,
    end: Bytes,
    limit: u32,
    keys_only: bool,
    reverse: bool,
}

/// A page, as it came.
struct Page {
    pairs: Vec<KvPair>,
    rest: Behind,
    /// How many rows it had at most.
    limit: u32,
    /// Whether that was because more were too large to come together.
    is_cut: bool,
}

impl Reader {
    async fn page(&self, wanted: Wanted) -> Result<Page, Error> {
        let mut patience = Patience::until(self.deadline());
        self.check_age(NAME, patience.deadline).await?;
        let page = self.page_within(wanted, &mut patience).await.map_err(|error| patience.explain(error))?;
        self.check_age(NAME, patience.deadline).await?;
        Ok(page)
    }

    async fn page_within(&self, wanted: Wanted, patience: &mut Patience) -> Result<Page, Error> {
        let limit = wanted.limit;
        let (mut fetch, mut was_locked) = (Fetch { reader: self, seen: self.seen(), wanted }, false);
        loop {
            let found = match self.core.run(&fetch, &self.source(was_locked), patience.deadline).await {
                Err(error) if error.kind() == ErrorKind::TooLarge && fetch.wanted.limit > 1 => {
                    fetch.wanted.limit /= 2;
                    continue;
                }
                found => found?,
            };
            let mut locks = Vec::new();
            for error in found.errors {
                locks.extend(self.locks_of(error)?);
            }
            if locks.is_empty() {
                let (limit, is_cut) = (fetch.wanted.limit, fetch.wanted.limit < limit);
                return Ok(Page { pairs: found.pairs, rest: found.rest, limit, is_cut });
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
    wanted: Wanted,
}

/// What a store has found.
struct Found {
    pairs: Vec<KvPair>,
    errors: Vec<kvrpcpb::KeyError>,
    rest: Behind,
}

impl Fetch<'_> {
    /// The part of the range that lies in the region; an empty end is beyond all.
    fn part(&self, place: &Place) -> (Bytes, Bytes) {
        let Wanted { start, end, .. } = &self.wanted;
        let start = if *start < *place.start() { place.start() } else { start };
        let is_within = place.end().is_empty() || (!end.is_empty() && *end <= *place.end());
        (start.clone(), if is_within { end } else { place.end() }.clone())
    }

    /// Whether pairs are what a store may have found: in order, and within the range.
    fn is_plausible(&self, pairs: &[KvPair], start: &Bytes, end: &Bytes) -> bool {
        let in_order =
            |one: &KvPair, other: &KvPair| (one.key < other.key) != self.wanted.reverse && one.key != other.key;
        let within = |pair: &KvPair| pair.key >= *start && (end.is_empty() || pair.key < *end);
        pairs.len() <= self.wanted.limit as usize
            && pairs.is_sorted_by(in_order)
            && pairs.first().is_none_or(within)
            && pairs.last().is_none_or(within)
    }

    /// What is left behind the pairs and the region.
    fn rest(&self, pairs: &[KvPair], start: Bytes, end: Bytes) -> Behind {
        let Wanted { start: first, end: beyond, limit, reverse, .. } = &self.wanted;
        let last = pairs.last().filter(|_| pairs.len() >= *limit as usize).map(|pair| &pair.key);
        let rest = match (*reverse, last) {
            (false, Some(last)) => (just_behind(last), beyond.clone()),
            (true, Some(last)) => (first.clone(), apart(last)),
            // The region's border, if that is not the range's.
            (false, None) if end != *beyond => (end, beyond.clone()),
            (true, None) if start != *first => (first.clone(), start),
            (_, None) => return None,
        };
        (!is_over(&rest.0, &rest.1)).then_some(rest)
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
        if self.wanted.reverse { Spot::Before(&self.wanted.end) } else { Spot::At(&self.wanted.start) }
    }

    fn request(&self, place: &Place) -> ScanRequest {
        let (start, end) = self.part(place);
        let (start_key, end_key) = if self.wanted.reverse { (upper_bound(end), start) } else { (start, end) };
        ScanRequest {
            context: None,
            start_key,
            end_key,
            limit: self.wanted.limit,
            version: self.reader.version.into(),
            key_only: self.wanted.keys_only,
            reverse: self.wanted.reverse,
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
        let (start, end) = self.part(place);
        if errors.is_empty() && !self.is_plausible(&pairs, &start, &end) {
            return Err(failure::odd("the store gave rows out of order, or from outside of the range"));
        }
        let rest = self.rest(&pairs, start, end);
        Ok(Found { pairs, errors, rest })
    }
}
