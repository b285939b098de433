//! PD and stores that are stopped and started again.

use std::io::ErrorKind;

use charioteer_proto::tikv::pdpb::GetMembersRequest;
use charioteer_proto::tikv::rpc;
use charioteer_server::testing::Error;
use charioteer_server::testing::tikv::{Action, Call, Fault};
use tokio::net::TcpStream;

use super::super::support::{Batches, Client, Ended, Way, command};
use super::Hooked;
use crate::support::soon;

#[tokio::test]
async fn a_stopped_store_closes_its_connections_and_has_its_rows_when_it_is_started_again() {
    let mut hooked = Hooked::stores(2).await;
    hooked.put(Way::Alone, "a", "value").await.unwrap();
    let get = hooked.get_request("a").await;
    let mut batches = Batches::open(&mut hooked.store).await;
    batches.send([(1, command::<rpc::RawGet>(get.clone()))]).await;
    batches.reply::<rpc::RawGet>(1).await;
    for _ in 0..3 {
        soon(hooked.tikv.stop_store(0)).await.unwrap();
        let refused = TcpStream::connect(hooked.tikv.stores()[0]).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        hooked.connect(1).await.call::<rpc::HealthCheck>(&Default::default()).await.unwrap();
        hooked.tikv.start_store(0).await.unwrap();
        assert_eq!(hooked.connect(0).await.call::<rpc::RawGet>(&get).await.unwrap().value, "value");
    }
    assert_eq!(batches.call.end().await, Ended::Gone);
}

#[tokio::test]
async fn what_is_under_way_at_a_store_that_is_stopped_is_not_waited_for() {
    let mut hooked = Hooked::start().await;
    let held = hooked.tikv.inject(Fault::new(Action::Hold).on(Call::RawGet));
    let get = hooked.get_request("a").await;
    let mut waiting = hooked.store.send::<rpc::RawGet>(&get).await;
    soon(held.hit(1)).await;
    soon(hooked.tikv.stop_store(0)).await.unwrap();
    assert_eq!(waiting.end().await, Ended::Gone);
}

#[tokio::test]
async fn pd_is_stopped_and_started_again_while_stores_go_on() {
    let mut hooked = Hooked::start().await;
    let get = hooked.get_request("a").await;
    let before = hooked.pd.call::<rpc::GetMembers>(&GetMembersRequest::default()).await.unwrap();
    hooked.tikv.stop_pd().await.unwrap();
    hooked.tikv.stop_pd().await.unwrap();
    let address = hooked.server.addresses().tikv_pd.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
    assert!(hooked.pd.closed().await.is_err() || hooked.pd.try_begin("/pdpb.PD/GetMembers", &[]).await.is_err());
    hooked.store.call::<rpc::RawGet>(&get).await.unwrap();
    hooked.tikv.start_pd().await.unwrap();
    hooked.tikv.start_pd().await.unwrap();
    let after = Client::connect(address).await.call::<rpc::GetMembers>(&GetMembersRequest::default()).await.unwrap();
    assert_eq!(after, before);
}

#[tokio::test]
async fn what_a_stopped_store_leads_is_led_by_another_once_that_is_said() {
    let mut hooked = Hooked::stores(3).await;
    let region = hooked.tikv.region_of("a").unwrap();
    let (leader, other) =
        (region.leader.unwrap(), *region.stores.iter().find(|store| Some(**store) != region.leader).unwrap());
    hooked.tikv.stop_store(leader).await.unwrap();
    let get = hooked.get_request("a").await;
    let mut client = hooked.connect(other).await;
    let mut asked = get.clone();
    let peers = super::super::support::key_in_region(&mut hooked.pd, b"a").await.region.unwrap().peers;
    let led_from = get.context.unwrap().peer.unwrap().store_id;
    for peer in peers.iter().filter(|peer| peer.store_id != led_from) {
        asked.context.as_mut().unwrap().peer = Some(*peer);
        let reply = client.call::<rpc::RawGet>(&asked).await.unwrap();
        if let Some(not_leader) = reply.region_error.unwrap().not_leader {
            assert_eq!(
                not_leader.leader.unwrap().store_id,
                led_from,
                "the leader can't be reached, and nobody else leads"
            );
        }
    }
    hooked.tikv.transfer_leader(region.id, other).await.unwrap();
    let get = hooked.get_request("a").await;
    assert!(client.call::<rpc::RawGet>(&get).await.unwrap().not_found);
}

#[tokio::test]
async fn there_is_no_store_of_a_higher_number() {
    let hooked = Hooked::stores(2).await;
    assert!(matches!(hooked.tikv.stop_store(2).await, Err(Error::NoStore(2))));
    assert!(matches!(hooked.tikv.start_store(2).await, Err(Error::NoStore(2))));
    assert!(matches!(hooked.tikv.lag_follower(2), Err(Error::NoStore(2))));
}

#[tokio::test]
async fn nothing_can_be_done_to_a_server_that_has_stopped() {
    let hooked = Hooked::start().await;
    let tikv = hooked.tikv.clone();
    soon(hooked.server.shutdown()).await;
    assert!(matches!(tikv.stop_store(0).await, Err(Error::Stopped)));
    assert!(matches!(tikv.regions(), Err(Error::Stopped)));
    assert!(matches!(tikv.split(["a"]).await, Err(Error::Stopped)));
    assert!(matches!(tikv.lag_follower(0), Err(Error::Stopped)));
}
