//! The store that keeps its rows in memory: one persistent ordered map per keyspace.
//!
//! A snapshot is a clone of those maps, which shares everything with them; the next write into a
//! shared map copies the path it changes. Locks are taken per keyspace, and several of them only in
//! the order of their ids.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use imbl::OrdMap;
use parking_lot::{RwLock, RwLockWriteGuard};
use smallvec::SmallVec;

use crate::batch::Change;
use crate::db::Direction;
use crate::error::Error;

type Map = OrdMap<Bytes, Bytes>;

/// Ids are unique over all stores of the process, so that a handle of one store means nothing to
/// another.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

#[derive(Default)]
pub(crate) struct Memory {
    keyspaces: RwLock<BTreeMap<String, Arc<Rows>>>,
}

/// The rows of one keyspace; `None` once it was dropped.
pub(crate) struct Rows {
    id: u64,
    name: String,
    map: RwLock<Option<Map>>,
}

/// A view of some keyspaces at one instant, in the order of their ids.
#[derive(Clone, Default)]
pub(crate) struct View {
    maps: SmallVec<[(u64, Map); 1]>,
}

impl Memory {
    pub(crate) fn keyspace(&self, name: &str) -> Arc<Rows> {
        if let Some(rows) = self.keyspaces.read().get(name) {
            return Arc::clone(rows);
        }
        let mut keyspaces = self.keyspaces.write();
        let rows = keyspaces.entry(name.to_owned()).or_insert_with(|| Arc::new(Rows::new(name)));
        Arc::clone(rows)
    }

    pub(crate) fn drop_keyspace(&self, name: &str) {
        let removed = self.keyspaces.write().remove(name);
        // The rows are freed after the lock of the registry is given back: millions of them take a
        // while.
        let freed = removed.and_then(|rows| rows.map.write().take());
        drop(freed);
    }

    pub(crate) fn keyspace_names(&self) -> Vec<String> {
        self.keyspaces.read().keys().cloned().collect()
    }

    /// All keyspaces at one instant: every map is locked for reading before the first is cloned.
    pub(crate) fn view(&self) -> View {
        let keyspaces = self.keyspaces.read();
        let mut all: Vec<&Arc<Rows>> = keyspaces.values().collect();
        all.sort_unstable_by_key(|rows| rows.id);
        let locked: Vec<_> = all.iter().map(|rows| (rows.id, rows.map.read())).collect();
        let maps = locked.iter().filter_map(|(id, map)| Some((*id, Map::clone(map.as_ref()?)))).collect();
        View { maps }
    }
}

impl Rows {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        match &*self.map.read() {
            Some(map) => Ok(map.get(key).cloned()),
            None => Err(self.dropped()),
        }
    }

    /// The values of several keys at one instant, in the order of the keys.
    pub(crate) fn get_many<K: AsRef<[u8]>>(&self, keys: &[K]) -> Result<Vec<Option<Bytes>>, Error> {
        match &*self.map.read() {
            Some(map) => Ok(keys.iter().map(|key| map.get(key.as_ref()).cloned()).collect()),
            None => Err(self.dropped()),
        }
    }

    /// Walks rows as they are, forwards until `visit` breaks. Whoever writes waits for that, and in turn need not copy what it changes.
    pub(crate) fn visit(
        &self,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        mut visit: impl FnMut(&Bytes, &Bytes) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        match &*self.map.read() {
            Some(map) => {
                let _ = map.range::<_, [u8]>(range).try_for_each(|(key, value)| visit(key, value));
                Ok(())
            }
            None => Err(self.dropped()),
        }
    }

    pub(crate) fn view(&self) -> Result<View, Error> {
        let map = self.map.read().clone().ok_or_else(|| self.dropped())?;
        Ok(View { maps: SmallVec::from_iter([(self.id, map)]) })
    }

    fn new(name: &str) -> Self {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Self { id, name: name.to_owned(), map: RwLock::new(Some(Map::new())) }
    }

    fn dropped(&self) -> Error {
        Error::KeyspaceDropped { name: self.name.clone() }
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

impl View {
    pub(crate) fn get(&self, rows: &Rows, key: &[u8]) -> Result<Option<Bytes>, Error> {
        Ok(self.map(rows)?.and_then(|map| map.get(key).cloned()))
    }

    pub(crate) fn visit(
        &self,
        rows: &Rows,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        mut visit: impl FnMut(&Bytes, &Bytes) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let Some(map) = self.map(rows)? else {
            return Ok(());
        };
        let mut found = map.range::<_, [u8]>(range);
        let _ = match direction {
            Direction::Forward => found.try_for_each(|(key, value)| visit(key, value)),
            Direction::Backward => found.rev().try_for_each(|(key, value)| visit(key, value)),
        };
        Ok(())
    }

    pub(crate) fn check_was_there(&self, rows: &Rows) -> Result<(), Error> {
        self.map(rows).map(|_| ())
    }

    /// `None` is a keyspace that did not exist yet at the instant of the view, which therefore had
    /// no rows.
    fn map(&self, rows: &Rows) -> Result<Option<&Map>, Error> {
        match self.maps.binary_search_by_key(&rows.id, |(id, _)| *id) {
            Ok(at) => Ok(self.maps.get(at).map(|(_, map)| map)),
            Err(_) if rows.map.read().is_none() => Err(rows.dropped()),
            Err(_) => Ok(None),
        }
    }
}

/// Some keyspaces at one instant: each map is locked for reading before the first is cloned.
pub(crate) fn view_of_each(mut keyspaces: SmallVec<[&Arc<Rows>; 4]>) -> Result<View, Error> {
    keyspaces.sort_unstable_by_key(|rows| rows.id);
    keyspaces.dedup_by_key(|rows| rows.id);
    let locked: SmallVec<[_; 4]> = keyspaces.iter().map(|rows| (rows, rows.map.read())).collect();
    let maps = locked.iter().map(|(rows, map)| Ok((rows.id, map.as_ref().ok_or_else(|| rows.dropped())?.clone())));
    Ok(View { maps: maps.collect::<Result<_, _>>()? })
}

/// Applies the changes in order, all of them or, when a keyspace was dropped, none.
pub(crate) fn commit(changes: SmallVec<[Change; 1]>) -> Result<(), Error> {
    let Some(first) = changes.first() else {
        return Ok(());
    };
    let first = Arc::clone(first.keyspace.in_memory()?);
    for change in &changes {
        if change.keyspace.in_memory()?.id != first.id {
            return commit_over_several(changes);
        }
    }
    let mut locked = first.map.write();
    let map = locked.as_mut().ok_or_else(|| first.dropped())?;
    changes.into_iter().for_each(|change| apply(map, change.key, change.value));
    Ok(())
}

fn commit_over_several(changes: SmallVec<[Change; 1]>) -> Result<(), Error> {
    let touched = changes.iter().map(|change| change.keyspace.in_memory().map(|rows| (rows.id, Arc::clone(rows))));
    let touched: BTreeMap<u64, Arc<Rows>> = touched.collect::<Result<_, _>>()?;
    let mut locked: BTreeMap<u64, RwLockWriteGuard<'_, Option<Map>>> =
        touched.iter().map(|(id, rows)| (*id, rows.map.write())).collect();
    if let Some((rows, _)) = touched.values().zip(locked.values()).find(|(_, map)| map.is_none()) {
        return Err(rows.dropped());
    }
    for change in changes {
        if let Some(map) = locked.get_mut(&change.keyspace.in_memory()?.id).and_then(|map| map.as_mut()) {
            apply(map, change.key, change.value);
        }
    }
    Ok(())
}

fn apply(map: &mut Map, key: Bytes, value: Option<Bytes>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove::<[u8]>(&key),
    };
}
