use charioteer_proto::tikv::kvrpcpb::{
    KeyRange, RawBatchGetRequest, RawBatchPutRequest, RawBatchScanRequest, RawCasRequest,
};
use charioteer_proto::tikv::tikvpb::batch_commands_response::Response;

use super::*;

/// Puts values that are together too many for an answer, each of which fits one.
async fn with_large_values(f: &Fixture) -> Vec<Bytes> {
    let keys = ["a", "b", "c"];
    for key in keys {
        f.put(key, &"v".repeat(FRAME_BYTES / 2)).await;
    }
    keys.map(bytes).to_vec()
}

#[tokio::test]
async fn an_answer_that_is_too_large_ends_a_call_and_is_an_error_in_a_batch() {
    for f in [Fixture::new(), Fixture::on_disk()] {
        let keys = with_large_values(&f).await;
        let scan = RawScanRequest { context: f.context(), limit: 9, ..RawScanRequest::default() };
        let gets = RawBatchGetRequest { context: f.context(), keys, ..RawBatchGetRequest::default() };
        let ranges = vec![KeyRange::default()];
        let scans = RawBatchScanRequest { context: f.context(), ranges, each_limit: 9, ..Default::default() };
        let alone = [
            f.call::<rpc::RawScan>(scan.clone()).await.unwrap_err(),
            f.call::<rpc::RawBatchGet>(gets.clone()).await.unwrap_err(),
            f.call::<rpc::RawBatchScan>(scans.clone()).await.unwrap_err(),
        ];
        for status in alone {
            assert_eq!(status.code, Code::ResourceExhausted);
            assert!(status.message.contains(&format!("vs. {}", FRAME_BYTES - AROUND_AN_ANSWER)), "{status}");
        }
        let reply = f.command::<rpc::RawScan>(scan.clone()).await;
        assert!(too_large(reply.region_error.as_deref()) && reply.kvs.is_empty());
        let reply = f.command::<rpc::RawBatchGet>(gets).await;
        assert!(too_large(reply.region_error.as_deref()) && reply.pairs.is_empty());
        let reply = f.command::<rpc::RawBatchScan>(scans).await;
        assert!(too_large(reply.region_error.as_deref()) && reply.kvs.is_empty());
        assert_eq!(f.ask::<rpc::RawScan>(RawScanRequest { limit: 1, ..scan.clone() }).await.kvs.len(), 1);
        assert_eq!(f.ask::<rpc::RawScan>(RawScanRequest { key_only: true, ..scan }).await.kvs.len(), 3);
    }
}

#[tokio::test]
async fn many_small_rows_are_a_large_answer_too() {
    let f = Fixture::new();
    f.put("", "").await;
    let keys = vec![Bytes::new(); FRAME_BYTES / 32 + 1];
    let gets = RawBatchGetRequest { context: f.context(), keys, ..RawBatchGetRequest::default() };
    assert_eq!(f.call::<rpc::RawBatchGet>(gets).await.unwrap_err().code, Code::ResourceExhausted);
}

#[tokio::test]
async fn what_can_be_written_can_be_read() {
    let f = Fixture::new();
    let most = FRAME_BYTES - AROUND_AN_ANSWER;
    f.put("key", &"v".repeat(most - 3)).await;
    let get = RawGetRequest { context: f.context(), key: bytes("key"), ..RawGetRequest::default() };
    assert!(f.ask::<rpc::RawGet>(get).await.encoded_len() <= FRAME_BYTES);
    let scan = RawScanRequest { context: f.context(), limit: 1, ..RawScanRequest::default() };
    let answer = f.store.start(Command::RawScan(Box::new(scan))).wait().await.unwrap();
    let mut ready = Answered::default();
    ready.push(u64::MAX, Response { cmd: Some(answer) });
    let mut stream = BatchStream::new(Arc::clone(&f.store));
    assert!(stream.message(&mut ready).unwrap().encoded_len() <= FRAME_BYTES);
}

#[tokio::test]
async fn a_row_that_could_not_be_read_again_is_not_written() {
    let f = Fixture::new();
    let (context, key) = (f.context(), bytes("key"));
    let value = Bytes::from(vec![0; FRAME_BYTES - AROUND_AN_ANSWER - 2]);
    let put = RawPutRequest { context: context.clone(), key: key.clone(), value: value.clone(), ..Default::default() };
    let error = f.ask::<rpc::RawPut>(put).await.region_error.unwrap();
    let size = FRAME_BYTES - AROUND_AN_ANSWER + 1;
    assert_eq!(error.raft_entry_too_large.map(|error| error.entry_size), Some(size as u64));
    assert_eq!(
        error.message,
        format!("raft entry is too large, region {}, entry size {size}", f.cluster.region_at(b"").id)
    );
    let pairs = vec![pair("a", "1"), KvPair { key: key.clone(), value: value.clone(), ..KvPair::default() }];
    let puts = RawBatchPutRequest { context: context.clone(), pairs, ..RawBatchPutRequest::default() };
    assert!(too_large(f.ask::<rpc::RawBatchPut>(puts).await.region_error.as_deref()));
    let swap = RawCasRequest { context, key, value, previous_not_exist: true, ..RawCasRequest::default() };
    assert!(too_large(f.ask::<rpc::RawCompareAndSwap>(swap).await.region_error.as_deref()));
    assert_eq!(f.keys().await, [""; 0]);
}

#[tokio::test]
async fn a_value_from_before_the_limit_is_refused_with_its_status() {
    let f = Fixture::new();
    f.put("key", &"v".repeat(1000)).await;
    let smaller = Store::new(StoreParts {
        id: f.store.id,
        cluster: Arc::clone(&f.cluster),
        pd: Arc::clone(&f.store.pd),
        rows: f.backend.rows().unwrap(),
        waits: Arc::default(),
        api: TikvApi::Any,
        clock: f.clock.clone(),
        frame_bytes: 1000,
    });
    let get = RawGetRequest { context: f.context(), key: bytes("key"), ..RawGetRequest::default() };
    let status = smaller.call::<rpc::RawGet>(get.clone()).wait().await.unwrap_err();
    assert_eq!(status.code, Code::ResourceExhausted);
    let Ok(Answer::RawGet(reply)) = smaller.start(Command::RawGet(Box::new(get))).wait().await else { panic!() };
    assert!(too_large(reply.region_error.as_deref()));
}
