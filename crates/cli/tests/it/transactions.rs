//! Commands on TiKV's transactions, one by one and in the shell.

use serde_json::json;

use crate::cluster::Cluster;

fn start() -> Cluster {
    Cluster::start_txn()
}

#[test]
fn a_line_without_a_transaction_is_one_by_itself() {
    let cluster = start();
    assert_eq!(cluster.answer(&["set", "city", "New York"]), "ok\n");
    assert_eq!(cluster.answer(&["get", "city"]), "'New York'\n");
    assert_eq!(cluster.answer(&["batch-set", "a", "1", "b", "2"]), "ok\n");
    assert_eq!(cluster.json(&["mget", "b", "x", "a"]), json!([{"key": "b", "value": "2"}, {"key": "a", "value": "1"}]));
    assert_eq!(cluster.run(&["insert", "a", "3"]).code, Some(5));
    assert_eq!(cluster.answer(&["scan", "--reverse", "--limit", "2", "--keys-only", "--output", "raw"]), "city\nb\n");
    assert_eq!(cluster.answer(&["count"]), "3\n");
    assert_eq!(cluster.answer(&["del", "a", "b"]), "ok\n");
    assert_eq!(cluster.run(&["get", "a"]).code, Some(1));
    assert_eq!(cluster.run(&["commit"]).code, Some(3));
    assert_eq!(cluster.run(&["batch-set", "a"]).code, Some(3));
}

#[test]
fn lines_between_begin_and_commit_are_one_transaction() {
    let cluster = start();
    let lines = [
        "begin --pessimistic",
        "set a 1",
        "get-for-update b",
        "savepoint s",
        "set c 3",
        "rollback-to s",
        "locks",
        "commit",
        "scan",
        "locks",
    ];
    let said = cluster.pipe(&[], lines.join("\n"));
    assert_eq!((said.code, &*said.stderr), (Some(0), "(missing)\n"), "{said:?}");
    let locked: Vec<_> =
        said.stdout.lines().filter(|line| line.contains("pessimistic")).map(|line| &line[..1]).collect();
    assert_eq!(locked, ["a", "b", "c"], "a lock outlives what was written under it: {said:?}");
    assert!(said.stdout.contains("key  value\na    1\n"), "{said:?}");
    let said = cluster.pipe(&[], "begin\nset a 2\nrollback\n");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(cluster.answer(&["get", "a", "--output", "raw"]), "1");
    assert_eq!(cluster.answer(&["locks", "--output", "raw"]), "");
    assert_eq!(cluster.run(&["rollback-to", "s"]).code, Some(3));
}

#[test]
fn a_conflict_is_told_and_ends_the_transaction() {
    let cluster = start();
    let place = cluster.place().to_owned();
    let said = cluster.pipe(
        &["--keep-going"],
        format!("begin\nset a 1\nset a 2 --url {}\ncommit\ncommit\n", place.replace("?", "?attempts=9&")),
    );
    assert!(said.stderr.contains("was written by the transaction"), "{said:?}");
    assert!(said.stderr.contains("there is no transaction"), "{said:?}");
    assert_eq!(cluster.answer(&["get", "a"]), "2\n");
}

#[test]
fn the_past_can_be_looked_at_and_forgotten() {
    let cluster = start();
    cluster.answer(&["set", "a", "1"]);
    let now = cluster.json(&["timestamp"])["timestamp"].as_u64().unwrap().to_string();
    assert_eq!(cluster.answer(&["gc", &now, "--wait", "0s"]), format!("{now}\n"));
    assert_eq!(cluster.json(&["gc-state"])["txn_safe_point"].to_string(), now);
    assert_eq!(cluster.answer(&["resolve-locks"]), "0\n");
    assert_eq!(cluster.answer(&["del-range", "", ""]), "ok\n");
    assert_eq!(cluster.answer(&["count"]), "0\n");
}
