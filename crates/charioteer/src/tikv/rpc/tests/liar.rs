//! A server that says what a test wants it to.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::{BufMut, Bytes, BytesMut};
use charioteer_proto::tikv::Message;
use charioteer_proto::tikv::kvrpcpb::RawGetResponse;
use charioteer_proto::tikv::tikvpb::{BatchCommandsRequest, BatchCommandsResponse, batch_commands_response};
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::net::TcpListener;

/// A call that a client makes of the liar.
pub(super) struct Caught {
    pub(super) path: String,
    pub(super) requests: RecvStream,
    pub(super) answer: SendResponse<Bytes>,
    arrived: BytesMut,
}

/// Has every call of every connection answered by that.
pub(super) async fn liar<F>(answer: impl Fn(Caught) -> F + Clone + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut builder = h2::server::Builder::new();
                builder.initial_window_size(64 << 10).initial_connection_window_size(1 << 20);
                let Ok(mut connection) = builder.handshake::<_, Bytes>(socket).await else { return };
                while let Some(Ok((request, response))) = connection.accept().await {
                    tokio::spawn(answer(Caught::new(request, response)));
                }
            });
        }
    });
    address
}

impl Caught {
    pub(super) fn new(request: Request<RecvStream>, answer: SendResponse<Bytes>) -> Self {
        let (head, requests) = request.into_parts();
        Self { path: head.uri.path().to_owned(), requests, answer, arrived: BytesMut::new() }
    }

    /// Says that it is gRPC that follows.
    pub(super) fn begin(&mut self) -> SendStream<Bytes> {
        let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        self.answer.send_response(head, false).unwrap()
    }

    /// The next message of the client.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.arrived.len() >= 5 {
                let length = u32::from_be_bytes(self.arrived[1..5].try_into().unwrap()) as usize;
                if self.arrived.len() >= 5 + length {
                    return Some(self.arrived.split_to(5 + length).split_off(5).freeze());
                }
            }
            let chunk = self.requests.data().await?.ok()?;
            self.requests.flow_control().release_capacity(chunk.len()).unwrap();
            self.arrived.extend_from_slice(&chunk);
        }
    }

    /// The ids of the next batch.
    pub(super) async fn next_ids(&mut self) -> Vec<u64> {
        let message = self.next().await.unwrap_or_default();
        BatchCommandsRequest::decode(message).unwrap().request_ids
    }
}

/// A message with what stands before it.
pub(super) fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.put_slice(message);
    framed.freeze()
}

/// Answers to gets, with values.
pub(super) fn values(answers: impl IntoIterator<Item = (u64, String)>) -> Bytes {
    let mut reply = BatchCommandsResponse::default();
    for (id, value) in answers {
        let answer = RawGetResponse { value: value.into(), ..RawGetResponse::default() };
        let cmd = Some(charioteer_proto::tikv::rpc::Answer::RawGet(answer));
        reply.responses.push(batch_commands_response::Response { cmd });
        reply.request_ids.push(id);
    }
    framed(&reply.encode_to_vec())
}

/// The status behind the last message.
pub(super) fn trailers(code: &str) -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().unwrap(), code.parse().unwrap())])
}
