//! A walk under way: it is taken in steps, so that whoever drives it can do something else in between.

use std::fmt;
use std::ops::{Bound, ControlFlow};

use super::operation::{Walk, WalkRange};
use super::row::RowView;
use super::stored::{StoredKey, as_slice, end_of_keys, lookup_key};
use crate::{Direction, Error, Keyspace, Snapshot};

/// How many rows a step looks at, which is well under a millisecond's work. A range counts as one more, so that many empty
/// ones are work too.
const ROWS_PER_STEP: usize = 1000;

/// A walk over rows of a family, as they were when it began. It holds no lock.
///
/// ```
/// use charioteer_engine::raw::{Family, RawStore, Scan};
/// use charioteer_engine::{Clock, Db};
///
/// let store = RawStore::open(Db::memory(), Clock::system())?;
/// let mut walking = store.begin_walk(Family::Default, Scan::forward("".into(), "".into(), 100))?;
/// let scanned = loop {
///     match walking.step()? {
///         Some(scanned) => break scanned,
///         None => std::thread::yield_now(),
///     }
/// };
/// assert!(scanned.pairs.is_empty());
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
pub struct Walking<W> {
    rows: Keyspace,
    snapshot: Snapshot,
    /// In Unix seconds.
    now: u64,
    /// `None` once it has given its answer.
    walk: Option<W>,
    /// What is left of the range that is being shown.
    left: Option<StoredRange>,
}

struct StoredRange {
    start: Bound<StoredKey>,
    end: Bound<StoredKey>,
    direction: Direction,
}

impl<W: Walk> Walking<W> {
    pub(super) const fn begin(rows: Keyspace, snapshot: Snapshot, now: u64, walk: W) -> Self {
        Self { rows, snapshot, now, walk: Some(walk), left: None }
    }

    /// Shows the walk some rows. Gives its answer when it is over, and `None` while it is not, or has been before.
    ///
    /// # Errors
    /// [`Error::Corrupt`], and what the store gives.
    pub fn step(&mut self) -> Result<Option<W::Reply>, Error> {
        let Some(mut walk) = self.walk.take() else { return Ok(None) };
        let mut rows_left = ROWS_PER_STEP;
        while let Some(range) = self.left.take().or_else(|| walk.next_range().map(StoredRange::of)) {
            self.left = self.show(&mut walk, range, &mut rows_left)?;
            if rows_left == 0 {
                self.walk = Some(walk);
                return Ok(None);
            }
        }
        Ok(Some(walk.finish()))
    }

    /// Takes the remaining steps at once.
    pub(super) fn finish(mut self) -> Result<W::Reply, Error> {
        loop {
            if let Some(reply) = self.step()? {
                return Ok(reply);
            }
        }
    }

    /// Shows rows of a range; what is left of it when there are no more to be shown in this step.
    fn show(&self, walk: &mut W, range: StoredRange, rows_left: &mut usize) -> Result<Option<StoredRange>, Error> {
        *rows_left -= 1;
        let (mut last, mut damage) = (None, None);
        self.snapshot.visit(&self.rows, range.bounds(), range.direction, |key, value| {
            let Some(row) = RowView::of(key, value) else {
                damage = Some(Error::Corrupt { what: "raw row" });
                return ControlFlow::Break(());
            };
            if !row.is_expired(self.now) {
                walk.visit(row)?;
            }
            if *rows_left <= 1 {
                last = Some(StoredKey::from_slice(key));
                return ControlFlow::Break(());
            }
            *rows_left -= 1;
            ControlFlow::Continue(())
        })?;
        if last.is_some() {
            *rows_left = 0;
        }
        damage.map_or_else(|| Ok(last.map(|last| range.behind(last))), Err)
    }
}

impl StoredRange {
    fn of(range: WalkRange) -> Self {
        let end = range.upper.map_or_else(end_of_keys, |upper| lookup_key(&upper));
        Self { start: Bound::Included(lookup_key(&range.lower)), end: Bound::Excluded(end), direction: range.direction }
    }

    fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        (as_slice(&self.start), as_slice(&self.end))
    }

    fn behind(mut self, last: StoredKey) -> Self {
        match self.direction {
            Direction::Forward => self.start = Bound::Excluded(last),
            Direction::Backward => self.end = Bound::Excluded(last),
        }
        self
    }
}

impl<W> fmt::Debug for Walking<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walking").field("rows", &self.rows.name()).finish_non_exhaustive()
    }
}
