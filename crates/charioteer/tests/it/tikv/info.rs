//! regions, stores, cluster_id, counters.

use std::time::Duration;

use charioteer_server::testing::tikv::{Action, Call, Fault};

use super::support::{APIS, raw, split_at, strict};

#[tokio::test]
async fn regions_are_told_in_order_with_keys_as_the_caller_knows_them_in_each_api_version() {
    for (served, api) in APIS {
        let (_server, client) = strict(served, api, &["b", "d"]).await;
        let bounds = |regions: Vec<charioteer::tikv::RegionInfo>| {
            let text = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
            let bounds = regions.iter().map(|region| format!("{}-{}", text(&region.start), text(&region.end)));
            bounds.collect::<Vec<_>>().join(" ")
        };
        let all = client.regions("", "").await.unwrap();
        assert!(all.iter().all(|region| region.stores.len() == 2 && region.leader.is_some()), "{all:?}");
        if api == charioteer::tikv::ApiVersion::V2 {
            assert_eq!(bounds(all), "-b b-d d-");
        }
        assert_eq!(bounds(client.regions("b", "c").await.unwrap()), "b-d", "{api:?}");
        assert_eq!(bounds(client.regions("b", "d").await.unwrap()), "b-d", "{api:?}");
    }
}

#[tokio::test]
async fn stores_are_told_with_their_addresses() {
    let (server, client) = split_at(&[]).await;
    let told: Vec<_> = client.stores().await.unwrap().into_iter().map(|store| store.address).collect();
    let listening: Vec<_> = server.tikv().stores().iter().map(ToString::to_string).collect();
    assert_eq!(told, listening);
}

#[tokio::test]
async fn timestamps_grow() {
    let (server, client) = raw().await;
    let first = client.timestamp().await.unwrap();
    let second = client.timestamp().await.unwrap();
    assert!(first < second && first.physical_ms() > 1_600_000_000_000, "{first:?} {second:?}");
    server.tikv().stop_pd().await.unwrap();
    let error = client.with_timeout(Duration::from_millis(200)).timestamp().await.unwrap_err();
    assert_eq!(error.operation(), Some("timestamp"), "{error}");
}

#[tokio::test]
async fn regions_are_split_where_they_are_told_to_and_spread_in_each_api_version() {
    for (served, api) in APIS {
        let (_server, client) = strict(served, api, &[]).await;
        let split = client.split_regions(["b", "d"]).await.unwrap();
        assert!(!split.is_empty());
        let told = client.regions("b", "e").await.unwrap();
        let starts: Vec<_> = told.iter().map(|region| &region.start[..]).collect();
        assert_eq!(starts, [b"b", b"d"], "{api:?}");
        client.scatter_regions(&split).await.unwrap();
        client.put("c", "v").await.unwrap();
        // What has been split already is left alone.
        client.split_regions(["b", "d"]).await.unwrap();
        assert_eq!(client.regions("b", "e").await.unwrap().len(), 2, "{api:?}");
    }
}

#[tokio::test]
async fn pd_is_asked_to_split_only_where_no_region_begins() {
    let (server, client) = raw().await;
    client.split_regions(["b", "d"]).await.unwrap();
    let asked = server.tikv().requests(Call::SplitRegions);
    assert!(client.split_regions(["b", "d"]).await.unwrap().is_empty());
    assert_eq!(server.tikv().requests(Call::SplitRegions), asked);
    let came = client.split_regions(["b", "c", "d"]).await.unwrap();
    assert!(!came.is_empty());
    assert_eq!(server.tikv().requests(Call::SplitRegions), asked + 1);
}

#[tokio::test]
async fn a_split_whose_answer_was_lost_is_found_done() {
    let (server, client) = raw().await;
    let _fault = server.tikv().inject(Fault::new(Action::CutReply).on(Call::SplitRegions).times(1));
    let came = client.split_regions(["b", "d"]).await.unwrap();
    let mut told: Vec<_> = client.regions("b", "e").await.unwrap().iter().map(|region| region.id).collect();
    told.sort_unstable();
    assert_eq!(told, came);
}

#[tokio::test]
async fn many_regions_are_asked_for_in_parts() {
    let (server, client) = raw().await;
    server.tikv().split((0..1500).map(|number| format!("{number:05}"))).await.unwrap();
    let regions = client.regions("", "").await.unwrap();
    assert_eq!(regions.len(), 1501);
    assert!(regions.windows(2).all(|pair| pair[0].end == pair[1].start));
}

#[tokio::test]
async fn counters_tell_what_was_called() {
    let (_server, client) = raw().await;
    client.put("k", "v").await.unwrap();
    client.get("k").await.unwrap();
    client.get("k").await.unwrap();
    let stats = client.call_stats();
    let calls: Vec<_> = stats.iter().map(|(name, stats)| (*name, stats.calls, stats.errors)).collect();
    assert_eq!(calls, [("get", 2, 0), ("put", 1, 0)]);
    assert!(client.net_stats().connections_opened >= 2, "{:?}", client.net_stats());
}
