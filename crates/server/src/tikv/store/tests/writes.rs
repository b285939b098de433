use charioteer_engine::raw::MAX_KEY_BYTES;
use charioteer_proto::tikv::kvrpcpb::{
    RawBatchDeleteRequest, RawBatchPutRequest, RawCasRequest, RawCasResponse, RawDeleteRangeRequest, RawDeleteRequest,
};

use super::*;

async fn put_all(f: &Fixture, pairs: Vec<KvPair>, ttls: &[u64]) -> String {
    let request =
        RawBatchPutRequest { context: f.context(), pairs, ttls: ttls.to_vec(), ..RawBatchPutRequest::default() };
    let reply = f.ask::<rpc::RawBatchPut>(request).await;
    assert_eq!(reply.region_error, None);
    reply.error
}

#[tokio::test]
async fn lifetimes_of_a_batch_are_none_or_one_for_all_or_one_for_each() {
    let f = Fixture::new();
    let three = || vec![pair("a", "1"), pair("b", "2"), pair("c", "3")];
    assert_eq!(put_all(&f, three(), &[]).await, "");
    f.advance(1_000_000);
    assert_eq!(f.keys().await, ["a", "b", "c"]);
    assert_eq!(put_all(&f, three(), &[1, 0, 2]).await, "");
    f.advance(1);
    assert_eq!(f.keys().await, ["b", "c"]);
    assert_eq!(put_all(&f, three(), &[7]).await, "");
    f.advance(7);
    assert_eq!(f.keys().await, [""; 0]);
    for ttls in [&[1, 2][..], &[1, 2, 3, 4]] {
        let told = "The length of ttls does not equal to the length of pairs";
        assert_eq!(put_all(&f, three(), ttls).await, told);
    }
    assert_eq!(f.keys().await, [""; 0]);
    assert_eq!(put_all(&f, Vec::new(), &[1]).await, "", "one is for as many as there are");
}

#[tokio::test]
#[expect(deprecated, reason = "clients of old send it")]
async fn the_one_lifetime_of_old_is_not_read() {
    let f = Fixture::new();
    let pairs = vec![pair("a", "1")];
    let request = RawBatchPutRequest { context: f.context(), pairs, ttl: 5, ..RawBatchPutRequest::default() };
    f.ask::<rpc::RawBatchPut>(request).await;
    f.advance(5);
    assert_eq!(f.keys().await, ["a"]);
}

#[tokio::test]
async fn the_last_of_a_batch_counts_for_a_key() {
    let f = Fixture::new();
    assert_eq!(put_all(&f, vec![pair("a", "1"), pair("a", "2")], &[]).await, "");
    assert_eq!(f.get("a").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_batch_of_very_many_writes_runs_aside() {
    for f in [Fixture::new(), Fixture::on_disk()] {
        let pairs = (0..2000).map(|number| pair(&number.to_string(), "value")).collect();
        assert_eq!(put_all(&f, pairs, &[]).await, "");
        assert_eq!(f.get("1999").await.as_deref(), Some("value"));
        let keys = (0..2000).map(|number| bytes(&number.to_string())).collect();
        let request = RawBatchDeleteRequest { context: f.context(), keys, ..RawBatchDeleteRequest::default() };
        assert_eq!(f.ask::<rpc::RawBatchDelete>(request).await, Default::default());
        assert_eq!(f.keys().await, [""; 0]);
    }
}

#[tokio::test]
async fn what_is_not_there_can_be_deleted() {
    let f = Fixture::new();
    let request = RawDeleteRequest { context: f.context(), key: bytes("none"), ..RawDeleteRequest::default() };
    assert_eq!(f.ask::<rpc::RawDelete>(request).await, Default::default());
}

#[tokio::test]
async fn keys_longer_than_8_kib_are_not_written() {
    let f = Fixture::new();
    let (context, key) = (f.context(), Bytes::from(vec![b'k'; MAX_KEY_BYTES + 1]));
    let told = "max key size exceeded, size: 8193, limit: 8192";
    for for_cas in [false, true] {
        let put = RawPutRequest { context: context.clone(), key: key.clone(), for_cas, ..RawPutRequest::default() };
        assert_eq!(f.ask::<rpc::RawPut>(put).await.error, told);
    }
    let pairs = vec![pair("a", "1"), KvPair { key: key.clone(), ..KvPair::default() }];
    assert_eq!(put_all(&f, pairs, &[]).await, told);
    let delete = RawDeleteRequest { context: context.clone(), key: key.clone(), ..RawDeleteRequest::default() };
    assert_eq!(f.ask::<rpc::RawDelete>(delete).await.error, told);
    let keys = vec![bytes("a"), key.clone()];
    let deletes = RawBatchDeleteRequest { context: context.clone(), keys, ..RawBatchDeleteRequest::default() };
    assert_eq!(f.ask::<rpc::RawBatchDelete>(deletes).await.error, told);
    let range = RawDeleteRangeRequest { context: context.clone(), end_key: key.clone(), ..Default::default() };
    assert_eq!(f.ask::<rpc::RawDeleteRange>(range).await.error, told);
    let swap = RawCasRequest { context, key, previous_not_exist: true, ..RawCasRequest::default() };
    assert_eq!(f.ask::<rpc::RawCompareAndSwap>(swap).await.error, told);
    assert_eq!(f.keys().await, [""; 0]);
    f.put(&"k".repeat(MAX_KEY_BYTES), "fits").await;
}

fn swap(f: &Fixture, expected: Option<&str>, value: &str) -> RawCasRequest {
    RawCasRequest {
        context: f.context(),
        key: bytes("key"),
        value: bytes(value),
        previous_not_exist: expected.is_none(),
        previous_value: expected.map(bytes).unwrap_or_default(),
        ..RawCasRequest::default()
    }
}

fn swapped(succeed: bool, previous: Option<&str>) -> RawCasResponse {
    RawCasResponse {
        succeed,
        previous_not_exist: previous.is_none(),
        previous_value: previous.map(bytes).unwrap_or_default(),
        ..RawCasResponse::default()
    }
}

#[tokio::test]
async fn a_swap_always_tells_what_was_there() {
    for f in [Fixture::new(), Fixture::on_disk()] {
        let steps = [
            (Some("none"), "no", swapped(false, None)),
            (None, "", swapped(true, None)),
            (None, "no", swapped(false, Some(""))),
            (Some("other"), "no", swapped(false, Some(""))),
            (Some(""), "value", swapped(true, Some(""))),
            (Some("value"), "value", swapped(true, Some("value"))),
        ];
        for (expected, value, told) in steps {
            assert_eq!(f.ask::<rpc::RawCompareAndSwap>(swap(&f, expected, value)).await, told);
        }
        assert_eq!(f.get("key").await.as_deref(), Some("value"));
    }
}

#[tokio::test]
async fn a_swap_can_delete_and_give_a_lifetime() {
    let f = Fixture::new();
    let for_a_second = RawCasRequest { ttl: 1, ..swap(&f, None, "short") };
    assert_eq!(f.ask::<rpc::RawCompareAndSwap>(for_a_second).await, swapped(true, None));
    f.advance(1);
    assert_eq!(f.ask::<rpc::RawCompareAndSwap>(swap(&f, None, "value")).await, swapped(true, None), "it has expired");
    let delete = |expected| RawCasRequest { delete: true, ..swap(&f, expected, "ignored") };
    assert_eq!(f.ask::<rpc::RawCompareAndSwap>(delete(Some("other"))).await, swapped(false, Some("value")));
    assert_eq!(f.ask::<rpc::RawCompareAndSwap>(delete(Some("value"))).await, swapped(true, Some("value")));
    assert_eq!(f.get("key").await, None);
}

#[tokio::test]
async fn of_many_swaps_from_the_same_value_one_succeeds() {
    for f in [Fixture::new(), Fixture::on_disk()] {
        let swaps = (0..50).map(|number| f.ask::<rpc::RawCompareAndSwap>(swap(&f, None, &number.to_string())));
        let replies = futures_util::future::join_all(swaps.collect::<Vec<_>>()).await;
        assert_eq!(replies.iter().filter(|reply| reply.succeed).count(), 1);
    }
}

async fn delete_range(f: &Fixture, cf: &str, start: &str, end: &str) -> String {
    let request =
        RawDeleteRangeRequest { context: f.context(), start_key: bytes(start), end_key: bytes(end), cf: cf.to_owned() };
    let reply = f.ask::<rpc::RawDeleteRange>(request).await;
    assert_eq!(reply.region_error, None);
    reply.error
}

#[tokio::test]
async fn a_range_is_deleted_up_to_its_end() {
    for f in [Fixture::new(), Fixture::on_disk()] {
        for key in ["a", "b", "c", "d"] {
            f.put(key, "value").await;
        }
        assert_eq!(delete_range(&f, "write", "", "").await, "");
        assert_eq!(delete_range(&f, "", "b", "c\0").await, "");
        assert_eq!(f.keys().await, ["a", "d"]);
        assert_eq!(delete_range(&f, "", "b", "").await, "");
        assert_eq!(f.keys().await, ["a"]);
        let told = "invalid delete range command, start_key: [98], end_key: [97]";
        assert_eq!(delete_range(&f, "", "b", "a").await, told);
        assert!(!delete_range(&f, "", "a", "a").await.is_empty());
    }
}

#[tokio::test]
async fn a_range_of_very_many_rows_is_deleted_in_pieces() {
    for f in [Fixture::new(), Fixture::on_disk()] {
        let pairs = (0..10_000).map(|number| pair(&format!("{number:05}"), "value")).collect();
        assert_eq!(put_all(&f, pairs, &[]).await, "");
        assert_eq!(delete_range(&f, "", "", "09999").await, "");
        assert_eq!(f.keys().await, ["09999"]);
    }
}
