//! What is read together.

use std::fmt;
use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use crate::batch::check_key;
use crate::db::{Direction, Keyspace};
use crate::disk::DiskView;
use crate::error::Error;
use crate::memory::View;

/// The rows of one instant; later writes and drops leave it as it is.
///
/// Clones share it. While it lives it keeps the rows that were changed since, so drop it when it is
/// done.
///
/// ```
/// use std::ops::{Bound, ControlFlow};
/// use charioteer_engine::{Batch, Db, Direction};
///
/// let db = Db::memory();
/// let rows = db.keyspace("rows")?;
/// let mut batch = Batch::new();
/// for key in ["a", "b", "c"] {
///     batch.put(&rows, key.into(), key.into());
/// }
/// db.commit(batch)?;
///
/// let mut last_two = Vec::new();
/// let all = (Bound::Unbounded, Bound::Unbounded);
/// db.snapshot().visit(&rows, all, Direction::Backward, |key, _value| {
///     last_two.push(key.clone());
///     if last_two.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
/// })?;
/// assert_eq!(last_two, ["c", "b"]);
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Clone)]
pub struct Snapshot {
    rows: RowsThen,
}

/// Where the rows lie.
#[derive(Clone)]
pub(crate) enum RowsThen {
    Memory(View),
    Disk(DiskView),
}

impl Snapshot {
    pub(crate) const fn of(rows: RowsThen) -> Self {
        Self { rows }
    }

    /// The value of `key` at the instant of the snapshot.
    ///
    /// A keyspace created after it has no rows in it.
    ///
    /// # Errors
    /// [`Error::KeyEmpty`] and [`Error::KeyTooLong`] for a key the store cannot hold,
    /// [`Error::KeyspaceDropped`] when the keyspace was dropped before the snapshot was taken.
    pub fn get(&self, keyspace: &Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error> {
        check_key(key)?;
        match &self.rows {
            RowsThen::Memory(view) => view.get(keyspace.in_memory()?, key),
            RowsThen::Disk(view) => view.get(keyspace.on_disk()?, key),
        }
    }

    /// Walks the rows between the bounds, forwards or backwards, until `visit` breaks. Bounds in
    /// the wrong order hold no rows, and bounds may be of any length.
    ///
    /// # Errors
    /// [`Error::KeyspaceDropped`] when the keyspace was dropped before the snapshot was taken.
    pub fn visit(
        &self,
        keyspace: &Keyspace,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        visit: impl FnMut(&Bytes, &Bytes) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        if is_empty(range) {
            // Neither kind of rows takes bounds in the wrong order.
            return self.check_was_there(keyspace);
        }
        match &self.rows {
            RowsThen::Memory(view) => view.visit(keyspace.in_memory()?, range, direction, visit),
            RowsThen::Disk(view) => view.visit(keyspace.on_disk()?, range, direction, visit),
        }
    }
}

impl Snapshot {
    fn check_was_there(&self, keyspace: &Keyspace) -> Result<(), Error> {
        match &self.rows {
            RowsThen::Memory(view) => view.check_was_there(keyspace.in_memory()?),
            RowsThen::Disk(view) => view.check_was_there(keyspace.on_disk()?),
        }
    }
}

/// Some keys of a range.
pub(crate) struct KeysInRange {
    /// Ascending.
    pub(crate) keys: Vec<Bytes>,
    /// The key behind which there may be more of them.
    pub(crate) more_behind: Option<Bytes>,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

/// Whether bounds are in the wrong order, or leave nothing between them.
pub(crate) fn is_empty(range: (Bound<&[u8]>, Bound<&[u8]>)) -> bool {
    match range {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => start >= end,
    }
}
