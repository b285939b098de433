//! Items that are kept with the data.

use std::path::Path;
use std::time::Duration;

use charioteer_engine::{Clock, DiskOptions};
use charioteer_proto::memcached::binary::{Command, Status};
use charioteer_proto::memcached::{Direction, Expiration, StoreMode};
use charioteer_server::{Data, Options};
use tempfile::TempDir;

use super::support::{Memcached, START};

async fn start_on(folder: &Path, clock: &Clock) -> Memcached {
    start_with(folder, clock, DiskOptions::default()).await
}

async fn start_with(folder: &Path, clock: &Clock, disk: DiskOptions) -> Memcached {
    let clock = clock.clone();
    Memcached::with_options(|options: &mut Options| {
        options.data = Data::Folder(folder.to_owned(), disk);
        options.memcached.as_mut().unwrap().durable = true;
        options.clock = clock;
    })
    .await
}

async fn start() -> (TempDir, Clock, Memcached) {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::stopped_at(Duration::from_secs(START)));
    let memcached = start_on(folder.path(), &clock).await;
    (folder, clock, memcached)
}

async fn restart(memcached: Memcached, folder: &TempDir, clock: &Clock) -> Memcached {
    let Memcached { server, client, .. } = memcached;
    drop(client);
    server.shutdown().await;
    start_on(folder.path(), clock).await
}

const SET: Command<&[u8]> =
    Command::Store { mode: StoreMode::Set, key: b"b", value: b"binary", flags: 7, expiration: Expiration::NEVER };

#[tokio::test]
async fn items_of_all_protocols_are_there_after_a_restart_with_all_that_belongs_to_them() {
    let (folder, clock, mut memcached) = start().await;
    memcached.talk("set a 5 0 4\ntext\nms c 4 F9 T100\nmeta\nincr n 1\n", "STORED\nHD\nNOT_FOUND\n").await;
    memcached.talk("set n 0 0 2\n41\nincr n 1\nappend a 0 0 1\n!\n", "STORED\n42\nSTORED\n").await;
    let mut binary = memcached.connect().await;
    let cas = binary.ask(0, SET).await.cas;
    drop(binary);

    let mut memcached = restart(memcached, &folder, &clock).await;
    memcached.talk("get a c n\n", "VALUE a 5 5\ntext!\nVALUE c 9 4\nmeta\nVALUE n 0 2\n42\nEND\n").await;
    memcached.talk("mg c t f\n", "HD t100 f9\n").await;
    let mut binary = memcached.connect().await;
    let reply = binary.ask(0, Command::Get { key: b"b", with_key: false }).await;
    assert_eq!((reply.cas, reply.flags, &reply.value[..]), (cas, Some(7), &b"binary"[..]));
}

#[tokio::test]
async fn no_version_is_given_out_twice_across_restarts() {
    let (folder, clock, mut memcached) = start().await;
    let mut last = 0;
    for _ in 0..3 {
        for _ in 0..3 {
            let mut binary = memcached.connect().await;
            let cas = binary.ask(0, SET).await.cas;
            assert!(cas > last, "{cas} after {last}");
            last = cas;
        }
        memcached = restart(memcached, &folder, &clock).await;
    }
    let mut binary = memcached.connect().await;
    assert_eq!(binary.ask(last - 1, SET).await.status, Status::EXISTS);
    assert_eq!(binary.ask(last, SET).await.status, Status::OK);
}

#[tokio::test]
async fn items_expire_though_the_server_was_away() {
    let (folder, clock, mut memcached) = start().await;
    memcached.talk("set a 0 10 1\nx\nset b 0 100 1\nx\ntouch b 1000\n", "STORED\nSTORED\nTOUCHED\n").await;
    clock.advance(Duration::from_secs(50));
    let mut memcached = restart(memcached, &folder, &clock).await;
    memcached.talk("get a b\ngat 5 b\n", "VALUE b 0 1\nx\nEND\nVALUE b 0 1\nx\nEND\n").await;
    clock.advance(Duration::from_secs(5));
    memcached.talk("get b\n", "END\n").await;
}

#[tokio::test]
async fn what_was_flushed_does_not_come_back_and_a_flush_to_come_comes() {
    let (folder, clock, mut memcached) = start().await;
    memcached.talk("set a 0 0 1\nx\nflush_all 2592001\nmg a\n", "STORED\nOK\nHD\n").await;
    memcached.talk("set a 0 0 1\nx\nflush_all\nset b 0 0 1\nx\n", "STORED\nOK\nSTORED\n").await;
    memcached.talk("flush_all 100\n", "OK\n").await;
    let mut memcached = restart(memcached, &folder, &clock).await;
    memcached.talk("get a b\n", "VALUE b 0 1\nx\nEND\n").await;
    clock.advance(Duration::from_secs(100));
    let mut memcached = restart(memcached, &folder, &clock).await;
    memcached.talk("get a b\nset a 0 0 1\ny\nget a\n", "END\nSTORED\nVALUE a 0 1\ny\nEND\n").await;
}

#[tokio::test]
async fn requests_that_come_together_see_what_those_before_them_have_done() {
    let (_folder, _clock, mut memcached) = start().await;
    let requests: String =
        (0..50).map(|n| format!("set k{n} 0 0 2\nv{}\nmg k{n} v\ndelete k{n}\nget k{n}\n", n % 10)).collect();
    let replies: String = (0..50).map(|n| format!("STORED\nVA 2\nv{}\nDELETED\nEND\n", n % 10)).collect();
    memcached.talk(&requests, &replies).await;
}

#[tokio::test]
async fn many_keys_are_answered_in_their_order() {
    let (_folder, _clock, mut memcached) = start().await;
    let mut all = String::new();
    for number in 0..100 {
        memcached.talk(&format!("set key{number} 0 0 3\n{number:03}\n"), "STORED\n").await;
        all.push_str(&format!("VALUE key{number} 0 3\n{number:03}\n"));
    }
    let keys: String = (0..100).map(|number| format!(" key{number} missing{number}")).collect();
    memcached.talk(&format!("get{keys}\n"), &format!("{all}END\n")).await;
    memcached.talk(&format!("gat 100{keys}\n"), &format!("{all}END\n")).await;
    assert!(memcached.stat("", "curr_items").await == "100");
}

#[tokio::test]
async fn a_value_that_is_too_large_takes_the_old_one_with_it() {
    let (_folder, _clock, mut memcached) = start().await;
    let large = "y".repeat(2 << 20);
    let said = "SERVER_ERROR object too large for cache\n";
    memcached.talk("set a 0 0 1\nx\n", "STORED\n").await;
    memcached.talk(&format!("set a 0 0 {}\n{large}\nget a\n", large.len()), &format!("{said}END\n")).await;
}

#[tokio::test]
async fn a_value_that_is_too_large_gets_one_answer_where_the_old_one_cannot_be_removed() {
    let (folder, clock, mut memcached) = start().await;
    memcached.talk("set a 0 0 1\nx\n", "STORED\n").await;
    memcached.server.shutdown().await;
    let full = DiskOptions { reserve_bytes: u64::MAX, ..DiskOptions::default() };
    let mut memcached = start_with(folder.path(), &clock, full).await;
    let large = "y".repeat(2 << 20);
    let said = "SERVER_ERROR out of memory storing object\n";
    let requests = format!("set a 0 0 {0}\n{large}\nms a {0} q\n{large}\nmn\n", large.len());
    memcached.talk(&requests, &format!("{said}{said}MN\n")).await;
}

#[tokio::test]
async fn keys_are_listed_and_there_is_no_memory_to_be_set() {
    let (_folder, _clock, mut memcached) = start().await;
    memcached.talk("set a 0 0 1\nx\nset b 0 50 1\nx\n", "STORED\nSTORED\n").await;
    memcached.client.send("lru_crawler metadump all\r\n").await;
    let dump = memcached.client.receive_until("END\r\n").await;
    assert_eq!(dump.lines().filter(|line| line.starts_with("key=")).count(), 2, "{dump}");
    memcached.talk("lru_crawler crawl all\n", "OK\n").await;
    memcached.talk("cache_memlimit 10\n", "MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust\n").await;
    assert_eq!(memcached.stat("settings", "evictions").await, "off");
    assert_eq!(memcached.stat("", "limit_maxbytes").await, "0");
    assert_eq!(memcached.metric("cache_items", "").await, 2);
}

#[tokio::test]
async fn they_are_there_without_a_disk_too_for_as_long_as_the_server_runs() {
    let mut memcached = Memcached::with(|options| options.durable = true).await;
    memcached.talk("set n 0 0 1\n1\nincr n 2\nget n\n", "STORED\n3\nVALUE n 0 1\n3\nEND\n").await;
    let count =
        Command::Count { direction: Direction::Increment, key: b"n".as_slice(), delta: 1, initial: 0, create: None };
    let mut binary = memcached.connect().await;
    assert_eq!(binary.ask(0, count).await.counter(), Some(4));
}
