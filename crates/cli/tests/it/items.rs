//! Commands on memcached: every verb, what is told and the exit codes, one by one and in the shell.

use serde_json::json;

use crate::cluster::Cluster;
use crate::terminal::Terminal;

/// What a command says that is a question: its answer, and whether it ended with yes.
fn asked(cluster: &Cluster, arguments: &[&str]) -> (String, Option<i32>) {
    let said = cluster.run(arguments);
    (said.stdout, said.code)
}

fn yes() -> (String, Option<i32>) {
    ("true\n".to_owned(), Some(0))
}

fn no() -> (String, Option<i32>) {
    ("false\n".to_owned(), Some(1))
}

/// The version of an item.
fn cas(cluster: &Cluster, key: &str) -> String {
    cluster.json(&["gets", key])["cas"].to_string()
}

#[test]
fn an_item_is_set_told_and_deleted() {
    let cluster = Cluster::start_memcached();
    assert_eq!(cluster.answer(&["set", "city", "New York", "--flags", "7"]), "ok\n");
    assert_eq!(cluster.answer(&["get", "city"]), "'New York'\n");
    assert_eq!(cluster.answer(&["get", "city", "--output", "raw"]), "New York");
    let told = cluster.json(&["gets", "city"]);
    assert_eq!((&told["value"], &told["flags"]), (&json!("New York"), &json!(7)));
    assert!(told["cas"].as_u64().unwrap() > 0);
    assert_eq!(asked(&cluster, &["delete", "city"]), yes());
    assert_eq!(asked(&cluster, &["del", "city"]), no());
    for verb in [&["get", "city"][..], &["gets", "city"], &["gat", "city", "1m"]] {
        let said = cluster.run(verb);
        assert_eq!((said.code, &*said.stdout, &*said.stderr), (Some(1), "", "(missing)\n"), "{verb:?}");
    }
    assert_eq!(cluster.run(&["gets", "city", "--output", "json"]).stdout, "{\"value\":null}\n");
}

#[test]
fn what_needs_an_item_or_none_says_whether_it_was_stored() {
    let cluster = Cluster::start_memcached();
    for verb in ["replace", "append", "prepend"] {
        assert_eq!(asked(&cluster, &[verb, "key", "x"]), no(), "{verb}");
    }
    assert_eq!(asked(&cluster, &["add", "key", "b"]), yes());
    assert_eq!(asked(&cluster, &["add", "key", "x"]), no());
    assert_eq!(asked(&cluster, &["append", "key", "c"]), yes());
    assert_eq!(asked(&cluster, &["prepend", "key", "a"]), yes());
    assert_eq!(cluster.answer(&["get", "key"]), "abc\n");
    assert_eq!(asked(&cluster, &["replace", "key", "d"]), yes());
    assert_eq!(cluster.answer(&["get", "key"]), "d\n");
}

#[test]
fn what_needs_a_version_is_done_for_that_version_alone() {
    let cluster = Cluster::start_memcached();
    cluster.answer(&["set", "key", "10"]);
    let old = cas(&cluster, "key");
    assert_eq!(asked(&cluster, &["cas", "key", &old, "20"]), yes());
    let refused = [
        vec!["cas", "key", &old, "30"],
        vec!["append", "key", "0", "--cas", &old],
        vec!["prepend", "key", "0", "--cas", &old],
        vec!["delete", "key", "--cas", &old],
    ];
    for line in refused {
        let said = cluster.run(&line);
        assert_eq!((said.code, &*said.stdout), (Some(1), "false\n"), "{line:?}");
        assert_eq!(said.stderr, "(changed meanwhile, or gone)\n");
    }
    let said = cluster.run(&["incr", "key", "1", "--cas", &old]);
    assert_eq!((said.code, &*said.stdout, &*said.stderr), (Some(1), "", "(changed meanwhile, or gone)\n"));
    assert_eq!(cluster.answer(&["get", "key"]), "20\n");
    let new = cas(&cluster, "key");
    assert_eq!(cluster.answer(&["incr", "key", "1", "--cas", &new]), "21\n");
    let newer = cas(&cluster, "key");
    assert_eq!(asked(&cluster, &["delete", "key", "--cas", &newer]), yes());
    assert_eq!(cluster.run(&["cas", "key", &newer, "30"]).code, Some(1));
    assert_eq!(cluster.run(&["cas", "key", "0", "30"]).code, Some(3));
}

#[test]
fn counters_count_begin_and_refuse_what_is_no_number() {
    let cluster = Cluster::start_memcached();
    let said = cluster.run(&["incr", "n"]);
    assert_eq!((said.code, &*said.stdout, &*said.stderr), (Some(1), "", "(missing)\n"));
    assert_eq!(cluster.answer(&["incr", "n", "5", "--initial", "10", "--ttl", "1h"]), "10\n");
    assert_eq!(cluster.json(&["incr", "n", "5"]), json!({"value": 15}));
    assert_eq!(cluster.answer(&["decr", "n"]), "14\n");
    assert_eq!(cluster.answer(&["decr", "n", "100"]), "0\n");
    cluster.answer(&["set", "text", "x"]);
    assert_eq!(cluster.run(&["incr", "text"]).code, Some(3));
    assert_eq!(cluster.run(&["incr", "n", "-1"]).code, Some(2));
    assert_eq!(cluster.run(&["incr", "n", "1", "--ttl", "1h"]).code, Some(2), "it goes with --initial");
}

#[test]
fn items_live_as_long_as_they_are_told_to() {
    let cluster = Cluster::start_memcached();
    cluster.answer(&["set", "gone", "x", "--ttl", "2001-09-09T01:46:40Z"]);
    assert_eq!(cluster.run(&["get", "gone"]).code, Some(1));
    cluster.answer(&["set", "key", "x", "--ttl", "1h"]);
    assert_eq!(asked(&cluster, &["touch", "key", "never"]), yes());
    assert_eq!(asked(&cluster, &["touch", "none", "1h"]), no());
    assert_eq!(cluster.answer(&["gat", "key", "2001-09-09T01:46:40Z"]), "x\n");
    assert_eq!(cluster.run(&["get", "key"]).code, Some(1));
    assert_eq!(cluster.run(&["set", "key", "x", "--ttl", "0s"]).code, Some(3));
    assert_eq!(cluster.run(&["set", "key", "x", "--ttl", "soon"]).code, Some(2));
}

#[test]
fn several_items_are_told_and_deleted_at_once() {
    let cluster = Cluster::start_memcached();
    cluster.answer(&["set", "a", "1"]);
    cluster.answer(&["set", r"b\x00", "2", "--flags", "4"]);
    let told = cluster.json(&["mget", "a", "none", r"b\x00"]);
    assert_eq!((&told[0]["key"], &told[0]["value"], &told[0]["flags"]), (&json!("a"), &json!("1"), &json!(0)));
    assert_eq!((&told[1]["key"], &told[1]["value"], &told[1]["flags"]), (&json!("b\0"), &json!("2"), &json!(4)));
    assert_eq!(told.as_array().unwrap().len(), 2);
    assert_eq!(cluster.answer(&["mget", "a", r"b\x00", "--output", "raw"]), "1\n2\n");
    assert_eq!(cluster.run(&["mget", "none", "neither"]).code, Some(1));
    assert_eq!(cluster.run(&["mget"]).code, Some(2));
    assert_eq!(cluster.answer(&["mdelete", "a", "none", r"b\x00"]), "2\n");
    assert_eq!(cluster.run(&["mget", "a"]).code, Some(1));
}

#[test]
fn servers_are_asked_and_emptied() {
    let cluster = Cluster::start_memcached();
    let (_, server) = cluster.place().split_once("://").unwrap();
    cluster.answer(&["set", "key", "x"]);
    assert_eq!(cluster.answer(&["server-of", "key"]), format!("{server}\n"));
    assert!(cluster.json(&["version"])[0]["version"].as_str().unwrap().starts_with("1."));
    let stats = cluster.json(&["stats"]);
    let items = stats.as_array().unwrap().iter().find(|stat| stat["name"] == "curr_items").unwrap();
    assert_eq!((&items["value"], &items["server"]), (&json!("1"), &json!(server)));
    assert!(cluster.answer(&["stats", "settings", "--output", "raw"]).contains("maxbytes\t"));
    assert_eq!(cluster.answer(&["flush", "--after", "1h"]), "ok\n");
    assert_eq!(cluster.answer(&["get", "key"]), "x\n");
    assert_eq!(cluster.answer(&["flush"]), "ok\n");
    assert_eq!(cluster.run(&["get", "key"]).code, Some(1));
}

#[test]
fn a_server_that_is_down_leaves_what_others_say_and_ends_with_4() {
    let cluster = Cluster::start_memcached();
    let both = format!("{},127.0.0.1:1?failover=false", cluster.place());
    let on_both =
        |line: &[&str]| cluster.run(&[line, &["--url", &both, "--timeout", "2s", "--attempts", "1"]].concat());
    let said = on_both(&["version"]);
    assert_eq!((said.code, said.stdout.lines().count()), (Some(4), 2), "{said:?}");
    assert!(said.stderr.contains("127.0.0.1:1"), "{said:?}");
    let keys: Vec<String> = (0..20).map(|key| format!("key-{key}")).collect();
    let lines: String = keys.iter().map(|key| format!("set {key} x\n")).collect();
    assert_eq!(cluster.pipe(&[], lines).code, Some(0));
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let said = on_both(&[&["mget", "--output", "raw"], &keys[..]].concat());
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!((1..20).contains(&said.stdout.lines().count()), "{said:?}");
}

#[test]
fn options_of_the_url_and_of_the_command_are_heeded() {
    let cluster = Cluster::start_memcached();
    let value = "long and dull ".repeat(100);
    cluster.answer(&["set", "key", &value, "--compression", "zstd"]);
    assert_eq!(cluster.answer(&["get", "key", "--compression", "zstd", "--output", "raw"]), value);
    let stored = cluster.json(&["gets", "key"]);
    assert_eq!(stored["flags"], json!(0x4_0000));
    assert!(stored["value"]["base64"].as_str().unwrap().starts_with("KLUv/"), "{stored}");
    let prefixed = format!("{}?key_prefix=app%3A", cluster.place());
    cluster.answer(&["set", "key", "x", "--url", &prefixed]);
    assert_eq!(cluster.answer(&["get", "app:key"]), "x\n");
}

#[test]
fn what_makes_no_sense_ends_with_3_and_says_why() {
    let cluster = Cluster::start_memcached();
    let long = "k".repeat(251);
    let refused = [
        (&["get", ""][..], "get: empty key"),
        (&["get", &long], "get: key of 251 bytes, allowed are 250"),
        (&["get", "key", "--table", "temp"], "memcached has no tables"),
        (&["get", "key", "--timeout", "0s"], "operation_timeout: a time longer than nothing is expected"),
        (&["get", "key", "--url", "memcached://a/temp"], "/temp: memcached has no tables"),
        (&["get", "key", "--url", "memcached://"], "no server is given"),
        (&["get", "key", "--url", "redis://a"], "redis://…: a URL is expected that begins with one of"),
    ];
    for (line, reason) in refused {
        let said = cluster.run(line);
        assert_eq!((said.code, &*said.stdout), (Some(3), ""), "{reason}: {said:?}");
        assert!(said.stderr.starts_with(&format!("error: {reason}")), "{reason}: {said:?}");
    }
    assert_eq!(cluster.run(&["create-table", "x"]).code, Some(2), "there are Pegasus' verbs for its URLs alone");
}

#[test]
fn help_tells_the_verbs_of_the_urls_kind_and_names_the_others() {
    let cluster = Cluster::start_memcached();
    let help = cluster.answer(&["--help"]);
    for part in [
        "Adds bytes behind an item's value",
        "Commands on Apache Pegasus, of which --help tells with --url pegasus://…",
        "check-and-set",
    ] {
        assert!(help.contains(part), "{part}: {help}");
    }
    assert!(!help.contains("Drops a table"), "{help}");
    let of_verb = cluster.answer(&["gat", "--help"]);
    assert!(of_verb.contains("--compression") && !of_verb.contains("--table"), "{of_verb}");
    let of_pegasus = cluster.answer(&["--help", "--url", "pegasus://a"]);
    assert!(of_pegasus.contains("Drops a table"), "{of_pegasus}");
}

#[test]
fn a_verb_without_a_url_is_looked_for_among_all() {
    let cluster = Cluster::start_memcached();
    let output = cluster.command(&["gat", "key", "1m"]).env_remove("CHARIOTEER_URL").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--url or CHARIOTEER_URL is expected"));
}

#[test]
fn a_pipe_may_go_to_stores_of_both_kinds() {
    let cluster = Cluster::start_memcached();
    let lines = format!(
        "set city Paris\nset alice city Rome --url {0}/temp\nget city\nget alice city --url {0}/temp\n",
        cluster.url()
    );
    let said = cluster.pipe(&[], lines);
    assert_eq!((said.code, &*said.stdout, &*said.stderr), (Some(0), "ok\nok\nParis\nRome\n", ""));
    let said = cluster.pipe(&[], "use temp\n");
    assert_eq!((said.code, &*said.stderr), (Some(3), "error: line 1: memcached has no tables\n"));
}

#[test]
fn a_person_sees_the_server_and_completes_its_verbs() {
    let cluster = Cluster::start_memcached();
    let prompt = format!("{}> ", cluster.place().split_once("://").unwrap().1);
    let mut shell = Terminal::start(cluster.command(&["shell"]));
    shell.expect_prompt(&prompt);
    shell.press("set city 'New York'\r");
    shell.expect("ok");
    shell.expect_prompt(&prompt);
    shell.press("repl\tcity Rome --outp\tjson\r");
    shell.expect("{\"stored\":true}");
    shell.expect_prompt(&prompt);
    shell.press("get city\r");
    shell.expect("Rome");
    shell.expect_prompt(&prompt);
    shell.press("use temp\r");
    shell.expect("error: memcached has no tables");
    shell.expect_prompt(&prompt);
    shell.press("\u{4}");
    assert!(shell.end().success());
}
