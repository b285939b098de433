//! get, exist, ttl, set, del.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use charioteer::ErrorKind;
use charioteer::pegasus::{ScanOptions, SetOptions, Ttl};

use super::support::temp;

#[tokio::test]
async fn what_was_set_is_found_until_it_is_deleted() {
    let (_server, table) = temp().await;
    assert_eq!(table.get("h", "s").await.unwrap(), None);
    assert!(!table.exist("h", "s").await.unwrap());
    table.set("h", "s", "v").await.unwrap();
    assert_eq!(table.get("h", "s").await.unwrap(), Some(Bytes::from("v")));
    assert!(table.exist("h", "s").await.unwrap());
    table.del("h", "s").await.unwrap();
    assert_eq!(table.get("h", "s").await.unwrap(), None);
    table.del("h", "s").await.unwrap();
}

#[tokio::test]
async fn an_empty_value_is_a_value_and_an_empty_sort_key_a_sort_key() {
    let (_server, table) = temp().await;
    table.set("h", "", "").await.unwrap();
    assert_eq!(table.get("h", "").await.unwrap(), Some(Bytes::new()));
    assert_eq!(table.ttl("h", "").await.unwrap(), Some(Ttl::Forever));
}

#[tokio::test]
async fn rows_of_the_empty_hash_key_are_spread_by_their_sort_keys_where_they_are_allowed() {
    let (_server, table) = temp().await;
    assert_eq!(table.set("", "s", "v").await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    let table = table.with_empty_hash_keys(true);
    // The server refuses rows that are sent to a wrong partition.
    for sort_key in ["", "a", "b", "c", "d", "e", "f"] {
        table.set("", sort_key, sort_key).await.unwrap();
        assert_eq!(table.get("", sort_key).await.unwrap(), Some(Bytes::from(sort_key)));
        assert_eq!(table.incr("", format!("{sort_key} counted"), 2).await.unwrap(), 2);
        table.del("", sort_key).await.unwrap();
        assert!(!table.exist("", sort_key).await.unwrap());
    }
    let together = [
        table.sort_key_count("").await.unwrap_err(),
        table.multi_get("", ["a"]).await.unwrap_err(),
        table.multi_set("", [("a", "v")]).await.unwrap_err(),
        table.get_scanner("", "", "", &ScanOptions::default()).unwrap_err(),
    ];
    for error in together {
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("one by one"), "{error}");
    }
}

#[tokio::test]
async fn keys_and_values_may_be_any_bytes() {
    let (_server, table) = temp().await;
    let all: Vec<u8> = (0..=255).collect();
    table.set(&all, &all, all.clone()).await.unwrap();
    assert_eq!(table.get(&all, &all).await.unwrap().unwrap(), all);
    let large = vec![7; 1_000_000];
    table.set("large", "value", large.clone()).await.unwrap();
    assert_eq!(table.get("large", "value").await.unwrap().unwrap(), large);
}

#[tokio::test]
async fn a_time_to_live_is_told_and_ends() {
    let (server, table) = temp().await;
    table.set_with("h", "s", "v", SetOptions::ttl(Duration::from_millis(99_500))).await.unwrap();
    let left = table.ttl("h", "s").await.unwrap().unwrap().remaining().unwrap();
    assert!((99..=100).contains(&left.as_secs()), "{left:?}");
    server.clock().advance(Duration::from_secs(101));
    assert_eq!(table.ttl("h", "s").await.unwrap(), None);
    assert_eq!(table.get("h", "s").await.unwrap(), None);
}

#[tokio::test]
async fn less_than_a_second_to_live_is_neither_nothing_nor_for_ever() {
    let (server, table) = temp().await;
    let second = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    loop {
        let before = second();
        table.set_with("h", "s", "v", SetOptions::ttl(Duration::from_nanos(1))).await.unwrap();
        let ttl = table.ttl("h", "s").await.unwrap();
        assert_ne!(ttl, Some(Ttl::Forever));
        // When the second has turned, the row may be gone.
        if second() == before {
            assert_eq!(ttl, Some(Ttl::Remaining(Duration::from_secs(1))));
            break;
        }
    }
    server.clock().advance(Duration::from_secs(2));
    assert!(!table.exist("h", "s").await.unwrap());
    let error = table.set_with("h", "s", "v", SetOptions::ttl(Duration::ZERO)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn a_set_without_a_time_to_live_ends_the_one_before() {
    let (_server, table) = temp().await;
    table.set_with("h", "s", "v", SetOptions::ttl(Duration::from_secs(100))).await.unwrap();
    table.set("h", "s", "v").await.unwrap();
    assert_eq!(table.ttl("h", "s").await.unwrap(), Some(Ttl::Forever));
}

#[tokio::test]
async fn impossible_hash_keys_are_refused_before_anything_is_sent() {
    let (server, table) = temp().await;
    let too_long = vec![b'k'; 65_535];
    // Not the longest that the client takes: the embedded store takes somewhat less than a real cluster.
    let long = &too_long[535..];
    let before = server.pegasus().arrivals().len();
    for (hash_key, kind) in [(&b""[..], ErrorKind::InvalidArgument), (&too_long, ErrorKind::TooLarge)] {
        let error = table.get(hash_key, "s").await.unwrap_err();
        assert_eq!((error.kind(), error.operation(), error.is_retryable()), (kind, Some("get"), false));
        assert_eq!(table.set(hash_key, "s", "v").await.unwrap_err().kind(), kind);
        assert_eq!(table.del(hash_key, "s").await.unwrap_err().kind(), kind);
        assert_eq!(table.ttl(hash_key, "s").await.unwrap_err().kind(), kind);
        assert_eq!(table.exist(hash_key, "s").await.unwrap_err().kind(), kind);
    }
    assert_eq!(server.pegasus().arrivals().len(), before);
    table.set(long, "", "v").await.unwrap();
    assert_eq!(table.get(long, "").await.unwrap().unwrap(), "v");
}

#[tokio::test]
async fn a_write_too_large_for_the_server_is_an_error_that_changes_nothing() {
    let (_server, table) = temp().await;
    let error = table.set("h", "s", vec![0; 2 << 20]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert_eq!(error.outcome(), charioteer::Outcome::NotApplied);
    assert_eq!(table.get("h", "s").await.unwrap(), None);
}
