//! What peers may take, and what items may.

use std::time::Duration;

use charioteer_proto::memcached::binary::Command;
use charioteer_proto::memcached::{Direction, Expiration};
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
async fn what_finds_no_memory_is_told_in_its_own_words() {
    let mut memcached = Memcached::with(|options| {
        options.memory_bytes = 1 << 20;
        options.evicts = false;
    })
    .await;
    let keys: Vec<_> = (1..=40).map(|length| "n".repeat(length)).collect();
    for key in &keys {
        memcached.talk(&format!("set {key} 0 0 1\n9\n"), "STORED\n").await;
    }
    fill(&mut memcached).await;
    let mut refused = Vec::new();
    // Some have room where they are for the digits that they get.
    for key in &keys {
        memcached.client.send(format!("incr {key} 99999999999999999\r\n")).await;
        if memcached.client.receive_until("\r\n").await == "SERVER_ERROR out of memory\r\n" {
            refused.push(key);
        }
    }
    let (grown, new) = (*refused.first().expect("one that has none"), "m".repeat(200));
    memcached.talk(&format!("ma {grown} D99999999999999999\n"), "SERVER_ERROR out of memory\n").await;
    memcached.talk(&format!("ma {new} N0\n"), "SERVER_ERROR Out of memory allocating new item\n").await;
    let mut binary = memcached.connect().await;
    for (key, said) in [(grown, "Out of memory incrementing value"), (&new, "Out of memory allocating new item")] {
        let count = Command::Count {
            direction: Direction::Increment,
            key: key.as_bytes(),
            delta: 99_999_999_999_999_999,
            initial: 0,
            create: Some(Expiration::NEVER),
        };
        assert_eq!(binary.ask(0, count).await.value, said);
    }
}

/// Stores so many items that there is no room for another, be it small.
async fn fill(memcached: &mut Memcached) {
    for (items, bytes) in [(2000, 1000), (20_000, 20)] {
        let value = "v".repeat(bytes);
        let sets: String =
            (0..items).map(|number| format!("set f{bytes}-{number} 0 0 {bytes} noreply\r\n{value}\r\n")).collect();
        memcached.client.send(sets + "mn\r\n").await;
        memcached.client.receive_until("MN\r\n").await;
    }
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
