//! Doing away with the locks of others: finding out what has become of their transactions, and doing what those have left undone.
//!
//! A lock names its transaction's primary key, which is asked. While the transaction is under way its locks hold, for as long as the
//! primary says; a read is told beside whether the transaction can be committed before it, and passes by if not. What has ended is
//! remembered, and its locks are turned into what it has come to: those that were met, or all of a region if there are many.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::{
    CheckSecondaryLocksRequest, CheckTxnStatusRequest, LockInfo, PessimisticRollbackRequest, ResolveLockRequest,
};
use charioteer_proto::tikv::rpc::{KvCheckSecondaryLocks, KvCheckTxnStatus, KvPessimisticRollback, KvResolveLock};
use charioteer_proto::tikv::timestamp::Timestamp;
use futures_core::future::BoxFuture;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::call::Ask;
use super::core::Core;
use super::error::{self, Trouble};
use super::keyed::{Limits, in_groups};
use super::locks::{is_pessimistic, time_left};
use super::options::Hints;
use super::patience::{Patience, SCATTERED};
use super::status::{self, Fate, Secondaries, Status};
use crate::error::{Error, ErrorKind, Failure};

/// The locks of a transaction with fewer keys in a region are done away with one by one. Client-go draws the line there too.
const FEW_KEYS: u64 = 512;

/// How many keys a request names at most, and how many requests are under way.
const KEYS: Limits = Limits { keys: 256, bytes: 64 << 10, concurrency: 8 };

/// Who has met a lock.
#[derive(Clone, Copy, Debug)]
pub(super) enum Met {
    /// A read at this timestamp.
    Reading(u64),
    /// A write of the transaction that began then; 0 for one that asks for nothing but what is.
    Writing(u64),
    /// Somebody who does away with the past, and with all transactions that are left over in it.
    Collecting,
}

/// What comes of having met locks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// How long what stands in the way may stand there at most; `None` if nothing does any more.
    pub(super) wait: Option<Duration>,
    /// Transactions that the read need not wait for.
    pub(super) passed: Vec<u64>,
    /// Transactions whose locks it may take for versions.
    pub(super) readable: Vec<u64>,
}

impl Verdict {
    fn blocked_for(&mut self, left: Duration) {
        self.wait = Some(self.wait.map_or(left, |wait| wait.min(left)));
    }
}

/// Locks of one transaction, with what has become of it.
struct Ended {
    fate: Fate,
    locks: Vec<LockInfo>,
}

impl Core {
    /// Finds out what stands behind locks, and does away with those whose transactions have ended. Reads leave that to the background.
    pub(super) fn resolve<'a>(
        self: &'a Arc<Self>,
        locks: Vec<LockInfo>,
        met: Met,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Verdict, Error>> {
        // It is rare, and would be a large part of every read and write.
        Box::pin(self.resolve_each(locks, met, deadline))
    }

    async fn resolve_each(
        self: &Arc<Self>,
        locks: Vec<LockInfo>,
        met: Met,
        deadline: Instant,
    ) -> Result<Verdict, Error> {
        let (mut verdict, mut ended) = (Verdict::default(), Vec::<Ended>::new());
        for lock in locks {
            let start_ts = lock.lock_version;
            if let Some(known) = ended.iter_mut().find(|ended| ended.locks[0].lock_version == start_ts) {
                known.locks.push(lock);
                continue;
            }
            match (self.status(&lock, met, deadline).await?, met) {
                (Status::Ended(fate), _) => {
                    match (met, fate) {
                        (Met::Reading(at), Fate::Committed(commit_ts)) if commit_ts <= at => {
                            verdict.readable.push(start_ts);
                        }
                        _ => verdict.passed.push(start_ts),
                    }
                    ended.push(Ended { fate, locks: vec![lock] });
                }
                (Status::Alive { is_pushed: true, .. }, Met::Reading(_)) => verdict.passed.push(start_ts),
                (Status::Alive { left, .. }, _) => verdict.blocked_for(left),
                (Status::Undecided(_), _) => verdict.blocked_for(Duration::ZERO),
                (Status::LeftOver, _) => self.unlock(&lock, deadline).await?,
            }
        }
        self.do_away(ended, met, deadline).await?;
        Ok(verdict)
    }

    async fn do_away(self: &Arc<Self>, ended: Vec<Ended>, met: Met, deadline: Instant) -> Result<(), Error> {
        for Ended { fate, locks } in ended {
            if !matches!(met, Met::Reading(_)) {
                self.finish(fate, &locks, deadline).await?;
                continue;
            }
            // Whoever reads a key that everybody reads is not the only one who has met its lock.
            let locks: Vec<LockInfo> = {
                let mut resolving = self.resolving.lock();
                locks.into_iter().filter(|lock| resolving.insert((lock.lock_version, lock.key.clone()))).collect()
            };
            if locks.is_empty() {
                continue;
            }
            let core = Arc::clone(self);
            self.in_background(async move {
                if let Err(error) = core.finish(fate, &locks, core.background_deadline()).await {
                    debug!(%error, "locks of a transaction that has ended are left to others");
                }
                let mut resolving = core.resolving.lock();
                for lock in locks {
                    resolving.remove(&(lock.lock_version, lock.key));
                }
            });
        }
        Ok(())
    }

    /// What has become of a lock's transaction.
    pub(super) async fn status(&self, lock: &LockInfo, met: Met, deadline: Instant) -> Result<Status, Error> {
        let start_ts = lock.lock_version;
        if let Some(fate) = self.statuses.lock().get(start_ts) {
            return Ok(Status::Ended(fate));
        }
        let status = match self.ask_primary(lock, met, false, deadline).await? {
            Status::Undecided(primary) => self.decide(lock, &primary, met, deadline).await?,
            status => status,
        };
        if let Status::Ended(fate) = status {
            self.statuses.lock().remember(start_ts, fate);
        }
        Ok(status)
    }

    /// Finds out what becomes of a transaction that is committed if all its keys are locked, and sees to it that this happens.
    async fn decide(&self, lock: &LockInfo, primary: &LockInfo, met: Met, deadline: Instant) -> Result<Status, Error> {
        let fate = match self.ask_secondaries(primary, lock.lock_version, deadline).await? {
            Secondaries::Ended(fate) => fate,
            Secondaries::Locked(commit_ts) => Fate::Committed(commit_ts.max(primary.min_commit_ts)),
            Secondaries::NotAsync => return self.ask_primary(lock, met, true, deadline).await,
        };
        self.finish_all(primary, fate, deadline).await?;
        Ok(Status::Ended(fate))
    }

    /// Asks a lock's primary.
    async fn ask_primary(
        &self,
        lock: &LockInfo,
        met: Met,
        force_sync_commit: bool,
        deadline: Instant,
    ) -> Result<Status, Error> {
        let layout = self.layout("check_txn_status", deadline).await?;
        let mut rollback_if_not_exist = matches!(met, Met::Collecting);
        loop {
            // A lock without any time to live is over at once.
            let now = match met {
                Met::Reading(_) | Met::Writing(_) if lock.lock_ttl > 0 => self.timestamp(deadline).await?,
                _ => Timestamp::MAX,
            };
            let is_over = time_left(lock.lock_version, lock.lock_ttl, now).is_none();
            let request = CheckTxnStatusRequest {
                context: None,
                primary_key: lock.primary_lock.clone(),
                lock_ts: lock.lock_version,
                caller_start_ts: match met {
                    Met::Reading(at) | Met::Writing(at) => at,
                    Met::Collecting => 0,
                },
                current_ts: now.into(),
                rollback_if_not_exist,
                force_sync_commit,
                resolving_pessimistic_lock: is_pessimistic(lock),
                verify_is_primary: true,
            };
            let hints = Hints::default();
            let ask = Ask::<KvCheckTxnStatus>::new(request, &hints);
            // It is about one key, which lies in some region.
            let Some(mut reply) = self.ask(&ask, deadline).await? else { continue };
            let trouble = match reply.error.take() {
                None => return Ok(status::read(&reply, lock.lock_version, now)?),
                Some(error) => error::read(*error, layout),
            };
            match trouble {
                // The primary may be locked yet, as long as this lock holds.
                Trouble::TxnNotFound if is_over && !rollback_if_not_exist => rollback_if_not_exist = true,
                Trouble::TxnNotFound => {
                    let left = time_left(lock.lock_version, lock.lock_ttl, now).unwrap_or_default();
                    return Ok(Status::Alive { left, is_pushed: false });
                }
                // A transaction that has chosen another primary since has forgotten this lock.
                Trouble::PrimaryMismatch if is_pessimistic(lock) => return Ok(Status::LeftOver),
                trouble => return Err(trouble.failure(layout).into()),
            }
        }
    }

    /// Asks the other keys of a transaction that is committed as soon as all are locked. Those that are not locked never will be.
    async fn ask_secondaries(
        &self,
        primary: &LockInfo,
        start_ts: u64,
        deadline: Instant,
    ) -> Result<Secondaries, Error> {
        let layout = self.layout("check_secondary_locks", deadline).await?;
        let mut keys = primary.secondaries.clone();
        keys.sort_unstable();
        let bytes: Vec<usize> = keys.iter().map(Bytes::len).collect();
        let (mut patience, hints) = (Patience::until(deadline), Hints::default());
        let told = in_groups(self, &keys, &bytes, KEYS, &mut patience, |group| {
            let keys: Vec<Bytes> = group.keys.iter().map(|at| keys[*at].clone()).collect();
            let count = keys.len();
            let request = CheckSecondaryLocksRequest { context: None, keys, start_version: start_ts };
            let ask = Ask::<KvCheckSecondaryLocks>::new(request, &hints);
            async move {
                let Some(mut reply) = self.ask(&ask, deadline).await? else { return Ok(None) };
                match reply.error.take() {
                    None => Ok(Some(Secondaries::read(&reply, count))),
                    Some(error) => Err(error::read(*error, layout).failure(layout).into()),
                }
            }
        });
        let parts = told.await?.into_iter().map(|(_, part)| part);
        Ok(parts.map(Ok).reduce(|one, other| one?.and(other?)).unwrap_or(Ok(Secondaries::Locked(0)))?)
    }

    /// Turns all locks of a transaction, its primary's among them, into what it has come to.
    async fn finish_all(&self, primary: &LockInfo, fate: Fate, deadline: Instant) -> Result<(), Error> {
        let mut keys = primary.secondaries.clone();
        keys.push(primary.primary_lock.clone());
        keys.sort_unstable();
        keys.dedup();
        self.finish_keys(primary.lock_version, fate, &keys, deadline).await
    }

    /// Turns locks of one transaction into what it has come to.
    async fn finish(&self, fate: Fate, locks: &[LockInfo], deadline: Instant) -> Result<(), Error> {
        let (mut few, mut regions) = (Vec::new(), HashSet::new());
        for lock in locks {
            if is_pessimistic(lock) {
                self.unlock(lock, deadline).await?;
            } else if lock.txn_size < FEW_KEYS {
                few.push(lock.key.clone());
            } else if regions.insert(self.region_of(&lock.key, deadline).await?) {
                self.finish_region(lock, fate, deadline).await?;
            }
        }
        few.sort_unstable();
        few.dedup();
        match locks.first() {
            Some(lock) if !few.is_empty() => self.finish_keys(lock.lock_version, fate, &few, deadline).await,
            _ => Ok(()),
        }
    }

    /// The same for these keys, which are in order.
    async fn finish_keys(&self, start_ts: u64, fate: Fate, keys: &[Bytes], deadline: Instant) -> Result<(), Error> {
        let bytes: Vec<usize> = keys.iter().map(Bytes::len).collect();
        let (mut patience, hints) = (Patience::until(deadline), Hints::default());
        let done = in_groups(self, keys, &bytes, KEYS, &mut patience, |group| {
            let keys = group.keys.iter().map(|at| keys[*at].clone()).collect();
            let ask = Ask::<KvResolveLock>::new(resolution(start_ts, fate, keys), &hints);
            async move { self.resolved(&ask, start_ts, fate, deadline).await }
        });
        done.await.map(drop)
    }

    /// The same for all of a lock's region.
    async fn finish_region(&self, lock: &LockInfo, fate: Fate, deadline: Instant) -> Result<(), Error> {
        let (request, hints) = (resolution(lock.lock_version, fate, Vec::new()), Hints::default());
        let ask = Ask::<KvResolveLock>::new(request, &hints).at(lock.key.clone());
        self.resolved(&ask, lock.lock_version, fate, deadline).await.map(drop)
    }

    async fn resolved(
        &self,
        ask: &Ask<'_, KvResolveLock>,
        start_ts: u64,
        fate: Fate,
        deadline: Instant,
    ) -> Result<Option<()>, Error> {
        let layout = self.layout("resolve_lock", deadline).await?;
        let Some(reply) = self.ask(ask, deadline).await? else { return Ok(None) };
        match reply.error.map(|error| error::read(*error, layout)) {
            None => Ok(Some(())),
            // Others were quicker. What is beside that lock and still there is met again.
            Some(Trouble::LockNotFound) => {
                if fate != Fate::RolledBack {
                    warn!(
                        start_ts,
                        "a lock of a committed transaction is gone, and what was committed has been collected"
                    );
                }
                Ok(Some(()))
            }
            Some(trouble) => Err(trouble.failure(layout).into()),
        }
    }

    /// Takes away a lock that was put on before anything was written.
    async fn unlock(&self, lock: &LockInfo, deadline: Instant) -> Result<(), Error> {
        let layout = self.layout("pessimistic_rollback", deadline).await?;
        let for_update_ts = if lock.lock_for_update_ts == 0 { u64::MAX } else { lock.lock_for_update_ts };
        let (keys, start_version) = (vec![lock.key.clone()], lock.lock_version);
        let request = PessimisticRollbackRequest { context: None, start_version, for_update_ts, keys };
        let (hints, mut patience) = (Hints::default(), Patience::until(deadline));
        let ask = Ask::<KvPessimisticRollback>::new(request, &hints);
        loop {
            match self.ask(&ask, deadline).await?.map(|reply| reply.errors) {
                None => {}
                Some(errors) => {
                    let error = errors.into_iter().next();
                    return error.map_or(Ok(()), |error| Err(error::read(error, layout).failure(layout).into()));
                }
            }
            let failure = || Failure::new(ErrorKind::Timeout, "the region of a key changes all the time");
            patience.wait(&SCATTERED, None, failure).await?;
        }
    }
}

fn resolution(start_version: u64, fate: Fate, keys: Vec<Bytes>) -> ResolveLockRequest {
    let commit_version = fate.commit_version();
    ResolveLockRequest { start_version, commit_version, keys, ..ResolveLockRequest::default() }
}
