//! A walk under way: it is taken in steps, so that whoever drives it can do something else in between.

use std::fmt;
use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use super::MAX_KEY_BYTES;
use super::operation::{Walk, WalkRange};
use super::row::RowView;
use super::stored::{StoredKey, as_slice, end_of_keys, lookup_key, stored_key};
use crate::{Direction, Error, Keyspace, Snapshot};

/// How much a step does, which is well under a millisecond's work. A row counts as one and one more for each KiB of its
/// value, a range or a key as one, so that many that are empty are work too.
const WORK_PER_STEP: usize = 1000;

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
    /// Rows outside are not shown.
    within: (StoredKey, StoredKey),
    /// What is left of the range that is being shown.
    left: Option<StoredRange>,
}

struct StoredRange {
    start: Bound<StoredKey>,
    end: Bound<StoredKey>,
    direction: Direction,
}

impl<W: Walk> Walking<W> {
    pub(super) fn begin(rows: Keyspace, snapshot: Snapshot, now: u64, walk: W) -> Self {
        Self { rows, snapshot, now, walk: Some(walk), within: (lookup_key(b""), end_of_keys()), left: None }
    }

    /// Shows the walk only what lies from `lower` to just before `upper`, or to the last key if that is empty.
    #[must_use]
    pub fn within(mut self, lower: &[u8], upper: &[u8]) -> Self {
        self.within = (lookup_key(lower), if upper.is_empty() { end_of_keys() } else { lookup_key(upper) });
        self
    }

    /// Shows the walk some rows. Gives its answer when it is over, and `None` while it is not, or has been before.
    ///
    /// # Errors
    /// [`Error::Corrupt`], and what the store gives.
    pub fn step(&mut self) -> Result<Option<W::Reply>, Error> {
        let Some(mut walk) = self.walk.take() else { return Ok(None) };
        let mut work = WORK_PER_STEP;
        while work > 0 {
            let range = match self.left.take() {
                Some(range) => range,
                None => match walk.next_range() {
                    Some(WalkRange::Key(key)) => {
                        self.show_key(&mut walk, &key, &mut work)?;
                        continue;
                    }
                    Some(WalkRange::Between { lower, upper, direction }) => self.clipped(&lower, upper, direction),
                    None => return Ok(Some(walk.finish())),
                },
            };
            self.left = self.show(&mut walk, range, &mut work)?;
        }
        self.walk = Some(walk);
        Ok(None)
    }

    /// Takes the remaining steps at once.
    pub(super) fn finish(mut self) -> Result<W::Reply, Error> {
        loop {
            if let Some(reply) = self.step()? {
                return Ok(reply);
            }
        }
    }

    fn show_key(&self, walk: &mut W, key: &Bytes, work: &mut usize) -> Result<(), Error> {
        *work -= 1;
        // A key that is too long to be stored is not looked for: its row is missing.
        if key.len() > MAX_KEY_BYTES {
            return Ok(());
        }
        let lookup = lookup_key(key);
        if lookup < self.within.0 || lookup >= self.within.1 {
            return Ok(());
        }
        let Some(stored) = self.snapshot.get(&self.rows, &lookup)? else { return Ok(()) };
        let stored_key = stored_key(key);
        let row = RowView::of(&stored_key, &stored).ok_or(DAMAGED)?;
        *work = work.saturating_sub(work_of(&row));
        if !row.is_expired(self.now) {
            let _ = walk.visit(row);
        }
        Ok(())
    }

    /// Shows rows of a range; what is left of it when there is no more to be done in this step.
    fn show(&self, walk: &mut W, range: StoredRange, work: &mut usize) -> Result<Option<StoredRange>, Error> {
        *work -= 1;
        let (mut last, mut damage) = (None, None);
        self.snapshot.visit(&self.rows, range.bounds(), range.direction, |key, value| {
            let Some(row) = RowView::of(key, value) else {
                damage = Some(DAMAGED);
                return ControlFlow::Break(());
            };
            *work = work.saturating_sub(work_of(&row));
            if !row.is_expired(self.now) {
                walk.visit(row)?;
            }
            if *work > 0 {
                return ControlFlow::Continue(());
            }
            last = Some(StoredKey::from_slice(key));
            ControlFlow::Break(())
        })?;
        damage.map_or_else(|| Ok(last.map(|last| range.behind(last))), Err)
    }

    fn clipped(&self, lower: &[u8], upper: Option<Bytes>, direction: Direction) -> StoredRange {
        let (first, beyond) = &self.within;
        let start = lookup_key(lower).max(first.clone());
        let end = upper.map_or_else(end_of_keys, |upper| lookup_key(&upper)).min(beyond.clone());
        StoredRange { start: Bound::Included(start), end: Bound::Excluded(end), direction }
    }
}

const DAMAGED: Error = Error::Corrupt { what: "raw row" };

fn work_of(row: &RowView<'_>) -> usize {
    1 + row.value().len() / 1024
}

impl StoredRange {
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
