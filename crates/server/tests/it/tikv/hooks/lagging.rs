//! Followers that read, and those that lag behind.

use charioteer_proto::tikv::kvrpcpb::RawGetRequest;
use charioteer_proto::tikv::rpc;
use charioteer_server::testing::tikv::{Action, Fault, RegionError};

use super::super::support::{Client, Way, key_in_region};
use super::{Hooked, send};
use crate::support::soon;

/// A cluster of three stores with a row, a follower of its region, and a read for it.
struct Followed {
    hooked: Hooked,
    follower: usize,
    client: Client,
    replica_read: RawGetRequest,
    stale_read: RawGetRequest,
}

impl Followed {
    async fn start() -> Self {
        let mut hooked = Hooked::stores(3).await;
        let region = hooked.tikv.region_of("a").unwrap();
        let leader = region.leader.unwrap();
        let put = hooked.put_request("a", "value").await;
        hooked.connect(leader).await.call::<rpc::RawPut>(&put).await.unwrap();
        let follower = *region.stores.iter().find(|store| **store != leader).unwrap();
        let client = hooked.connect(follower).await;
        let peers = key_in_region(&mut hooked.pd, b"a").await.region.unwrap().peers;
        let mut get = hooked.get_request("a").await;
        // Stores have the same order in a region as in the cluster.
        let at = region.stores.iter().position(|store| *store == follower).unwrap();
        get.context.as_mut().unwrap().peer = Some(peers[at]);
        let (mut replica_read, mut stale_read) = (get.clone(), get);
        replica_read.context.as_mut().unwrap().replica_read = true;
        stale_read.context.as_mut().unwrap().stale_read = true;
        Self { hooked, follower, client, replica_read, stale_read }
    }
}

#[tokio::test]
async fn a_follower_reads_for_those_who_ask_for_it() {
    let mut f = Followed::start().await;
    for way in Way::BOTH {
        for read in [&f.replica_read, &f.stale_read] {
            assert_eq!(send::<rpc::RawGet>(&mut f.client, way, read.clone()).await.unwrap().value, "value");
        }
        let mut plain = f.replica_read.clone();
        plain.context.as_mut().unwrap().replica_read = false;
        let refused = send::<rpc::RawGet>(&mut f.client, way, plain).await.unwrap().region_error.unwrap();
        assert!(refused.not_leader.unwrap().leader.is_some());
    }
}

#[tokio::test]
async fn a_lagging_follower_keeps_reads_waiting_until_it_has_caught_up() {
    let f = Followed::start().await;
    for way in Way::BOTH {
        let lagging = f.hooked.tikv.lag_follower(f.follower).unwrap();
        let (read, mut client) = (f.replica_read.clone(), f.hooked.connect(f.follower).await);
        let waiting = tokio::spawn(async move { send::<rpc::RawGet>(&mut client, way, read).await });
        soon(lagging.kept_waiting(1)).await;
        assert!(!waiting.is_finished());
        lagging.catch_up();
        assert_eq!(soon(waiting).await.unwrap().unwrap().value, "value");
    }
}

#[tokio::test]
async fn a_lagging_follower_refuses_what_it_may_not_know_yet() {
    let mut f = Followed::start().await;
    for way in Way::BOTH {
        let lagging = f.hooked.tikv.lag_follower(f.follower).unwrap();
        let refused = send::<rpc::RawGet>(&mut f.client, way, f.stale_read.clone()).await.unwrap();
        let not_ready = refused.region_error.unwrap().data_is_not_ready.unwrap();
        let context = f.stale_read.context.as_ref().unwrap();
        assert_eq!((not_ready.region_id, not_ready.peer_id), (context.region_id, context.peer.unwrap().id));
        assert_eq!((lagging.refused(), lagging.waiting()), (1, 0));
        drop(lagging);
        assert_eq!(send::<rpc::RawGet>(&mut f.client, way, f.stale_read.clone()).await.unwrap().value, "value");
    }
}

#[tokio::test]
async fn a_store_that_lags_serves_what_it_leads() {
    let mut f = Followed::start().await;
    let region = f.hooked.tikv.region_of("a").unwrap();
    let lagging = f.hooked.tikv.lag_follower(f.follower).unwrap();
    f.hooked.tikv.transfer_leader(region.id, f.follower).await.unwrap();
    for read in [&f.replica_read, &f.stale_read] {
        assert_eq!(f.client.call::<rpc::RawGet>(read).await.unwrap().value, "value");
    }
    assert_eq!((lagging.refused(), lagging.waiting()), (0, 0));
}

#[tokio::test]
async fn a_follower_can_say_that_it_does_not_know_how_far_the_leader_is() {
    let mut f = Followed::start().await;
    let error = Action::Answer(RegionError::ReadIndexNotReady);
    let _injected = f.hooked.tikv.inject(Fault::new(error).at_store(f.follower).replica_reads().times(1));
    assert_eq!(f.client.call::<rpc::RawGet>(&f.stale_read).await.unwrap().value, "value");
    let refused = f.client.call::<rpc::RawGet>(&f.replica_read).await.unwrap().region_error.unwrap();
    assert!(refused.read_index_not_ready.is_some());
    assert_eq!(f.client.call::<rpc::RawGet>(&f.replica_read).await.unwrap().value, "value");
}
