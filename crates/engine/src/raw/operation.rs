//! What a rule is: operations on rows known beforehand, and walks over ranges of rows in order.

use std::ops::ControlFlow;

use bytes::Bytes;
use smallvec::SmallVec;

use super::row::{Row, RowView};
use crate::Direction;

/// What to write, in order: a key and its new row, or `None` to remove it. Empty writes nothing.
pub type Writes = SmallVec<[(Bytes, Option<Row>); 1]>;

/// A rule about rows whose keys are known beforehand.
///
/// The driver reads the rows of [`keys`](Self::keys) at one instant, calls [`apply`](Self::apply) once, and writes what it
/// returned as one atomic batch. If the operation [`writes`](Self::writes), nobody else does in between.
///
/// ```
/// use charioteer_engine::raw::{Operation, Put};
///
/// let put = Put::new("key".into(), "value".into()).with_ttl(10);
/// assert!(put.writes() && put.keys().is_empty(), "it writes blindly");
/// let ((), writes) = put.apply(&[], 100);
/// assert_eq!(writes[0].1.as_ref().map(|row| row.expires_at), Some(110));
/// ```
///
/// It may be run on another thread than the one that asked for it, and so borrows nothing.
pub trait Operation: Send + 'static {
    /// What the operation answers.
    type Reply: Send + 'static;

    /// The keys of the rows it must know; may be empty.
    fn keys(&self) -> &[Bytes];

    /// Whether it may write.
    fn writes(&self) -> bool;

    /// How many rows it reads or writes, about.
    fn row_count(&self) -> usize {
        self.keys().len().max(1)
    }

    /// The answer and the writes that follow from the rows at `now`, in Unix seconds. Rows come as they are stored,
    /// expired ones included, in the order of [`keys`](Self::keys). A driver that hands over fewer rows says that the rest
    /// are missing.
    fn apply(self, rows: &[Option<Row>], now: u64) -> (Self::Reply, Writes);
}

/// What a walk is to be shown next.
///
/// ```
/// use charioteer_engine::Direction;
/// use charioteer_engine::raw::WalkRange;
///
/// let all = WalkRange::Between { lower: "".into(), upper: None, direction: Direction::Forward };
/// assert_ne!(all, WalkRange::Key("".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WalkRange {
    /// This key alone.
    Key(Bytes),
    /// The keys from `lower` to just before `upper`; without `upper`, to the last.
    Between {
        /// The first key that belongs to the range.
        lower: Bytes,
        /// The first key that does not any more.
        upper: Option<Bytes>,
        /// Whether rows come ascending or descending.
        direction: Direction,
    },
}

impl WalkRange {
    /// From `start` up to just before `end`; an empty `end` is none.
    pub(super) fn forward(start: Bytes, end: Bytes) -> Self {
        Self::Between { lower: start, upper: Some(end).filter(|end| !end.is_empty()), direction: Direction::Forward }
    }

    /// From just before `start` down to `end`. Nothing is before the empty key.
    pub(super) const fn backward(start: Bytes, end: Bytes) -> Self {
        Self::Between { lower: end, upper: Some(start), direction: Direction::Backward }
    }
}

/// A rule about the rows of some ranges, all of one instant.
///
/// The driver asks for a range, shows its rows that are alive until [`visit`](Self::visit) breaks or there are no more,
/// asks for the next one, and for the answer when there is none.
///
/// ```
/// use std::ops::ControlFlow;
/// use charioteer_engine::raw::{Family, Put, RawStore, RowView, Walk, WalkRange};
/// use charioteer_engine::{Clock, Db, Direction};
///
/// /// Finds the last key.
/// struct LastKey { is_asked: bool, found: Option<Vec<u8>> }
///
/// impl Walk for LastKey {
///     type Reply = Option<Vec<u8>>;
///
///     fn next_range(&mut self) -> Option<WalkRange> {
///         let range = WalkRange::Between { lower: "".into(), upper: None, direction: Direction::Backward };
///         (!std::mem::replace(&mut self.is_asked, true)).then_some(range)
///     }
///
///     fn visit(&mut self, row: RowView<'_>) -> ControlFlow<()> {
///         self.found = Some(row.key().to_vec());
///         ControlFlow::Break(())
///     }
///
///     fn finish(self) -> Option<Vec<u8>> {
///         self.found
///     }
/// }
///
/// let store = RawStore::open(Db::memory(), Clock::system())?;
/// store.run(Family::Default, Put::new("a".into(), "1".into()))?;
/// store.run(Family::Default, Put::new("b".into(), "2".into()))?;
/// let last = store.walk(Family::Default, LastKey { is_asked: false, found: None })?;
/// assert_eq!(last.as_deref(), Some(&b"b"[..]));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
pub trait Walk {
    /// What the walk answers.
    type Reply;

    /// The range to be shown next; `None` ends the walk.
    fn next_range(&mut self) -> Option<WalkRange>;

    /// Sees a row that is alive; a break ends the range.
    fn visit(&mut self, row: RowView<'_>) -> ControlFlow<()>;

    /// The answer.
    fn finish(self) -> Self::Reply;
}
