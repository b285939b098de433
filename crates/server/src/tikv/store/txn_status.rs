//! What has become of transactions, and what is done to their locks then.

use std::collections::BTreeMap;

use charioteer_engine::mvcc::{
    CheckTxnStatus, KeyError, KeyRange, ResolveLock, ResolveLockLite, TxnHeartBeat, TxnStatus,
};
use charioteer_proto::tikv::kvrpcpb::{
    Action, CheckTxnStatusRequest, CheckTxnStatusResponse, ResolveLockRequest, ResolveLockResponse,
    TxnHeartBeatRequest, TxnHeartBeatResponse,
};
use charioteer_proto::tikv::rpc;

use super::super::cluster::Access;
use super::txn::submit;
use super::txn_errors::{lock_info, told};
use super::{Serve, Serving, Store};
use crate::backend::{Rows, Soon};

impl<R: Rows> Serve<rpc::KvTxnHeartBeat> for Store<R> {
    fn serve(&self, asked: TxnHeartBeatRequest) -> Serving<TxnHeartBeatResponse> {
        self.txn_place(asked.context.as_ref(), Access::Write)?.check_key(&asked.primary_lock)?;
        let beat = TxnHeartBeat {
            primary: asked.primary_lock,
            start_ts: asked.start_version,
            advise_ttl_ms: asked.advise_lock_ttl,
            min_commit_ts: asked.min_commit_ts,
        };
        Ok(self.submit(1, beat).map(|alive| {
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
        self.txn_place(asked.context.as_ref(), Access::Write)?.check_key(&asked.primary_key)?;
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
        Ok(self.submit(1, check).map(|status| {
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

impl<R: Rows> Serve<rpc::KvResolveLock> for Store<R> {
    /// Ends transactions whose fate is known: at the keys that are named, or everywhere in the region.
    fn serve(&self, asked: ResolveLockRequest) -> Serving<ResolveLockResponse> {
        let place = self.txn_place(asked.context.as_ref(), Access::Write)?;
        if !asked.keys.is_empty() {
            place.check_keys(&asked.keys)?;
            let (start_ts, commit_ts) = (asked.start_version, asked.commit_version);
            let resolve = ResolveLockLite { start_ts, commit_ts, keys: asked.keys };
            return Ok(self.submit(resolve.keys.len(), resolve).map(|resolved| Ok(resolved_to(resolved?))));
        }
        let transactions: BTreeMap<u64, u64> = match &asked.txn_infos[..] {
            [] => [(asked.start_version, asked.commit_version)].into(),
            infos => infos.iter().map(|info| (info.txn, info.status)).collect(),
        };
        let (start, end) = place.bounds()?;
        let mut left = Some(ResolveLock { range: KeyRange { start, end }, transactions });
        let (rows, waits) = (self.rows.clone(), self.waits.clone());
        Ok(Soon::later(async move {
            while let Some(resolve) = left.take() {
                match submit(&rows, &waits, LOCKS_AT_A_TIME, resolve).wait().await? {
                    Ok(rest) => left = rest,
                    Err(error) => return Ok(resolved_to(Err(error))),
                }
                tokio::task::yield_now().await;
            }
            Ok(ResolveLockResponse::default())
        }))
    }
}

/// About how many locks are looked at in one piece.
const LOCKS_AT_A_TIME: usize = 256;

fn resolved_to(resolved: Result<(), KeyError>) -> ResolveLockResponse {
    let error = resolved.err().map(|error| Box::new(told(error)));
    ResolveLockResponse { error, ..ResolveLockResponse::default() }
}
