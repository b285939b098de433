//! How a call ends: gRPC's status.

use std::fmt;

/// How a call failed, in gRPC's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    /// What went wrong, for programs.
    pub(crate) code: Code,
    /// What went wrong, for people.
    pub(crate) message: String,
}

/// gRPC's numbers for what can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
}

impl Status {
    /// This went wrong.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// What was asked for is not served.
    pub(crate) fn unimplemented(message: impl Into<String>) -> Self {
        Self::new(Code::Unimplemented, message)
    }

    /// What was sent makes no sense.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }
}

/// The client no longer waits for the call.
pub(crate) fn given_up() -> Status {
    Status::new(Code::Cancelled, "the client has given the call up")
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.code, self.message)
    }
}

impl std::error::Error for Status {}
