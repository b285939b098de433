//! Sweeping: expired rows are invisible at once, and removed little by little.
//!
//! In memory each is removed where it is found. On disk that would write even more, so that they are only counted there: a
//! keyspace is compacted, which leaves them out, when a pass over it has found that it pays.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use bytes::Bytes;

use super::driver::Table;
use super::operation::{Ended, Walk, WalkRange};
use super::row::{Context, RowView};
use crate::{Direction, Error};

/// How many rows are looked at between two snapshots, so that none lives long.
const ROWS_PER_SNAPSHOT: usize = 1000;

/// Where the sweeper of a table is.
#[derive(Debug, Default)]
pub(super) struct Place {
    partition: u32,
    /// The raw key that was looked at last.
    behind: Option<Bytes>,
    /// The rows of this pass over all partitions.
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

impl Table {
    /// Looks at so many rows, going on where it stopped the last time, and removes those that have expired. Says how
    /// many they were. A table that has fewer rows is gone through once.
    ///
    /// On disk, expired rows are removed at the end of a pass over the table, if they are at least a tenth of its rows.
    ///
    /// # Errors
    /// [`Error::KeyspaceDropped`] when the table is gone, [`Error::Corrupt`], and what the store gives.
    pub fn sweep(self: &Arc<Self>, rows: usize) -> Result<usize, Error> {
        let (mut left, mut removed) = (rows, 0);
        let mut place = self.place_of_sweeper();
        let first = place.partition;
        while left > 0 {
            let looked =
                LookForExpired { behind: place.behind.take(), left: left.min(ROWS_PER_SNAPSHOT), ..Default::default() };
            let found = self.walk(place.partition, looked)?;
            place.pass.rows += found.looked_at;
            if self.db().disk().is_some() {
                place.pass.expired += found.expired.len();
            } else {
                for raw_key in &found.expired {
                    removed += usize::from(self.remove_expired(place.partition, raw_key)?);
                }
            }
            left -= found.looked_at.min(left);
            place.behind = Some(found.behind).filter(|behind| !behind.is_empty()).map(Bytes::from);
            if place.behind.is_none() {
                place.partition = self.partition_behind(place.partition);
                if place.partition == 0 {
                    removed += self.end_pass(std::mem::take(&mut place.pass))?;
                }
                if place.partition == first {
                    break;
                }
            }
        }
        self.keep_place_of_sweeper(place);
        Ok(removed)
    }

    fn end_pass(&self, pass: Pass) -> Result<usize, Error> {
        if !pass.is_worth_compacting() {
            return Ok(0);
        }
        self.db().compact(self.keyspace())?;
        Ok(pass.expired)
    }
}

/// Looks at some rows of a partition for expired ones.
#[derive(Default)]
struct LookForExpired {
    behind: Option<Bytes>,
    left: usize,
    found: Found,
}

#[derive(Default)]
struct Found {
    expired: Vec<Bytes>,
    looked_at: usize,
    /// The key to go on behind; empty at the end of the partition, and where there was none.
    behind: Vec<u8>,
}

impl Walk for LookForExpired {
    type Reply = Found;

    fn range(&self) -> Option<WalkRange> {
        let start = self.behind.clone().map_or(Bound::Unbounded, Bound::Excluded);
        Some(WalkRange { start, end: Bound::Unbounded, direction: Direction::Forward })
    }

    fn visit(&mut self, key: &[u8], row: RowView<'_>, context: &Context) -> ControlFlow<()> {
        self.found.looked_at += 1;
        self.found.behind.clear();
        self.found.behind.extend_from_slice(key);
        if row.is_expired(context.now) {
            self.found.expired.push(Bytes::copy_from_slice(key));
        }
        if self.found.looked_at < self.left { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn finish(mut self, ended: Ended) -> Found {
        if ended == Ended::Exhausted {
            self.found.behind.clear();
        }
        self.found
    }
}
