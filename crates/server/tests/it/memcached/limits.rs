//! What peers may take, and what items may.

use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::support::Memcached;
use crate::support::soon;

#[tokio::test]
async fn where_items_make_no_room_for_others_those_are_refused() {
    let mut memcached = Memcached::with(|options| {
        options.memory_bytes = 2 << 20;
        options.evicts = false;
    })
    .await;
    let value = "v".repeat(500_000);
    let mut refused = 0;
    for number in 0..10 {
        memcached.client.send(format!("set k{number} 0 0 {}\r\n{value}\r\n", value.len())).await;
        let said = memcached.client.receive_until("\r\n").await;
        refused += usize::from(said == "SERVER_ERROR out of memory storing object\r\n");
    }
    assert!((5..10).contains(&refused), "{refused}");
    memcached.talk("get k0\n", &format!("VALUE k0 0 500000\n{value}\nEND\n")).await;
}

#[tokio::test]
async fn where_they_do_older_ones_go() {
    let mut memcached = Memcached::with(|options| options.memory_bytes = 2 << 20).await;
    let value = "v".repeat(500_000);
    for number in 0..10 {
        memcached.talk(&format!("set k{number} 0 0 {}\n{value}\n", value.len()), "STORED\n").await;
    }
    // Which of the others go is a matter of where they lie.
    let looked: String = (0..10).map(|number| format!("mg k{number}\r\n")).collect();
    memcached.client.send(looked + "mn\r\n").await;
    let there = memcached.client.receive_until("MN\r\n").await;
    assert!(there.ends_with("HD\r\nMN\r\n") && there.matches("EN").count() >= 6, "{there}");
    assert_ne!(memcached.stat("", "evictions").await, "0");
    assert!(memcached.metric("cache_evictions_total", "").await > 0);
}

#[tokio::test]
async fn the_limit_on_an_item_can_be_another() {
    let mut memcached = Memcached::with(|options| options.item_limit = 2048).await;
    let value = "v".repeat(2000);
    let said = "SERVER_ERROR object too large for cache\n";
    memcached.talk(&format!("set a 0 0 {}\n{value}\nmn\n", value.len()), &format!("{said}MN\n")).await;
    memcached.talk(&format!("set a 0 0 100\n{}\n", &value[..100]), "STORED\n").await;
    memcached.talk(&format!("append a 0 0 1900\n{}\n", &value[..1900]), "NOT_STORED\n").await;
}

#[tokio::test]
async fn a_request_that_stays_half_ends_the_connection() {
    let mut memcached = Memcached::with_options(|options| options.limits.stalled = Duration::from_millis(20)).await;
    memcached.client.send("set a 0 0 10\r\nhalf").await;
    memcached.client.hung_up().await;
}

#[tokio::test]
async fn an_idle_connection_is_ended_where_that_is_wanted() {
    let mut memcached = Memcached::with_options(|options| options.limits.idle = Some(Duration::from_millis(20))).await;
    memcached.client.hung_up().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_until_another_ends() {
    let mut memcached = Memcached::with_options(|options| options.limits.connections = 2).await;
    memcached.talk("mn\n", "MN\n").await;
    let mut second = memcached.connect().await;
    second.talk("mn\n", "MN\n").await;
    let mut third = memcached.connect().await;
    third.send("mn\r\n").await;
    for _ in 0..50 {
        memcached.talk("mn\n", "MN\n").await;
    }
    let nothing = third.stream.try_read(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock, "it has not been let in");
    drop(second);
    third.talk("", "MN\n").await;
    memcached.talk("mn\n", "MN\n").await;
}

#[tokio::test]
async fn half_a_packet_and_half_a_line_end_their_connections_and_no_others() {
    let mut memcached = Memcached::with_options(|options| options.limits.stalled = Duration::from_millis(50)).await;
    for half in [&b"\x80"[..], &[0x80; 23], b"get", b"mg a v\r\nms a 5", b"set a 0 0 10\r\n", b"x\r\nget a"] {
        let mut client = memcached.connect().await;
        client.send(half).await;
        let _ = soon(client.stream.read_to_end(&mut Vec::new())).await;
    }
    memcached.talk("get a\n", "END\n").await;
}
