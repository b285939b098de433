//! What is to go wrong, and for which requests.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use charioteer_proto::pegasus::rpc::Call;
use charioteer_proto::pegasus::special::ErrorCode;

use super::asked::{Asked, is_data, is_meta, is_read, is_write};
use super::stand_in;
use crate::hooks::{Mishap, Turns, turns_of_a_fault};

/// What goes wrong.
///
/// ```
/// use charioteer_server::testing::{Action, Call, Fault};
///
/// // Every increment is applied, and nobody ever hears of it.
/// let fault = Fault::new(Action::CutReply { after_bytes: 0 }).on(Call::Incr);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// The request is not run; this error travels in place of a result.
    ///
    /// A call that is never answered stays without an answer.
    Answer(ErrorCode),
    /// The request is not run; its result says this status, as the store of a real server would (1 not found, 4 invalid argument,
    /// 7 incomplete, 13 try again …), and is empty otherwise. Calls on data only.
    Status(i32),
    /// The request is not run; its result says this error. Calls to meta servers only, and of these the ones that clients make:
    /// those of [`Call`] from `QueryConfig` to `UpdateAppEnv`.
    MetaError(ErrorCode),
    /// The request waits so long before it is run.
    Delay(Duration),
    /// The request waits before it is run, until [`Injected::release`](crate::testing::Injected::release).
    Hold,
    /// The request is not run and never answered.
    Drop,
    /// The request is not run; its connection is closed.
    Cut,
    /// The request is run; the reply waits so long.
    DelayReply(Duration),
    /// The request is run; the reply waits until [`Injected::release`](crate::testing::Injected::release).
    HoldReply,
    /// The request is run and never answered.
    DropReply,
    /// The request is run; so many bytes of the reply are written, and the connection is closed.
    CutReply {
        /// With 0 it looks as if the server had crashed between applying and answering.
        after_bytes: usize,
    },
    /// The request is run; the reply announces an impossible length, so that the connection can't be read on.
    Garble,
    /// The request is run; the reply carries this number in place of the request's.
    Misnumber(i32),
    /// The request is run once; the reply is sent twice.
    Duplicate,
}

impl Action {
    /// Whether it takes the place of running the request.
    pub(super) const fn replaces(&self) -> bool {
        matches!(self, Self::Answer(_) | Self::Status(_) | Self::MetaError(_) | Self::Drop | Self::Cut)
    }

    /// Whether there is nothing left behind it for others to act on.
    pub(super) const fn is_final(&self) -> bool {
        matches!(self, Self::Drop | Self::Cut)
    }

    fn applies_to(&self, call: Call) -> bool {
        match self {
            Self::Status(_) => stand_in::has_status(call),
            Self::MetaError(_) => stand_in::has_error(call),
            _ => true,
        }
    }
}

/// What goes wrong, and for which requests: without further words for all of them, on every port.
///
/// Where several faults are meant for a request all of them apply, in the order in which they were injected; of those that take the
/// place of running it, the first.
///
/// ```
/// use std::time::Duration;
/// use charioteer_server::testing::{Action, Call, ErrorCode, Fault};
///
/// let busy = Fault::new(Action::Answer(ErrorCode::BUSY)).writes().table("temp").times(2);
/// let slow = Fault::new(Action::Delay(Duration::from_millis(50))).on(Call::Get).at_node(1).one_in(10, 42);
/// ```
#[derive(Clone)]
#[must_use = "a fault does nothing before it is injected"]
pub struct Fault {
    pub(super) action: Action,
    filters: Vec<Filter>,
    calls: Vec<Call>,
    turns: Turns,
}

/// One of those that must let a request pass.
#[derive(Clone)]
enum Filter {
    Reads,
    Writes,
    Data,
    Meta,
    Node(usize),
    MetaServer(usize),
    Table(String),
    HashKey(Arc<Wanted>),
}

/// Says of which hash keys a request is to be about.
type Wanted = dyn Fn(&[u8]) -> bool + Send + Sync;

impl Filter {
    fn lets_pass(&self, asked: &Asked<'_>) -> bool {
        match self {
            Self::Reads => is_read(asked.call),
            Self::Writes => is_write(asked.call),
            Self::Data => is_data(asked.call),
            Self::Meta => is_meta(asked.call),
            Self::Node(node) => asked.endpoint.node == Some(*node),
            Self::MetaServer(meta) => asked.endpoint.meta == Some(*meta),
            Self::Table(name) => asked.table.as_ref() == Some(name),
            Self::HashKey(wanted) => asked.hash_keys.iter().any(|hash_key| wanted(hash_key)),
        }
    }
}

impl Fault {
    /// This for every request of every port.
    pub fn new(action: Action) -> Self {
        Self { action, filters: Vec::new(), calls: Vec::new(), turns: Turns::default() }
    }

    /// For this call only; or, said more than once, for any of these.
    pub fn on(mut self, call: Call) -> Self {
        self.calls.push(call);
        self
    }

    /// For calls only that read data.
    pub fn reads(self) -> Self {
        self.only(Filter::Reads)
    }

    /// For calls only that write data.
    pub fn writes(self) -> Self {
        self.only(Filter::Writes)
    }

    /// For calls on data only.
    pub fn data(self) -> Self {
        self.only(Filter::Data)
    }

    /// For calls to meta servers only.
    pub fn meta(self) -> Self {
        self.only(Filter::Meta)
    }

    /// For requests only that come to this node's port.
    pub fn at_node(self, node: usize) -> Self {
        self.only(Filter::Node(node))
    }

    /// For requests only that come to this meta server's port.
    pub fn at_meta(self, meta: usize) -> Self {
        self.only(Filter::MetaServer(meta))
    }

    /// For requests only that are about this table: those on its data, and those that ask for its partitions, create or drop it, or
    /// change its environment.
    pub fn table(self, name: impl Into<String>) -> Self {
        self.only(Filter::Table(name.into()))
    }

    /// For requests only that are about rows of this hash key.
    pub fn hash_key(self, key: impl AsRef<[u8]>) -> Self {
        let key = key.as_ref().to_vec();
        self.hash_keys(move |asked| asked == key)
    }

    /// For requests only that are about rows whose hash keys begin so.
    pub fn hash_key_prefix(self, prefix: impl AsRef<[u8]>) -> Self {
        let prefix = prefix.as_ref().to_vec();
        self.hash_keys(move |asked| asked.starts_with(&prefix))
    }

    /// For requests only that are about rows of such hash keys. A scan is about the one it starts at; where it is gone on with, it
    /// names none.
    pub fn hash_keys(self, wanted: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Self {
        self.only(Filter::HashKey(Arc::new(wanted)))
    }

    turns_of_a_fault!();

    fn only(mut self, filter: Filter) -> Self {
        self.filters.push(filter);
        self
    }
}

impl Mishap for Fault {
    type Asked<'a> = Asked<'a>;

    fn is_for(&self, asked: &Asked<'_>) -> bool {
        self.action.applies_to(asked.call)
            && (self.calls.is_empty() || self.calls.contains(&asked.call))
            && self.filters.iter().all(|filter| filter.lets_pass(asked))
    }

    fn turns(&self) -> Turns {
        self.turns
    }

    fn replaces(&self) -> bool {
        self.action.replaces()
    }

    fn is_final(&self) -> bool {
        self.action.is_final()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_that_travels_is_of_one_kind() {
        for call in Call::ALL {
            let kinds = [is_data(*call), is_meta(*call)].into_iter().filter(|kind| *kind).count();
            let of_any_server = !call.name().starts_with("RPC_RRDB_") && !call.name().starts_with("RPC_CM_");
            assert_eq!(kinds, usize::from(!of_any_server), "{}", call.name());
            assert!(!(is_read(*call) && is_write(*call)), "{}", call.name());
        }
    }
}
