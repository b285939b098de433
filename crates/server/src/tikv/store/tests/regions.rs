use charioteer_proto::tikv::kvrpcpb::{
    KeyRange, RawBatchDeleteRequest, RawBatchGetRequest, RawBatchPutRequest, RawBatchScanRequest, RawCasRequest,
    RawChecksumRequest, RawDeleteRangeRequest, RawDeleteRequest, RawGetKeyTtlRequest,
};

use super::*;

fn key_not_in_region(error: Option<Box<errorpb::Error>>) -> Bytes {
    error.and_then(|error| error.key_not_in_region).expect("the key is not the region's").key
}

#[tokio::test]
async fn the_region_is_checked_before_anything_is_done() {
    let f = Fixture::new();
    let stale = f.context();
    f.split(&[b"m"]);
    let put = RawPutRequest { context: stale.clone(), key: bytes("a"), ..RawPutRequest::default() };
    let error = f.ask::<rpc::RawPut>(put).await.region_error.unwrap();
    assert_eq!(error.epoch_not_match.map(|told| told.current_regions.len()), Some(2));
    assert_eq!(f.get("a").await, None);
    let scan = RawScanRequest { context: stale, limit: 1, ..RawScanRequest::default() };
    let reply = f.ask::<rpc::RawScan>(scan).await;
    assert!(reply.kvs.is_empty() && reply.region_error.unwrap().epoch_not_match.is_some());
    let elsewhere = f.context().map(|context| Context { region_id: 999, ..context });
    let get = RawGetRequest { context: elsewhere, ..RawGetRequest::default() };
    assert!(f.ask::<rpc::RawGet>(get).await.region_error.unwrap().region_not_found.is_some());
}

#[tokio::test]
async fn a_follower_reads_for_those_who_ask_for_it_and_never_writes() {
    let f = Fixture::of_two_stores();
    f.put("a", "1").await;
    let region = f.cluster.region_at(b"");
    let other = f.cluster.store_id_at(1);
    f.cluster.transfer_leader(region.id, other).unwrap();
    let peer = region.peer_on(f.store.id);
    let context = Context { peer, ..f.context().unwrap() };
    let get = |context: Context| RawGetRequest { context: Some(context), key: bytes("a"), ..RawGetRequest::default() };
    let refused = f.ask::<rpc::RawGet>(get(context.clone())).await.region_error.unwrap().not_leader.unwrap();
    assert_eq!(refused.leader.map(|leader| leader.store_id), Some(other));
    let following = Context { replica_read: true, ..context };
    assert_eq!(f.ask::<rpc::RawGet>(get(following.clone())).await.value, "1");
    let put = RawPutRequest { context: Some(following), key: bytes("a"), ..RawPutRequest::default() };
    assert!(f.ask::<rpc::RawPut>(put).await.region_error.unwrap().not_leader.is_some());
}

#[tokio::test]
async fn a_key_outside_of_the_region_is_refused_by_every_command() {
    let f = Fixture::new();
    f.split(&[b"m"]);
    let (context, key, keys) = (f.context(), bytes("m"), vec![bytes("a"), bytes("m")]);
    let range = || KeyRange { start_key: bytes("n"), end_key: Bytes::new() };
    let get = RawGetRequest { context: context.clone(), key: key.clone(), ..Default::default() };
    let ttl = RawGetKeyTtlRequest { context: context.clone(), key: key.clone(), ..Default::default() };
    let gets = RawBatchGetRequest { context: context.clone(), keys: keys.clone(), ..Default::default() };
    let put = RawPutRequest { context: context.clone(), key: key.clone(), ..Default::default() };
    let pairs = vec![pair("a", ""), pair("m", "")];
    let puts = RawBatchPutRequest { context: context.clone(), pairs, ..Default::default() };
    let delete = RawDeleteRequest { context: context.clone(), key: key.clone(), ..Default::default() };
    let deletes = RawBatchDeleteRequest { context: context.clone(), keys, ..Default::default() };
    let swap = RawCasRequest { context: context.clone(), key, previous_not_exist: true, ..Default::default() };
    let scan = RawScanRequest { context: context.clone(), start_key: bytes("n"), limit: 1, ..Default::default() };
    let scans =
        RawBatchScanRequest { context: context.clone(), ranges: vec![range()], each_limit: 1, ..Default::default() };
    let sum = RawChecksumRequest { context: context.clone(), ranges: vec![range()], ..Default::default() };
    let errors = [
        f.ask::<rpc::RawGet>(get).await.region_error,
        f.ask::<rpc::RawGetKeyTtl>(ttl).await.region_error,
        f.ask::<rpc::RawBatchGet>(gets).await.region_error,
        f.ask::<rpc::RawPut>(put).await.region_error,
        f.ask::<rpc::RawBatchPut>(puts).await.region_error,
        f.ask::<rpc::RawDelete>(delete).await.region_error,
        f.ask::<rpc::RawBatchDelete>(deletes).await.region_error,
        f.ask::<rpc::RawCompareAndSwap>(swap).await.region_error,
        f.ask::<rpc::RawScan>(scan).await.region_error,
        f.ask::<rpc::RawBatchScan>(scans).await.region_error,
        f.ask::<rpc::RawChecksum>(sum).await.region_error,
    ];
    let told = errors.map(key_not_in_region);
    assert!(told[..8].iter().all(|key| key == "m") && told[8..].iter().all(|key| key == "n"), "{told:?}");
    assert_eq!((f.get("a").await, f.get("m").await), (None, None), "nothing of a batch was written");
}

#[tokio::test]
async fn scans_end_with_their_region() {
    let f = Fixture::new();
    for key in ["a", "b", "m", "n"] {
        f.put(key, "value").await;
    }
    f.split(&[b"m"]);
    let scan = |at: &[u8], start: &str, end: &str, reverse| {
        let request = RawScanRequest {
            context: f.context_at(at),
            start_key: bytes(start),
            end_key: bytes(end),
            limit: 10,
            reverse,
            ..RawScanRequest::default()
        };
        async { keys(&f.ask::<rpc::RawScan>(request).await) }
    };
    assert_eq!(scan(b"a", "", "", false).await, ["a", "b"]);
    assert_eq!(scan(b"a", "b", "z", false).await, ["b"]);
    assert_eq!(scan(b"m", "m", "", false).await, ["m", "n"]);
    assert_eq!(scan(b"a", "m", "", true).await, ["b", "a"], "its start may be the region's end");
    assert_eq!(scan(b"m", "z", "", true).await, ["n", "m"]);
    let ranges = vec![KeyRange { start_key: bytes("b"), end_key: Bytes::new() }];
    let scans =
        RawBatchScanRequest { context: f.context(), ranges: ranges.clone(), each_limit: 9, ..Default::default() };
    assert_eq!(keys_of(&f.ask::<rpc::RawBatchScan>(scans).await.kvs), ["b"]);
    let sum = RawChecksumRequest { context: f.context(), ranges, ..RawChecksumRequest::default() };
    assert_eq!(f.ask::<rpc::RawChecksum>(sum).await.total_kvs, 1);
}

#[tokio::test]
async fn keys_of_version_2_are_compared_in_memcomparable_form() {
    let f = Fixture::new();
    for key in ["r\0\0\0a", "r\0\0\0b", "r\0\0\0b\0"] {
        f.put_v2(key, "value").await;
    }
    f.split(&[&memcomparable::encode(b"r\0\0\0b")]);
    let scan = |key: &str, reverse| {
        let bounds = [bytes("r\0\0\0"), bytes("r\0\0\x01")];
        let [start_key, end_key] = bounds;
        let (start_key, end_key) = match (key, reverse) {
            ("b", false) => (bytes("r\0\0\0b"), end_key),
            (_, false) => (start_key, end_key),
            ("b", true) => (end_key, start_key),
            (_, true) => (bytes("r\0\0\0b"), start_key),
        };
        let context = f.v2_at(format!("r\0\0\0{key}").as_bytes());
        let request = RawScanRequest { context, start_key, end_key, limit: 9, reverse, ..RawScanRequest::default() };
        async { keys(&f.ask::<rpc::RawScan>(request).await) }
    };
    assert_eq!(scan("a", false).await, ["r\0\0\0a"]);
    assert_eq!(scan("b", false).await, ["r\0\0\0b", "r\0\0\0b\0"]);
    assert_eq!(scan("a", true).await, ["r\0\0\0a"]);
    assert_eq!(scan("b", true).await, ["r\0\0\0b\0", "r\0\0\0b"]);
    let get = RawGetRequest { context: f.v2_at(b"r\0\0\0a"), key: bytes("r\0\0\0b"), ..RawGetRequest::default() };
    let outside = key_not_in_region(f.ask::<rpc::RawGet>(get).await.region_error);
    assert_eq!(outside, memcomparable::encode(b"r\0\0\0b"));
}

#[tokio::test]
async fn a_boundary_that_is_no_key_of_version_2_is_told() {
    let f = Fixture::new();
    f.split(&[b"rz"]);
    f.put_v2("r\0\0\0a", "value").await;
    let request = RawScanRequest {
        context: f.v2_at(b"r\0\0\0"),
        start_key: bytes("r\0\0\0"),
        end_key: bytes("s"),
        limit: 9,
        ..RawScanRequest::default()
    };
    let reply = f.ask::<rpc::RawScan>(request).await;
    assert!(abort(&reply.kvs).contains("which is no memcomparable key"), "{reply:?}");
}

#[tokio::test]
async fn only_what_is_the_region_s_can_be_deleted_as_a_range() {
    let f = Fixture::new();
    for key in ["a", "b", "m"] {
        f.put(key, "value").await;
    }
    f.split(&[b"m"]);
    let delete = |at: &[u8], start: &str, end: &str| {
        let context = f.context_at(at);
        let request =
            RawDeleteRangeRequest { context, start_key: bytes(start), end_key: bytes(end), ..Default::default() };
        async { f.ask::<rpc::RawDeleteRange>(request).await }
    };
    assert_eq!(key_not_in_region(delete(b"a", "b", "n").await.region_error), "n");
    assert_eq!(key_not_in_region(delete(b"a", "b", "").await.region_error), "m", "it would go on behind the region");
    assert_eq!(key_not_in_region(delete(b"m", "b", "").await.region_error), "b");
    assert_eq!(delete(b"a", "b", "m").await, Default::default());
    assert_eq!((f.get("a").await.is_some(), f.get("b").await, f.get("m").await.is_some()), (true, None, true));
    assert_eq!(delete(b"m", "m", "").await, Default::default());
    assert_eq!(f.get("m").await, None);
}

#[tokio::test]
async fn another_cluster_s_requests_are_refused_with_a_status() {
    let f = Fixture::new();
    let of_cluster = |cluster_id| {
        let context = f.context().map(|context| Context { cluster_id, ..context });
        RawGetRequest { context, ..RawGetRequest::default() }
    };
    assert!(f.call::<rpc::RawGet>(of_cluster(f.cluster.id())).await.is_ok());
    let other = f.cluster.id() ^ 1;
    let status = f.call::<rpc::RawGet>(of_cluster(other)).await.unwrap_err();
    let told = format!("cluster of request={other} does not match TiKV cluster id={}", f.cluster.id());
    assert_eq!(status, Status::invalid(told));
    let started = f.store.start(Command::RawGet(Box::new(of_cluster(other))));
    assert_eq!(started.wait().await.unwrap_err().code, Code::InvalidArgument);
}
