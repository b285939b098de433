//! The load: one stream, a number of messages in flight on it, on one thread.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use charioteer_proto::tikv::Message;
use charioteer_proto::tikv::rpc::Answer;
use charioteer_proto::tikv::tikvpb::BatchCommandsResponse;
use h2::client::ResponseFuture;
use h2::{RecvStream, SendStream, client};
use http::{Method, Request};
use tokio::net::TcpStream;

use crate::Error;

const WINDOW: u32 = 64 << 20;

/// A stream of batches to a server.
pub(crate) struct Stream {
    requests: SendStream<Bytes>,
    replies: Replies,
    arrived: BytesMut,
}

/// A server may wait with its answer until there is something to say.
enum Replies {
    Awaited(ResponseFuture),
    Begun(RecvStream),
}

/// What a time of load came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Volume {
    /// Sent and answered.
    pub(crate) commands: u64,
    pub(crate) elapsed: Duration,
}

/// Connects to a server.
pub(crate) async fn connect(address: SocketAddr) -> Result<client::SendRequest<Bytes>, Error> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut builder = client::Builder::new();
    builder.initial_window_size(WINDOW).initial_connection_window_size(WINDOW);
    let (calls, connection) = builder.handshake(stream).await?;
    tokio::spawn(connection);
    Ok(calls)
}

fn request(path: &str) -> Result<Request<()>, Error> {
    let uri = format!("http://server{path}");
    let request = Request::builder().method(Method::POST).uri(uri);
    Ok(request.header("content-type", "application/grpc").header("te", "trailers").body(())?)
}

/// Makes one call of one message each way.
pub(crate) async fn unary<R: Message + Default>(
    calls: &client::SendRequest<Bytes>,
    path: &str,
    message: Bytes,
) -> Result<R, Error> {
    let (response, mut requests) = calls.clone().ready().await?.send_request(request(path)?, false)?;
    requests.send_data(message, true)?;
    let mut replies = response.await?.into_body();
    let mut arrived = BytesMut::new();
    while let Some(data) = replies.data().await {
        arrived.extend_from_slice(&data?);
    }
    take(&mut arrived).ok_or("no reply").map(|reply| Ok(R::decode(reply)?))?
}

impl Stream {
    /// Opens a stream of batches.
    pub(crate) async fn open(calls: &client::SendRequest<Bytes>) -> Result<Self, Error> {
        let path = "/tikvpb.Tikv/BatchCommands";
        let (response, requests) = calls.clone().ready().await?.send_request(request(path)?, false)?;
        Ok(Self { requests, replies: Replies::Awaited(response), arrived: BytesMut::new() })
    }

    /// Sends one message and takes its answers.
    pub(crate) async fn exchange(&mut self, message: Bytes) -> Result<Bytes, Error> {
        self.requests.send_data(message, false)?;
        self.reply().await
    }

    /// Sends messages of so many commands for `time`, with so many messages in flight, then lets the last ones be answered. Answers may be
    /// packed otherwise than commands.
    pub(crate) async fn drive(
        &mut self,
        messages: &[Bytes],
        each: u64,
        depth: u64,
        time: Duration,
    ) -> Result<Volume, Error> {
        let begin = Instant::now();
        let mut next = messages.iter().cycle();
        let (mut sent, mut answered) = (0, 0);
        while begin.elapsed() < time || answered < sent {
            while begin.elapsed() < time && sent + each <= answered + depth * each {
                self.requests.send_data(next.next().ok_or("no messages")?.clone(), false)?;
                sent += each;
            }
            answered += count(self.reply().await?)?;
            while let Some(reply) = take(&mut self.arrived) {
                answered += count(reply)?;
            }
        }
        Ok(Volume { commands: answered, elapsed: begin.elapsed() })
    }

    async fn reply(&mut self) -> Result<Bytes, Error> {
        loop {
            if let Some(reply) = take(&mut self.arrived) {
                return Ok(reply);
            }
            match &mut self.replies {
                Replies::Awaited(response) => self.replies = Replies::Begun(response.await?.into_body()),
                Replies::Begun(replies) => {
                    let data = replies.data().await.ok_or("the stream has ended")??;
                    replies.flow_control().release_capacity(data.len())?;
                    self.arrived.extend_from_slice(&data);
                }
            }
        }
    }
}

/// Takes a message, if all of it is there.
fn take(arrived: &mut BytesMut) -> Option<Bytes> {
    let length = u32::from_be_bytes(*arrived.get(1..)?.first_chunk()?) as usize;
    if arrived.len() < 5 + length {
        return None;
    }
    arrived.advance(5);
    Some(arrived.split_to(length).freeze())
}

/// How many commands a message answers.
fn count(reply: Bytes) -> Result<u64, Error> {
    Ok(Numbers::decode(reply)?.request_ids.len() as u64)
}

/// What a message of answers says besides them.
#[derive(Clone, PartialEq, prost::Message)]
struct Numbers {
    #[prost(uint64, repeated, tag = "2")]
    request_ids: Vec<u64>,
}

/// Checks that a batch of gets was answered as it should be.
pub(crate) fn check(reply: Bytes, value_of: impl Fn(u64) -> Bytes) -> Result<(), Error> {
    let reply = BatchCommandsResponse::decode(reply)?;
    for (id, response) in reply.request_ids.iter().zip(&reply.responses) {
        match &response.cmd {
            Some(Answer::RawGet(answer)) if answer.value == value_of(*id) => {}
            other => return Err(format!("request {id} is answered with {other:?}").into()),
        }
    }
    Ok(())
}
