use charioteer_proto::tikv::kvrpcpb::{RawBatchGetRequest, RawGetKeyTtlRequest};

use super::*;

async fn ttl(f: &Fixture, key: &str) -> Option<u64> {
    let request = RawGetKeyTtlRequest { context: f.context(), key: bytes(key), ..RawGetKeyTtlRequest::default() };
    let reply = f.ask::<rpc::RawGetKeyTtl>(request).await;
    assert_eq!((reply.error, reply.region_error), (String::new(), None));
    (!reply.not_found).then_some(reply.ttl)
}

#[tokio::test]
async fn an_expired_value_is_gone_at_once_for_everybody() {
    for f in [Fixture::new(), Fixture::on_disk()] {
        f.put_for("key", "value", 10).await;
        f.put("other", "value").await;
        assert_eq!((ttl(&f, "key").await, ttl(&f, "other").await, ttl(&f, "none").await), (Some(10), Some(0), None));
        f.advance(9);
        assert_eq!((ttl(&f, "key").await, f.get("key").await.as_deref()), (Some(1), Some("value")));
        f.advance(1);
        assert_eq!((ttl(&f, "key").await, f.get("key").await), (None, None));
        assert_eq!(f.keys().await, ["other"]);
    }
}

#[tokio::test]
async fn a_batch_of_gets_answers_with_what_is_there_in_its_order() {
    let f = Fixture::new();
    for key in ["a", "c"] {
        f.put(key, key).await;
    }
    let keys = ["c", "b", "a", "c", ""].map(bytes).to_vec();
    let request = RawBatchGetRequest { context: f.context(), keys, ..RawBatchGetRequest::default() };
    let reply = f.ask::<rpc::RawBatchGet>(request).await;
    assert_eq!(reply.pairs, [pair("c", "c"), pair("a", "a"), pair("c", "c")]);
}

#[tokio::test]
async fn a_batch_of_very_many_gets_is_answered_in_pieces() {
    for f in [Fixture::new(), Fixture::on_disk()] {
        f.put("key", "value").await;
        let keys = vec![bytes("key"); 3000];
        let request = RawBatchGetRequest { context: f.context(), keys, ..RawBatchGetRequest::default() };
        assert!(matches!(f.store.call::<rpc::RawBatchGet>(request.clone()), Soon::Pending(_)));
        assert_eq!(f.ask::<rpc::RawBatchGet>(request).await.pairs.len(), 3000);
    }
}

#[tokio::test]
async fn a_key_that_is_too_long_to_be_written_is_not_there() {
    let f = Fixture::new();
    assert_eq!(f.get(&"k".repeat(100_000)).await, None);
}

#[tokio::test]
async fn tidying_up_removes_what_has_expired_of_both_versions() {
    let f = Fixture::new();
    f.put_for("key", "value", 1).await;
    let request = RawPutRequest { context: f.v2(), key: bytes("rkey"), ttl: 1, ..RawPutRequest::default() };
    f.ask::<rpc::RawPut>(request).await;
    f.advance(1);
    let rows = |keyspace| {
        let db = f.backend.db();
        let (rows, mut count) = (db.keyspace(keyspace).unwrap(), 0);
        let everything = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
        let count_one = |_: &Bytes, _: &Bytes| {
            count += 1;
            std::ops::ControlFlow::Continue(())
        };
        db.snapshot().visit(&rows, everything, charioteer_engine::Direction::Forward, count_one).unwrap();
        count
    };
    assert_eq!((rows("raw-default"), rows("raw2-default")), (1, 1));
    crate::backend::Backend::tidy(&f.backend).await.unwrap();
    assert_eq!((rows("raw-default"), rows("raw2-default")), (0, 0));
}
