//! Against a cluster in this process.

use std::time::Duration;

use charioteer_proto::tikv::key::{KeyspaceId, Layout, Mode};
use charioteer_proto::tikv::kvrpcpb::{RawGetRequest, RawPutRequest};
use charioteer_proto::tikv::metapb;
use charioteer_proto::tikv::regional::{Regional, RegionalReply};
use charioteer_proto::tikv::rpc::{self, Call};
use charioteer_server::testing::TestServer;
use charioteer_server::testing::tikv::{Action, Fault, RegionError, Status};

use super::*;
use crate::backoff::{Cause, Waits};
use crate::net::{Address, Dialler, Progress};
use crate::tikv::grpc::ChannelOptions;

const V1: Layout = Layout::V1(Mode::Raw);

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(120)
}

fn channel() -> ChannelOptions {
    ChannelOptions::new(Dialler::plain(Duration::from_secs(3)), Arc::default())
}

async fn server(stores: usize, regions: usize) -> TestServer {
    TestServer::builder().tikv_stores(stores).tikv(|tikv| tikv.regions = regions).start().await.unwrap()
}

async fn locator(server: &TestServer, layout: Layout) -> Locator {
    let pd = Address::from(server.addresses().tikv_pd.unwrap());
    let pd = Pd::connect(vec![pd], channel(), soon()).await.unwrap();
    Locator::new(pd, layout, StoreOptions::new(channel()), 100_000)
}

/// Reads a key until it succeeds, and tells how often it was tried. It waits as a client does, though never for long.
async fn get(locator: &Locator, key: &'static str) -> u32 {
    let mut waits = Waits::default();
    for attempts in 1..100 {
        let place = locator.of_key(&Bytes::from(key), soon()).await.unwrap();
        match read(locator, place, key).await {
            Ok(()) => return attempts,
            Err(cause) => tokio::time::sleep(waits.next(cause, None).min(Duration::from_millis(20))).await,
        }
    }
    panic!("{key} can't be read");
}

async fn read(locator: &Locator, place: Place, key: &'static str) -> Result<(), &'static Cause> {
    let request = RawGetRequest { context: Some(place.context()), key: key.into(), ..RawGetRequest::default() };
    let asked = place.store().connection().unary::<rpc::RawGet>(&request, soon(), &Progress::default()).await;
    let Ok(reply) = asked else {
        locator.store_failed(&place);
        return Err(&crate::tikv::grpc::CONNECTION);
    };
    assert_eq!(reply.error, "");
    match reply.region_error() {
        Some(error) => Err(locator.learn(&place, error).retry.unwrap()),
        None => Ok(()),
    }
}

#[tokio::test]
async fn a_key_is_found_and_regions_behind_it_come_with_it() {
    let server = server(1, 1).await;
    server.tikv().split(["b", "d", "f"]).await.unwrap();
    let locator = locator(&server, V1).await;
    assert_eq!(get(&locator, "c").await, 1);
    assert_eq!(locator.0.regions.len(), 3);
    let place = locator.of_key(&"e".into(), soon()).await.unwrap();
    assert_eq!((&place.start()[..], &place.end()[..]), (&b"d"[..], &b"f"[..]));
    assert_eq!(get(&locator, "a").await, 1);
    assert_eq!((locator.0.regions.len(), server.tikv().requests(Call::ScanRegions)), (4, 2));
}

#[tokio::test]
async fn a_hundred_who_miss_the_same_region_ask_once() {
    let server = server(3, 1).await;
    let locator = locator(&server, V1).await;
    let held = server.tikv().inject(Fault::new(Action::Hold).on(Call::ScanRegions));
    let key = Bytes::from("k");
    let all = futures_util::future::join_all((0..100).map(|_| locator.of_key(&key, soon())));
    let release = async {
        server.tikv().arrived(Call::ScanRegions, 1).await;
        held.release();
    };
    let (places, ()) = tokio::join!(all, release);
    assert!(places.iter().all(Result::is_ok));
    assert_eq!(server.tikv().requests(Call::ScanRegions), 1);
}

#[tokio::test]
async fn what_lies_below_a_bound_is_found_also_at_the_end_of_all() {
    let server = server(1, 1).await;
    server.tikv().split(["b", "d"]).await.unwrap();
    for (bound, start) in [("d", "b"), ("c", "b"), ("b", ""), ("", "d"), ("z", "d")] {
        // One after the other, and each for itself.
        let locator = locator(&server, V1).await;
        let place = locator.before_key(&bound.into(), soon()).await.unwrap();
        assert_eq!(&place.start()[..], start.as_bytes(), "below {bound:?}");
    }
}

#[tokio::test]
async fn keys_are_grouped_by_region_in_order() {
    let server = server(1, 1).await;
    server.tikv().split(["b", "d"]).await.unwrap();
    let locator = locator(&server, V1).await;
    let groups = locator.group(&["e", "a", "c", "d", "aa", "b"], soon()).await.unwrap();
    let groups: Vec<_> = groups.into_iter().map(|(place, keys)| (place.start().clone(), keys)).collect();
    assert_eq!(groups, [("".into(), vec![1, 4]), ("b".into(), vec![2, 5]), ("d".into(), vec![0, 3])]);
}

#[tokio::test]
async fn keys_that_lie_far_apart_are_looked_up_together_also_where_pd_does_not_know_how() {
    let server = server(1, 1).await;
    server.tikv().split((1..1000).map(|number| format!("{number:04}"))).await.unwrap();
    let keys: Vec<_> = (0..1000).step_by(5).map(|number| format!("{number:04}")).collect();
    for (is_old, scans) in [(false, 1), (true, 201)] {
        let old = Fault::new(Action::Status(Status::Unimplemented("of another year".to_owned())));
        let old = is_old.then(|| server.tikv().inject(old.on(Call::BatchScanRegions)));
        let locator = locator(&server, V1).await;
        let before = server.tikv().requests(Call::ScanRegions);
        let groups = locator.group(&keys, soon()).await.unwrap();
        assert!(
            groups.iter().enumerate().all(|(at, (place, group))| *group == [at] && place.holds(keys[at].as_bytes()))
        );
        let asked = server.tikv().requests(Call::ScanRegions) - before;
        assert!(asked <= scans, "{asked}");
        drop(old);
    }
}

#[tokio::test]
async fn a_split_is_learnt_from_the_store_without_asking_pd() {
    let server = server(3, 1).await;
    let locator = locator(&server, V1).await;
    assert_eq!(get(&locator, "a").await, 1);
    server.tikv().split(["b", "d"]).await.unwrap();
    assert_eq!(get(&locator, "c").await, 2);
    assert_eq!((get(&locator, "a").await, get(&locator, "e").await), (1, 1));
    assert_eq!((locator.0.regions.len(), server.tikv().requests(Call::ScanRegions)), (3, 1));
    let regions = server.tikv().regions().unwrap();
    server.tikv().merge(regions[0].id, regions[1].id).await.unwrap();
    assert_eq!(get(&locator, "c").await, 2);
    assert!(get(&locator, "a").await <= 2);
}

#[tokio::test]
async fn a_leader_that_moves_is_followed_at_once() {
    let server = server(3, 1).await;
    let locator = locator(&server, V1).await;
    let region = server.tikv().region_of("a").unwrap();
    for store in [0, 1, 2] {
        server.tikv().transfer_leader(region.id, store).await.unwrap();
        assert!(get(&locator, "a").await <= 2);
        assert_eq!(get(&locator, "a").await, 1);
    }
    assert_eq!(server.tikv().requests(Call::ScanRegions), 1);
}

#[tokio::test]
async fn a_store_that_is_gone_is_passed_over_until_it_is_back() {
    let server = server(3, 1).await;
    let locator = locator(&server, V1).await;
    let region = server.tikv().region_of("a").unwrap();
    server.tikv().transfer_leader(region.id, 0).await.unwrap();
    assert!(get(&locator, "a").await <= 2);
    server.tikv().stop_store(0).await.unwrap();
    server.tikv().transfer_leader(region.id, 1).await.unwrap();
    assert!(get(&locator, "a").await <= 4);
    assert_eq!(get(&locator, "a").await, 1);
    let place = locator.of_key(&"a".into(), soon()).await.unwrap();
    let lost = locator.0.stores.all().into_iter().find(|store| !store.is_reachable()).unwrap();
    assert_ne!(lost.id(), place.store().id());
    server.tikv().start_store(0).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), async {
        while !lost.is_reachable() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn every_error_of_a_region_is_got_over() {
    let server = server(3, 1).await;
    let locator = locator(&server, V1).await;
    let errors = [
        RegionError::NotLeader,
        RegionError::NotLeaderBut(1),
        RegionError::RegionNotFound,
        RegionError::KeyNotInRegion,
        RegionError::EpochNotMatch,
        RegionError::ServerIsBusy { reason: "tests".to_owned(), backoff_ms: 1 },
        RegionError::StaleCommand,
        RegionError::StoreNotMatch,
        RegionError::RegionNotInitialized,
        RegionError::MismatchPeerId,
        RegionError::DataIsNotReady,
        RegionError::IsWitness,
        RegionError::RecoveryInProgress,
        RegionError::Message("of another year".to_owned()),
    ];
    for error in errors {
        let named = format!("{error:?}");
        let _fault = server.tikv().inject(Fault::new(Action::Answer(error)).on(Call::RawGet).times(1));
        assert!((2..5).contains(&get(&locator, "a").await), "{named}");
        assert_eq!(get(&locator, "a").await, 1, "{named}");
    }
}

#[tokio::test]
async fn replicas_are_read_from_and_the_leader_where_one_of_them_can_not() {
    let server = server(3, 1).await;
    let locator = locator(&server, V1).await;
    let leader = locator.of_key(&"a".into(), soon()).await.unwrap();
    let follower = locator.read_from(leader.clone(), &ReadFrom::Follower);
    assert_ne!(follower.store().id(), leader.store().id());
    assert!(follower.context().replica_read && !leader.context().replica_read);
    read(&locator, follower.clone(), "a").await.unwrap();
    let stale = locator.read_stale_from(leader.clone(), &ReadFrom::Any);
    assert!(stale.context().stale_read);
    let _fault =
        server.tikv().inject(Fault::new(Action::Answer(RegionError::DataIsNotReady)).on(Call::RawGet).times(1));
    assert!(read(&locator, follower, "a").await.is_err());
    let again = locator.read_from(locator.of_key(&"a".into(), soon()).await.unwrap(), &ReadFrom::Follower);
    assert_eq!(again.store().id(), leader.store().id());
    let labels = Arc::from([("zone".to_owned(), "no such".to_owned())]);
    let anywhere = locator.read_from(again, &ReadFrom::Closest(labels));
    read(&locator, anywhere, "a").await.unwrap();
}

/// How a read of a key fares that goes to a place, and where it goes when it is tried again.
async fn read_again(locator: &Locator, place: Place, choose: impl Fn(Place) -> Place) -> Place {
    read(locator, place, "a").await.unwrap_err();
    choose(locator.of_key(&"a".into(), soon()).await.unwrap())
}

#[tokio::test]
async fn a_stale_read_goes_to_the_leader_where_the_peer_has_not_got_so_far_and_back_after_a_while() {
    let server = server(3, 1).await;
    let locator = locator(&server, V1).await;
    let leader = locator.of_key(&"a".into(), soon()).await.unwrap();
    let stale = |place| locator.read_stale_from(place, &ReadFrom::Follower);
    let first = stale(leader.clone());
    assert!(first.context().stale_read && !first.context().replica_read);
    let number = |place: &Place| {
        let address = place.store().peer().to_string();
        server.tikv().stores().iter().position(|store| store.to_string() == address).unwrap()
    };
    let lagging = server.tikv().lag_follower(number(&first)).unwrap();
    let again = read_again(&locator, first, stale).await;
    assert_eq!(lagging.refused(), 1);
    assert_eq!(again.store().id(), leader.store().id());
    assert!(!again.context().stale_read && !again.context().replica_read);
    read(&locator, again, "a").await.unwrap();
    lagging.catch_up();
    let follows = async {
        while stale(locator.of_key(&"a".into(), soon()).await.unwrap()).store().id() == leader.store().id() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), follows).await.unwrap();
}

#[tokio::test]
async fn a_follower_that_can_not_read_yet_or_is_gone_is_not_waited_for() {
    let server = server(3, 1).await;
    let locator = locator(&server, V1).await;
    let leader = locator.of_key(&"a".into(), soon()).await.unwrap();
    let follower = |place| locator.read_from(place, &ReadFrom::Follower);
    let not_ready = Fault::new(Action::Answer(RegionError::ReadIndexNotReady)).replica_reads().times(1);
    let not_ready = server.tikv().inject(not_ready);
    let again = read_again(&locator, follower(leader.clone()), follower).await;
    assert_eq!((not_ready.hits(), again.store().id()), (1, leader.store().id()));

    let locator = self::locator(&server, V1).await;
    let leader = locator.of_key(&"a".into(), soon()).await.unwrap();
    let follower = |place| locator.read_from(place, &ReadFrom::Follower);
    let gone = follower(leader.clone());
    let address = gone.store().peer().to_string();
    let number = server.tikv().stores().iter().position(|store| store.to_string() == address).unwrap();
    server.tikv().stop_store(number).await.unwrap();
    let other = read_again(&locator, gone.clone(), follower).await;
    assert!(other.store().id() != gone.store().id() && other.store().id() != leader.store().id());
    // What happens to followers says nothing of the leader.
    assert_eq!(locator.of_key(&"a".into(), soon()).await.unwrap().store().id(), leader.store().id());
    read(&locator, other, "a").await.unwrap();
}

#[tokio::test]
async fn what_is_closest_has_all_of_the_labels_and_is_within_reach() {
    let server = server(3, 1).await;
    let locator = locator(&server, V1).await;
    let leader = locator.of_key(&"a".into(), soon()).await.unwrap();
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let zones = ["a", "b", "b"];
    let racks = ["1", "1", "2"];
    let mut stores = locator.0.pd.all_stores(soon()).await.unwrap();
    stores.sort_unstable_by_key(|store| store.id);
    let ids: Vec<_> = stores.iter().map(|store| store.id).collect();
    for (at, mut told) in stores.into_iter().enumerate() {
        let labels = [("zone", zones[at]), ("rack", racks[at])];
        told.labels = labels.map(|(key, value)| metapb::StoreLabel { key: key.into(), value: value.into() }).into();
        locator.0.stores.learn(told).unwrap();
    }
    let closest = |labels: &[(String, String)]| {
        let from = ReadFrom::Closest(labels.into());
        let chosen = (0..40).map(|_| locator.read_from(leader.clone(), &from));
        let mut chosen: Vec<_> = chosen.map(|place| place.store().id()).collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    };
    assert_eq!(closest(&[label("zone", "a")]), ids[..1]);
    assert_eq!(closest(&[label("zone", "b")]), ids[1..]);
    assert_eq!(closest(&[label("zone", "b"), label("rack", "2")]), ids[2..]);
    assert_eq!(closest(&[label("zone", "c")]), ids, "none is closer than the others");
    // Better one that is far than one that is gone.
    let near = locator.0.stores.get(ids[0]).unwrap();
    server.tikv().stop_store(0).await.unwrap();
    locator.0.stores.lost(&locator.0.pd, &near);
    assert_eq!(closest(&[label("zone", "a")]), ids[1..]);
}

#[tokio::test]
async fn keys_of_a_keyspace_are_found_by_their_boundaries_in_pds_encoding() {
    let layout = Layout::V2(Mode::Raw, KeyspaceId::DEFAULT);
    let server = server(1, 5).await;
    let split = layout.pd_key(&layout.wire_key(b"m"));
    server.tikv().split([split]).await.unwrap();
    let locator = locator(&server, layout).await;
    let key = layout.wire_key(b"k");
    let place = locator.of_key(&key, soon()).await.unwrap();
    assert_eq!(place.end(), &layout.wire_key(b"m"));
    let (_, end) = layout.wire_range(b"", b"");
    assert_eq!(locator.before_key(&end, soon()).await.unwrap().start(), &layout.wire_key(b"m"));
    let mut request = RawPutRequest { key, value: "v".into(), ..RawPutRequest::default() };
    *request.context_mut() = Some(place.context());
    let reply = place.store().connection().unary::<rpc::RawPut>(&request, soon(), &Progress::default()).await.unwrap();
    assert_eq!((reply.region_error, reply.error), (None, String::new()));
}

#[tokio::test]
async fn what_is_known_serves_on_while_pd_is_gone_and_what_is_not_is_told_in_time() {
    let server = server(1, 1).await;
    server.tikv().split(["b"]).await.unwrap();
    let locator = locator(&server, V1).await;
    assert_eq!(get(&locator, "c").await, 1);
    server.tikv().stop_pd().await.unwrap();
    assert_eq!(get(&locator, "c").await, 1);
    let began = Instant::now();
    let failure = locator.of_key(&"a".into(), began + Duration::from_millis(300)).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(20), "it has a third of a second");
    assert!(failure.retry.is_some(), "{failure:?}");
    server.tikv().start_pd().await.unwrap();
    assert_eq!(get(&locator, "a").await, 1);
}

#[tokio::test]
async fn a_store_that_may_have_moved_is_asked_where_it_was_while_pd_does_not_tell() {
    let server = server(1, 1).await;
    let locator = locator(&server, V1).await;
    let place = locator.of_key(&"a".into(), soon()).await.unwrap();
    let asked = server.tikv().requests(Call::GetStore);
    let status = Status::Unknown("out of order".to_owned());
    let _fault = server.tikv().inject(Fault::new(Action::Status(status)).on(Call::GetStore));
    Stores::doubt(&place.store);
    let again = locator.of_key(&"a".into(), Instant::now() + Duration::from_secs(2)).await.unwrap();
    assert_eq!(again.store().peer(), place.store().peer());
    assert_eq!(server.tikv().requests(Call::GetStore), asked + 1);
}

#[tokio::test]
async fn calls_under_way_are_answered_by_a_store_that_is_told_anew_and_its_connection_ends_with_them() {
    let server = server(1, 1).await;
    let locator = locator(&server, V1).await;
    let place = locator.of_key(&"a".into(), soon()).await.unwrap();
    let held = server.tikv().inject(Fault::new(Action::Hold).on(Call::RawGet));
    let request = RawGetRequest { context: Some(place.context()), key: "a".into(), ..RawGetRequest::default() };
    let progress = Progress::default();
    let asked = place.store().connection().batched::<rpc::RawGet>(&request, soon(), &progress);
    let told_anew = async {
        server.tikv().arrived(Call::RawGet, 1).await;
        let labels = vec![metapb::StoreLabel { key: "zone".to_owned(), value: "b".to_owned() }];
        let (id, address) = (place.store().id(), place.store().peer().to_string());
        locator.0.stores.learn(metapb::Store { id, address, labels, ..metapb::Store::default() }).unwrap();
        held.release();
    };
    let (reply, ()) = tokio::join!(asked, told_anew);
    assert!(reply.unwrap().not_found);
    drop(place);
    server.tikv().until(|seen| seen.connections() <= 1).await;
}

#[tokio::test]
async fn a_leader_is_found_by_asking_its_peers_while_pd_is_gone() {
    let server = server(3, 1).await;
    let locator = locator(&server, V1).await;
    let region = server.tikv().region_of("a").unwrap();
    server.tikv().transfer_leader(region.id, 0).await.unwrap();
    assert!(get(&locator, "a").await <= 2);
    server.tikv().stop_pd().await.unwrap();
    server.tikv().stop_store(0).await.unwrap();
    server.tikv().transfer_leader(region.id, 2).await.unwrap();
    let mut attempts = 0;
    let read = async {
        loop {
            attempts += 1;
            let place = locator.of_key(&"a".into(), Instant::now() + Duration::from_secs(1)).await;
            if let Ok(place) = place
                && read(&locator, place, "a").await.is_ok()
            {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), read).await.unwrap();
    assert!(attempts <= 6, "{attempts}");
}

#[tokio::test]
async fn keys_are_found_while_regions_split_merge_and_move_and_stores_come_and_go() {
    const KEYS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let server = server(3, 1).await;
    let locator = locator(&server, V1).await;
    let done = std::sync::atomic::AtomicBool::new(false);
    let reader = |number: usize| {
        let (locator, done) = (&locator, &done);
        async move {
            let mut most = 0;
            for round in 0.. {
                if done.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                most = most.max(get(locator, KEYS[(number + round) % KEYS.len()]).await);
                tokio::task::yield_now().await;
            }
            most
        }
    };
    let disturb = async {
        let tikv = server.tikv();
        for round in 0..60_usize {
            let (key, store) = (KEYS[(round * 5) % KEYS.len()], round % 3);
            tikv.split([key]).await.unwrap();
            tikv.transfer_leader(tikv.region_of(key).unwrap().id, store).await.unwrap();
            let regions = tikv.regions().unwrap();
            if round % 3 == 2 {
                tikv.merge(regions[0].id, regions[1].id).await.unwrap();
            }
            if round % 20 == 19 {
                tikv.stop_store(store).await.unwrap();
                for region in regions.iter().filter(|region| region.leader == Some(store)) {
                    // Some are no more.
                    let _ = tikv.transfer_leader(region.id, (store + 1) % 3).await;
                }
                tikv.start_store(store).await.unwrap();
            }
            tokio::task::yield_now().await;
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    let (most, ()) = tokio::join!(futures_util::future::join_all((0..16).map(reader)), disturb);
    assert!(most.into_iter().max().is_some_and(|most| most < 20));
}
