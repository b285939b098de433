//! A TiKV whose clock stands still, with a connection to PD and one to the first store.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use charioteer_engine::Clock;
use charioteer_proto::tikv::kvrpcpb::{Context, KvPair};
use charioteer_proto::tikv::pdpb::{GetMembersRequest, GetRegionRequest, GetRegionResponse, RequestHeader};
use charioteer_proto::tikv::regional::Regional;
use charioteer_proto::tikv::rpc::{self, Batched, Command, Method};
use charioteer_proto::tikv::tikvpb::batch_commands_request::Request;
use charioteer_proto::tikv::tikvpb::batch_commands_response::Response;
use charioteer_proto::tikv::tikvpb::{BatchCommandsRequest, BatchCommandsResponse};
use charioteer_server::{Addresses, Options, Server};

use super::call::{Ended, RawCall, Sent};
use super::client::Client;

/// The time at which every test starts, in seconds since 1970.
pub(crate) const START: u64 = 1_700_000_000;

/// A server, and connections to it.
pub(crate) struct Tikv {
    pub(crate) server: Server,
    pub(crate) clock: Clock,
    pub(crate) pd: Client,
    pub(crate) store: Client,
}

/// How a command travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Alone,
    InBatch,
}

impl Way {
    pub(crate) const BOTH: [Self; 2] = [Self::Alone, Self::InBatch];
}

impl Tikv {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With other options.
    pub(crate) async fn with(set: impl FnOnce(&mut Options)) -> Self {
        let clock = Clock::stopped_at(Duration::from_secs(START));
        let mut options = Options { pegasus: None, memcached: None, clock: clock.clone(), ..Options::for_tests() };
        set(&mut options);
        let server = Server::start(options).await.unwrap();
        let (pd, store) = Self::clients(server.addresses()).await;
        Self { server, clock, pd, store }
    }

    async fn clients(addresses: &Addresses) -> (Client, Client) {
        (Client::connect(addresses.tikv_pd.unwrap()).await, Client::connect(addresses.tikv_stores[0]).await)
    }

    pub(crate) fn pd_address(&self) -> SocketAddr {
        self.server.addresses().tikv_pd.unwrap()
    }

    pub(crate) fn store_address(&self) -> SocketAddr {
        self.server.addresses().tikv_stores[0]
    }

    /// Another connection to the store.
    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.store_address()).await
    }

    /// What a client says of the region that holds a key.
    pub(crate) async fn context(&mut self, key: &[u8]) -> Context {
        context_for(&mut self.pd, key).await
    }

    /// Runs a command in the region of its first key, alone or in a batch, and gives the reply.
    pub(crate) async fn run<M: Batched>(&mut self, way: Way, request: M::Request) -> M::Reply
    where
        M::Request: Regional,
    {
        let request = self.placed(request).await;
        match way {
            Way::Alone => self.store.call::<M>(&request).await.unwrap(),
            Way::InBatch => {
                let mut batches = Batches::open(&mut self.store).await;
                batches.send([(7, M::into_command(request))]).await;
                let answer = batches.answer(7).await;
                M::from_answer(answer.cmd.unwrap()).unwrap()
            }
        }
    }

    /// Runs a command that travels alone. On a busy machine it may take longer than a test lets a message take, and is sent again.
    pub(crate) async fn ask<M: Method>(&mut self, request: M::Request) -> M::Reply
    where
        M::Request: Regional,
    {
        let request = self.placed(request).await;
        for _ in 0..100 {
            match self.store.call::<M>(&request).await {
                Err(Ended::Status(4, _)) => {}
                answer => return answer.unwrap(),
            }
        }
        panic!("none of its messages has become whole in time")
    }

    /// A request with the context that its first key asks for.
    pub(crate) async fn placed<Q: Regional>(&mut self, mut request: Q) -> Q {
        if request.context().is_none() {
            let key = request.keys().first().map(|key| Bytes::clone(key)).unwrap_or_default();
            *request.context_mut() = Some(self.context(&key).await);
        }
        request
    }

    pub(crate) async fn put(&mut self, key: &str, value: impl Into<Bytes>) {
        let request = charioteer_proto::tikv::kvrpcpb::RawPutRequest {
            key: Bytes::copy_from_slice(key.as_bytes()),
            value: value.into(),
            ..Default::default()
        };
        assert_eq!(self.ask::<rpc::RawPut>(request).await, Default::default());
    }

    pub(crate) async fn get(&mut self, key: &str) -> Option<Bytes> {
        let request = charioteer_proto::tikv::kvrpcpb::RawGetRequest {
            key: Bytes::copy_from_slice(key.as_bytes()),
            ..Default::default()
        };
        let reply = self.ask::<rpc::RawGet>(request).await;
        assert_eq!((&reply.region_error, &reply.error[..]), (&None, ""));
        (!reply.not_found).then_some(reply.value)
    }
}

/// What a client says of the region that holds a key, as PD tells it.
pub(crate) async fn context_for(pd: &mut Client, key: &[u8]) -> Context {
    let found = key_in_region(pd, key).await;
    Context {
        region_id: found.region.as_ref().unwrap().id,
        region_epoch: found.region.unwrap().region_epoch,
        peer: found.leader,
        ..Context::default()
    }
}

/// The region that holds a key, as PD tells it.
pub(crate) async fn key_in_region(pd: &mut Client, key: &[u8]) -> GetRegionResponse {
    let members = pd.call::<rpc::GetMembers>(&GetMembersRequest::default()).await.unwrap();
    let cluster_id = members.header.unwrap().cluster_id;
    let header = Some(RequestHeader { cluster_id, ..RequestHeader::default() });
    let request = GetRegionRequest { header, region_key: Bytes::copy_from_slice(key), ..GetRegionRequest::default() };
    pd.call::<rpc::GetRegion>(&request).await.unwrap()
}

/// A row.
pub(crate) fn pair(key: &str, value: &str) -> KvPair {
    let (key, value) = (Bytes::copy_from_slice(key.as_bytes()), Bytes::copy_from_slice(value.as_bytes()));
    KvPair { key, value, ..KvPair::default() }
}

/// A command of a batch.
pub(crate) fn command<M: Batched>(request: M::Request) -> Command {
    M::into_command(request)
}

/// A stream of batches.
pub(crate) struct Batches {
    pub(crate) call: RawCall,
    /// Answers that nobody has asked for yet.
    arrived: Vec<(u64, Response)>,
    /// How many messages have come.
    pub(crate) messages: usize,
}

impl Batches {
    pub(crate) async fn open(store: &mut Client) -> Self {
        Self { call: store.open::<rpc::BatchCommands>().await, arrived: Vec::new(), messages: 0 }
    }

    /// Sends commands in one message.
    pub(crate) async fn send(&mut self, commands: impl IntoIterator<Item = (u64, Command)>) -> Sent {
        let (request_ids, requests) =
            commands.into_iter().map(|(number, command)| (number, Request { cmd: Some(command) })).unzip();
        self.call.send_message(&BatchCommandsRequest { requests, request_ids, ..Default::default() }).await
    }

    /// The next message.
    pub(crate) async fn message(&mut self) -> Result<BatchCommandsResponse, Ended> {
        let message: BatchCommandsResponse = self.call.receive().await?;
        assert_eq!(message.request_ids.len(), message.responses.len());
        self.messages += 1;
        Ok(message)
    }

    /// The answer of that number, in whatever order they come.
    pub(crate) async fn answer(&mut self, number: u64) -> Response {
        loop {
            if let Some(at) = self.arrived.iter().position(|(arrived, _)| *arrived == number) {
                return self.arrived.swap_remove(at).1;
            }
            let message = self.message().await.unwrap();
            self.arrived.extend(message.request_ids.into_iter().zip(message.responses));
        }
    }

    /// The reply of that number.
    pub(crate) async fn reply<M: Batched>(&mut self, number: u64) -> M::Reply {
        M::from_answer(self.answer(number).await.cmd.unwrap()).unwrap()
    }

    /// Says that no more commands come, and waits for the end, before which no more answers may come.
    pub(crate) async fn end(mut self) -> Ended {
        assert!(self.arrived.is_empty(), "{:?}", self.arrived);
        self.call.finish();
        self.call.end().await
    }
}
