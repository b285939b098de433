//! A connection that sends what it is told to and takes what comes.

use std::io::ErrorKind;
use std::net::SocketAddr;

use bytes::BytesMut;
use charioteer_proto::pegasus::frame::{Reply, RequestHeader, read_reply, write_request};
use charioteer_proto::pegasus::rpc::Rpc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::soon;

/// The header of a call to a meta server as the Python and Node clients send it: version 0 without a timeout.
pub(crate) const META: RequestHeader = RequestHeader {
    version: 0,
    table_id: 0,
    partition_index: 0,
    client_timeout_ms: 0,
    partition_hash: 0,
    is_backup_request: false,
};

/// The same as the Java client sends it.
pub(crate) const META_V1: RequestHeader =
    RequestHeader { version: 1, table_id: -1, partition_index: -2, client_timeout_ms: 5000, ..META };

/// A reply's length is limited to this by the tests only.
const MAX_REPLY_BYTES: usize = 64 << 20;

/// A request's bytes.
pub(crate) fn encoded<R: Rpc>(header: RequestHeader, sequence_id: i32, argument: &R::Request) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    write_request(&mut bytes, &header, R::NAME, sequence_id, argument);
    bytes.to_vec()
}

/// A connection.
pub(crate) struct Client {
    stream: TcpStream,
    input: BytesMut,
    last_id: i32,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = soon(TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, input: BytesMut::new(), last_id: 1000 }
    }

    /// Sends a request and gives its number.
    pub(crate) async fn send<R: Rpc>(&mut self, header: RequestHeader, argument: &R::Request) -> i32 {
        self.last_id += 1;
        let bytes = encoded::<R>(header, self.last_id, argument);
        self.send_bytes(&bytes).await;
        self.last_id
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        soon(self.stream.write_all(bytes)).await.unwrap();
    }

    /// Sends as much as the server takes before it hangs up, and says how much that was.
    pub(crate) async fn send_until_cut(&mut self, bytes: &[u8]) -> usize {
        let mut sent = 0;
        loop {
            match soon(self.stream.write(&bytes[sent % bytes.len()..])).await {
                Ok(count) => sent += count,
                Err(_) => return sent,
            }
        }
    }

    /// Sends, and says whether the server still takes it.
    pub(crate) async fn try_send(&mut self, bytes: &[u8]) -> bool {
        soon(self.stream.write_all(bytes)).await.is_ok()
    }

    /// Says that nothing more will be sent.
    pub(crate) async fn finish_sending(&mut self) {
        // A server that has hung up already is told nothing.
        let _ = self.stream.shutdown().await;
    }

    /// The next reply, whichever call it answers.
    pub(crate) async fn receive(&mut self) -> Reply {
        soon(self.next_reply()).await.expect("the server hung up instead of answering")
    }

    /// The next reply, or `None` at the end of the connection.
    pub(crate) async fn next_reply(&mut self) -> Option<Reply> {
        loop {
            if let Some(reply) = read_reply(&mut self.input, MAX_REPLY_BYTES).unwrap() {
                return Some(reply);
            }
            if read_some(&mut self.stream, &mut self.input).await == 0 {
                assert!(self.input.is_empty(), "the last reply is cut short");
                return None;
            }
        }
    }

    /// Whether nothing has come by now, neither a reply nor the end of the connection.
    pub(crate) async fn is_quiet(&mut self) -> bool {
        tokio::task::yield_now().await;
        matches!(self.stream.try_read_buf(&mut self.input), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// Calls, and gives the reply, which must be this call's.
    pub(crate) async fn call<R: Rpc>(&mut self, header: RequestHeader, argument: R::Request) -> Reply {
        let id = self.send::<R>(header, &argument).await;
        let reply = self.receive().await;
        assert_eq!(reply.sequence_id, id, "the reply to another call");
        assert_eq!(reply.name, format!("{}_ACK", R::NAME));
        reply
    }

    /// Calls, and gives the result, which there must be.
    pub(crate) async fn ask<R: Rpc>(&mut self, header: RequestHeader, argument: R::Request) -> R::Reply {
        let reply = self.call::<R>(header, argument).await;
        assert_eq!(reply.error.name(), "ERR_OK");
        reply.result().unwrap()
    }

    /// Calls, and gives the name of the error that comes in place of a result.
    pub(crate) async fn refusal<R: Rpc>(&mut self, header: RequestHeader, argument: R::Request) -> String {
        let reply = self.call::<R>(header, argument).await;
        assert!(reply.results.is_empty(), "nothing stands behind the number of a reply with an error");
        reply.error.name().to_owned()
    }

    /// Waits for the end of the connection, before which nothing more may come.
    pub(crate) async fn hung_up(&mut self) {
        assert_eq!(soon(self.next_reply()).await, None, "the server answered instead of hanging up");
    }
}

/// Reads; 0 is the end, however it was brought about.
pub(super) async fn read_some(stream: &mut TcpStream, input: &mut BytesMut) -> usize {
    match stream.read_buf(input).await {
        Ok(count) => count,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
        Err(error) => panic!("{error}"),
    }
}
