//! The locks of a range.

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use super::range::KeyRange;
use super::reading::{Admission, Read, ReadRows};
use super::{KeyError, LockInfo};
use crate::Error;

/// Finds the locks of a range, of whatever kind, whose transactions have started by a timestamp.
///
/// ```
/// use charioteer_engine::mvcc::{KeyRange, MvccStore, ScanLock};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// assert_eq!(store.read(ScanLock::new(KeyRange::all(), u64::MAX, 100))?, Ok(Vec::new()));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanLock {
    range: KeyRange,
    max_ts: u64,
    limit: usize,
    /// Behind which stored key to go on.
    behind: Option<Bytes>,
    found: Vec<LockInfo>,
}

impl ScanLock {
    /// In this range, up to that timestamp, at most so many; 0 sets no limit.
    #[must_use]
    pub const fn new(range: KeyRange, max_ts: u64, limit: usize) -> Self {
        Self { range, max_ts, limit, behind: None, found: Vec::new() }
    }

    fn is_full(&self) -> bool {
        self.limit > 0 && self.found.len() >= self.limit
    }
}

impl Read for ScanLock {
    type Reply = Result<Vec<LockInfo>, KeyError>;

    fn admit(&mut self, admission: &Admission) -> Option<Self::Reply> {
        // Whoever has seen all locks up to there must not find one more.
        admission.0.raise(self.max_ts);
        let (start, end) = self.range.stored();
        let bounds =
            (Bound::Included(&start[..]), end.as_ref().map_or(Bound::Unbounded, |end| Bound::Excluded(&end[..])));
        let met = admission.0.blocking_in(bounds, |key, lock| {
            let is_meant = lock.start_ts <= self.max_ts;
            if is_meant { key.decode().ok().map(|user_key| lock.info(user_key)) } else { None }
        });
        met.map(|lock| Err(lock.into()))
    }

    fn step(&mut self, rows: &ReadRows, work: &mut usize) -> Result<Option<Self::Reply>, Error> {
        let (start, end) = self.range.stored();
        let lower = self.behind.take();
        let lower = lower.as_deref().map_or(Bound::Included(&start[..]), Bound::Excluded);
        let upper = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut damage = None;
        rows.ask(|reader| {
            reader.locks((lower, upper), |key, lock| {
                *work = work.saturating_sub(1);
                if lock.start_ts <= self.max_ts {
                    match key.decode() {
                        Ok(user_key) => self.found.push(lock.info(user_key)),
                        Err(error) => damage = Some(error),
                    }
                }
                if *work > 0 && damage.is_none() && !self.is_full() {
                    return ControlFlow::Continue(());
                }
                self.behind = Some(key.bytes().clone());
                ControlFlow::Break(())
            })
        })?;
        if let Some(error) = damage {
            return Err(error);
        }
        let is_over = self.behind.is_none() || self.is_full();
        Ok(is_over.then(|| Ok(std::mem::take(&mut self.found))))
    }
}
