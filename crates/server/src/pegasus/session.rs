//! One connection: frames in, calls to their handlers, replies out.

use std::net::{SocketAddr, SocketAddrV4};
use std::time::Instant;

use bytes::BytesMut;
use charioteer_proto::pegasus::frame::{self, FrameError, Request};
use charioteer_proto::pegasus::rpc::{self, Call, Rpc};
use charioteer_proto::pegasus::special::{ErrorCode, Text};
use tracing::debug;

use super::admission::Access;
use super::meta::Meta;
use super::node::Node;
use super::replica::Replica;
use super::{Endpoint, Failure, Handle, Service, argument};
use crate::backend::Backend;
use crate::connection::{self, Output, Unreadable};
use crate::metrics::CallResult;

/// One connection.
pub(super) struct Session<'a, B: Backend> {
    pub(super) service: &'a Service<B>,
    pub(super) endpoint: &'a Endpoint,
    /// The address by which the client reached this server.
    pub(super) local: SocketAddrV4,
    /// The same as text, which replies carry.
    pub(super) server: Text,
    pub(super) peer: SocketAddr,
}

impl<B: Backend> connection::Session for Session<'_, B> {
    type Request = Request;
    type Reading = ();

    fn next_request(&self, input: &mut BytesMut, (): &mut (), output: &Output) -> Result<Option<Request>, Unreadable> {
        frame::read_request(input, self.service.limits.frame_bytes).map_err(|error| {
            debug!(peer = %self.peer, %error, "connection closed: its stream can't be read");
            if let FrameError::TooLarge { from: Some((name, sequence_id)), .. } = error {
                output.write(|out| frame::write_error(out, &name, sequence_id, &ErrorCode::INVALID_DATA));
            }
            Unreadable
        })
    }

    fn request_bytes(request: &Request) -> usize {
        request.body_bytes
    }

    async fn answer(&self, request: Request, output: &Output) {
        let started = Instant::now();
        if !self.service.latency.is_zero() {
            tokio::time::sleep(self.service.latency).await;
        }
        let Some(call) = Call::from_name(&request.name) else {
            debug!(peer = %self.peer, name = %request.name.escape_ascii(), "unknown call");
            // Not counted: anyone could make up names without end.
            refuse(&request, &ErrorCode::HANDLER_NOT_FOUND, output);
            return;
        };
        let result = match &self.service.hooks {
            None => self.dispatch(call, request, output).await,
            // Boxed, so that it takes no room where there are none.
            Some(hooks) => Box::pin(self.answer_under(hooks, call, request, output)).await,
        };
        self.service.count(call, result, started.elapsed());
    }
}

impl<B: Backend> Session<'_, B> {
    /// Has a call answered by its handler.
    pub(super) async fn dispatch(&self, call: Call, request: Request, output: &Output) -> CallResult {
        match call {
            Call::Get => self.data::<rpc::Get>(Access::Read, request, output).await,
            Call::Ttl => self.data::<rpc::Ttl>(Access::Read, request, output).await,
            Call::MultiGet => self.data::<rpc::MultiGet>(Access::Read, request, output).await,
            Call::BatchGet => self.data::<rpc::BatchGet>(Access::Read, request, output).await,
            Call::SortkeyCount => self.data::<rpc::SortkeyCount>(Access::Read, request, output).await,
            Call::GetScanner => self.data::<rpc::GetScanner>(Access::Read, request, output).await,
            Call::Scan => self.data::<rpc::Scan>(Access::Read, request, output).await,
            Call::ClearScanner => self.data::<rpc::ClearScanner>(Access::Release, request, output).await,
            Call::Put => self.data::<rpc::Put>(Access::Write, request, output).await,
            Call::Remove => self.data::<rpc::Remove>(Access::Write, request, output).await,
            Call::MultiPut => self.data::<rpc::MultiPut>(Access::Write, request, output).await,
            Call::MultiRemove => self.data::<rpc::MultiRemove>(Access::Write, request, output).await,
            Call::Incr => self.data::<rpc::Incr>(Access::Write, request, output).await,
            Call::CheckAndSet => self.data::<rpc::CheckAndSet>(Access::Write, request, output).await,
            Call::CheckAndMutate => self.data::<rpc::CheckAndMutate>(Access::Write, request, output).await,
            Call::RemoteCommand => self.node::<rpc::RemoteCommand>(request, output).await,
            Call::Negotiation => self.node::<rpc::Negotiation>(request, output).await,
            Call::QueryAppInfo => self.replica_node::<rpc::QueryAppInfo>(request, output).await,
            Call::QueryDiskInfo => self.replica_node::<rpc::QueryDiskInfo>(request, output).await,
            // Boxed, so that the answers to calls on data stay small.
            _ => Box::pin(self.dispatch_meta(call, request, output)).await,
        }
    }

    async fn dispatch_meta(&self, call: Call, request: Request, output: &Output) -> CallResult {
        match call {
            Call::QueryConfig => self.meta::<rpc::QueryConfig>(request, output).await,
            Call::CreateApp => self.meta::<rpc::CreateApp>(request, output).await,
            Call::DropApp => self.meta::<rpc::DropApp>(request, output).await,
            Call::RecallApp => self.meta::<rpc::RecallApp>(request, output).await,
            Call::RenameApp => self.meta::<rpc::RenameApp>(request, output).await,
            Call::ListApps => self.meta::<rpc::ListApps>(request, output).await,
            Call::ListNodes => self.meta::<rpc::ListNodes>(request, output).await,
            Call::ClusterInfo => self.meta::<rpc::ClusterInfo>(request, output).await,
            Call::UpdateAppEnv => self.meta::<rpc::UpdateAppEnv>(request, output).await,
            Call::ControlMeta => self.meta::<rpc::ControlMeta>(request, output).await,
            Call::Diagnose => self.meta::<rpc::Diagnose>(request, output).await,
            Call::StartManualCompact => self.meta::<rpc::StartManualCompact>(request, output).await,
            Call::QueryManualCompact => self.meta::<rpc::QueryManualCompact>(request, output).await,
            Call::GetMaxReplicaCount => self.meta::<rpc::GetMaxReplicaCount>(request, output).await,
            Call::GetAtomicIdempotent => self.meta::<rpc::GetAtomicIdempotent>(request, output).await,
            Call::QueryDuplication => self.meta::<rpc::QueryDuplication>(request, output).await,
            Call::ListDuplication => self.meta::<rpc::ListDuplication>(request, output).await,
            Call::QueryPartitionSplit => self.meta::<rpc::QueryPartitionSplit>(request, output).await,
            _ if self.endpoint.meta.is_some() => {
                let refusal = self.as_meta(&request).not_implemented(call);
                output.write(|out| frame::write_reply(out, &request.name, request.sequence_id, &refusal));
                CallResult::Refused
            }
            _ => refuse(&request, &ErrorCode::HANDLER_NOT_FOUND, output),
        }
    }

    async fn data<R>(&self, access: Access, request: Request, output: &Output) -> CallResult
    where
        R: Rpc,
        Replica<B::Table>: Handle<R>,
    {
        let (result, meter) = match self.service.admit(self.endpoint, &self.server, access, &request).await {
            Ok(mut replica) => {
                let meter = replica.meter.take();
                (handle(replica, &request).await, meter)
            }
            // Nobody waits for an answer to a scan being forgotten, and a reply would end the Go client's reading for good.
            Err(_) if access == Access::Release => (Err(Failure::Silence), None),
            Err(failure) => (Err(failure), None),
        };
        let (result, bytes) = reply::<R>(&request, result, output);
        if let Some(meter) = meter {
            meter.count(bytes);
        }
        result
    }

    async fn meta<'s, R>(&'s self, request: Request, output: &Output) -> CallResult
    where
        R: Rpc,
        Meta<'s, B>: Handle<R>,
    {
        if self.endpoint.meta.is_none() {
            return refuse(&request, &ErrorCode::HANDLER_NOT_FOUND, output);
        }
        reply::<R>(&request, handle(self.as_meta(&request), &request).await, output).0
    }

    fn as_meta(&self, request: &Request) -> Meta<'_, B> {
        Meta::new(self.service, self.endpoint, self.local, &request.header)
    }

    async fn node<'s, R>(&'s self, request: Request, output: &Output) -> CallResult
    where
        R: Rpc,
        Node<'s, B>: Handle<R>,
    {
        let node = Node { service: self.service };
        reply::<R>(&request, handle(node, &request).await, output).0
    }

    async fn replica_node<'s, R>(&'s self, request: Request, output: &Output) -> CallResult
    where
        R: Rpc,
        Node<'s, B>: Handle<R>,
    {
        if self.endpoint.node.is_none() {
            return refuse(&request, &ErrorCode::HANDLER_NOT_FOUND, output);
        }
        self.node::<R>(request, output).await
    }
}

async fn handle<R: Rpc>(handler: impl Handle<R>, request: &Request) -> Result<R::Reply, Failure> {
    handler.handle(argument::<R>(request)?).await
}

/// Writes what a call came to, and says how many bytes its result took.
fn reply<R: Rpc>(request: &Request, result: Result<R::Reply, Failure>, output: &Output) -> (CallResult, usize) {
    match result {
        Ok(result) => {
            let write = |out: &mut BytesMut| frame::write_reply(out, &request.name, request.sequence_id, &result);
            (CallResult::Answered, output.write(write))
        }
        Err(Failure::System(error)) => (refuse(request, &error, output), 0),
        Err(Failure::Silence) => (CallResult::Unanswered, 0),
    }
}

pub(super) fn refuse(request: &Request, error: &ErrorCode, output: &Output) -> CallResult {
    output.write(|out| frame::write_error(out, &request.name, request.sequence_id, error));
    CallResult::Refused
}
