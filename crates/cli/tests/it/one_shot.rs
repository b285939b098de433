//! One command, one call: every verb, every form of answers, and exit codes.

use std::process::Stdio;

use charioteer_server::testing::{Action, Call, ErrorCode, Fault};
use serde_json::json;

use crate::cluster::Cluster;

#[test]
fn a_row_is_set_told_and_deleted() {
    let cluster = Cluster::start();
    assert_eq!(cluster.answer(&["set", "alice", "city", "Paris"]), "ok\n");
    assert_eq!(cluster.answer(&["get", "alice", "city"]), "Paris\n");
    assert_eq!(cluster.answer(&["exist", "alice", "city"]), "true\n");
    assert_eq!(cluster.answer(&["ttl", "alice", "city"]), "forever\n");
    assert_eq!(cluster.answer(&["del", "alice", "city"]), "ok\n");
    for (verb, stdout) in [("get", ""), ("ttl", ""), ("exist", "false\n")] {
        let said = cluster.run(&[verb, "alice", "city"]);
        assert_eq!((said.code, &*said.stdout), (Some(1), stdout), "{verb}");
        assert_eq!(said.stderr, if verb == "exist" { "" } else { "(missing)\n" }, "{verb}");
    }
}

#[test]
fn a_time_to_live_is_given_and_told() {
    let cluster = Cluster::start();
    cluster.answer(&["set", "alice", "token", "x", "--ttl", "1h"]);
    let ttl = cluster.json(&["ttl", "alice", "token"])["ttl"].as_u64().unwrap();
    assert!((3500..=3600).contains(&ttl), "{ttl}");
    assert_eq!(cluster.run(&["ttl", "alice", "none", "--output", "json"]).stdout, "{\"ttl\":null}\n");
    let said = cluster.run(&["set", "alice", "token", "x", "--ttl", "0s"]);
    assert_eq!(said.code, Some(3), "{said:?}");
}

#[test]
fn bytes_go_in_and_out_as_escapes_and_json_has_them_too() {
    let cluster = Cluster::start();
    let (hash_key, value) = (r"a\x00\xff", r#"it\x27s "\n\\"#);
    cluster.answer(&["set", hash_key, "", value]);
    let printed = cluster.answer(&["scan", "--output", "table"]);
    assert_eq!(printed, "hash_key   sort_key  value\n'a\\0\\xff'  ''        'it\\x27s \"\\n\\\\'\n");
    let typed_back = cluster.pipe(&[], r#"get 'a\0\xff' ''"#);
    assert_eq!(typed_back.stdout, "'it\\x27s \"\\n\\\\'\n");
    assert_eq!(
        cluster.json(&["scan"]),
        json!([{"hash_key": {"base64": "YQD/"}, "sort_key": "", "value": "it's \"\n\\"}])
    );
    assert_eq!(cluster.answer(&["get", hash_key, "", "--output", "raw"]), "it's \"\n\\");
}

#[test]
fn each_form_of_rows_is_what_it_says() {
    let cluster = Cluster::start();
    cluster.answer(&["mset", "h", "a", "1", "bb", "-2"]);
    let rows = |format: &str| cluster.answer(&["mget-range", "h", "--output", format]);
    assert_eq!(rows("table"), "sort_key  value\na         1\nbb        -2\n");
    assert_eq!(
        rows("json"),
        "[\n  {\"sort_key\":\"a\",\"value\":\"1\"},\n  {\"sort_key\":\"bb\",\"value\":\"-2\"}\n]\n"
    );
    assert_eq!(rows("jsonl"), "{\"sort_key\":\"a\",\"value\":\"1\"}\n{\"sort_key\":\"bb\",\"value\":\"-2\"}\n");
    assert_eq!(rows("raw"), "1\n-2\n");
}

#[test]
fn counters_count_and_refuse_what_is_no_number() {
    let cluster = Cluster::start();
    assert_eq!(cluster.answer(&["incr", "h", "n"]), "1\n");
    assert_eq!(cluster.answer(&["incr", "h", "n", "-5", "--ttl", "1h"]), "-4\n");
    assert_ne!(cluster.answer(&["ttl", "h", "n"]), "forever\n");
    assert_eq!(cluster.answer(&["incr", "h", "n", "4", "--clear-ttl"]), "0\n");
    assert_eq!(cluster.answer(&["ttl", "h", "n"]), "forever\n");
    cluster.answer(&["set", "h", "text", "x"]);
    assert_eq!(cluster.run(&["incr", "h", "text"]).code, Some(3));
    assert_eq!(cluster.run(&["incr", "h", "n", "x"]).code, Some(2));
    assert_eq!(cluster.run(&["incr", "h", "n", "1", "--ttl", "1s", "--clear-ttl"]).code, Some(2));
}

#[test]
fn cas_exchanges_what_is_expected_and_tells_what_is_there() {
    let cluster = Cluster::start();
    let first = cluster.answer(&["cas", "h", "s", "--missing", "a"]);
    assert_eq!(first, "exchanged  true\nactual     (none)\n");
    assert_eq!(cluster.json(&["cas", "h", "s", "a", "b"]), json!({"exchanged": true, "actual": "a"}));
    let said = cluster.run(&["cas", "h", "s", "a", "c", "--output", "json"]);
    assert_eq!((said.code, &*said.stdout), (Some(1), "{\"exchanged\":false,\"actual\":\"b\"}\n"));
    for wrong in [&["cas", "h", "s", "a"][..], &["cas", "h", "s", "a", "b", "--missing"], &["cas", "h", "s"]] {
        assert_eq!(cluster.run(wrong).code, Some(2), "{wrong:?}");
    }
    assert_eq!(cluster.answer(&["get", "h", "s"]), "b\n");
}

#[test]
fn every_check_passes_and_fails_when_it_should() {
    let cluster = Cluster::start();
    cluster.answer(&["mset", "h", "n", "10", "empty", ""]);
    let passing = [
        ("none", "always"),
        ("none", "not-exist"),
        ("empty", "not-exist-or-empty"),
        ("n", "exist"),
        ("n", "not-empty"),
        ("n", "match-anywhere:0"),
        ("n", "match-prefix:1"),
        ("n", "match-postfix:10"),
        ("n", "bytes-less:2"),
        ("n", "bytes-less-or-equal:10"),
        ("n", "bytes-equal:10"),
        ("n", "bytes-greater-or-equal:10"),
        ("n", "bytes-greater:1"),
        ("n", "int-less:11"),
        ("n", "int-less-or-equal:10"),
        ("n", "int-equal:10"),
        ("n", "int-greater-or-equal:-10"),
        ("n", "int-greater:9"),
    ];
    let lines = passing.map(|(sort_key, check)| format!("check-and-set h {sort_key} {check} out {check}\n")).concat();
    assert_eq!(cluster.pipe(&[], lines).stdout, "true\n".repeat(18));
    let failing =
        ["not-exist", "not-exist-or-empty", "match-prefix:0", "bytes-less:1", "int-less:10", "int-greater:10"];
    let lines = failing.map(|check| format!("check-and-set h n {check} out {check}\n")).concat();
    assert_eq!(cluster.pipe(&[], lines).stdout, "false\n".repeat(6));
    assert_eq!(cluster.answer(&["get", "h", "out"]), "int-greater:9\n");

    let said = cluster.run(&["check-and-set", "h", "n", "int-equal:11", "out", "x", "--return-value"]);
    assert_eq!((said.code, &*said.stdout), (Some(1), "applied      false\ncheck_value  10\n"));
    assert_eq!(cluster.run(&["check-and-set", "h", "empty", "int-equal:x", "out", "x"]).code, Some(2));
    cluster.answer(&["set", "h", "text", "x"]);
    assert_eq!(cluster.run(&["check-and-set", "h", "text", "int-equal:1", "out", "x"]).code, Some(3));
}

#[test]
fn checked_mutations_happen_all_together_or_not_at_all() {
    let cluster = Cluster::start();
    let answer =
        cluster.answer(&["check-and-mutate", "h", "a", "not-exist", "set", "a", "1", "set", "b", "2", "del", "b"]);
    assert_eq!(answer, "true\n");
    assert_eq!(cluster.answer(&["sort-keys", "h", "--output", "raw"]), "a\n");
    let said = cluster.run(&["check-and-mutate", "h", "a", "not-exist", "del", "a"]);
    assert_eq!((said.code, &*said.stdout), (Some(1), "false\n"));
    assert_eq!(cluster.run(&["check-and-mutate", "h", "a", "exist"]).code, Some(3), "there are no mutations");
    assert_eq!(cluster.run(&["check-and-mutate", "h", "a", "exist", "set", "a"]).code, Some(2));
}

#[test]
fn several_rows_are_told_counted_and_deleted() {
    let cluster = Cluster::start();
    cluster.answer(&["mset", "h", "a1", "1", "a2", "2", "b1", "3", "--ttl", "1h"]);
    assert_eq!(cluster.answer(&["mget", "h", "a1", "b1", "zz", "--output", "raw"]), "1\n3\n");
    assert_eq!(cluster.answer(&["mget", "h", "a1", "--no-value"]), "sort_key\na1\n");
    assert_eq!(cluster.run(&["mget", "h", "zz"]).code, Some(1));
    assert_eq!(cluster.answer(&["count", "h"]), "3\n");
    assert_eq!(cluster.answer(&["count", "h", "--filter", "prefix:a"]), "2\n");
    assert_eq!(cluster.answer(&["sort-keys", "h"]), "sort_key\na1\na2\nb1\n");
    assert_eq!(cluster.answer(&["mdel", "h", "a1", "b1"]), "ok\n");
    assert_eq!(cluster.answer(&["sort-keys", "h", "--output", "raw"]), "a2\n");
    assert_eq!(cluster.run(&["mset", "h", "a"]).code, Some(2));
}

#[test]
fn ranges_have_ends_filters_and_limits() {
    let cluster = Cluster::start();
    cluster.answer(&["mset", "h", "a", "1", "b", "2", "c", "3", "d", "4"]);
    let range = |arguments: &[&str]| {
        let arguments = [&["mget-range", "h"], arguments, &["--no-value", "--output", "raw"]].concat();
        cluster.answer(&arguments).replace('\n', "")
    };
    assert_eq!(range(&[]), "abcd");
    assert_eq!(range(&["b", "d"]), "bc");
    assert_eq!(range(&["b", "d", "--start-inclusive=false", "--stop-inclusive"]), "cd");
    assert_eq!(range(&["--filter", "postfix:c"]), "c");
    assert_eq!(range(&["--max-count", "2"]), "ab");
    assert_eq!(range(&["--max-count", "2", "--reverse"]), "cd");
    let said = cluster.run(&["mget-range", "h", "--max-count", "1"]);
    assert!(said.stderr.starts_with("(there is more"), "{said:?}");
    assert_eq!(cluster.answer(&["del-range", "h", "b", "d", "--filter", "anywhere:c"]), "1\n");
    assert_eq!(cluster.json(&["del-range", "h", "b"]), json!({"deleted": 2}));
    assert_eq!(range(&[]), "a");
}

#[test]
fn scans_tell_a_hash_key_or_the_whole_table() {
    let cluster = Cluster::start();
    let lines: String = (0..30).map(|n| format!("set user-{} {n:02} v{n} --ttl 1h\n", n % 7)).collect();
    assert_eq!(cluster.pipe(&[], lines).code, Some(0));
    let lines =
        |arguments: &[&str]| cluster.answer(&[&["scan", "--output", "raw"], arguments].concat()).lines().count();
    assert_eq!(lines(&[]), 30);
    assert_eq!(lines(&["--parallel", "4", "--batch-size", "3"]), 30);
    assert_eq!(lines(&["--limit", "5"]), 5);
    assert_eq!(lines(&["--limit", "0"]), 0);
    assert_eq!(lines(&["--hash-filter", "postfix:-3"]), 4);
    assert_eq!(lines(&["--filter", "prefix:1"]), 10);
    assert_eq!(cluster.answer(&["scan", "user-3", "10", "24", "--output", "raw"]), "v10\nv17\n");
    assert_eq!(cluster.answer(&["scan", "user-3", "10", "24", "--no-value", "--output", "raw"]), "10\n17\n");
    assert_eq!(cluster.answer(&["count"]), "30\n");
    assert_eq!(cluster.answer(&["count", "--hash-filter", "postfix:-3", "--parallel", "3"]), "4\n");
    let rows = cluster.json(&["scan", "user-3", "--with-ttl", "--no-value", "--limit", "1"]);
    assert!(rows[0]["ttl"].as_u64().unwrap() > 3000 && rows[0].get("value").is_none(), "{rows}");
}

#[test]
fn tables_are_made_renamed_dropped_and_recalled() {
    let cluster = Cluster::start();
    let made = cluster.json(&["create-table", "users", "--partitions", "4", "--env", "default_ttl=60"]);
    let id = made["id"].to_string();
    assert_eq!(cluster.run(&["create-table", "users"]).code, Some(5), "there is one");
    let again = ["create-table", "users", "--partitions", "4", "--env", "default_ttl=60", "--if-not-exists"];
    assert_eq!(cluster.answer(&again), format!("{id}\n"));
    assert_eq!(cluster.answer(&["envs", "get", "default_ttl", "--table", "users"]), "60\n");
    assert_eq!(cluster.answer(&["tables", "--output", "raw"]), "temp\nusers\n");
    assert_eq!(cluster.json(&["partitions", "--table", "users"]).as_array().unwrap().len(), 4);
    cluster.answer(&["rename-table", "users", "people"]);
    cluster.answer(&["drop-table", "people", "--keep", "1h"]);
    assert_eq!(cluster.answer(&["tables", "--output", "raw"]), "temp\n");
    let all = cluster.json(&["tables", "--all"]);
    assert!(all.as_array().unwrap().iter().any(|table| table["status"] == "dropped"), "{all}");
    assert_eq!(cluster.answer(&["recall-table", &id, "folk"]), "folk\n");
    assert_eq!(cluster.answer(&["count", "--table", "folk"]), "0\n");
    assert_eq!(cluster.run(&["drop-table", "nobody"]).code, Some(5));
}

#[test]
fn environments_are_set_told_and_cleared() {
    let cluster = Cluster::start();
    cluster.answer(&["envs", "set", "default_ttl=60", "replica.slow_query_threshold=30"]);
    let all =
        "name                          value\ndefault_ttl                   60\nreplica.slow_query_threshold  30\n";
    assert_eq!(cluster.answer(&["envs", "get"]), all);
    cluster.answer(&["envs", "del", "default_ttl"]);
    assert_eq!(cluster.run(&["envs", "get", "default_ttl"]).code, Some(1));
    cluster.answer(&["envs", "clear", "replica"]);
    assert_eq!(cluster.json(&["envs", "get"]), json!([]));
    assert_eq!(cluster.run(&["envs", "clear"]).code, Some(2), "all is only cleared when it is said");
    assert_eq!(cluster.answer(&["envs", "clear", "--all"]), "ok\n");
    assert_eq!(cluster.run(&["envs", "set"]).code, Some(3));
    assert_eq!(cluster.run(&["envs", "set", "default_ttl"]).code, Some(2));
}

#[test]
fn the_cluster_is_told_of() {
    let cluster = Cluster::start();
    let address = cluster.pegasus().nodes()[0].to_string();
    assert_eq!(cluster.answer(&["nodes", "--output", "raw"]), format!("{address}\n"));
    let info = cluster.json(&["cluster-info"]);
    assert!(info.as_array().unwrap().iter().any(|fact| fact["name"] == "meta_servers"), "{info}");
    assert!(cluster.answer(&["remote-command", &address, "help"]).contains("server-info"));
    assert!(cluster.json(&["stats", "--net"])["connections_opened"].is_u64());
}

#[test]
fn a_command_line_that_makes_no_sense_ends_with_2() {
    let cluster = Cluster::start();
    for line in
        [&["get", "a"][..], &["get", "a", r"\q"], &["get", "a", "b", "--output", "xml"], &["sett", "a", "b", "c"]]
    {
        let said = cluster.run(line);
        assert_eq!((said.code, &*said.stdout), (Some(2), ""), "{line:?}");
        assert!(said.stderr.starts_with("error: "), "{said:?}");
    }
}

#[test]
fn an_argument_that_makes_no_sense_ends_with_3_and_nothing_is_sent_for_it() {
    let cluster = Cluster::start();
    let long = "k".repeat(65_535);
    let refused = [
        (&["get", "", "s"][..], "get on temp: the hash key must not be empty"),
        (&["set", &long, "s", "v"], "set on temp: the hash key has 65535 bytes, allowed are 65534"),
        (&["mget", "h"], "multi_get on temp: there are no sort keys"),
        (&["mset", "h"], "multi_set on temp: "),
        (&["mdel", "h"], "multi_del on temp: there are no sort keys"),
        (&["scan", "--batch-size", "0"], "get_scanner on temp: a batch must have at least one row"),
        (&["scan", "--parallel", "0"], "get_unordered_scanners on temp: at least one scanner must be asked for"),
        (&["get", "h", "s", "--timeout", "0s"], "operation_timeout: a time longer than nothing is expected"),
        (&["get", "h", "s", "--attempts", "0"], "attempts: at least 1 is expected"),
        (
            &["get", "h", "s", "--url", "http://localhost"],
            "http://…: a URL is expected that begins with one of pegasus://…, memcached://…",
        ),
        (&["get", "h", "s", "--url", &cluster.url()], "no table is named"),
    ];
    for (line, reason) in refused {
        let said = cluster.run(line);
        assert_eq!((said.code, &*said.stdout), (Some(3), ""), "{reason}: {said:?}");
        assert!(said.stderr.starts_with(&format!("error: {reason}")), "{said:?}");
        assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
    }
    let calls = [Call::Get, Call::Put, Call::MultiGet, Call::MultiPut, Call::MultiRemove, Call::GetScanner];
    assert!(calls.iter().all(|call| cluster.pegasus().requests(*call) == 0));
}

#[test]
fn without_a_url_nobody_is_asked() {
    let cluster = Cluster::start();
    let output = cluster.command(&["get", "a", "b"]).env_remove("CHARIOTEER_URL").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--url or CHARIOTEER_URL is expected"));
}

#[test]
fn nobody_there_and_no_answer_in_time_end_with_4() {
    let cluster = Cluster::start();
    let said = cluster.run(&["get", "a", "b", "--url", "pegasus://127.0.0.1:1/temp", "--timeout", "200ms"]);
    assert_eq!(said.code, Some(4), "{said:?}");
    let _fault = cluster.pegasus().inject(Fault::new(Action::Drop).on(Call::Get));
    let said = cluster.run(&["get", "a", "b", "--timeout", "300ms"]);
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(!said.stderr.contains("may have been applied"), "a read changes nothing: {said:?}");
}

#[test]
fn a_write_of_which_nobody_heard_may_have_been_applied() {
    let cluster = Cluster::start();
    let _fault = cluster.pegasus().inject(Fault::new(Action::DropReply).on(Call::Incr));
    let said = cluster.run(&["incr", "a", "b", "--timeout", "300ms"]);
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(said.stderr.trim_end().ends_with("; it may have been applied"), "{said:?}");
}

#[test]
fn what_the_server_refuses_ends_with_5() {
    let cluster = Cluster::start();
    let said = cluster.run(&["get", "a", "b", "--table", "nowhere"]);
    assert_eq!(said.code, Some(5));
    assert!(said.stderr.starts_with("error: open_table on nowhere: there is no such table"), "{said:?}");
    let _fault = cluster.pegasus().inject(Fault::new(Action::Answer(ErrorCode::ACL_DENY)).on(Call::Get));
    assert_eq!(cluster.run(&["get", "a", "b"]).code, Some(5));
}

#[test]
fn values_are_compressed_when_it_is_said() {
    let cluster = Cluster::start();
    let value = "long and dull ".repeat(100);
    cluster.answer(&["set", "h", "s", &value, "--compression", "zstd"]);
    assert_eq!(cluster.answer(&["get", "h", "s", "--compression", "zstd", "--output", "raw"]), value);
    let stored = cluster.json(&["get", "h", "s"]);
    assert!(stored["value"]["base64"].as_str().unwrap().starts_with("KLUv/"), "{stored}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let cluster = Cluster::start();
    let value = "v".repeat(10_000);
    let lines: String = (0..100).map(|n| format!("set h {n} {value}\n")).collect();
    assert_eq!(cluster.pipe(&[], lines).code, Some(0));
    let mut command = cluster.command(&["scan"]);
    let mut scan = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(scan.stdout.take());
    let output = scan.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}
