//! What is to go wrong, and for which requests.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use charioteer_proto::memcached::binary::Status;
use charioteer_proto::memcached::text::Refusal;

use super::asked::Asked;
use crate::hooks::{Mishap, Turns, turns_of_a_fault};
use crate::memcached::Call;

/// An error as a memcached tells it: a status in the binary protocol, a line in the others.
///
/// ```
/// use charioteer_server::testing::memcached::Failure;
///
/// let odd = Failure::new(0x99, "SERVER_ERROR the server is not well");
/// assert_ne!(odd, Failure::OUT_OF_MEMORY);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    pub(super) status: Status,
    pub(super) refusal: Refusal,
}

impl Failure {
    /// There is no room, and none can be made.
    pub const OUT_OF_MEMORY: Self = Self { status: Status::OUT_OF_MEMORY, refusal: Refusal::OUT_OF_MEMORY };
    /// The item would be too large.
    pub const TOO_LARGE: Self = Self { status: Status::TOO_LARGE, refusal: Refusal::TOO_LARGE };
    /// The server has too much to do.
    pub const BUSY: Self = Self::new(0x85, "SERVER_ERROR busy");
    /// The server can't now.
    pub const TEMPORARY: Self = Self::new(0x86, "SERVER_ERROR temporary failure");
    /// Something is wrong with the server.
    pub const INTERNAL: Self = Self::new(0x84, "SERVER_ERROR internal error");
    /// The server has no such command.
    pub const UNKNOWN_COMMAND: Self = Self { status: Status::UNKNOWN_COMMAND, refusal: Refusal::UNKNOWN_COMMAND };
    /// The client is not taken for who it says it is.
    pub const DENIED: Self = Self { status: Status::AUTH_FAILURE, refusal: Refusal::UNAUTHENTICATED };

    /// Any other: a status, and a line without its end.
    #[must_use]
    pub const fn new(status: u16, line: &'static str) -> Self {
        Self { status: Status(status), refusal: Refusal::line(line) }
    }
}

/// What goes wrong.
///
/// Requests of one connection are answered one after the other: what holds one up holds up those behind it.
///
/// ```
/// use charioteer_server::testing::memcached::{Action, Fault};
///
/// // Every change is made, and nobody ever hears of it.
/// let fault = Fault::new(Action::CutReply { after_bytes: 0 }).writes();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// The request is not run; this error is its answer.
    Answer(Failure),
    /// The request waits so long before it is run.
    Delay(Duration),
    /// The request waits before it is run, until [`Injected::release`](crate::testing::Injected::release).
    Hold,
    /// The request is not run and never answered. In the text protocols the answer to the next one is taken for its answer.
    Drop,
    /// The request is not run; its connection is closed.
    Cut,
    /// The request is run; the reply waits so long.
    DelayReply(Duration),
    /// The request is run; the reply waits until [`Injected::release`](crate::testing::Injected::release).
    HoldReply,
    /// The request is run and never answered. In the text protocols the answer to the next one is taken for its answer.
    DropReply,
    /// The request is run; so many bytes of the reply are written, and the connection is closed.
    CutReply {
        /// With 0 it looks as if the server had crashed between applying and answering.
        after_bytes: usize,
    },
    /// The request is run; the reply begins as no reply does, so that the connection can't be read on.
    Garble,
    /// The request is run; the reply carries this number in place of the request's. Requests of the binary protocol only.
    Misnumber(u32),
    /// The request is run once; the reply is sent twice.
    Duplicate,
}

impl Action {
    /// Whether it takes the place of running the request.
    pub(super) const fn replaces(&self) -> bool {
        matches!(self, Self::Answer(_) | Self::Drop | Self::Cut)
    }
}

/// What goes wrong, and for which requests: without further words for all of them.
///
/// Where several faults are meant for a request all of them apply, in the order in which they were injected; of those that take the
/// place of running it, the first.
///
/// ```
/// use std::time::Duration;
/// use charioteer_server::testing::memcached::{Action, Call, Failure, Fault};
///
/// let full = Fault::new(Action::Answer(Failure::OUT_OF_MEMORY)).writes().key_prefix("user:").times(2);
/// let slow = Fault::new(Action::Delay(Duration::from_millis(50))).on(Call::Get).one_in(10, 42);
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
    Key(Arc<Wanted>),
}

/// Says of which keys a request is to be about.
type Wanted = dyn Fn(&[u8]) -> bool + Send + Sync;

impl Filter {
    fn lets_pass(&self, asked: &Asked<'_>) -> bool {
        match self {
            Self::Reads => asked.call.is_read(),
            Self::Writes => asked.call.is_write(),
            Self::Data => asked.call.is_read() || asked.call.is_write(),
            Self::Key(wanted) => asked.is_about(|key| wanted(key)),
        }
    }
}

impl Fault {
    /// This for every request.
    pub fn new(action: Action) -> Self {
        Self { action, filters: Vec::new(), calls: Vec::new(), turns: Turns::default() }
    }

    /// For this kind of request only; or, said more than once, for any of these.
    pub fn on(mut self, call: Call) -> Self {
        self.calls.push(call);
        self
    }

    /// For requests only that read items, and change nothing.
    pub fn reads(self) -> Self {
        self.only(Filter::Reads)
    }

    /// For requests only that change items, or when they end.
    pub fn writes(self) -> Self {
        self.only(Filter::Writes)
    }

    /// For requests on items only.
    pub fn data(self) -> Self {
        self.only(Filter::Data)
    }

    /// For requests only that are about the item of this key.
    pub fn key(self, key: impl AsRef<[u8]>) -> Self {
        let key = key.as_ref().to_vec();
        self.keys(move |asked| asked == key)
    }

    /// For requests only that are about items whose keys begin so.
    pub fn key_prefix(self, prefix: impl AsRef<[u8]>) -> Self {
        let prefix = prefix.as_ref().to_vec();
        self.keys(move |asked| asked.starts_with(&prefix))
    }

    /// For requests only that are about items of such keys.
    pub fn keys(self, wanted: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Self {
        self.only(Filter::Key(Arc::new(wanted)))
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
        (asked.is_binary || !matches!(self.action, Action::Misnumber(_)))
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
