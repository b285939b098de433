//! What memcached's errors mean to a caller.

use std::sync::Arc;
use std::time::Duration;

use charioteer_proto::memcached::binary::{Reply, Status};

use crate::backoff::Cause;
use crate::error::{ErrorKind, Failure};
use crate::net::{Lost, Obstacle, Unreachable};

/// The connection could not be made, or was lost.
const CONNECTION: Cause =
    Cause { name: "connection", at_once: 1, base: Duration::from_millis(10), cap: Duration::from_millis(200) };
/// The server has too much to do.
const BUSY: Cause =
    Cause { name: "busy", at_once: 0, base: Duration::from_millis(10), cap: Duration::from_millis(500) };

/// A status that the call has no other meaning for.
pub(super) fn status(status: Status) -> Failure {
    use ErrorKind as Kind;
    let (kind, message) = match status {
        Status::NOT_FOUND | Status::NOT_STORED => (Kind::NotFound, "there is no such item"),
        Status::EXISTS => (Kind::Conflict, "the item is not the expected version"),
        Status::TOO_LARGE => (Kind::TooLarge, "the server takes no item of this size"),
        Status::INVALID_ARGUMENTS => (Kind::InvalidArgument, "the server takes no such arguments"),
        Status::NON_NUMERIC => (Kind::InvalidArgument, "the item's value is no number"),
        Status::UNKNOWN_COMMAND | Status::NOT_SUPPORTED => (Kind::Unsupported, "the server does not know this call"),
        Status::OUT_OF_MEMORY => (Kind::StorageFull, "the server has no memory left for the item"),
        Status::BUSY | Status::TEMPORARY_FAILURE => (Kind::Busy, "the server takes no more at the moment"),
        status if status.is_auth_failure() => (Kind::Denied, "the server does not allow it"),
        _ => (Kind::Internal, "the server failed"),
    };
    let failure = Failure::new(kind, message).code(status.to_string());
    match kind {
        Kind::Busy => failure.retry(&BUSY),
        Kind::Internal => failure.unknown(),
        _ => failure,
    }
}

/// A call that only the meta protocol has words for.
pub(super) fn meta_only() -> Failure {
    let message = "there is no such call but in the meta protocol: choose protocol=meta";
    Failure::new(ErrorKind::Unsupported, message)
}

/// A compare-and-swap of an item that is gone.
pub(super) fn gone() -> Failure {
    Failure::new(ErrorKind::Conflict, "the item is gone").code(Status::NOT_FOUND.to_string())
}

/// A reply to something that was not asked.
pub(super) fn unasked(reply: &Reply) -> Failure {
    let message = format!("the server answered with the command {:#04x}, which it was not asked", reply.opcode.0);
    Failure::new(ErrorKind::Protocol, message).unknown()
}

/// A reply that makes no sense.
pub(super) fn senseless(what: &'static str) -> Failure {
    Failure::new(ErrorKind::Protocol, what).unknown()
}

/// A reply that was passed over. What was asked has been done.
pub(super) fn too_long(bytes: u64) -> Failure {
    let message = format!("the reply has {bytes} bytes, more than max_value_bytes allows");
    Failure::new(ErrorKind::TooLarge, message).unknown()
}

/// A connection that ended before the answer came.
pub(super) fn lost(lost: Lost) -> Failure {
    if lost.refused {
        return Failure::new(ErrorKind::Denied, format!("the server turns this client away: {}", lost.reason));
    }
    let message = format!("the connection was lost: {}", lost.reason);
    let failure = Failure::new(ErrorKind::Unavailable, message).retry(&CONNECTION);
    if lost.sent { failure.unknown() } else { failure }
}

/// A server to which there is no connection.
pub(super) fn unreachable(unreachable: &Unreachable, peer: &Arc<str>) -> Failure {
    match unreachable.obstacle {
        Obstacle::Closed => closed(),
        Obstacle::Denied => Failure::new(ErrorKind::Denied, unreachable.reason.to_string()).at(peer),
        Obstacle::Network => {
            let message = format!("no connection: {}", unreachable.reason);
            Failure::new(ErrorKind::Unavailable, message).retry(&CONNECTION).at(peer)
        }
    }
}

/// A key whose server is down. To wait for it is not what a cache is for.
pub(super) fn down(peer: Option<&Arc<str>>) -> Failure {
    match peer {
        Some(peer) => Failure::new(ErrorKind::Unavailable, "the key's server is down").passing().at(peer),
        None => Failure::new(ErrorKind::Unavailable, "all servers are down").passing(),
    }
}

/// Keys that were put together for a server, some of which may belong to others by now.
pub(super) fn moved() -> Failure {
    Failure::new(ErrorKind::Unavailable, "the servers have changed meanwhile").passing()
}

pub(super) fn closed() -> Failure {
    Failure::new(ErrorKind::Closed, "the client was closed")
}
