//! Lists of tables and of nodes, and facts about the cluster.

use std::collections::BTreeMap;

use charioteer_proto::pegasus::frame::RequestHeader;
use charioteer_proto::pegasus::meta::{
    ClusterInfoRequest, CreateAppOptions, DropAppOptions, DropAppRequest, ListAppsRequest, ListNodesRequest,
    app_status, node_status,
};
use charioteer_proto::pegasus::{rpc, special::Text};

use crate::support::{Fixture, META, START};

impl Fixture {
    /// The names of the tables that a request finds.
    async fn names(&mut self, request: ListAppsRequest) -> Vec<String> {
        let reply = self.client.ask::<rpc::ListApps>(META, request).await;
        assert_eq!(reply.err.name(), "ERR_OK");
        reply.infos.iter().map(|info| info.app_name.to_string()).collect()
    }

    /// A server that has these tables besides `temp`.
    async fn with_tables(names: &[&str]) -> Self {
        let mut fixture = Self::start().await;
        for name in names {
            let options = CreateAppOptions { partition_count: 2, replica_count: 1, ..CreateAppOptions::default() };
            fixture.create(name, options).await;
        }
        fixture
    }
}

#[tokio::test]
async fn a_table_is_listed_with_everything_that_is_known_of_it() {
    let mut fixture = Fixture::start().await;
    let options = CreateAppOptions {
        partition_count: 4,
        replica_count: 2,
        app_type: "pegasus".into(),
        is_stateful: true,
        envs: BTreeMap::from([(Text::from("default_ttl"), Text::from("60"))]),
        atomic_idempotent: Some(true),
        ..CreateAppOptions::default()
    };
    fixture.create("listed", options.clone()).await;
    let reply = fixture.client.ask::<rpc::ListApps>(META, ListAppsRequest::default()).await;
    assert_eq!(reply.infos.len(), 2);
    let info = &reply.infos[1];
    assert_eq!((info.app_id, info.app_name.as_str(), info.app_type.as_str()), (2, "listed", "pegasus"));
    assert_eq!((info.status, info.is_stateful, info.max_replica_count), (app_status::AVAILABLE, true, 2));
    assert_eq!((info.partition_count, info.init_partition_count), (4, 4));
    assert_eq!(info.envs, options.envs);
    assert_eq!((info.create_second, info.drop_second), (i64::from(START) + 1_451_606_400, 0));
    assert_eq!(
        (info.duplicating, info.is_bulk_loading, info.atomic_idempotent),
        (Some(false), Some(false), Some(true))
    );
}

#[tokio::test]
async fn tables_are_listed_by_their_status() {
    let mut fixture = Fixture::with_tables(&["kept", "dropped"]).await;
    let request = DropAppRequest { app_name: "dropped".into(), options: DropAppOptions::default() };
    fixture.client.ask::<rpc::DropApp>(META, request).await;
    for (status, expected) in [
        (app_status::INVALID, &["temp", "kept", "dropped"][..]),
        (app_status::AVAILABLE, &["temp", "kept"]),
        (app_status::DROPPED, &["dropped"]),
        (app_status::CREATING, &[]),
        (77, &[]),
    ] {
        let request = ListAppsRequest { status, ..ListAppsRequest::default() };
        assert_eq!(fixture.names(request).await, expected, "status {status}");
    }
}

#[tokio::test]
async fn tables_are_listed_by_their_names() {
    let mut fixture = Fixture::with_tables(&["users", "users_old", "new_users", "orders"]).await;
    for (kind, expected) in [
        (1, &["temp", "users", "users_old", "new_users", "orders"][..]),
        (2, &["users"]),
        (3, &["users", "users_old", "new_users"]),
        (4, &["users", "users_old"]),
        (5, &["users", "new_users"]),
    ] {
        let request = ListAppsRequest {
            app_name_pattern: Some("users".into()),
            match_type: Some(kind),
            ..ListAppsRequest::default()
        };
        assert_eq!(fixture.names(request).await, expected, "match {kind}");
    }
}

#[tokio::test]
async fn a_kind_of_match_that_there_is_not_is_refused_and_says_so() {
    let mut fixture = Fixture::start().await;
    for kind in [0, 6, 7, -1] {
        let request = ListAppsRequest {
            app_name_pattern: Some("te.p".into()),
            match_type: Some(kind),
            ..ListAppsRequest::default()
        };
        let reply = fixture.client.ask::<rpc::ListApps>(META, request).await;
        assert_eq!(reply.err.name(), "ERR_NOT_IMPLEMENTED", "match {kind}");
        assert!(reply.hint_message.unwrap().as_str().contains("matched"));
        assert!(reply.infos.is_empty());
    }
}

#[tokio::test]
async fn the_one_node_is_listed_and_alive() {
    let mut fixture = Fixture::start().await;
    let address = fixture.address();
    for (status, count) in [(node_status::INVALID, 1), (node_status::ALIVE, 1), (node_status::UNALIVE, 0), (9, 0)] {
        let reply = fixture.client.ask::<rpc::ListNodes>(META, ListNodesRequest { status }).await;
        assert_eq!((reply.err.name(), reply.infos.len()), ("ERR_OK", count), "status {status}");
        for node in reply.infos {
            assert_eq!(node.status, node_status::ALIVE);
            assert_eq!(node.node.socket().map(Into::into), Some(address));
            assert_eq!(node.hp_node, None, "not for old clients");
        }
    }
    let header = RequestHeader { client_timeout_ms: 1000, ..META };
    let reply = fixture.client.ask::<rpc::ListNodes>(header, ListNodesRequest::default()).await;
    let told = reply.infos[0].hp_node.as_ref().unwrap().to_string();
    assert_eq!(told, format!("localhost:{}", address.port()));
}

#[tokio::test]
async fn the_cluster_is_described_under_the_names_that_tools_look_for() {
    let mut fixture = Fixture::start().await;
    let reply = fixture.client.ask::<rpc::ClusterInfo>(META, ClusterInfoRequest::default()).await;
    assert_eq!(reply.err.name(), "ERR_OK");
    let keys: Vec<_> = reply.keys.iter().map(Text::as_str).collect();
    assert_eq!(
        keys,
        [
            "meta_servers",
            "primary_meta_server",
            "zookeeper_hosts",
            "zookeeper_root",
            "meta_function_level",
            "balance_operation_count",
            "primary_replica_count_stddev",
            "total_replica_count_stddev",
            "cluster_name",
        ]
    );
    let values: Vec<_> = reply.values.iter().map(Text::as_str).collect();
    let address = fixture.address().to_string();
    assert_eq!((values.len(), values[0], values[1], values[4]), (9, &*address, &*address, "steady"));
}
