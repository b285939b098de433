//! Multi-get of a range of sort keys.

use std::cmp::Ordering;
use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use super::filter::Filter;
use super::key::{next_after, next_after_hash_key, raw_key, sort_key_of};
use super::multi_get::{MAX_ROWS, MAX_SIZE, MultiGetReply, positive};
use super::operation::{Ended, Status, Walk, WalkRange};
use super::row::{Context, RowView};
use crate::Direction;

/// What a [`MultiGetRange`] is asked for.
///
/// ```
/// use charioteer_engine::table::RangeRequest;
///
/// let last_ten = RangeRequest {
///     hash_key: "h".into(),
///     reverse: true,
///     max_count: 10,
///     ..RangeRequest::default()
/// };
/// assert!(
///     last_ten.stop_sort_key.is_empty(),
///     "to the end of the hash key"
/// );
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RangeRequest {
    /// The hash key of all rows.
    pub hash_key: Bytes,
    /// The lower bound.
    pub start_sort_key: Bytes,
    /// The upper bound; empty is the end of the hash key.
    pub stop_sort_key: Bytes,
    /// Whether the lower bound belongs to the range.
    pub start_inclusive: bool,
    /// Whether the upper bound belongs to the range.
    pub stop_inclusive: bool,
    /// A `filter_type` of the protocol, 0 to 3.
    pub sort_key_filter_type: i32,
    /// The filter's pattern; an empty one lets every sort key pass.
    pub sort_key_filter_pattern: Bytes,
    /// The most rows to return; not positive is the most there can be, 3000.
    pub max_count: i32,
    /// About the most bytes of sort keys and values to return; not positive is the most there can
    /// be, 30 MiB.
    pub max_size: i32,
    /// Whether values come empty.
    pub no_value: bool,
    /// Whether to take rows from the end of the range. They are returned ascending all the same.
    pub reverse: bool,
}

/// Reads the rows of one hash key whose sort keys are in a range and pass a filter.
///
/// At most 3000 rows are looked at, expired and filtered ones included. The answer is
/// [`Status::Incomplete`] when a limit was reached and there is a further row: forwards one of the
/// same hash key, even beyond the range; backwards any row of the partition in front of it.
/// Backwards starts at the upper bound, so the last rows are returned.
///
/// ```
/// use charioteer_engine::table::{
///     Context, Ended, MultiGetRange, RangeRequest, Row, RowView, Status, Walk, raw_key,
/// };
/// use std::ops::ControlFlow;
///
/// let request = RangeRequest {
///     hash_key: "h".into(),
///     max_count: 1,
///     start_inclusive: true,
///     ..RangeRequest::default()
/// };
/// let mut get = MultiGetRange::new(request);
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
///     get.visit(&raw_key(b"h", b"1"), row, &context),
///     ControlFlow::Continue(())
/// );
/// assert_eq!(
///     get.visit(&raw_key(b"h", b"2"), row, &context),
///     ControlFlow::Break(())
/// );
/// assert_eq!(get.finish(Ended::Stopped).status, Status::Incomplete);
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone)]
pub struct MultiGetRange {
    /// `None` for a filter type the protocol does not define.
    filter: Option<Filter>,
    bounds: Bounds,
    hash_end: Bound<Bytes>,
    max_count: usize,
    max_size: usize,
    no_value: bool,
    reverse: bool,
    looked_at: usize,
    size: usize,
    /// Whether a row was shown after a limit was reached.
    more: bool,
    rows: Vec<(Bytes, Bytes)>,
}

/// The range of raw keys that is asked for.
#[derive(Debug, Clone)]
struct Bounds {
    start: Bytes,
    start_inclusive: bool,
    /// `None` when no raw key can sort after the hash key.
    stop: Option<Bytes>,
    stop_inclusive: bool,
}

impl MultiGetRange {
    /// Reads what `request` asks for.
    #[must_use]
    pub fn new(request: RangeRequest) -> Self {
        let filter = Filter::from_wire(request.sort_key_filter_type, request.sort_key_filter_pattern.clone());
        let prefix = filter.as_ref().and_then(Filter::prefix);
        Self {
            bounds: Bounds::of(&request).narrowed_to(&request.hash_key, prefix),
            filter,
            hash_end: next_after_hash_key(&request.hash_key),
            max_count: positive(request.max_count).map_or(MAX_ROWS, |count| count.min(MAX_ROWS)),
            max_size: positive(request.max_size).map_or(MAX_SIZE, |size| size.min(MAX_SIZE)),
            no_value: request.no_value,
            reverse: request.reverse,
            looked_at: 0,
            size: 0,
            more: false,
            rows: Vec::new(),
        }
    }

    fn limit_reached(&self) -> bool {
        self.rows.len() >= self.max_count || self.looked_at >= MAX_ROWS || self.size >= self.max_size
    }

    fn take(&mut self, key: &[u8], row: RowView<'_>, context: &Context) {
        let sort_key = sort_key_of(key);
        let passes = self.filter.as_ref().is_some_and(|filter| filter.matches(sort_key));
        if row.is_expired(context.now) || !passes {
            return;
        }
        let value = if self.no_value { Bytes::new() } else { row.to_value() };
        self.size += sort_key.len() + value.len();
        self.rows.push((Bytes::copy_from_slice(sort_key), value));
    }
}

impl Walk for MultiGetRange {
    type Reply = MultiGetReply;

    fn range(&self) -> Option<WalkRange> {
        if self.filter.is_none() || self.bounds.are_empty() {
            return None;
        }
        Some(if self.reverse {
            // Backwards the original's iterator sees the whole partition, not just the hash key.
            WalkRange { start: Bound::Unbounded, end: self.bounds.upper(), direction: Direction::Backward }
        } else {
            WalkRange { start: self.bounds.lower(), end: self.hash_end.clone(), direction: Direction::Forward }
        })
    }

    fn visit(&mut self, key: &[u8], row: RowView<'_>, context: &Context) -> ControlFlow<()> {
        if self.limit_reached() {
            self.more = true;
            return ControlFlow::Break(());
        }
        let position = if self.reverse { self.bounds.against_start(key) } else { self.bounds.against_stop(key) };
        if position == Position::Outside {
            return ControlFlow::Break(());
        }
        self.looked_at += 1;
        self.take(key, row, context);
        if position == Position::Last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn finish(mut self, ended: Ended) -> MultiGetReply {
        if self.reverse {
            self.rows.reverse();
        }
        let status = match ended {
            _ if self.filter.is_none() => Status::InvalidArgument,
            Ended::OutOfTime => Status::Incomplete,
            Ended::Stopped | Ended::Exhausted if self.more => Status::Incomplete,
            Ended::Stopped | Ended::Exhausted => Status::Ok,
        };
        MultiGetReply { status, rows: self.rows }
    }
}

/// Where a row lies against the bound that the walk runs towards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Inside,
    /// On the bound, which belongs to the range: nothing can follow.
    Last,
    Outside,
}

impl Bounds {
    fn of(request: &RangeRequest) -> Self {
        let start = raw_key(&request.hash_key, &request.start_sort_key);
        let start_inclusive = request.start_inclusive;
        if request.stop_sort_key.is_empty() {
            let stop = excluded(next_after_hash_key(&request.hash_key));
            return Self { start, start_inclusive, stop, stop_inclusive: false };
        }
        let stop = Some(raw_key(&request.hash_key, &request.stop_sort_key));
        Self { start, start_inclusive, stop, stop_inclusive: request.stop_inclusive }
    }

    fn narrowed_to(mut self, hash_key: &[u8], prefix: Option<&Bytes>) -> Self {
        let Some(prefix) = prefix else { return self };
        let first = raw_key(hash_key, prefix);
        let next = excluded(next_after(&first));
        if first > self.start {
            (self.start, self.start_inclusive) = (first, true);
        }
        let narrower = match (&next, &self.stop) {
            (Some(next), Some(stop)) => next <= stop,
            (next, None) => next.is_some(),
            (None, Some(_)) => false,
        };
        if narrower {
            (self.stop, self.stop_inclusive) = (next, false);
        }
        self
    }

    fn are_empty(&self) -> bool {
        let Some(stop) = &self.stop else { return false };
        match self.start.cmp(stop) {
            Ordering::Less => false,
            Ordering::Equal => !(self.start_inclusive && self.stop_inclusive),
            Ordering::Greater => true,
        }
    }

    fn lower(&self) -> Bound<Bytes> {
        bound(self.start.clone(), self.start_inclusive)
    }

    fn upper(&self) -> Bound<Bytes> {
        self.stop.clone().map_or(Bound::Unbounded, |stop| bound(stop, self.stop_inclusive))
    }

    fn against_stop(&self, key: &[u8]) -> Position {
        let Some(stop) = &self.stop else {
            return Position::Inside;
        };
        Position::of(key.cmp(stop), self.stop_inclusive)
    }

    fn against_start(&self, key: &[u8]) -> Position {
        Position::of(self.start[..].cmp(key), self.start_inclusive)
    }
}

impl Position {
    /// `ordering` compares the row with the bound, in the direction of the walk.
    fn of(ordering: Ordering, inclusive: bool) -> Self {
        match ordering {
            Ordering::Less => Self::Inside,
            Ordering::Equal if inclusive => Self::Last,
            Ordering::Equal | Ordering::Greater => Self::Outside,
        }
    }
}

fn bound(key: Bytes, inclusive: bool) -> Bound<Bytes> {
    if inclusive { Bound::Included(key) } else { Bound::Excluded(key) }
}

fn excluded(bound: Bound<Bytes>) -> Option<Bytes> {
    match bound {
        Bound::Excluded(key) | Bound::Included(key) => Some(key),
        Bound::Unbounded => None,
    }
}
