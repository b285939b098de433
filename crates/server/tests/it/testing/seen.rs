//! What a test learns of its client.

use charioteer_proto::pegasus::frame::RequestHeader;
use charioteer_proto::pegasus::rpc;
use charioteer_server::testing::Call;

use super::Served;
use crate::support::{put, raw, soon};

#[tokio::test]
async fn requests_are_counted_by_call() {
    let mut served = Served::start().await;
    assert_eq!((served.pegasus.requests(Call::QueryConfig), served.pegasus.requests(Call::Get)), (1, 0));
    served.ask::<rpc::Get>("h", raw("h", "s")).await;
    served.ask::<rpc::Get>("h", raw("h", "s")).await;
    assert_eq!(served.pegasus.requests(Call::Get), 2);
}

#[tokio::test]
async fn the_arrival_of_requests_can_be_waited_for() {
    let mut served = Served::start().await;
    soon(served.pegasus.arrived(Call::QueryConfig, 1)).await;
    let pegasus = served.pegasus.clone();
    let arrived = tokio::spawn(async move { pegasus.arrived(Call::Put, 2).await });
    served.ask::<rpc::Put>("h", put("h", "s", "v")).await;
    served.ask::<rpc::Put>("h", put("h", "s", "v")).await;
    soon(arrived).await.unwrap();
}

#[tokio::test]
async fn connections_are_counted_while_they_are_open() {
    let mut served = Served::start().await;
    assert_eq!(served.pegasus.connections(), 1);
    let other = served.connect().await;
    soon(served.pegasus.until(|seen| seen.connections() == 2)).await;
    drop(other);
    soon(served.pegasus.until(|seen| seen.connections() == 1)).await;
    served.client.finish_sending().await;
    soon(served.pegasus.until(|seen| seen.connections() == 0)).await;
}

#[tokio::test]
async fn what_a_client_sent_is_remembered() {
    let mut served = Served::nodes(2).await;
    let header = RequestHeader { version: 1, client_timeout_ms: 1234, is_backup_request: true, ..served.table.at("h") };
    let partition = served.pegasus.partition_of("temp", "h").unwrap();
    let node = served.pegasus.primary("temp", partition).unwrap().unwrap();
    assert_eq!(served.pegasus.last_request(Call::Get), None);
    served.node(node).await.ask::<rpc::Get>(header, raw("h", "s")).await;
    let get = served.pegasus.last_request(Call::Get).unwrap();
    assert_eq!((get.call, get.meta, get.node, get.header), (Call::Get, None, Some(node), header));
    super::configuration(&mut served.client, "temp").await;
    let calls: Vec<_> = served.pegasus.arrivals().iter().map(|arrival| (arrival.call, arrival.meta)).collect();
    assert_eq!(calls, [(Call::QueryConfig, Some(0)), (Call::Get, None), (Call::QueryConfig, Some(0))]);
}
