//! What transactions and snapshots are told before they begin.

use std::time::Duration;

use charioteer_proto::tikv::kvrpcpb::{self, CommandPri, Context, IsolationLevel, ResourceControlContext};
use charioteer_proto::tikv::timestamp::Timestamp;

use super::heartbeat::HOLDS;
use crate::tikv::options::ReadFrom;

/// How a transaction goes about its work.
///
/// ```
/// use charioteer::tikv::{Locking, TxnOptions};
///
/// let mut options = TxnOptions::default();
/// assert_eq!(options.locking, Locking::Optimistic);
/// options.locking = Locking::Pessimistic;
/// options.async_commit = true;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TxnOptions {
    /// When keys are locked that are written. Default when the transaction is committed.
    pub locking: Locking,
    /// Whether a transaction whose keys lie in one region, and go into one request, is committed with that request. It falls back to two
    /// phases by itself where that can't be. Default yes.
    pub one_phase: bool,
    /// Whether a transaction is committed as soon as all its keys are locked, without waiting for its primary. It falls back by itself
    /// where that can't be, such as with more than 256 keys. Default no: clients that know nothing of it can't do away with the locks of
    /// such a transaction if its own client vanishes.
    pub async_commit: bool,
    /// Whether it is enough that a transaction is seen by those which began after it by their own client's order, or by what they have
    /// read. It saves a question to PD with [`one_phase`](Self::one_phase) and [`async_commit`](Self::async_commit). Default no: whoever
    /// begins after a commit has returned sees it.
    pub causal: bool,
    /// Whether a lock on one key waits at the store until it is had, whatever was written before it, in place of beginning anew at each
    /// change: those who wait for one key all the time get it in order. Default no.
    pub fair_locking: bool,
    /// How long locks of other transactions are waited for when keys are locked before they are written. Default up to the call's deadline.
    pub lock_wait: LockWait,
    /// How long locks that were put on before anything is written hold when nothing is heard of this client any more. While the
    /// transaction is there they are kept for as long again every half of this. Default 20 s.
    pub lock_ttl: Duration,
    /// How long each call of the transaction may take, its commit among them. Default as its client's.
    pub timeout: Option<Duration>,
    /// A transaction that writes more keys is refused. Default no limit.
    pub max_keys: Option<usize>,
    /// A transaction that writes more bytes of keys and values is refused. Default no limit.
    pub max_bytes: Option<usize>,
    /// At which timestamp it begins, which PD has given before. Default at one of now.
    ///
    /// It is by this timestamp that stores tell transactions apart. Two that begin at the same are one to them: each takes the other's locks
    /// for its own, and what one has written may be lost, or committed with the other. So no timestamp may be given twice, in whichever
    /// client; one that another transaction of the same client has, or had a short while ago, is refused.
    pub start_ts: Option<Timestamp>,
    /// How closely stores look at what is [asserted](super::Transaction::assert_exists) of keys. Default [`Assertions::Strict`].
    pub assertions: Assertions,
    /// How it reads.
    pub reading: SnapshotOptions,
}

impl Default for TxnOptions {
    fn default() -> Self {
        Self {
            locking: Locking::Optimistic,
            one_phase: true,
            async_commit: false,
            causal: false,
            fair_locking: false,
            lock_wait: LockWait::Deadline,
            lock_ttl: HOLDS,
            timeout: None,
            max_keys: None,
            max_bytes: None,
            start_ts: None,
            assertions: Assertions::Strict,
            reading: SnapshotOptions::default(),
        }
    }
}

/// How closely stores look at what a transaction asserts of the keys that it writes.
///
/// ```
/// use charioteer::tikv::{Assertions, TxnOptions};
///
/// assert_eq!(TxnOptions::default().assertions, Assertions::Strict);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Assertions {
    /// Not at all.
    Off,
    /// Where they have read the key's versions for something else.
    Fast,
    /// Always, even if they have to read the key's versions for that.
    #[default]
    Strict,
}

impl Assertions {
    pub(super) fn level(self) -> kvrpcpb::AssertionLevel {
        match self {
            Self::Off => kvrpcpb::AssertionLevel::Off,
            Self::Fast => kvrpcpb::AssertionLevel::Fast,
            Self::Strict => kvrpcpb::AssertionLevel::Strict,
        }
    }
}

/// When a transaction locks the keys that it writes.
///
/// ```
/// use charioteer::tikv::Locking;
///
/// assert_eq!(Locking::default(), Locking::Optimistic);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Locking {
    /// When it is committed, which fails if another one has written any of them since it began.
    #[default]
    Optimistic,
    /// At once, for which others are waited for. What is read by [`get_for_update`](super::Transaction::get_for_update) is the newest.
    Pessimistic,
}

/// How long a lock of another transaction is waited for.
///
/// ```
/// use std::time::Duration;
/// use charioteer::tikv::LockWait;
///
/// assert_ne!(LockWait::None, LockWait::AtMost(Duration::from_secs(1)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LockWait {
    /// As long as the call may take.
    #[default]
    Deadline,
    /// Not at all.
    None,
    /// For so long.
    AtMost(Duration),
}

/// How keys are locked before they are written.
///
/// ```
/// use charioteer::tikv::{LockOptions, LockWait};
///
/// let mut options = LockOptions::default();
/// options.wait = Some(LockWait::None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockOptions {
    /// How long others are waited for. Default as the transaction says.
    pub wait: Option<LockWait>,
    /// Whether keys that are not there stay unlocked; the first lock of a transaction is one of a single key then. Default no.
    pub only_if_exists: bool,
}

/// How a snapshot is read, or a transaction reads.
///
/// ```
/// use charioteer::tikv::{Priority, SnapshotOptions};
///
/// let mut options = SnapshotOptions::default();
/// options.priority = Priority::Low;
/// options.fill_cache = false;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotOptions {
    /// Before or after what other requests they are carried out. Default [`Priority::Normal`].
    pub priority: Priority,
    /// What is seen of other transactions. Default [`Isolation::Snapshot`].
    pub isolation: Isolation,
    /// Which of a region's peers is asked. Default as the client's options say.
    pub read_from: Option<ReadFrom>,
    /// Whether a peer may answer with what it has, without asking the leader, if that is as new as the snapshot. For snapshots of the
    /// past. Default no.
    pub stale: bool,
    /// Whether stores keep in their caches what they have read. Default yes.
    pub fill_cache: bool,
    /// Of how many rows a scan finds one; 0 and 1 are all of them. Default all.
    pub sample_step: u32,
    /// The resource group to which requests are charged. Default none.
    pub resource_group: Option<String>,
    /// What stores are told of where requests come from. Default nothing.
    pub request_source: Option<String>,
    /// How long each call may take. Default as the client's.
    pub timeout: Option<Duration>,
}

impl Default for SnapshotOptions {
    fn default() -> Self {
        Self {
            priority: Priority::Normal,
            isolation: Isolation::Snapshot,
            read_from: None,
            stale: false,
            fill_cache: true,
            sample_step: 0,
            resource_group: None,
            request_source: None,
            timeout: None,
        }
    }
}

/// Before or after what other requests a store carries one out.
///
/// ```
/// use charioteer::tikv::Priority;
///
/// assert_eq!(Priority::default(), Priority::Normal);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Priority {
    /// After others.
    Low,
    /// As others.
    #[default]
    Normal,
    /// Before others.
    High,
}

/// What is seen of other transactions.
///
/// ```
/// use charioteer::tikv::Isolation;
///
/// assert_eq!(Isolation::default(), Isolation::Snapshot);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// All that was committed up to the timestamp, and nothing else.
    #[default]
    Snapshot,
    /// The same without waiting for transactions under way, some of which may turn out to have been committed before.
    ReadCommitted,
    /// The same, which fails where something is under way or has been written since.
    ReadCommittedChecked,
}

/// What requests of one transaction or snapshot say of themselves.
#[derive(Clone, Debug, Default)]
pub(super) struct Hints {
    priority: CommandPri,
    isolation: IsolationLevel,
    not_fill_cache: bool,
    resource_group: String,
    request_source: String,
}

impl Hints {
    pub(super) fn of(options: &SnapshotOptions) -> Self {
        Self {
            priority: match options.priority {
                Priority::Low => CommandPri::Low,
                Priority::Normal => CommandPri::Normal,
                Priority::High => CommandPri::High,
            },
            isolation: match options.isolation {
                Isolation::Snapshot => IsolationLevel::Si,
                Isolation::ReadCommitted => IsolationLevel::Rc,
                Isolation::ReadCommittedChecked => IsolationLevel::RcCheckTs,
            },
            not_fill_cache: !options.fill_cache,
            resource_group: options.resource_group.clone().unwrap_or_default(),
            request_source: options.request_source.clone().unwrap_or_default(),
        }
    }

    pub(super) fn tell(&self, context: &mut Context) {
        context.priority = self.priority.into();
        context.isolation_level = self.isolation.into();
        context.not_fill_cache = self.not_fill_cache;
        context.request_source.clone_from(&self.request_source);
        if !self.resource_group.is_empty() {
            let resource_group_name = self.resource_group.clone();
            let group = ResourceControlContext { resource_group_name, ..ResourceControlContext::default() };
            context.resource_control_context = Some(Box::new(group));
        }
    }
}
