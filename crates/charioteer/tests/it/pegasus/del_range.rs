//! Ranges that are deleted.

use std::time::Duration;

use charioteer::pegasus::{DelRangeOptions, Filter};
use charioteer::{ErrorKind, Outcome};
use charioteer_server::testing::{Action, Call, ErrorCode, Fault};

use super::support::{fill, listed, temp};

#[tokio::test]
async fn a_range_is_deleted_and_its_rows_are_counted() {
    let (_server, table) = temp().await;
    fill(&table, "h", 0..10).await;
    fill(&table, "i", 0..10).await;
    assert_eq!(table.del_range("h", "0003", "0006").await.unwrap(), 3);
    assert_eq!(listed(&table.multi_get_range("h", "", "").await.unwrap()), "0000 0001 0002 0006 0007 0008 0009");
    assert_eq!(table.del_range("h", "0003", "0006").await.unwrap(), 0);
    assert_eq!(table.del_range("h", "6", "5").await.unwrap(), 0);
    assert_eq!(table.del_range("h", "", "").await.unwrap(), 7);
    assert_eq!(table.sort_key_count("i").await.unwrap(), 10, "another hash key's rows stay");
}

#[tokio::test]
async fn the_ends_of_the_range_and_a_filter_say_what_is_deleted() {
    let (_server, table) = temp().await;
    fill(&table, "h", 0..30).await;
    let mut options = DelRangeOptions::default();
    (options.start_inclusive, options.stop_inclusive) = (false, true);
    options.filter = Filter::postfix("5");
    assert_eq!(table.del_range_with("h", "0005", "0025", &options).await.unwrap(), 2);
    for (key, is_there) in [("0005", true), ("0015", false), ("0016", true), ("0025", false)] {
        assert_eq!(table.exist("h", key).await.unwrap(), is_there, "{key}");
    }
}

#[tokio::test]
async fn a_hash_key_that_is_none_is_refused() {
    let (_server, table) = temp().await;
    let error = table.del_range("", "", "").await.unwrap_err();
    assert_eq!((error.error.kind(), error.error.operation()), (ErrorKind::InvalidArgument, Some("del_range")));
    assert_eq!(error.deleted, 0);
}

#[tokio::test]
async fn a_failure_in_the_middle_tells_where_to_go_on_and_nothing_is_lost_or_left() {
    let (server, table) = temp().await;
    fill(&table, "h", 0..3500).await;
    table.set("h", "0000 kept", "v").await.unwrap();
    table.set("h", "2000 kept", "v").await.unwrap();
    let mut options = DelRangeOptions::default();
    options.filter = Filter::prefix("");
    options.stop_inclusive = true;
    let table = table.with_attempts(1);
    let failing = Fault::new(Action::Answer(ErrorCode::BUSY)).on(Call::MultiRemove).skip(1).times(1);
    let failing = server.pegasus().inject(failing);
    let stopped = table.del_range_with("h", "0001", "3400", &options).await.unwrap_err();
    assert_eq!(failing.hits(), 1);
    assert_eq!((stopped.deleted, &stopped.next_sort_key[..]), (1000, &b"1001"[..]));
    assert_eq!((stopped.error.kind(), stopped.error.outcome()), (ErrorKind::Busy, Outcome::NotApplied));
    assert_eq!(stopped.error.operation(), Some("del_range"));
    let text = stopped.to_string();
    assert!(text.contains("1000 rows were deleted") && text.contains("\"1001\"") && !text.contains('\n'), "{text}");
    assert!(!table.exist("h", "1000").await.unwrap() && table.exist("h", "1001").await.unwrap());

    let deleted = table.del_range_with("h", &stopped.next_sort_key, "3400", &options).await.unwrap();
    assert_eq!(deleted + stopped.deleted, 3401, "one of the kept rows is in the range");
    assert_eq!(table.sort_key_count("h").await.unwrap(), 3502 - 3401);
    assert!(table.exist("h", "0000").await.unwrap() && table.exist("h", "3401").await.unwrap());
}

#[tokio::test]
async fn a_failure_of_which_nobody_knows_the_outcome_begins_with_the_rows_in_doubt() {
    let (server, table) = temp().await;
    fill(&table, "h", 0..1500).await;
    let table = table.with_attempts(1);
    let cut = Fault::new(Action::CutReply { after_bytes: 5 }).on(Call::MultiRemove).times(1);
    let _cut = server.pegasus().inject(cut);
    let stopped = table.del_range("h", "", "").await.unwrap_err();
    assert_eq!((stopped.deleted, &stopped.next_sort_key[..]), (0, &b"0000"[..]));
    assert_eq!(stopped.error.outcome(), Outcome::Unknown);
    let deleted = table.del_range("h", &stopped.next_sort_key, "").await.unwrap();
    assert_eq!(deleted, 500, "the first thousand had been deleted");
    assert_eq!(table.sort_key_count("h").await.unwrap(), 0);
}

#[tokio::test]
async fn a_failure_while_looking_for_rows_tells_where_to_go_on_too() {
    let (server, table) = temp().await;
    fill(&table, "h", 0..3500).await;
    let table = table.with_attempts(1).with_timeout(Duration::from_secs(10));
    let _failing = server.pegasus().inject(Fault::new(Action::Answer(ErrorCode::BUSY)).on(Call::Scan).skip(1).times(1));
    let stopped = table.del_range("h", "", "").await.unwrap_err();
    let left = table.sort_key_count("h").await.unwrap();
    assert_eq!(left + stopped.deleted, 3500);
    let deleted = table.del_range("h", &stopped.next_sort_key, "").await.unwrap();
    assert_eq!(deleted + stopped.deleted, 3500);
    assert_eq!(table.sort_key_count("h").await.unwrap(), 0);
}

#[tokio::test]
async fn as_an_error_like_any_other_it_does_not_say_that_nothing_was_deleted() {
    let (server, table) = temp().await;
    fill(&table, "h", 0..1500).await;
    let table = table.with_attempts(1);
    let failing = Fault::new(Action::Answer(ErrorCode::BUSY)).on(Call::MultiRemove).skip(1).times(1);
    let _failing = server.pegasus().inject(failing);
    let stopped = table.del_range("h", "", "").await.unwrap_err();
    assert_eq!((stopped.deleted, stopped.error.outcome()), (1000, Outcome::NotApplied), "of the part that failed");
    assert_eq!(charioteer::Error::from(stopped).outcome(), Outcome::Unknown, "of all of it");
}
