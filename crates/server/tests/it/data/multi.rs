//! Several rows at once.

use bytes::Bytes;
use charioteer_proto::pegasus::data::{
    BatchGetRequest, FullKey, KeyValue, MultiGetRequest, MultiPutRequest, MultiRemoveRequest, status,
};
use charioteer_proto::pegasus::rpc;

use crate::support::{Fixture, put, raw};

/// Puts rows with these sort keys, each with its upper-case form as its value.
fn rows(hash_key: &'static str, sort_keys: &[&'static str]) -> MultiPutRequest {
    let row = |sort_key: &&'static str| KeyValue {
        key: Bytes::from_static(sort_key.as_bytes()),
        value: sort_key.to_uppercase().into(),
        expire_ts_seconds: None,
    };
    MultiPutRequest { hash_key: hash_key.into(), kvs: sort_keys.iter().map(row).collect(), expire_ts_seconds: 0 }
}

fn blobs(words: &[&'static str]) -> Vec<Bytes> {
    words.iter().map(|word| Bytes::from_static(word.as_bytes())).collect()
}

fn range(hash_key: &'static str) -> MultiGetRequest {
    MultiGetRequest { hash_key: hash_key.into(), start_inclusive: true, ..MultiGetRequest::default() }
}

impl Fixture {
    async fn with_rows(hash_key: &'static str, sort_keys: &[&'static str]) -> Self {
        let mut fixture = Self::start().await;
        assert_eq!(fixture.ask::<rpc::MultiPut>(hash_key, rows(hash_key, sort_keys)).await.error, status::OK);
        fixture
    }

    /// The status and the sort keys of a multi-get on `h`.
    async fn multi_get(&mut self, request: MultiGetRequest) -> (i32, Vec<String>) {
        let reply = self.ask::<rpc::MultiGet>("h", request).await;
        let keys = reply.kvs.iter().map(|row| String::from_utf8(row.key.to_vec()).unwrap()).collect();
        (reply.error, keys)
    }
}

fn found(error: i32, keys: &[&str]) -> (i32, Vec<String>) {
    (error, keys.iter().map(ToString::to_string).collect())
}

#[tokio::test]
async fn several_rows_are_put_read_and_removed_together() {
    let mut fixture = Fixture::start().await;
    let put = fixture.ask::<rpc::MultiPut>("h", rows("h", &["a", "b", "c"])).await;
    let server = fixture.address().to_string();
    let index = fixture.table.at("h").partition_index;
    assert_eq!((put.error, put.app_id, put.partition_index, put.decree), (0, 1, index, 1), "one write for all");

    let read = fixture.ask::<rpc::MultiGet>("h", range("h")).await;
    assert_eq!((read.error, read.app_id, read.partition_index, read.server.as_str()), (0, 1, index, &*server));
    let row =
        |key, value| KeyValue { key: Bytes::from_static(key), value: Bytes::from_static(value), ..KeyValue::default() };
    assert_eq!(read.kvs, [row(b"a", b"A"), row(b"b", b"B"), row(b"c", b"C")]);

    let request = MultiRemoveRequest { hash_key: "h".into(), sort_keys: blobs(&["a", "none", "c"]), max_count: 100 };
    let removed = fixture.ask::<rpc::MultiRemove>("h", request).await;
    assert_eq!((removed.error, removed.count, removed.decree), (0, 3, 2), "as many as were asked for");
    assert_eq!((removed.app_id, removed.partition_index, removed.server.as_str()), (1, index, &*server));
    assert_eq!(fixture.multi_get(range("h")).await, found(status::OK, &["b"]));
}

#[tokio::test]
async fn empty_lists_are_refused() {
    let mut fixture = Fixture::start().await;
    let invalid = status::INVALID_ARGUMENT;
    assert_eq!(fixture.ask::<rpc::MultiPut>("h", rows("h", &[])).await.error, invalid);
    let request = MultiRemoveRequest { hash_key: "h".into(), ..MultiRemoveRequest::default() };
    let removed = fixture.ask::<rpc::MultiRemove>("h", request).await;
    assert_eq!((removed.error, removed.count), (invalid, 0));
    let read = fixture.ask::<rpc::BatchGet>("h", BatchGetRequest::default()).await;
    assert_eq!((read.error, read.data.len()), (invalid, 0));
}

#[tokio::test]
async fn of_two_rows_with_one_name_the_last_one_is_kept() {
    let mut fixture = Fixture::start().await;
    let mut request = rows("h", &["a", "a"]);
    request.kvs[1].value = "last".into();
    fixture.ask::<rpc::MultiPut>("h", request).await;
    assert_eq!(fixture.get("h", "a").await.unwrap(), "last");
}

#[tokio::test]
async fn named_rows_come_in_the_order_asked_for_and_missing_ones_are_left_out() {
    let mut fixture = Fixture::with_rows("h", &["a", "b", "c"]).await;
    let named = |max_kv_count| MultiGetRequest {
        sort_keys: blobs(&["c", "none", "a", "c", "b"]),
        max_kv_count,
        reverse: true,
        start_sortkey: "z".into(),
        ..range("h")
    };
    assert_eq!(fixture.multi_get(named(0)).await, found(status::OK, &["c", "a", "c", "b"]));
    assert_eq!(fixture.multi_get(named(-1)).await, found(status::OK, &["c", "a", "c", "b"]));
    assert_eq!(fixture.multi_get(named(2)).await, found(status::INCOMPLETE, &["c", "a"]));
    assert_eq!(fixture.multi_get(named(4)).await, found(status::OK, &["c", "a", "c", "b"]));
}

#[tokio::test]
async fn a_range_is_bounded_as_asked() {
    let mut fixture = Fixture::with_rows("h", &["a", "b", "c", "d"]).await;
    fixture.put("hh", "a", "another hash key").await;
    let between = |start_inclusive, stop_inclusive| MultiGetRequest {
        start_sortkey: "b".into(),
        stop_sortkey: "d".into(),
        start_inclusive,
        stop_inclusive,
        ..range("h")
    };
    assert_eq!(fixture.multi_get(between(true, true)).await, found(0, &["b", "c", "d"]));
    assert_eq!(fixture.multi_get(between(false, false)).await, found(0, &["c"]));
    let empty = MultiGetRequest { stop_sortkey: "a".into(), ..between(true, true) };
    assert_eq!(fixture.multi_get(empty).await, found(0, &[]));
    let exclusive = MultiGetRequest { start_inclusive: false, ..range("h") };
    assert_eq!(fixture.multi_get(exclusive).await, found(0, &["a", "b", "c", "d"]), "no row has the empty sort key");
}

#[tokio::test]
async fn a_range_that_holds_more_than_was_wanted_is_called_incomplete() {
    let mut fixture = Fixture::with_rows("h", &["a", "b", "c"]).await;
    let most = |max_kv_count| MultiGetRequest { max_kv_count, ..range("h") };
    assert_eq!(fixture.multi_get(most(2)).await, found(status::INCOMPLETE, &["a", "b"]));
    assert_eq!(fixture.multi_get(most(3)).await, found(status::OK, &["a", "b", "c"]));
    let last = MultiGetRequest { reverse: true, ..most(2) };
    assert_eq!(fixture.multi_get(last).await, found(status::INCOMPLETE, &["b", "c"]), "ascending all the same");
    let small = MultiGetRequest { max_kv_size: 3, ..range("h") };
    assert_eq!(fixture.multi_get(small).await, found(status::INCOMPLETE, &["a", "b"]), "the last may go beyond");
}

#[tokio::test]
async fn more_than_three_thousand_rows_come_in_parts() {
    let mut fixture = Fixture::start().await;
    let kvs = (0..3001_u32).map(|number| KeyValue { key: format!("{number:05}").into(), ..KeyValue::default() });
    let request = MultiPutRequest { hash_key: "h".into(), kvs: kvs.collect(), expire_ts_seconds: 0 };
    fixture.ask::<rpc::MultiPut>("h", request).await;
    let (error, keys) = fixture.multi_get(range("h")).await;
    assert_eq!((error, keys.len()), (status::INCOMPLETE, 3000));
    let rest = MultiGetRequest { start_sortkey: keys[2999].clone().into(), start_inclusive: false, ..range("h") };
    assert_eq!(fixture.multi_get(rest).await, found(status::OK, &["03000"]));
    assert_eq!(fixture.ask::<rpc::SortkeyCount>("h", "h".into()).await.count, 3001, "counting has no such limit");
}

#[tokio::test]
async fn rows_are_filtered_by_their_sort_keys() {
    let mut fixture = Fixture::with_rows("h", &["abc", "bcd", "cab"]).await;
    let filtered = |sort_key_filter_type, pattern: &'static str| MultiGetRequest {
        sort_key_filter_type,
        sort_key_filter_pattern: pattern.into(),
        ..range("h")
    };
    assert_eq!(fixture.multi_get(filtered(1, "bc")).await, found(0, &["abc", "bcd"]));
    assert_eq!(fixture.multi_get(filtered(2, "b")).await, found(0, &["bcd"]));
    assert_eq!(fixture.multi_get(filtered(3, "b")).await, found(0, &["cab"]));
    assert_eq!(fixture.multi_get(filtered(3, "")).await, found(0, &["abc", "bcd", "cab"]));
    for unknown in [4, -1, i32::MAX] {
        assert_eq!(fixture.multi_get(filtered(unknown, "b")).await, found(status::INVALID_ARGUMENT, &[]));
        let named = MultiGetRequest { sort_keys: blobs(&["abc"]), ..filtered(unknown, "") };
        assert_eq!(fixture.multi_get(named).await, found(status::INVALID_ARGUMENT, &[]), "named rows or not");
    }
}

#[tokio::test]
async fn values_are_left_out_where_they_are_not_wanted() {
    let mut fixture = Fixture::with_rows("h", &["a", "b"]).await;
    for sort_keys in [Vec::new(), blobs(&["a", "b"])] {
        let reply =
            fixture.ask::<rpc::MultiGet>("h", MultiGetRequest { no_value: true, sort_keys, ..range("h") }).await;
        assert_eq!(reply.kvs.len(), 2);
        assert!(reply.kvs.iter().all(|row| row.value.is_empty()));
    }
}

#[tokio::test]
async fn rows_of_one_partition_are_read_in_one_batch() {
    let mut fixture = Fixture::start().await;
    let partition = fixture.table.partition(5);
    for (hash_key, value) in [("one", "1"), ("two", "2")] {
        fixture.client.ask::<rpc::Put>(partition, put(hash_key, "s", value)).await;
    }
    let key = |hash_key: &'static str| FullKey { hash_key: hash_key.into(), sort_key: "s".into() };
    let request = BatchGetRequest { keys: vec![key("two"), key("none"), key("one"), key("two")] };
    let reply = fixture.client.ask::<rpc::BatchGet>(partition, request).await;
    assert_eq!((reply.error, reply.app_id, reply.partition_index), (status::OK, 1, 5));
    assert_eq!(reply.server.as_str(), fixture.address().to_string());
    let values: Vec<_> = reply.data.iter().map(|row| (&row.hash_key[..], &row.sort_key[..], &row.value[..])).collect();
    assert_eq!(values, [(&b"two"[..], &b"s"[..], &b"2"[..]), (b"one", b"s", b"1"), (b"two", b"s", b"2")]);
}

#[tokio::test]
async fn sort_keys_are_counted_under_a_bare_hash_key() {
    let mut fixture = Fixture::with_rows("h", &["a", "b", "c"]).await;
    fixture.put("hx", "a", "another").await;
    let reply = fixture.ask::<rpc::SortkeyCount>("h", "h".into()).await;
    let header = fixture.table.at("h");
    assert_eq!((reply.error, reply.count), (status::OK, 3));
    assert_eq!((reply.app_id, reply.partition_index), (1, header.partition_index));
    assert_eq!(reply.server.as_str(), fixture.address().to_string());
    let none = fixture.ask::<rpc::SortkeyCount>("none", "none".into()).await;
    assert_eq!((none.error, none.count), (status::OK, 0));
    assert_eq!(fixture.ask::<rpc::Ttl>("h", raw("h", "a")).await.ttl_seconds, -1);
}
