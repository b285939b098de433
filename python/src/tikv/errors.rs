//! What TiKV says of keys and transactions, with its data, as exceptions.

use charioteer::Error;
use charioteer::tikv::{ConflictReason, TxnError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::bridge::{Answer, python};

/// An exception as it is, or the one of `charioteer.tikv` with its data if the error says something of a transaction.
pub(crate) fn with_data<'py>(exception: Bound<'py, PyAny>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    let Some(known) = TxnError::of(error) else { return Ok(exception) };
    let py = exception.py();
    let data = PyDict::new(py);
    data.set_item("is_restartable", known.is_restartable())?;
    let class = class_and_data(known, &data)?;
    python!(py, "charioteer.tikv.errors", "_with_data")?.call1((exception, class, data))
}

/// The exception's class, and what it tells beside what all errors do.
fn class_and_data<'py>(known: &TxnError, data: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
    let py = data.py();
    let class = match known {
        TxnError::WriteConflict(conflict) => {
            data.set_item("key", conflict.key.clone().into_python(py)?)?;
            data.set_item("start_ts", u64::from(conflict.start_ts))?;
            data.set_item("conflict_start_ts", u64::from(conflict.conflict_start_ts))?;
            data.set_item("conflict_commit_ts", u64::from(conflict.conflict_commit_ts))?;
            data.set_item("primary", conflict.primary.clone().into_python(py)?)?;
            data.set_item("reason", reason(conflict.reason))?;
            python!(py, "charioteer.tikv.errors", "WriteConflict")
        }
        TxnError::Deadlock(deadlock) => {
            data.set_item("lock_ts", u64::from(deadlock.lock_ts))?;
            data.set_item("key", deadlock.key.clone().into_python(py)?)?;
            data.set_item("deadlock_key", deadlock.deadlock_key.clone().into_python(py)?)?;
            data.set_item("deadlock_key_hash", deadlock.deadlock_key_hash)?;
            data.set_item("cycle", deadlock.cycle.clone().into_python(py)?)?;
            python!(py, "charioteer.tikv.errors", "Deadlock")
        }
        TxnError::AlreadyExists { key } => {
            data.set_item("key", key.clone().into_python(py)?)?;
            python!(py, "charioteer.tikv.errors", "KeyExists")
        }
        TxnError::LockWaitTimeout(lock) => {
            data.set_item("lock", lock.clone().into_python(py)?)?;
            python!(py, "charioteer.tikv.errors", "LockWaitTimeout")
        }
        TxnError::Locked(lock) => {
            data.set_item("lock", lock.clone().into_python(py)?)?;
            python!(py, "charioteer.tikv.errors", "KeyLocked")
        }
        TxnError::RolledBack { .. } => python!(py, "charioteer.tikv.errors", "RolledBack"),
        TxnError::TooOld { at, safe_point } => {
            data.set_item("at", u64::from(*at))?;
            data.set_item("safe_point", u64::from(*safe_point))?;
            python!(py, "charioteer.tikv.errors", "TooOld")
        }
        TxnError::CommitTooLate { commit_ts } => {
            data.set_item("commit_ts", u64::from(*commit_ts))?;
            python!(py, "charioteer.tikv.errors", "CommitTooLate")
        }
        TxnError::AssertionFailed { key, exists } => {
            data.set_item("key", key.clone().into_python(py)?)?;
            data.set_item("exists", *exists)?;
            python!(py, "charioteer.tikv.errors", "AssertionFailed")
        }
        TxnError::Undetermined => python!(py, "charioteer.tikv.errors", "Undetermined"),
        _ => python!(py, "charioteer.tikv.errors", "TxnError"),
    };
    class.cloned()
}

fn reason(reason: ConflictReason) -> &'static str {
    match reason {
        ConflictReason::Optimistic => "optimistic",
        ConflictReason::PessimisticRetry => "pessimistic_retry",
        ConflictReason::SelfRolledBack => "self_rolled_back",
        ConflictReason::ReadCommitted => "read_committed",
        ConflictReason::LazyUniqueness => "lazy_uniqueness",
        ConflictReason::NotLocked => "not_locked",
        _ => "unknown",
    }
}
