//! Several meta servers, of which the first leads.

use std::net::{Ipv4Addr, SocketAddr};

use charioteer_proto::pegasus::admin::{ControlMetaRequest, DiagnoseRequest, StartPartitionSplitRequest, TableRequest};
use charioteer_proto::pegasus::meta::{
    ClusterInfoRequest, CreateAppRequest, DropAppRequest, ListAppsRequest, ListNodesRequest, QueryCfgRequest,
    RecallAppRequest, RenameAppRequest, UpdateAppEnvRequest,
};
use charioteer_proto::pegasus::rpc;

use crate::support::{Client, Fixture, META, META_V1, any_port, raw};

async fn three_metas() -> Fixture {
    Fixture::with(|options| options.pegasus.as_mut().unwrap().metas = vec![any_port(); 2]).await
}

#[tokio::test]
async fn the_first_of_several_meta_servers_leads_and_has_the_data() {
    let mut fixture = three_metas().await;
    assert_eq!(fixture.server.addresses().pegasus_metas.len(), 3);
    assert_eq!(fixture.server.addresses().pegasus_metas[0], fixture.address());
    fixture.put("h", "s", "v").await;
    assert_eq!(fixture.get("h", "s").await.unwrap(), "v");

    let reply = fixture.client.ask::<rpc::ClusterInfo>(META, ClusterInfoRequest::default()).await;
    let metas: Vec<_> = fixture.server.addresses().pegasus_metas.iter().map(ToString::to_string).collect();
    assert_eq!((reply.values[0].as_str(), reply.values[1].as_str()), (&*metas.join(","), &*metas[0]));
}

#[tokio::test]
async fn another_meta_server_sends_the_question_for_partitions_on_to_the_leader() {
    let fixture = three_metas().await;
    let leader = fixture.address();
    for other in &fixture.server.addresses().pegasus_metas[1..] {
        let mut client = Client::connect(*other).await;
        for (header, told) in [(META, false), (META_V1, true)] {
            for name in ["temp", "none"] {
                let request = QueryCfgRequest { app_name: name.into(), ..QueryCfgRequest::default() };
                let reply = client.ask::<rpc::QueryConfig>(header, request).await;
                assert_eq!(reply.err.name(), "ERR_FORWARD_TO_OTHERS");
                assert_eq!(reply.partitions.len(), 1, "whose primary is the leader");
                assert_eq!(reply.partitions[0].primary.socket().map(Into::into), Some(leader));
                let host_port = reply.partitions[0].hp_primary.as_ref().map(ToString::to_string);
                assert_eq!(host_port, told.then(|| format!("localhost:{}", leader.port())));
            }
        }
    }
}

#[tokio::test]
async fn another_meta_server_sends_everything_else_on_too() {
    let mut fixture = three_metas().await;
    let mut client = Client::connect(fixture.server.addresses().pegasus_metas[2]).await;
    let forward = "ERR_FORWARD_TO_OTHERS";
    let table = TableRequest { app_name: "temp".into() };
    assert_eq!(client.ask::<rpc::CreateApp>(META, CreateAppRequest::default()).await.err.name(), forward);
    assert_eq!(client.ask::<rpc::DropApp>(META, DropAppRequest::default()).await.err.name(), forward);
    assert_eq!(client.ask::<rpc::RecallApp>(META, RecallAppRequest::default()).await.err.name(), forward);
    assert_eq!(client.ask::<rpc::RenameApp>(META, RenameAppRequest::default()).await.err.name(), forward);
    let split = StartPartitionSplitRequest::default();
    assert_eq!(client.ask::<rpc::StartPartitionSplit>(META, split).await.err.name(), forward);
    assert_eq!(client.ask::<rpc::ListApps>(META, ListAppsRequest::default()).await.err.name(), forward);
    assert_eq!(client.ask::<rpc::ListNodes>(META, ListNodesRequest::default()).await.err.name(), forward);
    assert_eq!(client.ask::<rpc::ClusterInfo>(META, ClusterInfoRequest::default()).await.err.name(), forward);
    assert_eq!(client.ask::<rpc::UpdateAppEnv>(META, UpdateAppEnvRequest::default()).await.err.name(), forward);
    let level = client.ask::<rpc::ControlMeta>(META, ControlMetaRequest { level: 300 }).await;
    assert_eq!((level.err.name(), level.old_level), (forward, 10_000));
    assert_eq!(client.ask::<rpc::Diagnose>(META, DiagnoseRequest::default()).await.err.name(), forward);
    assert_eq!(client.ask::<rpc::GetMaxReplicaCount>(META, table.clone()).await.err.name(), forward);
    assert_eq!(client.ask::<rpc::QueryDuplication>(META, table).await.err.name(), forward);

    let before = fixture.client.ask::<rpc::ControlMeta>(META, ControlMetaRequest { level: 10_000 }).await;
    assert_eq!(before.old_level, 400, "what was sent on has not been done");
}

#[tokio::test]
async fn another_meta_server_has_no_data() {
    let fixture = three_metas().await;
    let mut client = Client::connect(fixture.server.addresses().pegasus_metas[1]).await;
    let refusal = client.refusal::<rpc::Get>(fixture.table.at("h"), raw("h", "s")).await;
    assert_eq!(refusal, "ERR_OBJECT_NOT_FOUND");
}

#[tokio::test]
async fn meta_servers_may_differ_in_their_host_only() {
    // A port that the system chose for one loopback address is free on the others.
    let elsewhere = Fixture::start().await;
    let at = |host| SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), elsewhere.address().port()));
    let fixture = Fixture::with(|options| {
        let pegasus = options.pegasus.as_mut().unwrap();
        (pegasus.address, pegasus.metas) = (at(2), vec![at(3)]);
    })
    .await;
    assert_eq!(fixture.address(), at(2));
    let request = QueryCfgRequest { app_name: "temp".into(), ..QueryCfgRequest::default() };
    let reply = Client::connect(at(3)).await.ask::<rpc::QueryConfig>(META, request).await;
    assert_eq!(reply.err.name(), "ERR_FORWARD_TO_OTHERS");
    assert_eq!(reply.partitions[0].primary.socket().map(Into::into), Some(at(2)));
}
