//! The paths that the original answers over HTTP on its own ports.

use std::net::{Ipv4Addr, SocketAddrV4};

use charioteer_engine::table::{TableInfo, TableStatus};
use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::{Endpoint, Service, admin};
use crate::backend::Backend;
use crate::http::{Answer, Asked, Response, json as as_json, not_found, text};

const PATHS: &str = "/version\n/recentStartTime\n/metrics\n/meta/app?name=TABLE\n/meta/apps\n/meta/nodes\n/meta/cluster\n\
                     /meta/app_envs?name=TABLE\n";

impl<B: Backend> Service<B> {
    /// Answers a GET on a Pegasus port.
    pub(super) fn answer_http(&self, endpoint: &Endpoint, local: SocketAddrV4, asked: &Asked<'_>) -> Answer {
        if asked.path == "/metrics" { self.metrics.page() } else { self.fact(endpoint, *local.ip(), asked).into() }
    }

    fn fact(&self, endpoint: &Endpoint, local: Ipv4Addr, asked: &Asked<'_>) -> Response {
        match asked.path {
            "/" => text(StatusCode::OK, PATHS),
            "/version" => {
                as_json(StatusCode::OK, &json!({ "Version": env!("CARGO_PKG_VERSION"), "Server": "Charioteer" }))
            }
            "/recentStartTime" => as_json(StatusCode::OK, &json!({ "RecentStartTime": self.started.as_secs() })),
            "/meta/app" if endpoint.meta.is_some() => self.table(asked, |table| self.describe(table, local)),
            "/meta/app_envs" if endpoint.meta.is_some() => self.table(asked, |table| json!(table.envs)),
            "/meta/apps" if endpoint.meta.is_some() => self.tables(),
            "/meta/nodes" if endpoint.meta.is_some() => self.nodes(local),
            "/meta/cluster" if endpoint.meta.is_some() => self.cluster_info(local),
            _ => not_found(asked),
        }
    }

    fn table(&self, asked: &Asked<'_>, describe: impl FnOnce(&TableInfo) -> Value) -> Response {
        let Some(name) = asked.parameter("name") else {
            return text(StatusCode::BAD_REQUEST, "name the table: ?name=TABLE\n");
        };
        match self.backend.find(name) {
            Some(table) => as_json(StatusCode::OK, &describe(&table)),
            None => text(StatusCode::NOT_FOUND, format!("no table {name}\n")),
        }
    }

    fn describe(&self, table: &TableInfo, local: Ipv4Addr) -> Value {
        let replicas: Map<_, _> = (0..table.partition_count.cast_unsigned())
            .map(|index| {
                let partition = self.cluster.configuration(table, index, local, false);
                let address = |address: &charioteer_proto::pegasus::special::RpcAddress| {
                    address.socket().map(|socket| socket.to_string()).unwrap_or_default()
                };
                let secondaries: Vec<_> = partition.secondaries.iter().map(address).collect();
                (index.to_string(), json!({ "primary": address(&partition.primary), "secondaries": secondaries }))
            })
            .collect();
        json!({
            "general": {
                "app_name": table.name,
                "app_id": table.id.to_string(),
                "partition_count": table.partition_count.to_string(),
                "max_replica_count": table.replica_count.to_string(),
            },
            "replicas": replicas,
        })
    }

    fn tables(&self) -> Response {
        let tables: Map<_, _> = self
            .backend
            .list()
            .iter()
            .map(|table| {
                let status = match table.status {
                    TableStatus::Available => "AVAILABLE",
                    TableStatus::Dropped => "DROPPED",
                };
                let facts = json!({
                    "app_id": table.id.to_string(),
                    "status": status,
                    "app_name": table.name,
                    "app_type": table.app_type,
                    "partition_count": table.partition_count.to_string(),
                    "replica_count": table.replica_count.to_string(),
                });
                (table.id.to_string(), facts)
            })
            .collect();
        as_json(StatusCode::OK, &json!({ "general_info": tables }))
    }

    fn nodes(&self, local: Ipv4Addr) -> Response {
        let nodes: Map<_, _> = self
            .cluster
            .nodes(local)
            .map(|node| (node.to_string(), json!({ "address": node.to_string(), "status": "ALIVE" })))
            .collect();
        as_json(StatusCode::OK, &json!({ "details": nodes }))
    }

    fn cluster_info(&self, local: Ipv4Addr) -> Response {
        let facts: Map<_, _> =
            admin::cluster_facts(self, local).into_iter().map(|(key, value)| (key, Value::from(value))).collect();
        as_json(StatusCode::OK, &json!({ "cluster": facts }))
    }
}
