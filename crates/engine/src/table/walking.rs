//! A walk under way: it is taken in steps, so that whoever drives it can do something else in between.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::time::Duration;

use super::driver::Table;
use super::operation::{Ended, Walk};
use super::row::{Context, RowView};
use super::stored::{StoredKey, as_slice, raw_of, stored_range};
use crate::{Direction, Error, Snapshot};

/// How many rows are shown between two looks at the clock.
const ROWS_PER_CLOCK: usize = 100;

/// How many rows a step shows, which is well under a millisecond's work.
const ROWS_PER_STEP: usize = 1000;

/// A walk over the rows of a partition, as they were when it began.
///
/// ```
/// use charioteer_engine::table::{CreateTable, SortKeyCount, Tables};
/// use charioteer_engine::{Clock, Db};
///
/// let tables = Tables::open(Db::memory(), Clock::system())?;
/// tables.create(CreateTable::new("temp", 8))?;
/// let table = tables.table_by_name("temp").ok_or("no such table")?;
///
/// let mut walking = table.begin_walk(0, SortKeyCount::new(b"hash key"))?;
/// let count = loop {
///     match walking.step()? {
///         Some(count) => break count,
///         None => std::thread::yield_now(),
///     }
/// };
/// assert_eq!(count, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Walking<W> {
    table: Arc<Table>,
    snapshot: Snapshot,
    /// `None` once it has given its answer.
    walk: Option<W>,
    /// What is left to be shown; `None` when the walk has nothing to see.
    left: Option<(Bound<StoredKey>, Bound<StoredKey>)>,
    direction: Direction,
    context: Context,
    deadline: Duration,
}

impl<W: Walk> Walking<W> {
    pub(super) fn begin(table: Arc<Table>, snapshot: Snapshot, partition: u32, walk: W) -> Self {
        let (context, deadline) = table.terms();
        let range = walk.range();
        let direction = range.as_ref().map_or(Direction::Forward, |range| range.direction);
        let left = range.map(|range| stored_range(partition, &range));
        Self { table, snapshot, walk: Some(walk), left, direction, context, deadline }
    }

    /// Shows the walk some rows. Gives its answer when it is over, and `None` while it is not, or has been before.
    ///
    /// # Errors
    /// [`Error::KeyspaceDropped`] when the table is gone, [`Error::Corrupt`].
    pub fn step(&mut self) -> Result<Option<W::Reply>, Error> {
        let Some(mut walk) = self.walk.take() else { return Ok(None) };
        let Some((start, end)) = &self.left else { return Ok(Some(walk.finish(Ended::Exhausted))) };
        let (mut shown, mut last) = (0_usize, StoredKey::new());
        let mut ended = Ok(Some(Ended::Exhausted));
        self.snapshot.visit(
            self.table.keyspace(),
            (as_slice(start), as_slice(end)),
            self.direction,
            |key, value| {
                shown += 1;
                if shown.is_multiple_of(ROWS_PER_CLOCK) && self.table.clock().now() > self.deadline {
                    ended = Ok(Some(Ended::OutOfTime));
                    return ControlFlow::Break(());
                }
                let step = match RowView::of(value) {
                    Some(row) => walk.visit(raw_of(key), row, &self.context).map_break(|()| Ok(Some(Ended::Stopped))),
                    None => ControlFlow::Break(Err(Error::Corrupt { what: "row" })),
                };
                if step.is_continue() && shown == ROWS_PER_STEP {
                    last = StoredKey::from_slice(key);
                    ended = Ok(None);
                    return ControlFlow::Break(());
                }
                step.map_break(|why| ended = why)
            },
        )?;
        match ended? {
            Some(ended) => Ok(Some(walk.finish(ended))),
            None => {
                self.go_on_behind(last);
                self.walk = Some(walk);
                Ok(None)
            }
        }
    }

    /// Takes the remaining steps at once.
    pub(super) fn finish(mut self) -> Result<W::Reply, Error> {
        loop {
            if let Some(reply) = self.step()? {
                return Ok(reply);
            }
        }
    }

    fn go_on_behind(&mut self, last: StoredKey) {
        if let Some((start, end)) = &mut self.left {
            match self.direction {
                Direction::Forward => *start = Bound::Excluded(last),
                Direction::Backward => *end = Bound::Excluded(last),
            }
        }
    }
}
