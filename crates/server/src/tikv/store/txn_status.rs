//! What has become of transactions, and what is done to their locks then.

use std::collections::BTreeMap;

use charioteer_engine::mvcc::{
    CheckSecondaryLocks, CheckTxnStatus, KeyError, KeyRange, LockInfo, ResolveLock, ResolveLockLite, ScanLock,
    SecondaryLocks, TxnHeartBeat, TxnStatus,
};
use charioteer_proto::tikv::Message;
use charioteer_proto::tikv::kvrpcpb::{
    self, Action, CheckSecondaryLocksRequest, CheckSecondaryLocksResponse, CheckTxnStatusRequest,
    CheckTxnStatusResponse, ResolveLockRequest, ResolveLockResponse, ScanLockRequest, ScanLockResponse,
    TxnHeartBeatRequest, TxnHeartBeatResponse,
};
use charioteer_proto::tikv::rpc;

use super::super::cluster::Access;
use super::refusal::Refusal;
use super::txn::stored_keys;
use super::txn_errors::{lock_info, told};
use super::{Serve, Serving, Store};
use crate::backend::{Rows, Soon};

impl<R: Rows> Serve<rpc::KvTxnHeartBeat> for Store<R> {
    fn serve(&self, asked: TxnHeartBeatRequest) -> Serving<TxnHeartBeatResponse> {
        let stored = stored_keys(asked.context.as_ref());
        self.txn_place(asked.context.as_ref(), Access::Write)?.check_key(&asked.primary_lock)?;
        let beat = TxnHeartBeat {
            primary: asked.primary_lock,
            start_ts: asked.start_version,
            advise_ttl_ms: asked.advise_lock_ttl,
            min_commit_ts: asked.min_commit_ts,
        };
        Ok(self.submit(stored, 1, beat).map(|alive| {
            Ok(match alive? {
                Ok(lock_ttl) => TxnHeartBeatResponse { lock_ttl, ..TxnHeartBeatResponse::default() },
                Err(error) => {
                    TxnHeartBeatResponse { error: Some(Box::new(told(error))), ..TxnHeartBeatResponse::default() }
                }
            })
        }))
    }
}

impl<R: Rows> Serve<rpc::KvCheckTxnStatus> for Store<R> {
    fn serve(&self, asked: CheckTxnStatusRequest) -> Serving<CheckTxnStatusResponse> {
        let stored = stored_keys(asked.context.as_ref());
        self.txn_place(asked.context.as_ref(), Access::Write)?.check_key(&asked.primary_key)?;
        self.check_timestamps([asked.lock_ts, asked.caller_start_ts, asked.current_ts])?;
        let check = CheckTxnStatus {
            primary: asked.primary_key,
            start_ts: asked.lock_ts,
            caller_start_ts: asked.caller_start_ts,
            current_ts: asked.current_ts,
            rollback_if_not_exist: asked.rollback_if_not_exist,
            force_sync_commit: asked.force_sync_commit,
            resolving_pessimistic_lock: asked.resolving_pessimistic_lock,
            verify_is_primary: asked.verify_is_primary,
        };
        Ok(self.submit(stored, 1, check).map(|status| {
            Ok(match status? {
                Ok(status) => status_of(status),
                Err(error) => {
                    CheckTxnStatusResponse { error: Some(Box::new(told(error))), ..CheckTxnStatusResponse::default() }
                }
            })
        }))
    }
}

fn status_of(status: TxnStatus) -> CheckTxnStatusResponse {
    let after = |action: Action| CheckTxnStatusResponse { action: action.into(), ..CheckTxnStatusResponse::default() };
    match status {
        TxnStatus::Committed { commit_ts } => {
            CheckTxnStatusResponse { commit_version: commit_ts, ..CheckTxnStatusResponse::default() }
        }
        TxnStatus::RolledBack => after(Action::NoAction),
        TxnStatus::TtlExpired => after(Action::TtlExpireRollback),
        TxnStatus::PessimisticRolledBack => after(Action::TtlExpirePessimisticRollback),
        TxnStatus::LockNotExistRolledBack => after(Action::LockNotExistRollback),
        TxnStatus::LockNotExistDoNothing => after(Action::LockNotExistDoNothing),
        TxnStatus::Uncommitted { lock, min_commit_ts_pushed } => {
            let action = if min_commit_ts_pushed { Action::MinCommitTsPushed } else { Action::NoAction };
            let (lock_ttl, lock_info) = (lock.ttl_ms, Some(Box::new(lock_info(*lock))));
            CheckTxnStatusResponse { lock_ttl, lock_info, ..after(action) }
        }
    }
}

impl<R: Rows> Serve<rpc::KvCheckSecondaryLocks> for Store<R> {
    fn serve(&self, asked: CheckSecondaryLocksRequest) -> Serving<CheckSecondaryLocksResponse> {
        let stored = stored_keys(asked.context.as_ref());
        self.txn_place(asked.context.as_ref(), Access::Write)?.check_keys(&asked.keys)?;
        self.check_timestamps([asked.start_version])?;
        let check = CheckSecondaryLocks { keys: asked.keys, start_ts: asked.start_version };
        Ok(self.submit(stored, check.keys.len(), check).map(|found| {
            Ok(match found? {
                Ok(SecondaryLocks::Locked(locks)) => {
                    let locks = locks.into_iter().map(lock_info).collect();
                    CheckSecondaryLocksResponse { locks, ..CheckSecondaryLocksResponse::default() }
                }
                Ok(SecondaryLocks::Committed { commit_ts }) => {
                    CheckSecondaryLocksResponse { commit_ts, ..CheckSecondaryLocksResponse::default() }
                }
                Ok(SecondaryLocks::RolledBack) => CheckSecondaryLocksResponse::default(),
                Err(error) => {
                    let error = Some(Box::new(told(error)));
                    CheckSecondaryLocksResponse { error, ..CheckSecondaryLocksResponse::default() }
                }
            })
        }))
    }
}

impl<R: Rows> Serve<rpc::KvResolveLock> for Store<R> {
    /// Ends transactions whose fate is known: at the keys that are named, or everywhere in the region.
    fn serve(&self, asked: ResolveLockRequest) -> Serving<ResolveLockResponse> {
        let stored = stored_keys(asked.context.as_ref());
        let place = self.txn_place(asked.context.as_ref(), Access::Write)?;
        if !asked.keys.is_empty() {
            place.check_keys(&asked.keys)?;
            let (start_ts, commit_ts) = (asked.start_version, asked.commit_version);
            let resolve = ResolveLockLite { start_ts, commit_ts, keys: asked.keys };
            return Ok(self.submit(stored, resolve.keys.len(), resolve).map(|resolved| Ok(resolved_to(resolved?))));
        }
        let transactions: BTreeMap<u64, u64> = match &asked.txn_infos[..] {
            [] => [(asked.start_version, asked.commit_version)].into(),
            infos => infos.iter().map(|info| (info.txn, info.status)).collect(),
        };
        let (start, end) = place.bounds()?;
        let resolve = ResolveLock { range: KeyRange { start, end }, transactions };
        Ok(self.submit_pieces(stored, resolve, |left| left).map(|resolved| Ok(resolved_to(resolved?))))
    }
}

fn resolved_to(resolved: Result<(), KeyError>) -> ResolveLockResponse {
    let error = resolved.err().map(|error| Box::new(told(error)));
    ResolveLockResponse { error, ..ResolveLockResponse::default() }
}

impl<R: Rows> Serve<rpc::KvScanLock> for Store<R> {
    /// Whoever collects garbage walks over whole regions, whatever the version of its keys.
    fn serve(&self, asked: ScanLockRequest) -> Serving<ScanLockResponse> {
        let stored = stored_keys(asked.context.as_ref());
        let place = self.txn_place(asked.context.as_ref(), Access::Read)?;
        self.check_timestamps([asked.max_version])?;
        let (start, end) = place.clip(&asked.start_key, &asked.end_key)?;
        if start >= end && !end.is_empty() {
            return Ok(Soon::Ready(Ok(ScanLockResponse::default())));
        }
        let scan = ScanLock::new(KeyRange { start, end }, asked.max_version, asked.limit as usize);
        let (region_id, most) = (place.region_id(), self.most_bytes);
        Ok(self.look(stored, scan).map(move |found| match found? {
            Ok(locks) => {
                let locks = told_locks(locks, region_id, most)?;
                Ok(ScanLockResponse { locks, ..ScanLockResponse::default() })
            }
            Err(error) => Ok(ScanLockResponse { error: Some(Box::new(told(error))), ..ScanLockResponse::default() }),
        }))
    }
}

/// Locks as they travel, if they all go into an answer.
pub(super) fn told_locks(locks: Vec<LockInfo>, region_id: u64, most: usize) -> Result<Vec<kvrpcpb::LockInfo>, Refusal> {
    let locks: Vec<_> = locks.into_iter().map(lock_info).collect();
    let bytes: usize = locks.iter().map(|lock| lock.encoded_len() + BYTES_AROUND).sum();
    if bytes > most { Err(Refusal::TooLarge { region_id, most }) } else { Ok(locks) }
}

/// What a lock needs in an answer besides, at most.
const BYTES_AROUND: usize = 8;
