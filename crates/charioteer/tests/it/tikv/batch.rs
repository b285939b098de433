//! batch_get, batch_put, batch_delete.

use std::time::Duration;

use bytes::Bytes;
use charioteer::tikv::{PutOptions, RawClient, Ttl};
use charioteer::{Error, ErrorKind, Outcome};
use charioteer_server::testing::tikv::{Action, Call, Fault, RegionError};

use super::support::{APIS, fill, raw, row, split_at, strict};

/// The values of the rows of these numbers, which are all there.
async fn values(client: &RawClient, rows: std::ops::Range<usize>) -> Vec<Bytes> {
    let found = client.batch_get(rows.map(|number| row(number).0)).await;
    found.into_iter().map(|value| value.unwrap().unwrap()).collect()
}

#[tokio::test]
async fn what_was_put_together_is_found_together_in_each_api_version() {
    for (served, api) in APIS {
        let (_server, client) = strict(served, api, &["00100", "00200", "00201", "00900"]).await;
        fill(&client, 0..1000).await;
        for (number, value) in values(&client, 0..1000).await.into_iter().enumerate() {
            assert_eq!(value, row(number).1, "{api:?}");
        }
        let deleted = client.batch_delete((0..1000).step_by(2).map(|number| row(number).0)).await;
        assert!(deleted.len() == 500 && deleted.iter().all(Result::is_ok));
        let found = client.batch_get((0..1000).map(|number| row(number).0)).await;
        for (number, value) in found.into_iter().enumerate() {
            assert_eq!(value.unwrap().is_some(), number % 2 == 1, "{api:?} {number}");
        }
    }
}

#[tokio::test]
async fn answers_stand_in_the_places_of_their_keys_whatever_order_these_have() {
    let (_server, client) = split_at(&["b", "c"]).await;
    client.put("a", "1").await.unwrap();
    client.put("c", "3").await.unwrap();
    let found = client.batch_get(["c", "b", "a", "c", "", "a"]).await;
    let found: Vec<_> = found.into_iter().map(Result::unwrap).collect();
    let value = |text: &'static str| Some(Bytes::from(text));
    assert_eq!(found, [value("3"), None, value("1"), value("3"), None, value("1")]);
    assert!(client.batch_get([""; 0]).await.is_empty());
}

#[tokio::test]
async fn of_values_for_one_key_the_last_stays() {
    let (_server, client) = split_at(&["m"]).await;
    let put = client.batch_put([("k", "1"), ("z", "2"), ("k", "3")]).await;
    assert!(put.len() == 3 && put.iter().all(Result::is_ok));
    assert_eq!(client.get("k").await.unwrap().unwrap(), "3");
}

#[tokio::test]
async fn each_row_may_have_a_time_to_live_of_its_own() {
    let (server, client) = raw().await;
    let ttl = |seconds| Some(Duration::from_secs(seconds));
    let rows = [("a", "1", ttl(50)), ("b", "2", None), ("c", "3", Some(Duration::ZERO)), ("d", "4", ttl(500))];
    let put = client.batch_put_with_ttls(rows).await;
    let refused: Vec<_> = put.iter().map(|put| put.as_ref().err().map(Error::kind)).collect();
    assert_eq!(refused, [None, None, Some(ErrorKind::InvalidArgument), None]);
    assert_eq!(client.get_ttl("b").await.unwrap(), Some(Ttl::Forever));
    server.clock().advance(Duration::from_secs(60));
    assert_eq!(client.get("a").await.unwrap(), None);
    assert_eq!(client.get("d").await.unwrap().unwrap(), "4");

    client.batch_put_with([("a", "1"), ("b", "2")], PutOptions::ttl(Duration::from_secs(50))).await;
    server.clock().advance(Duration::from_secs(60));
    assert!(client.batch_get(["a", "b"]).await.into_iter().all(|value| value.unwrap().is_none()));
}

#[tokio::test]
async fn a_group_that_a_split_tears_apart_is_grouped_again() {
    let (server, client) = split_at(&["00500"]).await;
    fill(&client, 0..1000).await;
    for at in ["00100", "00101", "00300", "00499", "00700"] {
        server.tikv().split([at]).await.unwrap();
        assert_eq!(values(&client, 0..1000).await.len(), 1000);
        server.tikv().split([format!("{at}5")]).await.unwrap();
        fill(&client, 0..1000).await;
    }
    server.tikv().split(["00250"]).await.unwrap();
    let deleted = client.batch_delete((0..1000).map(|number| row(number).0)).await;
    assert!(deleted.iter().all(Result::is_ok));
    assert!(client.scan("", "").unwrap().next().await.unwrap().is_none());
}

#[tokio::test]
async fn groups_that_have_become_one_region_are_asked_for_all_the_same() {
    let (server, client) = split_at(&["00300", "00600"]).await;
    fill(&client, 0..1000).await;
    let regions = server.tikv().regions().unwrap();
    server.tikv().merge(regions[0].id, regions[1].id).await.unwrap();
    assert_eq!(values(&client, 0..1000).await.len(), 1000);
    server.tikv().merge(regions[2].id, regions[1].id).await.unwrap();
    fill(&client, 0..1000).await;
}

#[tokio::test]
async fn what_fails_in_one_region_says_nothing_of_the_others() {
    let (server, client) = split_at(&["b", "c"]).await;
    let region = server.tikv().region_of("b").unwrap().id;
    let full = Fault::new(Action::Answer(RegionError::FlashbackInProgress)).on(Call::RawBatchPut).region(region);
    let _full = server.tikv().inject(full);
    let put = client.batch_put([("a", "1"), ("b", "2"), ("bb", "22"), ("c", "3")]).await;
    let failed: Vec<_> = put.iter().map(|put| put.as_ref().err().and_then(Error::server_code)).collect();
    assert_eq!(failed, [None, Some("FlashbackInProgress"), Some("FlashbackInProgress"), None]);
    assert!(put.iter().flat_map(|put| put.as_ref().err()).all(|error| error.outcome() == Outcome::NotApplied));
    let found = client.batch_get(["a", "b", "c"]).await;
    let found: Vec<_> = found.into_iter().map(|value| value.unwrap().is_some()).collect();
    assert_eq!(found, [true, false, true]);
}

#[tokio::test]
async fn what_is_too_large_together_is_asked_for_apart() {
    let (_server, client) = raw().await;
    let value = Bytes::from(vec![7; 2 << 20]);
    let keys: Vec<_> = (0..20).map(|number| row(number).0).collect();
    let put = client.batch_put(keys.iter().map(|key| (key, value.clone()))).await;
    assert!(put.iter().all(Result::is_ok));
    let found = client.batch_get(&keys).await;
    assert!(found.into_iter().all(|found| found.unwrap() == Some(value.clone())));
}

#[tokio::test]
async fn a_row_that_is_too_large_fails_alone() {
    let (_server, client) = raw().await;
    let large = Bytes::from(vec![7; 20 << 20]);
    let put = client.batch_put([("a", Bytes::from("1")), ("b", large), ("c", Bytes::from("3"))]).await;
    let failed: Vec<_> = put.iter().map(|put| put.as_ref().err().map(Error::kind)).collect();
    assert_eq!(failed, [None, Some(ErrorKind::TooLarge), None]);
    assert_eq!(client.get("c").await.unwrap().unwrap(), "3");
}

#[tokio::test]
async fn without_a_cluster_each_key_has_the_error() {
    let client = RawClient::connect("tikv://127.0.0.1:1?operation_timeout=200ms").await;
    assert_eq!(client.unwrap_err().operation(), Some("connect"));
    let options = charioteer::tikv::Options::from_url("tikv://127.0.0.1:1?operation_timeout=200ms").unwrap();
    let client = RawClient::new(options).unwrap();
    let found = client.batch_get(["a", "b"]).await;
    assert!(found.len() == 2 && found.iter().all(|found| found.is_err()));
    let put = client.batch_put_with_ttls([("a", "1", None), ("b", "2", None)]).await;
    assert!(put.len() == 2 && put.iter().all(Result::is_err), "{put:?}");
}

/// That the compiler takes it is what is shown.
#[tokio::test]
async fn batches_of_keys_that_are_lent_can_be_spawned() {
    let (_server, client) = raw().await;
    let rows: Vec<(String, u32)> = (0..20).map(|number| (format!("k{number}"), number)).collect();
    let found = tokio::spawn(async move {
        client.batch_put(rows.iter().map(|(key, number)| (key, number.to_string()))).await;
        client.batch_delete(rows.iter().skip(10).map(|(key, _)| key)).await;
        client.batch_get(rows.iter().map(|(key, _)| key)).await
    });
    assert_eq!(found.await.unwrap().into_iter().filter(|value| value.as_ref().unwrap().is_some()).count(), 10);
}
