//! The end of a transaction.
//!
//! First all keys are locked with their new values, as many requests at a time as are allowed, each for one region. Then PD gives the
//! timestamp at which the transaction is committed, and the primary is committed at it, with those keys that lie beside it. That is the
//! moment: what is left is done in the background, and by whoever comes across it.
//!
//! There are two shorter ways. A transaction that goes into one request can be committed by the store at once (one phase). And one whose
//! keys are few can count as committed as soon as all are locked (async commit), since the primary's lock names all others: whoever
//! meets one of its locks asks all of them. Both have the store choose the timestamp, and with both it may decline: then its locks are
//! as those of any other transaction, and the usual way is gone.
//!
//! An answer that does not come leaves open whether the transaction was committed if it was that of the primary, or of any request on one
//! of the shorter ways. It is asked for again until the deadline, and then told as undetermined. A commit that is no longer waited for
//! goes on in the background.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use charioteer_proto::tikv::key::Layout;
use charioteer_proto::tikv::kvrpcpb::{
    CommitRequest, CommitRole, KeyError, Mutation, PrewriteRequest, PrewriteResponse,
};
use charioteer_proto::tikv::rpc::{KvCommit, KvPrewrite};
use charioteer_proto::tikv::timestamp::Timestamp;
use futures_core::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tracing::warn;

use super::call::Ask;
use super::core::Core;
use super::error::{self, Trouble, TxnError, WriteConflict, undetermined};
use super::heartbeat::{HOLDS, Kept};
use super::keyed::{Group, Limits, in_groups};
use super::locks::{Lock, each};
use super::options::Hints;
use super::patience::{Patience, SCATTERED, UNDETERMINED, WRITE_BLOCKED};
use super::plan::{Plan, lock_ttl_ms};
use super::resolve::Met;
use super::status::Fate;
use crate::error::{Error, ErrorKind, Failure, Outcome};

/// How much goes into one request.
const PREWRITES: Limits = Limits { keys: 1024, bytes: 64 << 10, concurrency: 16 };
const COMMITS: Limits = Limits { keys: 1024, bytes: 64 << 10, concurrency: 16 };

/// A transaction on its last way.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) core: Arc<Core>,
    pub(super) layout: Layout,
    pub(super) hints: Hints,
    pub(super) plan: Plan,
    pub(super) began: Instant,
    pub(super) deadline: Instant,
    way: Way,
}

/// Which way it goes, as far as that is known.
#[derive(Debug, Default)]
struct Way {
    /// Whether one of the shorter ways was open when it began.
    is_short: AtomicBool,
    /// A store has declined one of the shorter ways.
    is_usual: AtomicBool,
    /// The timestamp before which it can't be committed.
    min_commit_ts: AtomicU64,
    /// The timestamp at which it was committed in one phase.
    one_phase_ts: AtomicU64,
    /// One of the shorter ways was tried, and no answer was had.
    is_unknown: AtomicBool,
}

impl Commit {
    pub(super) fn new(
        core: Arc<Core>,
        layout: Layout,
        hints: Hints,
        plan: Plan,
        began: Instant,
        deadline: Instant,
    ) -> Self {
        Self { core, layout, hints, plan, began, deadline, way: Way::default() }
    }

    /// Commits, and tells at which timestamp.
    pub(super) async fn run(self) -> Result<Option<Timestamp>, Error> {
        let this = Arc::new(self);
        let kept = Kept {
            core: Arc::clone(&this.core),
            primary: this.plan.primary.clone(),
            start_ts: this.plan.start_ts,
            began: this.began,
            holds: HOLDS,
        };
        // Locks hold for long enough for most; only what takes long has to keep them.
        tokio::select! {
            biased;
            result = this.phases() => result,
            never = kept.beat(HOLDS / 8) => match never {},
        }
    }

    async fn phases(self: &Arc<Self>) -> Result<Option<Timestamp>, Error> {
        let mut patience = Patience::until(self.deadline);
        if let Err(error) = self.prewrite(&mut patience).await {
            return Err(self.give_up(error, &mut patience).await);
        }
        if !self.plan.locks_any() {
            return Ok(None);
        }
        let one_phase_ts = self.way.one_phase_ts.load(Ordering::Relaxed);
        if one_phase_ts > 0 {
            return Ok(Some(one_phase_ts.into()));
        }
        if self.is_async() {
            let commit_ts = self.way.min_commit_ts.load(Ordering::Relaxed);
            self.commit_in_background(self.plan.locked_keys(), commit_ts);
            return Ok(Some(commit_ts.into()));
        }
        match self.commit_primary(&mut patience).await {
            Ok((commit_ts, rest)) => {
                if !rest.is_empty() {
                    self.commit_in_background(rest, commit_ts);
                }
                Ok(Some(commit_ts.into()))
            }
            Err(error) if error.outcome() == Outcome::Unknown => Err(undetermined(error)),
            Err(error) => {
                self.roll_back_in_background();
                Err(error)
            }
        }
    }

    /// Whether it is committed as soon as all its keys are locked.
    fn is_async(&self) -> bool {
        self.plan.async_commit && !self.way.is_usual.load(Ordering::Relaxed)
    }

    /// Locks all keys with their new values.
    async fn prewrite(&self, patience: &mut Patience) -> Result<(), Error> {
        let keys: Vec<&Bytes> = self.plan.mutations.iter().map(|mutation| &mutation.key).collect();
        let (sizes, deadline) = (self.plan.sizes(), patience.deadline);
        let mut least = self.plan.least_commit_ts();
        let is_short = self.may_be_short(&keys, &sizes).await?;
        self.way.is_short.store(is_short, Ordering::Relaxed);
        if is_short && !self.plan.causal {
            // Whoever has begun by now must not see it, and whoever begins when this has returned must.
            least = least.max(u64::from(self.core.timestamp(deadline).await?) + 1);
        }
        self.way.min_commit_ts.store(least, Ordering::Relaxed);
        let concurrency = self.core.cluster.options.batch_concurrency;
        let limits = Limits { concurrency, ..PREWRITES };
        let done =
            in_groups(&self.core, &keys, &sizes, limits, patience, |group| self.prewrite_group(group, least, deadline));
        done.await.map(drop)
    }

    /// Whether one of the shorter ways is open.
    async fn may_be_short(&self, keys: &[&Bytes], sizes: &[usize]) -> Result<bool, Error> {
        if self.plan.async_commit || !self.plan.one_phase {
            return Ok(self.plan.async_commit);
        }
        let is_small = keys.len() <= PREWRITES.keys && sizes.iter().sum::<usize>() <= PREWRITES.bytes;
        Ok(is_small && self.core.group(keys, self.deadline).await?.len() == 1)
    }

    /// Locks the keys of one region, as long as they are; others that have locked them are waited for.
    async fn prewrite_group(&self, group: Group, least: u64, deadline: Instant) -> Result<Option<()>, Error> {
        let mut patience = Patience::until(deadline);
        let is_one_phase = self.plan.one_phase && group.is_all && self.way.is_short.load(Ordering::Relaxed);
        let mut is_again = group.is_again;
        loop {
            let is_short = is_one_phase || self.is_async();
            let ask = Ask::<KvPrewrite>::new(self.prewrite_request(&group, least, is_one_phase), &self.hints);
            let ask = if std::mem::replace(&mut is_again, true) { ask.again() } else { ask };
            let reply = match self.core.ask(&ask, deadline).await {
                Ok(Some(reply)) => reply,
                Ok(None) => return Ok(None),
                Err(error) => {
                    if is_short && error.outcome() == Outcome::Unknown {
                        self.way.is_unknown.store(true, Ordering::Relaxed);
                    }
                    return Err(patience.explain(error));
                }
            };
            if reply.errors.is_empty() {
                self.note(&reply, is_one_phase);
                return Ok(Some(()));
            }
            let (start_ts, is_optimistic) = (self.plan.start_ts, self.plan.held.is_none());
            let waited = self.core.make_way(reply.errors, start_ts, is_optimistic, self.layout, &mut patience).await;
            waited.map_err(|error| patience.explain(error))?;
        }
    }

    fn prewrite_request(&self, group: &Group, least: u64, try_one_pc: bool) -> PrewriteRequest {
        let plan = &self.plan;
        let mutations: Vec<Mutation> = group.keys.iter().map(|at| plan.mutations[*at].clone()).collect();
        let use_async_commit = self.is_async();
        let is_primary = mutations.iter().any(|mutation| mutation.key == plan.primary);
        PrewriteRequest {
            primary_lock: plan.primary.clone(),
            start_version: plan.start_ts,
            lock_ttl: lock_ttl_ms(plan.bytes, self.began.elapsed()),
            // Whoever resolves locks by regions must not be told too few.
            txn_size: if group.is_again { u64::MAX } else { group.in_region as u64 },
            for_update_ts: plan.for_update_ts(),
            pessimistic_actions: plan.pessimistic_actions(&group.keys),
            for_update_ts_constraints: plan.constraints(&group.keys),
            min_commit_ts: least,
            secondaries: if use_async_commit && is_primary { plan.secondaries() } else { Vec::new() },
            use_async_commit,
            try_one_pc,
            assertion_level: plan.assertion_level.into(),
            mutations,
            ..PrewriteRequest::default()
        }
    }

    /// Takes note of how far a store has gone the way that was asked for.
    fn note(&self, reply: &PrewriteResponse, is_one_phase: bool) {
        if is_one_phase && reply.one_pc_commit_ts > 0 {
            self.way.one_phase_ts.store(reply.one_pc_commit_ts, Ordering::Relaxed);
        } else if reply.min_commit_ts == 0 || !self.plan.async_commit {
            self.way.is_usual.store(true, Ordering::Relaxed);
        }
        self.way.min_commit_ts.fetch_max(reply.min_commit_ts, Ordering::Relaxed);
    }

    /// Ends a transaction whose keys could not all be locked, and tells what is known of what became of it.
    async fn give_up(self: &Arc<Self>, error: Error, patience: &mut Patience) -> Error {
        if self.way.is_unknown.load(Ordering::Relaxed) {
            // It may have been committed with the answer that was lost, and is not to be undone.
            return undetermined(error);
        }
        if self.way.is_short.load(Ordering::Relaxed) {
            // A request that is under way yet might commit it after all, unless that is made impossible; and whatever the store says of
            // a later one, an earlier one whose answer was lost may have committed it.
            return match self.roll_back(patience).await {
                Ok(()) => known(error),
                Err(_) => undetermined(error),
            };
        }
        self.roll_back_in_background();
        known(error)
    }

    /// Rolls it back, the primary first: as long as that might be committed after all, so must the others.
    async fn roll_back(&self, patience: &mut Patience) -> Result<(), Error> {
        let (start_ts, deadline) = (self.plan.start_ts, patience.deadline);
        if !self.plan.locks_any() {
            return Ok(());
        }
        loop {
            let (with_primary, rest) = self.beside_primary(deadline).await?;
            if self.core.roll_back_together(start_ts, with_primary, deadline).await?.is_some() {
                return self.core.roll_back(start_ts, &rest, patience).await;
            }
            let failure = || Failure::new(ErrorKind::Timeout, "the region of the primary changes all the time");
            patience.wait(&SCATTERED, None, failure).await?;
        }
    }

    fn roll_back_in_background(self: &Arc<Self>) {
        let this = Arc::clone(self);
        self.core.in_background(async move {
            let mut patience = Patience::until(this.core.background_deadline());
            let rolled_back = this.roll_back(&mut patience).await;
            let start_ts = this.plan.start_ts;
            if let Err(error) = rolled_back {
                warn!(start_ts, %error, "a transaction that has failed could not be rolled back: its locks run out");
            }
            let Some(held) = &this.plan.held else { return };
            let keys: Vec<Bytes> = held.keys.keys().cloned().collect();
            if let Err(error) = this.core.unlock_keys(start_ts, held.for_update_ts, &keys, &mut patience).await {
                warn!(start_ts, %error, "a transaction that has failed could not be unlocked: its locks run out");
            }
        });
    }

    /// Commits the primary, and gives the timestamp and those keys that are yet to be committed.
    pub(super) async fn commit_primary(&self, patience: &mut Patience) -> Result<(u64, Vec<Bytes>), Error> {
        let mut commit_ts = u64::from(self.core.timestamp(patience.deadline).await?);
        let mut is_unknown = false;
        loop {
            let (with_primary, rest) = self
                .beside_primary(patience.deadline)
                .await
                .map_err(|error| if is_unknown { error.unknown() } else { error })?;
            let ask =
                Ask::<KvCommit>::new(self.commit_request(with_primary, commit_ts, CommitRole::Primary), &self.hints);
            match self.core.ask(&ask, patience.deadline).await {
                Ok(Some(reply)) => match reply.error.map(|error| error::read(*error, self.layout)) {
                    // An earlier attempt may have committed it, at another time; the others are committed at that one, too.
                    None if reply.commit_version > 0 => return Ok((reply.commit_version, rest)),
                    None => return Ok((commit_ts, rest)),
                    // A read has come in between; nothing was committed.
                    Some(Trouble::CommitTsExpired) => {
                        is_unknown = false;
                        commit_ts = self.core.timestamp(patience.deadline).await?.into();
                    }
                    // That there is no lock is certain: one whose commit came before is answered with its commit.
                    Some(trouble @ Trouble::LockNotFound) => return Err(trouble.failure(self.layout).into()),
                    Some(trouble) => {
                        let error = Error::from(trouble.failure(self.layout));
                        return Err(if is_unknown { error.unknown() } else { error });
                    }
                },
                Ok(None) => {
                    // What was sent before the region changed may have come to something, and its answer been lost.
                    is_unknown |= ask.was_sent();
                    let failure = || Failure::new(ErrorKind::Timeout, "the region of the primary changes all the time");
                    let waited = patience.wait(&SCATTERED, None, failure).await;
                    waited.map_err(|error| if is_unknown { error.unknown() } else { error })?;
                }
                Err(error) => {
                    is_unknown |= error.outcome() == Outcome::Unknown;
                    let error = if is_unknown { error.unknown() } else { error };
                    if !is_unknown || error.kind() == ErrorKind::Closed {
                        return Err(error);
                    }
                    // To commit once more is to find out.
                    patience.wait(&UNDETERMINED, None, || error).await?;
                }
            }
        }
    }

    /// The keys that go together with the primary, since they lie beside it, and the others.
    async fn beside_primary(&self, deadline: Instant) -> Result<(Vec<Bytes>, Vec<Bytes>), Error> {
        let locked: Vec<&Bytes> = self.plan.locked().collect();
        let groups = self.core.group(&locked, deadline).await?;
        let is_primarys = |group: &&Vec<usize>| group.iter().any(|at| *locked[*at] == self.plan.primary);
        let mut with_primary = vec![self.plan.primary.clone()];
        let (mut rest, mut bytes) = (Vec::new(), self.plan.primary.len());
        let beside = groups.iter().find(is_primarys);
        for (at, key) in locked.into_iter().enumerate().filter(|(_, key)| **key != self.plan.primary) {
            let is_beside = beside.is_some_and(|beside| beside.binary_search(&at).is_ok());
            if is_beside && with_primary.len() < COMMITS.keys && bytes + key.len() <= COMMITS.bytes {
                bytes += key.len();
                with_primary.push(key.clone());
            } else {
                rest.push(key.clone());
            }
        }
        Ok((with_primary, rest))
    }

    fn commit_request(&self, keys: Vec<Bytes>, commit_version: u64, role: CommitRole) -> CommitRequest {
        CommitRequest {
            context: None,
            start_version: self.plan.start_ts,
            keys,
            commit_version,
            commit_role: role.into(),
            primary_key: self.plan.primary.clone(),
            use_async_commit: self.is_async(),
        }
    }

    /// Commits what is left of a transaction that is committed.
    fn commit_in_background(self: &Arc<Self>, keys: Vec<Bytes>, commit_ts: u64) {
        // Whoever meets one of its locks yet need not ask.
        self.core.statuses.lock().remember(self.plan.start_ts, Fate::Committed(commit_ts));
        let this = Arc::clone(self);
        self.core.in_background(async move {
            if let Err(error) = this.commit_keys(&keys, commit_ts).await {
                let start_ts = this.plan.start_ts;
                warn!(start_ts, %error, "locks of a transaction that is committed are left to those who meet them");
            }
        });
    }

    async fn commit_keys(&self, keys: &[Bytes], commit_ts: u64) -> Result<(), Error> {
        let mut patience = Patience::until(self.core.background_deadline());
        let deadline = patience.deadline;
        let sizes: Vec<usize> = keys.iter().map(Bytes::len).collect();
        let done = in_groups(&self.core, keys, &sizes, COMMITS, &mut patience, |group| {
            let keys: Vec<Bytes> = group.keys.iter().map(|at| keys[*at].clone()).collect();
            let role = if keys.contains(&self.plan.primary) { CommitRole::Primary } else { CommitRole::Secondary };
            let ask = Ask::<KvCommit>::new(self.commit_request(keys, commit_ts, role), &self.hints);
            async move {
                let Some(reply) = self.core.ask(&ask, deadline).await? else { return Ok(None) };
                match reply.error {
                    None => Ok(Some(())),
                    Some(error) => Err(error::read(*error, self.layout).failure(self.layout).into()),
                }
            }
        });
        done.await.map(drop)
    }
}

impl Core {
    /// Does what can be done about errors of keys that are to be locked, which is to wait for those who have locked them.
    pub(super) async fn make_way(
        self: &Arc<Self>,
        errors: Vec<KeyError>,
        start_ts: u64,
        is_optimistic: bool,
        layout: Layout,
        patience: &mut Patience,
    ) -> Result<(), Error> {
        let mut locks = Vec::new();
        for error in errors {
            match error::read(error, layout) {
                Trouble::Locked(lock) => locks.extend(each(*lock)),
                trouble => return Err(trouble.failure(layout).into()),
            }
        }
        // When such a lock is gone there is a conflict.
        if let Some(lock) = locks.iter().find(|lock| is_optimistic && lock.lock_version > start_ts) {
            return Err(TxnError::WriteConflict(WriteConflict::with_later(lock, start_ts, layout)).failure().into());
        }
        let first = locks.first().map(|lock| Lock::told(lock, layout));
        let verdict = self.resolve(locks, Met::Writing(start_ts), patience.deadline).await?;
        let Some(wait) = verdict.wait else { return Ok(()) };
        patience.wait_for(first, &WRITE_BLOCKED, wait).await
    }
}

/// An error of a transaction that is certain not to have been committed.
fn known(error: Error) -> Error {
    error.with(|failure| Failure { outcome: Outcome::NotApplied, ..failure })
}

/// A commit under way, which goes on in the background when it is not waited for any longer.
pub(super) struct GoesOn<T: Send + 'static>(Option<BoxFuture<'static, T>>);

impl<T: Send + 'static> GoesOn<T> {
    pub(super) fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<T: Send + 'static> Future for GoesOn<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(work) = &mut self.0 else { return Poll::Pending };
        let result = work.as_mut().poll(cx);
        if result.is_ready() {
            self.0 = None;
        }
        result
    }
}

impl<T: Send + 'static> Drop for GoesOn<T> {
    fn drop(&mut self) {
        let Some(work) = self.0.take() else { return };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { drop(work.await) });
        }
    }
}
