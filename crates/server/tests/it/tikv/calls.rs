//! Calls: how they end, how long they may take, and how their messages are written.

use std::time::{Duration, Instant};

use bytes::Bytes;
use charioteer_proto::tikv::Message;
use charioteer_proto::tikv::kvrpcpb::{RawGetRequest, RawGetResponse, RawPutRequest};
use charioteer_proto::tikv::pdpb::{GetMembersRequest, GetMembersResponse, GetRegionRequest, GetStoreRequest};
use charioteer_proto::tikv::rpc;

use super::support::{Batches, Client, Ended, Tikv, framed, gzipped};
use crate::support::soon;

const RAW_GET: &str = "/tikvpb.Tikv/RawGet";
const RAW_PUT: &str = "/tikvpb.Tikv/RawPut";
const GET_MEMBERS: &str = "/pdpb.PD/GetMembers";

#[tokio::test]
async fn a_method_that_nobody_knows_is_unimplemented() {
    let mut tikv = Tikv::start().await;
    for (path, why) in [
        ("/pdpb.PD/Nothing", "unknown method /pdpb.PD/Nothing"),
        ("/", "unknown method /"),
        ("/a/b/c?d", "unknown method /a/b/c"),
        (RAW_GET, "/tikvpb.Tikv/RawGet is not served by PD"),
    ] {
        let mut call = tikv.pd.send_bytes(path, framed(&RawGetRequest::default())).await;
        assert_eq!(call.end().await, Ended::Status(12, why.to_owned()));
    }
    let mut call = tikv.store.send_bytes(GET_MEMBERS, framed(&GetMembersRequest::default())).await;
    assert_eq!(call.end().await, Ended::Status(12, "/pdpb.PD/GetMembers is not served by stores".to_owned()));
}

#[tokio::test]
async fn a_status_says_what_the_original_says() {
    let mut tikv = Tikv::start().await;
    let members = tikv.pd.call::<rpc::GetMembers>(&GetMembersRequest::default()).await.unwrap();
    let id = members.header.unwrap().cluster_id;
    let refused = tikv.pd.call::<rpc::GetStore>(&GetStoreRequest::default()).await.unwrap_err();
    assert_eq!(refused, Ended::Status(9, format!("mismatch cluster id, need {id} but got 0")));
    let refused = tikv.pd.call::<rpc::GetRegion>(&GetRegionRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), 9);
}

#[tokio::test]
async fn what_is_no_call_is_refused_as_http() {
    let mut tikv = Tikv::start().await;
    for content_type in ["application/json", "text/plain", "grpc"] {
        let mut call = tikv.pd.begin(GET_MEMBERS, &[("content-type", content_type)]).await;
        call.finish();
        assert_eq!(call.end().await, Ended::Http(415), "{content_type}");
    }
    let mut call = tikv.pd.begin(GET_MEMBERS, &[("content-type", "application/grpc+proto")]).await;
    call.send_message(&GetMembersRequest::default()).await;
    call.finish();
    call.only::<GetMembersResponse>().await.unwrap();
}

#[tokio::test]
async fn a_call_without_a_request_or_with_half_of_one_fails() {
    let mut tikv = Tikv::start().await;
    for (begun, why) in [
        (&b""[..], "the call has no request"),
        (b"\0\0", "the call ends in the middle of a message"),
        (b"\0\0\0\0\x05ab", "the call ends in the middle of a message"),
    ] {
        let mut call = tikv.pd.send_bytes(GET_MEMBERS, begun).await;
        assert_eq!(call.end().await, Ended::Status(13, why.to_owned()));
    }
}

#[tokio::test]
async fn a_message_may_come_byte_by_byte() {
    let mut tikv = Tikv::start().await;
    tikv.put("a", "one").await;
    let request = RawGetRequest { context: Some(tikv.context(b"a").await), key: "a".into(), ..Default::default() };
    let mut call = tikv.store.begin(RAW_GET, &[]).await;
    for byte in framed(&request) {
        call.send(vec![byte]).await;
    }
    call.finish();
    assert_eq!(call.only::<RawGetResponse>().await.unwrap().value, "one");
}

#[tokio::test]
async fn a_call_ends_when_the_client_s_time_is_up() {
    let latency = Duration::from_secs(3600);
    let mut tikv = Tikv::with(|options| options.latency = latency).await;
    let begin = Instant::now();
    for timeout in ["100m", "1n", "0S"] {
        let mut call = tikv.pd.begin(GET_MEMBERS, &[("grpc-timeout", timeout)]).await;
        call.send_message(&GetMembersRequest::default()).await;
        call.finish();
        assert_eq!(call.end().await, Ended::Status(4, "the client's time for the call is up".to_owned()), "{timeout}");
    }
    assert!(begin.elapsed() >= Duration::from_millis(100));
    // A stream has a time, too.
    let mut call = tikv.store.begin("/tikvpb.Tikv/BatchCommands", &[("grpc-timeout", "50m")]).await;
    assert_eq!(call.end().await.code(), 4);
}

#[tokio::test]
async fn compressed_requests_are_read() {
    let mut tikv = Tikv::start().await;
    let value = Bytes::from("x".repeat(100_000));
    let (context, key) = (Some(tikv.context(b"a").await), Bytes::from("a"));
    let put = RawPutRequest { context, key, value: value.clone(), ..Default::default() };
    let compressed = gzipped(&put.encode_to_vec());
    assert!(compressed.len() < 1000);
    let mut call = tikv.store.begin(RAW_PUT, &[("grpc-encoding", "gzip")]).await;
    call.send(compressed).await;
    call.finish();
    call.only::<charioteer_proto::tikv::kvrpcpb::RawPutResponse>().await.unwrap();
    assert_eq!(tikv.get("a").await, Some(value));
    // What says that it may be compressed need not be.
    let mut call = tikv.pd.begin(GET_MEMBERS, &[("grpc-encoding", "gzip")]).await;
    call.send_message(&GetMembersRequest::default()).await;
    call.finish();
    call.only::<GetMembersResponse>().await.unwrap();
}

#[tokio::test]
async fn a_batch_may_be_compressed() {
    let mut tikv = Tikv::start().await;
    let context = tikv.context(b"a").await;
    let mut call = tikv.store.begin("/tikvpb.Tikv/BatchCommands", &[("grpc-encoding", "gzip")]).await;
    let get = RawGetRequest { context: Some(context), key: "a".into(), ..Default::default() };
    let requests = vec![charioteer_proto::tikv::tikvpb::batch_commands_request::Request {
        cmd: Some(rpc::Command::RawGet(Box::new(get))),
    }];
    let message =
        charioteer_proto::tikv::tikvpb::BatchCommandsRequest { requests, request_ids: vec![9], ..Default::default() };
    for _ in 0..3 {
        call.send(gzipped(&message.encode_to_vec())).await;
        let reply: charioteer_proto::tikv::tikvpb::BatchCommandsResponse = call.receive().await.unwrap();
        assert_eq!(reply.request_ids, [9]);
    }
}

#[tokio::test]
async fn what_is_compressed_without_saying_how_or_wrongly_is_refused() {
    let mut tikv = Tikv::start().await;
    let message = gzipped(&GetMembersRequest::default().encode_to_vec());
    let mut call = tikv.pd.send_bytes(GET_MEMBERS, message.clone()).await;
    assert_eq!(call.end().await, Ended::Status(13, "a message is compressed, and nothing says how".to_owned()));
    let mut call = tikv.pd.begin(GET_MEMBERS, &[("grpc-encoding", "identity")]).await;
    call.send(message).await;
    assert_eq!(call.end().await.code(), 13);
    for wrong in [&b"\x01\0\0\0\x04abcd"[..], b"\x01\0\0\0\0", b"\x02\0\0\0\0", b"\xff\0\0\0\0"] {
        let mut call = tikv.pd.begin(GET_MEMBERS, &[("grpc-encoding", "gzip")]).await;
        call.send(wrong).await;
        assert_eq!(call.end().await.code(), 13, "{}", wrong.escape_ascii());
    }
    let mut call = tikv.pd.begin(GET_MEMBERS, &[("grpc-encoding", "snappy")]).await;
    call.finish();
    assert_eq!(call.end().await, Ended::Status(12, "encoding snappy is not read here".to_owned()));
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_call_disturbs_nobody() {
    let mut tikv = Tikv::with(|options| options.latency = Duration::from_millis(100)).await;
    let mut call = tikv.store.send::<rpc::GetStoreSafeTs>(&Default::default()).await;
    for _ in 0..20 {
        let mut leaving = tikv.connect().await;
        let half = leaving.begin(RAW_GET, &[]).await;
        let whole = leaving.send::<rpc::GetStoreSafeTs>(&Default::default()).await;
        let batches = Batches::open(&mut leaving).await;
        leaving.ping().await;
        drop((half, whole, batches));
        leaving.cut();
    }
    soon(call.only::<charioteer_proto::tikv::kvrpcpb::StoreSafeTsResponse>()).await.unwrap();
}

#[tokio::test]
async fn a_call_that_is_given_up_leaves_the_others_of_its_connection() {
    let mut tikv = Tikv::with(|options| options.latency = Duration::from_millis(50)).await;
    for _ in 0..50 {
        tikv.store.send::<rpc::GetStoreSafeTs>(&Default::default()).await.give_up();
        let mut half = tikv.store.begin(RAW_GET, &[]).await;
        half.send(&b"\0\0\0\x10\0ab"[..]).await;
        half.give_up();
    }
    tikv.store.call::<rpc::GetStoreSafeTs>(&Default::default()).await.unwrap();
}

#[tokio::test]
async fn a_client_may_ping_as_often_as_it_likes_without_any_call() {
    let tikv = Tikv::start().await;
    for address in [tikv.pd_address(), tikv.store_address()] {
        let mut client = Client::connect(address).await;
        for _ in 0..200 {
            client.ping().await;
        }
        client.call::<rpc::HealthCheck>(&Default::default()).await.unwrap();
    }
}
