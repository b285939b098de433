use charioteer_proto::tikv::kvrpcpb::RawGetResponse;
use charioteer_proto::tikv::tikvpb::batch_commands_request::Request;
use charioteer_proto::tikv::tikvpb::batch_commands_response::Response;
use charioteer_proto::tikv::tikvpb::{BatchCommandsEmptyRequest, BatchCommandsRequest, BatchCommandsResponse};

use super::*;

fn stream(f: &Fixture) -> BatchStream<EmbeddedRows> {
    BatchStream::new(Arc::clone(&f.store))
}

fn message(commands: Vec<(u64, Option<Command>)>) -> BatchCommandsRequest {
    let (request_ids, commands): (Vec<u64>, Vec<_>) = commands.into_iter().unzip();
    let requests = commands.into_iter().map(|cmd| Request { cmd }).collect();
    BatchCommandsRequest { request_ids, requests, ..BatchCommandsRequest::default() }
}

async fn answers(stream: &BatchStream<EmbeddedRows>, message: BatchCommandsRequest) -> Answered {
    let mut answers = Answered::default();
    for begun in stream.begin(message).unwrap() {
        answers.push(begun.number, begun.answer.wait().await.unwrap());
    }
    answers
}

/// So many answers that say nothing.
fn nothing_found(count: u64) -> Answered {
    let mut answers = Answered::default();
    (0..count).for_each(|number| answers.push(number, Response::default()));
    answers
}

fn get(f: &Fixture, key: &str) -> Option<Command> {
    let request = RawGetRequest { context: f.context(), key: bytes(key), ..RawGetRequest::default() };
    Some(Command::RawGet(Box::new(request)))
}

fn empty(test_id: u64, delay_time: u64) -> Option<Command> {
    Some(Command::Empty(Box::new(BatchCommandsEmptyRequest { test_id, delay_time })))
}

fn ask_for_health() -> Option<Command> {
    Some(Command::GetHealthFeedback(Box::default()))
}

#[tokio::test]
async fn commands_of_a_message_are_answered_under_their_numbers() {
    let f = Fixture::new();
    f.put("a", "1").await;
    let mut stream = stream(&f);
    let commands = vec![(7, get(&f, "a")), (u64::MAX, None), (7, get(&f, "none")), (0, empty(5, 0))];
    let mut ready = answers(&stream, message(commands)).await;
    let BatchCommandsResponse { responses, request_ids, .. } = stream.message(&mut ready).unwrap();
    assert_eq!(request_ids, [7, u64::MAX, 7, 0]);
    assert!(matches!(&responses[0].cmd, Some(Answer::RawGet(reply)) if reply.value == "1"));
    assert_eq!(responses[1].cmd, None, "a command that is not known is none");
    assert!(matches!(&responses[2].cmd, Some(Answer::RawGet(reply)) if reply.not_found));
    assert!(matches!(&responses[3].cmd, Some(Answer::Empty(reply)) if reply.test_id == 5));
    assert!(stream.message(&mut ready).is_none());
}

#[tokio::test]
async fn commands_without_numbers_end_the_stream() {
    let f = Fixture::new();
    let mut message = message(vec![(1, get(&f, "a")), (2, get(&f, "b"))]);
    message.request_ids.pop();
    let refused = stream(&f).begin(message).map(drop).unwrap_err();
    assert_eq!(refused, Status::invalid("2 commands have 1 numbers"));
}

#[tokio::test]
async fn a_command_that_is_not_served_ends_the_stream() {
    let f = Fixture::new();
    let command = Command::Coprocessor(Box::default());
    let refused = f.store.start(command).wait().await.unwrap_err();
    assert_eq!(refused, Status::unimplemented("/tikvpb.Tikv/Coprocessor is not served"));
}

#[tokio::test]
async fn an_empty_command_comes_back_after_its_delay() {
    let f = Fixture::new();
    let started = |delay| f.store.start(empty(1, delay).unwrap());
    assert!(matches!(started(9), Soon::Ready(_)), "so little is no delay");
    let begun = tokio::time::Instant::now();
    started(10).wait().await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(10));
}

#[tokio::test]
async fn health_is_told_at_most_once_a_second() {
    let f = Fixture::new();
    let mut stream = stream(&f);
    let mut told = || stream.message(&mut nothing_found(1)).unwrap().health_feedback;
    let first = told().unwrap();
    assert_eq!((first.store_id, first.slow_score), (f.store.id, 1));
    assert!(u128::from(first.feedback_seq_no) >= NOW.as_millis());
    assert_eq!(told(), None);
    f.clock.advance(Duration::from_millis(999));
    assert_eq!(told(), None);
    f.clock.advance(Duration::from_millis(1));
    assert!(told().unwrap().feedback_seq_no > first.feedback_seq_no);
    assert_eq!(told(), None);
}

#[tokio::test]
async fn health_is_told_whenever_it_is_asked_for() {
    let f = Fixture::new();
    let mut stream = stream(&f);
    let mut last = 0;
    for _ in 0..3 {
        let mut ready = answers(&stream, message(vec![(1, get(&f, "a")), (2, ask_for_health())])).await;
        let told = stream.message(&mut ready).unwrap();
        let beside = told.health_feedback.unwrap();
        let Some(Answer::GetHealthFeedback(answer)) = &told.responses[1].cmd else { panic!() };
        assert_eq!(answer.health_feedback, Some(beside));
        assert!(beside.feedback_seq_no > last);
        last = beside.feedback_seq_no;
    }
    let mut plain = nothing_found(1);
    assert_eq!(stream.message(&mut plain).unwrap().health_feedback, None, "it was told a moment ago");
}

#[tokio::test]
async fn a_message_has_at_most_128_answers_and_no_more_bytes_than_are_sent() {
    let f = Fixture::new();
    let mut stream = stream(&f);
    let mut ready = nothing_found(300);
    let mut lengths = Vec::new();
    let mut numbers = Vec::new();
    while let Some(message) = stream.message(&mut ready) {
        lengths.push(message.responses.len());
        numbers.extend(message.request_ids);
    }
    assert_eq!(lengths, [128, 128, 44]);
    assert!(numbers.into_iter().eq(0..300));

    f.put("a", &"v".repeat(FRAME_BYTES / 3)).await;
    let mut ready = answers(&stream, message((0..5).map(|number| (number, get(&f, "a"))).collect())).await;
    let lengths: Vec<_> = std::iter::from_fn(|| stream.message(&mut ready).map(|sent| sent.responses.len())).collect();
    assert_eq!(lengths, [2, 2, 1]);
}

#[test]
fn answers_are_many_when_they_fill_a_message_or_are_long() {
    assert!(!nothing_found(127).are_many() && nothing_found(128).are_many());
    let long = RawGetResponse { value: vec![0; 1 << 20].into(), ..RawGetResponse::default() };
    let mut answers = nothing_found(1);
    answers.push(1, Response { cmd: Some(Answer::RawGet(long)) });
    assert!(answers.are_many());
}
