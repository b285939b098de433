//! Commands on TiKV: every verb, what is told and the exit codes, one by one and in the shell.

use serde_json::json;

use crate::cluster::Cluster;

#[test]
fn a_key_is_set_told_and_deleted() {
    let cluster = Cluster::start_tikv();
    assert_eq!(cluster.answer(&["set", "city", "New York"]), "ok\n");
    assert_eq!(cluster.answer(&["get", "city"]), "'New York'\n");
    assert_eq!(cluster.answer(&["get", "city", "--output", "raw"]), "New York");
    assert_eq!(cluster.answer(&["ttl", "city"]), "forever\n");
    assert_eq!(cluster.answer(&["del", "city"]), "ok\n");
    for verb in ["get", "ttl"] {
        let said = cluster.run(&[verb, "city"]);
        assert_eq!((said.code, &*said.stdout, &*said.stderr), (Some(1), "", "(missing)\n"), "{verb}");
    }
}

#[test]
fn a_key_may_have_a_time_to_live() {
    let cluster = Cluster::start_tikv();
    cluster.answer(&["put", "k", "v", "--ttl", "1h"]);
    let left = cluster.json(&["ttl", "k"])["ttl"].as_u64().unwrap();
    assert!((3500..=3600).contains(&left), "{left}");
}

#[test]
fn compare_and_swap_says_whether_it_was_done_and_what_there_was() {
    let cluster = Cluster::start_tikv();
    let cas = |arguments: &[&str]| {
        let said = cluster.run(&[&["cas", "k"], arguments, &["--output", "json"]].concat());
        (said.code, serde_json::from_str::<serde_json::Value>(&said.stdout).unwrap_or_default())
    };
    assert_eq!(cas(&["1"]), (Some(0), json!({"swapped": true, "previous": null})));
    assert_eq!(cas(&["2"]), (Some(1), json!({"swapped": false, "previous": "1"})));
    assert_eq!(cas(&["2", "--expect", "1"]), (Some(0), json!({"swapped": true, "previous": "1"})));
    assert_eq!(cas(&["--delete", "--expect", "2"]), (Some(0), json!({"swapped": true, "previous": "2"})));
    assert_eq!(cas(&["--delete"]).0, Some(2), "it goes with --expect");
    assert_eq!(cas(&[]).0, Some(2));
}

#[test]
fn several_keys_are_set_told_and_deleted_together() {
    let cluster = Cluster::start_tikv();
    assert_eq!(cluster.answer(&["batch-set", "a", "1", "b", "2", "c", "3"]), "ok\n");
    assert_eq!(cluster.run(&["batch-set", "a", "1", "b"]).code, Some(3));
    let told = cluster.json(&["batch-get", "c", "x", "a"]);
    assert_eq!(told, json!([{"key": "c", "value": "3"}, {"key": "a", "value": "1"}]));
    assert_eq!(cluster.answer(&["mdel", "a", "b"]), "ok\n");
    assert_eq!(cluster.run(&["mget", "a", "b"]).code, Some(1));
}

#[test]
fn ranges_are_told_counted_summed_and_deleted() {
    let cluster = Cluster::start_tikv();
    cluster.runtime.block_on(cluster.tikv().split(["b", "c"])).unwrap();
    cluster.answer(&["batch-set", "a", "1", "b", "2", "c", "3", "d", "4"]);
    assert_eq!(cluster.answer(&["scan", "--output", "raw"]), "1\n2\n3\n4\n");
    assert_eq!(cluster.answer(&["scan", "b", "d", "--keys-only", "--output", "raw"]), "b\nc\n");
    assert_eq!(cluster.answer(&["scan", "--reverse", "--limit", "2", "--keys-only", "--output", "raw"]), "d\nc\n");
    assert_eq!(cluster.answer(&["count", "b"]), "3\n");
    let sum = cluster.json(&["checksum"]);
    assert_eq!((&sum["keys"], &sum["bytes"]), (&json!(4), &json!(8)));
    assert_eq!(cluster.answer(&["del-range", "b", "d"]), "ok\n");
    assert_eq!(cluster.answer(&["scan", "--keys-only", "--output", "raw"]), "a\nd\n");
    assert_eq!(cluster.run(&["scan", "b", "a"]).code, Some(3));
}

#[test]
fn regions_and_stores_are_told() {
    let cluster = Cluster::start_tikv();
    cluster.runtime.block_on(cluster.tikv().split(["b", "c"])).unwrap();
    let region = &cluster.json(&["region-of", "b"])[0];
    assert_eq!((&region["start"], &region["end"]), (&json!("b"), &json!("c")));
    let regions = cluster.json(&["regions", "b", "d"]);
    assert_eq!(regions.as_array().unwrap().len(), 2);
    let stores = cluster.json(&["stores"]);
    assert_eq!(stores[0]["state"], json!("Up"));
    assert!(cluster.json(&["cluster-id"])["cluster_id"].as_u64().unwrap() > 0);
}

#[test]
fn column_families_are_told_apart() {
    let cluster = Cluster::start_tikv();
    cluster.answer(&["set", "k", "1"]);
    cluster.answer(&["set", "k", "2", "--cf", "lock"]);
    assert_eq!(cluster.answer(&["get", "k"]), "1\n");
    assert_eq!(cluster.answer(&["get", "k", "--cf", "lock"]), "2\n");
}

#[test]
fn the_shell_reaches_tikv_too() {
    let cluster = Cluster::start_tikv();
    let said = cluster.pipe(&[], "set a 1\nget a\nscan\nstats\n");
    assert_eq!((said.code, &*said.stderr), (Some(0), ""), "{said:?}");
    assert!(said.stdout.starts_with("ok\n1\n") && said.stdout.contains("put"), "{}", said.stdout);
    let said = cluster.pipe(&[cluster.place()], "get a\nset a x\n");
    assert_eq!(said.stdout, "1\nok\n");
    let said = cluster.pipe(&["tikv://127.0.0.1:1", "--timeout", "200ms"], "get a\n");
    assert_eq!(said.code, Some(4), "{said:?}");
}

#[test]
fn what_makes_no_sense_of_tikv_is_refused_before_anything_is_sent() {
    let cluster = Cluster::start_tikv();
    let with = |more: &str| cluster.run(&["get", "a", "--url", &format!("{}{more}", cluster.place())]);
    for more in ["/table", "?mode=both", "?api=v9"] {
        assert_eq!(with(more).code, Some(3), "{more}");
    }
    assert_eq!(cluster.run(&["get", "a", "--compression", "zstd"]).code, Some(3));
    assert_eq!(cluster.run(&["get", "a", "--table", "t"]).code, Some(3));
    let said = with("?api=v2");
    assert_eq!((said.code, &*said.stderr), (Some(1), "(missing)\n"), "this cluster serves every version");
}
