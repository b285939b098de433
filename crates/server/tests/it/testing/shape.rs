//! Partitions that are moved, lost and split, and meta servers that take over.

use std::net::SocketAddrV4;

use charioteer_proto::pegasus::frame::RequestHeader;
use charioteer_proto::pegasus::meta::{ClusterInfoRequest, PartitionConfiguration};
use charioteer_proto::pegasus::rpc;
use charioteer_server::testing::{Error, TestServer};

use super::{Served, configuration};
use crate::support::{META, META_V1, put, raw};

impl Served {
    async fn partition(&mut self, index: usize) -> PartitionConfiguration {
        configuration(&mut self.client, "temp").await.partitions.swap_remove(index)
    }

    fn node_address(&self, node: usize) -> SocketAddrV4 {
        self.pegasus.nodes()[node].to_string().parse().unwrap()
    }

    /// What a node says to a read of a partition.
    async fn says(&self, node: usize, partition: u32) -> String {
        let reply = self.node(node).await.call::<rpc::Get>(self.table.partition(partition), raw("h", "s")).await;
        reply.error.name().to_owned()
    }
}

#[tokio::test]
async fn a_moved_partition_is_at_its_new_primary_and_the_old_one_is_a_secondary() {
    let mut served = Served::nodes(4).await;
    let before = served.partition(1).await;
    assert_eq!(before.primary.socket(), Some(served.node_address(1)));
    served.node(1).await.ask::<rpc::Put>(served.table.partition(1), put("h", "s", "v")).await;

    served.pegasus.move_primary("temp", 1, 2).unwrap();
    let after = served.partition(1).await;
    assert_eq!((after.primary.socket(), after.ballot), (Some(served.node_address(2)), before.ballot + 1));
    assert_eq!(after.secondaries[0].socket(), Some(served.node_address(1)));
    assert_eq!(served.pegasus.primary("temp", 1).unwrap(), Some(2));
    let read = served.node(2).await.ask::<rpc::Get>(served.table.partition(1), raw("h", "s")).await;
    assert_eq!(read.value, "v");
    let says = [served.says(0, 1).await, served.says(1, 1).await, served.says(3, 1).await];
    assert_eq!(says, ["ERR_OBJECT_NOT_FOUND", "ERR_INVALID_STATE", "ERR_INVALID_STATE"]);
    let backup = RequestHeader { version: 1, is_backup_request: true, ..served.table.partition(1) };
    assert_eq!(served.node(1).await.ask::<rpc::Get>(backup, raw("h", "s")).await.value, "v");
}

#[tokio::test]
async fn other_partitions_stay_where_they_are() {
    let mut served = Served::nodes(3).await;
    let before = configuration(&mut served.client, "temp").await.partitions;
    served.pegasus.move_primary("temp", 1, 2).unwrap();
    let after = configuration(&mut served.client, "temp").await.partitions;
    let changed: Vec<_> = (0..8).filter(|index| before[*index] != after[*index]).collect();
    assert_eq!(changed, [1]);
}

#[tokio::test]
async fn all_partitions_of_a_table_can_be_moved_at_once_and_a_table_made_anew_begins_by_the_rule() {
    let served = Served::nodes(3).await;
    served.pegasus.move_primaries("temp", 2).unwrap();
    let primaries = || (0..8).map(|index| served.pegasus.primary("temp", index).unwrap().unwrap()).collect::<Vec<_>>();
    assert_eq!(primaries(), [2; 8]);
    served.pegasus.drop_table("temp").await.unwrap();
    served.pegasus.create_table("temp", 8).await.unwrap();
    assert_eq!(primaries(), [0, 1, 2, 0, 1, 2, 0, 1]);
}

#[tokio::test]
async fn the_ballot_goes_up_with_every_move() {
    let mut served = Served::nodes(3).await;
    for (ballot, node) in [(4, 1), (5, 2), (6, 1)] {
        served.pegasus.move_primary("temp", 0, node).unwrap();
        assert_eq!(served.pegasus.ballot("temp", 0).unwrap(), ballot);
        assert_eq!(served.partition(0).await.ballot, ballot);
    }
}

#[tokio::test]
async fn replicas_can_be_put_on_some_nodes_only() {
    let mut served = Served::nodes(3).await;
    served.pegasus.place("temp", 0, &[2, 1]).unwrap();
    let says = [served.says(0, 0).await, served.says(1, 0).await, served.says(2, 0).await];
    assert_eq!(says, ["ERR_OBJECT_NOT_FOUND", "ERR_INVALID_STATE", "ERR_OK"]);
    assert_eq!(served.partition(0).await.secondaries.len(), 2, "as many replicas as the table was made for");
    served.pegasus.place("temp", 0, &[]).unwrap();
    assert_eq!(served.pegasus.primary("temp", 0).unwrap(), None);
    assert_eq!(served.says(2, 0).await, "ERR_OBJECT_NOT_FOUND");
}

#[tokio::test]
async fn a_partition_without_a_primary_has_no_address_and_turns_clients_away_until_it_is_moved() {
    let mut served = Served::nodes(3).await;
    served.pegasus.lose_primary("temp", 0).unwrap();
    assert_eq!(served.pegasus.primary("temp", 0).unwrap(), None);
    let told = served.client.ask::<rpc::QueryConfig>(META_V1, super::query("temp")).await.partitions.swap_remove(0);
    assert_eq!((told.primary.socket(), told.primary.packed()), (None, 0));
    let name = told.hp_primary.unwrap();
    assert_eq!((name.host.as_str(), name.port, name.kind), ("", 0, 0));
    for node in 0..3 {
        assert_eq!(served.says(node, 0).await, "ERR_INVALID_STATE");
    }
    served.pegasus.move_primary("temp", 0, 0).unwrap();
    assert_eq!(served.says(0, 0).await, "ERR_OK");
    assert_eq!(served.partition(0).await.primary.socket(), Some(served.node_address(0)));
}

#[tokio::test]
async fn a_partition_that_is_not_ready_is_answered_for_by_the_one_it_is_split_off() {
    let mut served = Served::nodes(2).await;
    let hash_key = (0..).map(|n| n.to_string()).find(|key| served.at(key).partition_index == 6).unwrap();
    let (child, parent) = (served.at(&hash_key), RequestHeader { partition_index: 2, ..served.at(&hash_key) });
    let mut node = served.node(0).await;
    node.ask::<rpc::Put>(child, put(&hash_key, "s", "v")).await;
    assert_eq!(node.refusal::<rpc::Get>(parent, raw(&hash_key, "s")).await, "ERR_PARENT_PARTITION_MISUSED");

    served.pegasus.unready("temp", 6).unwrap();
    let told = served.partition(6).await;
    assert!(told.ballot < 0, "{}", told.ballot);
    assert_eq!((told.primary.socket(), told.secondaries.len(), told.pid.index), (None, 0, 6));
    assert_eq!(node.refusal::<rpc::Get>(child, raw(&hash_key, "s")).await, "ERR_OBJECT_NOT_FOUND");
    assert_eq!(node.ask::<rpc::Get>(parent, raw(&hash_key, "s")).await.value, "v");
    node.ask::<rpc::Put>(parent, put(&hash_key, "s", "w")).await;
    let wrong = RequestHeader { partition_index: 4, ..child };
    assert_eq!(node.refusal::<rpc::Get>(wrong, raw(&hash_key, "s")).await, "ERR_PARENT_PARTITION_MISUSED");

    served.pegasus.ready("temp", 6).unwrap();
    assert!(served.partition(6).await.ballot > 3);
    assert_eq!(node.ask::<rpc::Get>(child, raw(&hash_key, "s")).await.value, "w");
    assert_eq!(node.refusal::<rpc::Get>(parent, raw(&hash_key, "s")).await, "ERR_PARENT_PARTITION_MISUSED");
}

#[tokio::test]
async fn another_meta_server_can_lead() {
    let mut served = Served::with(TestServer::builder().metas(3)).await;
    let metas = served.pegasus.metas();
    let facts = served.client.ask::<rpc::ClusterInfo>(META, ClusterInfoRequest::default()).await;
    assert_eq!(facts.values[1].as_str(), metas[0].to_string());
    served.pegasus.lead(2).unwrap();
    assert_eq!(served.server.pegasus_url(), format!("pegasus://{},{},{}", metas[2], metas[0], metas[1]));
    for follower in [0, 1] {
        let told = configuration(&mut served.meta(follower).await, "temp").await;
        assert_eq!(told.err.name(), "ERR_FORWARD_TO_OTHERS");
        assert_eq!(told.partitions[0].primary.socket().map(Into::into), Some(metas[2]));
    }
    let mut leader = served.meta(2).await;
    assert_eq!(configuration(&mut leader, "temp").await.err.name(), "ERR_OK");
    let facts = leader.ask::<rpc::ClusterInfo>(META, ClusterInfoRequest::default()).await;
    assert_eq!(facts.values[1].as_str(), metas[2].to_string());
}

#[tokio::test]
async fn meta_servers_can_send_clients_on_to_anybody_or_to_nobody() {
    let mut served = Served::with(TestServer::builder().metas(2)).await;
    let elsewhere: SocketAddrV4 = "127.0.0.9:9".parse().unwrap();
    served.pegasus.forward_to(elsewhere);
    let mut other = served.meta(1).await;
    let told = configuration(&mut other, "temp").await;
    assert_eq!(told.partitions[0].primary.socket(), Some(elsewhere));
    assert_eq!(configuration(&mut served.client, "temp").await.err.name(), "ERR_OK", "it leads");
    served.pegasus.lose_leader();
    for client in [&mut served.client, &mut other] {
        let told = configuration(client, "temp").await;
        assert_eq!((told.err.name(), told.partitions.len()), ("ERR_FORWARD_TO_OTHERS", 0));
    }
    served.pegasus.lead(0).unwrap();
    let told = configuration(&mut other, "temp").await;
    assert_eq!(told.partitions[0].primary.socket().map(Into::into), Some(served.pegasus.metas()[0]));
}

#[tokio::test]
async fn what_is_not_there_is_an_error_and_changes_nothing() {
    let served = Served::nodes(2).await;
    let pegasus = &served.pegasus;
    assert!(matches!(pegasus.primary("none", 0), Err(Error::NoTable(_))));
    assert!(matches!(pegasus.partition_of("none", "h"), Err(Error::NoTable(_))));
    assert!(matches!(pegasus.move_primary("temp", 8, 0), Err(Error::NoPartition { partition: 8, .. })));
    assert!(matches!(pegasus.move_primary("temp", 0, 2), Err(Error::NoNode(2))));
    assert!(matches!(pegasus.place("temp", 0, &[0, 2]), Err(Error::NoNode(2))));
    assert!(matches!(pegasus.unready("temp", 3), Err(Error::NotSplit { partition: 3, .. })));
    assert!(matches!(pegasus.unready("temp", 8), Err(Error::NoPartition { partition: 8, .. })));
    assert!(matches!(pegasus.lead(1), Err(Error::NoMeta(1))));
    assert!(matches!(pegasus.stop_node(2).await, Err(Error::NoNode(2))));
    assert!(matches!(pegasus.stop_meta(1).await, Err(Error::NoMeta(1))));
    assert!(matches!(pegasus.fail_over(2), Err(Error::NoNode(2))));
    assert_eq!(pegasus.ballot("temp", 0).unwrap(), 3);
}
