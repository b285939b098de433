//! Removing whatever lies in a range, for good.

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use super::command::{Command, Latched, Latches};
use super::range::KeyRange;
use super::rows::FamilyOf;
use crate::Error;

/// How many rows are removed at a time.
const ROWS_AT_A_TIME: usize = 4096;

/// Removes all versions and locks of a range of keys, whoever may still see them, some thousand rows at a time. Answers with
/// what is left to be removed, if there is any.
///
/// ```
/// use charioteer_engine::mvcc::{DeleteRange, KeyRange, MvccStore};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// let mut left = Some(DeleteRange::new(KeyRange::all()));
/// while let Some(delete) = left {
///     left = store.run(delete)?.reply;
/// }
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteRange {
    range: KeyRange,
    family: FamilyOf,
    /// Behind which stored key to go on.
    behind: Option<Bytes>,
}

impl DeleteRange {
    /// Of this range.
    #[must_use]
    pub const fn new(range: KeyRange) -> Self {
        // Versions go before their values, so that no version is without one in between.
        Self { range, family: FamilyOf::Locks, behind: None }
    }
}

impl Command for DeleteRange {
    type Reply = Option<Self>;

    fn latches(&self) -> Latches {
        Latches::All
    }

    fn apply(mut self, rows: &mut Latched<'_>) -> Result<Self::Reply, Error> {
        let mut room = ROWS_AT_A_TIME;
        loop {
            let keys = self.next_keys(rows, room)?;
            room -= keys.len().min(room);
            self.behind = if room == 0 { keys.last().cloned() } else { None };
            keys.into_iter().for_each(|key| rows.delete_row(self.family, key));
            if room == 0 {
                return Ok(Some(self));
            }
            match self.family.next() {
                Some(family) => self.family = family,
                None => return Ok(None),
            }
        }
    }
}

impl DeleteRange {
    fn next_keys(&self, rows: &mut Latched<'_>, most: usize) -> Result<Vec<Bytes>, Error> {
        let (start, end) = self.range.stored();
        let lower = self.behind.as_deref().map_or(Bound::Included(&start[..]), Bound::Excluded);
        let bounds = (lower, end.as_deref().map_or(Bound::Unbounded, Bound::Excluded));
        let mut keys = Vec::new();
        rows.read().rows_of(self.family, bounds, |key| {
            keys.push(key.clone());
            if keys.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(keys)
    }
}
