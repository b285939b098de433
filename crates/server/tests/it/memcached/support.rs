//! A memcached whose clock stands still, and connections that send what they are told to.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use charioteer_engine::Clock;
use charioteer_proto::memcached::Limits;
use charioteer_proto::memcached::binary::{Command, Reply, Request, read_reply, write_request};
use charioteer_server::{MemcachedOptions, Options, Server};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Web, soon};

/// The time at which every test starts, in seconds since 1970.
pub(super) const START: u64 = 1_700_000_000;

/// A server, and a connection to its memcached.
pub(super) struct Memcached {
    pub(super) server: Server,
    pub(super) clock: Clock,
    pub(super) client: Client<TcpStream>,
}

impl Memcached {
    pub(super) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With other options for memcached.
    pub(super) async fn with(set: impl FnOnce(&mut MemcachedOptions)) -> Self {
        Self::with_options(|options| set(options.memcached.as_mut().unwrap())).await
    }

    /// With other options altogether.
    pub(super) async fn with_options(set: impl FnOnce(&mut Options)) -> Self {
        let clock = Clock::stopped_at(Duration::from_secs(START));
        let mut options = Options { pegasus: None, clock: clock.clone(), ..Options::for_tests() };
        set(&mut options);
        let server = Server::start(options).await.unwrap();
        let client = Client::connect(server.addresses().memcached[0]).await;
        Self { server, clock, client }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.server.addresses().memcached[0]
    }

    pub(super) async fn connect(&self) -> Client<TcpStream> {
        Client::connect(self.address()).await
    }

    pub(super) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Sends lines, and compares what comes; `\n` stands for `\r\n` in both.
    pub(super) async fn talk(&mut self, requests: &str, replies: &str) {
        self.client.talk(requests, replies).await;
    }

    /// A figure of `/metrics`.
    pub(super) async fn metric(&self, name: &str, labels: &str) -> u64 {
        Web::metric(self.server.addresses().http.unwrap(), name, labels).await
    }

    /// A statistic of a group.
    pub(super) async fn stat(&mut self, group: &str, name: &str) -> String {
        self.client.send(&format!("stats {group}\r\n")).await;
        let all = self.client.receive_until("END\r\n").await;
        let value = all.lines().find_map(|line| line.strip_prefix(&format!("STAT {name} "))).map(str::to_owned);
        value.unwrap_or_else(|| panic!("no {name} in {all}"))
    }
}

/// A connection.
pub(super) struct Client<S> {
    pub(super) stream: S,
    input: BytesMut,
}

impl Client<TcpStream> {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        let stream = soon(TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::on(stream)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(super) fn on(stream: S) -> Self {
        Self { stream, input: BytesMut::new() }
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon(self.stream.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Sends lines, and compares what comes; `\n` stands for `\r\n` in both.
    pub(super) async fn talk(&mut self, requests: &str, replies: &str) {
        self.send(requests.replace('\n', "\r\n")).await;
        self.expect(replies.replace('\n', "\r\n").as_bytes()).await;
    }

    /// Compares what comes.
    pub(super) async fn expect(&mut self, replies: &[u8]) {
        while self.input.len() < replies.len() && replies.starts_with(&self.input) {
            if self.read().await == 0 {
                break;
            }
        }
        let come = self.input.split_to(replies.len().min(self.input.len()));
        assert_eq!(come.escape_ascii().to_string(), replies.escape_ascii().to_string());
    }

    /// All that comes up to and with `end`.
    pub(super) async fn receive_until(&mut self, end: &str) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.input).into_owned();
            if let Some(at) = text.find(end) {
                let come = self.input.split_to(at + end.len());
                return String::from_utf8(come.to_vec()).unwrap();
            }
            assert_ne!(self.read().await, 0, "the server hung up behind {text:?}");
        }
    }

    /// Sends a request of the binary protocol.
    pub(super) async fn request(&mut self, quiet: bool, opaque: u32, cas: u64, command: Command<&[u8]>) {
        let mut bytes = BytesMut::new();
        write_request(&mut bytes, &Request { quiet, opaque, cas, command });
        self.send(&bytes).await;
    }

    /// The next reply of the binary protocol.
    pub(super) async fn reply(&mut self) -> Reply {
        loop {
            if let Some(reply) = read_reply(&mut self.input, &Limits::default()).unwrap() {
                return reply;
            }
            assert_ne!(self.read().await, 0, "the server hung up instead of answering");
        }
    }

    /// Asks in the binary protocol.
    pub(super) async fn ask(&mut self, cas: u64, command: Command<&[u8]>) -> Reply {
        self.request(false, 77, cas, command).await;
        let reply = self.reply().await;
        assert_eq!(reply.opaque, 77);
        reply
    }

    /// Waits for the end of the connection, before which there may be an alert of TLS.
    pub(super) async fn receive_alert(&mut self) {
        while self.read().await > 0 {}
        assert!(self.input.is_empty() || self.input[0] == 21, "there came {}", self.input.escape_ascii());
    }

    /// Whether there is any answer, rather than an end.
    pub(super) async fn is_answered(&mut self, question: &str) -> bool {
        let asked = self.stream.write_all(question.as_bytes()).await;
        asked.is_ok() && matches!(soon(self.stream.read_buf(&mut self.input)).await, Ok(1..))
    }

    /// Waits for the end of the connection, before which nothing more may come.
    pub(super) async fn hung_up(&mut self) {
        while self.read().await > 0 {}
        assert!(self.input.is_empty(), "there came {}", self.input.escape_ascii());
    }

    /// Reads; 0 is the end, however it was brought about.
    async fn read(&mut self) -> usize {
        match soon(self.stream.read_buf(&mut self.input)).await {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("{error}"),
        }
    }
}
