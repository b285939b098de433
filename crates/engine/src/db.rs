//! The narrow store that everything above stands on: keyspaces of ordered rows, atomic batches,
//! snapshots.

use std::fmt;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::error::{Error, MAX_KEY_BYTES};
use crate::memory::{self, Memory, Rows, View};

/// An ordered store of bytes; clones share it.
///
/// Rows live in named keyspaces, ordered by the bytes of their keys. Reads see the latest committed
/// rows, or those of one instant through a [`Snapshot`]; writes are applied a [`Batch`] at a time.
/// Nothing here waits for anything but short locks.
///
/// ```
/// use charioteer_engine::{Batch, Db};
///
/// let db = Db::memory();
/// let (names, ages) = (db.keyspace("names")?, db.keyspace("ages")?);
///
/// let mut batch = Batch::new();
/// batch.put(&names, "1".into(), "Messala".into());
/// batch.put(&ages, "1".into(), "25".into());
/// db.commit(batch)?;
///
/// assert_eq!(db.get(&names, b"1")?.as_deref(), Some(&b"Messala"[..]));
/// assert_eq!(db.keyspace_names(), ["ages", "names"]);
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Clone)]
pub struct Db {
    store: Store,
}

/// Where rows lie. Whatever holds them stays behind this seam.
#[derive(Clone)]
enum Store {
    Memory(Arc<Memory>),
}

impl Db {
    /// A store that keeps its rows in memory and forgets them with its last clone.
    #[must_use]
    pub fn memory() -> Self {
        Self { store: Store::Memory(Arc::default()) }
    }

    /// Opens the keyspace called `name`, or creates it empty.
    ///
    /// # Errors
    /// None in memory; a store on disk gives what the disk gives.
    pub fn keyspace(&self, name: &str) -> Result<Keyspace, Error> {
        let Store::Memory(memory) = &self.store;
        Ok(Keyspace { handle: Handle::Memory(memory.keyspace(name)) })
    }

    /// Drops the keyspace called `name` and gives its space back; one that does not exist is fine.
    ///
    /// Handles to it answer [`Error::KeyspaceDropped`] from then on, even when a keyspace of that
    /// name is created again. Snapshots taken before still see its rows.
    ///
    /// # Errors
    /// None in memory; a store on disk gives what the disk gives.
    pub fn drop_keyspace(&self, name: &str) -> Result<(), Error> {
        let Store::Memory(memory) = &self.store;
        memory.drop_keyspace(name);
        Ok(())
    }

    /// The names of all keyspaces, ascending.
    #[must_use]
    pub fn keyspace_names(&self) -> Vec<String> {
        let Store::Memory(memory) = &self.store;
        memory.keyspace_names()
    }

    /// The latest value of `key`.
    ///
    /// # Errors
    /// [`Error::KeyEmpty`] and [`Error::KeyTooLong`] for a key the store cannot hold,
    /// [`Error::KeyspaceDropped`].
    pub fn get(&self, keyspace: &Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error> {
        check_key(key)?;
        keyspace.rows().get(key)
    }

    /// The latest values of several keys, all of one instant, in the order of the keys.
    ///
    /// It costs less than a [`snapshot`](Self::snapshot), which makes the next write copy what it
    /// changes.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_many<K: AsRef<[u8]>>(&self, keyspace: &Keyspace, keys: &[K]) -> Result<Vec<Option<Bytes>>, Error> {
        keys.iter().try_for_each(|key| check_key(key.as_ref()))?;
        keyspace.rows().get_many(keys)
    }

    /// All keyspaces as they are now. It costs a few instructions for each of them, whatever they
    /// hold.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let Store::Memory(memory) = &self.store;
        Snapshot { view: memory.view() }
    }

    /// One keyspace as it is now; the others have no rows in this snapshot.
    ///
    /// # Errors
    /// [`Error::KeyspaceDropped`].
    pub fn snapshot_of(&self, keyspace: &Keyspace) -> Result<Snapshot, Error> {
        Ok(Snapshot { view: keyspace.rows().view()? })
    }

    /// Applies a batch: all of it at one instant or nothing, visible when this returns.
    ///
    /// # Errors
    /// [`Error::KeyEmpty`], [`Error::KeyTooLong`], [`Error::KeyspaceDropped`]; nothing was applied
    /// then.
    pub fn commit(&self, batch: Batch) -> Result<(), Error> {
        batch.changes.iter().try_for_each(|change| check_key(&change.key))?;
        memory::commit(batch.changes)
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").field("keyspaces", &self.keyspace_names()).finish_non_exhaustive()
    }
}

/// A handle to one keyspace of a [`Db`]; cheap to clone, and of use with the `Db` it came from
/// only.
///
/// ```
/// use charioteer_engine::{Db, Error};
///
/// let db = Db::memory();
/// let rows = db.keyspace("rows")?;
/// assert_eq!(rows.name(), "rows");
/// db.drop_keyspace("rows")?;
/// assert!(matches!(db.get(&rows, b"key"), Err(Error::KeyspaceDropped { .. })));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Keyspace {
    handle: Handle,
}

#[derive(Debug, Clone)]
enum Handle {
    Memory(Arc<Rows>),
}

impl Keyspace {
    /// The name it was opened under.
    #[must_use]
    pub fn name(&self) -> &str {
        self.rows().name()
    }

    pub(crate) fn rows(&self) -> &Arc<Rows> {
        let Handle::Memory(rows) = &self.handle;
        rows
    }
}

/// Changes that are applied together, in the order they were added: the last one to a key wins.
///
/// ```
/// use charioteer_engine::{Batch, Db};
///
/// let db = Db::memory();
/// let rows = db.keyspace("rows")?;
/// let mut batch = Batch::new();
/// batch.put(&rows, "a".into(), "1".into());
/// batch.delete(&rows, "b".into());
/// assert_eq!(batch.len(), 2);
/// db.commit(batch)?;
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Batch {
    changes: SmallVec<[Change; 1]>,
}

#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) keyspace: Keyspace,
    pub(crate) key: Bytes,
    /// `None` removes the row.
    pub(crate) value: Option<Bytes>,
}

impl Batch {
    /// A batch without changes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes `value` at `key`, whatever is there.
    ///
    /// Both are copied, because they may be slices of a far larger network buffer that the row
    /// would keep alive.
    pub fn put(&mut self, keyspace: &Keyspace, key: Bytes, value: Bytes) {
        self.put_owned(keyspace, Bytes::copy_from_slice(&key), Bytes::copy_from_slice(&value));
    }

    /// Removes the row at `key`, if there is one.
    pub fn delete(&mut self, keyspace: &Keyspace, key: Bytes) {
        self.changes.push(Change { keyspace: keyspace.clone(), key, value: None });
    }

    /// Whether there is nothing to apply.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The number of changes, counting each change to the same key.
    #[must_use]
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// As [`put`](Self::put), for bytes that fill their allocation, which need no copy.
    pub(crate) fn put_owned(&mut self, keyspace: &Keyspace, key: Bytes, value: Bytes) {
        self.changes.push(Change { keyspace: keyspace.clone(), key, value: Some(value) });
    }
}

/// The order in which rows are walked.
///
/// ```
/// use charioteer_engine::Direction;
///
/// assert_ne!(Direction::Forward, Direction::Backward);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the smallest key to the largest.
    Forward,
    /// From the largest key to the smallest.
    Backward,
}

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
    view: View,
}

impl Snapshot {
    /// The value of `key` at the instant of the snapshot.
    ///
    /// A keyspace created after it has no rows in it.
    ///
    /// # Errors
    /// [`Error::KeyEmpty`] and [`Error::KeyTooLong`] for a key the store cannot hold,
    /// [`Error::KeyspaceDropped`] when the keyspace was dropped before the snapshot was taken.
    pub fn get(&self, keyspace: &Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error> {
        check_key(key)?;
        self.view.get(keyspace.rows(), key)
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
        self.view.visit(keyspace.rows(), range, direction, visit)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

fn check_key(key: &[u8]) -> Result<(), Error> {
    match key.len() {
        0 => Err(Error::KeyEmpty),
        1..=MAX_KEY_BYTES => Ok(()),
        len => Err(Error::KeyTooLong { len }),
    }
}
