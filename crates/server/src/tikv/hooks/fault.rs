//! What is to go wrong, and for which calls.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use charioteer_proto::tikv::rpc::Call;

use super::asked::Asked;
use super::region_error::RegionError;
use crate::grpc::Code;
use crate::hooks::{Mishap, Turns, turns_of_a_fault};

/// What goes wrong. A command in a batch counts as a call like one that travels by itself.
///
/// ```
/// use charioteer_server::testing::tikv::{Action, Call, Fault};
///
/// // Every write is made, and nobody ever hears of it.
/// let fault = Fault::new(Action::CutReply).on(Call::RawPut);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// The command is not run; this error of the region is its answer. Commands of regions only.
    Answer(RegionError),
    /// The call is not run; it ends with this status. In a batch, the whole stream does.
    Status(Status),
    /// The call waits so long before it is run.
    Delay(Duration),
    /// The call waits before it is run, until [`Injected::release`](crate::testing::Injected::release).
    Hold,
    /// The call is not run and never answered.
    Drop,
    /// The call is not run; its connection is closed.
    Cut,
    /// The call is run; the reply waits so long.
    DelayReply(Duration),
    /// The call is run; the reply waits until [`Injected::release`](crate::testing::Injected::release).
    HoldReply,
    /// The call is run and never answered.
    DropReply,
    /// The call is run; its connection is closed before it is answered, as if the server had crashed in between.
    CutReply,
    /// The call is run; bytes that are no message come in place of the reply.
    Garble,
    /// The call is run once; the reply is sent twice.
    Duplicate,
}

/// How a call ends that fails.
///
/// ```
/// use charioteer_server::testing::tikv::Status;
///
/// let status = Status::Unavailable("gone fishing".to_owned());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// The server is not there, or not in its role.
    Unavailable(String),
    /// Something is short.
    ResourceExhausted(String),
    /// It took too long.
    DeadlineExceeded(String),
    /// There is no such method.
    Unimplemented(String),
    /// Something else is wrong.
    Unknown(String),
}

impl Status {
    pub(super) fn to_grpc(&self) -> crate::grpc::Status {
        let (code, message) = match self {
            Self::Unavailable(message) => (Code::Unavailable, message),
            Self::ResourceExhausted(message) => (Code::ResourceExhausted, message),
            Self::DeadlineExceeded(message) => (Code::DeadlineExceeded, message),
            Self::Unimplemented(message) => (Code::Unimplemented, message),
            Self::Unknown(message) => (Code::Unknown, message),
        };
        crate::grpc::Status::new(code, message.clone())
    }
}

impl Action {
    /// Whether it takes the place of running the call.
    const fn replaces(&self) -> bool {
        matches!(self, Self::Answer(_) | Self::Status(_) | Self::Drop | Self::Cut)
    }
}

/// What goes wrong, and for which calls: without further words for all of them, at PD and at every store.
///
/// Where several faults are meant for a call all of them apply, in the order in which they were injected; of those that take the
/// place of running it, the first.
///
/// ```
/// use std::time::Duration;
/// use charioteer_server::testing::tikv::{Action, Call, Fault, RegionError};
///
/// let moved = Fault::new(Action::Answer(RegionError::EpochNotMatch)).keys_in("a", "m").times(2);
/// let slow = Fault::new(Action::Delay(Duration::from_millis(50))).on(Call::RawGet).at_store(1).one_in(10, 42);
/// ```
#[derive(Clone)]
#[must_use = "a fault does nothing before it is injected"]
pub struct Fault {
    pub(super) action: Action,
    calls: Vec<Call>,
    filters: Vec<Filter>,
    turns: Turns,
}

/// One of those that must let a call pass.
type Filter = Arc<dyn Fn(&Asked<'_>) -> bool + Send + Sync>;

impl Fault {
    /// This for every call.
    pub fn new(action: Action) -> Self {
        Self { action, calls: Vec::new(), filters: Vec::new(), turns: Turns::default() }
    }

    /// For this call only; or, said more than once, for any of these.
    pub fn on(mut self, call: Call) -> Self {
        self.calls.push(call);
        self
    }

    /// For calls at PD only.
    pub fn at_pd(self) -> Self {
        self.only(|asked| asked.store.is_none())
    }

    /// For calls at this store only; stores are numbered from 0.
    pub fn at_store(self, store: usize) -> Self {
        self.only(move |asked| asked.store == Some(store))
    }

    /// For commands of this region only.
    pub fn region(self, id: u64) -> Self {
        self.only(move |asked| asked.context.is_some_and(|context| context.region_id == id))
    }

    /// For commands only that name this key, as it travels.
    pub fn key(self, key: impl AsRef<[u8]>) -> Self {
        let key = key.as_ref().to_vec();
        self.keys(move |asked| asked == key)
    }

    /// For commands only that name a key from `start` up to just before `end`, as keys travel; without end if that is empty.
    pub fn keys_in(self, start: impl AsRef<[u8]>, end: impl AsRef<[u8]>) -> Self {
        let (start, end) = (start.as_ref().to_vec(), end.as_ref().to_vec());
        self.keys(move |asked| asked >= &start[..] && (end.is_empty() || asked < &end[..]))
    }

    /// For commands only that name such a key.
    pub fn keys(self, wanted: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Self {
        self.only(move |asked| asked.keys.iter().any(|key| wanted(key)))
    }

    /// For reads only that a follower is asked to answer with what the leader knows.
    pub fn replica_reads(self) -> Self {
        self.only(|asked| asked.context.is_some_and(|context| context.replica_read && !context.stale_read))
    }

    /// For reads only that a follower is asked to answer with what was known at an earlier time.
    pub fn stale_reads(self) -> Self {
        self.only(|asked| asked.context.is_some_and(|context| context.stale_read))
    }

    /// From the first call of this kind on, that one included: for whatever comes, unless another word says otherwise. This is how a
    /// client crashes between two phases: nothing of it is done any more.
    ///
    /// ```
    /// use charioteer_server::testing::tikv::{Action, Call, Fault};
    ///
    /// // It has locked its keys, and dies before it commits.
    /// let crash = Fault::new(Action::Drop).from(Call::KvCommit);
    /// // The commit is done, nobody hears of it, and nothing comes after it.
    /// let unheard = Fault::new(Action::DropReply).on(Call::KvCommit).times(1);
    /// let crash_behind = Fault::new(Action::Drop).after(Call::KvCommit);
    /// ```
    pub fn from(self, call: Call) -> Self {
        let has_come = AtomicBool::new(false);
        self.only(move |asked| {
            if asked.call == call {
                has_come.store(true, Ordering::SeqCst);
            }
            has_come.load(Ordering::SeqCst)
        })
    }

    /// The same, without the call itself.
    pub fn after(self, call: Call) -> Self {
        let has_come = AtomicBool::new(false);
        self.only(move |asked| has_come.swap(asked.call == call || has_come.load(Ordering::SeqCst), Ordering::SeqCst))
    }

    turns_of_a_fault!();

    /// For calls only that are as wanted.
    pub(crate) fn only(mut self, filter: impl Fn(&Asked<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.filters.push(Arc::new(filter));
        self
    }
}

impl Mishap for Fault {
    type Asked<'a> = Asked<'a>;

    fn is_for(&self, asked: &Asked<'_>) -> bool {
        (asked.is_regional || !matches!(self.action, Action::Answer(_)))
            && (self.calls.is_empty() || self.calls.contains(&asked.call))
            && self.filters.iter().all(|passes| passes(asked))
    }

    fn turns(&self) -> Turns {
        self.turns
    }

    fn replaces(&self) -> bool {
        self.action.replaces()
    }

    fn is_final(&self) -> bool {
        matches!(self.action, Action::Drop | Action::Cut)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault")
            .field("action", &self.action)
            .field("calls", &self.calls)
            .field("turns", &self.turns)
            .finish_non_exhaustive()
    }
}
