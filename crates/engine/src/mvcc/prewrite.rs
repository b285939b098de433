//! The first phase of a commit: locks that say what is to be written.

use bytes::Bytes;

use super::command::{Command, Latched, Latches, Refusal};
use super::key::EncodedKey;
use super::lock::{Lock, LockKind};
use super::mutation::{AssertionLevel, Change, Mutation, PessimisticAction};
use super::prewrite_checks::{Checked, check};
use super::rows::Fate;
use super::{Abort, KeyError};
use crate::Error;

/// Locks the keys that a transaction is about to write, with what it will write; or with one phase, writes it.
///
/// Either all keys are locked, or none. Asked for again, it answers again what it did.
///
/// ```
/// use charioteer_engine::mvcc::{Change, Commit, Get, Mutation, MvccStore, Prewrite, ReadAt};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// let put = Mutation::new("key".into(), Change::Put("value".into()));
/// let prewritten = store.run(Prewrite::new(vec![put], "key".into(), 5))?.reply;
/// assert!(prewritten.is_ok());
/// let committed = store.run(Commit { start_ts: 5, commit_ts: 7, keys: vec!["key".into()] })?.reply;
/// assert_eq!(committed, Ok(7));
///
/// let found = store.read(Get { key: "key".into(), at: ReadAt::new(8) })?.unwrap_or(None);
/// assert_eq!(found.map(|found| (found.value, found.commit_ts)), Some(("value".into(), 7)));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prewrite {
    /// What is to be done.
    pub mutations: Vec<Mutation>,
    /// The key whose fate is the transaction's.
    pub primary: Bytes,
    /// Which transaction it is.
    pub start_ts: u64,
    /// How long it may be taken for alive, in milliseconds.
    pub ttl_ms: u64,
    /// How many keys it has.
    pub txn_size: u64,
    /// Of a pessimistic transaction, the timestamp up to which others' versions do not matter; 0 for an optimistic one.
    pub for_update_ts: u64,
    /// It is not committed earlier.
    pub min_commit_ts: u64,
    /// With asynchronous commit or one phase, it is not committed later; 0 sets no limit.
    pub max_commit_ts: u64,
    /// With asynchronous commit, its other keys: told by the prewrite of the primary, and empty for others.
    pub secondaries: Option<Vec<Bytes>>,
    /// Whether these are all keys, so that they may be written at once.
    pub try_one_pc: bool,
    /// Whether an optimistic transaction does not care what others have written.
    pub skip_constraint_check: bool,
    /// Whether the same was asked for before, and may have been done.
    pub is_retry: bool,
    /// How far what is taken for granted is looked after.
    pub assertion_level: AssertionLevel,
    /// Of a transaction that writes its buffer bit by bit, which bit this is, from 1; the keys of earlier ones are written
    /// again. Such a transaction is optimistic, and commits in two phases.
    pub generation: u64,
}

impl Prewrite {
    /// Of an optimistic transaction that commits in two phases, and lives for three seconds.
    #[must_use]
    pub fn new(mutations: Vec<Mutation>, primary: Bytes, start_ts: u64) -> Self {
        Self {
            txn_size: mutations.len() as u64,
            mutations,
            primary,
            start_ts,
            ttl_ms: 3_000,
            for_update_ts: 0,
            min_commit_ts: 0,
            max_commit_ts: 0,
            secondaries: None,
            try_one_pc: false,
            skip_constraint_check: false,
            is_retry: false,
            assertion_level: AssertionLevel::Off,
            generation: 0,
        }
    }

    pub(super) const fn is_pessimistic(&self) -> bool {
        self.for_update_ts != 0
    }

    const fn calculates(&self) -> bool {
        (self.secondaries.is_some() || self.try_one_pc) && self.generation == 0
    }
}

/// That keys are locked.
///
/// ```
/// use charioteer_engine::mvcc::Prewritten;
///
/// assert_eq!(Prewritten::default().one_pc_commit_ts, 0);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prewritten {
    /// With asynchronous commit, the earliest timestamp at which these keys can be committed. 0 if it was not asked for, or
    /// the transaction must commit in two phases after all.
    pub min_commit_ts: u64,
    /// With one phase, the timestamp at which it is committed. 0 if it was not asked for, or the transaction must commit in
    /// two phases after all.
    pub one_pc_commit_ts: u64,
}

/// A lock that is about to be written, and a value that lies beside it.
struct Planned {
    /// Which of the keys has it.
    at: usize,
    lock: Lock,
    value: Option<Bytes>,
    /// The lock that is there, and is the transaction's own; seldom, in what there are many of.
    replaced: Option<Box<Lock>>,
}

/// What is to be done, as far as the mutations so far say.
#[derive(Default)]
struct Plan {
    keys: Vec<EncodedKey>,
    locks: Vec<Planned>,
    blocked: Vec<KeyError>,
    failed_assertion: Option<KeyError>,
    /// The earliest commit that follows from what is there already.
    min_commit_ts: u64,
    /// Whether some key was locked before as in two phases, so that the others must be too.
    falls_back: bool,
}

impl Plan {
    fn is_refused(&self) -> bool {
        !self.blocked.is_empty() || self.failed_assertion.is_some()
    }

    fn to_publish(&self) -> Vec<(EncodedKey, Lock)> {
        self.locks.iter().map(|planned| (self.keys[planned.at].clone(), planned.lock.clone())).collect()
    }

    /// Locks are collected, and of failed assertions the first is remembered, since they may follow from something else.
    fn settle(&mut self, error: KeyError) -> Result<(), End> {
        match error {
            KeyError::Locked(_) => self.blocked.push(error),
            KeyError::AssertionFailed(_) => drop(self.failed_assertion.get_or_insert(error)),
            error => return Err(error.into()),
        }
        Ok(())
    }
}

/// What ends a prewrite early.
enum End {
    /// It has been committed already.
    Committed { commit_ts: u64 },
    /// It cannot be done.
    Refused(Refusal),
}

impl<E: Into<Refusal>> From<E> for End {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

impl Command for Prewrite {
    /// Why the keys cannot be locked: every lock in the way, or one other reason.
    type Reply = Result<Prewritten, Vec<KeyError>>;

    const MAY_BE_LATE: bool = true;

    fn latches(&self) -> Latches {
        Latches::Keys(self.mutations.iter().map(|mutation| mutation.key.clone()).collect())
    }

    fn apply(mut self, rows: &mut Latched<'_>) -> Result<Self::Reply, Error> {
        let mutations = std::mem::take(&mut self.mutations);
        let written = self.plan(rows, mutations).and_then(|plan| self.write(rows, plan));
        let errors = match written {
            Ok(Ok(prewritten)) => return Ok(Ok(prewritten)),
            Ok(Err(blocked)) => blocked,
            Err(End::Committed { commit_ts }) => {
                rows.discard();
                return Ok(Ok(self.committed(commit_ts)));
            }
            Err(End::Refused(Refusal::Store(error))) => return Err(error),
            Err(End::Refused(Refusal::Key(error))) => vec![error],
        };
        rows.discard();
        Ok(Err(errors))
    }
}

impl Prewrite {
    fn plan(&self, rows: &mut Latched<'_>, mutations: Vec<Mutation>) -> Result<Plan, End> {
        let keys: Vec<EncodedKey> = mutations.iter().map(|mutation| EncodedKey::of(&mutation.key)).collect();
        let mut plan = Plan { locks: Vec::with_capacity(mutations.len()), ..Plan::default() };
        for ((at, key), mutation) in keys.iter().enumerate().zip(mutations) {
            match check(self, rows, key, &mutation) {
                Ok(checked) => self.add(&mut plan, at, mutation, checked),
                Err(Refusal::Key(error)) => {
                    // What all keys show was looked at when the first was refused.
                    let all = if plan.is_refused() { &[] } else { &keys[..] };
                    self.end_if_committed(rows, key, all, &error)?;
                    plan.settle(error)?;
                }
                Err(Refusal::Store(error)) => return Err(error.into()),
            }
        }
        plan.keys = keys;
        match plan.failed_assertion.take() {
            Some(error) if plan.blocked.is_empty() => Err(error.into()),
            _ => Ok(plan),
        }
    }

    /// A refusal may come of that the transaction was committed already, by the very request that is asked for again. Where that
    /// one was enough, any of its keys may show it; otherwise the one that is refused.
    fn end_if_committed(
        &self,
        rows: &mut Latched<'_>,
        refused: &EncodedKey,
        all: &[EncodedKey],
        error: &KeyError,
    ) -> Result<(), End> {
        let may_be_committed = match error {
            KeyError::WriteConflict(conflict) => conflict.conflict_commit_ts > conflict.start_ts,
            KeyError::Locked(_) | KeyError::TooOld { .. } | KeyError::Abort(Abort::PessimisticLockNotFound { .. }) => {
                true
            }
            _ => false,
        };
        let asked = match (self.calculates(), may_be_committed) {
            (true, _) => all,
            (false, true) => std::slice::from_ref(refused),
            (false, false) => &[],
        };
        for key in asked {
            if let Fate::Committed { commit_ts } = rows.fate(key, self.start_ts)? {
                return Err(End::Committed { commit_ts });
            }
        }
        Ok(())
    }

    fn add(&self, plan: &mut Plan, at: usize, mutation: Mutation, checked: Checked) {
        match checked {
            Checked::Locked { min_commit_ts } => {
                // What is locked already can't be committed at once with the others.
                plan.falls_back |= self.try_one_pc;
                self.note_calculated(plan, min_commit_ts);
            }
            Checked::Nothing => self.note_calculated(plan, self.min_commit_ts.max(self.start_ts.saturating_add(1))),
            // A later bit of the buffer has written this key already.
            Checked::Stale => {}
            Checked::ToLock { replaced } => plan.locks.push(self.planned(at, mutation, replaced)),
        }
    }

    fn note_calculated(&self, plan: &mut Plan, min_commit_ts: u64) {
        plan.falls_back |= self.calculates() && min_commit_ts == 0;
        plan.min_commit_ts = plan.min_commit_ts.max(min_commit_ts);
    }

    fn planned(&self, at: usize, mutation: Mutation, replaced: Option<Box<Lock>>) -> Planned {
        let (kind, value) = match mutation.change {
            Change::Put(value) | Change::Insert(value) => (LockKind::Put, Some(value)),
            Change::Delete => (LockKind::Delete, None),
            Change::Lock | Change::CheckNotExists => (LockKind::Lock, None),
        };
        let secondaries = if mutation.key == self.primary { self.secondaries.clone() } else { None };
        let mut lock = Lock {
            for_update_ts: self.for_update_ts,
            txn_size: self.txn_size,
            min_commit_ts: self.min_commit_ts,
            use_async_commit: self.secondaries.is_some(),
            use_one_pc: self.try_one_pc,
            secondaries: secondaries.unwrap_or_default(),
            generation: self.generation,
            ..Lock::new(kind, self.primary.clone(), self.start_ts, self.ttl_ms)
        };
        if self.generation > 0 {
            // How many keys it will have nobody knows; and readers must be able to push such a transaction, which is long.
            lock.txn_size = u64::MAX;
            lock.min_commit_ts = lock.min_commit_ts.max(self.start_ts.saturating_add(1));
        }
        if let Some(replaced) = &replaced {
            // Both may have been raised since.
            lock.ttl_ms = lock.ttl_ms.max(replaced.ttl_ms);
            lock.min_commit_ts = lock.min_commit_ts.max(replaced.min_commit_ts);
            lock.for_update_ts = lock.for_update_ts.max(replaced.for_update_ts);
        }
        Planned { at, lock, value, replaced }
    }

    fn write(&self, rows: &mut Latched<'_>, mut plan: Plan) -> Result<Result<Prewritten, Vec<KeyError>>, End> {
        if !plan.blocked.is_empty() {
            return Ok(Err(plan.blocked));
        }
        let calculated = if self.calculates() && !plan.falls_back { self.publish(rows, &mut plan)? } else { None };
        let Some(min_commit_ts) = calculated else {
            self.put_locks(rows, plan, |lock| {
                (lock.use_async_commit, lock.use_one_pc) = (false, false);
                lock.secondaries = Vec::new();
            });
            return Ok(Ok(Prewritten::default()));
        };
        if self.try_one_pc {
            for planned in plan.locks {
                self.commit_at_once(rows, &plan.keys[planned.at], planned, min_commit_ts)?;
            }
        } else {
            self.put_locks(rows, plan, |_| {});
        }
        Ok(Ok(self.committed(min_commit_ts)))
    }

    /// Calculates when the transaction can be committed, and publishes its locks with that; `None` if it would be too late.
    fn publish(&self, rows: &mut Latched<'_>, plan: &mut Plan) -> Result<Option<u64>, End> {
        let published = rows.publish(plan, |plan, max_read_ts| self.calculate(plan, max_read_ts), Plan::to_publish);
        if published.is_none() {
            self.fall_back(rows, plan)?;
        }
        Ok(published)
    }

    /// When the transaction can be committed, which its locks are told; `None` if that is too late.
    fn calculate(&self, plan: &mut Plan, max_read_ts: u64) -> Option<u64> {
        let behind = max_read_ts.max(self.start_ts).max(self.for_update_ts).saturating_add(1);
        let mut last = plan.min_commit_ts;
        for planned in &mut plan.locks {
            let min_commit_ts = planned.lock.min_commit_ts.max(behind);
            if self.max_commit_ts != 0 && min_commit_ts > self.max_commit_ts {
                return None;
            }
            planned.lock.min_commit_ts = min_commit_ts;
            last = last.max(min_commit_ts);
        }
        Some(last)
    }

    /// Commits in two phases after all, unless that it is too late comes of that it was committed long ago.
    fn fall_back(&self, rows: &mut Latched<'_>, plan: &mut Plan) -> Result<(), End> {
        for planned in &mut plan.locks {
            if let Fate::Committed { commit_ts } = rows.fate(&plan.keys[planned.at], self.start_ts)? {
                return Err(End::Committed { commit_ts });
            }
            let raised = planned.replaced.as_ref().map_or(0, |lock| lock.min_commit_ts);
            planned.lock.min_commit_ts = self.min_commit_ts.max(raised);
        }
        Ok(())
    }

    fn put_locks(&self, rows: &mut Latched<'_>, plan: Plan, change: impl Fn(&mut Lock)) {
        for Planned { at, mut lock, value, replaced } in plan.locks {
            let key = &plan.keys[at];
            change(&mut lock);
            if replaced.is_some_and(|lock| lock.kind == LockKind::Put && lock.short_value.is_none()) {
                rows.delete_value(key, self.start_ts);
            }
            lock.short_value = value.and_then(|value| rows.keep_value(key, self.start_ts, value));
            rows.put_lock(key, &lock);
        }
    }

    fn commit_at_once(
        &self,
        rows: &mut Latched<'_>,
        key: &EncodedKey,
        planned: Planned,
        commit_ts: u64,
    ) -> Result<(), Error> {
        let Planned { mut lock, value, replaced, .. } = planned;
        lock.short_value = value.and_then(|value| rows.keep_value(key, self.start_ts, value));
        rows.put_version_of(key, &lock, commit_ts);
        match replaced {
            Some(replaced) => rows.release(key, &replaced, commit_ts),
            None => Ok(()),
        }
    }

    /// What is answered when it is known when the transaction is, or can be, committed.
    const fn committed(&self, ts: u64) -> Prewritten {
        if self.try_one_pc {
            let min_commit_ts = if self.secondaries.is_some() { ts } else { 0 };
            Prewritten { min_commit_ts, one_pc_commit_ts: ts }
        } else if self.secondaries.is_some() {
            Prewritten { min_commit_ts: ts, one_pc_commit_ts: 0 }
        } else {
            Prewritten { min_commit_ts: 0, one_pc_commit_ts: 0 }
        }
    }
}

impl Prewrite {
    /// Whether nobody looks at what others have done to a key.
    pub(super) fn skips_constraint_check(&self, mutation: &Mutation) -> bool {
        if !self.is_pessimistic() {
            return self.skip_constraint_check;
        }
        match mutation.pessimistic {
            PessimisticAction::DoPessimisticCheck => true,
            // Asked for again, it may have been done, and undone.
            PessimisticAction::Skip => !self.is_retry,
            PessimisticAction::DoConstraintCheck => false,
        }
    }
}
