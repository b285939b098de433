//! What Pegasus' errors mean to a caller.
//!
//! There are two sorts: names such as `ERR_BUSY`, which the system gives in place of a result, and RocksDB's codes inside a result.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use charioteer_proto::DecodeError;
use charioteer_proto::pegasus::data::status;

use super::wire::TooLong;
use crate::backoff::Cause;
use crate::error::{ErrorKind, Failure, Outcome};
use crate::net::{Lost, Obstacle, Unreachable};
use crate::told::told;

/// The server asked is not, or no longer, the one for this partition: ask where it is, and go there at once.
pub(super) const STALE_ROUTE: Cause =
    Cause { name: "stale_route", at_once: 1, base: Duration::from_millis(10), cap: Duration::from_millis(200) };
/// The connection could not be made, or was lost.
pub(super) const CONNECTION: Cause =
    Cause { name: "connection", at_once: 1, base: Duration::from_millis(10), cap: Duration::from_millis(500) };
/// The server has too much to do, or too few replicas at the moment.
pub(super) const BUSY: Cause =
    Cause { name: "busy", at_once: 0, base: Duration::from_millis(20), cap: Duration::from_secs(1) };
/// A meta server has sent us on to another, or does not serve yet.
pub(super) const META: Cause =
    Cause { name: "meta", at_once: 2, base: Duration::from_millis(10), cap: Duration::from_millis(500) };
/// The server says that it took too long.
const TIMEOUT: Cause =
    Cause { name: "server_timeout", at_once: 1, base: Duration::from_millis(10), cap: Duration::from_millis(500) };

/// What an error's name says: its kind, whether and how it may be tried again, and what became of the data.
struct Meaning {
    kind: ErrorKind,
    retry: Option<&'static Cause>,
    outcome: Outcome,
    message: &'static str,
}

const fn final_(kind: ErrorKind, message: &'static str) -> Meaning {
    Meaning { kind, retry: None, outcome: Outcome::NotApplied, message }
}

const fn again(kind: ErrorKind, cause: &'static Cause, message: &'static str) -> Meaning {
    Meaning { kind, retry: Some(cause), outcome: Outcome::NotApplied, message }
}

/// An error that the system gives in place of a result.
pub(super) fn system(name: &str) -> Failure {
    let Meaning { kind, retry, outcome, message } = meaning(name);
    let failure = Failure::new(kind, message).code(told(name));
    Failure { retry, outcome, ..failure }
}

fn meaning(name: &str) -> Meaning {
    use ErrorKind as Kind;
    match name {
        "ERR_OBJECT_NOT_FOUND" => again(Kind::Unavailable, &STALE_ROUTE, "the server does not have this partition"),
        "ERR_INVALID_STATE" => again(Kind::Unavailable, &STALE_ROUTE, "the server is not the partition's primary"),
        "ERR_INACTIVE_STATE" => again(Kind::Unavailable, &STALE_ROUTE, "the partition is not active on the server"),
        "ERR_PARENT_PARTITION_MISUSED" => again(Kind::Unavailable, &STALE_ROUTE, "the table has been split"),
        "ERR_SPLITTING" => again(Kind::Busy, &BUSY, "the table is being split"),
        "ERR_BUSY" => again(Kind::Busy, &BUSY, "the server takes no more at the moment"),
        "ERR_CAPACITY_EXCEEDED" => again(Kind::Busy, &BUSY, "the server has too much to do"),
        "ERR_NOT_ENOUGH_MEMBER" => again(Kind::Unavailable, &BUSY, "the partition has too few replicas to write"),
        "ERR_SERVICE_NOT_ACTIVE" => again(Kind::Unavailable, &META, "the server does not serve yet"),
        "ERR_UNDER_RECOVERY" => again(Kind::Unavailable, &META, "the cluster is being recovered"),
        "ERR_FORWARD_TO_OTHERS" => again(Kind::Unavailable, &META, "the meta server does not lead"),
        "ERR_BUSY_CREATING" => again(Kind::Busy, &BUSY, "the table is being made"),
        "ERR_BUSY_DROPPING" => again(Kind::Busy, &BUSY, "the table is being dropped"),
        "ERR_TIMEOUT" => Meaning {
            kind: Kind::Timeout,
            retry: Some(&TIMEOUT),
            outcome: Outcome::Unknown,
            message: "the server took too long",
        },
        "ERR_STATE_FREEZED" => final_(Kind::Unavailable, "the cluster is frozen: no table can be made or dropped"),
        "ERR_INVALID_DATA" => final_(Kind::TooLarge, "the server takes no write of this size"),
        "ERR_INVALID_PARAMETERS" => final_(Kind::InvalidArgument, "the server takes no such arguments"),
        "ERR_OPERATION_DISABLED" => final_(Kind::Unsupported, "the table is duplicated, which rules this call out"),
        "ERR_HANDLER_NOT_FOUND" | "ERR_NOT_IMPLEMENTED" => {
            final_(Kind::Unsupported, "the server does not know this call")
        }
        "ERR_DISK_INSUFFICIENT" => final_(Kind::StorageFull, "the server's disk is full"),
        "ERR_ACL_DENY" => final_(Kind::Denied, "the server does not allow it"),
        "ERR_UNAUTHENTICATED" => {
            final_(Kind::Denied, "the cluster asks for authentication, which this client can't give")
        }
        "ERR_APP_NOT_EXIST" | "ERR_APP_DROPPED" => final_(Kind::NotFound, "there is no such table"),
        "ERR_APP_EXIST" => final_(Kind::AlreadyExists, "there is such a table already"),
        _ => Meaning { kind: Kind::Internal, retry: None, outcome: Outcome::Unknown, message: "the server failed" },
    }
}

/// RocksDB's code inside a result, where it is one that the call has no other meaning for. None of them is tried again: no other server
/// has these rows, and what a store could not do it can't do the next moment either.
pub(super) fn status(code: i32) -> Failure {
    let (name, kind, outcome): (Cow<'static, str>, _, _) = match code {
        status::INVALID_ARGUMENT => ("InvalidArgument".into(), ErrorKind::InvalidArgument, Outcome::NotApplied),
        status::NOT_FOUND => ("NotFound".into(), ErrorKind::NotFound, Outcome::NotApplied),
        2 => ("Corruption".into(), ErrorKind::Corrupt, Outcome::Unknown),
        3 => ("NotSupported".into(), ErrorKind::Unsupported, Outcome::NotApplied),
        5 => ("IOError".into(), ErrorKind::Internal, Outcome::Unknown),
        7 => ("Incomplete".into(), ErrorKind::Timeout, Outcome::NotApplied),
        9 => ("TimedOut".into(), ErrorKind::Timeout, Outcome::Unknown),
        11 => ("Busy".into(), ErrorKind::Busy, Outcome::Unknown),
        code => (format!("RocksDB {code}").into(), ErrorKind::Internal, Outcome::Unknown),
    };
    let message = match kind {
        ErrorKind::InvalidArgument => "the server takes no such arguments",
        ErrorKind::Corrupt => "what the server has stored is damaged",
        _ => "the server's store failed",
    };
    let failure = Failure::new(kind, message).code(name);
    Failure { outcome, ..failure }
}

/// A reply that is none: the peer speaks something else, or is out of order.
pub(super) fn unreadable(error: DecodeError) -> Failure {
    Failure::new(ErrorKind::Protocol, format!("the server's reply can't be read: {error}")).unknown().because(error)
}

/// A reply that was passed over. What was asked has been done.
pub(super) fn too_long(TooLong { bytes }: &TooLong) -> Failure {
    let message = format!("the reply has {bytes} bytes, more than max_reply_bytes allows: ask for less at a time");
    Failure::new(ErrorKind::TooLarge, message).unknown()
}

/// A connection that ended before the answer came.
pub(super) fn lost(lost: Lost) -> Failure {
    let message = format!("the connection was lost: {}", lost.reason);
    let failure = Failure::new(ErrorKind::Unavailable, message).retry(&CONNECTION);
    if lost.sent { failure.unknown() } else { failure }
}

/// A server to which there is no connection.
pub(super) fn unreachable(unreachable: &Unreachable, peer: &Arc<str>) -> Failure {
    if unreachable.obstacle == Obstacle::Closed {
        return closed();
    }
    let message = format!("no connection: {}", unreachable.reason);
    Failure::new(ErrorKind::Unavailable, message).retry(&CONNECTION).at(peer)
}

pub(super) fn closed() -> Failure {
    Failure::new(ErrorKind::Closed, "the client was closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_nobody_knows_is_an_error_that_may_have_done_something() {
        let failure = system("ERR_OF_ANOTHER_YEAR");
        assert_eq!((failure.kind, failure.outcome), (ErrorKind::Internal, Outcome::Unknown));
        assert_eq!(failure.server_code.as_deref(), Some("ERR_OF_ANOTHER_YEAR"));
        assert!(failure.retry.is_none());
    }

    #[test]
    fn what_a_server_refuses_before_it_begins_is_not_applied() {
        for name in ["ERR_INVALID_STATE", "ERR_OBJECT_NOT_FOUND", "ERR_BUSY", "ERR_NOT_ENOUGH_MEMBER"] {
            let failure = system(name);
            assert!(failure.retry.is_some() && failure.outcome == Outcome::NotApplied, "{name}");
        }
    }
}
