//! Connections that idle, that stop taking, and that end with the server.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use charioteer_proto::tikv::kvrpcpb::{RawGetRequest, StoreSafeTsResponse};
use charioteer_proto::tikv::pdpb::{GetMembersRequest, GetMembersResponse};
use charioteer_proto::tikv::rpc::{self, Command};
use charioteer_proto::tikv::tikvpb::BatchCommandsEmptyRequest;
use charioteer_server::Limits;
use tokio::net::TcpStream;

use super::support::{Batches, Client, Ended, Frames, Tikv, command, framed};
use crate::support::{Web, soon};

const SHORT: Duration = Duration::from_millis(200);

async fn limited(limits: Limits) -> Tikv {
    Tikv::with(|options| options.limits = limits).await
}

impl Tikv {
    /// Waits until so many connections have been ended for that reason.
    async fn has_cut(&self, reason: &str, count: u64) {
        let http = self.server.addresses().http.unwrap();
        let labels = format!(r#"protocol="tikv",reason="{reason}""#);
        soon(async { while Web::metric(http, "connections_cut_total", &labels).await < count {} }).await;
    }
}

#[tokio::test]
async fn an_idle_connection_is_ended_where_that_was_wished() {
    let mut tikv = limited(Limits { idle: Some(SHORT), ..Limits::default() }).await;
    assert!(tikv.pd.closed().await.is_ok(), "nothing was lost");
    let begin = Instant::now();
    let mut client = tikv.connect().await;
    client.call::<rpc::HealthCheck>(&Default::default()).await.unwrap();
    assert!(client.closed().await.is_ok());
    assert!(begin.elapsed() >= SHORT);
    let silent = TcpStream::connect(tikv.store_address()).await.unwrap();
    tikv.has_cut("idle", 4).await;
    drop(silent);
}

#[tokio::test]
async fn a_connection_with_a_call_under_way_is_not_idle_and_neither_is_one_on_which_there_was_one_just_now() {
    let mut tikv = limited(Limits { idle: Some(SHORT), ..Limits::default() }).await;
    let mut batches = Batches::open(&mut tikv.store).await;
    let slow = Command::Empty(Box::new(BatchCommandsEmptyRequest { test_id: 1, delay_time: 700 }));
    batches.send([(1, slow)]).await;
    batches.answer(1).await;
    let begin = Instant::now();
    assert_eq!(batches.end().await, Ended::OK);
    assert!(tikv.store.closed().await.is_ok());
    assert!(begin.elapsed() >= SHORT, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_preface_that_is_never_finished_is_hung_up_on() {
    let tikv = limited(Limits { stalled: SHORT, ..Limits::default() }).await;
    for begun in ["PR", "PRI * HTTP/2.0\r\n\r\nSM"] {
        let mut web = Web::connect(tikv.store_address()).await;
        web.send(begun).await;
        assert!(web.page(true).await.is_none());
    }
    tikv.has_cut("stalled", 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_takes_nothing_off_its_socket_is_ended() {
    let mut tikv = limited(Limits { stalled: SHORT, ..Limits::default() }).await;
    tikv.put("a", vec![b'v'; 1 << 20]).await;
    let get = RawGetRequest { context: Some(tikv.context(b"a").await), key: "a".into(), ..Default::default() };
    // The windows are as wide as they can be, and nobody reads.
    let mut frames = Frames::connect(tikv.store_address(), &[(4, (1 << 31) - 1)]).await;
    frames.open_window(0, (1 << 31) - 1 - 65_535);
    for number in 0..100 {
        frames.begin(2 * number + 1, "/tikvpb.Tikv/RawGet");
        frames.data(2 * number + 1, &framed(&get), true);
    }
    frames.flush().await;
    tikv.has_cut("stalled", 1).await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_until_others_are_gone() {
    let tikv = limited(Limits { connections: 1, ..Limits::default() }).await;
    let address = tikv.store_address();
    let second = tokio::spawn(async move {
        let mut client = Client::connect(address).await;
        client.call::<rpc::HealthCheck>(&Default::default()).await.unwrap();
    });
    let Tikv { server: _server, store, .. } = tikv;
    assert!(!second.is_finished());
    store.cut();
    soon(second).await.unwrap();
}

/// Waits until nobody listens there any more.
async fn refused(address: std::net::SocketAddr) {
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
async fn a_server_that_stops_answers_what_is_under_way_and_says_to_streams_that_it_goes() {
    let mut tikv = Tikv::with(|options| options.latency = Duration::from_millis(500)).await;
    let (pd, store) = (tikv.pd_address(), tikv.store_address());
    let mut unary = tikv.store.send::<rpc::GetStoreSafeTs>(&Default::default()).await;
    let mut batches = Batches::open(&mut tikv.store).await;
    batches.send([(1, command::<rpc::GetHealthFeedback>(Default::default()))]).await;
    let mut tso = tikv.pd.open::<rpc::Tso>().await;
    let mut watch = tikv.pd.send::<rpc::HealthWatch>(&Default::default()).await;
    watch.receive::<charioteer_proto::tikv::grpchealth::HealthCheckResponse>().await.unwrap();
    tikv.store.ping().await;
    tikv.pd.ping().await;
    let stopping = tokio::spawn(tikv.server.shutdown());

    let stops = Ended::Status(14, "the server is being shut down".to_owned());
    assert_eq!((tso.end().await, watch.end().await), (stops.clone(), stops.clone()));
    refused(pd).await;
    refused(store).await;
    assert!(!stopping.is_finished(), "it waits for the calls");
    unary.only::<StoreSafeTsResponse>().await.unwrap();
    batches.answer(1).await;
    assert_eq!(batches.call.end().await, stops);
    soon(stopping).await.unwrap();
    assert!(tikv.store.closed().await.is_ok() && tikv.pd.closed().await.is_ok(), "the connections ended in order");
}

#[tokio::test]
async fn calls_that_begin_while_the_server_stops_are_left_to_another() {
    let mut tikv = Tikv::with(|options| options.latency = Duration::from_millis(500)).await;
    let mut under_way = tikv.pd.send::<rpc::GetMembers>(&GetMembersRequest::default()).await;
    tikv.pd.ping().await;
    let pd = tikv.pd_address();
    let stopping = tokio::spawn(tikv.server.shutdown());
    refused(pd).await;
    let begun = tikv.pd.try_begin("/pdpb.PD/GetMembers", &[]).await;
    if let Ok(mut begun) = begun {
        begun.send_message(&GetMembersRequest::default()).await;
        begun.finish();
        let ended = begun.receive::<GetMembersResponse>().await;
        assert!(!matches!(ended, Err(Ended::Status(..))), "{ended:?}");
    }
    under_way.only::<GetMembersResponse>().await.unwrap();
    soon(stopping).await.unwrap();
}

#[tokio::test]
async fn what_takes_too_long_is_cut() {
    let mut tikv = Tikv::with(|options| {
        options.latency = Duration::from_secs(3600);
        options.limits.drain = Duration::from_millis(50);
    })
    .await;
    let mut waiting = tikv.store.send::<rpc::GetStoreSafeTs>(&Default::default()).await;
    tikv.store.ping().await;
    soon(tikv.server.shutdown()).await;
    assert_eq!(waiting.end().await, Ended::Gone);
}

#[tokio::test]
async fn half_a_message_does_not_hold_up_the_end_for_long() {
    let mut tikv = Tikv::with(|options| options.limits.drain = Duration::from_secs(3600)).await;
    let mut halves = Vec::new();
    for path in ["/tikvpb.Tikv/RawGet", "/tikvpb.Tikv/BatchCommands"] {
        let mut half = tikv.store.begin(path, &[]).await;
        half.send(&b"\0\0\0\0\x10ab"[..]).await;
        halves.push(half);
    }
    tikv.store.ping().await;
    // Nothing is under way.
    soon(tikv.server.shutdown()).await;
    for half in &mut halves {
        assert_eq!(half.end().await, Ended::Status(14, "the server is being shut down".to_owned()));
    }
}
