//! What a transaction that writes its buffer bit by bit has written of it.

use bytes::Bytes;

use super::LockKind;
use super::get::{Pair, Value};
use super::key::EncodedKey;
use super::reading::{Admission, Read, ReadRows, work_of_value};
use crate::Error;

/// Reads what a transaction has written of its own buffer: keys that it has not written do not come, those it deletes come
/// with an empty value.
///
/// ```
/// use charioteer_engine::mvcc::{BufferBatchGet, MvccStore};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// assert_eq!(store.read(BufferBatchGet::new(vec!["key".into()], 5))?, []);
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BufferBatchGet {
    keys: Vec<Bytes>,
    start_ts: u64,
    next: usize,
    found: Vec<Pair>,
}

impl BufferBatchGet {
    /// Of these keys, by that transaction.
    #[must_use]
    pub const fn new(keys: Vec<Bytes>, start_ts: u64) -> Self {
        Self { keys, start_ts, next: 0, found: Vec::new() }
    }
}

impl Read for BufferBatchGet {
    type Reply = Vec<Pair>;

    fn admit(&mut self, _: &Admission) -> Option<Self::Reply> {
        None
    }

    fn step(&mut self, rows: &ReadRows, work: &mut usize) -> Result<Option<Self::Reply>, Error> {
        while let Some(user_key) = self.keys.get(self.next) {
            if *work == 0 {
                return Ok(None);
            }
            let key = EncodedKey::of(user_key);
            let value = rows.ask(|reader| match reader.lock(&key)? {
                Some(lock) if lock.start_ts == self.start_ts => match lock.kind {
                    LockKind::Put => reader.value_of_lock(&key, &lock).map(Some),
                    LockKind::Delete => Ok(Some(Bytes::new())),
                    LockKind::Lock | LockKind::Pessimistic => Ok(None),
                },
                _ => Ok(None),
            })?;
            *work = work.saturating_sub(1 + work_of_value(value.as_ref().map_or(0, Bytes::len)));
            let found = value.map(|value| Pair { key: user_key.clone(), found: Ok(Value { value, commit_ts: 0 }) });
            self.found.extend(found);
            self.next += 1;
        }
        Ok(Some(std::mem::take(&mut self.found)))
    }
}
