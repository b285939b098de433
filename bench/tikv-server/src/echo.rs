//! A bare stream of tonic's: messages are read and written as prost and tonic do it, and every command gets the same value.

use std::convert::Infallible;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::RawGetResponse;
use charioteer_proto::tikv::rpc::{Batched, RawGet};
use charioteer_proto::tikv::tikvpb::{BatchCommandsRequest, BatchCommandsResponse, batch_commands_response};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, StreamingService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::Error;

/// What the echo server is told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long a value is.
    #[arg(long)]
    value_bytes: usize,
}

/// Serves until the process is killed, on tokio's default number of threads.
pub(crate) fn run(options: &Options) -> Result<(), Error> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let mut out = io::stdout().lock();
        writeln!(out, "{}", listener.local_addr()?)?;
        out.flush()?;
        drop(out);
        let echo = Echo { value: Bytes::from(vec![0; options.value_bytes]) };
        let connections = TcpListenerStream::new(listener).map(|stream| {
            let stream = stream?;
            stream.set_nodelay(true)?;
            Ok::<_, io::Error>(stream)
        });
        Ok(tonic::transport::Server::builder().add_service(echo).serve_with_incoming(connections).await?)
    })
}

#[derive(Clone)]
struct Echo {
    value: Bytes,
}

impl NamedService for Echo {
    const NAME: &'static str = "tikvpb.Tikv";
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let answering = Answering(self.value.clone());
        Box::pin(async move { Ok(Grpc::new(ProstCodec::default()).streaming(answering, request).await) })
    }
}

struct Answering(Bytes);

impl StreamingService<BatchCommandsRequest> for Answering {
    type Response = BatchCommandsResponse;
    type ResponseStream = Pin<Box<dyn Stream<Item = Result<BatchCommandsResponse, Status>> + Send>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Streaming<BatchCommandsRequest>>) -> Self::Future {
        let value = self.0.clone();
        let answers = request.into_inner().map(move |message| message.map(|message| answer(message, &value)));
        Box::pin(async move { Ok(Response::new(Box::pin(answers) as Self::ResponseStream)) })
    }
}

/// Gives every command the same value.
fn answer(message: BatchCommandsRequest, value: &Bytes) -> BatchCommandsResponse {
    let one = |_| {
        let got = RawGetResponse { value: value.clone(), ..RawGetResponse::default() };
        batch_commands_response::Response { cmd: Some(RawGet::into_answer(got)) }
    };
    let responses = message.requests.into_iter().map(one).collect();
    BatchCommandsResponse { responses, request_ids: message.request_ids, ..BatchCommandsResponse::default() }
}
