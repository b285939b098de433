//! The rows of a store on disk at one instant.

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;
use fjall::Readable;

use super::keyspace::{DiskKeyspace, Presence};
use crate::{Direction, Error, MAX_KEY_BYTES};

/// All keyspaces at one instant.
#[derive(Clone)]
pub(crate) struct DiskView {
    pub(super) snapshot: fjall::Snapshot,
    /// How often the set of keyspaces had been changed.
    pub(super) changes: u64,
}

impl DiskView {
    pub(crate) fn get(&self, keyspace: &DiskKeyspace, key: &[u8]) -> Result<Option<Bytes>, Error> {
        if !self.has(keyspace)? {
            return Ok(None);
        }
        let found = self.snapshot.get(keyspace.handle(), key).map_err(|error| keyspace.read_error(error))?;
        Ok(found.map(Bytes::from))
    }

    pub(crate) fn visit(
        &self,
        keyspace: &DiskKeyspace,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        mut visit: impl FnMut(&Bytes, &Bytes) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        if !self.has(keyspace)? {
            return Ok(());
        }
        let mut rows = self.snapshot.range::<&[u8], _>(keyspace.handle(), (lower(range.0), upper(range.1)));
        let mut next = || match direction {
            Direction::Forward => rows.next(),
            Direction::Backward => rows.next_back(),
        };
        while let Some(row) = next() {
            let (key, value) = row.into_inner().map_err(|error| keyspace.read_error(error))?;
            if visit(&Bytes::from(key), &Bytes::from(value)).is_break() {
                break;
            }
        }
        Ok(())
    }

    pub(crate) fn check_was_there(&self, keyspace: &DiskKeyspace) -> Result<(), Error> {
        self.has(keyspace).map(|_| ())
    }

    fn has(&self, keyspace: &DiskKeyspace) -> Result<bool, Error> {
        match keyspace.was_there(self.changes) {
            Presence::There => Ok(true),
            Presence::ToCome => Ok(false),
            Presence::Dropped => Err(keyspace.dropped()),
        }
    }
}

/// The same bound in a key that fjall takes, which panics at longer ones. No row has a longer key, so that behind one that
/// is too long are exactly the rows behind its longest possible beginning.
pub(super) fn lower(bound: Bound<&[u8]>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) if key.len() > MAX_KEY_BYTES => {
            Bound::Excluded(&key[..MAX_KEY_BYTES])
        }
        bound => bound,
    }
}

/// As [`lower`]: that beginning itself lies before the bound.
pub(super) fn upper(bound: Bound<&[u8]>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) if key.len() > MAX_KEY_BYTES => {
            Bound::Included(&key[..MAX_KEY_BYTES])
        }
        bound => bound,
    }
}
