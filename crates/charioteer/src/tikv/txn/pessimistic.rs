//! Locking keys before they are written.
//!
//! A lock is put on a key as of a timestamp: if the key has been written since, the store refuses, and a newer timestamp is taken. It
//! begins with the one that the transaction has, so that the usual case costs one request and no question to PD. While another
//! transaction holds the lock the request waits at the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::{
    Assertion, KeyError, LockInfo, Mutation, Op, PessimisticLockKeyResultType, PessimisticLockRequest,
    PessimisticLockResponse, PessimisticLockWakeUpMode,
};
use charioteer_proto::tikv::rpc::KvPessimisticLock;
use charioteer_proto::tikv::timestamp::Timestamp;
use tokio::time::Instant;
use tracing::debug;

use super::call::Ask;
use super::error::{self, ConflictReason, Trouble, TxnError};
use super::heartbeat::{Heartbeat, Kept};
use super::keyed::{Limits, in_groups};
use super::locks::{Lock, each};
use super::options::LockWait;
use super::patience::{Patience, RESTARTED, WRITE_BLOCKED};
use super::plan::{Held, HeldKeys};
use super::resolve::Met;
use super::snapshot::Reader;
use crate::error::{Error, ErrorKind, Failure};
use crate::tikv::failure;

const KEYS: Limits = Limits { keys: 512, bytes: 64 << 10, concurrency: 16 };

/// How long a request waits at the store at most, before it is sent again: less than an attempt may take.
const ONE_WAIT: Duration = Duration::from_secs(1);

/// A lock that was touched within this is not asked about: its transaction lives. As with client-go.
const LIVELY_MS: u64 = 300;

/// The locks that a transaction has put on before it wrote anything.
#[derive(Debug)]
pub(super) struct Pessimism {
    held: BTreeMap<Bytes, Held>,
    /// Keys that were to be locked when the call was dropped, or as of any timestamp when it failed: they may be.
    attempted: BTreeSet<Bytes>,
    primary: Option<Bytes>,
    for_update_ts: u64,
    /// Whether the timestamp must not be used again, since locks of it are being taken away.
    is_spent: bool,
    heartbeat: Option<Heartbeat>,
}

/// What is to be locked, and how.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// In order, none of them twice.
    pub(super) keys: Vec<Bytes>,
    /// Whether they must not be there.
    pub(super) must_miss: bool,
    /// Whether their values are wanted.
    pub(super) values: bool,
    pub(super) only_if_exists: bool,
    pub(super) wait: LockWait,
    /// How long the locks hold.
    pub(super) ttl: Duration,
    /// Whether the store may lock a key that was written since, and tell what it is now.
    pub(super) is_fair: bool,
}

/// What came of one key: the lock with what is known of it, or nothing if it was not locked.
type Got = Vec<Option<Held>>;

impl Pessimism {
    pub(super) fn new(start_ts: u64) -> Self {
        Self {
            held: BTreeMap::new(),
            attempted: BTreeSet::new(),
            primary: None,
            for_update_ts: start_ts,
            is_spent: false,
            heartbeat: None,
        }
    }

    /// What is known of a key that is locked.
    pub(super) fn held(&self, key: &[u8]) -> Option<&Held> {
        self.held.get(key)
    }

    /// Keys that may be locked beside those that are known to be.
    pub(super) fn left_over(&self) -> Vec<Bytes> {
        self.attempted.iter().filter(|key| !self.held.contains_key(*key)).cloned().collect()
    }

    /// All that may be locked, in order.
    pub(super) fn all_keys(&self) -> Vec<Bytes> {
        let mut keys: Vec<Bytes> = self.held.keys().cloned().chain(self.left_over()).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// What is known to be locked, at the transaction's end; `None` if nothing is.
    pub(super) fn all(&self) -> Option<HeldKeys> {
        let primary = self.primary.clone()?;
        Some(HeldKeys { primary, for_update_ts: self.for_update_ts, keys: self.held.clone() })
    }

    /// Locks keys, but for those that are locked already and of which nothing more is wanted.
    pub(super) async fn lock(
        &mut self,
        reader: &Arc<Reader>,
        wanted: Wanted,
        began: Instant,
        deadline: Instant,
    ) -> Result<(), Error> {
        let is_enough = |held: &Held| !wanted.must_miss && (!wanted.values || held.value.is_some());
        let keys: Vec<Bytes> =
            wanted.keys.iter().filter(|key| !self.held.get(*key).is_some_and(is_enough)).cloned().collect();
        let Some(first) = keys.first() else { return Ok(()) };
        if wanted.only_if_exists && self.primary.is_none() && keys.len() > 1 {
            // The first would be the primary of the others, and not be locked if it does not exist.
            let message = "with only_if_exists, the first lock of a transaction is one of a single key";
            return Err(Failure::new(ErrorKind::InvalidArgument, message).into());
        }
        let primary = self.primary.clone().unwrap_or_else(|| first.clone());
        let mut locking = Locking {
            reader: Arc::clone(reader),
            is_fair: wanted.is_fair && keys.len() == 1,
            wanted: Wanted { keys, ..wanted },
            primary,
            is_first: self.primary.is_none(),
            for_update_ts: self.for_update_ts,
            began,
            deadline,
        };
        if self.is_spent {
            locking.for_update_ts = reader.core.timestamp(deadline).await?.into();
        }
        let attempted = self.attempted.clone();
        self.attempted.extend(locking.wanted.keys.iter().cloned());
        let is_spent = std::mem::replace(&mut self.is_spent, true);
        let locked = locking.run().await;
        if locked.is_ok() || !locking.is_fair {
            self.attempted = attempted;
        }
        self.is_spent = is_spent;
        match locked {
            Ok(got) => {
                self.take(&locking, got);
                Ok(())
            }
            Err(error) => {
                self.is_spent = true;
                self.for_update_ts = self.for_update_ts.max(locking.for_update_ts);
                let keys = locking.wanted.keys.iter().filter(|key| !self.held.contains_key(*key)).cloned().collect();
                locking.unlock_in_background(keys);
                Err(error)
            }
        }
    }

    fn take(&mut self, locking: &Locking, got: Got) {
        self.is_spent = false;
        self.for_update_ts = self.for_update_ts.max(locking.for_update_ts);
        for (key, held) in locking.wanted.keys.iter().zip(got) {
            let Some(mut held) = held else { continue };
            self.for_update_ts = self.for_update_ts.max(held.seen_up_to.unwrap_or_default());
            if let Some(before) = self.held.get(key)
                && held.value.is_none()
            {
                held.value.clone_from(&before.value);
            }
            self.held.insert(key.clone(), held);
        }
        if self.held.is_empty() {
            return;
        }
        let primary = self.primary.get_or_insert_with(|| locking.primary.clone());
        if self.heartbeat.is_none() {
            let core = Arc::clone(&locking.reader.core);
            let start_ts = locking.reader.version.into();
            let (primary, began, holds) = (primary.clone(), locking.began, locking.wanted.ttl);
            self.heartbeat = Heartbeat::start(Kept { core, primary, start_ts, began, holds });
        }
    }
}

/// Keys that are being locked.
struct Locking {
    reader: Arc<Reader>,
    wanted: Wanted,
    is_fair: bool,
    primary: Bytes,
    /// Whether the primary is among them, and not locked yet.
    is_first: bool,
    for_update_ts: u64,
    began: Instant,
    deadline: Instant,
}

impl Locking {
    /// Locks all of them, as of newer timestamps if need be.
    async fn run(&mut self) -> Result<Got, Error> {
        let mut patience = Patience::until(self.deadline);
        loop {
            let error = match self.all().await {
                Ok(got) => return Ok(got),
                Err(error) => error,
            };
            let Some(conflict_ts) = retried_at(&error) else { return Err(error) };
            patience.wait(&RESTARTED, None, || error).await?;
            let now = self.reader.core.timestamp(self.deadline).await?;
            self.for_update_ts = u64::from(now).max(conflict_ts);
        }
    }

    /// Locks all of them as of one timestamp.
    async fn all(&self) -> Result<Got, Error> {
        let keys = &self.wanted.keys;
        if !self.is_first || keys.len() == 1 || self.are_together().await? {
            return self.some(keys).await;
        }
        // The others name the primary, and whoever meets one of them must find it.
        let (first, others) = keys.split_at(1);
        let mut got = self.some(first).await?;
        got.extend(self.some(others).await?);
        Ok(got)
    }

    async fn are_together(&self) -> Result<bool, Error> {
        let keys: Vec<&Bytes> = self.wanted.keys.iter().collect();
        Ok(keys.len() <= KEYS.keys && self.reader.core.group(&keys, self.deadline).await?.len() == 1)
    }

    async fn some(&self, keys: &[Bytes]) -> Result<Got, Error> {
        let bytes: Vec<usize> = keys.iter().map(Bytes::len).collect();
        let mut patience = Patience::until(self.deadline);
        let done = in_groups(&self.reader.core, keys, &bytes, KEYS, &mut patience, |group| {
            self.group(group.keys.iter().map(|at| keys[*at].clone()).collect())
        });
        let mut got = vec![None; keys.len()];
        for (group, answers) in done.await? {
            group.into_iter().zip(answers).for_each(|(at, answer)| got[at] = answer);
        }
        Ok(got)
    }

    /// Locks keys of one region, as long as they are; others that hold them are waited for.
    async fn group(&self, keys: Vec<Bytes>) -> Result<Option<Got>, Error> {
        let mut patience = Patience::until(self.deadline);
        let begun = Instant::now();
        let limit = match self.wanted.wait {
            LockWait::Deadline => patience.left(),
            LockWait::None => Duration::ZERO,
            LockWait::AtMost(limit) => limit,
        };
        loop {
            let left = limit.saturating_sub(begun.elapsed()).min(patience.left());
            let ask = Ask::<KvPessimisticLock>::new(self.request(&keys, left), &self.reader.hints);
            let asked = Instant::now();
            let Some(reply) = self.reader.core.ask(&ask, self.deadline).await? else { return Ok(None) };
            if reply.errors.is_empty() {
                return self.got(keys.len(), reply).map(Some);
            }
            let locks = self.locks_of(reply.errors)?;
            let Some(first) = locks.first().map(|lock| Lock::told(lock, self.reader.layout)) else { continue };
            let is_over = begun.elapsed() >= limit;
            let verdict = self.find_out(locks).await?;
            if !verdict {
                // What stood in the way does so no more.
                continue;
            }
            if is_over || begun.elapsed() >= limit {
                return Err(waited_in_vain(first, self.wanted.wait).into());
            }
            // A store that has let it wait has done so for long enough.
            if asked.elapsed() < ONE_WAIT / 4 {
                patience.wait(&WRITE_BLOCKED, Some(limit), || waited_in_vain(first, self.wanted.wait)).await?;
            }
        }
    }

    /// Finds out about locks that are in the way; whether any is still.
    async fn find_out(&self, locks: Vec<LockInfo>) -> Result<bool, Error> {
        let is_lively =
            |lock: &LockInfo| lock.duration_to_last_update_ms > 0 && lock.duration_to_last_update_ms < LIVELY_MS;
        if locks.iter().all(is_lively) {
            return Ok(true);
        }
        Ok(self.reader.core.resolve(locks, Met::Writing(0), self.deadline).await?.wait.is_some())
    }

    fn locks_of(&self, errors: Vec<KeyError>) -> Result<Vec<LockInfo>, Error> {
        let mut locks = Vec::new();
        for error in errors {
            match error::read(error, self.reader.layout) {
                Trouble::Locked(lock) => locks.extend(each(*lock)),
                trouble => return Err(trouble.failure(self.reader.layout).into()),
            }
        }
        Ok(locks)
    }

    fn request(&self, keys: &[Bytes], wait: Duration) -> PessimisticLockRequest {
        let assertion = if self.wanted.must_miss { Assertion::NotExist } else { Assertion::None };
        let mutation = |key: &Bytes| Mutation {
            op: Op::PessimisticLock.into(),
            key: key.clone(),
            value: Bytes::new(),
            assertion: assertion.into(),
        };
        let wake_up_mode = match self.is_fair {
            true => PessimisticLockWakeUpMode::WakeUpModeForceLock,
            false => PessimisticLockWakeUpMode::WakeUpModeNormal,
        };
        let values = self.wanted.values || self.wanted.only_if_exists;
        PessimisticLockRequest {
            mutations: keys.iter().map(mutation).collect(),
            primary_lock: self.primary.clone(),
            start_version: self.reader.version.into(),
            lock_ttl: millis(self.began.elapsed() + self.wanted.ttl),
            for_update_ts: self.for_update_ts,
            is_first_lock: self.is_first && self.wanted.keys.len() == 1,
            wait_timeout: match millis(wait.min(ONE_WAIT)) {
                0 => -1,
                wait => wait.cast_signed(),
            },
            return_values: values,
            min_commit_ts: self.for_update_ts + 1,
            lock_only_if_exists: self.wanted.only_if_exists,
            wake_up_mode: wake_up_mode.into(),
            ..PessimisticLockRequest::default()
        }
    }

    /// What an answer tells of each key.
    fn got(&self, keys: usize, reply: PessimisticLockResponse) -> Result<Got, Error> {
        if self.is_fair && !reply.results.is_empty() {
            return self.got_fairly(reply);
        }
        let seen_up_to = self.is_fair.then_some(self.for_update_ts);
        if !self.wanted.values && !self.wanted.only_if_exists {
            // What must not be there is not.
            let value = self.wanted.must_miss.then_some(None);
            return Ok(vec![Some(Held { value, seen_up_to }); keys]);
        }
        if reply.values.len() != keys || !(reply.not_founds.is_empty() || reply.not_founds.len() == keys) {
            return Err(failure::odd("the store gave more or fewer values than keys were locked").into());
        }
        let is_missing = |at: usize| reply.not_founds.get(at).map_or(reply.values[at].is_empty(), |missing| *missing);
        let held = |at: usize| {
            let value = (!is_missing(at)).then(|| reply.values[at].clone());
            let is_locked = value.is_some() || !self.wanted.only_if_exists;
            is_locked.then_some(Held { value: Some(value), seen_up_to })
        };
        Ok((0..keys).map(held).collect())
    }

    fn got_fairly(&self, reply: PessimisticLockResponse) -> Result<Got, Error> {
        let held = |result: charioteer_proto::tikv::kvrpcpb::PessimisticLockKeyResult| {
            let seen_up_to = match result.r#type() {
                PessimisticLockKeyResultType::LockResultNormal => self.for_update_ts,
                PessimisticLockKeyResultType::LockResultLockedWithConflict => result.locked_with_conflict_ts,
                PessimisticLockKeyResultType::LockResultFailed => {
                    return Err(failure::odd("the store has not locked a key, and does not say why").into());
                }
            };
            let is_conflict = result.locked_with_conflict_ts > 0;
            // With a conflict the value comes whether it was asked for or not.
            let is_told = self.wanted.values || is_conflict;
            let value = is_told.then(|| result.existence.then_some(result.value));
            Ok(Some(Held { value, seen_up_to: Some(seen_up_to) }))
        };
        reply.results.into_iter().map(held).collect()
    }

    /// Takes away what may have been locked of keys that could not all be. A lock that the store has put on as of a later timestamp, which
    /// it does where that is fair, stays until the transaction ends: this can't tell it from one that is wanted.
    fn unlock_in_background(&self, keys: Vec<Bytes>) {
        if keys.is_empty() {
            return;
        }
        let (core, start_ts, for_update_ts) =
            (Arc::clone(&self.reader.core), u64::from(self.reader.version), self.for_update_ts);
        self.reader.core.in_background(async move {
            let mut patience = Patience::until(core.background_deadline());
            if let Err(error) = core.unlock_keys(start_ts, for_update_ts, &keys, &mut patience).await {
                debug!(start_ts, %error, "keys could not be unlocked: their locks run out");
            }
        });
    }
}

/// The timestamp that a newer one is to be greater than, if that is what an error asks for.
fn retried_at(error: &Error) -> Option<u64> {
    match TxnError::of(error)? {
        TxnError::WriteConflict(conflict) if conflict.reason != ConflictReason::SelfRolledBack => {
            Some(Timestamp::into(conflict.conflict_commit_ts))
        }
        _ => None,
    }
}

fn waited_in_vain(lock: Lock, wait: LockWait) -> Failure {
    match wait {
        LockWait::None => TxnError::Locked(lock).failure(),
        LockWait::AtMost(_) => TxnError::LockWaitTimeout(lock).failure(),
        LockWait::Deadline => Failure { kind: ErrorKind::Timeout, ..TxnError::LockWaitTimeout(lock).failure() },
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
