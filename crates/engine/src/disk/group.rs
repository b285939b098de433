//! The changes of a group on their way to the journal, and the rows as they will be after them.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use crate::batch::{Batch, Change};
use crate::db::Keyspace;
use crate::snapshot::{KeysInRange, is_empty};
use crate::{Durability, Error};

use super::view::{lower, upper};

/// What is done when a group is not committed.
pub(crate) type Undo = Box<dyn FnOnce() + Send>;

/// What is dropped when a group is over.
pub(crate) type Held = Box<dyn Any + Send>;

/// A group that is being put together.
pub(crate) struct Group {
    changes: Vec<Change>,
    /// The most that any of its batches asks for.
    durability: Durability,
    /// What a batch asks for that says nothing.
    default: Durability,
    byte_count: usize,
    /// Whether any of its batches takes space that must be left alone when there is little.
    grows: bool,
    /// How many of the changes are in `latest`; they are put there when somebody reads, which most writes do not.
    indexed: usize,
    /// For each keyspace, where the latest change of a key is.
    latest: HashMap<u64, BTreeMap<Bytes, usize>>,
    undo: Vec<Undo>,
    held: Vec<Held>,
}

impl Group {
    pub(super) fn new(default: Durability) -> Self {
        Self {
            changes: Vec::new(),
            durability: Durability::Memory,
            default,
            byte_count: 0,
            grows: false,
            indexed: 0,
            latest: HashMap::new(),
            undo: Vec::new(),
            held: Vec::new(),
        }
    }

    /// Keeps that until the group is committed and shows, or never will.
    pub(crate) fn hold(&mut self, held: Held) {
        self.held.push(held);
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
        for (key, at) in self.changed(rows.id(), seen) {
            if self.changes.get(at).is_some_and(|change| change.value.is_some()) {
                keys.insert(key.clone());
            } else {
                keys.remove(key);
            }
        }
        Ok(KeysInRange { keys: keys.into_iter().collect(), more_behind })
    }

    /// The rows of a range, ascending, as the changes so far leave them, until `visit` breaks. Bounds in the wrong order hold no
    /// rows, and bounds may be of any length.
    pub(crate) fn visit(
        &mut self,
        keyspace: &Keyspace,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        visit: &mut dyn FnMut(&Bytes, &Bytes) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let rows = keyspace.on_disk()?;
        let range = (lower(range.0), upper(range.1));
        if is_empty(range) {
            return Ok(());
        }
        self.index()?;
        let mut changed = self.changed(rows.id(), range).peekable();
        let mut before = rows.rows_as_leader(range);
        let mut next = before.next().transpose()?;
        loop {
            let takes_change = match (&next, changed.peek()) {
                (Some((key, _)), Some((changed, _))) => *changed <= key,
                (next, _) => next.is_none(),
            };
            if !takes_change {
                let Some((key, value)) = &next else { return Ok(()) };
                if visit(key, value).is_break() {
                    return Ok(());
                }
                next = before.next().transpose()?;
                continue;
            }
            let Some((key, at)) = changed.next() else { return Ok(()) };
            if next.as_ref().is_some_and(|(replaced, _)| replaced == key) {
                next = before.next().transpose()?;
            }
            let value = self.changes.get(at).and_then(|change| change.value.as_ref());
            if value.is_some_and(|value| visit(key, value).is_break()) {
                return Ok(());
            }
        }
    }

    /// Adds the changes of a batch: all of them or, when one of them cannot be made, none.
    pub(crate) fn add(&mut self, batch: Batch) -> Result<(), Error> {
        let durability = batch.durability().unwrap_or(self.default);
        let grows = batch.grows();
        let changes = batch.into_changes();
        changes.iter().try_for_each(|change| change.keyspace.on_disk()?.check_not_dropped())?;
        self.byte_count += changes.iter().map(Change::byte_count).sum::<usize>();
        self.durability = self.durability.max(durability);
        self.grows |= grows;
        self.changes.extend(changes);
        Ok(())
    }

    /// What it takes in the journal, in bytes.
    pub(super) const fn byte_count(&self) -> usize {
        self.byte_count
    }

    pub(super) const fn grows(&self) -> bool {
        self.grows
    }

    pub(super) const fn durability(&self) -> Durability {
        self.durability
    }

    /// What is to be done if it is not committed, the first last.
    pub(super) fn take_undo(&mut self) -> impl Iterator<Item = Undo> + use<> {
        mem::take(&mut self.undo).into_iter().rev()
    }

    /// What is to be kept until it is over.
    pub(super) fn take_held(&mut self) -> Vec<Held> {
        mem::take(&mut self.held)
    }

    pub(super) fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    /// The keys of a range that are changed, ascending, and which change is the latest.
    fn changed(&self, rows: u64, range: (Bound<&[u8]>, Bound<&[u8]>)) -> impl Iterator<Item = (&Bytes, usize)> {
        let keys = self.latest.get(&rows);
        keys.into_iter().flat_map(move |keys| keys.range::<[u8], _>(range)).map(|(key, at)| (key, *at))
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
    use std::ops::{Bound, ControlFlow};

    use crate::snapshot::KeysInRange;
    use crate::{Batch, Db, DiskOptions, Durability, Error, Keyspace};

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

    type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

    #[test]
    fn the_rows_of_a_range_are_those_that_the_changes_so_far_leave() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path(), DiskOptions::default()).unwrap();
        let rows = db.keyspace("rows").unwrap();
        db.commit(changes(&rows, &["b", "d", "f", "h"], &[])).unwrap();
        let found = db.disk().unwrap().run(move |group| {
            group.add(changes(&rows, &["a", "c", "e", "f", "i"], &["b", "d"]))?;
            let long = [b'x'; 70_000];
            let ranges: [Bounds<'_>; 4] = [
                (Bound::Unbounded, Bound::Unbounded),
                (Bound::Excluded(b"a"), Bound::Included(b"f")),
                (Bound::Included(b"f"), Bound::Excluded(b"b")),
                (Bound::Included(b"g"), Bound::Excluded(&long)),
            ];
            let mut found = Vec::new();
            for range in ranges {
                let mut keys = String::new();
                group.visit(&rows, range, &mut |key, _| {
                    keys.push_str(&String::from_utf8_lossy(key));
                    if keys.len() < 6 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                })?;
                found.push(keys);
            }
            Ok(found)
        });
        assert_eq!(found.unwrap(), ["acefhi", "cef", "", "hi"]);
    }

    #[test]
    fn what_a_group_holds_is_dropped_when_it_never_will_show() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path(), DiskOptions::default()).unwrap();
        let rows = db.keyspace("rows").unwrap();
        let held = std::sync::Arc::new(());
        let work = |held| {
            let rows = rows.clone();
            move |group: &mut super::Group| {
                group.add(changes(&rows, &["a"], &[]))?;
                group.hold(Box::new(held));
                Ok(())
            }
        };
        let disk = db.disk().unwrap();
        disk.pretend_full(true);
        assert!(matches!(disk.submit(work(held.clone())).wait(), Err(Error::DiskFull { .. })));
        assert!(matches!(disk.run(work(held.clone())), Err(Error::DiskFull { .. })));
        assert_eq!(std::sync::Arc::strong_count(&held), 1);
    }

    #[test]
    fn what_a_group_holds_is_dropped_when_it_shows() {
        struct OnDrop(std::sync::mpsc::Sender<Option<bytes::Bytes>>, Db, Keyspace);
        impl Drop for OnDrop {
            fn drop(&mut self) {
                let _ = self.0.send(self.1.get(&self.2, b"a").unwrap());
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path(), DiskOptions::default()).unwrap();
        let rows = db.keyspace("rows").unwrap();
        let (sender, dropped) = std::sync::mpsc::channel();
        let held = OnDrop(sender, db.clone(), rows.clone());
        let work = move |group: &mut super::Group| {
            group.add(changes(&rows, &["a"], &[]))?;
            group.hold(Box::new(held));
            Ok(())
        };
        db.disk().unwrap().submit(work).wait().unwrap();
        assert!(dropped.recv().unwrap().is_some());
    }
}
