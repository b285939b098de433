//! A server whose clock stands still, and a table.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use charioteer_engine::Clock;
use charioteer_engine::table::PEGASUS_EPOCH;
use charioteer_proto::pegasus::data::{UpdateRequest, UpdateResponse, status};
use charioteer_proto::pegasus::frame::RequestHeader;
use charioteer_proto::pegasus::meta::{CreateAppOptions, CreateAppRequest, QueryCfgRequest, UpdateAppEnvRequest};
use charioteer_proto::pegasus::rpc::{self, Rpc};
use charioteer_proto::pegasus::{key, meta::env_operation};
use charioteer_server::{Options, Server};

use super::{Client, META, Web};

/// The time at which every test starts, in seconds since Pegasus' epoch.
pub(crate) const START: i32 = 100_000_000;

/// The partitions of the table `temp`.
pub(crate) const PARTITIONS: u32 = 8;

/// A table as its clients know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) id: i32,
    pub(crate) partitions: u32,
}

impl Table {
    pub(crate) async fn open(client: &mut Client, name: &str) -> Self {
        let request = QueryCfgRequest { app_name: name.into(), ..QueryCfgRequest::default() };
        let reply = client.ask::<rpc::QueryConfig>(META, request).await;
        assert_eq!(reply.err.name(), "ERR_OK");
        Self { id: reply.app_id, partitions: reply.partition_count.cast_unsigned() }
    }

    /// The header of a call on a hash key, as Go sends it.
    pub(crate) fn at(&self, hash_key: &str) -> RequestHeader {
        let partition_hash = key::crc64(hash_key.as_bytes());
        let index = u32::try_from(partition_hash % u64::from(self.partitions)).unwrap();
        RequestHeader { partition_hash, ..self.partition(index) }
    }

    /// The header of a call on a partition, as Python sends it.
    pub(crate) fn partition(&self, index: u32) -> RequestHeader {
        RequestHeader { table_id: self.id, partition_index: index.cast_signed(), ..META }
    }
}

/// A server, a connection to it, and its table `temp`.
pub(crate) struct Fixture {
    pub(crate) server: Server,
    pub(crate) clock: Clock,
    pub(crate) client: Client,
    pub(crate) table: Table,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A server with further options.
    pub(crate) async fn with(set: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::for_tests();
        let epoch = Duration::from_secs(PEGASUS_EPOCH);
        options.clock = Clock::stopped_at(epoch + Duration::from_secs(u64::from(START.cast_unsigned())));
        set(&mut options);
        let clock = options.clock.clone();
        let server = Server::start(options).await.unwrap();
        let mut client = Client::connect(server.addresses().pegasus.unwrap()).await;
        let table = Table::open(&mut client, "temp").await;
        Self { server, clock, client, table }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.addresses().pegasus.unwrap()
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.server.addresses().http.unwrap()
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.address()).await
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Asks about a hash key of the table.
    pub(crate) async fn ask<R: Rpc>(&mut self, hash_key: &str, argument: R::Request) -> R::Reply {
        self.client.ask::<R>(self.table.at(hash_key), argument).await
    }

    /// The name of the error that comes in place of a result.
    pub(crate) async fn refusal<R: Rpc>(&mut self, hash_key: &str, argument: R::Request) -> String {
        self.client.refusal::<R>(self.table.at(hash_key), argument).await
    }

    pub(crate) async fn put(&mut self, hash_key: &str, sort_key: &str, value: &str) -> UpdateResponse {
        let put = self.ask::<rpc::Put>(hash_key, put(hash_key, sort_key, value)).await;
        assert_eq!(put.error, status::OK);
        put
    }

    pub(crate) async fn get(&mut self, hash_key: &str, sort_key: &str) -> Option<Bytes> {
        let read = self.ask::<rpc::Get>(hash_key, raw(hash_key, sort_key)).await;
        match read.error {
            status::OK => Some(read.value),
            status::NOT_FOUND => {
                assert!(read.value.is_empty());
                None
            }
            other => panic!("get: error {other}"),
        }
    }

    pub(crate) async fn create(&mut self, name: &str, options: CreateAppOptions) -> Table {
        let request = CreateAppRequest { app_name: name.into(), options };
        let reply = self.client.ask::<rpc::CreateApp>(META, request).await;
        assert_eq!(reply.err.name(), "ERR_OK");
        Table::open(&mut self.client, name).await
    }

    /// Sets an environment variable of the table `temp`.
    pub(crate) async fn set_env(&mut self, env: &str, value: &str) {
        let request = UpdateAppEnvRequest {
            app_name: "temp".into(),
            op: env_operation::SET,
            keys: Some(vec![env.into()]),
            values: Some(vec![value.into()]),
            clear_prefix: None,
        };
        let reply = self.client.ask::<rpc::UpdateAppEnv>(META, request).await;
        assert_eq!(reply.err.name(), "ERR_OK", "{}", reply.hint_message);
    }

    /// How many calls of that name ended so.
    pub(crate) async fn count(&self, call: &str, result: &str) -> u64 {
        let labels = format!(r#"protocol="pegasus",call="{call}",result="{result}""#);
        Web::metric(self.http(), "calls_total", &labels).await
    }

    /// How many connections the server has cut for that reason.
    pub(crate) async fn cut(&self, reason: &str) -> u64 {
        let labels = format!(r#"protocol="pegasus",reason="{reason}""#);
        Web::metric(self.http(), "connections_cut_total", &labels).await
    }
}

/// A raw key.
pub(crate) fn raw(hash_key: &str, sort_key: &str) -> Bytes {
    key::raw(hash_key.as_bytes(), sort_key.as_bytes())
}

/// What sets a row for ever.
pub(crate) fn put(hash_key: &str, sort_key: &str, value: &str) -> UpdateRequest {
    UpdateRequest {
        key: raw(hash_key, sort_key),
        value: Bytes::copy_from_slice(value.as_bytes()),
        ..UpdateRequest::default()
    }
}
