//! Values of a range of keys, in order.

use std::collections::VecDeque;
use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use super::get::{Pair, Value, get};
use super::key::{EncodedKey, split};
use super::lock::Lock;
use super::range::KeyRange;
use super::reading::{Admission, Met, Read, ReadAt, ReadRows, work_of_value};
use super::rows::{Version, decode_lock, decode_write};
use super::write::{Write, WriteKind};
use super::{Isolation, KeyError, LockKind};
use crate::raw::PAIR_BYTES;
use crate::{Direction, Error};

/// How many locks are known beforehand.
const LOCKS_IN_WINDOW: usize = 256;

/// After so many versions of a key that do not matter, it pays to go to the one that does.
const VERSIONS_BEFORE_SEEK: usize = 8;

/// Reads the first keys of a range, with their values, all of one instant. A key that is locked is told as such, and the
/// scan goes on behind it.
///
/// ```
/// use charioteer_engine::mvcc::{MvccStore, ReadAt, Scan};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// let scan = Scan::backward("z".into(), "a".into(), 10, ReadAt::new(7)).keys_only();
/// assert!(store.read(scan)?.is_ok_and(|scanned| scanned.pairs.is_empty()));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug)]
pub struct Scan {
    at: ReadAt,
    direction: Direction,
    limit: usize,
    max_bytes: usize,
    keys_only: bool,
    sample_step: usize,
    /// Where the versions that are left lie.
    left: (Bound<Bytes>, Bound<Bytes>),
    window: Option<Window>,
    current: Option<Current>,
    seen: usize,
    bytes: usize,
    pairs: Vec<Pair>,
}

/// What a [`Scan`] has found.
///
/// ```
/// use charioteer_engine::mvcc::Scanned;
///
/// assert!(!Scanned::default().is_cut);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scanned {
    /// The pairs in order, those that could not be read among them.
    pub pairs: Vec<Pair>,
    /// Whether it stopped because of the bytes it had found, so that there may be more behind.
    pub is_cut: bool,
}

/// The locks of a part of the range, and how far that goes.
#[derive(Debug)]
struct Window {
    locks: VecDeque<(EncodedKey, Lock)>,
    /// The last lock, if there may be more behind it.
    last: Option<EncodedKey>,
}

/// The key whose versions are being looked at.
#[derive(Debug)]
struct Current {
    key: EncodedKey,
    is_decided: bool,
    /// Backwards, where the newest version comes last: the newest so far.
    newest: Option<Version>,
    versions: usize,
}

/// Why the versions are not looked at any further for now.
enum Stop {
    /// Enough was found.
    Full,
    /// Enough was done for this time.
    Tired,
    /// Other rows are to be looked at.
    Seek(Bound<Bytes>),
    Failed(Error),
}

impl Scan {
    /// From `start` up to just before `end`; to the last key, if that is empty. At most so many pairs.
    #[must_use]
    pub fn forward(start: Bytes, end: Bytes, limit: usize, at: ReadAt) -> Self {
        Self::new(&KeyRange::new(start, end), Direction::Forward, limit, at)
    }

    /// From just before `start` down to `end`; from the last key, if `start` is empty. At most so many pairs.
    #[must_use]
    pub fn backward(start: Bytes, end: Bytes, limit: usize, at: ReadAt) -> Self {
        Self::new(&KeyRange::new(end, start), Direction::Backward, limit, at)
    }

    fn new(range: &KeyRange, direction: Direction, limit: usize, at: ReadAt) -> Self {
        let (start, end) = range.stored();
        Self {
            at,
            direction,
            limit,
            max_bytes: usize::MAX,
            keys_only: false,
            sample_step: 0,
            left: (Bound::Included(start), end.map_or(Bound::Unbounded, Bound::Excluded)),
            window: None,
            current: None,
            seen: 0,
            bytes: 0,
            pairs: Vec::new(),
        }
    }

    /// With empty values.
    #[must_use]
    pub const fn keys_only(mut self) -> Self {
        self.keys_only = true;
        self
    }

    /// Only the first of each so many keys; 0 is all.
    #[must_use]
    pub const fn sample_step(mut self, step: usize) -> Self {
        self.sample_step = step;
        self
    }

    /// At most so many bytes of keys and values, with a little for each pair; the first pair comes whatever it takes.
    #[must_use]
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }
}

impl Read for Scan {
    type Reply = Result<Scanned, KeyError>;

    fn admit(&mut self, admission: &Admission) -> Option<Self::Reply> {
        self.at.raise(&admission.0);
        self.at.blocked_in(&admission.0, self.bounds()).map(Err)
    }

    fn missed(&self, admission: &Admission) -> Option<Self::Reply> {
        admission.0.collected.missed_in(self.bounds(), self.at.ts).map(Err)
    }

    fn step(&mut self, rows: &ReadRows, work: &mut usize) -> Result<Option<Self::Reply>, Error> {
        while *work > 0 && !self.is_full() {
            if self.window.is_none() {
                *work = work.saturating_sub(1);
                self.window = Some(self.open_window(rows)?);
            }
            match self.walk(rows, work)? {
                None if self.close_window(rows)? => return Ok(Some(Ok(self.finish()))),
                None => {}
                Some(Stop::Full) => break,
                Some(Stop::Tired) => return Ok(None),
                Some(Stop::Seek(bound)) => self.go_behind(bound),
                Some(Stop::Failed(error)) => return Err(error),
            }
        }
        Ok(self.is_full().then(|| Ok(self.finish())))
    }
}

impl Scan {
    fn is_full(&self) -> bool {
        self.pairs.len() >= self.limit || self.is_cut()
    }

    fn is_cut(&self) -> bool {
        self.bytes >= self.max_bytes && !self.pairs.is_empty()
    }

    fn finish(&mut self) -> Scanned {
        Scanned { is_cut: self.is_cut(), pairs: std::mem::take(&mut self.pairs) }
    }

    fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        (self.left.0.as_ref().map(|key| &key[..]), self.left.1.as_ref().map(|key| &key[..]))
    }

    fn go_behind(&mut self, bound: Bound<Bytes>) {
        match self.direction {
            Direction::Forward => self.left.0 = bound,
            Direction::Backward => self.left.1 = bound,
        }
    }

    /// Loads the next locks.
    fn open_window(&self, rows: &ReadRows) -> Result<Window, Error> {
        let mut window = Window { locks: VecDeque::new(), last: None };
        if self.at.isolation == Isolation::ReadCommitted {
            return Ok(window);
        }
        let mut damage = None;
        rows.snapshot().visit(&rows.families().locks, self.bounds(), self.direction, |key, stored| {
            let key = EncodedKey::stored(key.clone());
            match decode_lock(stored.clone()) {
                Ok(lock) => window.locks.push_back((key.clone(), lock)),
                Err(error) => damage = Some(error),
            }
            if damage.is_some() || window.locks.len() < LOCKS_IN_WINDOW {
                return if damage.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            }
            window.last = Some(key);
            ControlFlow::Break(())
        })?;
        damage.map_or(Ok(window), Err)
    }

    /// Tells of the locks of the window behind its last version. Says whether it was the last window.
    fn close_window(&mut self, rows: &ReadRows) -> Result<bool, Error> {
        self.end_key(rows)?;
        let window = self.window.take().unwrap_or(Window { locks: VecDeque::new(), last: None });
        for (key, lock) in window.locks {
            if self.is_full() {
                break;
            }
            self.meet(rows, &key, &lock)?;
        }
        if let Some(last) = &window.last {
            self.go_behind(match self.direction {
                Direction::Forward => Bound::Excluded(last.at(0)),
                Direction::Backward => Bound::Excluded(last.bytes().clone()),
            });
        }
        Ok(window.last.is_none())
    }

    /// Looks at the versions of the window, until there are no more.
    fn walk(&mut self, rows: &ReadRows, work: &mut usize) -> Result<Option<Stop>, Error> {
        let (mut stop, mut last_row) = (None, None);
        let (lower, upper) = self.left.clone();
        let window_end = self.window.as_ref().and_then(|window| window.last.clone());
        let (lower, upper) = match (window_end, self.direction) {
            (Some(last), Direction::Forward) => (lower, Bound::Included(last.at(0))),
            (Some(last), Direction::Backward) => (Bound::Included(last.bytes().clone()), upper),
            (None, _) => (lower, upper),
        };
        let bounds = (lower.as_ref().map(|key| &key[..]), upper.as_ref().map(|key| &key[..]));
        rows.snapshot().visit(&rows.families().writes, bounds, self.direction, |stored_key, stored| {
            stop = self.show(rows, stored_key, stored, work).unwrap_or_else(|error| Some(Stop::Failed(error)));
            if stop.is_none() && *work == 0 {
                stop = Some(Stop::Tired);
            }
            if stop.is_none() {
                return ControlFlow::Continue(());
            }
            last_row = Some(stored_key.clone());
            ControlFlow::Break(())
        })?;
        if let (Some(Stop::Tired), Some(last)) = (&stop, last_row) {
            self.go_behind(Bound::Excluded(last));
        }
        Ok(stop)
    }

    fn show(
        &mut self,
        rows: &ReadRows,
        stored_key: &Bytes,
        stored: &Bytes,
        work: &mut usize,
    ) -> Result<Option<Stop>, Error> {
        let (key, commit_ts) = split(stored_key)?;
        if self.current.as_ref().is_none_or(|current| current.key != key) {
            self.end_key(rows)?;
            self.begin_key(rows, key)?;
            if self.is_full() {
                return Ok(Some(Stop::Full));
            }
        }
        let bytes_before = self.bytes;
        let stop = self.show_version(rows, commit_ts, stored)?;
        *work = work.saturating_sub(1 + work_of_value(self.bytes - bytes_before));
        Ok(if self.is_full() { Some(Stop::Full) } else { stop })
    }

    /// Takes up a key, and first the locks before it.
    fn begin_key(&mut self, rows: &ReadRows, key: EncodedKey) -> Result<(), Error> {
        let mut is_decided = false;
        while let Some((lock_key, lock)) = self.next_lock(&key) {
            if self.is_full() {
                return Ok(());
            }
            let decides = self.meet(rows, &lock_key, &lock)?;
            is_decided |= decides && lock_key == key;
        }
        self.current = Some(Current { key, is_decided, newest: None, versions: 0 });
        Ok(())
    }

    /// The next lock that is not behind a key.
    fn next_lock(&mut self, key: &EncodedKey) -> Option<(EncodedKey, Lock)> {
        let direction = self.direction;
        let locks = &mut self.window.as_mut()?.locks;
        let (next, _) = locks.front()?;
        let is_behind = match direction {
            Direction::Forward => next > key,
            Direction::Backward => next < key,
        };
        if is_behind { None } else { locks.pop_front() }
    }

    /// Whether a lock decides what is told of its key.
    fn meet(&mut self, rows: &ReadRows, key: &EncodedKey, lock: &Lock) -> Result<bool, Error> {
        match self.at.meets(key, lock)? {
            Met::Nothing => return Ok(false),
            Met::Blocking(error) => self.push(key, Err(error))?,
            Met::Committed if lock.kind == LockKind::Put => {
                let value = rows.ask(|reader| reader.value_of_lock(key, lock))?;
                self.push(key, Ok(Value { value, commit_ts: 0 }))?;
            }
            Met::Committed => {}
        }
        Ok(true)
    }

    fn show_version(&mut self, rows: &ReadRows, commit_ts: u64, stored: &Bytes) -> Result<Option<Stop>, Error> {
        let Some(current) = &mut self.current else { return Ok(None) };
        current.versions += 1;
        let (key, is_late) = (current.key.clone(), current.versions > VERSIONS_BEFORE_SEEK);
        if current.is_decided {
            return Ok(is_late.then(|| Stop::Seek(self.behind(&key))));
        }
        if is_late && self.direction == Direction::Backward {
            return self.seek_newest(rows, &key).map(Some);
        }
        let write = decode_write(stored.clone())?;
        if commit_ts > self.at.ts {
            if self.at.isolation == Isolation::ReadCommittedCheck {
                if write.kind.is_data() {
                    self.decide(&key, Err(self.newer(&key, commit_ts, &write)?))?;
                }
                return Ok(None);
            }
            return Ok(is_late.then(|| Stop::Seek(Bound::Included(key.at(self.at.ts)))));
        }
        if !write.kind.is_data() {
            return Ok(None);
        }
        let version = Version { commit_ts, write };
        if let (Direction::Backward, Some(current)) = (self.direction, &mut self.current) {
            current.newest = Some(version);
        } else {
            self.take(rows, &key, &version)?;
        }
        Ok(None)
    }

    /// Backwards, where the newest version of many comes last.
    fn seek_newest(&mut self, rows: &ReadRows, key: &EncodedKey) -> Result<Stop, Error> {
        // Its lock has been looked at.
        let isolation = match self.at.isolation {
            Isolation::Snapshot => Isolation::ReadCommitted,
            isolation => isolation,
        };
        let at = ReadAt { isolation, resolved_locks: self.at.resolved_locks.clone(), ..ReadAt::new(self.at.ts) };
        match rows.ask(|reader| get(reader, key, &at))?.transpose() {
            Some(found) => self.decide(key, found)?,
            None => self.set_decided(),
        }
        Ok(Stop::Seek(self.behind(key)))
    }

    /// Behind all versions of a key.
    fn behind(&self, key: &EncodedKey) -> Bound<Bytes> {
        match self.direction {
            Direction::Forward => Bound::Excluded(key.at(0)),
            Direction::Backward => Bound::Excluded(key.bytes().clone()),
        }
    }

    /// Backwards, the newest version is known when there are no more of the key.
    fn end_key(&mut self, rows: &ReadRows) -> Result<(), Error> {
        match self.current.take() {
            Some(Current { key, is_decided: false, newest: Some(version), .. }) => self.take(rows, &key, &version),
            _ => Ok(()),
        }
    }

    /// Takes what readers see of a key.
    fn take(&mut self, rows: &ReadRows, key: &EncodedKey, version: &Version) -> Result<(), Error> {
        if version.write.kind != WriteKind::Put {
            self.set_decided();
            return Ok(());
        }
        let value =
            if self.keys_only { Bytes::new() } else { rows.ask(|reader| reader.value_of(key, &version.write))? };
        self.decide(key, Ok(Value { value, commit_ts: version.commit_ts }))
    }

    fn decide(&mut self, key: &EncodedKey, found: Result<Value, KeyError>) -> Result<(), Error> {
        self.set_decided();
        self.push(key, found)
    }

    const fn set_decided(&mut self) {
        if let Some(current) = &mut self.current {
            current.is_decided = true;
        }
    }

    fn newer(&self, key: &EncodedKey, commit_ts: u64, write: &Write) -> Result<KeyError, Error> {
        Ok(self.at.newer(key.decode()?, write.start_ts, commit_ts, Bytes::new()))
    }

    fn push(&mut self, key: &EncodedKey, mut found: Result<Value, KeyError>) -> Result<(), Error> {
        if let Ok(found) = &mut found {
            self.seen += 1;
            if self.sample_step > 0 && !(self.seen - 1).is_multiple_of(self.sample_step) {
                return Ok(());
            }
            if self.keys_only {
                found.value = Bytes::new();
            }
        }
        let key = key.decode()?;
        self.bytes += PAIR_BYTES + key.len() + found.as_ref().map_or(0, |found| found.value.len());
        self.pairs.push(Pair { key, found });
        Ok(())
    }
}
