//! Meta servers and replica servers on ports of their own.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use charioteer_proto::pegasus::data::{GetScannerRequest, status};
use charioteer_proto::pegasus::frame::RequestHeader;
use charioteer_proto::pegasus::meta::{ListAppsRequest, ListNodesRequest, QueryCfgRequest};
use charioteer_proto::pegasus::node::{
    Command, NegotiationRequest, QueryAppInfoRequest, QueryDiskInfoRequest, negotiation_status,
};
use charioteer_proto::pegasus::rpc;

use crate::support::{Client, Fixture, META, META_V1, PARTITIONS, any_port, put, raw};

const NODES: usize = 4;

/// Two meta servers and four replica servers, so that each partition of three replicas is missing on one of them.
async fn cluster() -> Fixture {
    Fixture::with(|options| {
        let pegasus = options.pegasus.as_mut().unwrap();
        pegasus.metas = vec![any_port()];
        pegasus.nodes = vec![any_port(); NODES];
    })
    .await
}

impl Fixture {
    fn nodes(&self) -> &[SocketAddr] {
        &self.server.addresses().pegasus_nodes
    }

    /// The primary and the secondaries of each partition.
    async fn replicas(&mut self) -> Vec<(SocketAddr, Vec<SocketAddr>)> {
        let request = QueryCfgRequest { app_name: "temp".into(), ..QueryCfgRequest::default() };
        let reply = self.client.ask::<rpc::QueryConfig>(META, request).await;
        let address = |address: &charioteer_proto::pegasus::special::RpcAddress| address.socket().unwrap().into();
        let replicas = |partition: &charioteer_proto::pegasus::meta::PartitionConfiguration| {
            (address(&partition.primary), partition.secondaries.iter().map(address).collect())
        };
        reply.partitions.iter().map(replicas).collect()
    }
}

#[tokio::test]
async fn partitions_are_spread_evenly_over_the_nodes_and_each_replica_is_on_another_one() {
    let mut fixture = cluster().await;
    let mut primaries = BTreeMap::new();
    for (primary, secondaries) in fixture.replicas().await {
        *primaries.entry(primary).or_insert(0) += 1;
        let mut all = [vec![primary], secondaries].concat();
        assert!(all.iter().all(|address| fixture.nodes().contains(address)));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 3);
    }
    let even = PARTITIONS / u32::try_from(NODES).unwrap();
    assert_eq!(primaries.into_values().collect::<Vec<_>>(), vec![even; NODES]);
}

#[tokio::test]
async fn every_node_answers_for_its_partitions_as_what_it_is_to_them() {
    let mut fixture = cluster().await;
    let replicas = fixture.replicas().await;
    let table = fixture.table;
    for node in fixture.nodes().to_owned() {
        let mut client = Client::connect(node).await;
        for (index, (primary, secondaries)) in (0..).zip(&replicas) {
            let header = RequestHeader { version: 1, ..table.partition(index) };
            let backup = RequestHeader { is_backup_request: true, ..header };
            if *primary == node {
                let done = client.ask::<rpc::Put>(header, put("h", "s", "v")).await;
                assert_eq!((done.error, done.server.as_str()), (status::OK, &*node.to_string()));
                assert_eq!(client.ask::<rpc::Get>(header, raw("h", "s")).await.value, "v");
                assert_eq!(client.ask::<rpc::Get>(backup, raw("h", "s")).await.value, "v");
            } else if secondaries.contains(&node) {
                let refusal = client.refusal::<rpc::Put>(header, put("h", "s", "v")).await;
                assert_eq!(refusal, "ERR_INVALID_STATE");
                assert_eq!(client.refusal::<rpc::Put>(backup, put("h", "s", "v")).await, "ERR_INVALID_STATE");
                assert_eq!(client.refusal::<rpc::Get>(header, raw("h", "s")).await, "ERR_INVALID_STATE");
                let read = client.ask::<rpc::Get>(backup, raw("h", "s")).await;
                assert_eq!(read.server.as_str(), node.to_string(), "a read that may be stale is answered");
            } else {
                assert_eq!(client.refusal::<rpc::Get>(header, raw("h", "s")).await, "ERR_OBJECT_NOT_FOUND");
                assert_eq!(client.refusal::<rpc::Get>(backup, raw("h", "s")).await, "ERR_OBJECT_NOT_FOUND");
            }
        }
    }
}

#[tokio::test]
async fn a_secondary_serves_backup_reads_of_what_the_primary_has_written() {
    let mut fixture = cluster().await;
    let replicas = fixture.replicas().await;
    let header = RequestHeader { version: 1, ..fixture.table.at("h") };
    let (primary, secondaries) = &replicas[usize::try_from(header.partition_index).unwrap()];
    Client::connect(*primary).await.ask::<rpc::Put>(header, put("h", "s", "v")).await;
    for secondary in secondaries {
        let mut client = Client::connect(*secondary).await;
        let backup = RequestHeader { is_backup_request: true, ..header };
        assert_eq!(client.ask::<rpc::Get>(backup, raw("h", "s")).await.value, "v");
        let scan = GetScannerRequest { stop_key: raw("i", ""), ..GetScannerRequest::default() };
        assert_eq!(client.ask::<rpc::GetScanner>(backup, scan).await.kvs.len(), 1);
    }
}

#[tokio::test]
async fn a_meta_server_beside_nodes_has_no_partition() {
    let mut fixture = cluster().await;
    let address = fixture.address();
    assert!(!fixture.nodes().contains(&address));
    for index in 0..PARTITIONS {
        let header = fixture.table.partition(index);
        assert_eq!(fixture.client.refusal::<rpc::Get>(header, raw("h", "s")).await, "ERR_OBJECT_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_node_knows_no_calls_to_meta_servers() {
    let fixture = cluster().await;
    let mut client = Client::connect(fixture.nodes()[0]).await;
    let unknown = "ERR_HANDLER_NOT_FOUND";
    assert_eq!(client.refusal::<rpc::QueryConfig>(META, QueryCfgRequest::default()).await, unknown);
    assert_eq!(client.refusal::<rpc::ListApps>(META_V1, ListAppsRequest::default()).await, unknown);
    assert_eq!(client.refusal::<rpc::ProposeBalancer>(META, Default::default()).await, unknown);
    assert_eq!(client.refusal::<rpc::StartRecovery>(META, Default::default()).await, unknown);
}

#[tokio::test]
async fn a_meta_server_beside_nodes_knows_no_calls_to_replica_servers() {
    let mut fixture = cluster().await;
    let unknown = "ERR_HANDLER_NOT_FOUND";
    assert_eq!(fixture.client.refusal::<rpc::QueryAppInfo>(META, QueryAppInfoRequest::default()).await, unknown);
    assert_eq!(fixture.client.refusal::<rpc::QueryDiskInfo>(META, QueryDiskInfoRequest::default()).await, unknown);
}

#[tokio::test]
async fn all_nodes_are_listed() {
    let mut fixture = cluster().await;
    let reply = fixture.client.ask::<rpc::ListNodes>(META, ListNodesRequest::default()).await;
    let listed: Vec<SocketAddr> = reply.infos.iter().map(|node| node.node.socket().unwrap().into()).collect();
    assert_eq!(listed, fixture.nodes());
}

#[tokio::test]
async fn every_server_takes_remote_commands_and_answers_with_a_bare_text() {
    let fixture = cluster().await;
    let command = |text: &str| Command { cmd: text.into(), arguments: Vec::new() };
    for address in [fixture.address(), fixture.server.addresses().pegasus_metas[1], fixture.nodes()[0]] {
        let mut client = Client::connect(address).await;
        let reply = client.call::<rpc::RemoteCommand>(META, command("server-stat")).await;
        assert_eq!(reply.results[..3], [0x0b, 0, 0], "a string in field 0");
        let text = client.ask::<rpc::RemoteCommand>(META, command("server-stat")).await;
        assert_eq!(text.as_str(), "1 tables, 8 partitions");
        let text = client.ask::<rpc::RemoteCommand>(META_V1, command("server-info")).await;
        assert!(text.as_str().starts_with("Charioteer "), "{text}");
        let text = client.ask::<rpc::RemoteCommand>(META, command("help")).await;
        assert!(text.as_str().contains("server-stat"), "{text}");
        let text = client.ask::<rpc::RemoteCommand>(META, command("format-disk")).await;
        assert!(text.as_str().contains("unknown command 'format-disk'"), "{text}");
    }
}

#[tokio::test]
async fn a_node_tells_its_tables_and_that_it_has_no_disks() {
    let fixture = cluster().await;
    let mut client = Client::connect(fixture.nodes()[1]).await;
    let reply = client.ask::<rpc::QueryAppInfo>(META, QueryAppInfoRequest::default()).await;
    assert_eq!((reply.err.name(), reply.apps.len()), ("ERR_OK", 1));
    assert_eq!((reply.apps[0].app_name.as_str(), reply.apps[0].partition_count), ("temp", 8));
    for (name, error) in [("", "ERR_OK"), ("temp", "ERR_OK"), ("none", "ERR_OBJECT_NOT_FOUND")] {
        let request = QueryDiskInfoRequest { app_name: name.into(), ..QueryDiskInfoRequest::default() };
        let reply = client.ask::<rpc::QueryDiskInfo>(META, request).await;
        assert_eq!((reply.err.name(), reply.disk_infos.len()), (error, 0), "{name:?}");
    }
}

#[tokio::test]
async fn every_server_says_that_it_asks_for_no_authentication() {
    let fixture = cluster().await;
    for address in [fixture.address(), fixture.nodes()[0]] {
        let mut client = Client::connect(address).await;
        let request = NegotiationRequest { status: 1, ..NegotiationRequest::default() };
        let reply = client.ask::<rpc::Negotiation>(META_V1, request).await;
        assert_eq!((reply.status, reply.msg.len()), (negotiation_status::AUTH_DISABLED, 0));
    }
}
