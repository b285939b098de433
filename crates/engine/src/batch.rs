//! What is written together.

use bytes::Bytes;
use smallvec::SmallVec;

use crate::Durability;
use crate::db::Keyspace;
use crate::error::{Error, MAX_KEY_BYTES};

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
    takes_from_reserve: bool,
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

    /// Lets it take from the space that is kept free, most of it: for the little without which nothing can be read or deleted either.
    /// Batches that only delete may do so anyway. In memory nothing is kept free.
    pub const fn take_from_reserve(&mut self) {
        self.takes_from_reserve = true;
    }

    /// Whether it takes space that must be left alone when there is little.
    pub(crate) fn grows(&self) -> bool {
        !self.takes_from_reserve && self.changes.iter().any(|change| change.value.is_some())
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

/// Whether a store can hold a row under this key.
pub(crate) fn check_key(key: &[u8]) -> Result<(), Error> {
    match key.len() {
        0 => Err(Error::KeyEmpty),
        1..=MAX_KEY_BYTES => Ok(()),
        len => Err(Error::KeyTooLong { len }),
    }
}
