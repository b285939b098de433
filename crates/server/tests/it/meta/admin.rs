//! Questions and orders of administrators.

use charioteer_proto::pegasus::admin::{
    AddDuplicationRequest, ControlBulkLoadRequest, ControlMetaRequest, ControlPartitionSplitRequest, DiagnoseRequest,
    ListDuplicationRequest, ModifyDuplicationRequest, PlainResponse, ProposeBalancerRequest, QueryBackupStatusRequest,
    QueryRestoreRequest, SetAtomicIdempotentRequest, SetMaxReplicaCountRequest, StartBackupRequest,
    StartBulkLoadRequest, StartManualCompactRequest, StartPartitionSplitRequest, StartRecoveryRequest,
    StartRestoreRequest, TableRequest,
};
use charioteer_proto::pegasus::meta::{
    ClusterInfoRequest, CreateAppOptions, CreateAppRequest, DropAppOptions, DropAppRequest, QueryCfgRequest,
};
use charioteer_proto::pegasus::rpc::{self, Rpc};

use crate::support::{Fixture, META};

fn table(name: &str) -> TableRequest {
    TableRequest { app_name: name.into() }
}

impl Fixture {
    async fn set_level(&mut self, level: i32) -> i32 {
        let reply = self.client.ask::<rpc::ControlMeta>(META, ControlMetaRequest { level }).await;
        assert_eq!(reply.err.name(), "ERR_OK");
        reply.old_level
    }

    async fn create_plainly(&mut self, name: &str) -> String {
        let options = CreateAppOptions { partition_count: 2, replica_count: 1, ..CreateAppOptions::default() };
        let request = CreateAppRequest { app_name: name.into(), options };
        self.client.ask::<rpc::CreateApp>(META, request).await.err.name().to_owned()
    }

    async fn is_not_implemented<R: Rpc>(&mut self, argument: R::Request) {
        let reply = self.client.call::<R>(META, argument).await;
        assert_eq!(reply.error.name(), "ERR_OK", "it is the result that tells");
        let PlainResponse { err } = reply.result().unwrap();
        assert_eq!(err.name(), "ERR_NOT_IMPLEMENTED", "{}", R::NAME);
        assert!(reply.result::<R::Reply>().is_ok(), "clients read it as the answer they expect");
    }
}

#[tokio::test]
async fn the_level_is_told_and_set_and_named_in_the_description_of_the_cluster() {
    let mut fixture = Fixture::start().await;
    assert_eq!(fixture.set_level(10_000).await, 400, "a level that is none asks only");
    let mut before = 400;
    for (level, name) in [(100, "stopped"), (200, "blind"), (300, "freezed"), (500, "lively"), (400, "steady")] {
        assert_eq!(fixture.set_level(level).await, before);
        let reply = fixture.client.ask::<rpc::ClusterInfo>(META, ClusterInfoRequest::default()).await;
        assert_eq!(reply.values[4].as_str(), name);
        before = level;
    }
    assert_eq!(fixture.set_level(123).await, 400);
    assert_eq!(fixture.set_level(10_000).await, 400, "a level that there is not changes nothing");
}

#[tokio::test]
async fn a_frozen_cluster_makes_no_tables_but_serves_and_drops_those_there_are() {
    let mut fixture = Fixture::start().await;
    for level in [100, 200, 300] {
        fixture.set_level(level).await;
        assert_eq!(fixture.create_plainly("frozen").await, "ERR_STATE_FREEZED", "level {level}");
    }
    fixture.put("h", "s", "v").await;
    assert_eq!(fixture.get("h", "s").await.unwrap(), "v");
    let request = DropAppRequest { app_name: "temp".into(), options: DropAppOptions::default() };
    assert_eq!(fixture.client.ask::<rpc::DropApp>(META, request).await.err.name(), "ERR_OK");

    fixture.set_level(400).await;
    assert_eq!(fixture.create_plainly("frozen").await, "ERR_OK");
}

#[tokio::test]
async fn a_frozen_cluster_makes_no_table_that_is_asked_for_either() {
    let mut fixture = Fixture::with(|options| options.pegasus.as_mut().unwrap().auto_create = true).await;
    fixture.set_level(300).await;
    let request = QueryCfgRequest { app_name: "wished".into(), ..QueryCfgRequest::default() };
    let reply = fixture.client.ask::<rpc::QueryConfig>(META, request).await;
    assert_eq!(reply.err.name(), "ERR_OBJECT_NOT_FOUND");
}

#[tokio::test]
async fn questions_about_a_table_are_answered_truly() {
    let mut fixture = Fixture::start().await;
    let client = &mut fixture.client;
    let reply = client.ask::<rpc::GetMaxReplicaCount>(META, table("temp")).await;
    assert_eq!((reply.err.name(), reply.max_replica_count), ("ERR_OK", 3));
    let reply = client.ask::<rpc::GetAtomicIdempotent>(META, table("temp")).await;
    assert_eq!((reply.err.name(), reply.atomic_idempotent), ("ERR_OK", false));
    let reply = client.ask::<rpc::QueryDuplication>(META, table("temp")).await;
    assert_eq!((reply.err.name(), reply.appid, reply.entry_list.len()), ("ERR_OK", 1, 0));
    let reply = client.ask::<rpc::ListDuplication>(META, ListDuplicationRequest::default()).await;
    assert_eq!((reply.err.name(), reply.app_states.len()), ("ERR_OK", 0));
    let reply = client.ask::<rpc::QueryPartitionSplit>(META, table("temp")).await;
    assert_eq!((reply.err.name(), reply.new_partition_count), ("ERR_INVALID_STATE", 8), "no split is under way");
    let reply = client.ask::<rpc::QueryManualCompact>(META, table("temp")).await;
    assert_eq!((reply.err.name(), reply.progress), ("ERR_INVALID_STATE", None), "no compaction is under way");
    let request = StartManualCompactRequest { app_name: "temp".into(), ..StartManualCompactRequest::default() };
    let reply = client.ask::<rpc::StartManualCompact>(META, request).await;
    assert_eq!(reply.err.name(), "ERR_OPERATION_DISABLED");
    assert!(!reply.hint_message.as_str().is_empty());
    let reply = client.ask::<rpc::Diagnose>(META, DiagnoseRequest::default()).await;
    assert_eq!((reply.err.name(), reply.partitions.len()), ("ERR_OK", 0), "no partition lost its replicas");
}

#[tokio::test]
async fn questions_about_a_missing_table_are_refused() {
    let mut fixture = Fixture::start().await;
    let client = &mut fixture.client;
    let missing = "ERR_APP_NOT_EXIST";
    assert_eq!(client.ask::<rpc::GetMaxReplicaCount>(META, table("none")).await.err.name(), missing);
    assert_eq!(client.ask::<rpc::GetAtomicIdempotent>(META, table("none")).await.err.name(), missing);
    assert_eq!(client.ask::<rpc::QueryDuplication>(META, table("none")).await.err.name(), missing);
    assert_eq!(client.ask::<rpc::QueryPartitionSplit>(META, table("none")).await.err.name(), missing);
    assert_eq!(client.ask::<rpc::QueryManualCompact>(META, table("none")).await.err.name(), missing);
    let request = StartManualCompactRequest { app_name: "none".into(), ..StartManualCompactRequest::default() };
    assert_eq!(client.ask::<rpc::StartManualCompact>(META, request).await.err.name(), missing);
}

#[tokio::test]
async fn orders_that_make_no_sense_in_one_process_are_refused_as_not_implemented() {
    let mut fixture = Fixture::start().await;
    fixture.is_not_implemented::<rpc::ProposeBalancer>(ProposeBalancerRequest::default()).await;
    fixture.is_not_implemented::<rpc::SetMaxReplicaCount>(SetMaxReplicaCountRequest::default()).await;
    fixture.is_not_implemented::<rpc::SetAtomicIdempotent>(SetAtomicIdempotentRequest::default()).await;
    fixture.is_not_implemented::<rpc::AddDuplication>(AddDuplicationRequest::default()).await;
    fixture.is_not_implemented::<rpc::ModifyDuplication>(ModifyDuplicationRequest::default()).await;
    fixture.is_not_implemented::<rpc::StartBackup>(StartBackupRequest::default()).await;
    fixture.is_not_implemented::<rpc::QueryBackupStatus>(QueryBackupStatusRequest::default()).await;
    fixture.is_not_implemented::<rpc::StartRestore>(StartRestoreRequest::default()).await;
    fixture.is_not_implemented::<rpc::QueryRestore>(QueryRestoreRequest::default()).await;
    fixture.is_not_implemented::<rpc::StartPartitionSplit>(StartPartitionSplitRequest::default()).await;
    fixture.is_not_implemented::<rpc::ControlPartitionSplit>(ControlPartitionSplitRequest::default()).await;
    fixture.is_not_implemented::<rpc::StartBulkLoad>(StartBulkLoadRequest::default()).await;
    fixture.is_not_implemented::<rpc::ControlBulkLoad>(ControlBulkLoadRequest::default()).await;
    fixture.is_not_implemented::<rpc::StartRecovery>(StartRecoveryRequest::default()).await;
    assert_eq!(fixture.count("RPC_CM_START_RECOVERY", "refused").await, 1);
}
