//! What administrators ask a meta server about the cluster and its tables' state.
//!
//! Of what a cluster does with many machines (moving replicas, splitting partitions, copies elsewhere, backups) there is nothing
//! here to do; questions about it are answered truly, orders to do it are refused as not implemented.

use std::net::Ipv4Addr;
use std::sync::atomic::Ordering;

use charioteer_engine::table::TableInfo;
use charioteer_proto::pegasus::admin::{
    AtomicIdempotentResponse, ControlMetaRequest, ControlMetaResponse, DiagnoseRequest, DiagnoseResponse, HintResponse,
    ListDuplicationRequest, ListDuplicationResponse, MaxReplicaCountResponse, PlainResponse, QueryDuplicationResponse,
    QueryManualCompactResponse, QueryPartitionSplitResponse, StartManualCompactRequest, TableRequest, function_level,
};
use charioteer_proto::pegasus::rpc::{self, Call};
use charioteer_proto::pegasus::special::{ErrorCode, Text};
use tracing::info;

use super::meta::Meta;
use super::{Failure, Handle, Service};
use crate::backend::Backend;

/// At this level and below no tables are made, as in the original, which does drop them.
const FROZEN: i32 = 300;

/// Whether an administrator has stopped the making of tables.
pub(super) fn is_frozen<B: Backend>(service: &Service<B>) -> bool {
    service.level.load(Ordering::Relaxed) <= FROZEN
}

/// What `cluster_info` tells, in the original's order.
pub(super) fn cluster_facts<B: Backend>(service: &Service<B>, local: Ipv4Addr) -> Vec<(String, String)> {
    let metas: Vec<_> = service.cluster.metas(local).map(|meta| meta.to_string()).collect();
    [
        ("meta_servers", metas.join(",")),
        ("primary_meta_server", service.cluster.leader(local).map(|leader| leader.to_string()).unwrap_or_default()),
        ("zookeeper_hosts", String::new()),
        ("zookeeper_root", String::new()),
        ("meta_function_level", level_name(service.level.load(Ordering::Relaxed)).to_owned()),
        ("balance_operation_count", "move_pri=0,copy_pri=0,copy_sec=0,total=0".to_owned()),
        ("primary_replica_count_stddev", "0.00".to_owned()),
        ("total_replica_count_stddev", "0.00".to_owned()),
        ("cluster_name", "charioteer".to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

fn level_name(level: i32) -> &'static str {
    match level {
        100 => "stopped",
        200 => "blind",
        300 => "freezed",
        500 => "lively",
        _ => "steady",
    }
}

impl<B: Backend> Meta<'_, B> {
    /// The refusal of an order that makes no sense in one process.
    pub(super) fn not_implemented(&self, call: Call) -> PlainResponse {
        info!(call = call.name(), "refused: not implemented");
        PlainResponse { err: self.lead().err().unwrap_or(ErrorCode::NOT_IMPLEMENTED) }
    }

    fn table(&self, request: &TableRequest) -> Result<TableInfo, ErrorCode> {
        self.lead()?;
        self.service.backend.find(request.app_name.as_str()).ok_or(ErrorCode::APP_NOT_EXIST)
    }

    /// Answers `answer` where the table exists, and otherwise `default` with the error.
    fn about<T: Default>(
        &self,
        request: &TableRequest,
        answer: impl FnOnce(&TableInfo) -> T,
        err: impl FnOnce(&mut T) -> &mut ErrorCode,
    ) -> T {
        match self.table(request) {
            Ok(table) => answer(&table),
            Err(error) => {
                let mut refusal = T::default();
                *err(&mut refusal) = error;
                refusal
            }
        }
    }
}

impl<B: Backend> Handle<rpc::ControlMeta> for Meta<'_, B> {
    async fn handle(self, request: ControlMetaRequest) -> Result<ControlMetaResponse, Failure> {
        if let Err(err) = self.lead() {
            return Ok(ControlMetaResponse { err, old_level: function_level::INVALID });
        }
        let level = &self.service.level;
        let old_level = match request.level {
            100 | 200 | 300 | 400 | 500 => level.swap(request.level, Ordering::Relaxed),
            _ => level.load(Ordering::Relaxed),
        };
        Ok(ControlMetaResponse { err: ErrorCode::OK, old_level })
    }
}

impl<B: Backend> Handle<rpc::Diagnose> for Meta<'_, B> {
    async fn handle(self, _: DiagnoseRequest) -> Result<DiagnoseResponse, Failure> {
        // No partition ever lost its replicas.
        let err = self.lead().err().unwrap_or(ErrorCode::OK);
        Ok(DiagnoseResponse { err, partitions: Vec::new() })
    }
}

impl<B: Backend> Handle<rpc::StartManualCompact> for Meta<'_, B> {
    async fn handle(self, request: StartManualCompactRequest) -> Result<HintResponse, Failure> {
        let table = self.table(&TableRequest { app_name: request.app_name });
        let (err, hint) = match table {
            Ok(_) => (ErrorCode::OPERATION_DISABLED, "the store compacts by itself"),
            Err(err) => (err, ""),
        };
        Ok(HintResponse { err, hint_message: Text::from_static(hint) })
    }
}

impl<B: Backend> Handle<rpc::QueryManualCompact> for Meta<'_, B> {
    async fn handle(self, request: TableRequest) -> Result<QueryManualCompactResponse, Failure> {
        let (err, hint) = match self.table(&request) {
            Ok(_) => (ErrorCode::INVALID_STATE, "no compaction has been started"),
            Err(err) => (err, ""),
        };
        Ok(QueryManualCompactResponse { err, hint_msg: Text::from_static(hint), progress: None })
    }
}

impl<B: Backend> Handle<rpc::GetMaxReplicaCount> for Meta<'_, B> {
    async fn handle(self, request: TableRequest) -> Result<MaxReplicaCountResponse, Failure> {
        let answer = |table: &TableInfo| MaxReplicaCountResponse {
            max_replica_count: table.replica_count,
            ..MaxReplicaCountResponse::default()
        };
        Ok(self.about(&request, answer, |refusal| &mut refusal.err))
    }
}

impl<B: Backend> Handle<rpc::GetAtomicIdempotent> for Meta<'_, B> {
    async fn handle(self, request: TableRequest) -> Result<AtomicIdempotentResponse, Failure> {
        let answer = |table: &TableInfo| AtomicIdempotentResponse {
            atomic_idempotent: table.atomic_idempotent,
            ..AtomicIdempotentResponse::default()
        };
        Ok(self.about(&request, answer, |refusal| &mut refusal.err))
    }
}

impl<B: Backend> Handle<rpc::QueryDuplication> for Meta<'_, B> {
    async fn handle(self, request: TableRequest) -> Result<QueryDuplicationResponse, Failure> {
        let answer =
            |table: &TableInfo| QueryDuplicationResponse { appid: table.id, ..QueryDuplicationResponse::default() };
        Ok(self.about(&request, answer, |refusal| &mut refusal.err))
    }
}

impl<B: Backend> Handle<rpc::ListDuplication> for Meta<'_, B> {
    async fn handle(self, _: ListDuplicationRequest) -> Result<ListDuplicationResponse, Failure> {
        let err = self.lead().err().unwrap_or(ErrorCode::OK);
        Ok(ListDuplicationResponse { err, ..ListDuplicationResponse::default() })
    }
}

impl<B: Backend> Handle<rpc::QueryPartitionSplit> for Meta<'_, B> {
    async fn handle(self, request: TableRequest) -> Result<QueryPartitionSplitResponse, Failure> {
        let answer = |table: &TableInfo| QueryPartitionSplitResponse {
            err: ErrorCode::INVALID_STATE,
            new_partition_count: table.partition_count,
            hint_message: Some(Text::from_static("no split has been started")),
            ..QueryPartitionSplitResponse::default()
        };
        Ok(self.about(&request, answer, |refusal| &mut refusal.err))
    }
}
