//! multi_get, multi_set, multi_del, sort_key_count, get_sort_keys.

use std::time::Duration;

use charioteer::pegasus::{Filter, MultiGetOptions, SetOptions, Ttl};
use charioteer::{ErrorKind, Outcome};
use charioteer_server::testing::{Action, Call, ErrorCode, Fault};

use super::support::{fill, listed, temp};

fn with(set: impl FnOnce(&mut MultiGetOptions)) -> MultiGetOptions {
    let mut options = MultiGetOptions::default();
    set(&mut options);
    options
}

#[tokio::test]
async fn rows_by_their_sort_keys_come_in_the_order_asked_for() {
    let (_server, table) = temp().await;
    table.multi_set("h", [("a", "1"), ("b", "2"), ("", "3")]).await.unwrap();
    let found = table.multi_get("h", ["b", "missing", "", "a", "b"]).await.unwrap();
    assert_eq!((listed(&found), found.complete), ("b  a b".to_owned(), true));
    assert_eq!(found.entries[1].value, "3");
    let none = table.multi_get("other", ["a"]).await.unwrap();
    assert!(none.entries.is_empty() && none.complete);
    assert_eq!(table.multi_get("h", [""; 0]).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(table.multi_get("", ["a"]).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn a_limit_that_is_reached_is_told() {
    let (_server, table) = temp().await;
    fill(&table, "h", 0..101).await;
    let keys: Vec<_> = (0..101).map(|row| format!("{row:04}")).collect();
    let found = table.multi_get("h", &keys).await.unwrap();
    assert_eq!((found.entries.len(), found.complete), (100, false));
    let found = table.multi_get("h", &keys[..100]).await.unwrap();
    assert_eq!((found.entries.len(), found.complete), (100, true));
    let found = table.multi_get_with("h", &keys, &with(|options| options.max_count = 0)).await.unwrap();
    assert_eq!((found.entries.len(), found.complete), (101, true));
    let found = table.multi_get_range("h", "", "").await.unwrap();
    assert_eq!((found.entries.len(), found.complete), (100, false));
    let found = table.multi_get_range_with("h", "", "", &with(|options| options.max_count = 101)).await.unwrap();
    assert_eq!((found.entries.len(), found.complete), (101, true));
}

#[tokio::test]
async fn a_limit_of_bytes_lets_the_last_row_go_beyond() {
    let (_server, table) = temp().await;
    for key in ["1", "2", "3", "4"] {
        table.set("h", key, vec![0; 40_000]).await.unwrap();
    }
    let found = table.multi_get_range("h", "", "").await.unwrap();
    assert_eq!((listed(&found), found.complete), ("1 2 3".to_owned(), false));
    let keys_only = with(|options| options.no_value = true);
    let found = table.multi_get_range_with("h", "", "", &keys_only).await.unwrap();
    assert_eq!((listed(&found), found.complete), ("1 2 3 4".to_owned(), true));
    assert!(found.entries.iter().all(|entry| entry.value.is_empty()));
    let found = table.multi_get_with("h", ["1", "2"], &with(|options| options.max_bytes = 1)).await.unwrap();
    assert_eq!((listed(&found), found.complete), ("1".to_owned(), false));
}

#[tokio::test]
async fn limits_no_server_can_count_are_refused() {
    let (_server, table) = temp().await;
    for options in [with(|options| options.max_count = u32::MAX), with(|options| options.max_bytes = u32::MAX)] {
        let error = table.multi_get_range_with("h", "", "", &options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
}

#[tokio::test]
async fn each_end_of_a_range_belongs_to_it_or_not() {
    let (_server, table) = temp().await;
    table.multi_set("h", ["a", "b", "c", "d"].map(|key| (key, key))).await.unwrap();
    for (start_inclusive, stop_inclusive, expected) in
        [(true, false, "b c"), (false, false, "c"), (true, true, "b c d"), (false, true, "c d")]
    {
        let options = with(|options| {
            (options.start_inclusive, options.stop_inclusive) = (start_inclusive, stop_inclusive);
        });
        let found = table.multi_get_range_with("h", "b", "d", &options).await.unwrap();
        assert_eq!((listed(&found).as_str(), found.complete), (expected, true));
    }
    assert_eq!(listed(&table.multi_get_range("h", "b", "d").await.unwrap()), "b c");
    assert_eq!(listed(&table.multi_get_range("h", "", "c").await.unwrap()), "a b");
    assert_eq!(listed(&table.multi_get_range("h", "c", "").await.unwrap()), "c d");
    for (start, stop) in [("d", "a"), ("b", "b"), ("x", "")] {
        let found = table.multi_get_range("h", start, stop).await.unwrap();
        assert!(found.entries.is_empty() && found.complete, "{start} {stop}");
    }
    let both = with(|options| options.stop_inclusive = true);
    assert_eq!(listed(&table.multi_get_range_with("h", "b", "b", &both).await.unwrap()), "b");
}

#[tokio::test]
async fn a_range_without_an_end_holds_the_highest_sort_keys_and_no_other_hash_key() {
    let (_server, table) = temp().await;
    let highest = [&b"\xff"[..], b"\xff\xff", b"\xff\xff\xff\xff"];
    table.multi_set("h", highest.map(|key| (key, "v"))).await.unwrap();
    table.set("i", "a", "v").await.unwrap();
    let found = table.multi_get_range("h", "", "").await.unwrap();
    assert_eq!((found.entries.len(), found.complete), (3, true));
    let (keys, complete) = table.get_sort_keys("h").await.unwrap();
    assert_eq!((keys.iter().map(|key| &key[..]).collect::<Vec<_>>(), complete), (highest.to_vec(), true));
}

#[tokio::test]
async fn sort_keys_are_filtered_where_they_are() {
    let (_server, table) = temp().await;
    table.multi_set("h", ["ab", "abc", "b", "cab", "cabd"].map(|key| (key, "v"))).await.unwrap();
    for (filter, expected) in [
        (Filter::All, "ab abc b cab cabd"),
        (Filter::anywhere("ab"), "ab abc cab cabd"),
        (Filter::prefix("ab"), "ab abc"),
        (Filter::postfix("ab"), "ab cab"),
        (Filter::prefix(""), "ab abc b cab cabd"),
        (Filter::anywhere("no such"), ""),
    ] {
        let found = table.multi_get_range_with("h", "", "", &with(|options| options.filter = filter)).await.unwrap();
        assert_eq!((listed(&found).as_str(), found.complete), (expected, true));
    }
    let options = with(|options| options.filter = Filter::prefix("cab"));
    assert_eq!(listed(&table.multi_get_range_with("h", "b", "cabd", &options).await.unwrap()), "cab");
}

#[tokio::test]
async fn the_last_rows_come_in_ascending_order_too() {
    let (_server, table) = temp().await;
    fill(&table, "h", 0..10).await;
    let options = with(|options| (options.reverse, options.max_count) = (true, 3));
    let found = table.multi_get_range_with("h", "", "", &options).await.unwrap();
    assert_eq!((listed(&found), found.complete), ("0007 0008 0009".to_owned(), false));
    let found = table.multi_get_range_with("h", "0001", "0005", &options).await.unwrap();
    assert_eq!(listed(&found), "0002 0003 0004");
}

#[tokio::test]
async fn rows_are_set_with_one_time_to_live_for_all() {
    let (server, table) = temp().await;
    let options = SetOptions::ttl(Duration::from_secs(100));
    table.multi_set_with("h", [("a", "1"), ("b", "2"), ("a", "3")], options).await.unwrap();
    assert_eq!(table.get("h", "a").await.unwrap().unwrap(), "3", "of the same sort keys the last stays");
    for key in ["a", "b"] {
        assert!(matches!(table.ttl("h", key).await.unwrap(), Some(Ttl::Remaining(left)) if left.as_secs() >= 99));
    }
    table.multi_set("h", [("b", "4")]).await.unwrap();
    assert_eq!(table.ttl("h", "b").await.unwrap(), Some(Ttl::Forever));
    server.clock().advance(Duration::from_secs(101));
    assert_eq!(table.sort_key_count("h").await.unwrap(), 1);
}

#[tokio::test]
async fn rows_are_deleted_whether_they_are_there_or_not() {
    let (_server, table) = temp().await;
    table.multi_set("h", [("a", "1"), ("b", "2"), ("c", "3")]).await.unwrap();
    table.multi_del("h", ["a", "c", "missing"]).await.unwrap();
    assert_eq!(listed(&table.multi_get_range("h", "", "").await.unwrap()), "b");
    assert_eq!(table.multi_del("h", [""; 0]).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(table.multi_set("h", [("", ""); 0]).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn many_rows_are_set_and_deleted_all_or_none() {
    let (server, table) = temp().await;
    let table = table.with_attempts(1);
    let too_much = (0..20).map(|row| (format!("{row}"), vec![0; 60_000]));
    let error = table.multi_set("h", too_much).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::TooLarge, Outcome::NotApplied));
    assert_eq!(table.sort_key_count("h").await.unwrap(), 0);
    fill(&table, "h", 0..2000).await;
    let pegasus = server.pegasus();
    let refusing = pegasus.inject(Fault::new(Action::Answer(ErrorCode::BUSY)).on(Call::MultiRemove));
    let keys: Vec<_> = (0..2000).map(|row| format!("{row:04}")).collect();
    let error = table.multi_del("h", &keys).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Busy, Outcome::NotApplied));
    assert_eq!(table.sort_key_count("h").await.unwrap(), 2000);
    refusing.remove();
    table.multi_del("h", &keys).await.unwrap();
    assert_eq!(table.sort_key_count("h").await.unwrap(), 0);
}

#[tokio::test]
async fn rows_of_a_hash_key_are_counted_and_their_sort_keys_listed() {
    let (_server, table) = temp().await;
    assert_eq!(table.sort_key_count("h").await.unwrap(), 0);
    assert_eq!(table.get_sort_keys("h").await.unwrap(), (Vec::new(), true));
    table.multi_set("h", [("b", "1"), ("", "2"), ("a", "3")]).await.unwrap();
    assert_eq!(table.sort_key_count("h").await.unwrap(), 3);
    let (keys, complete) = table.get_sort_keys("h").await.unwrap();
    assert_eq!((keys, complete), (vec!["".into(), "a".into(), "b".into()], true));
    fill(&table, "many", 0..3001).await;
    let (keys, complete) = table.get_sort_keys("many").await.unwrap();
    assert_eq!((keys.len(), complete), (3000, false));
    assert_eq!(table.sort_key_count("many").await.unwrap(), 3001);
    assert_eq!(table.sort_key_count("").await.unwrap_err().kind(), ErrorKind::InvalidArgument);
}
