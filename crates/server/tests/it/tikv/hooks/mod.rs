//! What a test of clients can do to TiKV: each hook does what it says, alone and in a batch, and nothing else changes.

mod faults;
mod lagging;
mod ports;
mod replies;
mod seen;
mod shape;

use bytes::Bytes;
use charioteer_proto::tikv::errorpb;
use charioteer_proto::tikv::kvrpcpb::{Context, RawGetRequest, RawGetResponse, RawPutRequest};
use charioteer_proto::tikv::rpc::{self, Batched};
use charioteer_server::testing::{self, Builder, TestServer};

use super::support::{Batches, Client, Ended, Way, context_for};

/// A server, and connections to PD and to the first store.
struct Hooked {
    server: TestServer,
    tikv: testing::Tikv,
    pd: Client,
    store: Client,
}

impl Hooked {
    async fn start() -> Self {
        Self::with(TestServer::builder()).await
    }

    async fn stores(count: usize) -> Self {
        Self::with(TestServer::builder().tikv_stores(count)).await
    }

    async fn with(builder: Builder) -> Self {
        let server =
            builder.options(|options| (options.pegasus, options.memcached) = (None, None)).start().await.unwrap();
        let tikv = server.tikv();
        let pd = Client::connect(server.addresses().tikv_pd.unwrap()).await;
        let store = Client::connect(tikv.stores()[0]).await;
        Self { server, tikv, pd, store }
    }

    async fn connect(&self, store: usize) -> Client {
        Client::connect(self.tikv.stores()[store]).await
    }

    async fn context(&mut self, key: &str) -> Context {
        context_for(&mut self.pd, key.as_bytes()).await
    }

    async fn get_request(&mut self, key: &str) -> RawGetRequest {
        let (context, key) = (self.context(key).await, Bytes::copy_from_slice(key.as_bytes()));
        RawGetRequest { context: Some(context), key, ..Default::default() }
    }

    async fn put_request(&mut self, key: &str, value: &str) -> RawPutRequest {
        let (context, value) = (self.context(key).await, Bytes::copy_from_slice(value.as_bytes()));
        let key = Bytes::copy_from_slice(key.as_bytes());
        RawPutRequest { context: Some(context), key, value, ..Default::default() }
    }

    /// Gets a row from the first store.
    async fn get(&mut self, way: Way, key: &str) -> Result<RawGetResponse, Ended> {
        let request = self.get_request(key).await;
        send::<rpc::RawGet>(&mut self.store, way, request).await
    }

    /// Puts a row to the first store.
    async fn put(&mut self, way: Way, key: &str, value: &str) -> Result<(), Ended> {
        let request = self.put_request(key, value).await;
        let reply = send::<rpc::RawPut>(&mut self.store, way, request).await?;
        assert_eq!(reply, Default::default());
        Ok(())
    }

    /// The value of a row, asked for by a client of its own.
    async fn value(&mut self, key: &str) -> Option<Bytes> {
        let request = self.get_request(key).await;
        let reply = self.connect(0).await.call::<rpc::RawGet>(&request).await.unwrap();
        assert_eq!(reply.region_error, None);
        (!reply.not_found).then_some(reply.value)
    }

    /// The error of the region with which a get is answered.
    async fn region_error(&mut self, way: Way, key: &str) -> errorpb::Error {
        *self.get(way, key).await.unwrap().region_error.unwrap()
    }
}

/// Sends a command alone or in a batch, and gives the reply or how it ended instead.
async fn send<M: Batched>(client: &mut Client, way: Way, request: M::Request) -> Result<M::Reply, Ended> {
    match way {
        Way::Alone => client.call::<M>(&request).await,
        Way::InBatch => {
            let mut batches = Batches::open(client).await;
            batches.send([(1, M::into_command(request))]).await;
            let mut message = batches.message().await?;
            assert_eq!(message.request_ids, [1]);
            Ok(M::from_answer(message.responses.remove(0).cmd.unwrap()).unwrap())
        }
    }
}
