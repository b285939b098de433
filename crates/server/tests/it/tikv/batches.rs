//! Streams of batches: many commands in a message, answers in any order.

use std::collections::BTreeSet;
use std::time::Duration;

use charioteer_proto::tikv::kvrpcpb::{Context, KvPair, RawBatchPutRequest, RawGetRequest, RawPutRequest};
use charioteer_proto::tikv::rpc::{self, Answer, Command};
use charioteer_proto::tikv::tikvpb::{BatchCommandsEmptyRequest, BatchCommandsRequest};

use charioteer_server::Limits;

use super::support::{Batches, Ended, Sent, Tikv, command};

fn get(context: &Context, key: impl Into<bytes::Bytes>) -> Command {
    command::<rpc::RawGet>(RawGetRequest { context: Some(context.clone()), key: key.into(), ..Default::default() })
}

fn put(context: &Context, key: String, value: String) -> Command {
    let context = Some(context.clone());
    command::<rpc::RawPut>(RawPutRequest { context, key: key.into(), value: value.into(), ..Default::default() })
}

fn empty(test_id: u64, delay_time: u64) -> Command {
    Command::Empty(Box::new(BatchCommandsEmptyRequest { test_id, delay_time }))
}

/// Has rows put in many messages that are all on their way at once, and got again; every answer is its command's.
async fn pipeline(mut tikv: Tikv) {
    let context = tikv.context(b"a").await;
    let mut batches = Batches::open(&mut tikv.store).await;
    let numbers = |message: u64| message * 100..(message + 1) * 100;
    for message in 0..50 {
        let puts = numbers(message).map(|number| (number, put(&context, format!("a{number}"), number.to_string())));
        batches.send(puts).await;
    }
    for number in (0..5000).rev() {
        assert_eq!(batches.reply::<rpc::RawPut>(number).await, Default::default());
    }
    for message in 0..50 {
        let gets = numbers(message).map(|number| (number, get(&context, format!("a{number}"))));
        batches.send(gets).await;
    }
    for number in 0..5000 {
        assert_eq!(batches.reply::<rpc::RawGet>(number).await.value, number.to_string());
    }
    assert!(batches.messages < 5000, "answers travel together");
    assert_eq!(batches.end().await, Ended::OK);
}

#[tokio::test]
async fn answers_are_their_commands_however_many_are_on_their_way() {
    pipeline(Tikv::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_come_from_the_disk_are_their_commands_too() {
    let folder = tempfile::tempdir().unwrap();
    let data = charioteer_server::Data::Folder(folder.path().join("data"), Default::default());
    pipeline(Tikv::with(|options| options.data = data).await).await;
}

#[tokio::test]
async fn an_answer_that_takes_long_does_not_keep_those_behind_it() {
    let mut tikv = Tikv::start().await;
    let context = tikv.context(b"a").await;
    let mut batches = Batches::open(&mut tikv.store).await;
    batches.send([(1, empty(77, 300)), (2, get(&context, "a"))]).await;
    let first = batches.message().await.unwrap();
    assert_eq!(first.request_ids, [2]);
    batches.send([(3, get(&context, "b"))]).await;
    assert_eq!(batches.message().await.unwrap().request_ids, [3]);
    let answer = batches.answer(1).await.cmd;
    assert!(matches!(answer, Some(Answer::Empty(empty)) if empty.test_id == 77));
}

#[tokio::test]
async fn answers_to_long_commands_do_not_wait_for_all_that_came_with_them() {
    let mut tikv = Tikv::start().await;
    let context = tikv.context(b"a").await;
    let mut batches = Batches::open(&mut tikv.store).await;
    let puts = |number: u64| {
        let put = |place| KvPair { key: format!("a{number} {place}").into(), ..KvPair::default() };
        let pairs = (0..900).map(put).collect();
        command::<rpc::RawBatchPut>(RawBatchPutRequest { context: Some(context.clone()), pairs, ..Default::default() })
    };
    batches.send((0..100).map(|number| (number, puts(number)))).await;
    for number in 0..100 {
        assert_eq!(batches.reply::<rpc::RawBatchPut>(number).await, Default::default());
    }
    assert!(batches.messages > 1, "a client had nothing to do until all was done");
}

#[tokio::test]
async fn a_message_has_a_hundred_and_twenty_eight_answers_at_most() {
    let mut tikv = Tikv::start().await;
    let mut batches = Batches::open(&mut tikv.store).await;
    batches.send((0..1000).map(|number| (number, empty(number, 0)))).await;
    let mut seen = BTreeSet::new();
    while seen.len() < 1000 {
        let message = batches.message().await.unwrap();
        assert!((1..=128).contains(&message.request_ids.len()), "{}", message.request_ids.len());
        for (number, response) in message.request_ids.into_iter().zip(message.responses) {
            assert!(matches!(response.cmd, Some(Answer::Empty(empty)) if empty.test_id == number));
            assert!(seen.insert(number), "{number} came twice");
        }
    }
}

#[tokio::test]
async fn health_is_told_once_a_second() {
    let mut tikv = Tikv::start().await;
    let mut batches = Batches::open(&mut tikv.store).await;
    let mut told = Vec::new();
    for number in 0..6 {
        batches.send([(number, empty(number, 0))]).await;
        let message = batches.message().await.unwrap();
        if let Some(health) = message.health_feedback {
            told.push((number, health.feedback_seq_no));
        }
        tikv.clock.advance(Duration::from_millis(500));
    }
    assert_eq!(told.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 2, 4]);
    assert!(told.is_sorted_by(|one, other| one.1 < other.1), "{told:?}");
}

#[tokio::test]
async fn a_command_of_a_kind_that_nobody_knows_gets_an_empty_answer() {
    let mut tikv = Tikv::start().await;
    let mut batches = Batches::open(&mut tikv.store).await;
    // A request with a field of number 200, which is no command, and its number, 5.
    batches.call.send(&b"\0\0\0\0\x08\x0a\x03\xc2\x0c\x00\x12\x01\x05"[..]).await;
    assert_eq!(batches.answer(5).await.cmd, None);
}

#[tokio::test]
async fn commands_without_numbers_end_the_stream() {
    let mut tikv = Tikv::start().await;
    let mut batches = Batches::open(&mut tikv.store).await;
    let request =
        BatchCommandsRequest { requests: vec![Default::default(); 2], request_ids: vec![1], ..Default::default() };
    batches.call.send_message(&request).await;
    let ended = batches.call.end().await;
    assert_eq!(ended, Ended::Status(3, "2 commands have 1 numbers".to_owned()));
}

#[tokio::test]
async fn commands_that_are_not_served_end_the_stream_while_others_go_on() {
    let mut tikv = Tikv::start().await;
    let context = tikv.context(b"a").await;
    let mut raw = Batches::open(&mut tikv.store).await;
    let mut pushing_down = Batches::open(&mut tikv.store).await;
    let put = put(&context, "b".to_owned(), "value".to_owned());
    pushing_down.send([(1, put), (2, command::<rpc::Coprocessor>(Default::default()))]).await;
    assert_eq!(pushing_down.reply::<rpc::RawPut>(1).await, Default::default(), "what was done is told");
    assert_eq!(pushing_down.call.end().await.code(), 12);
    raw.send([(1, get(&context, "a"))]).await;
    assert!(raw.reply::<rpc::RawGet>(1).await.not_found);
}

#[tokio::test]
async fn a_stream_for_another_cluster_ends() {
    let mut tikv = Tikv::start().await;
    let context = Context { cluster_id: 1, ..tikv.context(b"a").await };
    let mut batches = Batches::open(&mut tikv.store).await;
    batches.send([(1, get(&context, "a"))]).await;
    let Ended::Status(3, why) = batches.call.end().await else { panic!("it goes on") };
    assert!(why.starts_with("cluster of request=1 does not match TiKV cluster id="), "{why}");
}

#[tokio::test]
async fn what_was_sent_before_the_end_is_answered_before_the_end() {
    let mut tikv = Tikv::start().await;
    let mut batches = Batches::open(&mut tikv.store).await;
    batches.send((0..300).map(|number| (number, empty(number, (number % 3) * 20)))).await;
    batches.call.finish();
    let mut seen = BTreeSet::new();
    let ended = loop {
        match batches.message().await {
            Ok(message) => seen.extend(message.request_ids),
            Err(ended) => break ended,
        }
    };
    assert_eq!((seen.len(), ended), (300, Ended::OK));
}

#[tokio::test]
async fn messages_that_wait_for_room_while_others_are_answered_go_on_to_be_read() {
    let mut tikv = Tikv::with(|options| {
        options.limits = Limits { frame_bytes: 1 << 20, in_flight_bytes: 1 << 20, ..Limits::default() };
        // Each holds its room for a while, so that the next one has to wait for it.
        options.latency = Duration::from_millis(30);
    })
    .await;
    let context = tikv.context(b"a").await;
    let mut batches = Batches::open(&mut tikv.store).await;
    for number in 0..6 {
        let large = put(&context, format!("a{number}"), "v".repeat(900_000));
        assert_eq!(batches.send([(number, large)]).await, Sent::All);
    }
    for number in 0..6 {
        assert_eq!(batches.reply::<rpc::RawPut>(number).await, Default::default());
    }
    assert_eq!(batches.end().await, Ended::OK);
}
