//! What is counted of requests.

use std::sync::OnceLock;

use charioteer_proto::memcached::{binary, meta, text};
use prometheus_client::metrics::counter::Counter;

use super::session::Request;
use crate::metrics::Metrics;

/// What a request asks for: by the same name in all protocols where that can be.
///
/// ```
/// use charioteer_server::testing::memcached::{Action, Call, Fault};
///
/// // Nobody learns that a value was stored, in whatever protocol.
/// let fault = Fault::new(Action::DropReply).on(Call::Store).on(Call::MetaSet);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// Reading items: Get of the binary protocol, also with its key or quiet, and `get` and `gets`.
    Get,
    /// Reading items that are kept longer: GAT, `gat`, `gats`.
    GetAndTouch,
    /// Keeping an item longer.
    Touch,
    /// Storing a value: set, add, replace, append, prepend, and `cas`.
    Store,
    /// Deleting an item.
    Delete,
    /// Counting up or down.
    Count,
    /// Flushing everything.
    Flush,
    /// `mg`.
    MetaGet,
    /// `ms`.
    MetaSet,
    /// `md`.
    MetaDelete,
    /// `ma`.
    MetaArithmetic,
    /// `me`.
    MetaDebug,
    /// Nothing but an answer.
    Noop,
    /// Statistics.
    Stats,
    /// The server's version.
    Version,
    /// Saying who one is.
    Authenticate,
    /// What only those ask for who look after a server.
    Administer,
    /// Ending the connection.
    Quit,
    /// Storing a value that is too large to be taken in.
    TooLarge,
    /// What the server does not know, or can't make sense of.
    Unknown,
}

impl Call {
    pub(super) const COUNT: usize = Self::Unknown as usize + 1;

    pub(super) const fn of(request: &Request) -> Self {
        match request {
            Request::Binary(request) => Self::of_binary(&request.command),
            Request::Text(request) => Self::of_text(request),
            Request::Credentials(_) => Self::Authenticate,
        }
    }

    const fn of_binary(command: &binary::Command) -> Self {
        use binary::Command;
        match command {
            Command::Get { .. } => Self::Get,
            Command::GetAndTouch { .. } => Self::GetAndTouch,
            Command::Touch { .. } => Self::Touch,
            Command::Store { .. } => Self::Store,
            Command::Delete { .. } => Self::Delete,
            Command::Count { .. } => Self::Count,
            Command::Flush { .. } => Self::Flush,
            Command::Noop => Self::Noop,
            Command::Version => Self::Version,
            Command::Quit => Self::Quit,
            Command::Stat { .. } => Self::Stats,
            Command::SaslMechanisms | Command::SaslAuth { .. } | Command::SaslStep { .. } => Self::Authenticate,
            Command::TooLarge { .. } => Self::TooLarge,
            Command::Verbosity { .. } | Command::Unknown { .. } => Self::Unknown,
        }
    }

    const fn of_text(request: &text::Request) -> Self {
        use text::Request;
        match request {
            Request::Get { touch: None, .. } => Self::Get,
            Request::Get { touch: Some(_), .. } => Self::GetAndTouch,
            Request::Touch { .. } => Self::Touch,
            Request::Store { .. } => Self::Store,
            Request::Delete { .. } => Self::Delete,
            Request::Count { .. } => Self::Count,
            Request::FlushAll { .. } => Self::Flush,
            Request::Meta(request) => match request.verb {
                meta::Verb::Get => Self::MetaGet,
                meta::Verb::Set => Self::MetaSet,
                meta::Verb::Delete => Self::MetaDelete,
                meta::Verb::Arithmetic => Self::MetaArithmetic,
            },
            Request::MetaDebug { .. } => Self::MetaDebug,
            Request::MetaNoop => Self::Noop,
            Request::Version => Self::Version,
            Request::Quit => Self::Quit,
            Request::Stats { .. } => Self::Stats,
            Request::Verbosity { .. } | Request::ConfigGet { .. } | Request::Admin { .. } => Self::Administer,
            Request::TooLarge { .. } => Self::TooLarge,
            Request::Refused(_) => Self::Unknown,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::GetAndTouch => "gat",
            Self::Touch => "touch",
            Self::Store => "store",
            Self::Delete => "delete",
            Self::Count => "count",
            Self::Flush => "flush",
            Self::MetaGet => "mg",
            Self::MetaSet => "ms",
            Self::MetaDelete => "md",
            Self::MetaArithmetic => "ma",
            Self::MetaDebug => "me",
            Self::Noop => "noop",
            Self::Stats => "stats",
            Self::Version => "version",
            Self::Authenticate => "auth",
            Self::Administer => "admin",
            Self::Quit => "quit",
            Self::TooLarge => "too_large",
            Self::Unknown => "unknown",
        }
    }

    /// Whether requests of this kind are refused, all of them.
    const fn is_refused(self) -> bool {
        matches!(self, Self::TooLarge | Self::Unknown)
    }

    /// Whether it only reads items.
    pub(super) const fn is_read(self) -> bool {
        matches!(self, Self::Get | Self::MetaGet | Self::MetaDebug)
    }

    /// Whether it changes items, or when they end.
    pub(super) const fn is_write(self) -> bool {
        matches!(
            self,
            Self::GetAndTouch
                | Self::Touch
                | Self::Store
                | Self::Delete
                | Self::Count
                | Self::MetaSet
                | Self::MetaDelete
                | Self::MetaArithmetic
                | Self::TooLarge
        )
    }

    /// Whether this is a command of the meta protocol.
    pub(super) const fn is_meta(self) -> bool {
        matches!(self, Self::MetaGet | Self::MetaSet | Self::MetaDelete | Self::MetaArithmetic | Self::MetaDebug)
    }
}

/// How often each was asked for.
pub(super) struct Calls {
    /// Made when one comes for the first time, so that the text stays short.
    counters: [OnceLock<Counter>; Call::COUNT],
    metrics: std::sync::Arc<Metrics>,
}

impl Calls {
    pub(super) fn new(metrics: std::sync::Arc<Metrics>) -> Self {
        Self { counters: [const { OnceLock::new() }; Call::COUNT], metrics }
    }

    pub(super) fn count(&self, call: Call) {
        let Some(counter) = self.counters.get(call as usize) else { return };
        let result = if call.is_refused() { "refused" } else { "answered" };
        counter.get_or_init(|| self.metrics.calls("memcached", call.name(), result)).inc();
    }
}
