//! The commands of those who look after a server.

use super::support::Memcached;
use crate::support::soon;

#[tokio::test]
async fn the_memory_can_be_changed_while_it_serves() {
    let mut memcached = Memcached::start().await;
    let too_small = "MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\n";
    memcached.talk("cache_memlimit 7\ncache_memlimit 128\n", &format!("{too_small}OK\n")).await;
    assert_eq!(memcached.stat("", "limit_maxbytes").await, (128 << 20).to_string());
}

#[tokio::test]
async fn what_tunes_memcached_is_taken_and_changes_nothing() {
    let mut memcached = Memcached::start().await;
    let commands = ["verbosity 1", "lru mode flat", "lru tune 10 20 0.1 2.0", "lru_crawler enable", "slabs automove 1"];
    for command in commands {
        memcached.talk(&format!("{command}\n"), "OK\n").await;
    }
}

#[tokio::test]
async fn what_is_not_done_is_refused_clearly() {
    let mut memcached = Memcached::start().await;
    memcached.talk("watch fetchers\nwatch foo\n", &"CLIENT_ERROR watch commands not allowed\n".repeat(2)).await;
    memcached.talk("shutdown\n", "SERVER_ERROR: shutdown not enabled\n").await;
    memcached.talk("slabs reassign 1 2\n", "CLIENT_ERROR slab reassignment disabled\n").await;
    memcached.talk("mn\n", "MN\n").await;
}

#[tokio::test]
async fn all_items_are_listed() {
    let mut memcached = Memcached::start().await;
    let keys: Vec<_> = (0..5000).map(|number| format!("k{number}")).collect();
    let sets: String = keys.iter().map(|key| format!("ms {key} 1 q\nx\n")).collect();
    memcached.talk(&format!("{sets}mn\n"), "MN\n").await;
    memcached.client.send("lru_crawler metadump all\r\n").await;
    let listed = memcached.client.receive_until("END\r\n").await;
    let mut names: Vec<_> = listed.lines().filter_map(|line| line.strip_prefix("key=")?.split(' ').next()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), keys.len());
    memcached.client.send("lru_crawler mgdump hash\r\n").await;
    let listed = memcached.client.receive_until("EN\r\n").await;
    assert!(listed.lines().filter(|line| line.starts_with("mg k")).count() >= keys.len());
}

#[tokio::test]
async fn a_listing_tells_of_an_item_what_there_is_to_tell() {
    let mut memcached = Memcached::start().await;
    memcached.talk("ms YSBi 1 b E9 T100\nx\n", "HD\n").await;
    let line = "key=a%20b exp=1700000100 la=1700000000 cas=9 fetch=no cls=1 size=63 flags=0\n";
    memcached.client.send("lru_crawler metadump all\r\n").await;
    assert_eq!(memcached.client.receive_until("END\r\n").await, format!("{line}END\r\n"));
    memcached.talk("lru_crawler mgdump all\nlru_crawler metadump 7\n", "OK\nmg YSBi b\nEN\nEND\n").await;
}

#[tokio::test]
async fn a_cachedump_tells_the_lengths_of_values_whose_keys_came_as_text() {
    let mut memcached = Memcached::start().await;
    memcached.talk("ms YSBi 1 b\nx\nset key 7 100 5\nvalue\n", "HD\nSTORED\n").await;
    memcached.talk("stats cachedump 1 10\n", "ITEM key [5 b; 1700000100 s]\nEND\n").await;
    memcached.talk("stats cachedump 2 10\nstats cachedump 64 10\n", "END\nCLIENT_ERROR Illegal slab id\n").await;
    let (no_number, too_few) = ("CLIENT_ERROR bad command line format\n", "CLIENT_ERROR bad command line\n");
    memcached.talk("stats cachedump 1 x\nstats cachedump 1\n", &format!("{no_number}{too_few}")).await;
}

#[tokio::test]
async fn only_classes_that_could_be_there_are_listed() {
    let mut memcached = Memcached::start().await;
    for command in ["metadump foo", "mgdump 64", "metadump 1,0", "crawl foo", "crawl hash"] {
        memcached.talk(&format!("lru_crawler {command}\n"), "BADCLASS invalid class id\n").await;
    }
    memcached.talk("lru_crawler metadump 1,63\nlru_crawler crawl 1,2\n", "END\nOK\n").await;
}

#[tokio::test]
async fn a_client_may_stop_the_server_where_that_is_allowed() {
    let mut memcached = Memcached::with(|options| options.allows_shutdown = true).await;
    memcached.talk("shutdown now\n", "CLIENT_ERROR invalid shutdown mode\n").await;
    memcached.client.send("shutdown graceful\r\n").await;
    soon(memcached.server.stop_asked()).await;
}

#[tokio::test]
async fn where_listing_is_not_allowed_it_is_refused() {
    let mut memcached = Memcached::with(|options| options.allows_dump = false).await;
    memcached.talk("lru_crawler metadump all\n", "ERROR metadump not allowed\n").await;
    memcached.talk("lru_crawler mgdump all\n", "ERROR key dump not allowed\n").await;
    memcached.talk("stats detail on\n", "CLIENT_ERROR stats detail not allowed\n").await;
    memcached.talk("stats cachedump 1 1\n", "CLIENT_ERROR stats cachedump not allowed\n").await;
}

#[tokio::test]
async fn a_client_that_looks_for_a_cluster_finds_this_server() {
    let mut memcached = Memcached::start().await;
    let port = memcached.address().port();
    let text = format!("1\n127.0.0.1|127.0.0.1|{port}\n");
    memcached.client.send("config get cluster\r\n").await;
    let expected = format!("CONFIG cluster 0 {}\r\n{text}\r\nEND\r\n", text.len());
    memcached.client.expect(expected.as_bytes()).await;
    memcached.talk("config get other\n", "ERROR\n").await;
}
