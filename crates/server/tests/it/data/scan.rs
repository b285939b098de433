//! Scans.

use bytes::Bytes;
use charioteer_proto::pegasus::data::{
    GetScannerRequest, SCAN_COMPLETED, ScanRequest, ScanResponse, UpdateRequest, status,
};
use charioteer_proto::pegasus::rpc;

use crate::support::{Fixture, START, put, raw};

/// Every row of a partition, so many at a time.
fn everything(batch_size: i32) -> GetScannerRequest {
    GetScannerRequest {
        start_key: Bytes::from_static(b"\0\0"),
        stop_key: Bytes::from_static(b"\xff\xff"),
        start_inclusive: true,
        batch_size,
        full_scan: Some(true),
        ..GetScannerRequest::default()
    }
}

/// The rows of `h`.
fn hash_key(batch_size: i32) -> GetScannerRequest {
    GetScannerRequest { start_key: raw("h", ""), stop_key: raw("i", ""), full_scan: None, ..everything(batch_size) }
}

fn keys(response: &ScanResponse) -> Vec<&[u8]> {
    response.kvs.keys().collect()
}

impl Fixture {
    /// A server with `count` rows under `h`, named by two digits.
    async fn with_numbers(count: usize) -> Self {
        let mut fixture = Self::start().await;
        for number in 0..count {
            fixture.put("h", &format!("{number:02}"), "v").await;
        }
        fixture
    }

    async fn get_scanner(&mut self, request: GetScannerRequest) -> ScanResponse {
        self.ask::<rpc::GetScanner>("h", request).await
    }

    async fn scan(&mut self, context_id: i64) -> ScanResponse {
        self.ask::<rpc::Scan>("h", ScanRequest { context_id }).await
    }
}

#[tokio::test]
async fn a_scan_that_fits_into_one_batch_is_complete_at_once() {
    let mut fixture = Fixture::with_numbers(3).await;
    let batch = fixture.get_scanner(everything(10)).await;
    assert_eq!((batch.error, batch.context_id, batch.kv_count), (status::OK, SCAN_COMPLETED, None));
    assert_eq!((batch.app_id, batch.partition_index), (1, fixture.table.at("h").partition_index));
    assert_eq!(batch.server.as_str(), fixture.address().to_string());
    assert_eq!(keys(&batch), [raw("h", "00"), raw("h", "01"), raw("h", "02")], "raw keys, not sort keys");
    assert!(batch.kvs.clone().all(|row| row.value == "v" && row.expire_ts_seconds.is_none()));
}

#[tokio::test]
async fn a_scan_goes_on_under_a_new_context_for_every_batch() {
    let mut fixture = Fixture::with_numbers(7).await;
    let mut batch = fixture.get_scanner(hash_key(3)).await;
    let (mut seen, mut contexts) = (Vec::from_iter(batch.kvs.keys().map(Bytes::copy_from_slice)), Vec::new());
    while batch.context_id != SCAN_COMPLETED {
        assert!(batch.context_id > 0);
        contexts.push(batch.context_id);
        batch = fixture.scan(batch.context_id).await;
        assert_eq!(batch.error, status::OK);
        assert!(batch.kvs.len() <= 3);
        seen.extend(batch.kvs.keys().map(Bytes::copy_from_slice));
    }
    contexts.dedup();
    assert_eq!(contexts.len(), 2, "7 rows are 3 batches");
    let expected: Vec<_> = (0..7).map(|number| raw("h", &format!("{number:02}"))).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_context_is_good_for_one_use_and_one_partition() {
    let mut fixture = Fixture::with_numbers(7).await;
    let first = fixture.get_scanner(hash_key(2)).await.context_id;
    let elsewhere = fixture.ask::<rpc::Scan>("a", ScanRequest { context_id: first }).await;
    assert_eq!((elsewhere.error, elsewhere.kvs.len()), (status::NOT_FOUND, 0), "of another partition");
    let second = fixture.scan(first).await.context_id;
    assert_eq!(fixture.scan(first).await.error, status::NOT_FOUND, "used already");
    assert_eq!(fixture.scan(second).await.error, status::OK);
    for unknown in [0, -1, 1, i64::MAX, i64::MIN] {
        let reply = fixture.scan(unknown).await;
        assert_eq!((reply.error, reply.kvs.len(), reply.app_id), (status::NOT_FOUND, 0, 1), "never given out");
    }
}

#[tokio::test]
async fn a_context_is_forgotten_five_minutes_after_its_batch() {
    let mut fixture = Fixture::with_numbers(7).await;
    let mut context = fixture.get_scanner(hash_key(2)).await.context_id;
    for _ in 0..2 {
        fixture.advance(299);
        let batch = fixture.scan(context).await;
        assert_eq!(batch.error, status::OK, "every batch begins the five minutes anew");
        context = batch.context_id;
    }
    fixture.advance(300);
    assert_eq!(fixture.scan(context).await.error, status::NOT_FOUND);
}

#[tokio::test]
async fn a_scan_sees_the_rows_of_the_moment_at_which_it_began() {
    let mut fixture = Fixture::with_numbers(4).await;
    let first = fixture.get_scanner(hash_key(2)).await;
    fixture.put("h", "02", "changed").await;
    fixture.ask::<rpc::Remove>("h", raw("h", "03")).await;
    fixture.put("h", "04", "new").await;
    let rest = fixture.scan(first.context_id).await;
    assert_eq!(keys(&rest), [raw("h", "02"), raw("h", "03")]);
    assert!(rest.kvs.clone().all(|row| row.value == "v") && rest.context_id == SCAN_COMPLETED);
}

#[tokio::test]
async fn forgetting_a_scan_is_never_answered() {
    let mut fixture = Fixture::with_numbers(7).await;
    let context = fixture.get_scanner(hash_key(2)).await.context_id;
    let header = fixture.table.at("h");
    for forgotten in [context, context, 0, -1, 12345] {
        fixture.client.send::<rpc::ClearScanner>(header, &forgotten).await;
    }
    for nowhere in [crate::support::META, fixture.table.partition(99), fixture.table.partition(u32::MAX)] {
        fixture.client.send::<rpc::ClearScanner>(nowhere, &context).await;
    }
    assert_eq!(fixture.scan(context).await.error, status::NOT_FOUND, "the next reply is the next call's");
}

#[tokio::test]
async fn a_scan_stays_within_its_hash_key_unless_it_is_a_full_one() {
    let mut fixture = Fixture::with_numbers(2).await;
    let header = fixture.table.at("h");
    let here = fixture.table.partition(header.partition_index.cast_unsigned());
    fixture.client.ask::<rpc::Put>(here, put("i", "next", "v")).await;
    fixture.client.ask::<rpc::Put>(here, put("long", "next", "v")).await;
    let beyond = GetScannerRequest { stop_key: Bytes::from_static(b"\xff\xff"), ..hash_key(10) };
    let within = fixture.client.ask::<rpc::GetScanner>(header, beyond.clone()).await;
    assert_eq!((within.kvs.len(), within.context_id), (2, SCAN_COMPLETED));
    let full = GetScannerRequest { full_scan: Some(true), ..beyond };
    let full = fixture.client.ask::<rpc::GetScanner>(header, full).await;
    assert_eq!(keys(&full), [raw("h", "00"), raw("h", "01"), raw("i", "next"), raw("long", "next")]);
}

#[tokio::test]
async fn an_empty_range_is_complete() {
    let mut fixture = Fixture::with_numbers(2).await;
    for (start_key, stop_key) in [(raw("h", "5"), raw("h", "4")), (raw("h", "01"), raw("h", "01"))] {
        let batch = fixture.get_scanner(GetScannerRequest { start_key, stop_key, ..hash_key(10) }).await;
        assert_eq!((batch.error, batch.kvs.len(), batch.context_id), (status::OK, 0, SCAN_COMPLETED));
    }
}

#[tokio::test]
async fn a_batch_may_be_empty_and_the_scan_go_on() {
    let mut fixture = Fixture::with_numbers(6).await;
    let filtered = GetScannerRequest { sort_key_filter_type: 3, sort_key_filter_pattern: "5".into(), ..hash_key(1) };
    let mut batch = fixture.get_scanner(filtered).await;
    let mut seen = Vec::from_iter(batch.kvs.keys().map(Bytes::copy_from_slice));
    while batch.context_id != SCAN_COMPLETED {
        batch = fixture.scan(batch.context_id).await;
        assert_eq!(batch.error, status::OK);
        seen.extend(batch.kvs.keys().map(Bytes::copy_from_slice));
    }
    assert_eq!(seen, [raw("h", "05")]);
}

#[tokio::test]
async fn a_scan_counts_or_tells_expiries_or_leaves_values_out_as_asked() {
    let mut fixture = Fixture::with_numbers(3).await;
    let expiring = UpdateRequest { expire_ts_seconds: START + 10, ..put("h", "03", "v") };
    fixture.ask::<rpc::Put>("h", expiring).await;
    let counted = fixture.get_scanner(GetScannerRequest { only_return_count: Some(true), ..hash_key(10) }).await;
    assert_eq!((counted.kv_count, counted.kvs.len()), (Some(4), 0));
    let timed = fixture.get_scanner(GetScannerRequest { return_expire_ts: Some(true), ..hash_key(10) }).await;
    let times: Vec<_> = timed.kvs.map(|row| row.expire_ts_seconds).collect();
    assert_eq!(times, [Some(0), Some(0), Some(0), Some(START + 10)]);
    let bare = fixture.get_scanner(GetScannerRequest { no_value: true, ..hash_key(10) }).await;
    assert!(bare.kvs.len() == 4 && bare.kvs.clone().all(|row| row.value.is_empty()));
    fixture.advance(10);
    assert_eq!(fixture.get_scanner(hash_key(10)).await.kvs.len(), 3, "expired rows are left out");
}

#[tokio::test]
async fn an_unknown_filter_is_refused() {
    let mut fixture = Fixture::with_numbers(3).await;
    for request in [
        GetScannerRequest { hash_key_filter_type: 4, ..hash_key(10) },
        GetScannerRequest { sort_key_filter_type: -1, ..hash_key(10) },
    ] {
        let batch = fixture.get_scanner(request).await;
        assert_eq!((batch.error, batch.kvs.len()), (status::INVALID_ARGUMENT, 0));
    }
}

#[tokio::test]
async fn rows_of_other_partitions_are_left_out_where_the_table_checks_them() {
    let mut fixture = Fixture::with_numbers(1).await;
    let header = fixture.table.at("h");
    let here = fixture.table.partition(header.partition_index.cast_unsigned());
    fixture.client.ask::<rpc::Put>(here, put("a", "stray", "v")).await;
    let count = |batch: &ScanResponse| batch.kvs.len();
    assert_eq!(count(&fixture.get_scanner(everything(10)).await), 2, "nothing is checked");
    fixture.set_env("replica.split.validate_partition_hash", "true").await;
    assert_eq!(count(&fixture.get_scanner(everything(10)).await), 1);
    let unchecked = GetScannerRequest { validate_partition_hash: Some(false), ..everything(10) };
    assert_eq!(count(&fixture.get_scanner(unchecked).await), 2, "unless it is asked for without");
}

#[tokio::test]
async fn a_batch_holds_a_thousand_rows_at_most() {
    let mut fixture = Fixture::start().await;
    let header = fixture.table.at("h");
    let mut bytes = Vec::new();
    for number in 0..1001 {
        let row = put("h", &format!("{number:04}"), "");
        bytes.append(&mut crate::support::encoded::<rpc::Put>(header, number, &row));
    }
    fixture.client.send_bytes(&bytes).await;
    for _ in 0..1001 {
        fixture.client.receive().await;
    }
    for batch_size in [0, -1, 5000] {
        let batch = fixture.get_scanner(hash_key(batch_size)).await;
        assert_eq!(batch.kvs.len(), 1000);
        let rest = fixture.scan(batch.context_id).await;
        assert_eq!((rest.kvs.len(), rest.context_id), (1, SCAN_COMPLETED));
    }
}
