//! What one peer may take.

use std::time::Duration;

use charioteer_proto::pegasus::rpc;
use charioteer_server::Limits;

use crate::support::{Client, Fixture, encoded, put, raw, soon};

const SHORT: Duration = Duration::from_millis(50);
const AN_HOUR: Duration = Duration::from_secs(3600);

async fn limited(limits: Limits) -> Fixture {
    Fixture::with(|options| options.limits = limits).await
}

impl Fixture {
    fn get_request(&self) -> Vec<u8> {
        encoded::<rpc::Get>(self.table.at("h"), 7, &raw("h", "s"))
    }

    /// Waits until so many connections have been cut for that reason, which is counted right after it was done.
    async fn has_cut(&self, reason: &str, count: u64) {
        soon(async { while self.cut(reason).await != count {} }).await;
    }

    /// A connection on which a request has been answered.
    async fn used(&self) -> Client {
        let mut client = self.connect().await;
        client.send_bytes(&self.get_request()).await;
        assert_eq!(client.receive().await.sequence_id, 7);
        client
    }
}

#[tokio::test]
async fn a_frame_that_trickles_in_too_slowly_is_hung_up_on() {
    let fixture = limited(Limits { stalled: SHORT, ..Limits::default() }).await;
    let mut client = fixture.connect().await;
    let request = encoded::<rpc::Put>(fixture.table.at("h"), 7, &put("h", "s", &"v".repeat(1_000_000)));
    let mut sent = 0;
    while client.is_quiet().await && client.try_send(&request[sent..=sent]).await {
        sent += 1;
    }
    assert!(sent < request.len());
    fixture.has_cut("stalled", 1).await;
}

#[tokio::test]
async fn a_connection_that_waits_for_its_answer_is_not_idle() {
    let mut fixture = Fixture::with(|options| {
        options.limits.idle = Some(Duration::from_millis(300));
        options.limits.stalled = SHORT;
        options.latency = Duration::from_millis(400);
    })
    .await;
    assert_eq!(fixture.get("h", "s").await, None);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_until_another_ends() {
    let mut fixture = limited(Limits { connections: 2, ..Limits::default() }).await;
    let second = fixture.used().await;
    let mut third = fixture.connect().await;
    third.send_bytes(&fixture.get_request()).await;
    for _ in 0..50 {
        fixture.get("h", "s").await;
    }
    assert!(third.is_quiet().await, "it has not been let in");
    drop(second);
    assert_eq!(third.receive().await.sequence_id, 7);
    assert_eq!(fixture.get("h", "s").await, None, "the first one is still there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_never_reads_is_not_read_from_disturbs_nobody_and_is_cut_in_the_end() {
    let limits = Limits { in_flight_bytes: 256 * 1024, stalled: Duration::from_millis(500), ..Limits::default() };
    let mut fixture = limited(limits).await;
    fixture.put("h", "s", &"v".repeat(100_000)).await;
    let many = fixture.get_request().repeat(1000);
    let mut greedy = fixture.connect().await;
    let greedy = tokio::spawn(async move { greedy.send_until_cut(&many).await });
    let mut served = 0;
    while !greedy.is_finished() {
        assert!(fixture.get("h", "s").await.is_some());
        served += 1;
    }
    let sent = greedy.await.unwrap();
    assert!(served > 10, "others were served meanwhile");
    assert!(sent < 32 << 20, "{sent} bytes were taken: what the system's buffers hold, and then no more");
    let answered = fixture.count("RPC_RRDB_RRDB_GET", "answered").await - served;
    assert!(answered < 1000, "{answered} replies of 100 KB were made for nobody");
    fixture.has_cut("stalled", 1).await;
}

#[tokio::test]
async fn a_peer_that_takes_its_replies_late_gets_them_all() {
    let mut fixture = limited(Limits { in_flight_bytes: 64 * 1024, ..Limits::default() }).await;
    fixture.put("h", "s", &"v".repeat(50_000)).await;
    let many = fixture.get_request().repeat(500);
    fixture.client.send_bytes(&many).await;
    for _ in 0..500 {
        assert_eq!(fixture.client.receive().await.sequence_id, 7, "25 MB through 64 KB");
    }
}

#[tokio::test]
async fn a_single_request_may_be_larger_than_what_may_be_under_way() {
    let mut fixture = limited(Limits { in_flight_bytes: 1, ..Limits::default() }).await;
    let value = "v".repeat(1_000_000);
    fixture.put("h", "s", &value).await;
    assert!(fixture.get("h", "s").await.unwrap() == value);
}

#[tokio::test]
async fn half_a_frame_behind_a_whole_one_is_hung_up_on_even_where_idle_connections_live_long() {
    for idle in [None, Some(AN_HOUR)] {
        let fixture = limited(Limits { stalled: SHORT, idle, ..Limits::default() }).await;
        let half = &fixture.get_request()[..60];
        let mut quiet = fixture.used().await;
        for mut client in [fixture.used().await, fixture.used().await] {
            client.send_bytes(half).await;
            client.hung_up().await;
        }
        quiet.send_bytes(half).await;
        quiet.hung_up().await;
        fixture.has_cut("stalled", 3).await;
    }
}

#[tokio::test]
async fn a_quiet_connection_is_left_alone_though_half_a_frame_would_not_be() {
    let fixture = limited(Limits { stalled: SHORT, ..Limits::default() }).await;
    let mut fresh = fixture.connect().await;
    let mut used = fixture.used().await;
    let mut stalled = fixture.connect().await;
    stalled.send_bytes(b"THFT").await;
    stalled.hung_up().await;
    for quiet in [&mut fresh, &mut used] {
        quiet.send_bytes(&fixture.get_request()).await;
        assert_eq!(quiet.receive().await.sequence_id, 7, "it has been quiet for longer than the other was");
    }
}

#[tokio::test]
async fn half_a_frame_is_hung_up_on_after_a_while() {
    let fixture = limited(Limits { stalled: SHORT, ..Limits::default() }).await;
    let request = fixture.get_request();
    for sent in [1, 3, 4, 47, 60, request.len() - 1] {
        let mut client = fixture.connect().await;
        client.send_bytes(&request[..sent]).await;
        client.hung_up().await;
    }
    fixture.has_cut("stalled", 6).await;
}

#[tokio::test]
async fn an_idle_connection_is_hung_up_on_where_that_was_wished() {
    let fixture = limited(Limits { idle: Some(4 * SHORT), ..Limits::default() }).await;
    fixture.used().await.hung_up().await;
    fixture.connect().await.hung_up().await;
    fixture.has_cut("idle", 3).await;
}
