//! What ends an item: its time, and flushing.

use charioteer_proto::memcached::Expiration;
use charioteer_proto::memcached::binary::{Command, Status};

use super::support::{Memcached, START};

#[tokio::test]
async fn an_item_is_there_until_its_second_has_come() {
    let mut memcached = Memcached::start().await;
    memcached.talk("set a 0 10 1\nx\n", "STORED\n").await;
    memcached.advance(9);
    memcached.talk("get a\n", "VALUE a 0 1\nx\nEND\n").await;
    memcached.advance(1);
    memcached.talk("get a\n", "END\n").await;
}

#[tokio::test]
async fn more_than_thirty_days_are_a_moment() {
    let mut memcached = Memcached::start().await;
    memcached.talk(&format!("set a 0 {} 1\nx\nmg a t\n", START + 100), "STORED\nHD t100\n").await;
    memcached.talk("set a 0 2592000 1\nx\nmg a t\n", "STORED\nHD t2592000\n").await;
    memcached.talk("set a 0 2592001 1\nx\nget a\n", "STORED\nEND\n").await;
}

#[tokio::test]
async fn what_is_below_0_has_expired() {
    let mut memcached = Memcached::start().await;
    memcached
        .talk("set a 0 -1 1\nx\nget a\nset a 0 0 1\nx\ntouch a -1\nget a\n", "STORED\nEND\nSTORED\nTOUCHED\nEND\n")
        .await;
}

#[tokio::test]
async fn a_flush_takes_what_was_stored_before_it() {
    let mut memcached = Memcached::start().await;
    memcached.talk("set a 0 0 1\nx\nflush_all\nget a\n", "STORED\nOK\nEND\n").await;
    memcached.talk("set a 0 0 1\ny\nget a\n", "STORED\nVALUE a 0 1\ny\nEND\n").await;
}

#[tokio::test]
async fn a_flush_to_come_takes_also_what_is_stored_until_then() {
    let mut memcached = Memcached::start().await;
    memcached.talk("set a 0 0 1\nx\nflush_all 10\nset b 0 0 1\ny\n", "STORED\nOK\nSTORED\n").await;
    memcached.advance(8);
    memcached.talk("get a b\n", "VALUE a 0 1\nx\nVALUE b 0 1\ny\nEND\n").await;
    memcached.advance(2);
    memcached.talk("get a b\nset a 0 0 1\nz\nget a\n", "END\nSTORED\nVALUE a 0 1\nz\nEND\n").await;
}

#[tokio::test]
async fn a_flush_of_the_binary_protocol_takes_a_delay_too() {
    let mut memcached = Memcached::start().await;
    let get = Command::Get { key: &b"a"[..], with_key: false };
    let mut text = memcached.connect().await;
    text.talk("set a 0 0 1\nx\n", "STORED\n").await;
    let delay = Some(Expiration::from_wire(10));
    assert_eq!(memcached.client.ask(0, Command::Flush { delay }).await.status, Status::OK);
    assert_eq!(memcached.client.ask(0, get.clone()).await.status, Status::OK);
    memcached.advance(10);
    assert_eq!(memcached.client.ask(0, get.clone()).await.status, Status::NOT_FOUND);
    text.talk("set a 0 0 1\nx\n", "STORED\n").await;
    let delay = Some(Expiration::NEVER);
    assert_eq!(memcached.client.ask(0, Command::Flush { delay }).await.status, Status::OK);
    assert_eq!(memcached.client.ask(0, get).await.status, Status::NOT_FOUND);
}

#[tokio::test]
async fn where_flushing_is_not_allowed_it_is_refused() {
    let mut memcached = Memcached::with(|options| options.allows_flush = false).await;
    memcached.talk("set a 0 0 1\nx\nflush_all\n", "STORED\nCLIENT_ERROR flush_all not allowed\n").await;
    memcached.talk("get a\n", "VALUE a 0 1\nx\nEND\n").await;
}
