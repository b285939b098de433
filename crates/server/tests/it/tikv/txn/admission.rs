//! What is asked of a request before it is run: its version, its region, its size.

use charioteer_proto::tikv::kvrpcpb::*;
use charioteer_proto::tikv::memcomparable;
use charioteer_proto::tikv::rpc;
use charioteer_server::{TikvApi, TikvOptions};

use super::super::support::Way;
use super::support::{Txns, keys, lock_request, placed, put};

async fn serving(api: TikvApi) -> Txns {
    Txns::with(|options| {
        let tikv = options.tikv.take().unwrap();
        options.tikv = Some(TikvOptions { api, ..tikv });
    })
    .await
}

fn v2() -> Option<Context> {
    Some(Context { api_version: ApiVersion::V2.into(), ..Default::default() })
}

#[tokio::test]
async fn stores_with_lifetimes_have_no_transactions() {
    let mut txns = serving(TikvApi::V1Ttl).await;
    let expected = "Error(ApiVersionNotMatched { cmd: get, storage_api_version: V1ttl, req_api_version: V1 })";
    for way in Way::BOTH {
        let get = GetRequest { key: "a".into(), version: 1, ..Default::default() };
        assert_eq!(txns.run::<rpc::KvGet>(way, get).await.error.unwrap().abort, expected);
    }
    let scanned = txns.ask::<rpc::KvScan>(ScanRequest { limit: 1, version: 1, ..Default::default() }).await;
    assert_eq!(scanned.pairs[0].error, scanned.error);
    assert!(scanned.error.unwrap().abort.contains("ApiVersionNotMatched"));
}

#[tokio::test]
async fn keys_of_version_2_begin_with_x_and_those_of_tidb_are_let_in() {
    for api in [TikvApi::V2, TikvApi::Any] {
        let mut txns = serving(api).await;
        let wrong = GetRequest { context: v2(), key: "a".into(), version: 1, ..Default::default() };
        let refused = txns.ask::<rpc::KvGet>(wrong).await.error.unwrap().abort;
        let key = "6100000000000000F8";
        assert_eq!(refused, format!("Error(InvalidKeyMode {{ cmd: get, storage_api_version: V2, key: {key:?} }})"));
        let right = GetRequest { context: v2(), key: "x\0\0\0a".into(), version: 1, ..Default::default() };
        assert!(txns.ask::<rpc::KvGet>(right).await.not_found);
        let whole = ScanRequest { context: v2(), start_key: "x".into(), limit: 1, version: 1, ..Default::default() };
        let refused = txns.ask::<rpc::KvScan>(whole.clone()).await;
        assert!(refused.error.unwrap().abort.contains("InvalidKeyRangeMode"));
        let bounded = ScanRequest { end_key: "y".into(), ..whole };
        assert_eq!(txns.ask::<rpc::KvScan>(bounded).await, ScanResponse::default());
        let of_tidb = GetRequest { key: "t1".into(), version: 1, ..Default::default() };
        assert!(txns.ask::<rpc::KvGet>(of_tidb).await.not_found);
    }
    let mut txns = serving(TikvApi::V2).await;
    let refused = txns.ask::<rpc::KvPrewrite>(Txns::prewrite(1, vec![put("a", "1")])).await;
    assert!(refused.errors[0].abort.contains("InvalidKeyMode { cmd: prewrite"), "{refused:?}");
}

#[tokio::test]
async fn keys_too_long_to_be_stored_are_refused() {
    let mut txns = Txns::start().await;
    let longest = "k".repeat(7279);
    txns.write(vec![put(&longest, "1")]).await;
    let too_long = "k".repeat(7280);
    let refused = txns.ask::<rpc::KvPrewrite>(Txns::prewrite(9, vec![put(&too_long, "1")])).await;
    assert_eq!(refused.errors[0].abort, "Error(KeyTooLarge { size: 8199, limit: 8192 })");
    let refused = txns.ask::<rpc::KvPessimisticLock>(lock_request(9, [&too_long])).await;
    assert!(refused.errors[0].abort.contains("KeyTooLarge"), "{refused:?}");
}

#[tokio::test]
async fn timestamps_that_nobody_was_given_are_refused() {
    let mut txns = Txns::start().await;
    let now = txns.ts().await;
    let ahead = |ms: u64| now + (ms << 18);
    let get = |version| GetRequest { key: "a".into(), version, ..Default::default() };
    for version in [now, ahead(50_000), u64::MAX] {
        assert!(txns.ask::<rpc::KvGet>(get(version)).await.not_found);
    }
    for version in [ahead(70_000), u64::MAX - 1] {
        let refused = txns.ask::<rpc::KvGet>(get(version)).await.error.unwrap().abort;
        assert!(refused.contains("invalid max_ts update"), "{refused}");
    }
    let check = CheckTxnStatusRequest { primary_key: "a".into(), current_ts: ahead(70_000), ..Default::default() };
    assert!(txns.ask::<rpc::KvCheckTxnStatus>(check).await.error.unwrap().abort.contains("invalid max_ts update"));
    for start_version in [ahead(70_000), u64::MAX] {
        let undone = BatchRollbackRequest { keys: keys(["a"]), start_version, ..Default::default() };
        assert!(txns.ask::<rpc::KvBatchRollback>(undone).await.error.is_some());
        let undone = CleanupRequest { key: "a".into(), start_version, ..Default::default() };
        assert!(txns.ask::<rpc::KvCleanup>(undone).await.error.is_some());
    }
    let cleanup = CleanupRequest { key: "a".into(), start_version: ahead(70_000), ..Default::default() };
    assert!(txns.ask::<rpc::KvCleanup>(cleanup).await.error.unwrap().abort.contains("invalid max_ts update"));
    let start_ts = txns.ts().await;
    let one = PrewriteRequest { try_one_pc: true, ..Txns::prewrite(start_ts, vec![put("a", "1")]) };
    assert!(txns.ask::<rpc::KvPrewrite>(one).await.one_pc_commit_ts < ahead(60_000));
}

#[tokio::test]
async fn a_key_too_long_to_be_locked_is_not_committed_either() {
    let mut txns = Txns::start().await;
    let too_long = "k".repeat(9_000);
    let commit = CommitRequest { start_version: 1, commit_version: 2, keys: keys([&too_long]), ..Default::default() };
    let refused = txns.ask::<rpc::KvCommit>(commit).await;
    assert!(refused.error.unwrap().abort.contains("KeyTooLarge"));
}

/// Splits at a key, and gives the contexts of what lies before and behind it.
async fn split(txns: &mut Txns, key: &'static str) -> [Context; 2] {
    let split = SplitRegionRequest { split_keys: keys([key]), ..Default::default() };
    let regions = txns.ask::<rpc::SplitRegion>(split).await.regions;
    assert_eq!(regions[0].end_key, memcomparable::encode(key.as_bytes()));
    let before = placed(&mut txns.tikv.pd, GetRequest::default()).await.context.unwrap();
    let behind = GetRequest { key: key.into(), ..Default::default() };
    [before, placed(&mut txns.tikv.pd, behind).await.context.unwrap()]
}

#[tokio::test]
async fn a_key_of_another_region_is_refused_and_scans_end_with_the_region() {
    let mut txns = Txns::start().await;
    txns.write(["a", "b", "m", "n"].map(|key| put(key, "1")).into()).await;
    let [before, behind] = split(&mut txns, "m").await;
    let version = txns.ts().await;
    let get = GetRequest { context: Some(before.clone()), key: "m".into(), version, ..Default::default() };
    let error = txns.tikv.store.call::<rpc::KvGet>(&get).await.unwrap().region_error.unwrap();
    assert_eq!(error.key_not_in_region.unwrap().key, memcomparable::encode(b"m"));
    let found = |scanned: ScanResponse| {
        assert_eq!((&scanned.region_error, &scanned.error), (&None, &None));
        scanned.pairs.into_iter().map(|pair| pair.key).collect::<Vec<_>>()
    };
    let scan = ScanRequest { context: Some(before.clone()), limit: 9, version, ..Default::default() };
    assert_eq!(found(txns.tikv.store.call::<rpc::KvScan>(&scan).await.unwrap()), ["a", "b"]);
    let scan = ScanRequest { start_key: "m".into(), context: Some(behind.clone()), ..scan };
    assert_eq!(found(txns.tikv.store.call::<rpc::KvScan>(&scan).await.unwrap()), ["m", "n"]);
    let back = ScanRequest { start_key: "z".into(), end_key: "a".into(), reverse: true, ..scan };
    assert_eq!(found(txns.tikv.store.call::<rpc::KvScan>(&back).await.unwrap()), ["n", "m"]);
    let back = ScanRequest { context: Some(before.clone()), ..back };
    assert_eq!(found(txns.tikv.store.call::<rpc::KvScan>(&back).await.unwrap()), ["b", "a"]);
    let commit = CommitRequest {
        context: Some(before),
        start_version: 1,
        commit_version: 2,
        keys: keys(["a", "m"]),
        ..Default::default()
    };
    let refused = txns.tikv.store.call::<rpc::KvCommit>(&commit).await.unwrap();
    assert!(refused.region_error.unwrap().key_not_in_region.is_some());
}

#[tokio::test]
async fn locks_are_resolved_in_the_region_that_is_asked() {
    let mut txns = Txns::start().await;
    let [before, behind] = split(&mut txns, "m").await;
    let start_version = txns.ts().await;
    for key in ["a", "m"] {
        let one = PrewriteRequest { primary_lock: "a".into(), ..Txns::prewrite(start_version, vec![put(key, "1")]) };
        assert_eq!(txns.ask::<rpc::KvPrewrite>(one).await, Default::default());
    }
    let resolve = ResolveLockRequest { context: Some(before), start_version, ..Default::default() };
    assert_eq!(txns.tikv.store.call::<rpc::KvResolveLock>(&resolve).await.unwrap(), Default::default());
    assert_eq!(txns.locks().await, []);
    let scan = ScanLockRequest { context: Some(behind), max_version: start_version, ..Default::default() };
    assert_eq!(txns.tikv.store.call::<rpc::KvScanLock>(&scan).await.unwrap().locks.len(), 1);
}
