//! How a call ended: gRPC's status, and what it means to a caller.

use http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode;

use super::failure::{CONNECTION, SERVER, senseless};
use crate::backoff::Cause;
use crate::error::{ErrorKind, Failure, Outcome};
use crate::told::told;

const UNIMPLEMENTED: &str = "UNIMPLEMENTED";

/// Whether the server does not know the method.
pub(crate) fn is_unimplemented(failure: &Failure) -> bool {
    failure.server_code.as_deref() == Some(UNIMPLEMENTED)
}

/// What the headers say that end a call: `None` if they do not say how.
pub(super) fn of(headers: &HeaderMap) -> Option<Result<(), Failure>> {
    let code = headers.get("grpc-status")?;
    let code = code.to_str().ok().and_then(|code| code.parse::<u32>().ok());
    let Some(code) = code else { return Some(Err(senseless("the call ended with a status that is no number"))) };
    let message = headers
        .get("grpc-message")
        .map_or_else(String::new, |message| told(&percent_decode(message.as_bytes()).decode_utf8_lossy()));
    Some(if code == 0 { Ok(()) } else { Err(failure(code, message)) })
}

/// What an answer means that is not gRPC's at all.
pub(super) fn of_http(status: StatusCode) -> Failure {
    let message = format!("the server answered with the HTTP status {status}, which is not gRPC's");
    match status.as_u16() {
        429 | 502..=504 => Failure::new(ErrorKind::Unavailable, message).retry(&SERVER).unknown(),
        401 | 403 => Failure::new(ErrorKind::Denied, message),
        404 => Failure::new(ErrorKind::Unsupported, message).code(UNIMPLEMENTED),
        _ => senseless(message),
    }
}

/// What a code says: its name and kind, whether and how it may be tried again, and what became of the data. A server that refuses what
/// was asked has done nothing; others may have.
fn meaning(code: u32) -> (&'static str, ErrorKind, Option<&'static Cause>, Outcome) {
    use ErrorKind as Kind;
    use Outcome::{NotApplied, Unknown};
    match code {
        1 => ("CANCELLED", Kind::Unavailable, Some(&CONNECTION), Unknown),
        3 => ("INVALID_ARGUMENT", Kind::InvalidArgument, None, NotApplied),
        4 => ("DEADLINE_EXCEEDED", Kind::Timeout, Some(&SERVER), Unknown),
        5 => ("NOT_FOUND", Kind::NotFound, None, NotApplied),
        6 => ("ALREADY_EXISTS", Kind::AlreadyExists, None, NotApplied),
        7 => ("PERMISSION_DENIED", Kind::Denied, None, NotApplied),
        8 => ("RESOURCE_EXHAUSTED", Kind::Busy, Some(&SERVER), Unknown),
        9 => ("FAILED_PRECONDITION", Kind::InvalidArgument, None, NotApplied),
        10 => ("ABORTED", Kind::Conflict, Some(&SERVER), Unknown),
        11 => ("OUT_OF_RANGE", Kind::InvalidArgument, None, NotApplied),
        12 => (UNIMPLEMENTED, Kind::Unsupported, None, NotApplied),
        13 => ("INTERNAL", Kind::Internal, None, Unknown),
        14 => ("UNAVAILABLE", Kind::Unavailable, Some(&SERVER), Unknown),
        15 => ("DATA_LOSS", Kind::Corrupt, None, Unknown),
        16 => ("UNAUTHENTICATED", Kind::Denied, None, NotApplied),
        _ => ("UNKNOWN", Kind::Internal, None, Unknown),
    }
}

fn failure(code: u32, message: String) -> Failure {
    let (name, mut kind, mut retry, outcome) = meaning(code);
    // Of all that can be short, this one does not pass.
    if kind == ErrorKind::Busy && message.contains("larger than max") {
        (kind, retry) = (ErrorKind::TooLarge, None);
    }
    let message = if message.is_empty() { "the server failed".to_owned() } else { message };
    let failure = Failure::new(kind, message).code(name);
    Failure { retry, outcome, ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(pairs: &[(&'static str, &'static str)]) -> Option<Result<(), Failure>> {
        let pairs = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        of(&HeaderMap::from_iter(pairs))
    }

    #[test]
    fn a_status_is_read_with_its_message() {
        assert!(ended(&[]).is_none());
        assert!(matches!(ended(&[("grpc-status", "0")]), Some(Ok(()))));
        let failure =
            ended(&[("grpc-status", "14"), ("grpc-message", "not leader%0a%F0%9F%98%80")]).unwrap().unwrap_err();
        assert_eq!((failure.kind, failure.outcome), (ErrorKind::Unavailable, Outcome::Unknown));
        assert_eq!((&*failure.message, failure.server_code.as_deref()), ("not leader\\n😀", Some("UNAVAILABLE")));
        assert!(failure.retry.is_some());
    }

    #[test]
    fn what_is_refused_is_not_applied_and_what_nobody_knows_may_be() {
        for (code, outcome) in [
            ("3", Outcome::NotApplied),
            ("12", Outcome::NotApplied),
            ("13", Outcome::Unknown),
            ("99", Outcome::Unknown),
        ] {
            assert_eq!(ended(&[("grpc-status", code)]).unwrap().unwrap_err().outcome, outcome, "{code}");
        }
        assert_eq!(ended(&[("grpc-status", "x")]).unwrap().unwrap_err().kind, ErrorKind::Protocol);
        assert!(is_unimplemented(&ended(&[("grpc-status", "12")]).unwrap().unwrap_err()));
    }

    #[test]
    fn a_message_too_large_for_the_server_is_not_tried_again() {
        let failure = ended(&[("grpc-status", "8"), ("grpc-message", "Sent message larger than max (9 vs. 8)")]);
        let failure = failure.unwrap().unwrap_err();
        assert_eq!((failure.kind, failure.retry), (ErrorKind::TooLarge, None));
    }
}
