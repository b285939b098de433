//! How safe points move and what holds them, without I/O, with the time passed in.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use charioteer_engine::Error;

use super::NULL_KEYSPACE;

/// The barrier that only the collector of before has, and which means its safe point.
pub(super) const GC_WORKER: &str = "gc_worker";

/// So many seconds are for ever: nanoseconds of more have no room in the original.
const FOR_EVER_SECONDS: i64 = i64::MAX / 1_000_000_000;

/// All points and barriers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::tikv::pd) struct States {
    /// By keyspace.
    pub(super) states: BTreeMap<u32, State>,
    /// Barriers of all keyspaces together, by their names.
    pub(super) globals: BTreeMap<String, Barrier>,
}

/// The points and barriers of one keyspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) txn_safe_point: u64,
    pub(super) gc_safe_point: u64,
    pub(super) barriers: BTreeMap<String, Barrier>,
}

/// Holds the transactions' safe point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Barrier {
    pub(super) ts: u64,
    /// The second since 1970 after which it holds nothing; `None` for never.
    pub(super) expires: Option<u64>,
}

/// What came of moving the transactions' safe point.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Advanced {
    pub(super) old: u64,
    pub(super) new: u64,
    /// What kept it from going where it was to go.
    pub(super) blocker: Option<Blocker>,
}

/// What held the transactions' safe point.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Blocker {
    pub(super) id: String,
    barrier: Barrier,
    is_global: bool,
}

/// Why nothing was moved, in the original's words.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum GcError {
    NoKeyspace,
    NotItsOwn {
        name: String,
        id: u32,
    },
    DecreasingGc {
        current: u64,
        given: u64,
    },
    BeyondTxn {
        current: u64,
        given: u64,
        txn: u64,
    },
    DecreasingTxn {
        current: u64,
        given: u64,
    },
    BehindTxn {
        ts: u64,
        txn: u64,
    },
    GlobalBehindTxn {
        ts: u64,
        txn: u64,
        keyspace: u32,
    },
    Reserved(String),
    Argument {
        name: &'static str,
        value: String,
    },
    WorkerExpires,
    Store(Error),
    /// The point has moved, and could not be shown.
    Etcd(String),
}

impl Barrier {
    /// A barrier for so many seconds from now on.
    pub(super) fn lasting(ts: u64, seconds: i64, now: Duration) -> Result<Self, GcError> {
        if seconds <= 0 {
            return Err(GcError::Argument { name: "ttl", value: format!("{seconds}s") });
        }
        // A part of a second counts as one.
        let from = now.as_secs() + u64::from(now.subsec_nanos() > 0);
        let expires = (seconds < FOR_EVER_SECONDS).then(|| from.saturating_add(seconds.unsigned_abs()));
        Ok(Self { ts, expires })
    }

    fn is_expired(&self, now: Duration) -> bool {
        self.expires.is_some_and(|expires| now > Duration::from_secs(expires))
    }

    /// How many seconds it holds yet.
    pub(super) fn seconds_left(&self, now: Duration) -> i64 {
        let left = |expires| Duration::from_secs(expires).saturating_sub(now).as_secs();
        self.expires.map_or(i64::MAX, |expires| i64::try_from(left(expires)).unwrap_or(i64::MAX))
    }
}

impl States {
    /// The points and barriers of a keyspace.
    pub(super) fn of(&self, scope: u32) -> State {
        self.states.get(&scope).cloned().unwrap_or_default()
    }

    /// Moves the transactions' safe point to `target`, or as far as barriers let it. Those that have expired are gone for good.
    pub(super) fn advance_txn_safe_point(
        &mut self,
        scope: u32,
        target: u64,
        now: Duration,
    ) -> Result<Advanced, GcError> {
        let state = self.states.entry(scope).or_default();
        let old = state.txn_safe_point;
        if target < old {
            return Err(GcError::DecreasingTxn { current: old, given: target });
        }
        state.barriers.retain(|_, barrier| !barrier.is_expired(now));
        self.globals.retain(|_, barrier| !barrier.is_expired(now));
        let own = state.barriers.iter().map(|(id, barrier)| (id, barrier, false));
        let all = own.chain(self.globals.iter().map(|(id, barrier)| (id, barrier, true)));
        let lowest = all.filter(|(_, barrier, _)| barrier.ts < target).min_by_key(|(_, barrier, _)| barrier.ts);
        let blocker =
            lowest.map(|(id, barrier, is_global)| Blocker { id: id.clone(), barrier: barrier.clone(), is_global });
        let new = old.max(blocker.as_ref().map_or(target, |blocker| blocker.barrier.ts));
        state.txn_safe_point = new;
        Ok(Advanced { old, new, blocker })
    }

    /// Moves garbage collection's safe point, and answers where it was.
    pub(super) fn advance_gc_safe_point(&mut self, scope: u32, target: u64) -> Result<u64, GcError> {
        let state = self.states.entry(scope).or_default();
        let (old, txn) = (state.gc_safe_point, state.txn_safe_point);
        if target < old {
            return Err(GcError::DecreasingGc { current: old, given: target });
        }
        if target > txn {
            return Err(GcError::BeyondTxn { current: old, given: target, txn });
        }
        state.gc_safe_point = target;
        Ok(old)
    }

    /// Moves both points to `target` if they are not there, as those asked who know of one, and answers where garbage collection's is.
    pub(super) fn raise_safe_point(&mut self, scope: u32, target: u64) -> u64 {
        let state = self.states.entry(scope).or_default();
        state.gc_safe_point = state.gc_safe_point.max(target);
        state.txn_safe_point = state.txn_safe_point.max(state.gc_safe_point);
        state.gc_safe_point
    }

    pub(super) fn set_barrier(&mut self, scope: u32, id: &str, barrier: Barrier) -> Result<Barrier, GcError> {
        check_id(id)?;
        let state = self.states.entry(scope).or_default();
        if barrier.ts < state.txn_safe_point {
            return Err(GcError::BehindTxn { ts: barrier.ts, txn: state.txn_safe_point });
        }
        state.barriers.insert(id.to_owned(), barrier.clone());
        Ok(barrier)
    }

    pub(super) fn delete_barrier(&mut self, scope: u32, id: &str) -> Result<Option<Barrier>, GcError> {
        check_id(id)?;
        Ok(self.states.get_mut(&scope).and_then(|state| state.barriers.remove(id)))
    }

    pub(super) fn set_global_barrier(&mut self, id: &str, barrier: Barrier) -> Result<Barrier, GcError> {
        check_not_empty(id)?;
        let furthest = self.states.iter().max_by_key(|(_, state)| state.txn_safe_point);
        if let Some((&keyspace, state)) = furthest.filter(|(_, state)| barrier.ts < state.txn_safe_point) {
            return Err(GcError::GlobalBehindTxn { ts: barrier.ts, txn: state.txn_safe_point, keyspace });
        }
        self.globals.insert(id.to_owned(), barrier.clone());
        Ok(barrier)
    }

    pub(super) fn delete_global_barrier(&mut self, id: &str) -> Result<Option<Barrier>, GcError> {
        check_not_empty(id)?;
        Ok(self.globals.remove(id))
    }

    /// The furthest of all transactions' safe points.
    pub(super) fn furthest_txn_safe_point(&self) -> u64 {
        self.states.values().map(|state| state.txn_safe_point).max().unwrap_or_default()
    }
}

fn check_id(id: &str) -> Result<(), GcError> {
    if id == GC_WORKER {
        return Err(GcError::Reserved(id.to_owned()));
    }
    check_not_empty(id)
}

fn check_not_empty(id: &str) -> Result<(), GcError> {
    if id.is_empty() { Err(GcError::Argument { name: "barrierID", value: String::new() }) } else { Ok(()) }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_global { "GlobalGCBarrier" } else { "GCBarrier" };
        let expires = self.barrier.expires.map_or_else(|| "<nil>".to_owned(), |second| format!("unix {second}"));
        let (id, ts) = (&self.id, self.barrier.ts);
        write!(f, "{kind} {{ BarrierID: {id:?}, BarrierTS: {ts}, ExpirationTime: {expires:?} }}")
    }
}

impl fmt::Display for GcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKeyspace => write!(f, "[PD:keyspace:ErrKeyspaceNotFound]keyspace does not exist"),
            Self::NotItsOwn { name, id } => write!(
                f,
                "[PD:gc:ErrGCOnInvalidKeyspace]trying to manage GC in keyspace {name} (id: {id}) where keyspace level GC is not enabled"
            ),
            Self::DecreasingGc { current, given } => write!(
                f,
                "[PD:gc:ErrDecreasingGCSafePoint]trying to update GC safe point to a smaller value, current value: {current}, given: {given}"
            ),
            Self::BeyondTxn { current, given, txn } => write!(
                f,
                "[PD:gc:ErrGCSafePointExceedsTxnSafePoint]trying to update GC safe point to a too large value that exceeds the txn safe point, current value: {current}, given: {given}, current txn safe point: {txn}"
            ),
            Self::DecreasingTxn { current, given } => write!(
                f,
                "[PD:gc:ErrDecreasingTxnSafePoint]trying to update txn safe point to a smaller value, current value: {current}, given: {given}"
            ),
            Self::BehindTxn { ts, txn } => write!(
                f,
                "[PD:gc:ErrGCBarrierTSBehindTxnSafePoint]trying to set a GC barrier on ts {ts} which is already behind the txn safe point {txn}"
            ),
            Self::GlobalBehindTxn { ts, txn, keyspace } => {
                write!(
                    f,
                    "[PD:gc:ErrGlobalGCBarrierTSBehindTxnSafePoint]trying to set a global GC barrier on ts {ts} which is already behind the txn safe point {txn} of keyspace "
                )?;
                if *keyspace == NULL_KEYSPACE { write!(f, "<null_keyspace>") } else { write!(f, "{keyspace}") }
            }
            Self::Reserved(id) => write!(
                f,
                "[PD:gc:ErrReservedGCBarrierID]trying to set a GC barrier with a barrier ID that is reserved: {id}"
            ),
            Self::Argument { name, value } => {
                write!(f, "[PD:common:ErrInvalidArgument]invalid argument for {name}: {value}")
            }
            Self::WorkerExpires => write!(f, "TTL of gc_worker's service safe point must be infinity"),
            Self::Store(error) => error.fmt(f),
            Self::Etcd(why) => f.write_str(why),
        }
    }
}

impl From<Error> for GcError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}
