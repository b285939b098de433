//! get, put, delete, get_ttl, compare_and_swap.

use std::time::Duration;

use bytes::Bytes;
use charioteer::ErrorKind;
use charioteer::tikv::{ApiVersion, PutOptions, RawClient, Swap, Ttl};

use super::support::{APIS, raw, strict};

#[tokio::test]
async fn what_was_put_is_found_until_it_is_deleted_in_each_api_version() {
    for (served, api) in APIS {
        let (_server, client) = strict(served, api, &["b"]).await;
        for key in ["a", "b", "c"] {
            assert_eq!(client.get(key).await.unwrap(), None, "{api:?}");
            client.put(key, format!("value of {key}")).await.unwrap();
            assert_eq!(client.get(key).await.unwrap().unwrap(), format!("value of {key}"));
        }
        client.delete("b").await.unwrap();
        assert_eq!(client.get("b").await.unwrap(), None);
        client.delete("b").await.unwrap();
        assert!(client.get("a").await.unwrap().is_some() && client.get("c").await.unwrap().is_some());
    }
}

#[tokio::test]
async fn an_empty_value_is_a_value() {
    for (served, api) in APIS {
        let (_server, client) = strict(served, api, &[]).await;
        client.put("k", "").await.unwrap();
        assert_eq!(client.get("k").await.unwrap(), Some(Bytes::new()), "{api:?}");
        assert_eq!(client.batch_get(["k"]).await.remove(0).unwrap(), Some(Bytes::new()), "{api:?}");
        assert_eq!(client.scan("", "").unwrap().next().await.unwrap().unwrap().value, "", "{api:?}");
    }
}

#[tokio::test]
async fn keys_and_values_may_be_any_bytes() {
    for (served, api) in APIS {
        let (_server, client) = strict(served, api, &[]).await;
        let all: Vec<u8> = (0..=255).collect();
        client.put(&all, all.clone()).await.unwrap();
        assert_eq!(client.get(&all).await.unwrap().unwrap(), all);
        let large = vec![7; 3_000_000];
        client.put("large", large.clone()).await.unwrap();
        assert_eq!(client.get("large").await.unwrap().unwrap(), large);
    }
}

#[tokio::test]
async fn a_time_to_live_is_told_and_ends() {
    for (served, api) in APIS.into_iter().filter(|(_, api)| *api != ApiVersion::V1) {
        let (server, client) = strict(served, api, &[]).await;
        client.put_with("k", "v", PutOptions::ttl(Duration::from_millis(99_500))).await.unwrap();
        let left = client.get_ttl("k").await.unwrap().unwrap().remaining().unwrap();
        assert!((98..=100).contains(&left.as_secs()), "{left:?}");
        assert_eq!(client.get_ttl("another").await.unwrap(), None);
        server.clock().advance(Duration::from_secs(101));
        assert_eq!(client.get_ttl("k").await.unwrap(), None);
        assert_eq!(client.get("k").await.unwrap(), None);
        client.put_with("k", "v", PutOptions::ttl(Duration::from_secs(100))).await.unwrap();
        client.put("k", "v").await.unwrap();
        assert_eq!(client.get_ttl("k").await.unwrap(), Some(Ttl::Forever));
    }
}

#[tokio::test]
async fn less_than_a_second_to_live_is_neither_nothing_nor_for_ever() {
    let (_server, client) = raw().await;
    client.put_with("k", "v", PutOptions::ttl(Duration::from_nanos(1))).await.unwrap();
    assert_ne!(client.get_ttl("k").await.unwrap(), Some(Ttl::Forever));
    let error = client.put_with("k", "v", PutOptions::ttl(Duration::ZERO)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn a_cluster_that_keeps_no_times_to_live_says_so() {
    let (served, api) = APIS[0];
    let (_server, client) = strict(served, api, &[]).await;
    let error = client.put_with("k", "v", PutOptions::ttl(Duration::from_secs(9))).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Unsupported, 1), "{error}");
    assert!(error.to_string().starts_with("put: the cluster keeps no times to live"), "{error}");
}

fn swapped(previous: Option<&'static str>) -> Swap {
    Swap { swapped: true, previous: previous.map(Bytes::from) }
}

fn not_swapped(previous: Option<&'static str>) -> Swap {
    Swap { swapped: false, previous: previous.map(Bytes::from) }
}

#[tokio::test]
async fn compare_and_swap_changes_what_is_as_expected_and_tells_what_was_in_each_api_version() {
    for (served, api) in APIS {
        let (_server, client) = strict(served, api, &["k"]).await;
        let client = client.with_atomic(true);
        let swap = |expected: Option<&'static str>, value: &'static str| {
            client.compare_and_swap("k", expected.map(Bytes::from), value)
        };
        assert_eq!(swap(Some("1"), "2").await.unwrap(), not_swapped(None), "{api:?}");
        assert_eq!(swap(None, "").await.unwrap(), swapped(None));
        assert_eq!(swap(None, "2").await.unwrap(), not_swapped(Some("")), "an empty value is a value");
        assert_eq!(swap(Some(""), "2").await.unwrap(), swapped(Some("")));
        assert_eq!(client.compare_and_delete("k", "1").await.unwrap(), not_swapped(Some("2")));
        assert_eq!(client.compare_and_delete("k", "2").await.unwrap(), swapped(Some("2")));
        assert_eq!(client.get("k").await.unwrap(), None);
    }
}

#[tokio::test]
async fn compare_and_swap_with_a_time_to_live_expires() {
    let (server, client) = raw().await;
    let client = client.with_atomic(true);
    let minute = PutOptions::ttl(Duration::from_secs(60));
    client.compare_and_swap_with("k", None, "v", minute).await.unwrap();
    assert!(client.get_ttl("k").await.unwrap().unwrap().remaining().is_some());
    server.clock().advance(Duration::from_secs(61));
    assert_eq!(client.compare_and_swap("k", None, "w").await.unwrap(), swapped(None));
}

#[tokio::test]
async fn compare_and_swap_needs_a_handle_whose_writes_keep_their_order_with_it() {
    let (_server, client) = raw().await;
    let error = client.compare_and_swap("k", None, "v").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("with_atomic(true)"), "{error}");
    assert_eq!(client.get("k").await.unwrap(), None);
}

#[tokio::test]
async fn column_families_are_apart_where_there_are_any() {
    let (served, api) = APIS[0];
    let (_server, client) = strict(served, api, &[]).await;
    let of = |family: &str| client.clone().with_column_family(family);
    client.put("k", "default").await.unwrap();
    of("lock").put("k", "lock").await.unwrap();
    assert_eq!(of("default").get("k").await.unwrap().unwrap(), "default");
    assert_eq!(of("lock").get("k").await.unwrap().unwrap(), "lock");
    assert_eq!(of("write").get("k").await.unwrap(), None);
    assert_eq!(of("none such").get("k").await.unwrap_err().kind(), ErrorKind::InvalidArgument);

    let (served, api) = APIS[2];
    let (_server, client) = strict(served, api, &[]).await;
    let error = client.with_column_family("default").put("k", "v").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
}

#[tokio::test]
async fn two_clients_in_one_program_do_not_meet() {
    let (server, one) = raw().await;
    let other = RawClient::connect(&server.tikv_url()).await.unwrap();
    one.put("k", "v").await.unwrap();
    one.close();
    assert_eq!(one.get("k").await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(other.get("k").await.unwrap().unwrap(), "v");
}
