//! Many requests on one connection, without waiting for replies.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use charioteer_proto::pegasus::data::ReadResponse;
use charioteer_proto::pegasus::rpc;

use crate::support::{Fixture, META, META_V1, encoded, put, raw};

const MANY: i32 = 5000;

fn value_of(number: i32) -> String {
    format!("value {number} {}", "x".repeat(usize::try_from(number % 200).unwrap()))
}

#[tokio::test]
async fn thousands_of_requests_in_one_write_are_all_answered_each_with_its_own_value() {
    let mut fixture = Fixture::start().await;
    let mut bytes = Vec::new();
    for number in 0..MANY {
        let row = put("h", &number.to_string(), &value_of(number));
        bytes.append(&mut encoded::<rpc::Put>(fixture.table.at("h"), number, &row));
    }
    fixture.client.send_bytes(&bytes).await;
    let mut seen: Vec<i32> = Vec::new();
    for _ in 0..MANY {
        seen.push(fixture.client.receive().await.sequence_id);
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..MANY).collect::<Vec<_>>(), "each is answered once");

    let mut bytes = Vec::new();
    for number in 0..MANY {
        let key = raw("h", &number.to_string());
        bytes.append(&mut encoded::<rpc::Get>(fixture.table.at("h"), -number, &key));
    }
    fixture.client.send_bytes(&bytes).await;
    for _ in 0..MANY {
        let reply = fixture.client.receive().await;
        let read: ReadResponse = reply.result().unwrap();
        assert_eq!(read.value, value_of(-reply.sequence_id));
    }
}

#[tokio::test]
async fn requests_of_one_connection_are_done_in_the_order_in_which_they_came() {
    let mut fixture = Fixture::start().await;
    let mut bytes = Vec::new();
    for number in 0..500 {
        let header = fixture.table.at("h");
        bytes.append(&mut encoded::<rpc::Put>(header, 2 * number, &put("h", "s", &number.to_string())));
        bytes.append(&mut encoded::<rpc::Get>(header, 2 * number + 1, &raw("h", "s")));
    }
    fixture.client.send_bytes(&bytes).await;
    let mut reads = HashMap::new();
    for _ in 0..1000 {
        let reply = fixture.client.receive().await;
        if reply.sequence_id % 2 == 1 {
            reads.insert(reply.sequence_id / 2, reply.result::<ReadResponse>().unwrap().value);
        }
    }
    for number in 0..500 {
        assert_eq!(reads[&number], number.to_string(), "a read sees the write before it");
    }
}

#[tokio::test]
async fn requests_of_all_kinds_may_stand_in_one_write() {
    let mut fixture = Fixture::start().await;
    let header = fixture.table.at("h");
    let mut bytes = encoded::<rpc::Get>(header, 1, &raw("h", "s"));
    bytes.append(&mut encoded::<rpc::ClusterInfo>(META_V1, 2, &Default::default()));
    bytes.append(&mut encoded::<rpc::ClearScanner>(header, 3, &1));
    bytes.append(&mut encoded::<rpc::RemoteCommand>(META, 4, &Default::default()));
    bytes.append(&mut encoded::<rpc::Get>(fixture.table.partition(77), 5, &Bytes::new()));
    fixture.client.send_bytes(&bytes).await;
    let mut answered = Vec::new();
    for _ in 0..4 {
        answered.push(fixture.client.receive().await.sequence_id);
    }
    answered.sort_unstable();
    assert_eq!(answered, [1, 2, 4, 5]);
}

#[tokio::test]
async fn replies_larger_than_any_buffer_come_whole() {
    let mut fixture = Fixture::start().await;
    let value = "v".repeat(900_000);
    fixture.put("h", "s", &value).await;
    let mut bytes = Vec::new();
    for number in 0..40 {
        bytes.append(&mut encoded::<rpc::Get>(fixture.table.at("h"), number, &raw("h", "s")));
    }
    fixture.client.send_bytes(&bytes).await;
    for _ in 0..40 {
        let read: ReadResponse = fixture.client.receive().await.result().unwrap();
        assert!(read.value == value, "36 MB, which is more than may be under way at a time");
    }
}

#[tokio::test]
async fn a_latency_is_added_to_every_answer_and_not_for_one_after_the_other() {
    let latency = Duration::from_millis(500);
    let mut fixture = Fixture::with(|options| options.latency = latency).await;
    let mut bytes = Vec::new();
    for number in 0..100 {
        bytes.append(&mut encoded::<rpc::Get>(fixture.table.at("h"), number, &raw("h", "s")));
    }
    let begin = Instant::now();
    fixture.client.send_bytes(&bytes).await;
    for _ in 0..100 {
        fixture.client.receive().await;
    }
    assert!(begin.elapsed() >= latency);
    assert!(begin.elapsed() < 50 * latency, "they wait side by side");
}

#[tokio::test]
async fn what_a_client_sent_before_it_said_that_it_was_done_is_answered() {
    let mut fixture = Fixture::start().await;
    let header = fixture.table.at("h");
    fixture.client.send::<rpc::Put>(header, &put("h", "s", "v")).await;
    fixture.client.send::<rpc::Get>(header, &raw("h", "s")).await;
    fixture.client.finish_sending().await;
    fixture.client.receive().await;
    fixture.client.receive().await;
    fixture.client.hung_up().await;
}
