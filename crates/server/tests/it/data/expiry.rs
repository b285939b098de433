//! Rows that expire.

use charioteer_proto::pegasus::data::{
    CheckAndMutateRequest, CheckAndSetRequest, IncrRequest, KeyValue, MultiGetRequest, MultiPutRequest, Mutate,
    UpdateRequest, status,
};
use charioteer_proto::pegasus::rpc;

use crate::support::{Fixture, START, put, raw};

impl Fixture {
    async fn put_until(&mut self, sort_key: &str, expire_ts_seconds: i32) {
        let request = UpdateRequest { expire_ts_seconds, ..put("h", sort_key, "v") };
        assert_eq!(self.ask::<rpc::Put>("h", request).await.error, status::OK);
    }

    /// The status and the seconds of a question for the time to live.
    async fn ttl_of(&mut self, sort_key: &str) -> (i32, i32) {
        let reply = self.ask::<rpc::Ttl>("h", raw("h", sort_key)).await;
        (reply.error, reply.ttl_seconds)
    }
}

#[tokio::test]
async fn a_row_is_there_until_its_time_has_come_and_not_a_second_longer() {
    let mut fixture = Fixture::start().await;
    fixture.put_until("s", START + 10).await;
    assert_eq!(fixture.ttl_of("s").await, (status::OK, 10));
    fixture.advance(9);
    assert_eq!(fixture.ttl_of("s").await, (status::OK, 1));
    assert_eq!(fixture.get("h", "s").await.unwrap(), "v");
    fixture.advance(1);
    assert_eq!(fixture.ttl_of("s").await, (status::NOT_FOUND, 0));
    assert_eq!(fixture.get("h", "s").await, None);
}

#[tokio::test]
async fn a_row_without_an_expiry_lives_for_ever_and_a_negative_one_nearly_so() {
    let mut fixture = Fixture::start().await;
    fixture.put_until("never", 0).await;
    fixture.put_until("far", -1).await;
    assert_eq!(fixture.ttl_of("never").await, (status::OK, -1));
    assert_eq!(fixture.ttl_of("far").await, (status::OK, i32::MAX), "more than the answer can say");
    assert_eq!(fixture.ttl_of("none").await, (status::NOT_FOUND, 0));
    fixture.advance(100 * 365 * 24 * 60 * 60);
    assert_eq!(fixture.get("h", "never").await.unwrap(), "v");
    assert_eq!(fixture.get("h", "far").await.unwrap(), "v");
}

#[tokio::test]
async fn a_row_whose_time_has_passed_already_is_never_seen() {
    let mut fixture = Fixture::start().await;
    for past in [1, START - 1, START] {
        fixture.put_until("s", past).await;
        assert_eq!(fixture.get("h", "s").await, None);
    }
}

#[tokio::test]
async fn a_row_that_is_put_again_has_the_new_expiry() {
    let mut fixture = Fixture::start().await;
    fixture.put_until("s", START + 10).await;
    fixture.put_until("s", 0).await;
    assert_eq!(fixture.ttl_of("s").await, (status::OK, -1));
}

#[tokio::test]
async fn expired_rows_are_left_out_of_ranges_and_counts() {
    let mut fixture = Fixture::start().await;
    let row = |key: &'static str| KeyValue { key: key.into(), ..KeyValue::default() };
    let request = MultiPutRequest { hash_key: "h".into(), kvs: vec![row("a"), row("b")], expire_ts_seconds: START + 5 };
    fixture.ask::<rpc::MultiPut>("h", request).await;
    fixture.put_until("c", 0).await;
    assert_eq!(fixture.ask::<rpc::SortkeyCount>("h", "h".into()).await.count, 3);
    fixture.advance(5);
    assert_eq!(fixture.ask::<rpc::SortkeyCount>("h", "h".into()).await.count, 1);
    let range = MultiGetRequest { hash_key: "h".into(), start_inclusive: true, ..MultiGetRequest::default() };
    let reply = fixture.ask::<rpc::MultiGet>("h", range).await;
    assert_eq!(reply.kvs.iter().map(|row| &row.key[..]).collect::<Vec<_>>(), [b"c"]);
}

#[tokio::test]
async fn the_default_time_to_live_is_given_to_every_row_written_without_one() {
    let mut fixture = Fixture::start().await;
    fixture.put_until("before", 0).await;
    fixture.set_env("default_ttl", "60").await;
    fixture.put_until("put", 0).await;
    fixture.put_until("own", START + 5).await;
    let kvs = vec![KeyValue { key: "multi".into(), ..KeyValue::default() }];
    let request = MultiPutRequest { hash_key: "h".into(), kvs, expire_ts_seconds: 0 };
    fixture.ask::<rpc::MultiPut>("h", request).await;
    let request = IncrRequest { key: raw("h", "counter"), increment: 1, expire_ts_seconds: 0 };
    fixture.ask::<rpc::Incr>("h", request).await;
    let request =
        CheckAndSetRequest { hash_key: "h".into(), check_sort_key: "set".into(), ..CheckAndSetRequest::default() };
    fixture.ask::<rpc::CheckAndSet>("h", request).await;
    let mutate_list = vec![Mutate { sort_key: "mutated".into(), ..Mutate::default() }];
    let request = CheckAndMutateRequest { hash_key: "h".into(), mutate_list, ..CheckAndMutateRequest::default() };
    fixture.ask::<rpc::CheckAndMutate>("h", request).await;

    for sort_key in ["put", "multi", "counter", "set", "mutated"] {
        assert_eq!(fixture.ttl_of(sort_key).await, (status::OK, 60), "{sort_key}");
    }
    assert_eq!(fixture.ttl_of("own").await, (status::OK, 5));
    assert_eq!(fixture.ttl_of("before").await, (status::OK, -1));
}
