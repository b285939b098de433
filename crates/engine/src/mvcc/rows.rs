//! The three families, and what a rule asks them.

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use super::key::{EncodedKey, split, ts_of};
use super::lock::Lock;
use super::write::{Write, WriteKind};
use crate::disk::Group;
use crate::raw::Keys;
use crate::{Db, Direction, Error, Keyspace, Snapshot};

/// Where the rows lie.
#[derive(Debug, Clone)]
pub(super) struct Families {
    pub(super) values: Keyspace,
    pub(super) locks: Keyspace,
    pub(super) writes: Keyspace,
}

impl Families {
    pub(super) fn open(db: &Db, keys: Keys) -> Result<Self, Error> {
        let [values, locks, writes] = match keys {
            Keys::Plain => ["mvcc-default", "mvcc-lock", "mvcc-write"],
            Keys::Prefixed => ["mvcc2-default", "mvcc2-lock", "mvcc2-write"],
        };
        Ok(Self { values: db.keyspace(values)?, locks: db.keyspace(locks)?, writes: db.keyspace(writes)? })
    }

    /// All of them as they are now.
    pub(super) fn snapshot(&self, db: &Db) -> Result<Snapshot, Error> {
        db.snapshot_of_each(&[&self.values, &self.locks, &self.writes])
    }

    pub(super) const fn keyspace(&self, family: FamilyOf) -> &Keyspace {
        match family {
            FamilyOf::Locks => &self.locks,
            FamilyOf::Writes => &self.writes,
            FamilyOf::Values => &self.values,
        }
    }
}

/// One of the families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FamilyOf {
    Locks,
    Writes,
    Values,
}

impl FamilyOf {
    /// All of them one behind the other.
    pub(super) const fn next(self) -> Option<Self> {
        match self {
            Self::Locks => Some(Self::Writes),
            Self::Writes => Some(Self::Values),
            Self::Values => None,
        }
    }
}

/// Shown a row, says whether to go on.
pub(super) type Visit<'a> = &'a mut dyn FnMut(&Bytes, &Bytes) -> ControlFlow<()>;

/// Bounds of stored keys.
pub(super) type StoredRange<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// Rows as somebody sees them: those of an instant, or the latest for whoever writes.
pub(super) trait Rows {
    fn get(&mut self, keyspace: &Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error>;

    /// In ascending order.
    fn visit(&mut self, keyspace: &Keyspace, range: StoredRange<'_>, visit: Visit<'_>) -> Result<(), Error>;
}

impl Rows for &Snapshot {
    fn get(&mut self, keyspace: &Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error> {
        Snapshot::get(self, keyspace, key)
    }

    fn visit(&mut self, keyspace: &Keyspace, range: StoredRange<'_>, visit: Visit<'_>) -> Result<(), Error> {
        Snapshot::visit(self, keyspace, range, Direction::Forward, visit)
    }
}

impl Rows for &Db {
    fn get(&mut self, keyspace: &Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error> {
        Db::get(self, keyspace, key)
    }

    /// What a command looks for lies at the beginning, mostly: to find where the range ends would take as long.
    fn visit(&mut self, keyspace: &Keyspace, (first, last): StoredRange<'_>, visit: Visit<'_>) -> Result<(), Error> {
        self.visit_from(keyspace, first, |key, stored| match last {
            Bound::Included(last) if key > last => ControlFlow::Break(()),
            Bound::Excluded(last) if key >= last => ControlFlow::Break(()),
            _ => visit(key, stored),
        })
    }
}

impl Rows for Group {
    fn get(&mut self, keyspace: &Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error> {
        Self::get(self, keyspace, key)
    }

    fn visit(&mut self, keyspace: &Keyspace, range: StoredRange<'_>, visit: Visit<'_>) -> Result<(), Error> {
        Self::visit(self, keyspace, range, visit)
    }
}

/// What became of a transaction, as far as a key shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    Committed {
        commit_ts: u64,
    },
    RolledBack,
    /// Nothing shows; the version of another transaction may lie where its rollback would.
    Unknown {
        overlapped: Option<Write>,
    },
}

/// A value that readers see, and the version it is of.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) commit_ts: u64,
    pub(super) write: Write,
}

/// Asks rows.
pub(super) struct Reader<'a> {
    rows: &'a mut dyn Rows,
    families: &'a Families,
}

impl<'a> Reader<'a> {
    pub(super) fn new(rows: &'a mut dyn Rows, families: &'a Families) -> Self {
        Self { rows, families }
    }

    pub(super) fn lock(&mut self, key: &EncodedKey) -> Result<Option<Lock>, Error> {
        if !key.is_storable() {
            return Ok(None);
        }
        self.rows.get(&self.families.locks, key.bytes())?.map(decode_lock).transpose()
    }

    /// The locks of a range of keys, in order, until `visit` breaks.
    pub(super) fn locks(
        &mut self,
        range: StoredRange<'_>,
        mut visit: impl FnMut(EncodedKey, Lock) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut damage = None;
        self.rows.visit(&self.families.locks, range, &mut |key, stored| match decode_lock(stored.clone()) {
            Ok(lock) => visit(EncodedKey::stored(key.clone()), lock),
            Err(error) => {
                damage = Some(error);
                ControlFlow::Break(())
            }
        })?;
        damage.map_or(Ok(()), Err)
    }

    /// The versions of a key, from the latest that is not later than `ts` on, until `visit` breaks.
    pub(super) fn versions(
        &mut self,
        key: &EncodedKey,
        ts: u64,
        visit: impl FnMut(u64, Write) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.versions_by(key, ts, |stored| Write::decode(stored.clone()), visit)
    }

    /// The same without the values.
    pub(super) fn versions_without_values(
        &mut self,
        key: &EncodedKey,
        ts: u64,
        visit: impl FnMut(u64, Write) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.versions_by(key, ts, |stored| Write::decode_head(stored), visit)
    }

    fn versions_by(
        &mut self,
        key: &EncodedKey,
        ts: u64,
        decode: impl Fn(&Bytes) -> Option<Write>,
        mut visit: impl FnMut(u64, Write) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        if !key.is_storable() {
            return Ok(());
        }
        let (first, last) = (key.lookup_at(ts), key.lookup_at(0));
        let mut damage = None;
        let range = (Bound::Included(&first[..]), Bound::Included(&last[..]));
        self.rows.visit(&self.families.writes, range, &mut |stored_key, stored| match (
            ts_of(stored_key, key),
            decode(stored),
        ) {
            (Some(commit_ts), Some(write)) => visit(commit_ts, write),
            _ => {
                damage = Some(DAMAGED_VERSION);
                ControlFlow::Break(())
            }
        })?;
        damage.map_or(Ok(()), Err)
    }

    /// When the latest version of a key was committed. The version itself, which lies elsewhere, is not looked at.
    pub(super) fn newest_commit_ts(&mut self, key: &EncodedKey) -> Result<Option<u64>, Error> {
        if !key.is_storable() {
            return Ok(None);
        }
        let (first, last) = (key.lookup_at(u64::MAX), key.lookup_at(0));
        let mut newest = None;
        let range = (Bound::Included(&first[..]), Bound::Included(&last[..]));
        self.rows.visit(&self.families.writes, range, &mut |stored_key, _| {
            newest = Some(ts_of(stored_key, key));
            ControlFlow::Break(())
        })?;
        newest.map(|commit_ts| commit_ts.ok_or(DAMAGED_VERSION)).transpose()
    }

    /// The version of a key that was committed at that timestamp.
    pub(super) fn version_at(&mut self, key: &EncodedKey, commit_ts: u64) -> Result<Option<Write>, Error> {
        self.rows.get(&self.families.writes, &key.lookup_at(commit_ts))?.map(decode_write).transpose()
    }

    /// The latest version of a key that is not later than `ts`, whatever it did.
    pub(super) fn newest(&mut self, key: &EncodedKey, ts: u64) -> Result<Option<Version>, Error> {
        self.newest_where(key, ts, |_| true)
    }

    /// The latest version of a key that is not later than `ts` and that readers see.
    pub(super) fn newest_data(&mut self, key: &EncodedKey, ts: u64) -> Result<Option<Version>, Error> {
        self.newest_where(key, ts, |write| write.kind.is_data())
    }

    pub(super) fn newest_where(
        &mut self,
        key: &EncodedKey,
        ts: u64,
        is_wanted: impl Fn(&Write) -> bool,
    ) -> Result<Option<Version>, Error> {
        let mut newest = None;
        self.versions(key, ts, |commit_ts, write| {
            if !is_wanted(&write) {
                return ControlFlow::Continue(());
            }
            newest = Some(Version { commit_ts, write });
            ControlFlow::Break(())
        })?;
        Ok(newest)
    }

    /// The value of a version that has one.
    pub(super) fn value_of(&mut self, key: &EncodedKey, write: &Write) -> Result<Bytes, Error> {
        self.value(key, write.short_value.as_ref(), write.start_ts)
    }

    /// The value that a lock is about to write.
    pub(super) fn value_of_lock(&mut self, key: &EncodedKey, lock: &Lock) -> Result<Bytes, Error> {
        self.value(key, lock.short_value.as_ref(), lock.start_ts)
    }

    fn value(&mut self, key: &EncodedKey, short: Option<&Bytes>, start_ts: u64) -> Result<Bytes, Error> {
        match short {
            Some(value) => Ok(value.clone()),
            None => self.rows.get(&self.families.values, &key.lookup_at(start_ts))?.ok_or(MISSING_VALUE),
        }
    }

    /// What became of the transaction that started at `start_ts`, as far as the key shows.
    pub(super) fn fate(&mut self, key: &EncodedKey, start_ts: u64) -> Result<Fate, Error> {
        let mut fate = Fate::Unknown { overlapped: None };
        // What it did to the key lies at its commit or, rolled back, at its start: not before that.
        self.versions(key, u64::MAX, |commit_ts, write| {
            if commit_ts < start_ts {
                return ControlFlow::Break(());
            }
            if write.start_ts == start_ts {
                let is_rollback = write.kind == WriteKind::Rollback;
                fate = if is_rollback { Fate::RolledBack } else { Fate::Committed { commit_ts } };
                return ControlFlow::Break(());
            }
            if commit_ts == start_ts {
                let is_rolled_back = write.has_overlapped_rollback;
                fate = if is_rolled_back { Fate::RolledBack } else { Fate::Unknown { overlapped: Some(write) } };
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        Ok(fate)
    }

    /// The rows of values of a key, the latest first, until `visit` breaks.
    pub(super) fn values(
        &mut self,
        key: &EncodedKey,
        mut visit: impl FnMut(u64, &Bytes) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        if !key.is_storable() {
            return Ok(());
        }
        let (first, last) = (key.lookup_at(u64::MAX), key.lookup_at(0));
        let range = (Bound::Included(&first[..]), Bound::Included(&last[..]));
        self.rows.visit(&self.families.values, range, &mut |stored_key, value| {
            ts_of(stored_key, key).map_or(ControlFlow::Continue(()), |start_ts| visit(start_ts, value))
        })
    }

    /// The stored keys of a family in a range, until `visit` breaks.
    pub(super) fn rows_of(
        &mut self,
        family: FamilyOf,
        range: StoredRange<'_>,
        mut visit: impl FnMut(&Bytes) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.rows.visit(self.families.keyspace(family), range, &mut |key, _| visit(key))
    }

    /// All stored versions of a range, in the order they lie in.
    pub(super) fn all_versions(
        &mut self,
        range: StoredRange<'_>,
        mut visit: impl FnMut(EncodedKey, u64, Write) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut damage = None;
        self.rows.visit(&self.families.writes, range, &mut |stored_key, stored| match (
            split(stored_key),
            decode_write(stored.clone()),
        ) {
            (Ok((key, commit_ts)), Ok(write)) => visit(key, commit_ts, write),
            (Err(error), _) | (_, Err(error)) => {
                damage = Some(error);
                ControlFlow::Break(())
            }
        })?;
        damage.map_or(Ok(()), Err)
    }
}

const DAMAGED_VERSION: Error = Error::Corrupt { what: "version of a key" };
const MISSING_VALUE: Error = Error::Corrupt { what: "version of a key, whose value is missing," };

pub(super) fn decode_lock(stored: Bytes) -> Result<Lock, Error> {
    Lock::decode(stored).ok_or(Error::Corrupt { what: "lock" })
}

pub(super) fn decode_write(stored: Bytes) -> Result<Write, Error> {
    Write::decode(stored).ok_or(DAMAGED_VERSION)
}
