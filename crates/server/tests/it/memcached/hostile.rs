//! Peers that mean no good, or know no better.

use charioteer_proto::memcached::binary::{Command, Status};

use super::support::Memcached;

#[tokio::test]
async fn a_value_that_is_too_large_is_passed_over_and_takes_the_old_one_with_it() {
    let mut memcached = Memcached::start().await;
    memcached.talk("set a 0 0 1\nx\n", "STORED\n").await;
    let large = "y".repeat(2 << 20);
    let said = "SERVER_ERROR object too large for cache\n";
    memcached.talk(&format!("set a 0 0 {}\n{large}\nget a\n", large.len()), &format!("{said}END\n")).await;
    memcached.talk("set a 0 0 1\nx\n", "STORED\n").await;
    memcached
        .talk(&format!("add a 0 0 {}\n{large}\nget a\n", large.len()), &format!("{said}VALUE a 0 1\nx\nEND\n"))
        .await;
    memcached.talk(&format!("ms a {} q\n{large}\nmg a v\n", large.len()), &format!("{said}EN\n")).await;
}

#[tokio::test]
async fn a_value_that_is_too_large_is_passed_over_in_binary_too() {
    let mut memcached = Memcached::start().await;
    let mut bytes = vec![0x80, 0x01, 0, 1, 8, 0, 0, 0];
    bytes.extend_from_slice(&(9u32 + (2 << 20)).to_be_bytes());
    bytes.resize(24 + 9 + (2 << 20), b'k');
    memcached.client.send(&bytes).await;
    assert_eq!(memcached.client.reply().await.status, Status::TOO_LARGE);
    assert_eq!(memcached.client.ask(0, Command::Noop).await.status, Status::OK);
}

#[tokio::test]
async fn the_largest_item_is_counted_as_memcached_counts_it() {
    let mut memcached = Memcached::start().await;
    let fits = "y".repeat((1 << 20) - 60);
    memcached.talk(&format!("set a 0 0 {}\n{fits}\n", fits.len()), "STORED\n").await;
    let too_large = "y".repeat((1 << 20) - 59);
    let said = "SERVER_ERROR object too large for cache\n";
    memcached.talk(&format!("set a 0 0 {}\n{too_large}\nget a\n", too_large.len()), &format!("{said}END\n")).await;
}

#[tokio::test]
async fn a_gigabyte_announced_takes_no_memory() {
    let memcached = Memcached::start().await;
    let mut client = memcached.connect().await;
    client.talk("set a 0 0 1073741824\n", "SERVER_ERROR object too large for cache\n").await;
    client.send(vec![b'x'; 1 << 20]).await;
    memcached.connect().await.talk("version\n", "VERSION 1.6.45\n").await;
}

#[tokio::test]
async fn a_length_that_is_none_is_refused() {
    let mut memcached = Memcached::start().await;
    for length in ["-1", "x", "4294967296", "18446744073709551616"] {
        memcached.talk(&format!("set a 0 0 {length}\n"), "CLIENT_ERROR bad command line format\n").await;
    }
}

#[tokio::test]
async fn a_line_without_end_ends_the_connection() {
    let memcached = Memcached::start().await;
    for line in ["x".repeat(3000), format!("get {}", "k ".repeat(1 << 20))] {
        let mut client = memcached.connect().await;
        // The server may hang up before all of it has been sent.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut client.stream, line.as_bytes()).await;
        client.hung_up().await;
    }
}

#[tokio::test]
async fn a_browser_is_left_without_a_word() {
    let mut memcached = Memcached::start().await;
    memcached.client.send("GET / HTTP/1.1\r\n\r\n").await;
    memcached.client.hung_up().await;
}

#[tokio::test]
async fn what_does_not_begin_like_a_request_ends_a_binary_connection() {
    let mut memcached = Memcached::start().await;
    assert_eq!(memcached.client.ask(0, Command::Noop).await.status, Status::OK);
    memcached.client.send([b'g'; 24]).await;
    memcached.client.hung_up().await;
    assert_eq!(memcached.metric("connections_cut_total", r#"protocol="memcached",reason="unreadable""#).await, 1);
}
