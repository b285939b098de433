//! Sweeping: expired rows are invisible at once, and removed little by little.
//!
//! In memory each is removed where it is found. On disk that would write even more, so that they are only counted there: a
//! keyspace is compacted, which leaves them out, when a pass over it has found that it pays.

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use super::family::Family;
use super::row::Row;
use super::store::RawStore;
use crate::{Direction, Error};

/// How many rows are looked at between two snapshots, so that none lives long.
const ROWS_PER_SNAPSHOT: usize = 1000;

/// Where the sweeper of a family is.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The stored key that was looked at last; `None` at the beginning of a pass.
    behind: Option<Bytes>,
    pass: Pass,
}

/// The rows of a pass that are still to be removed, and all.
#[derive(Debug, Default)]
struct Pass {
    expired: usize,
    rows: usize,
}

impl Pass {
    /// Compaction writes all rows, so that it should leave out a good part of them.
    const fn is_worth_compacting(&self) -> bool {
        self.expired > 0 && self.expired >= self.rows / 10
    }
}

/// Some rows one behind the other.
#[derive(Default)]
struct Stretch {
    rows: usize,
    expired: Vec<Bytes>,
    /// `None` when there are no more.
    behind: Option<Bytes>,
}

impl RawStore {
    /// Looks at so many rows of each family, going on where it stopped the last time, and removes those that have expired.
    /// Says how many they were. A family that has fewer rows is gone through once.
    ///
    /// On disk, expired rows are removed at the end of a pass over the family, if they are at least a tenth of its rows.
    ///
    /// # Errors
    /// What the store gives.
    pub fn sweep(&self, rows: usize) -> Result<usize, Error> {
        Family::ALL.into_iter().map(|family| self.sweep_family(family, rows)).sum()
    }

    fn sweep_family(&self, family: Family, rows: usize) -> Result<usize, Error> {
        let mut place = self.sweeper(family).lock();
        let (mut left, mut removed) = (rows, 0);
        while left > 0 {
            let stretch = self.stretch(family, place.behind.take(), left.min(ROWS_PER_SNAPSHOT))?;
            left -= stretch.rows.min(left);
            place.behind = stretch.behind;
            place.pass.rows += stretch.rows;
            if self.db().is_on_disk() {
                place.pass.expired += stretch.expired.len();
            } else if !stretch.expired.is_empty() {
                removed += self.remove_expired(family, stretch.expired)?;
            }
            if place.behind.is_none() {
                removed += self.end_pass(family, &std::mem::take(&mut place.pass))?;
                break;
            }
        }
        Ok(removed)
    }

    fn end_pass(&self, family: Family, pass: &Pass) -> Result<usize, Error> {
        if !pass.is_worth_compacting() {
            return Ok(0);
        }
        self.db().compact(self.rows(family))?;
        Ok(pass.expired)
    }

    /// Looks at the next rows behind that one.
    fn stretch(&self, family: Family, behind: Option<Bytes>, most: usize) -> Result<Stretch, Error> {
        let (now, rows) = (self.now(), self.rows(family));
        let start = behind.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut stretch = Stretch::default();
        self.db().snapshot_of(rows)?.visit(rows, (start, Bound::Unbounded), Direction::Forward, |key, value| {
            stretch.rows += 1;
            if Row::stored_is_expired(value, now) {
                stretch.expired.push(key.clone());
            }
            if stretch.rows < most {
                return ControlFlow::Continue(());
            }
            stretch.behind = Some(key.clone());
            ControlFlow::Break(())
        })?;
        Ok(stretch)
    }
}
