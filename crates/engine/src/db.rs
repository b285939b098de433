//! The narrow store that everything above stands on: keyspaces of ordered rows, atomic batches,
//! snapshots.

use std::fmt;
use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::Ticket;
use crate::batch::{Batch, check_key};
use crate::closing::Closing;
use crate::disk::{Backup, Disk, DiskKeyspace, DiskOptions, Stats};
use crate::error::Error;
use crate::memory::{self, Memory, Rows};
use crate::snapshot::{RowsThen, Snapshot};

/// An ordered store of bytes; clones share it.
///
/// Rows live in named keyspaces, ordered by the bytes of their keys. Reads see the latest committed
/// rows, or those of one instant through a [`Snapshot`]; writes are applied a [`Batch`] at a time.
///
/// In memory nothing waits for anything but short locks. On disk, everything but [`submit`](Self::submit) may wait for
/// the disk. The folder can be opened again once the last clone, keyspace and snapshot are gone: [`closing`](Self::closing) tells.
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
    /// Everything that was acknowledged is there, as far as its [`Durability`](crate::Durability) promised. A folder that something acknowledged
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

    /// Walks the latest rows from `first` on, forwards until `visit` breaks, which is to be soon: in memory nobody writes until then.
    pub(crate) fn visit_from(
        &self,
        keyspace: &Keyspace,
        first: Bound<&[u8]>,
        visit: impl FnMut(&Bytes, &Bytes) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let range = (first, Bound::Unbounded);
        match &self.store {
            Store::Memory(_) => keyspace.in_memory()?.visit(range, visit),
            Store::Disk(_) => self.snapshot_of(keyspace)?.visit(keyspace, range, Direction::Forward, visit),
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
        Snapshot::of(rows)
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
        Ok(Snapshot::of(rows))
    }

    /// Several keyspaces as they are at one instant; the others need have no rows in this snapshot.
    ///
    /// # Errors
    /// [`Error::KeyspaceDropped`].
    pub fn snapshot_of_each(&self, keyspaces: &[&Keyspace]) -> Result<Snapshot, Error> {
        let rows = match &self.store {
            Store::Memory(_) => {
                let rows = keyspaces.iter().map(|keyspace| keyspace.in_memory());
                RowsThen::Memory(memory::view_of_each(rows.collect::<Result<_, _>>()?)?)
            }
            Store::Disk(disk) => {
                keyspaces.iter().try_for_each(|keyspace| keyspace.on_disk()?.check_not_dropped())?;
                RowsThen::Disk(disk.view())
            }
        };
        Ok(Snapshot::of(rows))
    }

    /// Applies a batch: all of it at one instant or nothing, visible and as durable as it asks for when this returns.
    ///
    /// # Errors
    /// [`Error::KeyEmpty`], [`Error::KeyTooLong`], [`Error::KeyspaceDropped`]; on disk also [`Error::DiskFull`],
    /// [`Error::Halted`] and [`Error::Io`]. Nothing was applied then, unless [`Error::outcome`] says otherwise.
    pub fn commit(&self, batch: Batch) -> Result<(), Error> {
        batch.check()?;
        match &self.store {
            Store::Memory(_) => memory::commit(batch.into_changes()),
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
            Store::Memory(_) => Ticket::ready(memory::commit(batch.into_changes())),
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

    /// Tells when the last clone and keyspace are gone and the folder can be opened again; at once in memory.
    #[must_use]
    pub fn closing(&self) -> Closing {
        match &self.store {
            Store::Memory(_) => Closing::of_memory(),
            Store::Disk(disk) => disk.closing(),
        }
    }

    /// Whether the store has failed in a way after which it takes no more writes until it is opened again: see
    /// [`Error::Halted`].
    #[must_use]
    pub fn is_halted(&self) -> bool {
        match &self.store {
            Store::Memory(_) => false,
            Store::Disk(disk) => disk.is_halted(),
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
