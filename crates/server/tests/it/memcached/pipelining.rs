//! Many requests at once, and requests in pieces.

use std::time::Duration;

use charioteer_proto::memcached::binary::{Command, Status};

use super::support::Memcached;

#[tokio::test]
async fn requests_are_answered_in_order_however_they_come() {
    let mut memcached = Memcached::start().await;
    let (mut requests, mut replies) = (String::new(), String::new());
    for number in 0..1000 {
        requests += &format!("set k{} 0 0 4\n{:04}\nget k{}\n", number % 7, number, number % 7);
        replies += &format!("STORED\nVALUE k{} 0 4\n{:04}\nEND\n", number % 7, number);
    }
    memcached.talk(&requests, &replies).await;
}

#[tokio::test]
async fn a_byte_at_a_time_is_as_good_as_all_at_once() {
    let mut memcached = Memcached::start().await;
    let requests = "set a 0 0 3\none\nmg a v\nget a\nincr a 1\nmn\n".replace('\n', "\r\n");
    for byte in requests.bytes() {
        memcached.client.send([byte]).await;
    }
    let said = "CLIENT_ERROR cannot increment or decrement non-numeric value";
    memcached.talk("", &format!("STORED\nVA 3\none\nVALUE a 0 3\none\nEND\n{said}\nMN\n")).await;
}

#[tokio::test]
async fn the_order_is_kept_where_every_answer_is_late() {
    let mut memcached = Memcached::with_options(|options| options.latency = Duration::from_millis(1)).await;
    let (mut requests, mut replies) = (String::new(), String::new());
    for number in 0..20 {
        requests += &format!("ms a 2 O{number}\n{number:02}\nmg a v O{number}\n");
        replies += &format!("HD O{number}\nVA 2 O{number}\n{number:02}\n");
    }
    memcached.talk(&requests, &replies).await;
}

#[tokio::test]
async fn a_batch_of_quiet_gets_ends_with_a_noop() {
    let mut memcached = Memcached::start().await;
    memcached.connect().await.talk("set k3 0 0 1\nx\n", "STORED\n").await;
    for number in 0..10u32 {
        let key = format!("k{number}");
        memcached.client.request(true, number, 0, Command::Get { key: key.as_bytes(), with_key: true }).await;
    }
    memcached.client.request(false, 99, 0, Command::Noop).await;
    let hit = memcached.client.reply().await;
    assert_eq!((hit.opaque, hit.status, &hit.key[..]), (3, Status::OK, &b"k3"[..]));
    assert_eq!(memcached.client.reply().await.opaque, 99);
}

#[tokio::test]
async fn more_items_than_a_peer_may_leave_untaken_all_arrive() {
    let mut memcached = Memcached::with_options(|options| options.limits.in_flight_bytes = 1 << 20).await;
    let value = "v".repeat(100_000);
    memcached.talk(&format!("set a 0 0 {}\n{value}\n", value.len()), "STORED\n").await;
    let (gets, items) = ("a ".repeat(300), format!("VALUE a 0 {}\n{value}\n", value.len()).repeat(300));
    memcached.talk(&format!("get {gets}\nmn\n"), &format!("{items}END\nMN\n")).await;
}

#[tokio::test]
async fn a_peer_that_takes_nothing_has_no_more_made_for_it_than_the_limit() {
    let mut memcached = Memcached::with_options(|options| options.limits.in_flight_bytes = 1 << 20).await;
    let value = "v".repeat(1_000_000);
    memcached.talk(&format!("set a 0 0 {}\n{value}\n", value.len()), "STORED\n").await;
    let mut idle = memcached.connect().await;
    // Together 100 GB.
    idle.send(format!("get {}\r\n", "a ".repeat(100_000))).await;
    for _ in 0..100 {
        memcached.talk("mg a\n", "HD\n").await;
    }
    let written: u64 = memcached.stat("", "bytes_written").await.parse().unwrap();
    assert!(written < 64 << 20, "{written}");
}
