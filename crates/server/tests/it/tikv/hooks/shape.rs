//! Regions that split, merge and change their leaders, with what clients learn of it.

use charioteer_proto::tikv::memcomparable;
use charioteer_proto::tikv::rpc;
use charioteer_server::TikvApi;
use charioteer_server::testing::TestServer;
use charioteer_server::testing::tikv::Region;

use super::super::support::{Way, key_in_region};
use super::{Hooked, send};

#[tokio::test]
async fn a_cluster_is_as_it_was_asked_for() {
    for (api, regions, stores) in [(TikvApi::V1, 1, 1), (TikvApi::V2, 8, 2), (TikvApi::Any, 100, 4)] {
        let builder = TestServer::builder().tikv_api(api).tikv_regions(regions).tikv_stores(stores);
        let hooked = Hooked::with(builder).await;
        let all = hooked.tikv.regions().unwrap();
        assert_eq!((all.len(), hooked.tikv.stores().len()), (regions, stores));
        assert!(all.iter().all(|region| region.stores.len() == stores.min(3)));
        let leads = |store| all.iter().filter(|region| region.leader == Some(store)).count();
        assert!((0..stores).all(|store| leads(store) >= regions / stores), "{all:?}");
    }
}

#[tokio::test]
async fn after_a_split_old_epochs_are_refused_with_both_parts() {
    let mut hooked = Hooked::start().await;
    for (way, low_key, at, high_key) in [(Way::Alone, "a", "g", "k"), (Way::InBatch, "h", "i", "k")] {
        let (low, high) = (hooked.get_request(low_key).await, hooked.get_request(high_key).await);
        hooked.tikv.split([at]).await.unwrap();
        for request in [low, high] {
            let error = send::<rpc::RawGet>(&mut hooked.store, way, request).await.unwrap().region_error.unwrap();
            let told = error.epoch_not_match.unwrap().current_regions;
            let at = at.as_bytes();
            assert!(told.iter().any(|region| region.end_key == at) && told.iter().any(|region| region.start_key == at));
        }
        for key in [low_key, high_key] {
            assert!(hooked.get(way, key).await.unwrap().not_found);
        }
    }
}

#[tokio::test]
async fn a_split_gives_the_region_the_last_part_and_where_there_is_a_boundary_nothing_happens() {
    let hooked = Hooked::start().await;
    let before = hooked.tikv.region_of("a").unwrap();
    hooked.tikv.split(["c", "b"]).await.unwrap();
    let parts = ["a", "b", "c"].map(|key| hooked.tikv.region_of(key).unwrap());
    assert_eq!(parts[2].id, before.id);
    assert_eq!((&parts[0].end[..], &parts[1].end[..]), (&b"b"[..], &b"c"[..]));
    assert!(parts.iter().all(|part| part.leader == before.leader && part.version > before.version));
    let regions = hooked.tikv.regions().unwrap();
    hooked.tikv.split(["b", "c"]).await.unwrap();
    assert_eq!(hooked.tikv.regions().unwrap(), regions);
}

#[tokio::test]
async fn a_merged_region_answers_for_both_and_the_other_is_gone() {
    let mut hooked = Hooked::start().await;
    for way in Way::BOTH {
        hooked.tikv.split(["m"]).await.unwrap();
        hooked.put(way, "a", "low").await.unwrap();
        hooked.put(way, "p", "high").await.unwrap();
        let (low, high) = (hooked.get_request("a").await, hooked.get_request("p").await);
        let (source, target) = (hooked.tikv.region_of("a").unwrap(), hooked.tikv.region_of("p").unwrap());
        hooked.tikv.merge(source.id, target.id).await.unwrap();
        let gone = send::<rpc::RawGet>(&mut hooked.store, way, low).await.unwrap().region_error.unwrap();
        assert_eq!(gone.region_not_found.unwrap().region_id, source.id);
        let changed = send::<rpc::RawGet>(&mut hooked.store, way, high).await.unwrap().region_error.unwrap();
        assert_eq!(changed.epoch_not_match.unwrap().current_regions[0].start_key, source.start);
        assert_eq!(hooked.get(way, "a").await.unwrap().value, "low");
        assert_eq!(hooked.get(way, "p").await.unwrap().value, "high");
    }
    let regions = hooked.tikv.regions().unwrap();
    let apart = hooked.tikv.merge(regions[0].id, regions[2].id).await.unwrap_err();
    assert!(apart.to_string().contains("do not lie side by side"), "{apart}");
}

#[tokio::test]
async fn a_follower_names_the_leader_that_was_transferred_to() {
    let mut hooked = Hooked::stores(3).await;
    let Region { id, stores, leader, .. } = hooked.tikv.region_of("a").unwrap();
    for (round, to) in stores.iter().copied().filter(|store| Some(*store) != leader).enumerate() {
        let from = hooked.tikv.region_of("a").unwrap().leader.unwrap();
        let request = hooked.get_request("a").await;
        hooked.tikv.transfer_leader(id, to).await.unwrap();
        let mut old = hooked.connect(from).await;
        let way = Way::BOTH[round];
        let error = send::<rpc::RawGet>(&mut old, way, request).await.unwrap().region_error.unwrap();
        let leader = error.not_leader.unwrap().leader.unwrap();
        assert_eq!(key_in_region(&mut hooked.pd, b"a").await.leader, Some(leader), "PD knows it too");
        let request = hooked.get_request("a").await;
        let mut new = hooked.connect(to).await;
        assert!(send::<rpc::RawGet>(&mut new, way, request).await.unwrap().not_found);
    }
    assert!(hooked.tikv.transfer_leader(id, 99).await.is_err());
    assert!(hooked.tikv.transfer_leader(999_999, 0).await.is_err());
}

#[tokio::test]
async fn a_region_whose_leader_gave_up_has_none_until_one_is_named() {
    let mut hooked = Hooked::start().await;
    let region = hooked.tikv.region_of("a").unwrap();
    for way in Way::BOTH {
        let request = hooked.get_request("a").await;
        hooked.tikv.give_up_leader(region.id).await.unwrap();
        let error = send::<rpc::RawGet>(&mut hooked.store, way, request.clone()).await.unwrap().region_error.unwrap();
        assert_eq!(error.not_leader.unwrap().leader, None);
        assert!(key_in_region(&mut hooked.pd, b"a").await.leader.is_none_or(|leader| leader.id == 0));
        hooked.tikv.transfer_leader(region.id, 0).await.unwrap();
        assert!(send::<rpc::RawGet>(&mut hooked.store, way, request).await.unwrap().not_found, "the epoch is the same");
    }
}

#[tokio::test]
async fn regions_are_split_in_version_2_where_keys_are_encoded() {
    let mut hooked = Hooked::with(TestServer::builder().tikv_api(TikvApi::V2)).await;
    let at = memcomparable::encode(b"r\0\0\0m");
    hooked.tikv.split([at.clone()]).await.unwrap();
    let found = key_in_region(&mut hooked.pd, &memcomparable::encode(b"r\0\0\0z")).await;
    assert_eq!(found.region.unwrap().start_key, at);
}
