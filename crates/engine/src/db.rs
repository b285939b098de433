//! The narrow store that everything above stands on: keyspaces of ordered rows, atomic batches,
//! snapshots.

use std::fmt;
use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::disk::{Backup, Disk, DiskKeyspace, DiskOptions, DiskView, Stats};
use crate::error::{Error, MAX_KEY_BYTES};
use crate::memory::{self, Memory, Rows, View};
use crate::{Durability, Ticket};

/// An ordered store of bytes; clones share it.
///
/// Rows live in named keyspaces, ordered by the bytes of their keys. Reads see the latest committed
/// rows, or those of one instant through a [`Snapshot`]; writes are applied a [`Batch`] at a time.
///
/// In memory nothing waits for anything but short locks. On disk, everything but [`submit`](Self::submit) may wait for
/// the disk. The folder can be opened again once the last clone, keyspace and snapshot are gone.
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
    Disk(Arc<Disk>),
}

impl Db {
    /// A store that keeps its rows in memory and forgets them with its last clone.
    #[must_use]
    pub fn memory() -> Self {
        Self { store: Store::Memory(Arc::default()) }
    }

    /// Opens the store in a folder, or makes it there.
    ///
    /// Everything that was acknowledged is there, as far as its [`Durability`] promised. A folder that something acknowledged
    /// is missing from is not opened, and not changed.
    ///
    /// ```
    /// use charioteer_engine::{Batch, Db, DiskOptions};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path();
    /// let db = Db::open(path, DiskOptions::default())?;
    /// let names = db.keyspace("names")?;
    /// let mut batch = Batch::new();
    /// batch.put(&names, "1".into(), "Messala".into());
    /// db.commit(batch)?;
    /// drop((db, names));
    ///
    /// let db = Db::open(path, DiskOptions::default())?;
    /// assert_eq!(db.get(&db.keyspace("names")?, b"1")?.as_deref(), Some(&b"Messala"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InUse`], [`Error::NotAStore`], [`Error::NewerFormat`], [`Error::Damaged`], [`Error::Io`].
    pub fn open(path: impl AsRef<Path>, options: DiskOptions) -> Result<Self, Error> {
        Ok(Self { store: Store::Disk(Arc::new(Disk::open(path.as_ref(), options)?)) })
    }

    /// Opens the keyspace called `name`, or creates it empty.
    ///
    /// # Errors
    /// None in memory; on disk [`Error::KeyspaceName`] and what the disk gives.
    pub fn keyspace(&self, name: &str) -> Result<Keyspace, Error> {
        let handle = match &self.store {
            Store::Memory(memory) => Handle::Memory(memory.keyspace(name)),
            Store::Disk(disk) => Handle::Disk(disk.keyspace(name)?),
        };
        Ok(Keyspace { handle })
    }

    /// Drops the keyspace called `name` and gives its space back; one that does not exist is fine.
    ///
    /// Handles to it answer [`Error::KeyspaceDropped`] from then on, even when a keyspace of that
    /// name is created again. Snapshots taken before still see its rows. On disk the space comes back with the last handle.
    ///
    /// # Errors
    /// None in memory; a store on disk gives what the disk gives.
    pub fn drop_keyspace(&self, name: &str) -> Result<(), Error> {
        match &self.store {
            Store::Memory(memory) => {
                memory.drop_keyspace(name);
                Ok(())
            }
            Store::Disk(disk) => disk.drop_keyspace(name),
        }
    }

    /// The names of all keyspaces, ascending.
    #[must_use]
    pub fn keyspace_names(&self) -> Vec<String> {
        match &self.store {
            Store::Memory(memory) => memory.keyspace_names(),
            Store::Disk(disk) => disk.keyspace_names(),
        }
    }

    /// The latest value of `key`.
    ///
    /// # Errors
    /// [`Error::KeyEmpty`] and [`Error::KeyTooLong`] for a key the store cannot hold,
    /// [`Error::KeyspaceDropped`]; on disk also [`Error::Damaged`] and [`Error::Io`].
    pub fn get(&self, keyspace: &Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error> {
        check_key(key)?;
        match &self.store {
            Store::Memory(_) => keyspace.in_memory()?.get(key),
            Store::Disk(disk) => disk.get(keyspace.on_disk()?, key),
        }
    }

    /// The latest values of several keys, all of one instant, in the order of the keys.
    ///
    /// It costs less than a [`snapshot`](Self::snapshot), which in memory makes the next write copy what it
    /// changes.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_many<K: AsRef<[u8]>>(&self, keyspace: &Keyspace, keys: &[K]) -> Result<Vec<Option<Bytes>>, Error> {
        keys.iter().try_for_each(|key| check_key(key.as_ref()))?;
        match &self.store {
            Store::Memory(_) => keyspace.in_memory()?.get_many(keys),
            Store::Disk(disk) => disk.get_many(keyspace.on_disk()?, keys),
        }
    }

    /// Whether the rows are on disk, so that reads may have to wait for it.
    #[must_use]
    pub const fn is_on_disk(&self) -> bool {
        matches!(self.store, Store::Disk(_))
    }

    /// All keyspaces as they are now. It costs a few instructions for each of them, whatever they
    /// hold.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let rows = match &self.store {
            Store::Memory(memory) => RowsThen::Memory(memory.view()),
            Store::Disk(disk) => RowsThen::Disk(disk.view()),
        };
        Snapshot { rows }
    }

    /// One keyspace as it is now; the others need have no rows in this snapshot.
    ///
    /// # Errors
    /// [`Error::KeyspaceDropped`].
    pub fn snapshot_of(&self, keyspace: &Keyspace) -> Result<Snapshot, Error> {
        let rows = match &self.store {
            Store::Memory(_) => RowsThen::Memory(keyspace.in_memory()?.view()?),
            Store::Disk(disk) => {
                keyspace.on_disk()?.check_not_dropped()?;
                RowsThen::Disk(disk.view())
            }
        };
        Ok(Snapshot { rows })
    }

    /// Applies a batch: all of it at one instant or nothing, visible and as durable as it asks for when this returns.
    ///
    /// # Errors
    /// [`Error::KeyEmpty`], [`Error::KeyTooLong`], [`Error::KeyspaceDropped`]; on disk also [`Error::DiskFull`],
    /// [`Error::Halted`] and [`Error::Io`]. Nothing was applied then, unless [`Error::outcome`] says otherwise.
    pub fn commit(&self, batch: Batch) -> Result<(), Error> {
        batch.check()?;
        match &self.store {
            Store::Memory(_) => memory::commit(batch.changes),
            Store::Disk(disk) => disk.commit(batch),
        }
    }

    /// Hands in a batch to be applied as [`commit`](Self::commit) does, without waiting for it. Batches are applied in
    /// the order in which they were handed in.
    pub fn submit(&self, batch: Batch) -> Ticket<()> {
        if let Err(error) = batch.check() {
            return Ticket::ready(Err(error));
        }
        match &self.store {
            Store::Memory(_) => Ticket::ready(memory::commit(batch.changes)),
            Store::Disk(disk) => disk.submit(move |group| group.add(batch)),
        }
    }

    /// Has everything that was committed on the disk, whatever its durability; in memory there is nothing to do.
    ///
    /// # Errors
    /// What the disk gives.
    pub fn sync(&self) -> Result<(), Error> {
        match &self.store {
            Store::Memory(_) => Ok(()),
            Store::Disk(disk) => disk.sync(),
        }
    }

    /// Makes a backup of a store on disk, in a folder that has nothing in it, while reads and writes go on: all keyspaces as
    /// they are at one instant. [`restore_backup`](crate::restore_backup) makes a store of it again.
    ///
    /// # Errors
    /// [`Error::NotOnDisk`] in memory, [`Error::NotAStore`] when there is something in the folder, and what the disk gives.
    pub fn backup(&self, to: impl AsRef<Path>) -> Result<Backup, Error> {
        match &self.store {
            Store::Memory(_) => Err(Error::NotOnDisk),
            Store::Disk(disk) => disk.backup(to.as_ref()),
        }
    }

    /// Writes the rows of a keyspace anew, without those that have expired or were overwritten, so that their space comes
    /// back; in memory there is nothing to do. It takes as long as that takes.
    ///
    /// # Errors
    /// [`Error::KeyspaceDropped`] and what the disk gives.
    pub fn compact(&self, keyspace: &Keyspace) -> Result<(), Error> {
        match &self.store {
            Store::Memory(_) => Ok(()),
            Store::Disk(disk) => disk.compact(keyspace.on_disk()?),
        }
    }

    /// What a store on disk has done so far, and how it stands; `None` in memory.
    #[must_use]
    pub fn stats(&self) -> Option<Stats> {
        match &self.store {
            Store::Memory(_) => None,
            Store::Disk(disk) => Some(disk.stats()),
        }
    }

    /// What opening the store passed over, in a sentence: the torn end of a journal that a crash may leave, in which
    /// nothing acknowledged can be.
    #[must_use]
    pub fn passed_over(&self) -> Option<&str> {
        match &self.store {
            Store::Memory(_) => None,
            Store::Disk(disk) => disk.passed_over(),
        }
    }

    pub(crate) const fn disk(&self) -> Option<&Arc<Disk>> {
        match &self.store {
            Store::Memory(_) => None,
            Store::Disk(disk) => Some(disk),
        }
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
    Disk(Arc<DiskKeyspace>),
}

impl Keyspace {
    /// The name it was opened under.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.handle {
            Handle::Memory(rows) => rows.name(),
            Handle::Disk(rows) => rows.name(),
        }
    }

    pub(crate) fn in_memory(&self) -> Result<&Arc<Rows>, Error> {
        match &self.handle {
            Handle::Memory(rows) => Ok(rows),
            Handle::Disk(rows) => Err(Error::ForeignKeyspace { name: rows.name().to_owned() }),
        }
    }

    pub(crate) fn on_disk(&self) -> Result<&Arc<DiskKeyspace>, Error> {
        match &self.handle {
            Handle::Disk(rows) => Ok(rows),
            Handle::Memory(rows) => Err(Error::ForeignKeyspace { name: rows.name().to_owned() }),
        }
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
    durability: Option<Durability>,
}

#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) keyspace: Keyspace,
    pub(crate) key: Bytes,
    /// `None` removes the row.
    pub(crate) value: Option<Bytes>,
}

impl Change {
    /// What a journal takes for a change besides its bytes, or a little more.
    const OVERHEAD_BYTES: usize = 24;

    /// About what it takes in a journal, in bytes.
    pub(crate) fn byte_count(&self) -> usize {
        Self::OVERHEAD_BYTES + self.key.len() + self.value.as_ref().map_or(0, Bytes::len)
    }
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

    /// Says how safe the batch must be when it is acknowledged. Otherwise the store's own level counts; in memory none does.
    pub const fn set_durability(&mut self, durability: Durability) {
        self.durability = Some(durability);
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

    pub(crate) const fn durability(&self) -> Option<Durability> {
        self.durability
    }

    pub(crate) fn into_changes(self) -> SmallVec<[Change; 1]> {
        self.changes
    }

    /// Whether a store can hold all of it.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.changes.iter().try_for_each(|change| {
            check_key(&change.key)?;
            match &change.value {
                Some(value) if u32::try_from(value.len()).is_err() => Err(Error::ValueTooLong { len: value.len() }),
                _ => Ok(()),
            }
        })
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
    rows: RowsThen,
}

#[derive(Clone)]
enum RowsThen {
    Memory(View),
    Disk(DiskView),
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

fn is_empty(range: (Bound<&[u8]>, Bound<&[u8]>)) -> bool {
    match range {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => start >= end,
    }
}
