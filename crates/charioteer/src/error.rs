//! The one error of all clients.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::backoff::Waits;

/// What went wrong, as far as a caller would do something different about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument makes no sense; nothing was sent, or the server refused it and changed nothing.
    InvalidArgument,
    /// A URL, an address or a configuration file makes no sense.
    InvalidConfig,
    /// There is no such table. A missing key is no error: it is `None`.
    NotFound,
    /// There is such a table, or such a key, already.
    AlreadyExists,
    /// Something else has come in between, so that the call can't be carried out as it was meant.
    Conflict,
    /// A key, a value or a request is larger than is allowed.
    TooLarge,
    /// The server has too much to do, or is told to take less.
    Busy,
    /// No server that could answer was reached.
    Unavailable,
    /// The call's deadline has passed.
    Timeout,
    /// The server, or the client, can't do this.
    Unsupported,
    /// The peer sent what its protocol does not allow.
    Protocol,
    /// The server does not let this client do it, or is not one that the client trusts.
    Denied,
    /// What is stored, or what came back, is damaged.
    Corrupt,
    /// The server has no room left, on its disk or in its memory.
    StorageFull,
    /// The client was closed.
    Closed,
    /// The server failed in a way that says nothing more.
    Internal,
}

impl ErrorKind {
    /// The kind's name, as it stands in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid_argument",
            Self::InvalidConfig => "invalid_config",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Unsupported => "unsupported",
            Self::Protocol => "protocol",
            Self::Denied => "denied",
            Self::Corrupt => "corrupt",
            Self::StorageFull => "storage_full",
            Self::Closed => "closed",
            Self::Internal => "internal",
        }
    }
}

/// What a call that failed has done to the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nothing, and nothing will come of it later.
    NotApplied,
    /// It may have been carried out, or may be yet: the server was asked, and did not say.
    Unknown,
}

/// Why a call failed, whether it may be tried again, and whether it may have been carried out.
///
/// ```
/// use charioteer::pegasus::Options;
/// use charioteer::{ErrorKind, Outcome};
///
/// let error = Options::from_url("pegasus://127.0.0.1:no-port").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidConfig);
/// assert_eq!(error.outcome(), Outcome::NotApplied);
/// assert!(!error.is_retryable());
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    failure: Failure,
    operation: Option<&'static str>,
    collection: Option<Arc<str>>,
    attempts: u32,
    elapsed: Duration,
    waits: Waits,
}

impl Error {
    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.failure.kind
    }

    /// Whether the same call may succeed later.
    ///
    /// Where [`outcome`](Self::outcome) is unknown, trying again may carry the call out twice.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.failure.retry.is_some() || self.0.failure.passes
    }

    /// Whether the call may have changed anything.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.0.failure.outcome
    }

    /// The call that failed, such as `get`.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// The table on which it was called.
    #[must_use]
    pub fn collection(&self) -> Option<&str> {
        self.0.collection.as_deref()
    }

    /// The server that was asked last, `host:port`.
    #[must_use]
    pub fn peer(&self) -> Option<&str> {
        self.0.failure.peer.as_deref()
    }

    /// What the server called it, such as `ERR_BUSY`.
    #[must_use]
    pub fn server_code(&self) -> Option<&str> {
        self.0.failure.server_code.as_deref()
    }

    /// How often it was tried.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// How long it took until it was given up.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// Why it was tried again, how often, and how long it waited before: a row for each cause.
    pub fn waits(&self) -> impl Iterator<Item = (&'static str, u32, Duration)> {
        self.0.waits.iter()
    }

    /// What was wrong before anything was sent.
    pub(crate) fn invalid(operation: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::from(Failure::new(ErrorKind::InvalidArgument, message)).during(operation)
    }

    /// What is wrong with a configuration.
    pub(crate) fn config(message: impl Into<Cow<'static, str>>) -> Self {
        Self::from(Failure::new(ErrorKind::InvalidConfig, message))
    }

    pub(crate) fn during(mut self, operation: &'static str) -> Self {
        self.0.operation = Some(operation);
        self
    }

    pub(crate) fn on(mut self, collection: &Arc<str>) -> Self {
        self.0.collection = Some(Arc::clone(collection));
        self
    }

    /// The same of a call of which a part was carried out before.
    pub(crate) fn unknown(mut self) -> Self {
        self.0.failure.outcome = Outcome::Unknown;
        self
    }

    /// The same of a call that knows more about what went wrong.
    pub(crate) fn with(mut self, known: impl FnOnce(Failure) -> Failure) -> Self {
        let unknown = Failure::new(ErrorKind::Internal, "");
        self.0.failure = known(std::mem::replace(&mut self.0.failure, unknown));
        self
    }

    /// What it was made of, for a call that needed the one that failed.
    pub(crate) fn into_failure(self) -> Failure {
        self.0.failure
    }

    /// What became of the attempts.
    pub(crate) fn after(mut self, attempts: u32, elapsed: Duration, waits: Waits) -> Self {
        self.0.attempts = attempts;
        self.0.elapsed = elapsed;
        self.0.waits = waits;
        self
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self(Box::new(Inner {
            failure,
            operation: None,
            collection: None,
            attempts: 0,
            elapsed: Duration::ZERO,
            waits: Waits::default(),
        }))
    }
}

/// One line: the call, what went wrong, where, and what may be done about it.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { failure, operation, collection, attempts, elapsed, .. } = &*self.0;
        if let Some(operation) = operation {
            f.write_str(operation)?;
            if let Some(collection) = collection {
                write!(f, " on {collection}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&failure.message)?;
        if let Some(code) = &failure.server_code {
            write!(f, " ({code})")?;
        }
        if let Some(peer) = &failure.peer {
            write!(f, ", asked {peer}")?;
        }
        if *attempts > 1 {
            write!(f, ", tried {attempts} times in {elapsed:.1?}")?;
        }
        if failure.outcome == Outcome::Unknown {
            f.write_str("; it may have been applied")?;
        }
        Ok(())
    }
}

/// What [`Display`](fmt::Display) says, and all that is known beside it.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.kind())
            .field("message", &format_args!("{self}"))
            .field("retryable", &self.is_retryable())
            .field("outcome", &self.outcome())
            .field("waits", &self.0.waits)
            .field("source", &self.0.failure.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.failure.source.as_deref().map(|source| source as _)
    }
}

/// Why one attempt failed: what an [`Error`] is made of, when there is no other attempt.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) message: Cow<'static, str>,
    /// Why it may be tried again, which says how long to wait before; `None` when it would fail again.
    pub(crate) retry: Option<&'static crate::backoff::Cause>,
    /// Whether it may have passed by the time of another call, though this one had better not wait for that.
    pub(crate) passes: bool,
    pub(crate) outcome: Outcome,
    /// How long the server asks to be left alone, in place of the wait that the cause has.
    pub(crate) leave_alone: Option<Duration>,
    pub(crate) server_code: Option<Cow<'static, str>>,
    pub(crate) peer: Option<Arc<str>>,
    pub(crate) source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Failure {
    /// A failure that would come again, and changed nothing.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry: None,
            passes: false,
            outcome: Outcome::NotApplied,
            leave_alone: None,
            server_code: None,
            peer: None,
            source: None,
        }
    }

    pub(crate) fn retry(mut self, cause: &'static crate::backoff::Cause) -> Self {
        self.retry = Some(cause);
        self
    }

    /// A failure that may have passed by the time of another call.
    pub(crate) fn passing(mut self) -> Self {
        self.passes = true;
        self
    }

    pub(crate) fn unknown(mut self) -> Self {
        self.outcome = Outcome::Unknown;
        self
    }

    pub(crate) fn code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.server_code = Some(code.into());
        self
    }

    pub(crate) fn at(mut self, peer: &Arc<str>) -> Self {
        self.peer = Some(Arc::clone(peer));
        self
    }

    pub(crate) fn because(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }
}
