//! What a rule is: operations on rows known beforehand, and walks over rows in order.

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;
use smallvec::SmallVec;

use super::row::{Context, Row, RowView};
use crate::Direction;

/// How an operation ended, in the numbers of RocksDB that Pegasus' protocol carries.
///
/// ```
/// use charioteer_engine::table::Status;
///
/// assert_eq!(Status::Incomplete.code(), 7);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Done, and completely.
    Ok,
    /// There is no such row, or no such scan.
    NotFound,
    /// The request makes no sense, or a value is no integer where one is needed; nothing was
    /// written.
    InvalidArgument,
    /// The answer is right but there is more.
    Incomplete,
    /// The check did not pass; nothing was written.
    TryAgain,
}

impl Status {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Ok => 0,
            Self::NotFound => 1,
            Self::InvalidArgument => 4,
            Self::Incomplete => 7,
            Self::TryAgain => 13,
        }
    }
}

/// What to write, in order: a raw key and its new row, or `None` to remove it. Empty writes
/// nothing.
pub type Writes = SmallVec<[(Bytes, Option<Row>); 1]>;

/// A rule about rows whose keys are known beforehand.
///
/// The driver reads the rows of [`keys`](Self::keys) at one instant, calls [`apply`](Self::apply)
/// once, and writes what it returned as one atomic batch. If [`lock`](Self::lock) names a hash key,
/// nobody else writes rows of it in between.
///
/// ```
/// use charioteer_engine::table::{Context, Operation, Put};
///
/// let put = Put::new("\0\x01hs".into(), "value".into(), 0);
/// assert!(put.keys().is_empty(), "it writes blindly");
/// assert_eq!(put.lock(), Some(&b"h"[..]), "but not in between another's read and write");
///
/// let ((), writes) = put.apply(&[], &Context { now: 100, default_ttl: 10 });
/// let (key, row) = &writes[0];
/// assert_eq!(key, "\0\x01hs");
/// assert_eq!(row.as_ref().map(|row| row.expire_ts), Some(110));
/// ```
///
/// It may be run on another thread than the one that asked for it, and so borrows nothing.
pub trait Operation: Send + 'static {
    /// What the operation answers.
    type Reply: Send + 'static;

    /// The raw keys of the rows it must know; may be empty.
    fn keys(&self) -> &[Bytes];

    /// The hash key under which writers exclude each other; `None` if it only reads.
    fn lock(&self) -> Option<&[u8]>;

    /// About how many rows it reads and writes, by which a driver decides where to run it.
    fn row_count(&self) -> usize {
        self.keys().len().max(1)
    }

    /// The answer and the writes that follow from the rows, which come as they are stored, expired
    /// ones included, in the order of [`keys`](Self::keys). A driver that hands over fewer rows
    /// says that the rest are missing.
    fn apply(self, rows: &[Option<Row>], context: &Context) -> (Self::Reply, Writes);
}

/// The rows a walk is shown: raw keys between the bounds, in the given direction.
///
/// ```
/// use charioteer_engine::Direction;
/// use charioteer_engine::table::WalkRange;
/// use std::ops::Bound;
///
/// let all = WalkRange {
///     start: Bound::Unbounded,
///     end: Bound::Unbounded,
///     direction: Direction::Forward,
/// };
/// assert_eq!(all.clone(), all);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalkRange {
    /// The lower bound; unbounded is the start of the partition.
    pub start: Bound<Bytes>,
    /// The upper bound; unbounded is the end of the partition.
    pub end: Bound<Bytes>,
    /// Whether rows come ascending or descending.
    pub direction: Direction,
}

/// Why a walk is over.
///
/// ```
/// use charioteer_engine::table::{Ended, SortKeyCount, Walk};
///
/// let count = SortKeyCount::new(b"hash key");
/// assert_eq!(count.finish(Ended::OutOfTime), -1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// There is no further row in the range.
    Exhausted,
    /// The walk itself broke off.
    Stopped,
    /// The driver's time limit was reached before the next row.
    OutOfTime,
}

/// A rule about rows in order.
///
/// The driver shows it the rows of [`range`](Self::range), all of one instant, until it breaks off,
/// the range ends or the time is up. The range is what an iterator of the original can see; the
/// walk itself notices its own limits, and being shown a row beyond one is how it learns that there
/// is more.
///
/// ```
/// use std::ops::ControlFlow;
/// use charioteer_engine::table::{Context, Ended, Row, RowView, SortKeyCount, Walk, raw_key};
///
/// let mut count = SortKeyCount::new(b"h");
/// let context = Context { now: 100, default_ttl: 0 };
/// let alive = Row { expire_ts: 0, value: "v".into() }.encode();
/// let expired = Row { expire_ts: 100, value: "v".into() }.encode();
/// let view = |stored| RowView::of(stored).ok_or("no row");
/// assert_eq!(count.visit(&raw_key(b"h", b"1"), view(&alive)?, &context), ControlFlow::Continue(()));
/// assert_eq!(count.visit(&raw_key(b"h", b"2"), view(&expired)?, &context), ControlFlow::Continue(()));
/// assert_eq!(count.finish(Ended::Exhausted), 1);
/// # Ok::<(), &str>(())
/// ```
pub trait Walk: Send {
    /// What the walk answers.
    type Reply: Send;

    /// Where to walk; `None` finishes at once.
    fn range(&self) -> Option<WalkRange>;

    /// One row, as it is stored, expired ones included, under its raw key. Both are lent: what is kept is copied or shared on purpose,
    /// since counting references costs more than looking at a small row.
    fn visit(&mut self, key: &[u8], row: RowView<'_>, context: &Context) -> ControlFlow<()>;

    /// The answer.
    fn finish(self, ended: Ended) -> Self::Reply;
}
