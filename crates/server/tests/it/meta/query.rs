//! Where the partitions of a table are.

use std::net::{SocketAddr, SocketAddrV4};

use charioteer_proto::pegasus::frame::RequestHeader;
use charioteer_proto::pegasus::meta::{CreateAppOptions, QueryCfgRequest, QueryCfgResponse};
use charioteer_proto::pegasus::rpc;
use charioteer_proto::pegasus::special::RpcAddress;

use crate::support::{Client, Fixture, META, META_V1, PARTITIONS, Table, soon};

fn query(name: &str, indices: &[i32]) -> QueryCfgRequest {
    QueryCfgRequest { app_name: name.into(), partition_indices: indices.to_vec() }
}

fn v4(address: SocketAddr) -> SocketAddrV4 {
    match address {
        SocketAddr::V4(address) => address,
        SocketAddr::V6(address) => panic!("{address}"),
    }
}

#[tokio::test]
async fn every_partition_of_a_table_is_on_the_port_that_was_asked() {
    let mut fixture = Fixture::start().await;
    let reply = fixture.client.ask::<rpc::QueryConfig>(META, query("temp", &[])).await;
    let here = RpcAddress::from(v4(fixture.address()));
    assert_eq!(reply.err.name(), "ERR_OK");
    assert_eq!((reply.app_id, reply.partition_count, reply.is_stateful), (1, 8, true));
    assert_eq!(reply.partitions.len(), 8);
    for (index, partition) in (0..).zip(&reply.partitions) {
        assert_eq!((partition.pid.table_id, partition.pid.index), (1, index));
        assert!(partition.ballot > 0, "clients take others for partitions that are being split");
        assert_eq!(partition.max_replica_count, 3);
        assert_eq!(partition.primary, here);
        assert_eq!(partition.secondaries, [here, here], "administrators' clients wait for as many as were asked for");
        assert!(partition.last_drops.is_empty());
    }
}

#[tokio::test]
async fn a_partition_has_as_many_secondaries_as_its_table_asked_for() {
    let mut fixture = Fixture::start().await;
    for replica_count in [1, 2, 5] {
        let name = format!("replicas_{replica_count}");
        let options = CreateAppOptions { partition_count: 2, replica_count, ..CreateAppOptions::default() };
        fixture.create(&name, options).await;
        let reply = fixture.client.ask::<rpc::QueryConfig>(META, query(&name, &[])).await;
        for partition in reply.partitions {
            assert_eq!(partition.max_replica_count, replica_count);
            assert_eq!(partition.secondaries.len() + 1, usize::try_from(replica_count).unwrap());
        }
    }
}

#[tokio::test]
async fn an_unknown_table_is_an_error_in_the_result_and_not_of_the_frame() {
    let mut fixture = Fixture::start().await;
    for header in [META, META_V1] {
        let reply = fixture.client.ask::<rpc::QueryConfig>(header, query("none", &[])).await;
        assert_eq!(reply.err.name(), "ERR_OBJECT_NOT_FOUND");
        assert_eq!((reply.app_id, reply.partition_count, reply.is_stateful), (0, 0, false));
        assert!(reply.partitions.is_empty());
    }
}

#[tokio::test]
async fn only_the_partitions_asked_for_are_told_and_impossible_ones_are_passed_over() {
    let mut fixture = Fixture::start().await;
    let indices = [5, -1, 2, 8, i32::MAX, i32::MIN];
    let reply = fixture.client.ask::<rpc::QueryConfig>(META, query("temp", &indices)).await;
    assert_eq!(reply.partition_count, 8);
    assert_eq!(reply.partitions.iter().map(|partition| partition.pid.index).collect::<Vec<_>>(), [5, 2]);
}

#[tokio::test]
async fn a_request_without_indices_means_all_of_them() {
    let mut fixture = Fixture::start().await;
    // Node leaves the field out; these are its arguments, byte for byte.
    let mut arguments = b"\x0c\x00\x01\x0b\x00\x01\x00\x00\x00\x04temp\x00\x00".to_vec();
    let mut bytes = crate::support::encoded::<rpc::QueryConfig>(META, 0, &query("temp", &[]));
    let begin = bytes.windows(4).position(|window| window == [0, 0, 0, 0x26]).unwrap() + 4 + 38 + 4;
    bytes.truncate(begin);
    bytes.append(&mut arguments);
    let body = u32::try_from(bytes.len() - 48).unwrap();
    assert_eq!(body, 0x42, "the length that was captured");
    bytes[16..20].copy_from_slice(&body.to_be_bytes());
    fixture.client.send_bytes(&bytes).await;
    let reply: QueryCfgResponse = fixture.client.receive().await.result().unwrap();
    assert_eq!(reply.partitions.len(), 8);
}

#[tokio::test]
async fn host_names_are_told_to_all_but_clients_that_break_down_at_them() {
    let mut fixture = Fixture::start().await;
    let port = fixture.address().port();
    let with_timeout = RequestHeader { client_timeout_ms: 2000, ..META };
    let v1_without_timeout = RequestHeader { client_timeout_ms: 0, ..META_V1 };
    for (header, told) in [(META, false), (with_timeout, true), (META_V1, true), (v1_without_timeout, true)] {
        let reply = fixture.client.ask::<rpc::QueryConfig>(header, query("temp", &[0])).await;
        let partition = &reply.partitions[0];
        assert_eq!(partition.hp_primary.is_some(), told, "{header:?}");
        assert_eq!(partition.hp_last_drops, told.then(Vec::new));
        if let (Some(primary), Some(secondaries)) = (&partition.hp_primary, &partition.hp_secondaries) {
            assert_eq!((primary.to_string(), primary.kind), (format!("localhost:{port}"), 1));
            assert_eq!(secondaries, &[primary.clone(), primary.clone()]);
        } else {
            assert!(partition.hp_secondaries.is_none() && !told);
        }
    }
}

#[tokio::test]
async fn both_header_versions_are_understood_on_one_connection() {
    let mut fixture = Fixture::start().await;
    for header in [META, META_V1, META, META_V1] {
        let reply = fixture.client.ask::<rpc::QueryConfig>(header, query("temp", &[])).await;
        assert_eq!(reply.app_id, 1);
    }
}

#[tokio::test]
async fn a_table_that_is_asked_for_is_made_where_that_was_wished() {
    let mut fixture = Fixture::with(|options| options.pegasus.as_mut().unwrap().auto_create = true).await;
    let made = Table::open(&mut fixture.client, "wished").await;
    assert_eq!(made, Table { id: 2, partitions: PARTITIONS });
    assert_eq!(Table::open(&mut fixture.client, "wished").await, made, "it is made once");

    let mut askers = Vec::new();
    for _ in 0..8 {
        let mut client = Client::connect(fixture.address()).await;
        askers.push(tokio::spawn(async move { Table::open(&mut client, "together").await }));
    }
    for asker in askers {
        assert_eq!(soon(asker).await.unwrap(), Table { id: 3, partitions: PARTITIONS }, "by whoever asks first");
    }
}
