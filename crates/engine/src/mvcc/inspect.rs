//! All that is stored of a key, for those who look for a fault.

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use super::key::EncodedKey;
use super::lock::Lock;
use super::range::KeyRange;
use super::reading::{Admission, Read, ReadRows};
use super::write::Write;
use crate::Error;

/// All that is stored of a key.
///
/// ```
/// use charioteer_engine::mvcc::MvccInfo;
///
/// assert_eq!(MvccInfo::default().lock, None);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MvccInfo {
    /// Its lock.
    pub lock: Option<Lock>,
    /// Its versions by their commit timestamps, the latest first.
    pub writes: Vec<(u64, Write)>,
    /// Its longer values by the transactions that wrote them, the latest first.
    pub values: Vec<(u64, Bytes)>,
}

/// Reads all that is stored of a key.
///
/// ```
/// use charioteer_engine::mvcc::{MvccByKey, MvccInfo, MvccStore};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// assert_eq!(store.read(MvccByKey { key: "key".into() })?, MvccInfo::default());
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MvccByKey {
    /// The key.
    pub key: Bytes,
}

impl Read for MvccByKey {
    type Reply = MvccInfo;

    fn admit(&mut self, _: &Admission) -> Option<MvccInfo> {
        None
    }

    fn step(&mut self, rows: &ReadRows, _: &mut usize) -> Result<Option<MvccInfo>, Error> {
        info(rows, &EncodedKey::of(&self.key)).map(Some)
    }
}

/// Finds a key that a transaction has locked or written, with all that is stored of it.
///
/// ```
/// use charioteer_engine::mvcc::{KeyRange, MvccByStartTs, MvccStore};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// assert_eq!(store.read(MvccByStartTs::new(KeyRange::all(), 5))?, None);
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MvccByStartTs {
    range: KeyRange,
    start_ts: u64,
    has_seen_locks: bool,
    /// Behind which stored key to go on.
    behind: Option<Bytes>,
}

impl MvccByStartTs {
    /// In this range, by the transaction's start.
    #[must_use]
    pub const fn new(range: KeyRange, start_ts: u64) -> Self {
        Self { range, start_ts, has_seen_locks: false, behind: None }
    }
}

impl Read for MvccByStartTs {
    type Reply = Option<(Bytes, MvccInfo)>;

    fn admit(&mut self, _: &Admission) -> Option<Self::Reply> {
        None
    }

    fn step(&mut self, rows: &ReadRows, work: &mut usize) -> Result<Option<Self::Reply>, Error> {
        let (start, end) = self.range.stored();
        let behind = self.behind.take();
        let lower = behind.as_deref().map_or(Bound::Included(&start[..]), Bound::Excluded);
        let bounds = (lower, end.as_deref().map_or(Bound::Unbounded, Bound::Excluded));
        let (mut found, mut last) = (None, None);
        let mut look = |key: EncodedKey, stored_key: Bytes, start_ts: u64| {
            *work = work.saturating_sub(1);
            if start_ts == self.start_ts {
                found = Some(key);
            } else if *work > 0 {
                return ControlFlow::Continue(());
            }
            last = Some(stored_key);
            ControlFlow::Break(())
        };
        rows.ask(|reader| {
            if self.has_seen_locks {
                reader.all_versions(bounds, |key, ts, write| {
                    let stored_key = key.at(ts);
                    look(key, stored_key, write.start_ts)
                })
            } else {
                reader.locks(bounds, |key, lock| {
                    let stored_key = key.bytes().clone();
                    look(key, stored_key, lock.start_ts)
                })
            }
        })?;
        if let Some(key) = found {
            return Ok(Some(Some((key.decode()?, info(rows, &key)?))));
        }
        self.behind = last;
        let is_over = self.behind.is_none() && self.has_seen_locks;
        self.has_seen_locks |= self.behind.is_none();
        Ok(is_over.then_some(None))
    }
}

fn info(rows: &ReadRows, key: &EncodedKey) -> Result<MvccInfo, Error> {
    rows.ask(|reader| {
        let mut info = MvccInfo { lock: reader.lock(key)?, ..MvccInfo::default() };
        reader.versions(key, u64::MAX, |commit_ts, write| {
            info.writes.push((commit_ts, write));
            ControlFlow::Continue(())
        })?;
        reader.values(key, |start_ts, value| {
            info.values.push((start_ts, value.clone()));
            ControlFlow::Continue(())
        })?;
        Ok(info)
    })
}
