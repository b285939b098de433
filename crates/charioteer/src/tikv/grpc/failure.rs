//! What can go wrong on the way.

use std::sync::Arc;
use std::time::Duration;

use crate::backoff::Cause;
use crate::error::{ErrorKind, Failure};

/// The connection could not be made, or was lost.
pub(crate) const CONNECTION: Cause =
    Cause { name: "connection", at_once: 1, base: Duration::from_millis(10), cap: Duration::from_millis(500) };
/// The server says that it can't answer now.
pub(crate) const SERVER: Cause =
    Cause { name: "server", at_once: 0, base: Duration::from_millis(20), cap: Duration::from_secs(1) };
/// The stream was ended for another command than this one. Nothing is wrong with the server.
pub(crate) const APART: Cause =
    Cause { name: "apart", at_once: 1, base: Duration::from_millis(10), cap: Duration::from_millis(500) };
/// No answer came in time.
const TIMEOUT: Cause =
    Cause { name: "timeout", at_once: 1, base: Duration::from_millis(10), cap: Duration::from_millis(500) };

/// A connection, or a stream, that ended before the answer came; `sent` says whether the request, or a part of it, may have left.
pub(crate) fn lost(reason: &str, sent: bool) -> Failure {
    let failure = Failure::new(ErrorKind::Unavailable, format!("the connection was lost: {reason}")).retry(&CONNECTION);
    if sent { failure.unknown() } else { failure }
}

/// A server to which there is no connection.
pub(super) fn unreachable(reason: impl std::fmt::Display) -> Failure {
    Failure::new(ErrorKind::Unavailable, format!("no connection: {reason}")).retry(&CONNECTION)
}

/// A server that does not let this client in, or is not the one that it trusts.
pub(super) fn denied(reason: &Arc<str>) -> Failure {
    Failure::new(ErrorKind::Denied, reason.to_string())
}

/// A call that took too long.
pub(crate) fn timed_out(what: &'static str, sent: bool) -> Failure {
    let failure = Failure::new(ErrorKind::Timeout, format!("{what} in time")).retry(&TIMEOUT);
    if sent { failure.unknown() } else { failure }
}

/// A reply that is none: the peer speaks something else, or is out of order.
pub(crate) fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::new(ErrorKind::Protocol, format!("the server's reply can't be read: {error}")).unknown().because(error)
}

/// Something that no server may send.
pub(super) fn senseless(what: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
    Failure::new(ErrorKind::Protocol, what).unknown()
}

pub(crate) fn closed() -> Failure {
    Failure::new(ErrorKind::Closed, "the client was closed")
}
