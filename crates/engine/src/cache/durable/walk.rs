//! Going through all items: to remove what is dead, and to list what is not.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use bytes::Bytes;

use super::super::event::{Event, Events};
use super::super::inspect::Inspected;
use super::super::listing::{Cursor, Listed, Listing, Position};
use super::row::{Head, ITEM_PREFIX, Row, item_key};
use super::{DurableCache, Inner, LatestRows};
use crate::{Batch, Direction, Durability, Error};

/// How many rows are looked at between two snapshots, so that none lives long.
const ROWS_PER_SNAPSHOT: usize = 1000;

/// Some items one behind the other.
struct Stretch {
    items: Vec<Seen>,
    is_last: bool,
}

/// An item that was come by; its value is not kept.
struct Seen {
    row_key: Bytes,
    head: Head,
    size: usize,
}

impl DurableCache {
    /// Looks at so many items, going on where it stopped the last time, and removes those that are dead. Says how many
    /// they were. A store that has fewer is gone through once.
    ///
    /// # Errors
    /// What the store gives.
    pub fn sweep(&self, items: usize) -> Result<usize, Error> {
        let mut behind = self.inner.sweeper.lock();
        let (mut left, mut removed) = (items, 0);
        while left > 0 {
            let stretch = self.inner.stretch(&behind, left.min(ROWS_PER_SNAPSHOT))?;
            left -= stretch.items.len().min(left);
            *behind = stretch.next().unwrap_or_default();
            removed += self.remove_dead(stretch.items)?;
            self.inner.known.lock().swept(Some(&*behind).filter(|key| !key.is_empty()));
            if behind.is_empty() {
                break;
            }
        }
        Ok(removed)
    }

    /// Looks at the next items, at most so many but at least one, and tells of those that are alive, in the order of
    /// their keys.
    ///
    /// # Errors
    /// What the store gives.
    pub fn list(&self, from: Cursor, items: usize) -> Result<Listing, Error> {
        let behind = match from.position {
            Position::Behind(row_key) => row_key,
            Position::Begin | Position::Slot { .. } => Bytes::new(),
        };
        let stretch = self.inner.stretch(&behind, items.max(1))?;
        let next = stretch.next().map(Cursor::behind);
        let alive = stretch.items.into_iter().filter(|seen| self.inner.cause_of_death(&seen.head).is_none());
        let items = alive.map(|Seen { row_key, head, size }| Listed {
            key: item_key(&row_key),
            item: Inspected { attributes: head.attributes, size },
        });
        Ok(Listing { items: items.collect(), next })
    }

    fn remove_dead(&self, items: Vec<Seen>) -> Result<usize, Error> {
        let (dead, alive): (Vec<_>, Vec<_>) =
            items.into_iter().partition(|seen| self.inner.cause_of_death(&seen.head).is_some());
        let mut known = self.inner.known.lock();
        alive.iter().for_each(|seen| known.found(&seen.row_key, seen.head.number, seen.size));
        drop(known);
        if dead.is_empty() {
            return Ok(0);
        }
        let (inner, keys) = (Arc::clone(&self.inner), dead.into_iter().map(|seen| seen.row_key).collect());
        self.alone(move |rows: &mut dyn LatestRows| inner.reclaim(rows, keys))
    }
}

impl Stretch {
    /// The row behind which the next stretch begins, if there is one.
    fn next(&self) -> Option<Bytes> {
        self.items.last().filter(|_| !self.is_last).map(|seen| seen.row_key.clone())
    }
}

impl Inner {
    /// Removes those of the rows that are dead still: they may have been written again since that was seen.
    fn reclaim(&self, rows: &mut dyn LatestRows, keys: Vec<Bytes>) -> Result<(usize, Batch), Error> {
        let (removed, mut batch) = self.remove(rows, keys, |row| {
            let is_dead = self.cause_of_death(&row.head).is_some();
            if is_dead {
                let unfetched = (!row.head.attributes.fetched).then_some(Event::ExpiredUnfetched);
                self.count(&unfetched.into_iter().chain([Event::Reclaimed]).collect::<Events>());
            }
            is_dead
        })?;
        // They are dead whether they are there or not.
        batch.set_durability(Durability::Memory);
        Ok((removed, batch))
    }

    /// The next rows of items behind that one.
    fn stretch(&self, behind: &[u8], most: usize) -> Result<Stretch, Error> {
        let (first, end) = ([ITEM_PREFIX], [ITEM_PREFIX + 1]);
        let start = if behind.is_empty() { Bound::Included(&first[..]) } else { Bound::Excluded(behind) };
        let (mut items, mut is_last) = (Vec::new(), true);
        let range = (start, Bound::Excluded(&end[..]));
        self.db.snapshot_of(&self.rows)?.visit(&self.rows, range, Direction::Forward, |key, value| {
            if items.len() == most {
                is_last = false;
                return ControlFlow::Break(());
            }
            let seen = Row::decode(value.clone()).map(|row| {
                let size = row.size(key.len() - 1);
                Seen { row_key: key.clone(), head: row.head, size }
            });
            items.push(seen);
            ControlFlow::Continue(())
        })?;
        Ok(Stretch { items: items.into_iter().collect::<Result<_, Error>>()?, is_last })
    }
}
