//! The changes of a group on their way to the journal, and the rows as they will be after them.

use std::collections::{BTreeSet, HashMap};
use std::mem;
use std::ops::{Bound, RangeBounds};

use bytes::Bytes;

use crate::batch::{Batch, Change};
use crate::db::Keyspace;
use crate::snapshot::KeysInRange;
use crate::{Durability, Error};

/// What is done when a group is not committed.
pub(crate) type Undo = Box<dyn FnOnce() + Send>;

/// A group that is being put together.
pub(crate) struct Group {
    changes: Vec<Change>,
    /// The most that any of its batches asks for.
    durability: Durability,
    /// What a batch asks for that says nothing.
    default: Durability,
    byte_count: usize,
    /// How many of the changes are in `latest`; they are put there when somebody reads, which most writes do not.
    indexed: usize,
    /// For each keyspace, where the latest change of a key is.
    latest: HashMap<u64, HashMap<Bytes, usize>>,
    undo: Vec<Undo>,
}

impl Group {
    pub(super) fn new(default: Durability) -> Self {
        Self {
            changes: Vec::new(),
            durability: Durability::Memory,
            default,
            byte_count: 0,
            indexed: 0,
            latest: HashMap::new(),
            undo: Vec::new(),
        }
    }

    /// Has that done if the group is not committed: what is known in memory of its changes is put right again.
    pub(crate) fn on_failure(&mut self, undo: Undo) {
        self.undo.push(undo);
    }

    /// The value of a key as the changes so far leave it.
    pub(crate) fn get(&mut self, keyspace: &Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error> {
        let rows = keyspace.on_disk()?;
        self.index()?;
        let changed = self.latest.get(&rows.id()).and_then(|keys| keys.get(key));
        match changed.and_then(|at| self.changes.get(*at)) {
            Some(change) => Ok(change.value.clone()),
            None => rows.get_as_leader(key),
        }
    }

    /// The keys of a range, ascending, as the changes so far leave them: to the end of the range, or to the last of so many
    /// that were there before. The bounds are in the right order, and no longer than a key may be.
    pub(crate) fn keys_in(
        &mut self,
        keyspace: &Keyspace,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        most_before: usize,
    ) -> Result<KeysInRange, Error> {
        let rows = keyspace.on_disk()?;
        self.index()?;
        let before = rows.keys_as_leader(range, most_before)?;
        let more_behind = (before.len() == most_before).then(|| before.last().cloned()).flatten();
        let seen = (range.0, more_behind.as_deref().map_or(range.1, Bound::Included));
        let mut keys: BTreeSet<Bytes> = before.into_iter().collect();
        for (key, at) in self.latest.get(&rows.id()).into_iter().flatten() {
            if !RangeBounds::<[u8]>::contains(&seen, &key[..]) {
                continue;
            }
            if self.changes.get(*at).is_some_and(|change| change.value.is_some()) {
                keys.insert(key.clone());
            } else {
                keys.remove(key);
            }
        }
        Ok(KeysInRange { keys: keys.into_iter().collect(), more_behind })
    }

    /// Adds the changes of a batch: all of them or, when one of them cannot be made, none.
    pub(crate) fn add(&mut self, batch: Batch) -> Result<(), Error> {
        let durability = batch.durability().unwrap_or(self.default);
        let changes = batch.into_changes();
        changes.iter().try_for_each(|change| change.keyspace.on_disk()?.check_not_dropped())?;
        self.byte_count += changes.iter().map(Change::byte_count).sum::<usize>();
        self.durability = self.durability.max(durability);
        self.changes.extend(changes);
        Ok(())
    }

    /// What it takes in the journal, in bytes.
    pub(super) const fn byte_count(&self) -> usize {
        self.byte_count
    }

    pub(super) const fn durability(&self) -> Durability {
        self.durability
    }

    /// What is to be done if it is not committed, the first last.
    pub(super) fn take_undo(&mut self) -> impl Iterator<Item = Undo> + use<> {
        mem::take(&mut self.undo).into_iter().rev()
    }

    pub(super) fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    fn index(&mut self) -> Result<(), Error> {
        for (at, change) in self.changes.iter().enumerate().skip(self.indexed) {
            let keys = self.latest.entry(change.keyspace.on_disk()?.id()).or_default();
            keys.insert(change.key.clone(), at);
        }
        self.indexed = self.changes.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Bound;

    use crate::snapshot::KeysInRange;
    use crate::{Batch, Db, DiskOptions, Durability, Keyspace};

    fn changes(rows: &Keyspace, put: &[&'static str], deleted: &[&'static str]) -> Batch {
        let mut batch = Batch::new();
        batch.set_durability(Durability::Memory);
        put.iter().for_each(|key| batch.put(rows, (*key).into(), "value".into()));
        deleted.iter().for_each(|key| batch.delete(rows, (*key).into()));
        batch
    }

    #[test]
    fn the_keys_of_a_range_are_those_that_the_changes_so_far_leave() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path(), DiskOptions::default()).unwrap();
        let rows = db.keyspace("rows").unwrap();
        db.commit(changes(&rows, &["b", "d", "f", "h"], &[])).unwrap();
        let found = db.disk().unwrap().run(move |group| {
            group.add(changes(&rows, &["a", "c", "e", "g", "h"], &["b", "d"]))?;
            let range = (Bound::Excluded(&b"a"[..]), Bound::Excluded(&b"h"[..]));
            Ok([2, 3, 9].map(|most_before| group.keys_in(&rows, range, most_before)))
        });
        let expected: [(Vec<&str>, _); 3] =
            [(vec!["c"], Some("d")), (vec!["c", "e", "f"], Some("f")), (vec!["c", "e", "f", "g"], None)];
        for (found, (keys, behind)) in found.unwrap().into_iter().zip(expected) {
            let KeysInRange { keys: found, more_behind } = found.unwrap();
            assert_eq!(found, keys);
            assert_eq!(more_behind.as_deref(), behind.map(str::as_bytes));
        }
    }
}
