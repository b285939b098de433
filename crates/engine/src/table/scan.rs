//! Scans: rows of a partition in raw-key order, a page at a time.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::filter::{Filter, FilterKind};
use super::key::{next_after_hash_key, partition_hash, raw_key, split};
use super::multi_get::{MAX_SIZE, positive};
use super::operation::{Ended, Status, Walk, WalkRange};
use super::row::{Context, RowView};
use crate::{Direction, MAX_KEY_BYTES};

/// The most rows on a page, and the most that are looked at for the first one.
const MAX_ROWS: usize = 1000;

/// A longer value is shared with the store instead of copied.
const SHARED_BYTES: usize = 2048;

/// What a scan is asked for.
///
/// ```
/// use charioteer_engine::table::Scan;
///
/// let everything = Scan {
///     start_key: b"\0\0".as_slice().into(),
///     stop_key: b"\xff\xff".as_slice().into(),
///     start_inclusive: true,
///     full_scan: true,
///     ..Scan::default()
/// };
/// assert_eq!(everything.batch_size, 0, "as many as a page may hold");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// The lower bound, a raw key.
    pub start_key: Bytes,
    /// The upper bound, a raw key.
    pub stop_key: Bytes,
    /// Whether the lower bound belongs to the range.
    pub start_inclusive: bool,
    /// Whether the upper bound belongs to the range.
    pub stop_inclusive: bool,
    /// Rows on a page; not positive is the most there can be, 1000.
    pub batch_size: i32,
    /// Whether values come empty.
    pub no_value: bool,
    /// A `filter_type` of the protocol, 0 to 3, for hash keys.
    pub hash_key_filter_type: i32,
    /// Its pattern; an empty one lets every hash key pass.
    pub hash_key_filter_pattern: Bytes,
    /// A `filter_type` of the protocol, 0 to 3, for sort keys.
    pub sort_key_filter_type: i32,
    /// Its pattern; an empty one lets every sort key pass.
    pub sort_key_filter_pattern: Bytes,
    /// Whether rows come with their expiry.
    pub return_expire_ts: bool,
    /// Whether to go on beyond the hash key of `start_key`. A scan from an empty hash key does so
    /// anyway.
    pub full_scan: bool,
    /// Whether to count rows instead of returning them.
    pub only_return_count: bool,
    /// If set, rows whose hash belongs to another partition are left out.
    pub owner: Option<Owner>,
}

impl Scan {
    /// The same scan for its later pages, in memory of its own: as it came it may hold on to a far
    /// larger message.
    pub(super) fn to_keep(&self) -> Self {
        // No row's key is that long, so that what follows decides nothing.
        let copy = |bytes: &Bytes| Bytes::copy_from_slice(bytes.get(..2 * MAX_KEY_BYTES).unwrap_or(bytes));
        Self {
            start_key: copy(&self.start_key),
            stop_key: copy(&self.stop_key),
            hash_key_filter_pattern: copy(&self.hash_key_filter_pattern),
            sort_key_filter_pattern: copy(&self.sort_key_filter_pattern),
            ..*self
        }
    }
}

/// The partition that rows must belong to: the hash of the raw key and `partition_version` must
/// give its index.
///
/// ```
/// use charioteer_engine::table::{Owner, raw_key};
///
/// let owner = Owner { partition_index: 3, partition_version: 7 };
/// assert!(owner.owns(&raw_key(b"hk", b"s")));
/// assert!(!owner.owns(&raw_key(b"hello", b"s")));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The index of the partition.
    pub partition_index: u32,
    /// The number of partitions less one; partitions are split by doubling, so it is a mask.
    pub partition_version: u32,
}

impl Owner {
    /// Whether the row at `raw_key` belongs to this partition.
    #[must_use]
    pub fn owns(&self, raw_key: &[u8]) -> bool {
        partition_hash(raw_key) & u64::from(self.partition_version) == u64::from(self.partition_index)
    }
}

/// A row of a page.
///
/// ```
/// use charioteer_engine::table::ScanRow;
///
/// let row = ScanRow { raw_key: "\0\x01hs".into(), value: "v".into(), expire_ts: None };
/// assert_eq!(row.value, "v");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanRow {
    /// The raw key.
    pub raw_key: Bytes,
    /// The value, empty if none was asked for.
    pub value: Bytes,
    /// Seconds since [`PEGASUS_EPOCH`](super::PEGASUS_EPOCH), 0 for never; if asked for.
    pub expire_ts: Option<u32>,
}

/// What a [`ScanPage`] answers.
///
/// ```
/// use charioteer_engine::table::{ScanPageReply, Status};
///
/// let last = ScanPageReply { status: Status::Ok, rows: Vec::new(), count: None, next: None };
/// assert!(last.next.is_none(), "the scan is finished");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanPageReply {
    /// [`Status::Ok`]; [`Status::Incomplete`] when the time was up, which ends the scan;
    /// [`Status::InvalidArgument`] for an unknown filter.
    pub status: Status,
    /// The rows; a page may be empty and not the last.
    pub rows: Vec<ScanRow>,
    /// The number of rows, if that was asked for instead of the rows and the range is not empty.
    pub count: Option<i32>,
    /// The raw key at which the next page starts, inclusive; `None` when there is none.
    pub next: Option<Bytes>,
}

/// One page of a scan. It ends with the row that makes it larger than 30 MiB, if not before.
///
/// The pages of a scan must come from the same instant: the driver keeps its snapshot from one to
/// the next.
///
/// ```
/// use charioteer_engine::table::{Context, Ended, Row, RowView, Scan, ScanPage, Walk, raw_key};
/// use std::ops::ControlFlow;
/// use std::sync::Arc;
///
/// let scan = Arc::new(Scan {
///     stop_key: b"\xff\xff".as_slice().into(),
///     batch_size: 1,
///     ..Scan::default()
/// });
/// let mut page = ScanPage::first(Arc::clone(&scan));
/// let context = Context {
///     now: 100,
///     default_ttl: 0,
/// };
/// let stored = Row {
///     expire_ts: 0,
///     value: "v".into(),
/// }
/// .encode();
/// let row = RowView::of(&stored).ok_or("no row")?;
/// assert_eq!(
///     page.visit(&raw_key(b"h", b"1"), row, &context),
///     ControlFlow::Continue(())
/// );
/// assert_eq!(
///     page.visit(&raw_key(b"h", b"2"), row, &context),
///     ControlFlow::Break(())
/// );
///
/// let next = page
///     .finish(Ended::Stopped)
///     .next
///     .ok_or("there is a second row")?;
/// assert_eq!(next, raw_key(b"h", b"2"));
/// assert!(ScanPage::resume(scan, next).range().is_some());
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone)]
pub struct ScanPage {
    scan: Arc<Scan>,
    /// Of hash keys and of sort keys; `None` if one has a type the protocol does not define.
    filters: Option<(Filter, Filter)>,
    start: Bound<Bytes>,
    is_first: bool,
    max_rows: usize,
    max_looked_at: usize,
    looked_at: usize,
    count: usize,
    size: usize,
    rows: Vec<Taken>,
    /// Keys and values of the rows, one behind the other.
    copied: BytesMut,
    next: Option<Bytes>,
}

/// A row that belongs to the page.
#[derive(Debug, Clone)]
struct Taken {
    key_bytes: usize,
    value: TakenValue,
    expire_ts: Option<u32>,
}

#[derive(Debug, Clone)]
enum TakenValue {
    /// So many bytes behind the key.
    Copied(usize),
    /// Where it lies in the store.
    Shared(Bytes),
}

impl ScanPage {
    /// The first page of `scan`.
    #[must_use]
    pub fn first(scan: Arc<Scan>) -> Self {
        let asked = if scan.start_inclusive {
            Bound::Included(scan.start_key.clone())
        } else {
            Bound::Excluded(scan.start_key.clone())
        };
        // Hash keys are ordered by their length first, so a prefix of them narrows the start of the
        // range only.
        let prefixed = FilterKind::from_wire(scan.hash_key_filter_type) == Some(FilterKind::Prefix)
            && !scan.hash_key_filter_pattern.is_empty();
        let first = prefixed.then(|| raw_key(&scan.hash_key_filter_pattern, b""));
        let start = first.filter(|first| *first > scan.start_key).map_or(asked, Bound::Included);
        Self::new(scan, start, true)
    }

    /// The page of `scan` that starts at `next`, which an earlier page named.
    #[must_use]
    pub fn resume(scan: Arc<Scan>, next: Bytes) -> Self {
        Self::new(scan, Bound::Included(next), false)
    }

    fn new(scan: Arc<Scan>, start: Bound<Bytes>, is_first: bool) -> Self {
        let hash_keys = Filter::from_wire(scan.hash_key_filter_type, scan.hash_key_filter_pattern.clone());
        let sort_keys = Filter::from_wire(scan.sort_key_filter_type, scan.sort_key_filter_pattern.clone());
        let max_rows = positive(scan.batch_size).map_or(MAX_ROWS, |rows| rows.min(MAX_ROWS));
        Self {
            filters: hash_keys.zip(sort_keys),
            start,
            is_first,
            max_rows,
            max_looked_at: if is_first { MAX_ROWS } else { max_rows },
            looked_at: 0,
            count: 0,
            size: 0,
            rows: Vec::new(),
            copied: BytesMut::new(),
            next: None,
            scan,
        }
    }

    /// Where the original's iterator ends: with the hash key it started in, unless the scan is a
    /// full one.
    fn end(&self) -> Bound<Bytes> {
        match split(&self.scan.start_key) {
            Some((hash_key, _)) if !hash_key.is_empty() && !self.scan.full_scan => next_after_hash_key(hash_key),
            _ => Bound::Unbounded,
        }
    }

    /// Whether there is nothing to walk; a later page of a scan finds that out by walking.
    fn is_empty(&self) -> bool {
        let stop = &self.scan.stop_key;
        match &self.start {
            Bound::Included(start) => start > stop || (start == stop && !self.scan.stop_inclusive),
            Bound::Excluded(start) => start >= stop,
            Bound::Unbounded => false,
        }
    }

    fn passes(&self, key: &[u8]) -> bool {
        let Some((hash_keys, sort_keys)) = &self.filters else {
            return false;
        };
        // A malformed key counts as all sort key: it can be found and removed, and breaks nothing.
        let (hash_key, sort_key) = split(key).unwrap_or((b"", key));
        self.scan.owner.is_none_or(|owner| owner.owns(key))
            && hash_keys.matches(hash_key)
            && sort_keys.matches(sort_key)
    }

    fn take(&mut self, key: &[u8], row: RowView<'_>) {
        self.count += 1;
        if self.scan.only_return_count {
            return;
        }
        let value = if self.scan.no_value { &[] } else { row.value() };
        self.size += key.len() + value.len();
        self.copied.extend_from_slice(key);
        let value = if value.len() < SHARED_BYTES {
            self.copied.extend_from_slice(value);
            TakenValue::Copied(value.len())
        } else {
            TakenValue::Shared(row.to_value())
        };
        let expire_ts = self.scan.return_expire_ts.then_some(row.expire_ts);
        self.rows.push(Taken { key_bytes: key.len(), value, expire_ts });
    }
}

impl Taken {
    /// The row, whose copied parts are next.
    fn out_of(self, copied: &mut Bytes) -> ScanRow {
        let raw_key = copied.split_to(self.key_bytes);
        let value = match self.value {
            TakenValue::Copied(bytes) => copied.split_to(bytes),
            TakenValue::Shared(value) => value,
        };
        ScanRow { raw_key, value, expire_ts: self.expire_ts }
    }
}

impl Walk for ScanPage {
    type Reply = ScanPageReply;

    fn range(&self) -> Option<WalkRange> {
        let walked = self.filters.is_some() && (!self.is_first || !self.is_empty());
        walked.then(|| WalkRange { start: self.start.clone(), end: self.end(), direction: Direction::Forward })
    }

    fn visit(&mut self, key: &[u8], row: RowView<'_>, context: &Context) -> ControlFlow<()> {
        if self.count >= self.max_rows || self.looked_at >= self.max_looked_at || self.size >= MAX_SIZE {
            self.next = Some(Bytes::copy_from_slice(key));
            return ControlFlow::Break(());
        }
        let on_stop = key == self.scan.stop_key;
        if *key > self.scan.stop_key[..] || (on_stop && !self.scan.stop_inclusive) {
            return ControlFlow::Break(());
        }
        self.looked_at += 1;
        if !row.is_expired(context.now) && self.passes(key) {
            self.take(key, row);
        }
        if on_stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn finish(self, ended: Ended) -> ScanPageReply {
        let status = match ended {
            _ if self.filters.is_none() => Status::InvalidArgument,
            Ended::OutOfTime => Status::Incomplete,
            Ended::Stopped | Ended::Exhausted => Status::Ok,
        };
        // As in the original, nothing is counted where nothing is walked.
        let counted = self.scan.only_return_count && self.range().is_some();
        let count = counted.then(|| i32::try_from(self.count).unwrap_or(i32::MAX));
        let mut copied = self.copied.freeze();
        let rows = self.rows.into_iter().map(|row| row.out_of(&mut copied)).collect();
        ScanPageReply { status, rows, count, next: self.next }
    }
}
