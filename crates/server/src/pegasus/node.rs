//! The calls that any server answers, and those about a replica server itself.

use charioteer_engine::table::TableStatus;
use charioteer_proto::pegasus::node::{
    Command, NegotiationRequest, NegotiationResponse, QueryAppInfoRequest, QueryAppInfoResponse, QueryDiskInfoRequest,
    QueryDiskInfoResponse, negotiation_status,
};
use charioteer_proto::pegasus::rpc;
use charioteer_proto::pegasus::special::{ErrorCode, Text};

use super::meta::app_info;
use super::{Failure, Handle, Service};
use crate::backend::Backend;

/// One call to a server as such.
pub(super) struct Node<'a, B: Backend> {
    pub(super) service: &'a Service<B>,
}

impl<B: Backend> Node<'_, B> {
    /// The tables in use, the number of them, and of their partitions.
    fn describe(&self) -> String {
        let tables = self.service.backend.list();
        let in_use = || tables.iter().filter(|table| table.status == TableStatus::Available);
        let partitions: i64 = in_use().map(|table| i64::from(table.partition_count)).sum();
        format!("{} tables, {partitions} partitions", in_use().count())
    }
}

impl<B: Backend> Handle<rpc::RemoteCommand> for Node<'_, B> {
    async fn handle(self, command: Command) -> Result<Text, Failure> {
        let answer = match command.cmd.as_str() {
            "help" => "help - lists the commands\n\
                       server-info - tells the version and since when the server runs\n\
                       server-stat - tells what the server holds\n"
                .to_owned(),
            "server-info" => {
                format!(
                    "Charioteer {}, started {} s after 1970",
                    env!("CARGO_PKG_VERSION"),
                    self.service.started.as_secs()
                )
            }
            "server-stat" => self.describe(),
            unknown => format!("unknown command '{unknown}'; 'help' lists those there are"),
        };
        Ok(answer.into())
    }
}

impl<B: Backend> Handle<rpc::Negotiation> for Node<'_, B> {
    async fn handle(self, _: NegotiationRequest) -> Result<NegotiationResponse, Failure> {
        Ok(NegotiationResponse { status: negotiation_status::AUTH_DISABLED, ..NegotiationResponse::default() })
    }
}

impl<B: Backend> Handle<rpc::QueryAppInfo> for Node<'_, B> {
    async fn handle(self, _: QueryAppInfoRequest) -> Result<QueryAppInfoResponse, Failure> {
        let tables = self.service.backend.list();
        let apps = tables.iter().filter(|table| table.status == TableStatus::Available).map(app_info).collect();
        Ok(QueryAppInfoResponse { err: ErrorCode::OK, apps })
    }
}

impl<B: Backend> Handle<rpc::QueryDiskInfo> for Node<'_, B> {
    async fn handle(self, request: QueryDiskInfoRequest) -> Result<QueryDiskInfoResponse, Failure> {
        // The store is in memory: there is no disk to tell of. An unknown table is an error, as it is in the original.
        let name = request.app_name.as_str();
        let known = name.is_empty() || self.service.backend.find(name).is_some();
        let err = if known { ErrorCode::OK } else { ErrorCode::OBJECT_NOT_FOUND };
        Ok(QueryDiskInfoResponse { err, ..QueryDiskInfoResponse::default() })
    }
}
