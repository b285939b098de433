//! The server for tests of clients: each hook does what it says, and nothing else changes.

mod faults;
mod ports;
mod replies;
mod scans;
mod seen;
mod shape;
mod start;

use charioteer_proto::pegasus::frame::RequestHeader;
use charioteer_proto::pegasus::meta::{QueryCfgRequest, QueryCfgResponse};
use charioteer_proto::pegasus::rpc::{self, Rpc};
use charioteer_server::testing::{Builder, Pegasus, TestServer};

use crate::support::{Client, META, Table};

/// A server, its table `temp`, and a connection to the first meta server.
struct Served {
    server: TestServer,
    pegasus: Pegasus,
    table: Table,
    client: Client,
}

impl Served {
    async fn start() -> Self {
        Self::with(TestServer::builder()).await
    }

    async fn nodes(count: usize) -> Self {
        Self::with(TestServer::builder().nodes(count)).await
    }

    async fn with(builder: Builder) -> Self {
        let server = builder.start().await.unwrap();
        let pegasus = server.pegasus();
        let mut client = Client::connect(server.addresses().pegasus.unwrap()).await;
        let table = Table::open(&mut client, "temp").await;
        Self { server, pegasus, table, client }
    }

    async fn connect(&self) -> Client {
        Client::connect(self.server.addresses().pegasus.unwrap()).await
    }

    async fn node(&self, node: usize) -> Client {
        Client::connect(self.pegasus.nodes()[node]).await
    }

    async fn meta(&self, meta: usize) -> Client {
        Client::connect(self.pegasus.metas()[meta]).await
    }

    fn at(&self, hash_key: &str) -> RequestHeader {
        self.table.at(hash_key)
    }

    async fn ask<R: Rpc>(&mut self, hash_key: &str, argument: R::Request) -> R::Reply {
        self.client.ask::<R>(self.table.at(hash_key), argument).await
    }

    async fn refusal<R: Rpc>(&mut self, hash_key: &str, argument: R::Request) -> String {
        self.client.refusal::<R>(self.table.at(hash_key), argument).await
    }
}

fn query(table: &str) -> QueryCfgRequest {
    QueryCfgRequest { app_name: table.into(), ..QueryCfgRequest::default() }
}

async fn configuration(client: &mut Client, table: &str) -> QueryCfgResponse {
    client.ask::<rpc::QueryConfig>(META, query(table)).await
}
