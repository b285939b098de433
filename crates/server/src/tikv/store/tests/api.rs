use charioteer_proto::tikv::kvrpcpb::{
    RawBatchGetRequest, RawBatchScanRequest, RawDeleteRangeRequest, RawGetKeyTtlRequest, RawGetRequest, RawPutRequest,
    RawScanRequest,
};

use super::*;

const VERSIONS: [ApiVersion; 4] = [ApiVersion::V1, ApiVersion::V1ttl, ApiVersion::V2, ApiVersion::V3];

/// The error of a get of that key by a client of that version.
async fn get(f: &Fixture, version: ApiVersion, key: &str) -> String {
    let context = f.context().map(|context| Context { api_version: version as i32, ..context });
    let request = RawGetRequest { context, key: bytes(key), ..RawGetRequest::default() };
    let reply = f.ask::<rpc::RawGet>(request).await;
    assert_eq!(reply.region_error, None);
    assert_eq!(reply.not_found, reply.error.is_empty());
    reply.error
}

#[tokio::test]
async fn each_mode_serves_its_own_version_and_any_serves_all() {
    let served = [
        (TikvApi::V1, &[ApiVersion::V1][..]),
        (TikvApi::V1Ttl, &[ApiVersion::V1]),
        (TikvApi::V2, &[ApiVersion::V2]),
        (TikvApi::Any, &[ApiVersion::V1, ApiVersion::V1ttl, ApiVersion::V2]),
    ];
    for (api, served) in served {
        let f = Fixture::serving(api);
        for version in VERSIONS {
            let error = get(&f, version, "r\0\0\0key").await;
            assert_eq!(error.is_empty(), served.contains(&version), "{version:?} at {api:?}: {error}");
        }
    }
}

#[tokio::test]
async fn a_version_that_is_not_served_is_refused_in_the_original_s_words() {
    let mismatch = "Api version in request does not match with TiKV storage, cmd: raw_get, ";
    let refused = [
        (TikvApi::V1, ApiVersion::V2, "storage: V1, request: V2"),
        (TikvApi::V1Ttl, ApiVersion::V1ttl, "storage: V1ttl, request: V1ttl"),
        (TikvApi::V2, ApiVersion::V1, "storage: V2, request: V1"),
        (TikvApi::Any, ApiVersion::V3, "storage: V1ttl, request: V3"),
    ];
    for (api, version, told) in refused {
        assert_eq!(get(&Fixture::serving(api), version, "r\0\0\0key").await, format!("{mismatch}{told}"));
    }
    let f = Fixture::new();
    let context = f.context().map(|context| Context { api_version: 77, ..context });
    let error = f.ask::<rpc::RawGet>(RawGetRequest { context, ..RawGetRequest::default() }).await.error;
    assert_eq!(error, format!("{mismatch}storage: V1ttl, request: 77"));
}

#[tokio::test]
async fn replies_without_an_error_say_so_in_a_pair() {
    let f = Fixture::serving(TikvApi::V1);
    let context = f.v2();
    let expected =
        |cmd| format!("Error(ApiVersionNotMatched {{ cmd: {cmd}, storage_api_version: V1, req_api_version: V2 }})");
    let get = RawBatchGetRequest { context: context.clone(), ..RawBatchGetRequest::default() };
    assert_eq!(abort(&f.ask::<rpc::RawBatchGet>(get).await.pairs), expected("raw_batch_get"));
    let scan = RawScanRequest { context: context.clone(), ..RawScanRequest::default() };
    assert_eq!(abort(&f.ask::<rpc::RawScan>(scan).await.kvs), expected("raw_scan"));
    let scans = RawBatchScanRequest { context, ..RawBatchScanRequest::default() };
    assert_eq!(abort(&f.ask::<rpc::RawBatchScan>(scans).await.kvs), expected("raw_batch_scan"));
}

#[tokio::test]
async fn keys_of_version_2_are_raw_ones() {
    for api in [TikvApi::V2, TikvApi::Any] {
        let f = Fixture::serving(api);
        assert_eq!(get(&f, ApiVersion::V2, "r\0\0\0key").await, "");
        assert_eq!(get(&f, ApiVersion::V2, "r").await, "", "the original looks at the first byte alone");
        for (key, hex) in [("x\0\0\0key", "780000006B6579"), ("key", "6B6579"), ("", "")] {
            let told = format!("Key mode mismatched with the request mode, cmd: raw_get, storage: V2, key: {hex}");
            assert_eq!(get(&f, ApiVersion::V2, key).await, told);
        }
    }
}

#[tokio::test]
async fn ranges_of_version_2_have_both_ends_among_raw_keys() {
    let f = Fixture::serving(TikvApi::V2);
    let refused = |start: &'static str, end: &'static str| {
        let scan = RawScanRequest {
            context: f.v2(),
            start_key: bytes(start),
            end_key: bytes(end),
            limit: 1,
            ..RawScanRequest::default()
        };
        async {
            f.ask::<rpc::RawScan>(scan).await.kvs.first().and_then(|pair| pair.error.clone()).map(|error| error.abort)
        }
    };
    for (start, end) in [("r\0\0\0a", "r\0\0\0b"), ("r\0\0\0", "s"), ("r", "r")] {
        assert_eq!(refused(start, end).await, None, "{start:?} to {end:?}");
    }
    let told = |range| {
        Some(format!("Error(InvalidKeyRangeMode {{ cmd: raw_scan, storage_api_version: V2, range: {range} }})"))
    };
    assert_eq!(refused("ra", "").await, told("(Some(\"7261\"), None)"));
    assert_eq!(refused("", "rb").await, told("(Some(\"\"), Some(\"7262\"))"));
    assert_eq!(refused("ra", "sa").await, told("(Some(\"7261\"), Some(\"7361\"))"));
    assert_eq!(refused("xa", "xb").await, told("(Some(\"7861\"), Some(\"7862\"))"));
    let delete = RawDeleteRangeRequest { context: f.v2(), start_key: bytes("ra"), ..RawDeleteRangeRequest::default() };
    assert_eq!(
        f.ask::<rpc::RawDeleteRange>(delete).await.error,
        "Key mode mismatched with the request mode, cmd: raw_delete_range, storage: V2, range: (Some(\"7261\"), Some(\"\"))"
    );
}

#[tokio::test]
async fn families_are_those_of_the_original_and_version_2_names_none() {
    let f = Fixture::new();
    let put = |context: Option<Context>, cf: &str, key: &str| {
        let request =
            RawPutRequest { context, key: bytes(key), value: bytes(cf), cf: cf.to_owned(), ..RawPutRequest::default() };
        async { f.ask::<rpc::RawPut>(request).await.error }
    };
    for cf in ["lock", "write", "default"] {
        assert_eq!(put(f.context(), cf, "key").await, "");
    }
    for (cf, value) in [("", "default"), ("default", "default"), ("lock", "lock"), ("write", "write")] {
        assert_eq!(f.get_in(cf, "key").await.as_deref(), Some(value));
    }
    assert_eq!(put(f.context(), "raft", "key").await, "invalid cf name: raft");
    assert_eq!(put(f.v2(), "", "rkey").await, "");
    assert_eq!(put(f.v2(), "default", "rkey").await, "cf is deprecated in API V2, cf name: default");
    let scan = RawScanRequest { context: f.context(), cf: "raft".to_owned(), limit: 1, ..RawScanRequest::default() };
    assert_eq!(abort(&f.ask::<rpc::RawScan>(scan).await.kvs), "Error(InvalidCf(\"raft\"))");
}

#[tokio::test]
async fn the_same_key_is_another_row_in_another_version() {
    let f = Fixture::new();
    f.put("r\0\0\0key", "of version 1").await;
    f.put_v2("r\0\0\0key", "of version 2").await;
    assert_eq!(f.get("r\0\0\0key").await.as_deref(), Some("of version 1"));
    let request = RawGetRequest { context: f.v2(), key: bytes("r\0\0\0key"), ..RawGetRequest::default() };
    assert_eq!(f.ask::<rpc::RawGet>(request).await.value, "of version 2");
}

#[tokio::test]
async fn lifetimes_are_refused_where_they_are_not_enabled() {
    let f = Fixture::serving(TikvApi::V1);
    let told = "ttl is not enabled, but get put request with ttl";
    let put = RawPutRequest { context: f.context(), key: bytes("key"), ttl: 1, ..RawPutRequest::default() };
    assert_eq!(f.ask::<rpc::RawPut>(put).await.error, told);
    let puts = kvrpcpb::RawBatchPutRequest { context: f.context(), ttls: vec![0, 5], ..Default::default() };
    assert_eq!(f.ask::<rpc::RawBatchPut>(puts).await.error, told);
    let swap = kvrpcpb::RawCasRequest { context: f.context(), key: bytes("key"), ttl: 1, ..Default::default() };
    assert_eq!(f.ask::<rpc::RawCompareAndSwap>(swap).await.error, told);
    assert_eq!(f.get("key").await, None);
    f.put("key", "value").await;
    let ttl = RawGetKeyTtlRequest { context: f.context(), key: bytes("key"), ..RawGetKeyTtlRequest::default() };
    let reply = f.ask::<rpc::RawGetKeyTtl>(ttl).await;
    assert_eq!((reply.ttl, reply.not_found, &reply.error[..]), (0, false, ""));
}

#[tokio::test]
async fn the_version_is_checked_before_the_region() {
    let f = Fixture::serving(TikvApi::V1);
    let context = Some(Context { region_id: 999, api_version: ApiVersion::V2 as i32, ..Context::default() });
    let reply = f.ask::<rpc::RawGet>(RawGetRequest { context, ..RawGetRequest::default() }).await;
    assert!(reply.region_error.is_none() && reply.error.starts_with("Api version"));
}
