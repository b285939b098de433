//! Versions that nobody can see any more.
//!
//! What is to go is found in rows of an instant, and removed later, by row, under the latches of its key: a command may be about
//! to write a row again that it has found there, with a note of a rollback, and would bring it back. A row that was found is older
//! than another one that stays, or tells nothing to readers at the safe point, and stays so unless another transaction comes to
//! be committed in its place; then it is left alone. A deletion goes behind all that it deletes.
//!
//! From when on it is looked for, readers before the safe point are refused, and so are transactions that started before it and
//! would be judged by what is there ([`KeyError::TooOld`](super::KeyError::TooOld)).

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use super::command::{Command, Latched, Latches};
use super::key::EncodedKey;
use super::range::KeyRange;
use super::reading::{Admission, Read, ReadRows};
use super::write::{Write, WriteKind};
use crate::Error;

/// How many rows are removed at a time.
const ROWS_AT_A_TIME: usize = 1024;

/// Finds what nobody who reads at a safe point or behind it can see: of each key everything before its latest version at the
/// safe point, and that one too if it is no value. Rollbacks go with it, the protected ones too: locks that started by the
/// safe point must have been [resolved](super::ResolveLock) before, or they may come to be committed in part.
///
/// ```
/// use charioteer_engine::mvcc::{FindGarbage, KeyRange, MvccStore};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// let mut left = Some(FindGarbage::new(KeyRange::all(), 100));
/// while let Some(find) = left {
///     let found = store.read(find)?;
///     store.run(found.garbage)?;
///     left = found.left;
/// }
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindGarbage {
    range: KeyRange,
    safe_point: u64,
    /// Behind which stored version to go on.
    behind: Option<Bytes>,
    known: Option<KeySoFar>,
    found: Vec<Row>,
}

/// What is known of a key whose versions have been looked at in part.
#[derive(Debug, Clone, PartialEq, Eq)]
struct KeySoFar {
    key: EncodedKey,
    /// Whether its latest version at the safe point was met, so that the others go.
    is_covered: bool,
    /// The version, if what it says is that it was deleted.
    deletion: Option<Row>,
}

/// A row to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    key: EncodedKey,
    commit_ts: u64,
    kind: WriteKind,
    start_ts: u64,
    /// Whether its value lies beside it.
    has_value: bool,
}

impl Row {
    fn new(key: EncodedKey, commit_ts: u64, write: &Write) -> Self {
        let has_value = write.kind == WriteKind::Put && write.short_value.is_none();
        Self { key, commit_ts, kind: write.kind, start_ts: write.start_ts, has_value }
    }

    fn is_still(&self, found: &Write) -> bool {
        found.kind == self.kind && found.start_ts == self.start_ts
    }
}

/// Rows that nobody can see any more; run, they are removed.
///
/// ```
/// use charioteer_engine::mvcc::Garbage;
///
/// assert!(Garbage::default().is_empty());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Garbage {
    rows: Vec<Row>,
}

/// What a [`FindGarbage`] has found.
///
/// ```
/// use charioteer_engine::mvcc::GarbageFound;
///
/// assert!(GarbageFound::default().left.is_none());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GarbageFound {
    /// What is to be removed.
    pub garbage: Garbage,
    /// Where to go on, if there is more.
    pub left: Option<FindGarbage>,
}

impl FindGarbage {
    /// In this range, by that safe point.
    #[must_use]
    pub const fn new(range: KeyRange, safe_point: u64) -> Self {
        Self { range, safe_point, behind: None, known: None, found: Vec::new() }
    }

    fn look(&mut self, key: EncodedKey, commit_ts: u64, write: &Write) {
        if self.known.as_ref().is_none_or(|known| known.key != key) {
            self.end_key();
        }
        let known = self.known.get_or_insert_with(|| KeySoFar { key, is_covered: false, deletion: None });
        if commit_ts > self.safe_point {
            return;
        }
        match write.kind {
            // The latest of all stays.
            WriteKind::Put if !known.is_covered => known.is_covered = true,
            // Before what it deletes is gone, that would come back.
            WriteKind::Delete if !known.is_covered => {
                known.is_covered = true;
                known.deletion = Some(Row::new(known.key.clone(), commit_ts, write));
            }
            _ => self.found.push(Row::new(known.key.clone(), commit_ts, write)),
        }
    }

    fn end_key(&mut self) {
        self.found.extend(self.known.take().and_then(|known| known.deletion));
    }
}

impl Read for FindGarbage {
    type Reply = GarbageFound;

    fn admit(&mut self, admission: &Admission) -> Option<GarbageFound> {
        admission.0.collected.raise(&self.range, self.safe_point);
        None
    }

    fn step(&mut self, rows: &ReadRows, work: &mut usize) -> Result<Option<GarbageFound>, Error> {
        let (start, end) = self.range.stored();
        let behind = self.behind.take();
        let lower = behind.as_deref().map_or(Bound::Included(&start[..]), Bound::Excluded);
        let bounds = (lower, end.as_deref().map_or(Bound::Unbounded, Bound::Excluded));
        rows.ask(|reader| {
            reader.all_versions(bounds, |key, commit_ts, write| {
                *work = work.saturating_sub(1);
                let stored_key = key.at(commit_ts);
                self.look(key, commit_ts, &write);
                if *work > 0 && self.found.len() < ROWS_AT_A_TIME {
                    return ControlFlow::Continue(());
                }
                self.behind = Some(stored_key);
                ControlFlow::Break(())
            })
        })?;
        let is_over = self.behind.is_none();
        if is_over {
            self.end_key();
        } else if self.found.len() < ROWS_AT_A_TIME {
            return Ok(None);
        }
        let garbage = Garbage { rows: std::mem::take(&mut self.found) };
        Ok(Some(GarbageFound { garbage, left: (!is_over).then(|| self.clone()) }))
    }
}

impl Garbage {
    /// Whether there is nothing to be removed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many versions are to be removed.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rows.len()
    }
}

impl Command for Garbage {
    type Reply = ();

    fn latches(&self) -> Latches {
        let mut keys: Vec<&EncodedKey> = self.rows.iter().map(|row| &row.key).collect();
        keys.dedup();
        // There is no other command on a key that cannot be read.
        Latches::Keys(keys.into_iter().filter_map(|key| key.decode().ok()).collect())
    }

    fn apply(self, rows: &mut Latched<'_>) -> Result<(), Error> {
        for row in self.rows {
            let is_still = rows.read().version_at(&row.key, row.commit_ts)?.is_some_and(|found| row.is_still(&found));
            if is_still {
                rows.delete_write(&row.key, row.commit_ts);
            }
            if is_still && row.has_value {
                rows.delete_value(&row.key, row.start_ts);
            }
        }
        Ok(())
    }
}
