//! Calls that get an error in place of a result, or nothing.

use bytes::{Bytes, BytesMut};
use charioteer_proto::pegasus::data::{IncrRequest, MultiPutRequest, UpdateRequest, status};
use charioteer_proto::pegasus::frame::{RequestHeader, write_request};
use charioteer_proto::pegasus::rpc::{self, Rpc};
use charioteer_proto::pegasus::thrift::Value;

use crate::support::{Fixture, META, encoded, put, raw};

/// The longest write.
const MEBIBYTE: usize = 1 << 20;

/// A put whose message is so long.
fn put_of(header: RequestHeader, body_bytes: usize) -> UpdateRequest {
    let empty = put("h", "s", "");
    let overhead = encoded::<rpc::Put>(header, 0, &empty).len() - 48;
    UpdateRequest { value: vec![7; body_bytes - overhead].into(), ..empty }
}

#[tokio::test]
async fn partitions_and_tables_that_are_not_here_are_unknown() {
    let mut fixture = Fixture::start().await;
    let table = fixture.table;
    for (table_id, partition_index) in [(1, 8), (1, -1), (1, i32::MAX), (2, 0), (i32::MAX, 0)] {
        let header = RequestHeader { table_id, partition_index, ..table.partition(0) };
        let refusal = fixture.client.refusal::<rpc::Get>(header, raw("h", "s")).await;
        assert_eq!(refusal, "ERR_OBJECT_NOT_FOUND", "table {table_id}, partition {partition_index}");
        let refusal = fixture.client.refusal::<rpc::Put>(header, put("h", "s", "v")).await;
        assert_eq!(refusal, "ERR_OBJECT_NOT_FOUND", "table {table_id}, partition {partition_index}");
    }
}

#[tokio::test]
async fn calls_on_data_that_name_no_table_have_no_handler() {
    let mut fixture = Fixture::start().await;
    for table_id in [0, -1] {
        let header = RequestHeader { table_id, ..RequestHeader::default() };
        let refusal = fixture.client.refusal::<rpc::Get>(header, raw("h", "s")).await;
        assert_eq!(refusal, "ERR_HANDLER_NOT_FOUND", "table {table_id}");
    }
}

#[tokio::test]
async fn a_hash_of_another_partition_is_told_to_the_client() {
    let mut fixture = Fixture::start().await;
    let right = fixture.table.at("h");
    let wrong = RequestHeader { partition_index: (right.partition_index + 1) % 8, ..right };
    for header in [wrong, RequestHeader { version: 1, ..wrong }] {
        let refusal = fixture.client.refusal::<rpc::Get>(header, raw("h", "s")).await;
        assert_eq!(refusal, "ERR_PARENT_PARTITION_MISUSED");
        let refusal = fixture.client.refusal::<rpc::Put>(header, put("h", "s", "v")).await;
        assert_eq!(refusal, "ERR_PARENT_PARTITION_MISUSED");
    }
}

#[tokio::test]
async fn a_write_whose_hash_is_not_its_keys_is_refused() {
    let mut fixture = Fixture::start().await;
    let right = fixture.table.at("h");
    // Another hash that leads to the same partition; the original's server aborts here.
    let wrong = RequestHeader { partition_hash: right.partition_hash.wrapping_add(8), ..right };
    assert_eq!(fixture.client.refusal::<rpc::Put>(wrong, put("h", "s", "v")).await, "ERR_INVALID_PARAMETERS");
    assert_eq!(fixture.client.refusal::<rpc::Remove>(wrong, raw("h", "s")).await, "ERR_INVALID_PARAMETERS");
    assert_eq!(fixture.get("h", "s").await, None);
    assert_eq!(fixture.client.ask::<rpc::Get>(wrong, raw("h", "s")).await.error, status::NOT_FOUND, "a read may");
}

#[tokio::test]
async fn a_write_of_more_than_a_mebibyte_is_refused_and_the_connection_goes_on() {
    let mut fixture = Fixture::start().await;
    let header = fixture.table.at("h");
    let longest = put_of(header, MEBIBYTE);
    assert_eq!(fixture.client.ask::<rpc::Put>(header, longest.clone()).await.error, status::OK);
    let longer = put_of(header, MEBIBYTE + 1);
    for header in [header, RequestHeader { version: 1, ..header }] {
        assert_eq!(fixture.client.refusal::<rpc::Put>(header, longer.clone()).await, "ERR_INVALID_DATA");
    }
    let long = MultiPutRequest { hash_key: vec![7; MEBIBYTE].into(), ..MultiPutRequest::default() };
    assert_eq!(fixture.client.refusal::<rpc::MultiPut>(header, long).await, "ERR_INVALID_DATA");
    assert_eq!(fixture.get("h", "s").await.unwrap(), longest.value);
}

#[tokio::test]
async fn a_read_may_be_longer_than_a_write() {
    let mut fixture = Fixture::start().await;
    let key = Bytes::from(vec![0; 2 * MEBIBYTE]);
    let partition = fixture.table.partition(0);
    assert_eq!(fixture.client.ask::<rpc::Get>(partition, key).await.error, status::NOT_FOUND);
}

#[tokio::test]
async fn a_key_that_is_too_long_to_be_stored_is_refused() {
    let mut fixture = Fixture::start().await;
    let sort_key = "s".repeat(65_535);
    assert_eq!(fixture.refusal::<rpc::Put>("h", put("h", &sort_key, "v")).await, "ERR_INVALID_DATA");
    let incr = IncrRequest { key: raw("h", &sort_key), increment: 1, expire_ts_seconds: 0 };
    assert_eq!(fixture.refusal::<rpc::Incr>("h", incr).await, "ERR_INVALID_DATA");
    assert_eq!(fixture.get("h", &sort_key).await, None);
    let longest = "s".repeat(65_535 - 4 - 3);
    fixture.put("h", &longest, "v").await;
    assert_eq!(fixture.get("h", &longest).await.unwrap(), "v");
}

#[tokio::test]
async fn a_raw_key_that_is_shorter_than_it_says_does_no_harm() {
    let mut fixture = Fixture::start().await;
    let partition = fixture.table.partition(0);
    for key in [&b""[..], b"\x00", b"\x00\x05abc", b"\xff\xff"] {
        let key = Bytes::copy_from_slice(key);
        let request = UpdateRequest { key: key.clone(), value: "v".into(), ..UpdateRequest::default() };
        assert_eq!(fixture.client.ask::<rpc::Put>(partition, request).await.error, status::OK);
        assert_eq!(fixture.client.ask::<rpc::Get>(partition, key.clone()).await.value, "v");
        assert_eq!(fixture.client.ask::<rpc::Remove>(partition, key).await.error, status::OK);
    }
}

#[tokio::test]
async fn a_call_by_an_unknown_name_is_refused() {
    let mut fixture = Fixture::start().await;
    for (number, name) in (1..).zip(["RPC_NONE", "", "RPC_RRDB_RRDB_GE", "RPC_RRDB_RRDB_DUPLICATE", "ä"]) {
        for header in [META, fixture.table.partition(0)] {
            let mut bytes = BytesMut::new();
            write_request(&mut bytes, &header, name, number, &Bytes::new());
            fixture.client.send_bytes(&bytes).await;
            let reply = fixture.client.receive().await;
            assert_eq!((reply.error.name(), reply.sequence_id), ("ERR_HANDLER_NOT_FOUND", number));
            assert_eq!(reply.name, format!("{name}_ACK"));
            assert!(reply.results.is_empty());
        }
    }
}

/// Sends an argument of another type than the call's.
async fn send_as<R: Rpc>(fixture: &mut Fixture, argument: &impl Value) {
    let mut bytes = BytesMut::new();
    write_request(&mut bytes, &fixture.table.at("h"), R::NAME, 7, argument);
    fixture.client.send_bytes(&bytes).await;
}

#[tokio::test]
async fn an_argument_that_cannot_be_read_gets_no_answer_and_the_connection_goes_on() {
    let mut fixture = Fixture::start().await;
    send_as::<rpc::Get>(&mut fixture, &1_i32).await;
    send_as::<rpc::Put>(&mut fixture, &Bytes::from_static(b"\xff\xff\xff\xff")).await;
    send_as::<rpc::MultiGet>(&mut fixture, &Bytes::from_static(b"\x0c\x00\x63")).await;
    send_as::<rpc::ClearScanner>(&mut fixture, &true).await;
    send_as::<rpc::QueryConfig>(&mut fixture, &vec![1_i32]).await;
    send_as::<rpc::CreateApp>(&mut fixture, &Bytes::from_static(&[0xff; 64])).await;
    send_as::<rpc::RemoteCommand>(&mut fixture, &true).await;
    assert_eq!(fixture.get("h", "s").await, None, "the next reply is the next call's");
}

#[tokio::test]
async fn a_list_that_says_it_is_longer_than_it_can_be_gets_no_answer() {
    let mut fixture = Fixture::start().await;
    for count in [i32::MAX, -1, i32::MIN, 1000] {
        let mut bytes = encoded::<rpc::MultiPut>(fixture.table.at("h"), 7, &MultiPutRequest::default());
        let list = bytes.windows(4).position(|window| window == [0x0f, 0, 2, 0x0c]).unwrap() + 4;
        bytes[list..list + 4].copy_from_slice(&count.to_be_bytes());
        fixture.client.send_bytes(&bytes).await;
    }
    assert_eq!(fixture.get("h", "s").await, None, "the next reply is the next call's");
}
