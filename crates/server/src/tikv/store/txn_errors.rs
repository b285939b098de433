//! What the rules of transactions answer in place of what was asked for, as clients know it.
//!
//! Clients act on the fields. Where an error has none of its own, `abort` has the original's text of it, as some print or search it;
//! what can be tried again says so in `retryable` too, for clients of old.

use std::fmt::Write;

use charioteer_engine::mvcc::{
    Abort, Assertion, ConflictReason, Deadlock, KeyError, LockInfo, LockKind, PessimisticLockLost, WaitForEntry,
    WriteConflict,
};
use charioteer_proto::tikv::kvrpcpb::write_conflict::Reason;
use charioteer_proto::tikv::{deadlock, kvrpcpb};

use super::api::Rule;

/// An error of a key as it travels.
pub(super) fn told(error: KeyError) -> kvrpcpb::KeyError {
    let none = kvrpcpb::KeyError::default;
    match error {
        KeyError::Locked(lock) => kvrpcpb::KeyError { locked: Some(lock_info(*lock).into()), ..none() },
        KeyError::WriteConflict(conflict) => kvrpcpb::KeyError {
            retryable: text_of_conflict(&conflict),
            conflict: Some(write_conflict(*conflict).into()),
            ..none()
        },
        KeyError::AlreadyExists { key } => {
            kvrpcpb::KeyError { already_exist: Some(kvrpcpb::AlreadyExist { key }.into()), ..none() }
        }
        KeyError::Deadlock(circle) => kvrpcpb::KeyError { deadlock: Some(deadlock_of(*circle).into()), ..none() },
        KeyError::CommitTsExpired(expired) => {
            let (start_ts, attempted_commit_ts) = (expired.start_ts, expired.commit_ts);
            let (key, min_commit_ts) = (expired.key, expired.min_commit_ts);
            let expired = kvrpcpb::CommitTsExpired { start_ts, attempted_commit_ts, key, min_commit_ts };
            kvrpcpb::KeyError { commit_ts_expired: Some(expired.into()), ..none() }
        }
        KeyError::CommitTsTooLarge { commit_ts } => {
            kvrpcpb::KeyError { commit_ts_too_large: Some(kvrpcpb::CommitTsTooLarge { commit_ts }.into()), ..none() }
        }
        KeyError::TxnNotFound { start_ts, primary: primary_key } => {
            kvrpcpb::KeyError { txn_not_found: Some(kvrpcpb::TxnNotFound { start_ts, primary_key }.into()), ..none() }
        }
        KeyError::TxnLockNotFound { start_ts, commit_ts, key } => {
            let text = format!(
                "TxnLockNotFound {{ start_ts: TimeStamp({start_ts}), commit_ts: TimeStamp({commit_ts}), key: {:?}, mvcc_info: None }}",
                &key[..]
            );
            let txn_lock_not_found = Some(kvrpcpb::TxnLockNotFound { key }.into());
            kvrpcpb::KeyError { retryable: of_mvcc(&text), txn_lock_not_found, ..none() }
        }
        // What clients say who look for themselves.
        KeyError::TooOld { ts, safe_point } => aborted(format!(
            "GC life time is shorter than transaction duration, transaction starts at {ts}, GC safe point is {safe_point}"
        )),
        KeyError::AssertionFailed(failed) => {
            let failed = kvrpcpb::AssertionFailed {
                start_ts: failed.start_ts,
                key: failed.key,
                assertion: assertion(failed.assertion).into(),
                existing_start_ts: failed.existing_start_ts,
                existing_commit_ts: failed.existing_commit_ts,
            };
            kvrpcpb::KeyError { assertion_failed: Some(failed.into()), ..none() }
        }
        KeyError::PrimaryMismatch(lock) => {
            let mismatch = kvrpcpb::PrimaryMismatch { lock_info: Some(lock_info(*lock).into()) };
            kvrpcpb::KeyError { primary_mismatch: Some(mismatch.into()), ..none() }
        }
        KeyError::Abort(abort) => aborted(text_of_abort(&abort)),
    }
}

/// That a transaction cannot go on, and why.
pub(super) fn aborted(abort: String) -> kvrpcpb::KeyError {
    kvrpcpb::KeyError { abort, ..kvrpcpb::KeyError::default() }
}

/// That a request breaks a rule.
pub(super) fn broken(rule: &Rule) -> kvrpcpb::KeyError {
    aborted(format!("Error({rule:?})"))
}

/// The answer to a scan that was not begun. The error stands in a pair too, where clients of old look.
pub(super) fn refused_scan(error: kvrpcpb::KeyError) -> kvrpcpb::ScanResponse {
    let in_pair = kvrpcpb::KvPair { error: Some(Box::new(error.clone())), ..kvrpcpb::KvPair::default() };
    kvrpcpb::ScanResponse { error: Some(Box::new(error)), pairs: vec![in_pair], ..kvrpcpb::ScanResponse::default() }
}

/// A lock as it travels.
pub(super) fn lock_info(lock: LockInfo) -> kvrpcpb::LockInfo {
    kvrpcpb::LockInfo {
        primary_lock: lock.primary,
        lock_version: lock.start_ts,
        key: lock.key,
        lock_ttl: lock.ttl_ms,
        txn_size: lock.txn_size,
        lock_type: op(lock.kind).into(),
        lock_for_update_ts: lock.for_update_ts,
        use_async_commit: lock.use_async_commit,
        min_commit_ts: lock.min_commit_ts,
        secondaries: lock.secondaries,
        duration_to_last_update_ms: lock.duration_to_last_update_ms,
        shared_lock_infos: Vec::new(),
    }
}

/// What is done to a key, as it travels.
pub(super) const fn op(kind: LockKind) -> kvrpcpb::Op {
    match kind {
        LockKind::Put => kvrpcpb::Op::Put,
        LockKind::Delete => kvrpcpb::Op::Del,
        LockKind::Lock => kvrpcpb::Op::Lock,
        LockKind::Pessimistic => kvrpcpb::Op::PessimisticLock,
    }
}

const fn assertion(assertion: Assertion) -> kvrpcpb::Assertion {
    match assertion {
        Assertion::None => kvrpcpb::Assertion::None,
        Assertion::Exist => kvrpcpb::Assertion::Exist,
        Assertion::NotExist => kvrpcpb::Assertion::NotExist,
    }
}

const fn reason(reason: ConflictReason) -> Reason {
    match reason {
        ConflictReason::Optimistic => Reason::Optimistic,
        ConflictReason::PessimisticRetry => Reason::PessimisticRetry,
        ConflictReason::SelfRolledBack => Reason::SelfRolledBack,
        ConflictReason::RcCheckTs => Reason::RcCheckTs,
        ConflictReason::LazyUniquenessCheck => Reason::LazyUniquenessCheck,
        ConflictReason::NotLockedKeyConflict => Reason::NotLockedKeyConflict,
    }
}

fn write_conflict(conflict: WriteConflict) -> kvrpcpb::WriteConflict {
    kvrpcpb::WriteConflict {
        start_ts: conflict.start_ts,
        conflict_ts: conflict.conflict_start_ts,
        key: conflict.key,
        primary: conflict.primary,
        conflict_commit_ts: conflict.conflict_commit_ts,
        reason: reason(conflict.reason).into(),
    }
}

fn deadlock_of(circle: Deadlock) -> kvrpcpb::Deadlock {
    let entry = |entry: WaitForEntry| deadlock::WaitForEntry {
        txn: entry.start_ts,
        wait_for_txn: entry.wait_for_ts,
        key_hash: entry.key_hash,
        key: entry.key,
        resource_group_tag: entry.resource_group_tag,
        wait_time: entry.wait_time_ms,
    };
    kvrpcpb::Deadlock {
        lock_ts: circle.lock_ts,
        lock_key: circle.lock_key,
        deadlock_key_hash: circle.deadlock_key_hash,
        wait_chain: circle.wait_chain.into_iter().map(entry).collect(),
        deadlock_key: circle.deadlock_key,
    }
}

fn text_of_conflict(conflict: &WriteConflict) -> String {
    of_mvcc(&format!(
        "WriteConflict {{ start_ts: TimeStamp({}), conflict_start_ts: TimeStamp({}), conflict_commit_ts: TimeStamp({}), \
         key: {:?}, primary: {:?}, reason: {:?} }}",
        conflict.start_ts,
        conflict.conflict_start_ts,
        conflict.conflict_commit_ts,
        &conflict.key[..],
        &conflict.primary[..],
        reason(conflict.reason)
    ))
}

/// As the original prints it, with its names.
fn text_of_abort(abort: &Abort) -> String {
    match abort {
        Abort::InvalidTimestamps { start_ts, commit_ts } => {
            let error =
                format!("InvalidTxnTso {{ start_ts: TimeStamp({start_ts}), commit_ts: TimeStamp({commit_ts}) }}");
            format!("Error(Txn(Error({error})))")
        }
        Abort::Committed { start_ts, commit_ts, key } => {
            let commit = format!("commit_ts: TimeStamp({commit_ts}), ");
            of_key("Committed", *start_ts, &commit, key, "")
        }
        Abort::LockTypeNotMatch { start_ts, key, is_pessimistic } => {
            of_key("LockTypeNotMatch", *start_ts, "", key, &format!(", pessimistic: {is_pessimistic}"))
        }
        Abort::PessimisticLockNotFound { start_ts, key, reason } => {
            let reason = match reason {
                PessimisticLockLost::LockedByAnother => "LockTsMismatch",
                PessimisticLockLost::VersionBehind => "LockMissingAmendFail",
                PessimisticLockLost::OtherForUpdateTs => "LockForUpdateTsMismatch",
                PessimisticLockLost::NotLockedKeyConflict => "NonLockKeyConflict",
            };
            of_key("PessimisticLockNotFound", *start_ts, "", key, &format!(", reason: {reason}"))
        }
        Abort::PessimisticLockRolledBack { start_ts, key } => {
            of_key("PessimisticLockRolledBack", *start_ts, "", key, "")
        }
        Abort::LockIfExistsWithoutValues { start_ts, key } => of_key("LockIfExistsFailed", *start_ts, "", key, ""),
        other => {
            let mut text = String::from("Error(Txn(Error(Other(");
            // Writing to a string cannot fail.
            let _ = write!(text, "{:?}))))", other.to_string());
            text
        }
    }
}

fn of_key(name: &str, start_ts: u64, before_key: &str, key: &[u8], behind_key: &str) -> String {
    of_mvcc(&format!("{name} {{ start_ts: TimeStamp({start_ts}), {before_key}key: {key:?}{behind_key} }}"))
}

fn of_mvcc(error: &str) -> String {
    format!("Error(Txn(Error(Mvcc(Error({error})))))")
}
