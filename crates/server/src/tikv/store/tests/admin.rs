use charioteer_proto::tikv::kvrpcpb::{
    GetHealthFeedbackRequest, GetLockWaitInfoRequest, RawCoprocessorRequest, SplitRegionRequest, SplitRegionResponse,
    UnsafeDestroyRangeRequest,
};
use charioteer_proto::tikv::timestamp::Timestamp;
use hyper::StatusCode;

use super::*;

async fn split(f: &Fixture, context: Option<Context>, keys: &[&str], is_raw_kv: bool) -> SplitRegionResponse {
    let split_keys = keys.iter().map(|key| bytes(key)).collect();
    let request = SplitRegionRequest { context, split_keys, is_raw_kv, ..SplitRegionRequest::default() };
    f.ask::<rpc::SplitRegion>(request).await
}

#[tokio::test]
#[expect(deprecated, reason = "clients of old look there")]
async fn a_region_is_split_at_keys_in_the_form_of_their_clients() {
    let f = Fixture::new();
    let raw = split(&f, f.context(), &["m"], true).await;
    assert_eq!(raw.regions.iter().map(|region| &region.start_key[..]).collect::<Vec<_>>(), [&b""[..], b"m"]);
    assert_eq!((raw.left.as_ref(), raw.right.as_ref()), (raw.regions.first(), raw.regions.get(1)));
    assert_eq!(f.cluster.region_at(b"m").start, "m");
    let transactional = split(&f, f.context(), &["a", "b"], false).await;
    let starts: Vec<_> = transactional.regions.iter().map(|region| region.start_key.clone()).collect();
    assert_eq!(starts, [Bytes::new(), memcomparable::encode(b"a"), memcomparable::encode(b"b")]);
    assert_eq!((transactional.left, transactional.right), (None, None));
    let prefixed = split(&f, f.v2_at(b"r\0\0\0a"), &["r\0\0\0a"], true).await;
    assert_eq!(prefixed.regions[1].start_key, memcomparable::encode(b"r\0\0\0a"));
}

#[tokio::test]
#[expect(deprecated, reason = "clients of old name one key")]
async fn a_client_of_old_names_one_key() {
    let f = Fixture::new();
    let request =
        SplitRegionRequest { context: f.context(), split_key: bytes("k"), is_raw_kv: true, ..Default::default() };
    assert_eq!(f.ask::<rpc::SplitRegion>(request).await.regions.len(), 2);
    assert_eq!(f.cluster.region_at(b"k").start, "k");
}

#[tokio::test]
async fn a_region_is_not_split_where_it_begins_or_elsewhere_or_when_it_has_changed() {
    let f = Fixture::new();
    let stale = f.context();
    f.split(&[b"m"]);
    let error = split(&f, stale, &["a"], true).await.region_error.unwrap();
    assert!(error.epoch_not_match.is_some());
    for keys in [&["m"][..], &["a"], &[]] {
        let error = split(&f, f.context_at(b"m"), keys, true).await.region_error.unwrap();
        assert_eq!(error.message, "failed to split: no valid key found for split.");
    }
    let some = split(&f, f.context_at(b"m"), &["m", "n", "a", "n"], true).await;
    assert_eq!(some.regions.len(), 2, "those that are no use are left out");
}

async fn destroy(f: &Fixture, context: Option<Context>, start: &str, end: &str) -> String {
    let request = UnsafeDestroyRangeRequest { context, start_key: bytes(start), end_key: bytes(end) };
    f.ask::<rpc::UnsafeDestroyRange>(request).await.error
}

#[tokio::test]
async fn a_range_is_destroyed_across_regions_and_families() {
    let f = Fixture::new();
    for key in ["r\0\0\0a", "r\0\0\0b", "r\0\0\0c"] {
        f.put_v2(key, "value").await;
        f.put(key, "value").await;
    }
    f.split(&[&memcomparable::encode(b"r\0\0\0b")]);
    assert_eq!(destroy(&f, f.v2(), "r\0\0\0a", "r\0\0\0c").await, "");
    let mut left = Vec::new();
    for key in ["r\0\0\0a", "r\0\0\0b", "r\0\0\0c"] {
        let request = RawGetRequest { context: f.v2_at(key.as_bytes()), key: bytes(key), ..RawGetRequest::default() };
        left.push((!f.ask::<rpc::RawGet>(request).await.not_found, f.get(key).await.is_some()));
    }
    assert_eq!(left, [(false, true), (false, true), (true, true)], "the other version's rows stay");
}

#[tokio::test]
async fn what_is_destroyed_of_version_1_lies_between_the_encoded_bounds() {
    let f = Fixture::new();
    for (cf, key) in [("", "a"), ("", "apple"), ("write", "apple"), ("", "b"), ("", "banana")] {
        let (key, cf) = (bytes(key), cf.to_owned());
        let put = RawPutRequest { context: f.context(), key, cf, ..RawPutRequest::default() };
        f.ask::<rpc::RawPut>(put).await;
    }
    assert_eq!(destroy(&f, f.context(), "a", "b").await, "");
    assert_eq!(f.keys().await, ["a", "banana"]);
    assert_eq!(f.get_in("write", "apple").await, None);
    for (start, end) in [("", "b"), ("a", "")] {
        assert_eq!(destroy(&f, f.context(), start, end).await, "a range to be destroyed has a start and an end");
    }
}

#[tokio::test]
async fn there_are_no_plug_ins() {
    let f = Fixture::new();
    let request = RawCoprocessorRequest { context: f.context(), copr_name: "any".to_owned(), ..Default::default() };
    assert_eq!(f.ask::<rpc::RawCoprocessor>(request.clone()).await.error, "Coprocessor plugin is disabled!");
    assert_eq!(f.command::<rpc::RawCoprocessor>(request).await.error, "Coprocessor plugin is disabled!");
}

#[tokio::test]
async fn a_store_tells_of_its_health_locks_and_safe_time() {
    let f = Fixture::new();
    let health = f.ask::<rpc::GetHealthFeedback>(GetHealthFeedbackRequest::default()).await.health_feedback.unwrap();
    assert_eq!((health.store_id, health.slow_score), (f.store.id, 1));
    assert_eq!(f.ask::<rpc::GetLockWaitInfo>(GetLockWaitInfoRequest::default()).await, Default::default());
    let safe = |f: &Fixture| Timestamp::from(f.store.get_store_safe_ts().safe_ts).physical_ms();
    assert_eq!(u128::from(safe(&f)), NOW.as_millis());
    f.advance(1);
    assert_eq!(u128::from(safe(&f)), NOW.as_millis() + 1000);
}

#[tokio::test]
async fn a_store_tells_over_http_which_version_it_serves() {
    let storage = |api| {
        let (status, config) = Fixture::serving(api).store.http("/config").unwrap();
        assert_eq!(status, StatusCode::OK);
        (config["storage"]["api-version"].as_u64(), config["storage"]["enable-ttl"].as_bool())
    };
    assert_eq!(storage(TikvApi::Any), (Some(1), Some(true)));
    assert_eq!(storage(TikvApi::V1), (Some(1), Some(false)));
    assert_eq!(storage(TikvApi::V1Ttl), (Some(1), Some(true)));
    assert_eq!(storage(TikvApi::V2), (Some(2), Some(true)));
    let f = Fixture::new();
    assert!(f.store.http("/status").is_some());
    assert_eq!(f.store.http("/metrics"), None);
}
