use bytes::Bytes;
use charioteer_engine::table::{BatchGet, MultiGet, MultiGetReply, MultiPut, MultiRemove, Status, TimeToLive};

use super::fixture::{Fixture, START, bytes, text};

fn multi_get(f: &Fixture, sort_keys: &[&str], max_count: i32, max_size: i32, no_value: bool) -> MultiGetReply {
    let sort_keys = sort_keys.iter().map(|sort_key| bytes(sort_key)).collect();
    f.run(MultiGet::new("h".into(), sort_keys, max_count, max_size, no_value))
}

fn sort_keys(reply: &MultiGetReply) -> Vec<String> {
    reply.rows.iter().map(|(sort_key, _)| text(sort_key)).collect()
}

fn multi_put(f: &Fixture, rows: &[(&str, &str)], expire_ts: u32) -> Status {
    let rows = rows.iter().map(|(sort_key, value)| (bytes(sort_key), bytes(value))).collect();
    f.run(MultiPut::new("h".into(), rows, expire_ts.cast_signed()))
}

#[test]
fn multi_put_writes_all_rows_with_one_expiry() {
    let f = Fixture::new();
    assert_eq!(multi_put(&f, &[("a", "1"), ("b", "2")], START + 9), Status::Ok);
    assert_eq!(f.get("h", "a").as_deref(), Some("1"));
    assert_eq!(f.ttl("h", "b"), Some(TimeToLive::Seconds(9)));
}

#[test]
fn multi_put_of_a_sort_key_twice_keeps_the_last_value() {
    let f = Fixture::new();
    multi_put(&f, &[("a", "1"), ("b", "2"), ("a", "3")], 0);
    assert_eq!(f.get("h", "a").as_deref(), Some("3"));
}

#[test]
fn multi_put_without_rows_is_invalid_and_counts_as_a_write() {
    let f = Fixture::new();
    let done = f.table.run(0, MultiPut::new("h".into(), Vec::new(), 0)).unwrap();
    assert_eq!((done.reply, done.decree), (Status::InvalidArgument, 1));
}

#[test]
fn multi_put_applies_the_default_ttl() {
    let f = Fixture::new();
    f.set_env("default_ttl", "60");
    multi_put(&f, &[("a", "1")], 0);
    assert_eq!(f.ttl("h", "a"), Some(TimeToLive::Seconds(60)));
}

#[test]
fn multi_remove_counts_what_was_asked_for() {
    let f = Fixture::new();
    multi_put(&f, &[("a", "1"), ("b", "2"), ("c", "3")], 0);
    let reply = f.run(MultiRemove::new("h".into(), vec!["a".into(), "none".into(), "a".into(), "b".into()]));
    assert_eq!((reply.status, reply.count), (Status::Ok, 4));
    assert_eq!(f.get("h", "a"), None);
    assert_eq!(f.get("h", "b"), None);
    assert_eq!(f.get("h", "c").as_deref(), Some("3"));
}

#[test]
fn multi_remove_without_sort_keys_is_invalid() {
    let f = Fixture::new();
    let reply = f.run(MultiRemove::new("h".into(), Vec::new()));
    assert_eq!((reply.status, reply.count), (Status::InvalidArgument, 0));
}

#[test]
fn multi_get_answers_in_the_order_asked_for_and_leaves_out_what_is_missing() {
    let f = Fixture::new();
    multi_put(&f, &[("a", "1"), ("b", "2"), ("c", "3")], 0);
    f.put_until("h", "expired", "x", START);
    let reply = multi_get(&f, &["c", "none", "a", "expired", "c"], 0, 0, false);
    assert_eq!(reply.status, Status::Ok);
    let rows: Vec<(Bytes, Bytes)> =
        [("c", "3"), ("a", "1"), ("c", "3")].map(|(sort_key, value)| (bytes(sort_key), bytes(value))).to_vec();
    assert_eq!(reply.rows, rows);
}

#[test]
fn multi_get_is_incomplete_when_a_found_row_is_beyond_the_count() {
    let f = Fixture::new();
    multi_put(&f, &[("a", "1"), ("b", "2"), ("c", "3")], 0);
    let reply = multi_get(&f, &["a", "b", "c"], 2, 0, false);
    assert_eq!((reply.status, sort_keys(&reply)), (Status::Incomplete, vec!["a".to_owned(), "b".to_owned()]));
    let reply = multi_get(&f, &["a", "b", "none"], 2, 0, false);
    assert_eq!(reply.status, Status::Ok, "what follows is missing");
    let reply = multi_get(&f, &["a", "b"], 2, 0, false);
    assert_eq!(reply.status, Status::Ok);
}

#[test]
fn multi_get_may_overshoot_its_size_by_one_row() {
    let f = Fixture::new();
    multi_put(&f, &[("a", "1234"), ("b", "1234"), ("c", "1234")], 0);
    let reply = multi_get(&f, &["a", "b", "c"], 0, 6, false);
    assert_eq!((reply.status, reply.rows.len()), (Status::Incomplete, 2));
    let reply = multi_get(&f, &["a", "b", "c"], 0, 2, true);
    assert_eq!((reply.status, reply.rows.len()), (Status::Incomplete, 2), "without values only keys count");
}

#[test]
fn multi_get_without_values_returns_them_empty() {
    let f = Fixture::new();
    multi_put(&f, &[("a", "1")], 0);
    assert_eq!(multi_get(&f, &["a"], 0, 0, true).rows, [(bytes("a"), Bytes::new())]);
}

#[test]
fn multi_get_ignores_limits_that_are_not_positive() {
    let f = Fixture::new();
    multi_put(&f, &[("a", "1"), ("b", "2")], 0);
    let reply = multi_get(&f, &["a", "b"], -1, i32::MIN, false);
    assert_eq!((reply.status, reply.rows.len()), (Status::Ok, 2));
}

#[test]
fn multi_get_returns_at_most_3000_rows() {
    let f = Fixture::new();
    f.put("h", "a", "1");
    let reply = multi_get(&f, &["a"; 3001], 5000, 0, false);
    assert_eq!((reply.status, reply.rows.len()), (Status::Incomplete, 3000));
    let reply = multi_get(&f, &["a"; 3000], 5000, 0, false);
    assert_eq!((reply.status, reply.rows.len()), (Status::Ok, 3000));
}

#[test]
fn batch_get_reads_rows_of_several_hash_keys_in_order() {
    let f = Fixture::new();
    f.put("h1", "s", "1");
    f.put("h2", "s", "2");
    f.put_until("h3", "s", "3", START);
    let keys = [("h2", "s"), ("h3", "s"), ("none", "s"), ("h1", "s"), ("h2", "s")];
    let reply = f.run(BatchGet::new(keys.map(|(hash_key, sort_key)| (bytes(hash_key), bytes(sort_key))).to_vec()));
    assert_eq!(reply.status, Status::Ok);
    let rows: Vec<String> = reply.rows.iter().map(|(h, s, v)| format!("{}/{}={}", text(h), text(s), text(v))).collect();
    assert_eq!(rows, ["h2/s=2", "h1/s=1", "h2/s=2"]);
}

#[test]
fn batch_get_without_keys_is_invalid() {
    let reply = Fixture::new().run(BatchGet::new(Vec::new()));
    assert_eq!((reply.status, reply.rows.len()), (Status::InvalidArgument, 0));
}

#[test]
fn batch_get_knows_no_limit() {
    let f = Fixture::new();
    f.put("h", "s", "v");
    let reply = f.run(BatchGet::new(vec![("h".into(), "s".into()); 10_000]));
    assert_eq!((reply.status, reply.rows.len()), (Status::Ok, 10_000));
}

#[test]
fn multi_get_returns_no_more_than_30_mib_and_a_row() {
    let f = Fixture::new();
    f.put("h", "", &"v".repeat(1 << 20));
    let reply = multi_get(&f, &[""; 100], 0, 0, false);
    assert_eq!((reply.status, reply.rows.len()), (Status::Incomplete, 30));
}

#[test]
fn batch_get_is_incomplete_beyond_30_mib_and_a_row() {
    let f = Fixture::new();
    f.put("h", "", &"v".repeat(1 << 20));
    let reply = f.run(BatchGet::new(vec![("h".into(), Bytes::new()); 100]));
    assert_eq!((reply.status, reply.rows.len()), (Status::Incomplete, 30));
}
