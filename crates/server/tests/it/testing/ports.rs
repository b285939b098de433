//! Servers that are stopped and started again.

use std::io::ErrorKind;

use charioteer_proto::pegasus::rpc;
use charioteer_server::testing::{Action, Call, Error, Fault, TestServer};
use tokio::net::TcpStream;

use super::{Served, configuration};
use crate::support::{put, raw, soon};

#[tokio::test]
async fn a_stopped_node_closes_its_connections_and_can_not_be_connected_to() {
    let served = Served::nodes(2).await;
    let (mut stopped, mut other) = (served.node(0).await, served.node(1).await);
    let header = served.table.partition(0);
    stopped.ask::<rpc::Get>(header, raw("h", "s")).await;
    soon(served.pegasus.stop_node(0)).await.unwrap();
    stopped.hung_up().await;
    let refused = TcpStream::connect(served.pegasus.nodes()[0]).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    other.ask::<rpc::Get>(served.table.partition(1), raw("h", "s")).await;
}

#[tokio::test]
async fn what_is_under_way_at_a_node_that_is_stopped_is_not_waited_for() {
    let served = Served::nodes(2).await;
    let hold = served.pegasus.inject(Fault::new(Action::Hold).on(Call::Get));
    let mut client = served.node(0).await;
    client.send::<rpc::Get>(served.table.partition(0), &raw("h", "s")).await;
    soon(hold.hit(1)).await;
    soon(served.pegasus.stop_node(0)).await.unwrap();
    client.hung_up().await;
}

#[tokio::test]
async fn a_node_is_started_again_on_the_same_port_and_has_its_rows() {
    let served = Served::nodes(2).await;
    let header = served.table.partition(0);
    served.node(0).await.ask::<rpc::Put>(header, put("h", "s", "v")).await;
    for _ in 0..3 {
        served.pegasus.stop_node(0).await.unwrap();
        served.pegasus.start_node(0).await.unwrap();
        assert_eq!(served.node(0).await.ask::<rpc::Get>(header, raw("h", "s")).await.value, "v");
    }
}

#[tokio::test]
async fn stopping_what_is_stopped_and_starting_what_runs_changes_nothing() {
    let served = Served::nodes(2).await;
    served.pegasus.start_node(0).await.unwrap();
    served.node(0).await.ask::<rpc::Get>(served.table.partition(0), raw("h", "s")).await;
    served.pegasus.stop_node(0).await.unwrap();
    served.pegasus.stop_node(0).await.unwrap();
    served.pegasus.start_node(0).await.unwrap();
    served.node(0).await.ask::<rpc::Get>(served.table.partition(0), raw("h", "s")).await;
}

#[tokio::test]
async fn a_stopped_nodes_partitions_stay_with_it_until_they_are_moved() {
    let mut served = Served::nodes(3).await;
    served.pegasus.stop_node(1).await.unwrap();
    let stopped = served.pegasus.nodes()[1];
    let primary = |reply: &charioteer_proto::pegasus::meta::QueryCfgResponse| -> Vec<bool> {
        let at =
            |partition: &charioteer_proto::pegasus::meta::PartitionConfiguration| partition.primary.socket().unwrap();
        reply.partitions.iter().map(|partition| at(partition) == stopped.to_string().parse().unwrap()).collect()
    };
    let told = configuration(&mut served.client, "temp").await;
    assert_eq!(primary(&told), [false, true, false, false, true, false, false, true]);
    served.pegasus.fail_over(1).unwrap();
    let told = configuration(&mut served.client, "temp").await;
    assert_eq!(primary(&told), [false; 8]);
    let node = served.pegasus.primary("temp", 1).unwrap().unwrap();
    served.node(node).await.ask::<rpc::Get>(served.table.partition(1), raw("h", "s")).await;
}

#[tokio::test]
async fn nobody_takes_over_from_a_node_where_no_other_is_live() {
    let served = Served::nodes(2).await;
    served.pegasus.stop_node(1).await.unwrap();
    assert!(matches!(served.pegasus.fail_over(0), Err(Error::NobodyLeft { node: 0 })));
    served.pegasus.fail_over(1).unwrap();
    assert!((0..8).all(|partition| served.pegasus.primary("temp", partition).unwrap() == Some(0)));
}

#[tokio::test]
async fn a_stopped_meta_server_leaves_the_others() {
    let served = Served::with(TestServer::builder().metas(2).nodes(1)).await;
    let mut client = served.meta(0).await;
    served.pegasus.stop_meta(0).await.unwrap();
    client.hung_up().await;
    let mut other = served.meta(1).await;
    assert_eq!(configuration(&mut other, "temp").await.err.name(), "ERR_FORWARD_TO_OTHERS", "to one that is dead");
    served.pegasus.lead(1).unwrap();
    assert_eq!(configuration(&mut other, "temp").await.err.name(), "ERR_OK");
    served.pegasus.start_meta(0).await.unwrap();
    assert_eq!(configuration(&mut served.meta(0).await, "temp").await.err.name(), "ERR_FORWARD_TO_OTHERS");
}

#[tokio::test]
async fn a_node_that_shares_its_port_with_a_meta_server_takes_it_along() {
    let mut served = Served::start().await;
    served.pegasus.stop_node(0).await.unwrap();
    served.client.hung_up().await;
    served.pegasus.start_meta(0).await.unwrap();
    served.meta(0).await.ask::<rpc::Get>(served.at("h"), raw("h", "s")).await;
}

#[tokio::test]
async fn a_server_some_of_whose_ports_are_closed_shuts_down() {
    let served = Served::nodes(2).await;
    served.pegasus.stop_node(0).await.unwrap();
    drop(served.client);
    soon(served.server.shutdown()).await;
    assert!(matches!(served.pegasus.start_node(0).await, Err(Error::Stopped)));
}
