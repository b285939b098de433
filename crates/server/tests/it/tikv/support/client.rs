//! A connection that speaks gRPC.

use std::net::SocketAddr;

use bytes::Bytes;
use charioteer_proto::tikv::rpc::Method;
use h2::PingPong;
use h2::client::{Builder, SendRequest};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::call::{Ended, RawCall, framed};
use crate::support::soon;

/// What a client lets the server send ahead.
const WINDOW: u32 = 1 << 20;

/// A connection.
pub(crate) struct Client {
    requests: SendRequest<Bytes>,
    address: SocketAddr,
    connection: JoinHandle<Result<(), h2::Error>>,
    pings: PingPong,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::with_window(address, WINDOW).await
    }

    /// A connection whose streams let the server send so many bytes ahead.
    pub(crate) async fn with_window(address: SocketAddr, window: u32) -> Self {
        let stream = soon(TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut builder = Builder::new();
        builder.initial_window_size(window).initial_connection_window_size(64 << 20).initial_max_send_streams(1024);
        let (requests, mut connection) = soon(builder.handshake(stream)).await.unwrap();
        let pings = connection.ping_pong().unwrap();
        Self { requests, address, connection: tokio::spawn(connection), pings }
    }

    /// One request, and its reply or how it ended instead.
    pub(crate) async fn call<M: Method>(&mut self, request: &M::Request) -> Result<M::Reply, Ended> {
        let mut call = self.open::<M>().await;
        call.send_message(request).await;
        call.finish();
        call.only().await
    }

    /// The same with bytes for a request.
    pub(crate) async fn send_bytes(&mut self, path: &str, bytes: impl Into<Bytes>) -> RawCall {
        let mut call = self.begin(path, &[]).await;
        call.send(bytes).await;
        call.finish();
        call
    }

    /// A call of which nothing has been sent yet.
    pub(crate) async fn open<M: Method>(&mut self) -> RawCall {
        self.begin(M::PATH, &[]).await
    }

    /// A call with further headers.
    pub(crate) async fn begin(&mut self, path: &str, headers: &[(&'static str, &str)]) -> RawCall {
        self.try_begin(path, headers).await.unwrap()
    }

    /// The same, where the server may have ended the connection.
    pub(crate) async fn try_begin(
        &mut self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<RawCall, h2::Error> {
        let mut all = HeaderMap::new();
        all.insert("content-type", HeaderValue::from_static("application/grpc"));
        all.insert("te", HeaderValue::from_static("trailers"));
        for (name, value) in headers {
            all.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let mut request = Request::post(format!("http://{}{path}", self.address)).body(()).unwrap();
        *request.headers_mut() = all;
        let mut ready = soon(self.requests.clone().ready()).await?;
        let (answer, sending) = ready.send_request(request, false)?;
        Ok(RawCall::new(sending, answer))
    }

    /// A call that sends a message and waits for nothing.
    pub(crate) async fn send<M: Method>(&mut self, request: &M::Request) -> RawCall {
        self.send_bytes(M::PATH, framed(request)).await
    }

    /// Pings, and waits for the answer.
    pub(crate) async fn ping(&mut self) {
        soon(self.pings.ping(h2::Ping::opaque())).await.unwrap();
    }

    /// Waits until the server has closed the connection; says how.
    pub(crate) async fn closed(&mut self) -> Result<(), h2::Error> {
        soon(&mut self.connection).await.unwrap()
    }

    /// Hangs up without a word.
    pub(crate) fn cut(self) {
        self.connection.abort();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
