//! What callers are told when something goes wrong at the server.

use std::time::Duration;

use charioteer::{Error, ErrorKind, Outcome};
use charioteer_server::testing::{Action, Call, ErrorCode, Fault};

use super::support::{LONG, temp};

const SECRET: &str = "a value that is nobody's business";

/// One line that names the call and the table, and does not tell the value.
#[track_caller]
fn is_well_told(error: &Error, operation: &str) {
    let text = error.to_string();
    assert!(text.starts_with(&format!("{operation} on temp: ")), "{text}");
    assert!(!text.contains('\n') && !text.contains(SECRET), "{text}");
    assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
    assert_eq!((error.operation(), error.collection()), (Some(operation), Some("temp")));
}

/// What each error in place of a result means: its kind, whether it may be tried again, and what a write has done.
fn meanings() -> [(ErrorCode, ErrorKind, bool, Outcome); 17] {
    use ErrorKind::{
        Busy, Denied, Internal, InvalidArgument, StorageFull, Timeout, TooLarge, Unavailable, Unsupported,
    };
    use Outcome::{NotApplied, Unknown};
    [
        (ErrorCode::OBJECT_NOT_FOUND, Unavailable, true, NotApplied),
        (ErrorCode::INVALID_STATE, Unavailable, true, NotApplied),
        (ErrorCode::INACTIVE_STATE, Unavailable, true, NotApplied),
        (ErrorCode::PARENT_PARTITION_MISUSED, Unavailable, true, NotApplied),
        (ErrorCode::NOT_ENOUGH_MEMBER, Unavailable, true, NotApplied),
        (ErrorCode::BUSY, Busy, true, NotApplied),
        (ErrorCode::SPLITTING, Busy, true, NotApplied),
        (ErrorCode::CAPACITY_EXCEEDED, Busy, true, NotApplied),
        (ErrorCode::TIMEOUT, Timeout, true, Unknown),
        (ErrorCode::OPERATION_DISABLED, Unsupported, false, NotApplied),
        (ErrorCode::HANDLER_NOT_FOUND, Unsupported, false, NotApplied),
        (ErrorCode::DISK_INSUFFICIENT, StorageFull, false, NotApplied),
        (ErrorCode::ACL_DENY, Denied, false, NotApplied),
        (ErrorCode::UNAUTHENTICATED, Denied, false, NotApplied),
        (ErrorCode::INVALID_DATA, TooLarge, false, NotApplied),
        (ErrorCode::INVALID_PARAMETERS, InvalidArgument, false, NotApplied),
        (ErrorCode::LOCAL_APP_FAILURE, Internal, false, Unknown),
    ]
}

#[tokio::test]
async fn every_error_in_place_of_a_result_says_what_it_means() {
    let (server, table) = temp().await;
    let table = table.with_attempts(1);
    for (code, kind, is_retryable, outcome) in meanings() {
        let name = code.name().to_owned();
        let _fault = server.pegasus().inject(Fault::new(Action::Answer(code)).data());
        for (error, operation, outcome) in [
            (table.get("h", "s").await.unwrap_err(), "get", Outcome::NotApplied),
            (table.set("h", "s", SECRET).await.unwrap_err(), "set", outcome),
            (table.incr("h", "n", 1).await.unwrap_err(), "incr", outcome),
            (table.multi_set("h", [("s", SECRET)]).await.unwrap_err(), "multi_set", outcome),
        ] {
            assert_eq!((error.kind(), error.is_retryable()), (kind, is_retryable), "{name}");
            assert_eq!(error.outcome(), outcome, "{name} of {operation}");
            assert_eq!((error.server_code(), error.attempts()), (Some(&*name), 1));
            assert_eq!(error.peer(), Some(&*server.pegasus().nodes()[0].to_string()));
            is_well_told(&error, operation);
        }
    }
    assert_eq!(table.get("h", "s").await.unwrap(), None, "nothing of it was carried out");
}

#[tokio::test]
async fn what_may_pass_is_tried_again_until_it_has_passed() {
    let (server, table) = temp().await;
    let table = table.with_timeout(LONG);
    for (code, _, is_retryable, _) in meanings() {
        let name = code.name().to_owned();
        let fault = server.pegasus().inject(Fault::new(Action::Answer(code)).data().times(2));
        assert_eq!(table.get("h", "s").await.is_ok(), is_retryable, "{name}");
        assert_eq!(fault.hits(), if is_retryable { 2 } else { 1 }, "{name}");
    }
}

#[tokio::test]
async fn what_may_have_been_carried_out_is_only_tried_again_when_that_does_no_harm() {
    let (server, table) = temp().await;
    let fault = server.pegasus().inject(Fault::new(Action::Answer(ErrorCode::TIMEOUT)).on(Call::Put).times(2));
    table.set("h", "s", "v").await.unwrap();
    assert_eq!(fault.hits(), 2);
    let fault = server.pegasus().inject(Fault::new(Action::Answer(ErrorCode::TIMEOUT)).on(Call::Incr));
    let error = table.incr("h", "n", 1).await.unwrap_err();
    assert_eq!((error.attempts(), error.outcome(), fault.hits()), (1, Outcome::Unknown, 1));
}

#[tokio::test]
async fn what_does_not_pass_is_told_with_how_often_and_how_long_it_was_tried() {
    let (server, table) = temp().await;
    let table = table.with_attempts(5).with_timeout(LONG);
    let fault = server.pegasus().inject(Fault::new(Action::Answer(ErrorCode::BUSY)).data());
    let error = table.set("h", "s", SECRET).await.unwrap_err();
    assert_eq!((error.kind(), error.server_code()), (ErrorKind::Busy, Some("ERR_BUSY")));
    assert_eq!((error.attempts(), fault.hits()), (5, 5));
    let waits: Vec<_> = error.waits().collect();
    assert!(matches!(waits[..], [("busy", times, total)] if times >= 4 && total > Duration::ZERO));
    assert!(error.elapsed() > Duration::ZERO && error.to_string().contains("tried 5 times in "), "{error}");
    is_well_told(&error, "set");
}

#[tokio::test]
async fn one_attempt_is_one_attempt_and_none_counts_as_one() {
    let (server, table) = temp().await;
    for attempts in [0, 1] {
        let table = table.clone().with_attempts(attempts);
        let fault = server.pegasus().inject(Fault::new(Action::Answer(ErrorCode::BUSY)).data());
        assert_eq!(table.get("h", "s").await.unwrap_err().attempts(), 1);
        assert_eq!(table.set("h", "s", "v").await.unwrap_err().attempts(), 1);
        assert_eq!(fault.hits(), 2);
    }
    let fault = server.pegasus().inject(Fault::new(Action::Answer(ErrorCode::BUSY)).data());
    assert_eq!(table.with_attempts(3).get("h", "s").await.unwrap_err().attempts(), 3);
    assert_eq!(fault.hits(), 3);
}

#[tokio::test]
async fn a_stores_own_errors_are_told_at_once() {
    let (server, table) = temp().await;
    for (status, kind, outcome) in [
        (2, ErrorKind::Corrupt, Outcome::Unknown),
        (3, ErrorKind::Unsupported, Outcome::NotApplied),
        (4, ErrorKind::InvalidArgument, Outcome::NotApplied),
        (5, ErrorKind::Internal, Outcome::Unknown),
        (9, ErrorKind::Timeout, Outcome::Unknown),
        (11, ErrorKind::Busy, Outcome::Unknown),
        (99, ErrorKind::Internal, Outcome::Unknown),
        (-1, ErrorKind::Internal, Outcome::Unknown),
    ] {
        let fault = server.pegasus().inject(Fault::new(Action::Status(status)).data());
        let error = table.set("h", "s", SECRET).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome(), error.attempts()), (kind, outcome, 1), "{status}");
        is_well_told(&error, "set");
        assert_eq!(table.get("h", "s").await.unwrap_err().outcome(), Outcome::NotApplied);
        assert_eq!(table.incr("h", "n", 1).await.unwrap_err().kind(), kind);
        let results = table.batch_get([("h", "s"), ("i", "s")]).await;
        assert!(results.iter().all(|result| result.as_ref().unwrap_err().kind() == kind));
        assert_eq!(fault.hits(), 5, "nothing is tried again");
    }
}

#[tokio::test]
async fn errors_can_be_kept_sent_and_wrapped() {
    fn travels<T: std::error::Error + Clone + Send + Sync + 'static>(
        error: T,
    ) -> Box<dyn std::error::Error + Send + Sync> {
        error.into()
    }
    let (_server, table) = temp().await;
    let error = table.get("", "s").await.unwrap_err();
    assert_eq!(travels(error.clone()).to_string(), error.to_string());
    let stopped = table.del_range("", "", "").await.unwrap_err();
    assert!(std::error::Error::source(&stopped).is_some());
    assert_eq!(Error::from(stopped).kind(), ErrorKind::InvalidArgument);
    assert!(size_of::<Error>() <= size_of::<usize>(), "results stay small");
}
