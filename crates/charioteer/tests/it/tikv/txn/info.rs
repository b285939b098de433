//! regions, stores, and timestamps for others.

use charioteer::ErrorKind;
use charioteer::tikv::{SnapshotOptions, Timestamp};

use super::support::{all_newest, put, split_at, text, txn};

#[tokio::test]
async fn regions_are_split_where_they_are_told_to_and_spread() {
    let (server, client) = split_at(&["m"]).await;
    put(&client, &[("a", "1"), ("c", "1"), ("z", "1")]).await;
    let split = client.split_regions(["b", "d"]).await.unwrap();
    assert!(!split.is_empty());
    assert!(client.split_regions(["b", "d", "m"]).await.unwrap().is_empty(), "they begin there already");
    client.scatter_regions(&split).await.unwrap();
    let told = client.regions("", "").await.unwrap();
    assert_eq!(told.iter().map(|region| text(region.start.clone())).collect::<Vec<_>>(), ["", "b", "d", "m"]);
    let within = client.regions("b", "c").await.unwrap();
    assert_eq!(within.iter().map(|region| text(region.end.clone())).collect::<Vec<_>>(), ["d"]);
    assert_eq!(all_newest(&client, &["a", "c", "z"]).await, "1 1 1");
    put(&client, &[("a", "2"), ("c", "2"), ("z", "2")]).await;
    let addresses: Vec<_> = client.stores().await.unwrap().into_iter().map(|store| store.address).collect();
    assert_eq!(addresses, server.tikv().stores().iter().map(ToString::to_string).collect::<Vec<_>>());
}

#[tokio::test]
async fn those_who_read_from_outside_are_told_how_far_they_may() {
    let (_server, client) = txn().await;
    put(&client, &[("a", "1")]).await;
    let so_far = client.timestamp().await.unwrap();
    client.set_external_timestamp(so_far).await.unwrap();
    put(&client, &[("a", "2")]).await;
    let told = client.external_timestamp().await.unwrap();
    assert_eq!(told, so_far);
    let snapshot = client.snapshot_at(told, &SnapshotOptions::default()).await.unwrap();
    assert_eq!(snapshot.get("a").await.unwrap().map(text).as_deref(), Some("1"));
    let error = client.set_external_timestamp(Timestamp::MAX).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    assert_eq!(client.external_timestamp().await.unwrap(), so_far);
}
