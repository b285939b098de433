//! Whether a key may be locked by a prewrite.

use std::ops::ControlFlow;

use super::command::{Latched, Refusal};
use super::error::{Abort, AssertionFailed, ConflictReason, KeyError, PessimisticLockLost, WriteConflict};
use super::key::EncodedKey;
use super::lock::{Lock, LockKind};
use super::mutation::{Assertion, AssertionLevel, Change, Mutation, PessimisticAction};
use super::prewrite::Prewrite;
use super::rows::{Fate, Version};
use super::write::{Write, WriteKind};

/// What is to be done with a key.
pub(super) enum Checked {
    /// It has the lock already. If the commit timestamp is calculated, this is its minimum; 0 if it is not.
    Locked { min_commit_ts: u64 },
    /// Nothing is to be written.
    Nothing,
    /// A later bit of the transaction's buffer has been written already.
    Stale,
    /// It is to be locked, perhaps over a lock of the transaction's own.
    ToLock { replaced: Option<Box<Lock>> },
}

/// Looks whether a key may be locked.
pub(super) fn check(
    prewrite: &Prewrite,
    rows: &mut Latched<'_>,
    key: &EncodedKey,
    mutation: &Mutation,
) -> Result<Checked, Refusal> {
    let writes_nothing = mutation.change == Change::CheckNotExists;
    if writes_nothing && prewrite.is_pessimistic() {
        return Err(
            Abort::CheckNotExistsInPessimistic { start_ts: prewrite.start_ts, key: mutation.key.clone() }.into()
        );
    }
    let check = Check { prewrite, mutation, key };
    if check.should_not_exist() {
        // That a key is not there is told as a reader is told.
        rows.timestamps().raise(prewrite.start_ts);
    }
    let mut is_asserted = false;
    let lock = rows.lock(key)?;
    if lock.is_none() {
        rows.check_past(key, prewrite.start_ts)?;
    }
    let replaced = match lock {
        Some(lock) => match check.met(lock)? {
            Own::Prewritten { min_commit_ts } => return Ok(Checked::Locked { min_commit_ts }),
            Own::Stale => return Ok(Checked::Stale),
            Own::ToReplace(lock) => {
                // A key is asserted by the first bit of the buffer that it is in.
                is_asserted = !lock.is_pessimistic();
                Some(Box::new(lock))
            }
        },
        None if mutation.pessimistic == PessimisticAction::DoPessimisticCheck && prewrite.is_pessimistic() => {
            check.amend(rows)?;
            is_asserted = true;
            None
        }
        None => {
            check.not_undone(rows)?;
            None
        }
    };
    let newest = if prewrite.skips_constraint_check(mutation) { None } else { Some(check.newer_version(rows)?) };
    if !is_asserted {
        check.assertion(rows, newest)?;
    }
    Ok(if writes_nothing { Checked::Nothing } else { Checked::ToLock { replaced } })
}

struct Check<'a> {
    prewrite: &'a Prewrite,
    mutation: &'a Mutation,
    key: &'a EncodedKey,
}

/// A lock of the transaction's own.
enum Own {
    Prewritten {
        min_commit_ts: u64,
    },
    /// One that comes to say something else.
    ToReplace(Lock),
    Stale,
}

impl Check<'_> {
    const fn should_not_exist(&self) -> bool {
        matches!(self.mutation.change, Change::Insert(_) | Change::CheckNotExists)
    }

    fn met(&self, lock: Lock) -> Result<Own, Refusal> {
        let start_ts = self.prewrite.start_ts;
        if lock.start_ts != start_ts {
            return Err(self.met_another(&lock));
        }
        if self.prewrite.generation > 0 && !lock.is_pessimistic() {
            return self.met_earlier_generation(lock);
        }
        if !lock.is_pessimistic() {
            let min_commit_ts = if lock.use_async_commit { lock.min_commit_ts } else { 0 };
            return Ok(Own::Prewritten { min_commit_ts });
        }
        if !self.prewrite.is_pessimistic() {
            let key = self.mutation.key.clone();
            return Err(Abort::LockTypeNotMatch { start_ts, key, is_pessimistic: true }.into());
        }
        if self.mutation.expected_for_update_ts.is_some_and(|expected| expected != lock.for_update_ts) {
            // The lock that the client knows was lost, and this one was taken later, over versions it has not seen.
            return Err(self.lost(PessimisticLockLost::OtherForUpdateTs));
        }
        Ok(Own::ToReplace(lock))
    }

    fn met_earlier_generation(&self, lock: Lock) -> Result<Own, Refusal> {
        if lock.generation >= self.prewrite.generation {
            return Ok(Own::Stale);
        }
        if self.should_not_exist() && lock.kind == LockKind::Put {
            return Err(KeyError::AlreadyExists { key: self.mutation.key.clone() }.into());
        }
        Ok(Own::ToReplace(lock))
    }

    fn met_another(&self, lock: &Lock) -> Refusal {
        if self.prewrite.is_pessimistic() && self.mutation.pessimistic == PessimisticAction::DoPessimisticCheck {
            return self.lost(PessimisticLockLost::LockedByAnother);
        }
        let mut info = lock.info(self.mutation.key.clone());
        if self.prewrite.is_pessimistic() {
            // What keeps others away are the locks of other keys: nobody need wait for this one.
            info.ttl_ms = 0;
        }
        Refusal::Key(info.into())
    }

    /// A pessimistic lock that is gone can be done without if nobody has written the key since the transaction started.
    fn amend(&self, rows: &mut Latched<'_>) -> Result<(), Refusal> {
        let newest = rows.newest(self.key, u64::MAX)?;
        if newest.as_ref().is_some_and(|version| version.commit_ts >= self.prewrite.start_ts) {
            return Err(self.lost(PessimisticLockLost::VersionBehind));
        }
        self.assertion(rows, Some(newest))
    }

    /// A key that is locked without a look at its versions must not have been rolled back, or committed, before.
    fn not_undone(&self, rows: &mut Latched<'_>) -> Result<(), Refusal> {
        if !self.prewrite.is_pessimistic() || !self.prewrite.skips_constraint_check(self.mutation) {
            return Ok(());
        }
        let start_ts = self.prewrite.start_ts;
        match rows.fate(self.key, start_ts)? {
            Fate::Unknown { .. } => Ok(()),
            Fate::RolledBack => Err(self.conflict(start_ts, start_ts, ConflictReason::SelfRolledBack)),
            Fate::Committed { .. } => Err(self.lost(PessimisticLockLost::VersionBehind)),
        }
    }

    /// The newest version, without its value, if it is not one too many; `None` also where nothing is asked of it.
    fn newer_version(&self, rows: &mut Latched<'_>) -> Result<Option<Version>, Refusal> {
        if self.asks_only_when() {
            let newest = rows.read().newest_commit_ts(self.key)?;
            if newest.is_none_or(|commit_ts| commit_ts < self.prewrite.start_ts) {
                return Ok(None);
            }
        }
        let (mut judged, mut newest) = (Ok(()), None);
        rows.read().versions_without_values(self.key, u64::MAX, |commit_ts, write| {
            match self.judge(commit_ts, &write) {
                Ok(true) => {
                    newest = Some(Version { commit_ts, write });
                    ControlFlow::Break(())
                }
                Ok(false) => ControlFlow::Continue(()),
                Err(refusal) => {
                    judged = Err(refusal);
                    ControlFlow::Break(())
                }
            }
        })?;
        judged?;
        if let Some(version) = &newest {
            self.data_constraint(rows, version)?;
        }
        Ok(newest)
    }

    /// Whether nothing is asked of a version that was committed before the transaction started, whatever it says.
    fn asks_only_when(&self) -> bool {
        let asserts =
            self.mutation.assertion != Assertion::None && self.prewrite.assertion_level != AssertionLevel::Off;
        !self.prewrite.is_pessimistic() && !self.should_not_exist() && !asserts
    }

    /// Whether a version is the newest that counts.
    fn judge(&self, commit_ts: u64, write: &Write) -> Result<bool, Refusal> {
        let Prewrite { start_ts, for_update_ts, .. } = *self.prewrite;
        let is_rollback = write.kind == WriteKind::Rollback;
        if commit_ts == start_ts && (is_rollback || write.has_overlapped_rollback) {
            return Err(self.conflict(write.start_ts, commit_ts, ConflictReason::SelfRolledBack));
        }
        if !self.prewrite.is_pessimistic() {
            let is_newer = commit_ts > start_ts;
            return if is_newer {
                Err(self.conflict(write.start_ts, commit_ts, ConflictReason::Optimistic))
            } else {
                Ok(true)
            };
        }
        if self.mutation.pessimistic == PessimisticAction::DoConstraintCheck && commit_ts > start_ts {
            return Err(self.conflict(write.start_ts, commit_ts, ConflictReason::LazyUniquenessCheck));
        }
        if commit_ts <= for_update_ts {
            return Ok(true);
        }
        // A rollback may be written although the key is locked, and says nothing of it.
        if is_rollback { Ok(false) } else { Err(self.lost(PessimisticLockLost::NotLockedKeyConflict)) }
    }

    /// A key that is to be new must have no value.
    fn data_constraint(&self, rows: &mut Latched<'_>, newest: &Version) -> Result<(), Refusal> {
        if self.should_not_exist() && is_put(&data_version(rows, self.key, Some(newest))?) {
            return Err(KeyError::AlreadyExists { key: self.mutation.key.clone() }.into());
        }
        Ok(())
    }

    /// What is taken for granted; `newest` if it was read.
    fn assertion(&self, rows: &mut Latched<'_>, newest: Option<Option<Version>>) -> Result<(), Refusal> {
        let (assertion, level) = (self.mutation.assertion, self.prewrite.assertion_level);
        if assertion == Assertion::None || level == AssertionLevel::Off {
            return Ok(());
        }
        let newest = match newest {
            Some(newest) => newest,
            None if level == AssertionLevel::Fast => return Ok(()),
            None => rows.newest(self.key, u64::MAX)?,
        };
        let existing = data_version(rows, self.key, newest.as_ref())?;
        let holds = match assertion {
            Assertion::None => true,
            Assertion::Exist => is_put(&existing),
            Assertion::NotExist => !is_put(&existing),
        };
        if holds {
            return Ok(());
        }
        if self.prewrite.skips_constraint_check(self.mutation) {
            // It may fail because the transaction was rolled back, which is the better answer.
            self.newer_version(rows)?;
        }
        let (existing_start_ts, existing_commit_ts) =
            existing.map_or((0, 0), |version| (version.write.start_ts, version.commit_ts));
        let (start_ts, key) = (self.prewrite.start_ts, self.mutation.key.clone());
        let failed = AssertionFailed { start_ts, key, assertion, existing_start_ts, existing_commit_ts };
        Err(KeyError::AssertionFailed(Box::new(failed)).into())
    }

    fn lost(&self, reason: PessimisticLockLost) -> Refusal {
        let (start_ts, key) = (self.prewrite.start_ts, self.mutation.key.clone());
        Abort::PessimisticLockNotFound { start_ts, key, reason }.into()
    }

    fn conflict(&self, conflict_start_ts: u64, conflict_commit_ts: u64, reason: ConflictReason) -> Refusal {
        let conflict = WriteConflict {
            start_ts: self.prewrite.start_ts,
            conflict_start_ts,
            conflict_commit_ts,
            key: self.mutation.key.clone(),
            primary: self.prewrite.primary.clone(),
            reason,
        };
        Refusal::Key(conflict.into())
    }
}

/// The newest version that readers see, when the newest one is known.
pub(super) fn data_version(
    rows: &mut Latched<'_>,
    key: &EncodedKey,
    newest: Option<&Version>,
) -> Result<Option<Version>, crate::Error> {
    match newest {
        Some(version) if !version.write.kind.is_data() => rows.read().newest_data(key, version.commit_ts),
        newest => Ok(newest.cloned()),
    }
}

pub(super) fn is_put(version: &Option<Version>) -> bool {
    version.as_ref().is_some_and(|version| version.write.kind == WriteKind::Put)
}
