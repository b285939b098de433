use charioteer_proto::tikv::kvrpcpb::{KeyRange, RawBatchScanRequest, RawChecksumRequest, RawChecksumResponse};

use super::*;

async fn with_keys(keys: &[&str]) -> Fixture {
    let f = Fixture::new();
    for key in keys {
        f.put(key, "value").await;
    }
    f
}

async fn scan(f: &Fixture, start: &str, end: &str, limit: u32, reverse: bool) -> Vec<String> {
    let request = RawScanRequest {
        context: f.context(),
        start_key: bytes(start),
        end_key: bytes(end),
        limit,
        reverse,
        ..RawScanRequest::default()
    };
    keys(&f.ask::<rpc::RawScan>(request).await)
}

#[tokio::test]
async fn a_scan_goes_from_its_start_to_before_its_end() {
    let f = with_keys(&["", "a", "b", "c"]).await;
    assert_eq!(scan(&f, "a", "c", 10, false).await, ["a", "b"]);
    assert_eq!(scan(&f, "a\0", "", 10, false).await, ["b", "c"]);
    assert_eq!(scan(&f, "", "", 2, false).await, ["", "a"]);
    for (start, end, limit) in [("", "", 0), ("b", "b", 10), ("c", "a", 10), ("d", "", 10)] {
        assert_eq!(scan(&f, start, end, limit, false).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_reverse_scan_goes_from_before_its_start_down_to_its_end() {
    let f = with_keys(&["", "a", "b", "c"]).await;
    assert_eq!(scan(&f, "c", "a", 10, true).await, ["b", "a"]);
    assert_eq!(scan(&f, "z", "", 10, true).await, ["c", "b", "a", ""]);
    assert_eq!(scan(&f, "z", "", 1, true).await, ["c"]);
    for (start, end, limit) in [("z", "", 0), ("", "", 10), ("b", "b", 10), ("a", "c", 10)] {
        assert_eq!(scan(&f, start, end, limit, true).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_scan_for_keys_has_no_values() {
    let f = with_keys(&["a"]).await;
    let request = RawScanRequest { context: f.context(), limit: 9, ..RawScanRequest::default() };
    assert_eq!(f.ask::<rpc::RawScan>(request.clone()).await.kvs, [pair("a", "value")]);
    let request = RawScanRequest { key_only: true, ..request };
    assert_eq!(f.ask::<rpc::RawScan>(request).await.kvs, [pair("a", "")]);
}

#[tokio::test]
async fn a_long_scan_goes_on_where_it_stopped() {
    for f in [Fixture::new(), Fixture::on_disk()] {
        let names: Vec<String> = (0..2500).map(|number| format!("{number:04}")).collect();
        let pairs = names.iter().map(|name| pair(name, "value")).collect();
        let puts = kvrpcpb::RawBatchPutRequest { context: f.context(), pairs, ..Default::default() };
        f.ask::<rpc::RawBatchPut>(puts).await;
        assert_eq!(scan(&f, "", "", 10_240, false).await, names);
        assert!(scan(&f, "z", "", 10_240, true).await.iter().eq(names.iter().rev()));
    }
}

#[tokio::test]
async fn a_scan_finds_what_lives_in_its_region_and_among_its_version_s_keys_either_way() {
    let f = Fixture::new();
    for key in ["a", "b", "c", "d", "e"] {
        f.put(key, "").await;
    }
    f.put_for("bb", "gone", 1).await;
    f.put_for("cc", "here", 9).await;
    f.put_v2("r\0\0\0b", "of version 2").await;
    let (start_key, end_key) = (bytes("r\0\0\0"), bytes("r\0\0\x01"));
    let of_v2 = RawScanRequest { context: f.v2(), start_key, end_key, limit: 9, ..Default::default() };
    assert_eq!(f.ask::<rpc::RawScan>(of_v2).await.kvs, [pair("r\0\0\0b", "of version 2")]);
    f.split(&[b"b", b"d"]);
    f.advance(1);
    let scan = RawScanRequest { context: f.context_at(b"b"), start_key: bytes("b"), limit: 9, ..Default::default() };
    let found = f.ask::<rpc::RawScan>(scan.clone()).await.kvs;
    assert_eq!(found, [pair("b", ""), pair("c", ""), pair("cc", "here")]);
    let backwards = RawScanRequest { start_key: bytes("d"), reverse: true, ..scan.clone() };
    let found = f.ask::<rpc::RawScan>(backwards.clone()).await.kvs;
    assert_eq!(found, [pair("cc", "here"), pair("c", ""), pair("b", "")]);
    assert_eq!(f.ask::<rpc::RawScan>(RawScanRequest { limit: 1, ..backwards }).await.kvs, [pair("cc", "here")]);
}

fn ranges(of: &[(&str, &str)]) -> Vec<KeyRange> {
    of.iter().map(|(start, end)| KeyRange { start_key: bytes(start), end_key: bytes(end) }).collect()
}

async fn batch(f: &Fixture, of: &[(&str, &str)], each_limit: u32, reverse: bool) -> Vec<KvPair> {
    let request = RawBatchScanRequest {
        context: f.context(),
        ranges: ranges(of),
        each_limit,
        reverse,
        key_only: true,
        ..RawBatchScanRequest::default()
    };
    let reply = f.ask::<rpc::RawBatchScan>(request).await;
    assert_eq!(reply.region_error, None);
    reply.kvs
}

#[tokio::test]
async fn a_batch_scan_takes_some_of_each_range_and_an_open_one_ends_where_the_next_begins() {
    let f = with_keys(&["a1", "a2", "a3", "b1", "c1"]).await;
    assert_eq!(keys_of(&batch(&f, &[("a", "b"), ("c", "")], 2, false).await), ["a1", "a2", "c1"]);
    assert_eq!(keys_of(&batch(&f, &[("a2", ""), ("b", "")], 9, false).await), ["a2", "a3", "b1", "c1"]);
    assert_eq!(keys_of(&batch(&f, &[("c", "b"), ("b", "a")], 2, true).await), ["b1", "a3", "a2"]);
    assert_eq!(keys_of(&batch(&f, &[("z", ""), ("b", "")], 9, true).await), ["c1", "b1", "a3", "a2", "a1"]);
    assert_eq!(batch(&f, &[("a", "")], 0, false).await, []);
    assert_eq!(batch(&f, &[], 9, false).await, []);
}

#[tokio::test]
async fn ranges_that_end_before_they_start_are_refused() {
    let f = with_keys(&["a"]).await;
    for (of, reverse) in
        [(&[("b", "a")][..], false), (&[("a", "a")], false), (&[("b", ""), ("a", "")], false), (&[("a", "b")], true)]
    {
        assert_eq!(abort(&batch(&f, of, 9, reverse).await), "Error(Other(\"Invalid KeyRanges\"))");
    }
}

async fn checksum(f: &Fixture, of: &[(&str, &str)]) -> RawChecksumResponse {
    let request = RawChecksumRequest { context: f.context(), ranges: ranges(of), ..RawChecksumRequest::default() };
    f.ask::<rpc::RawChecksum>(request).await
}

#[tokio::test]
async fn a_checksum_is_that_of_the_original() {
    let f = Fixture::new();
    f.put("12345", "6789").await;
    let nine = checksum(&f, &[("", "")]).await;
    assert_eq!(
        (nine.checksum, nine.total_kvs, nine.total_bytes),
        (0x995d_c9bb_df19_39fa, 1, 9),
        "CRC-64/XZ's check value"
    );
    f.put("123456", "789").await;
    let twice = checksum(&f, &[("", "")]).await;
    assert_eq!((twice.checksum, twice.total_kvs, twice.total_bytes), (0, 2, 18), "both have the same sum");
    assert_eq!(checksum(&f, &[("", "12345"), ("12345", "12346")]).await, twice);
    assert_eq!(checksum(&f, &[("123456", "")]).await, nine);
    assert_eq!(checksum(&f, &[]).await, RawChecksumResponse::default());
}

#[tokio::test]
async fn a_checksum_of_version_2_has_the_prefix_in_it() {
    let f = Fixture::new();
    f.put_v2("r\0\0\x0012345", "6789").await;
    f.put("r\0\0\x0012345", "6789").await;
    let request = RawChecksumRequest {
        context: f.v2(),
        ranges: ranges(&[("r\0\0\0", "r\0\0\x01")]),
        ..RawChecksumRequest::default()
    };
    let prefixed = f.ask::<rpc::RawChecksum>(request).await;
    assert_eq!((prefixed.total_kvs, prefixed.total_bytes), (1, 13));
    assert_eq!(prefixed, checksum(&f, &[("", "")]).await);
}

#[tokio::test]
async fn an_unknown_checksum_is_refused() {
    let f = Fixture::new();
    let request = RawChecksumRequest { context: f.context(), algorithm: 1, ..RawChecksumRequest::default() };
    assert_eq!(f.ask::<rpc::RawChecksum>(request).await.error, "unknown checksum algorithm 1");
}
