//! Stopping.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use charioteer_proto::pegasus::rpc;
use charioteer_server::{Options, Server};
use tokio::net::TcpStream;

use crate::support::{Client, Fixture, Web, put, raw, soon};

impl Fixture {
    /// Sends a write that waits for so long, and a read behind it whose answer shows that the write has begun to wait.
    async fn begin_a_write_that_waits(&mut self, millis: u64) -> i32 {
        self.set_env("replica.write_throttling", &format!("1*delay*{millis}")).await;
        self.put("h", "s", "first").await;
        let header = self.table.at("h");
        let waiting = self.client.send::<rpc::Put>(header, &put("h", "s", "second")).await;
        let read = self.client.send::<rpc::Get>(header, &raw("h", "s")).await;
        assert_eq!(self.client.receive().await.sequence_id, read);
        waiting
    }
}

/// Waits until nobody listens there any more.
async fn refused(address: SocketAddr) {
    let refused = async {
        loop {
            match TcpStream::connect(address).await {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => return,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    soon(refused).await;
}

#[tokio::test]
async fn what_is_under_way_is_answered_while_nothing_new_is_let_in() {
    let mut fixture = Fixture::start().await;
    let (address, http) = (fixture.address(), fixture.http());
    let waiting = fixture.begin_a_write_that_waits(1000).await;
    let mut idle = fixture.connect().await;
    let stopping = tokio::spawn(fixture.server.shutdown());

    let not_ready = async { while Web::get(http, "/readyz").await.status != 503 {} };
    soon(not_ready).await;
    assert_eq!(Web::get(http, "/readyz").await.body, "starting or stopping\n");
    assert_eq!(Web::get(http, "/healthz").await.status, 200, "alive all the same");
    refused(address).await;
    idle.hung_up().await;
    assert!(!stopping.is_finished(), "it waits for the write");

    let reply = fixture.client.receive().await;
    assert_eq!((reply.sequence_id, reply.error.name()), (waiting, "ERR_OK"));
    fixture.client.hung_up().await;
    soon(stopping).await.unwrap();
    refused(http).await;
}

#[tokio::test]
async fn a_request_that_waits_for_the_latency_is_answered() {
    let latency = Duration::from_millis(100);
    let mut fixture = Fixture::with(|options| options.latency = latency).await;
    let begin = Instant::now();
    fixture.client.send::<rpc::Get>(fixture.table.at("h"), &raw("h", "s")).await;
    // The server has read the request by the time at which it has read what came later, on another connection.
    let mut later = fixture.connect().await;
    later.send_bytes(b"nonsense").await;
    later.hung_up().await;
    soon(fixture.server.shutdown()).await;
    assert!(begin.elapsed() >= latency);
    fixture.client.receive().await;
    fixture.client.hung_up().await;
}

#[tokio::test]
async fn the_same_port_can_be_served_again_right_away() {
    let mut options = Options::for_tests();
    for _ in 0..5 {
        let server = Server::start(options.clone()).await.unwrap();
        let address = server.addresses().pegasus.unwrap();
        options.pegasus.as_mut().unwrap().address = address;
        options.http = server.addresses().http;
        // What the server hangs up on keeps the system from giving the port to another test meanwhile.
        let mut client = Client::connect(address).await;
        client.ask::<rpc::ClusterInfo>(crate::support::META, Default::default()).await;
        let mut web = Web::connect(server.addresses().http.unwrap()).await;
        assert_eq!(web.ask("GET", "/healthz").await.status, 200);
        soon(server.shutdown()).await;
        client.hung_up().await;
        assert!(soon(web.page(true)).await.is_none());
    }
}

#[tokio::test]
async fn half_a_request_holds_up_nothing() {
    let fixture = Fixture::start().await;
    let mut half = fixture.connect().await;
    half.send_bytes(b"THFT\0\0\0\0\0\0\0\x30").await;
    let mut less = fixture.connect().await;
    less.send_bytes(b"TH").await;
    let mut silent = fixture.connect().await;
    let mut web = Web::connect(fixture.http()).await;
    assert_eq!(web.ask("GET", "/healthz").await.status, 200);
    soon(fixture.server.shutdown()).await;
    for client in [&mut half, &mut less, &mut silent] {
        client.hung_up().await;
    }
    assert!(soon(web.page(true)).await.is_none());
}

#[tokio::test]
async fn a_server_that_is_dropped_stops() {
    let mut fixture = Fixture::start().await;
    let (address, http) = (fixture.address(), fixture.http());
    drop(fixture.server);
    fixture.client.hung_up().await;
    refused(address).await;
    refused(http).await;
}

#[tokio::test]
async fn what_takes_too_long_is_cut() {
    let mut fixture = Fixture::with(|options| options.limits.drain = Duration::from_millis(50)).await;
    fixture.begin_a_write_that_waits(3_600_000).await;
    soon(fixture.server.shutdown()).await;
    fixture.client.hung_up().await;
}

#[tokio::test]
async fn half_a_question_over_http_does_not_hold_up_the_end_for_long() {
    let fixture = Fixture::with(|options| options.limits.drain = Duration::from_secs(3600)).await;
    let mut webs = Vec::new();
    for address in [fixture.http(), fixture.address()] {
        let mut web = Web::connect(address).await;
        assert_eq!(web.ask("GET", "/metrics").await.status, 200);
        let mut fresh = Web::connect(address).await;
        for web in [&mut web, &mut fresh] {
            web.send("GET /metr").await;
        }
        webs.extend([web, fresh]);
    }
    assert_eq!(Web::get(fixture.address(), "/metrics").await.status, 200);
    webs.push(Web::connect(fixture.http()).await);
    // Nothing is under way.
    soon(fixture.server.shutdown()).await;
}
