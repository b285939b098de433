//! Starting and stopping a server for tests.

use std::time::Duration;

use charioteer_engine::Clock;
use charioteer_engine::table::PEGASUS_EPOCH;
use charioteer_proto::pegasus::data::{UpdateRequest, status};
use charioteer_proto::pegasus::rpc;
use charioteer_server::testing::TestServer;
use charioteer_server::{Error, Limits};

use super::{Served, configuration};
use crate::support::{Client, START, put, raw};

#[tokio::test]
async fn one_line_starts_a_server_of_one_port_with_a_table() {
    let server = TestServer::start().await;
    let addresses = server.addresses();
    assert_eq!((addresses.pegasus_metas.len(), addresses.pegasus_nodes.len(), addresses.http), (1, 0, None));
    assert_eq!(server.pegasus_url(), format!("pegasus://{}", addresses.pegasus.unwrap()));
    assert_eq!(server.pegasus().nodes(), addresses.pegasus_metas);
    let mut client = Client::connect(addresses.pegasus.unwrap()).await;
    assert_eq!(configuration(&mut client, "temp").await.partition_count, 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_runs_on_several_threads_too() {
    let mut served = Served::start().await;
    served.ask::<rpc::Put>("h", put("h", "s", "v")).await;
    assert_eq!(served.ask::<rpc::Get>("h", raw("h", "s")).await.value, "v");
}

#[tokio::test]
async fn without_faults_the_server_answers_as_ever() {
    let mut served = Served::start().await;
    assert_eq!(served.ask::<rpc::Put>("h", put("h", "s", "v")).await.error, status::OK);
    assert_eq!(served.ask::<rpc::Get>("h", raw("h", "s")).await.value, "v");
    assert_eq!(served.ask::<rpc::Get>("h", raw("h", "t")).await.error, status::NOT_FOUND);
    let wrong = served.table.partition((served.at("h").partition_index.cast_unsigned() + 1) % 8);
    let wrong =
        charioteer_proto::pegasus::frame::RequestHeader { partition_hash: served.at("h").partition_hash, ..wrong };
    assert_eq!(served.client.refusal::<rpc::Get>(wrong, raw("h", "s")).await, "ERR_PARENT_PARTITION_MISUSED");
}

#[tokio::test]
async fn a_cluster_is_of_as_many_servers_as_wished_for_and_has_the_tables_named() {
    let builder = TestServer::builder().metas(3).nodes(2).table("one", 4).table("two", 2);
    let server = builder.start().await.unwrap();
    let (metas, nodes) = (server.pegasus().metas(), server.pegasus().nodes());
    assert_eq!((metas.len(), nodes.len()), (3, 2));
    let listed: Vec<_> = metas.iter().map(ToString::to_string).collect();
    assert_eq!(server.pegasus_url(), format!("pegasus://{}", listed.join(",")));
    let mut client = Client::connect(metas[0]).await;
    assert_eq!(configuration(&mut client, "one").await.partition_count, 4);
    assert_eq!(configuration(&mut client, "two").await.partition_count, 2);
    assert_eq!(configuration(&mut client, "temp").await.err.name(), "ERR_OBJECT_NOT_FOUND", "others were named");
}

#[tokio::test]
async fn rows_expire_when_the_clock_is_moved() {
    let clock = Clock::stopped_at(Duration::from_secs(PEGASUS_EPOCH + u64::from(START.cast_unsigned())));
    let mut served = Served::with(TestServer::builder().clock(clock)).await;
    let request = UpdateRequest { expire_ts_seconds: START + 60, ..put("h", "s", "v") };
    served.ask::<rpc::Put>("h", request).await;
    assert_eq!(served.ask::<rpc::Ttl>("h", raw("h", "s")).await.ttl_seconds, 60);
    served.server.clock().advance(Duration::from_secs(60));
    assert_eq!(served.ask::<rpc::Get>("h", raw("h", "s")).await.error, status::NOT_FOUND);
}

#[tokio::test]
async fn the_clock_begins_at_the_systems_time() {
    let (before, server) = (Clock::system().now(), TestServer::start().await);
    let now = server.clock().now();
    assert!((before..=Clock::system().now()).contains(&now), "{now:?}");
}

#[tokio::test]
async fn a_folder_can_be_opened_again_after_the_server_has_been_shut_down() {
    let folder = tempfile::tempdir().unwrap();
    let mut served = Served::with(TestServer::builder().data(folder.path())).await;
    served.ask::<rpc::Put>("h", put("h", "s", "v")).await;
    let Served { server, pegasus, .. } = served;
    server.shutdown().await;
    assert!(pegasus.create_table("other", 2).await.is_err(), "the server has stopped, whoever holds on to it");
    let mut served = Served::with(TestServer::builder().data(folder.path())).await;
    assert_eq!(served.ask::<rpc::Get>("h", raw("h", "s")).await.value, "v");
}

#[tokio::test]
async fn limits_and_other_options_are_those_of_a_server() {
    let limits = Limits { connections: 0, ..Limits::default() };
    assert!(matches!(TestServer::builder().limits(limits).start().await, Err(Error::LimitOfZero("connections"))));
    let builder = TestServer::builder().pegasus(|pegasus| pegasus.auto_create = true);
    let mut served = Served::with(builder).await;
    assert_eq!(configuration(&mut served.client, "wished").await.err.name(), "ERR_OK");
}

#[tokio::test]
async fn dropping_the_server_cuts_its_connections_whatever_is_under_way() {
    let mut served = Served::start().await;
    let hold = charioteer_server::testing::Fault::new(charioteer_server::testing::Action::Hold);
    let held = served.pegasus.inject(hold);
    served.client.send::<rpc::Get>(served.table.at("h"), &raw("h", "s")).await;
    held.hit(1).await;
    let Served { server, mut client, .. } = served;
    drop(server);
    client.hung_up().await;
    drop(held);
}

#[tokio::test]
async fn tables_are_made_and_dropped_without_the_wire() {
    let mut served = Served::start().await;
    let id = served.pegasus.create_table("other", 4).await.unwrap();
    assert_eq!(configuration(&mut served.client, "other").await.app_id, id);
    assert!(served.pegasus.create_table("other", 8).await.is_err(), "it was made otherwise");
    served.pegasus.drop_table("other").await.unwrap();
    assert_eq!(configuration(&mut served.client, "other").await.err.name(), "ERR_OBJECT_NOT_FOUND");
    assert!(served.pegasus.drop_table("other").await.is_err(), "it is gone");
    assert_ne!(served.pegasus.create_table("other", 4).await.unwrap(), id);
}
