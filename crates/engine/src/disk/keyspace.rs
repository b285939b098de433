//! The keyspaces of a store on disk, and handles to them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use fjall::{Database, KeyspaceCreateOptions};
use parking_lot::RwLock;

use super::errors::fjall_error;
use super::folder::Folder;
use crate::Error;

/// Not dropped.
const NEVER: u64 = u64::MAX;

/// One keyspace; the row files go when it was dropped and nobody has it any more.
pub(crate) struct DiskKeyspace {
    handle: fjall::Keyspace,
    name: String,
    /// After which change of the set of keyspaces it is there.
    made: u64,
    /// After which change it is not there any more.
    dropped: AtomicU64,
    /// Held as long as fjall holds its own lock in it, which the handle does.
    _folder: Arc<Folder>,
}

impl DiskKeyspace {
    /// No other keyspace of the store has this number, or ever had since it was opened.
    pub(super) fn id(&self) -> u64 {
        self.handle.id()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn handle(&self) -> &fjall::Keyspace {
        &self.handle
    }

    /// Whether it was there after so many changes of the set.
    pub(super) fn was_there(&self, changes: u64) -> Presence {
        if self.made > changes {
            Presence::ToCome
        } else if self.dropped.load(Ordering::Acquire) <= changes {
            Presence::Dropped
        } else {
            Presence::There
        }
    }

    pub(crate) fn check_not_dropped(&self) -> Result<(), Error> {
        if self.dropped.load(Ordering::Acquire) == NEVER { Ok(()) } else { Err(self.dropped()) }
    }

    pub(super) fn dropped(&self) -> Error {
        Error::KeyspaceDropped { name: self.name.clone() }
    }

    /// The latest value of a key, for whoever keeps all others from writing.
    pub(super) fn get_as_leader(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        let found = self.handle.get(key).map_err(|error| self.read_error(error))?;
        Ok(found.map(Bytes::from))
    }

    /// The first keys of a range, at most so many, for whoever keeps all others from writing.
    pub(super) fn keys_as_leader(&self, range: (Bound<&[u8]>, Bound<&[u8]>), most: usize) -> Result<Vec<Bytes>, Error> {
        let rows = self.handle.range::<&[u8], _>(range).take(most);
        rows.map(|row| row.key().map(Bytes::from).map_err(|error| self.read_error(error))).collect()
    }

    /// The rows of a range, for whoever keeps all others from writing.
    pub(super) fn rows_as_leader<'a>(
        &'a self,
        range: (Bound<&'a [u8]>, Bound<&'a [u8]>),
    ) -> impl Iterator<Item = Result<(Bytes, Bytes), Error>> + use<'a> {
        let rows = self.handle.range::<&[u8], _>(range);
        rows.map(|row| {
            let (key, value) = row.into_inner().map_err(|error| self.read_error(error))?;
            Ok((Bytes::from(key), Bytes::from(value)))
        })
    }

    pub(super) fn read_error(&self, error: fjall::Error) -> Error {
        fjall_error("reading", self.handle.path(), error)
    }
}

impl fmt::Debug for DiskKeyspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskKeyspace").field("id", &self.id()).field("name", &self.name).finish_non_exhaustive()
    }
}

/// Whether a keyspace was there at some instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    ToCome,
    There,
    Dropped,
}

/// All keyspaces that are there.
pub(super) struct Keyspaces {
    by_name: RwLock<BTreeMap<String, Arc<DiskKeyspace>>>,
    /// How often the set was changed.
    changes: AtomicU64,
    folder: Arc<Folder>,
}

impl Keyspaces {
    /// Those that a store has when it is opened.
    pub(super) fn load(db: &Database, folder: &Arc<Folder>) -> Result<Self, Error> {
        let keyspaces = Self { by_name: RwLock::default(), changes: AtomicU64::new(0), folder: Arc::clone(folder) };
        for name in db.list_keyspace_names() {
            let opened = db.keyspace(&name, KeyspaceCreateOptions::default);
            let handle = opened.map_err(|error| fjall_error("opening a keyspace of", &folder.rows(), error))?;
            keyspaces.put(&name, handle, 0);
        }
        Ok(keyspaces)
    }

    pub(super) fn get(&self, name: &str) -> Option<Arc<DiskKeyspace>> {
        self.by_name.read().get(name).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<DiskKeyspace>> {
        self.by_name.read().values().cloned().collect()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.by_name.read().keys().cloned().collect()
    }

    /// Bytes of all table files.
    pub(super) fn disk_bytes(&self) -> u64 {
        self.by_name.read().values().map(|keyspace| keyspace.handle.disk_space()).sum()
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Takes in a keyspace that was made.
    pub(super) fn insert(&self, name: &str, handle: fjall::Keyspace) -> Arc<DiskKeyspace> {
        let made = self.changes.fetch_add(1, Ordering::AcqRel) + 1;
        self.put(name, handle, made)
    }

    /// Takes out a keyspace that was dropped.
    pub(super) fn remove(&self, keyspace: &DiskKeyspace) {
        let dropped = self.changes.fetch_add(1, Ordering::AcqRel) + 1;
        keyspace.dropped.store(dropped, Ordering::Release);
        self.by_name.write().remove(&keyspace.name);
    }

    fn put(&self, name: &str, handle: fjall::Keyspace, made: u64) -> Arc<DiskKeyspace> {
        let keyspace = Arc::new(DiskKeyspace {
            handle,
            name: name.to_owned(),
            made,
            dropped: AtomicU64::new(NEVER),
            _folder: Arc::clone(&self.folder),
        });
        self.by_name.write().insert(name.to_owned(), Arc::clone(&keyspace));
        keyspace
    }
}
