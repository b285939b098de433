//! Locks of pessimistic transactions: taken, waited for, given back.
//!
//! A request that finds another's lock waits for it ([`Waits`]), as long as it says. Most are answered when the lock is released, that
//! there is a conflict, and do not have the lock then; those that lock in spite of conflicts try again and again until they do.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use charioteer_engine::mvcc::{
    ConflictReason, KeyError, KeyLocked, KeyRange, KeyToLock, PessimisticLock, PessimisticRollback,
    PessimisticRollbackRange, WriteConflict,
};
use charioteer_engine::raw::Keys;
use charioteer_proto::tikv::kvrpcpb::{
    self, GetLockWaitInfoRequest, GetLockWaitInfoResponse, Op, PessimisticLockKeyResult, PessimisticLockKeyResultType,
    PessimisticLockRequest, PessimisticLockResponse, PessimisticLockWakeUpMode, PessimisticRollbackRequest,
    PessimisticRollbackResponse,
};
use charioteer_proto::tikv::rpc;
use tokio::time::Instant;

use super::super::cluster::Access;
use super::super::waits::{Next, Reason, Released, Wait, Waiter, Waits};
use super::api::{Name, Rule};
use super::refusal::Refusal;
use super::txn::{Ran, stored_keys, submit};
use super::txn_api::{check_stored_sizes, no_shared_locks};
use super::txn_errors::{lock_info, told};
use super::{Serve, Serving, Store};
use crate::backend::{Mvcc, Rows, Soon};

impl<R: Rows> Serve<rpc::KvPessimisticLock> for Store<R> {
    fn serve(&self, asked: PessimisticLockRequest) -> Serving<PessimisticLockResponse> {
        let stored = stored_keys(asked.context.as_ref());
        let (context, cmd) = (asked.context.as_ref(), Name("acquire_pessimistic_lock"));
        let keys = || asked.mutations.iter().map(|mutation| &mutation.key);
        self.check_cluster(context)?;
        self.api.admit_txn(cmd, context)?.check(cmd, keys())?;
        check_stored_sizes(keys())?;
        self.check_timestamps([asked.start_version, asked.for_update_ts])?;
        self.txn_place(context, Access::Write)?.check_keys(keys())?;
        let locking = Locking::new(self.rows.mvcc(stored).clone(), stored, Arc::clone(&self.waits), asked)?;
        Ok(match locking.try_once() {
            Soon::Ready(Err(refusal)) => Soon::Ready(Err(refusal)),
            Soon::Ready(Ok(tried)) => match locking.blocked_by(tried) {
                Ok(lock) => Soon::later(locking.wait_for(lock)),
                Err(tried) => Soon::Ready(Ok(locking.answer(tried, false))),
            },
            Soon::Pending(tried) => Soon::later(async move {
                match locking.blocked_by(tried.await?) {
                    Ok(lock) => locking.wait_for(lock).await,
                    Err(tried) => Ok(locking.answer(tried, false)),
                }
            }),
        })
    }
}

/// A request for locks.
struct Locking<M> {
    mvcc: M,
    stored: Keys,
    waits: Arc<Waits>,
    lock: PessimisticLock,
    /// Until when it waits; `None` for not at all.
    until: Option<Instant>,
    is_first_lock: bool,
    tag: Bytes,
}

/// What comes of trying to lock.
type Tried = Result<Vec<KeyLocked>, KeyError>;

impl<M: Mvcc> Locking<M> {
    fn new(mvcc: M, stored: Keys, waits: Arc<Waits>, asked: PessimisticLockRequest) -> Result<Self, Rule> {
        let tag = asked.context.map(|context| context.resource_group_tag).unwrap_or_default();
        let until = waits.longest_wait(asked.wait_timeout).map(|wait| Instant::now() + wait);
        let keys: Result<_, _> = asked.mutations.into_iter().map(wanted).collect();
        let lock = PessimisticLock {
            keys: keys?,
            primary: asked.primary_lock,
            start_ts: asked.start_version,
            ttl_ms: asked.lock_ttl,
            for_update_ts: asked.for_update_ts,
            min_commit_ts: asked.min_commit_ts,
            return_values: asked.return_values,
            check_existence: asked.check_existence,
            lock_only_if_exists: asked.lock_only_if_exists,
            force: asked.wake_up_mode == PessimisticLockWakeUpMode::WakeUpModeForceLock as i32,
        };
        Ok(Self { mvcc, stored, waits, lock, until, is_first_lock: asked.is_first_lock, tag })
    }

    fn try_once(&self) -> Ran<Tried> {
        submit(&self.mvcc, &self.waits, self.stored, self.lock.keys.len(), self.lock.clone())
    }

    /// The lock to be waited for; what came of trying, if there is none, or no time to wait.
    fn blocked_by(&self, tried: Tried) -> Result<kvrpcpb::LockInfo, Tried> {
        match tried {
            Err(KeyError::Locked(lock)) if self.until.is_some() => Ok(lock_info(*lock)),
            other => Err(other),
        }
    }

    /// Waits until a lock is released or there is no more time, and answers.
    async fn wait_for(self, blocked_by: kvrpcpb::LockInfo) -> Result<PessimisticLockResponse, Refusal> {
        let mut blocked_by = blocked_by;
        let (mut waiter, mut circle) = (None, None::<Box<kvrpcpb::Deadlock>>);
        loop {
            if let Some(deadlock) = circle.take().filter(|circle| is_closed_by(circle, &blocked_by)) {
                return Ok(self.refuse(deadlock_error(*deadlock), true));
            }
            match self.enter(&mut waiter, blocked_by) {
                // The lock may have been released before anybody knew that it is waited for.
                Ok(Next::Try) => {}
                Ok(Next::Wait) => {
                    if let Some(waiter) = &mut waiter
                        && let Some(error) = self.ended(waiter).await
                    {
                        return Ok(self.refuse(error, true));
                    }
                }
                // So may that of whoever closes a circle, which is none then.
                Err(deadlock) => (waiter, circle) = (None, Some(deadlock)),
            }
            match self.blocked_by(self.try_once().wait().await?) {
                Ok(lock) => blocked_by = lock,
                Err(tried) => {
                    if let Some(waiter) = waiter.filter(|_| tried.is_ok()) {
                        waiter.got_it();
                    }
                    return Ok(self.answer(tried, true));
                }
            }
        }
    }

    /// Has it wait for a lock, or wait on.
    fn enter(
        &self,
        waiter: &mut Option<Waiter>,
        blocked_by: kvrpcpb::LockInfo,
    ) -> Result<Next, Box<kvrpcpb::Deadlock>> {
        if let Some(waiter) = waiter {
            return waiter.wait_on(blocked_by);
        }
        *waiter = Some(self.waits.enter(self.wait(blocked_by))?);
        Ok(Next::Try)
    }

    fn wait(&self, blocked_by: kvrpcpb::LockInfo) -> Wait {
        Wait {
            stored: self.stored,
            start_ts: self.lock.start_ts,
            blocked_by,
            resumes: self.lock.force,
            is_first_lock: self.is_first_lock,
            tag: self.tag.clone(),
        }
    }

    /// Waits on; what is to be answered, unless it is to try again.
    async fn ended(&self, waiter: &mut Waiter) -> Option<kvrpcpb::KeyError> {
        match waiter.woken(self.until.unwrap_or_else(Instant::now)).await {
            Reason::Resume => None,
            Reason::Conflict(released) => Some(told(self.conflict(waiter.key(), released))),
            Reason::Deadlock(deadlock) => Some(deadlock_error(*deadlock)),
            Reason::TimedOut => {
                let locked = Some(Box::new(waiter.blocked_by()));
                Some(kvrpcpb::KeyError { locked, ..kvrpcpb::KeyError::default() })
            }
        }
    }

    fn conflict(&self, key: &Bytes, released: Released) -> KeyError {
        let conflict = WriteConflict {
            start_ts: self.lock.start_ts,
            conflict_start_ts: released.start_ts,
            conflict_commit_ts: released.commit_ts,
            key: key.clone(),
            primary: self.lock.primary.clone(),
            reason: ConflictReason::PessimisticRetry,
        };
        conflict.into()
    }

    /// The answer to what came of trying.
    fn answer(&self, tried: Tried, has_waited: bool) -> PessimisticLockResponse {
        match tried {
            Ok(locked) => {
                self.tell_others(&locked);
                if self.lock.force { by_key(locked) } else { self.values(locked) }
            }
            Err(error) => {
                let is_locked = matches!(error, KeyError::Locked(_));
                self.refuse(told(error), has_waited || is_locked)
            }
        }
    }

    fn values(&self, locked: Vec<KeyLocked>) -> PessimisticLockResponse {
        let mut answer = PessimisticLockResponse::default();
        if self.lock.return_values || self.lock.check_existence {
            answer.not_founds = locked.iter().map(|key| !key.exists).collect();
        }
        if self.lock.return_values {
            answer.values = locked.into_iter().map(|key| key.value.unwrap_or_default()).collect();
        }
        answer
    }

    /// A request that may have waited, and locks in spite of conflicts, is answered key by key also where it failed.
    fn refuse(&self, error: kvrpcpb::KeyError, may_have_waited: bool) -> PessimisticLockResponse {
        let failed = PessimisticLockKeyResult {
            r#type: PessimisticLockKeyResultType::LockResultFailed.into(),
            ..PessimisticLockKeyResult::default()
        };
        let results = if self.lock.force && may_have_waited { vec![failed] } else { Vec::new() };
        PessimisticLockResponse { errors: vec![error], results, ..PessimisticLockResponse::default() }
    }

    /// Those who wait for these keys wait for another transaction now.
    fn tell_others(&self, locked: &[KeyLocked]) {
        if self.waits.is_empty() {
            return;
        }
        let is_locked = |key: &KeyLocked| key.exists || !self.lock.lock_only_if_exists;
        let keys = self.lock.keys.iter().zip(locked).filter(|(_, locked)| is_locked(locked));
        self.waits.acquired(
            self.stored,
            keys.map(|(wanted, _)| kvrpcpb::LockInfo {
                primary_lock: self.lock.primary.clone(),
                lock_version: self.lock.start_ts,
                key: wanted.key.clone(),
                lock_ttl: self.lock.ttl_ms,
                lock_type: Op::PessimisticLock.into(),
                lock_for_update_ts: self.lock.for_update_ts,
                min_commit_ts: self.lock.min_commit_ts,
                ..kvrpcpb::LockInfo::default()
            }),
        );
    }
}

/// A key that is to be locked, as the rules know it.
fn wanted(mutation: kvrpcpb::Mutation) -> Result<KeyToLock, Rule> {
    if mutation.op == Op::SharedPessimisticLock as i32 {
        return Err(no_shared_locks());
    }
    if mutation.op != Op::PessimisticLock as i32 {
        let op = Op::try_from(mutation.op).map_or_else(|_| mutation.op.to_string(), |op| op.as_str_name().to_owned());
        return Err(Rule::Other(format!("mismatch Op in pessimistic lock mutations: {op}")));
    }
    let should_not_exist = mutation.assertion == kvrpcpb::Assertion::NotExist as i32;
    Ok(KeyToLock { key: mutation.key, should_not_exist })
}

fn by_key(locked: Vec<KeyLocked>) -> PessimisticLockResponse {
    let result = |key: KeyLocked| {
        let with_conflict = key.locked_with_conflict_ts;
        let kind = match with_conflict {
            Some(_) => PessimisticLockKeyResultType::LockResultLockedWithConflict,
            None => PessimisticLockKeyResultType::LockResultNormal,
        };
        PessimisticLockKeyResult {
            r#type: kind.into(),
            value: key.value.unwrap_or_default(),
            existence: key.exists,
            locked_with_conflict_ts: with_conflict.unwrap_or_default(),
            ..PessimisticLockKeyResult::default()
        }
    };
    let results = locked.into_iter().map(result).collect();
    PessimisticLockResponse { results, ..PessimisticLockResponse::default() }
}

/// Whether it is still the same lock that makes a deadlock of waiting.
fn is_closed_by(circle: &kvrpcpb::Deadlock, blocked_by: &kvrpcpb::LockInfo) -> bool {
    circle.lock_ts == blocked_by.lock_version && circle.lock_key == blocked_by.key
}

fn deadlock_error(deadlock: kvrpcpb::Deadlock) -> kvrpcpb::KeyError {
    kvrpcpb::KeyError { deadlock: Some(Box::new(deadlock)), ..kvrpcpb::KeyError::default() }
}

impl<R: Rows> Serve<rpc::KvPessimisticRollback> for Store<R> {
    /// Gives back locks: those of the keys that are named, or all of the region.
    fn serve(&self, asked: PessimisticRollbackRequest) -> Serving<PessimisticRollbackResponse> {
        let stored = stored_keys(asked.context.as_ref());
        let place = self.txn_place(asked.context.as_ref(), Access::Write)?;
        let (start_ts, for_update_ts) = (asked.start_version, asked.for_update_ts);
        if !asked.keys.is_empty() {
            place.check_keys(&asked.keys)?;
            let rollback = PessimisticRollback { start_ts, for_update_ts, keys: asked.keys };
            let done = self.submit(stored, rollback.keys.len(), rollback);
            return Ok(done.map(|done| done.map(|()| PessimisticRollbackResponse::default())));
        }
        let (start, end) = place.bounds()?;
        let rollback = PessimisticRollbackRange { start_ts, for_update_ts, range: KeyRange { start, end } };
        let done = self.submit_pieces(stored, rollback, Ok);
        Ok(done.map(|done: Result<Result<(), Infallible>, _>| done.map(|_| PessimisticRollbackResponse::default())))
    }
}

impl<R: Rows> Serve<rpc::GetLockWaitInfo> for Store<R> {
    fn serve(&self, asked: GetLockWaitInfoRequest) -> Serving<GetLockWaitInfoResponse> {
        self.check_cluster(asked.context.as_ref())?;
        let entries = self.waits.entries();
        Ok(Soon::Ready(Ok(GetLockWaitInfoResponse { entries, ..GetLockWaitInfoResponse::default() })))
    }
}

#[cfg(test)]
mod tests;
