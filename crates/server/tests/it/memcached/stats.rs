//! What is counted.

use std::time::Duration;

use super::support::Memcached;

#[tokio::test]
async fn general_statistics_count_what_has_happened() {
    let mut memcached = Memcached::start().await;
    memcached
        .talk(
            "set a 0 0 1\n1\nget a b\nincr a 1\ndelete b\ntouch a 0\n",
            "STORED\nVALUE a 0 1\n1\nEND\n2\nNOT_FOUND\nTOUCHED\n",
        )
        .await;
    memcached.advance(5);
    let expected = [
        ("cmd_set", "1"),
        ("cmd_get", "2"),
        ("get_hits", "1"),
        ("get_misses", "1"),
        ("incr_hits", "1"),
        ("delete_misses", "1"),
        ("touch_hits", "1"),
        ("curr_items", "1"),
        ("bytes", "61"),
        ("curr_connections", "1"),
        ("total_connections", "1"),
        ("uptime", "5"),
        ("time", "1700000005"),
        ("version", "1.6.45"),
        ("limit_maxbytes", "67108864"),
    ];
    for (name, value) in expected {
        assert_eq!(memcached.stat("", name).await, value, "{name}");
    }
}

#[tokio::test]
async fn resetting_counts_from_0_and_leaves_the_items() {
    let mut memcached = Memcached::start().await;
    memcached.talk("set a 0 0 1\n1\nget a\nstats reset\n", "STORED\nVALUE a 0 1\n1\nEND\nRESET\n").await;
    assert_eq!(memcached.stat("", "cmd_set").await, "0");
    assert_eq!(memcached.stat("", "get_hits").await, "0");
    assert_eq!(memcached.stat("", "curr_items").await, "1");
}

#[tokio::test]
async fn what_tools_look_for_is_told() {
    let idle = Some(Duration::from_secs(60));
    let mut memcached = Memcached::with_options(|options| options.limits.idle = idle).await;
    for name in ["rusage_user", "rusage_system"] {
        assert!(memcached.stat("", name).await.parse::<f64>().is_ok_and(|seconds| seconds >= 0.0));
    }
    assert_eq!(memcached.stat("", "idle_kicks").await, "0");
    assert_eq!(memcached.stat("", "libevent").await, "none");
    let slabs = ["chunk_size", "chunks_per_page", "total_chunks", "free_chunks", "free_chunks_end"];
    let mut numbers = Vec::new();
    for name in slabs {
        numbers.push(memcached.stat("slabs", &format!("1:{name}")).await);
    }
    assert_eq!(numbers, ["96", "10922", "10922", "10922", "0"]);
}

#[tokio::test]
async fn reading_without_finding_anything_to_touch_is_a_miss_of_a_get() {
    let mut memcached = Memcached::start().await;
    memcached.talk("mg a T30\n", "EN\n").await;
    assert_eq!(memcached.stat("", "get_misses").await, "1");
    assert_eq!(memcached.stat("", "touch_misses").await, "0");
}

#[tokio::test]
async fn the_other_groups_are_told() {
    let mut memcached = Memcached::start().await;
    memcached.talk("stats items\nset a 0 0 1\n1\n", "END\nSTORED\n").await;
    assert_eq!(memcached.stat("items", "items:1:number").await, "1");
    assert_eq!(memcached.stat("slabs", "1:used_chunks").await, "1");
    assert_eq!(memcached.stat("slabs", "1:total_pages").await, "1");
    assert_eq!(memcached.stat("slabs", "active_slabs").await, "1");
    for name in ["age", "evicted", "evicted_time", "evicted_nonzero", "outofmemory", "tailrepairs"] {
        assert_eq!(memcached.stat("items", &format!("items:1:{name}")).await, "0");
    }
    assert_eq!(memcached.stat("settings", "item_size_max").await, "1048576");
    assert_eq!(memcached.stat("settings", "evictions").await, "on");
    assert_eq!(memcached.stat("sizes", "sizes_status").await, "disabled");
    assert!(memcached.stat("conns", "1:addr").await.starts_with("tcp:127.0.0.1:"));
    memcached.talk("stats detail on\nstats detail dump\nstats nonsense\n", "OK\nEND\nERROR\n").await;
    memcached.talk("stats detail\n", "CLIENT_ERROR usage: stats detail on|off|dump\n").await;
}

#[tokio::test]
async fn calls_connections_and_items_are_among_the_metrics() {
    let mut memcached = Memcached::start().await;
    memcached.talk("set a 0 0 1\n1\nget a\nmg a\nnonsense\n", "STORED\nVALUE a 0 1\n1\nEND\nHD\nERROR\n").await;
    let calls = |call, result| format!(r#"protocol="memcached",call="{call}",result="{result}""#);
    assert_eq!(memcached.metric("calls_total", &calls("store", "answered")).await, 1);
    assert_eq!(memcached.metric("calls_total", &calls("mg", "answered")).await, 1);
    assert_eq!(memcached.metric("calls_total", &calls("unknown", "refused")).await, 1);
    assert_eq!(memcached.metric("connections", r#"protocol="memcached""#).await, 1);
    assert_eq!(memcached.metric("cache_items", "").await, 1);
    assert_eq!(memcached.metric("cache_hits_total", "").await, 2);
}
