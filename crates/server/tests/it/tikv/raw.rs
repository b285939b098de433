//! Every raw command, alone and in a batch.

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::*;
use charioteer_proto::tikv::rpc;

use super::support::{Tikv, Way, pair};

fn keys(keys: &[&'static str]) -> Vec<Bytes> {
    keys.iter().map(|key| Bytes::from(*key)).collect()
}

fn range(start: &'static str, end: &'static str) -> KeyRange {
    KeyRange { start_key: start.into(), end_key: end.into() }
}

#[tokio::test]
async fn a_row_is_put_got_and_deleted() {
    let mut tikv = Tikv::start().await;
    for way in Way::BOTH {
        let get = RawGetRequest { key: "a".into(), ..Default::default() };
        let missing = tikv.run::<rpc::RawGet>(way, get.clone()).await;
        assert_eq!(missing, RawGetResponse { not_found: true, ..Default::default() });
        let put = RawPutRequest { key: "a".into(), value: "one".into(), ..Default::default() };
        assert_eq!(tikv.run::<rpc::RawPut>(way, put).await, RawPutResponse::default());
        let found = tikv.run::<rpc::RawGet>(way, get).await;
        assert_eq!(found, RawGetResponse { value: "one".into(), ..Default::default() });
        let delete = RawDeleteRequest { key: "a".into(), ..Default::default() };
        assert_eq!(tikv.run::<rpc::RawDelete>(way, delete).await, RawDeleteResponse::default());
        assert_eq!(tikv.get("a").await, None);
    }
}

#[tokio::test]
async fn many_rows_are_put_got_and_deleted() {
    let mut tikv = Tikv::start().await;
    for way in Way::BOTH {
        let pairs = vec![pair("a", "one"), pair("b", ""), pair("c", "three")];
        let put = RawBatchPutRequest { pairs: pairs.clone(), ..Default::default() };
        assert_eq!(tikv.run::<rpc::RawBatchPut>(way, put).await, RawBatchPutResponse::default());
        let get = RawBatchGetRequest { keys: keys(&["c", "nothing", "a", "b"]), ..Default::default() };
        let found = tikv.run::<rpc::RawBatchGet>(way, get.clone()).await;
        assert_eq!(found.pairs, [pairs[2].clone(), pairs[0].clone(), pairs[1].clone()]);
        let delete = RawBatchDeleteRequest { keys: keys(&["a", "c"]), ..Default::default() };
        assert_eq!(tikv.run::<rpc::RawBatchDelete>(way, delete).await, RawBatchDeleteResponse::default());
        assert_eq!(tikv.run::<rpc::RawBatchGet>(way, get).await.pairs, [pairs[1].clone()]);
    }
}

#[tokio::test]
async fn ranges_are_scanned_forward_and_backward() {
    let mut tikv = Tikv::start().await;
    for key in ["a", "b", "c", "d"] {
        tikv.put(key, key.to_uppercase()).await;
    }
    for way in Way::BOTH {
        let forward = RawScanRequest { start_key: "b".into(), limit: 2, ..Default::default() };
        assert_eq!(tikv.run::<rpc::RawScan>(way, forward).await.kvs, [pair("b", "B"), pair("c", "C")]);
        let backward = RawScanRequest {
            start_key: "d".into(),
            end_key: "a".into(),
            limit: 9,
            reverse: true,
            key_only: true,
            ..Default::default()
        };
        assert_eq!(tikv.run::<rpc::RawScan>(way, backward).await.kvs, [pair("c", ""), pair("b", ""), pair("a", "")]);
        let several =
            RawBatchScanRequest { ranges: vec![range("a", "b"), range("c", "z")], each_limit: 1, ..Default::default() };
        assert_eq!(tikv.run::<rpc::RawBatchScan>(way, several).await.kvs, [pair("a", "A"), pair("c", "C")]);
    }
}

#[tokio::test]
async fn a_range_is_deleted() {
    let mut tikv = Tikv::start().await;
    for way in Way::BOTH {
        for key in ["a", "b", "c"] {
            tikv.put(key, "x").await;
        }
        let delete = RawDeleteRangeRequest { start_key: "a".into(), end_key: "c".into(), ..Default::default() };
        assert_eq!(tikv.run::<rpc::RawDeleteRange>(way, delete).await, RawDeleteRangeResponse::default());
        let scan = RawScanRequest { limit: 9, ..Default::default() };
        assert_eq!(tikv.run::<rpc::RawScan>(way, scan).await.kvs, [pair("c", "x")]);
    }
}

#[tokio::test]
async fn there_is_no_coprocessor() {
    let mut tikv = Tikv::start().await;
    for way in Way::BOTH {
        let request = RawCoprocessorRequest { copr_name: "sum".into(), ..Default::default() };
        let reply = tikv.run::<rpc::RawCoprocessor>(way, request).await;
        assert_eq!(reply.error, "Coprocessor plugin is disabled!");
    }
}

#[tokio::test]
async fn health_is_told_to_who_asks() {
    let mut tikv = Tikv::start().await;
    let mut last = 0;
    for way in Way::BOTH {
        let feedback = tikv.run::<rpc::GetHealthFeedback>(way, Default::default()).await.health_feedback.unwrap();
        assert!(feedback.feedback_seq_no > last);
        assert_eq!(feedback.slow_score, 1);
        last = feedback.feedback_seq_no;
    }
}

#[tokio::test]
async fn lifetimes_pass_with_the_clock() {
    let mut tikv = Tikv::start().await;
    let put = RawPutRequest { key: "a".into(), value: "x".into(), ttl: 10, ..Default::default() };
    tikv.ask::<rpc::RawPut>(put).await;
    tikv.clock.advance(std::time::Duration::from_secs(4));
    let asked = RawGetKeyTtlRequest { key: "a".into(), ..Default::default() };
    assert_eq!(tikv.ask::<rpc::RawGetKeyTtl>(asked.clone()).await.ttl, 6);
    tikv.clock.advance(std::time::Duration::from_secs(6));
    assert!(tikv.ask::<rpc::RawGetKeyTtl>(asked).await.not_found);
    assert_eq!(tikv.get("a").await, None);
}

#[tokio::test]
async fn a_value_is_swapped_for_another_if_it_is_as_expected() {
    let mut tikv = Tikv::start().await;
    let first = RawCasRequest { key: "a".into(), value: "one".into(), previous_not_exist: true, ..Default::default() };
    let swapped = tikv.ask::<rpc::RawCompareAndSwap>(first.clone()).await;
    assert_eq!(swapped, RawCasResponse { succeed: true, previous_not_exist: true, ..Default::default() });
    let refused = tikv.ask::<rpc::RawCompareAndSwap>(first).await;
    assert_eq!(refused, RawCasResponse { previous_value: "one".into(), ..Default::default() });
    assert_eq!(tikv.get("a").await.unwrap(), "one");
}

#[tokio::test]
async fn rows_have_a_checksum() {
    let mut tikv = Tikv::start().await;
    tikv.put("a", "one").await;
    let request = RawChecksumRequest { ranges: vec![range("a", "b")], ..Default::default() };
    let one = tikv.ask::<rpc::RawChecksum>(request.clone()).await;
    assert_eq!((one.total_kvs, one.total_bytes), (1, 4));
    tikv.put("a", "two").await;
    assert_ne!(tikv.ask::<rpc::RawChecksum>(request).await.checksum, one.checksum);
}

#[tokio::test]
async fn a_region_is_split_where_a_client_says() {
    let mut tikv = Tikv::start().await;
    let request = SplitRegionRequest { split_keys: keys(&["m"]), is_raw_kv: true, ..Default::default() };
    let split = tikv.ask::<rpc::SplitRegion>(request).await;
    assert_eq!((&split.regions[0].end_key[..], &split.regions[1].start_key[..]), (&b"m"[..], &b"m"[..]));
    assert_ne!(tikv.context(b"a").await.region_id, tikv.context(b"m").await.region_id);
    for key in ["a", "m"] {
        tikv.put(key, key).await;
        assert_eq!(tikv.get(key).await.unwrap(), key);
    }
}

#[tokio::test]
async fn everything_can_be_destroyed_and_nobody_waits_for_locks() {
    let mut tikv = Tikv::start().await;
    for key in ["apple", "banana", "cherry"] {
        tikv.put(key, "x").await;
    }
    let destroy = UnsafeDestroyRangeRequest { start_key: "a".into(), end_key: "c".into(), ..Default::default() };
    assert_eq!(tikv.ask::<rpc::UnsafeDestroyRange>(destroy).await, Default::default());
    assert_eq!((tikv.get("banana").await, tikv.get("cherry").await.unwrap()), (None, "x".into()));
    assert!(tikv.ask::<rpc::GetLockWaitInfo>(Default::default()).await.entries.is_empty());
    tikv.store.call::<rpc::GetStoreSafeTs>(&Default::default()).await.unwrap();
}

#[tokio::test]
async fn what_is_not_served_is_not_taken_for_done() {
    let mut tikv = Tikv::start().await;
    let refused = tikv.store.call::<rpc::Coprocessor>(&Default::default()).await.unwrap_err();
    assert_eq!(refused.code(), 12, "{refused:?}");
}
