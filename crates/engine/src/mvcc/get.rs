//! Values of keys.

use bytes::Bytes;

use super::key::EncodedKey;
use super::reading::{Admission, Met, Read, ReadAt, ReadRows, work_of_value};
use super::rows::Reader;
use super::write::WriteKind;
use super::{Isolation, KeyError, LockKind, Scanned};
use crate::Error;
use crate::raw::PAIR_BYTES;

/// A value that was found.
///
/// ```
/// use charioteer_engine::mvcc::Value;
///
/// let value = Value { value: "Ben-Hur".into(), commit_ts: 7 };
/// assert_eq!(value.commit_ts, 7);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The user's bytes.
    pub value: Bytes,
    /// When it was committed; 0 if it was read from a lock.
    pub commit_ts: u64,
}

/// Reads the value of a key.
///
/// ```
/// use charioteer_engine::mvcc::{Get, MvccStore, ReadAt};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// assert_eq!(store.read(Get { key: "key".into(), at: ReadAt::new(7) })?, Ok(None));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Get {
    /// The key.
    pub key: Bytes,
    /// When, and how.
    pub at: ReadAt,
}

impl Read for Get {
    type Reply = Result<Option<Value>, KeyError>;

    fn admit(&mut self, admission: &Admission) -> Option<Self::Reply> {
        self.at.raise(&admission.0);
        self.at.blocked(&admission.0, &EncodedKey::of(&self.key)).map(Err)
    }

    fn missed(&self, admission: &Admission) -> Option<Self::Reply> {
        admission.0.collected.missed_of(std::slice::from_ref(&self.key), self.at.ts).map(Err)
    }

    fn step(&mut self, rows: &ReadRows, _: &mut usize) -> Result<Option<Self::Reply>, Error> {
        rows.ask(|reader| get(reader, &EncodedKey::of(&self.key), &self.at)).map(Some)
    }
}

/// Reads the values of several keys at one instant.
///
/// ```
/// use charioteer_engine::mvcc::{BatchGet, MvccStore, ReadAt};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// let found = store.read(BatchGet::new(vec!["a".into(), "b".into()], ReadAt::new(7)))?;
/// assert!(found.is_ok_and(|found| found.pairs.is_empty()));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchGet {
    keys: Vec<Bytes>,
    at: ReadAt,
    next: usize,
    max_bytes: usize,
    bytes: usize,
    found: Vec<Pair>,
}

/// A key that was found, or could not be read.
///
/// ```
/// use charioteer_engine::mvcc::{Pair, Value};
///
/// let pair = Pair { key: "key".into(), found: Ok(Value { value: "value".into(), commit_ts: 7 }) };
/// assert!(pair.found.is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The key.
    pub key: Bytes,
    /// Its value, or why it could not be read.
    pub found: Result<Value, KeyError>,
}

impl BatchGet {
    /// Of these keys. Those that are there, or cannot be read, come in this order.
    #[must_use]
    pub const fn new(keys: Vec<Bytes>, at: ReadAt) -> Self {
        Self { keys, at, next: 0, max_bytes: usize::MAX, bytes: 0, found: Vec::new() }
    }

    /// At most so many bytes, as [`Scan::max_bytes`](super::Scan::max_bytes) counts them; the first pair comes whatever it
    /// takes.
    #[must_use]
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    fn is_cut(&self) -> bool {
        self.bytes >= self.max_bytes && !self.found.is_empty() && self.next < self.keys.len()
    }
}

impl Read for BatchGet {
    type Reply = Result<Scanned, KeyError>;

    fn admit(&mut self, admission: &Admission) -> Option<Self::Reply> {
        self.at.raise(&admission.0);
        self.keys.iter().find_map(|key| self.at.blocked(&admission.0, &EncodedKey::of(key))).map(Err)
    }

    fn missed(&self, admission: &Admission) -> Option<Self::Reply> {
        admission.0.collected.missed_of(&self.keys, self.at.ts).map(Err)
    }

    fn step(&mut self, rows: &ReadRows, work: &mut usize) -> Result<Option<Self::Reply>, Error> {
        while let Some(key) = self.keys.get(self.next).filter(|_| !self.is_cut()) {
            if *work == 0 {
                return Ok(None);
            }
            let found = rows.ask(|reader| get(reader, &EncodedKey::of(key), &self.at))?.transpose();
            let bytes = found.as_ref().and_then(|found| found.as_ref().ok()).map_or(0, |found| found.value.len());
            *work = work.saturating_sub(2 + work_of_value(bytes));
            if let Some(found) = found {
                self.bytes += PAIR_BYTES + key.len() + bytes;
                self.found.push(Pair { key: key.clone(), found });
            }
            self.next += 1;
        }
        Ok(Some(Ok(Scanned { is_cut: self.is_cut(), pairs: std::mem::take(&mut self.found) })))
    }
}

/// The value of a key, as somebody sees it.
pub(super) fn get(
    reader: &mut Reader<'_>,
    key: &EncodedKey,
    at: &ReadAt,
) -> Result<Result<Option<Value>, KeyError>, Error> {
    if at.isolation != Isolation::ReadCommitted
        && let Some(lock) = reader.lock(key)?
    {
        match at.meets(key, &lock)? {
            Met::Nothing => {}
            Met::Blocking(error) => return Ok(Err(error)),
            Met::Committed if lock.kind == LockKind::Put => {
                let value = reader.value_of_lock(key, &lock)?;
                return Ok(Ok(Some(Value { value, commit_ts: 0 })));
            }
            Met::Committed => return Ok(Ok(None)),
        }
    }
    if at.isolation == Isolation::ReadCommittedCheck
        && let Some(version) = reader.newest_data(key, u64::MAX)?
        && version.commit_ts > at.ts
    {
        return Ok(Err(at.newer(key.decode()?, version.write.start_ts, version.commit_ts, Bytes::new())));
    }
    let Some(version) = reader.newest_data(key, at.ts)? else { return Ok(Ok(None)) };
    if version.write.kind != WriteKind::Put {
        return Ok(Ok(None));
    }
    let value = reader.value_of(key, &version.write)?;
    Ok(Ok(Some(Value { value, commit_ts: version.commit_ts })))
}
