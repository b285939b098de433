//! What has been seen of clients.

use std::time::Duration;

use charioteer_proto::tikv::kvrpcpb::RawGetRequest;
use charioteer_proto::tikv::pdpb::{RequestHeader, TsoRequest, TsoResponse};
use charioteer_proto::tikv::rpc;
use charioteer_server::testing::tikv::Call;

use super::super::support::{Batches, Way, command};
use super::Hooked;
use crate::support::soon;

#[tokio::test]
async fn calls_and_commands_are_counted_by_kind() {
    let mut hooked = Hooked::start().await;
    let get = hooked.get_request("a").await;
    assert_eq!((hooked.tikv.requests(Call::GetRegion), hooked.tikv.requests(Call::RawGet)), (1, 0));
    hooked.store.call::<rpc::RawGet>(&get).await.unwrap();
    let mut batches = Batches::open(&mut hooked.store).await;
    batches.send((0..5).map(|number| (number, command::<rpc::RawGet>(RawGetRequest::clone(&get))))).await;
    soon(hooked.tikv.arrived(Call::RawGet, 6)).await;
    assert_eq!((hooked.tikv.requests(Call::RawGet), hooked.tikv.requests(Call::RawPut)), (6, 0));
    let mut stream = hooked.pd.open::<rpc::Tso>().await;
    let members = hooked.pd.call::<rpc::GetMembers>(&Default::default()).await.unwrap();
    let header = Some(RequestHeader { cluster_id: members.header.unwrap().cluster_id, ..Default::default() });
    for _ in 0..3 {
        stream.send_message(&TsoRequest { header: header.clone(), count: 1, ..Default::default() }).await;
        stream.receive::<TsoResponse>().await.unwrap();
    }
    assert_eq!(hooked.tikv.requests(Call::Tso), 3, "each message of a stream counts");
}

#[tokio::test]
async fn connections_are_counted_while_they_are_open() {
    let hooked = Hooked::start().await;
    soon(hooked.tikv.until(|seen| seen.connections() == 2)).await;
    let more = hooked.connect(0).await;
    soon(hooked.tikv.until(|seen| seen.connections() == 3)).await;
    more.cut();
    soon(hooked.tikv.until(|seen| seen.connections() == 2)).await;
    assert_eq!(hooked.tikv.connections(), 2);
}

#[tokio::test]
async fn the_clock_moves_lifetimes_and_timestamps() {
    let mut hooked = Hooked::start().await;
    let mut put = hooked.put_request("a", "value").await;
    put.ttl = 100;
    hooked.store.call::<rpc::RawPut>(&put).await.unwrap();
    assert_eq!(hooked.get(Way::InBatch, "a").await.unwrap().value, "value");
    let before = hooked.store.call::<rpc::GetStoreSafeTs>(&Default::default()).await.unwrap().safe_ts;
    hooked.server.clock().advance(Duration::from_secs(101));
    assert!(hooked.get(Way::InBatch, "a").await.unwrap().not_found);
    let after = hooked.store.call::<rpc::GetStoreSafeTs>(&Default::default()).await.unwrap().safe_ts;
    assert!((after >> 18) - (before >> 18) >= 101_000);
}
