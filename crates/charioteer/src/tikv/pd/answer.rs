//! What PD's answers say beside what was asked.

use charioteer_proto::tikv::pdpb::{self, ErrorType};

use crate::error::{ErrorKind, Failure};
use crate::tikv::failure;
use crate::told::told;

/// What a member says that is still starting, or lets nobody else in for a moment. It has no numbers for these.
const PASSES: [&str; 2] = ["server not started", "rate limit exceeded"];

/// Whether the answer is one, and of this cluster; a cluster that is not known yet has the id 0.
pub(super) fn check(header: Option<&pdpb::ResponseHeader>, cluster_id: u64) -> Result<(), Failure> {
    if let Some(error) = header.and_then(|header| header.error.as_ref()) {
        return refused(error);
    }
    match header.map_or(0, |header| header.cluster_id) {
        0 => Ok(()),
        other if cluster_id != 0 && other != cluster_id => Err(another_cluster(cluster_id, other)),
        _ => Ok(()),
    }
}

/// PD belongs to another cluster than it did, or than its other members do.
pub(super) fn another_cluster(cluster_id: u64, other: u64) -> Failure {
    let message = format!("PD belongs to another cluster: {other}, where {cluster_id} is expected");
    Failure::new(ErrorKind::InvalidConfig, message)
}

/// An error in an answer's header. Some servers set one that says that there is none.
fn refused(error: &pdpb::Error) -> Result<(), Failure> {
    let kind = match error.r#type() {
        ErrorType::Ok => return Ok(()),
        ErrorType::NotBootstrapped | ErrorType::RegionsNotContainAllKeyRange => ErrorKind::Unavailable,
        ErrorType::RegionNotFound
        | ErrorType::StoreTombstone
        | ErrorType::EntryNotFound
        | ErrorType::GlobalConfigNotFound => ErrorKind::NotFound,
        ErrorType::AlreadyBootstrapped | ErrorType::DuplicatedEntry => ErrorKind::AlreadyExists,
        ErrorType::IncompatibleVersion => ErrorKind::Unsupported,
        ErrorType::InvalidValue => ErrorKind::InvalidArgument,
        ErrorType::DataCompacted => ErrorKind::Conflict,
        // For a store that there is not PD has no number.
        ErrorType::Unknown if error.message.contains("invalid store ID") => ErrorKind::NotFound,
        ErrorType::Unknown if PASSES.iter().any(|words| error.message.contains(words)) => ErrorKind::Unavailable,
        ErrorType::Unknown => ErrorKind::Internal,
    };
    let message = format!("PD refuses: {}", told(&error.message));
    let failure = Failure::new(kind, message).code(error.r#type().as_str_name());
    Err(match kind {
        ErrorKind::Unavailable => failure.retry(&failure::PD),
        ErrorKind::Internal => failure.unknown(),
        _ => failure,
    })
}

/// An answer without something that belongs to it.
pub(super) fn lacks(what: &'static str) -> Failure {
    Failure::new(ErrorKind::Protocol, format!("PD's answer has no {what}")).unknown()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(cluster_id: u64, error: Option<(ErrorType, &str)>) -> pdpb::ResponseHeader {
        let error = error.map(|(kind, message)| pdpb::Error { r#type: kind.into(), message: message.to_owned() });
        pdpb::ResponseHeader { cluster_id, error }
    }

    #[test]
    fn an_answer_of_another_cluster_is_none() {
        assert!(check(Some(&header(7, None)), 7).is_ok());
        assert!(check(Some(&header(7, None)), 0).is_ok());
        assert!(check(None, 7).is_ok());
        assert_eq!(check(Some(&header(8, None)), 7).unwrap_err().kind, ErrorKind::InvalidConfig);
    }

    #[test]
    fn an_error_that_says_that_there_is_none_is_none() {
        assert!(check(Some(&header(7, Some((ErrorType::Ok, "")))), 7).is_ok());
        let missing = header(7, Some((ErrorType::Unknown, "invalid store ID 3, not found")));
        assert_eq!(check(Some(&missing), 7).unwrap_err().kind, ErrorKind::NotFound);
        let young = header(7, Some((ErrorType::NotBootstrapped, "cluster is not bootstrapped")));
        assert!(check(Some(&young), 7).unwrap_err().retry.is_some());
    }

    #[test]
    fn a_member_that_is_starting_is_asked_again() {
        for message in ["[PD:server:ErrServerNotStarted]server not started", "rate limit exceeded"] {
            let failure = check(Some(&header(0, Some((ErrorType::Unknown, message)))), 7).unwrap_err();
            assert_eq!(failure.kind, ErrorKind::Unavailable, "{message}");
            assert!(failure.retry.is_some(), "{message}");
        }
    }
}
