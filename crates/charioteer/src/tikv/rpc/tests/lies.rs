//! Servers that lie, and those that fall silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use charioteer_proto::tikv::tikvpb::{BatchCommandsRequest, BatchCommandsResponse, batch_commands_response};
use charioteer_proto::tikv::{Message, rpc};

use super::liar::{Caught, framed, liar, trailers, values};
use super::*;

/// Answers the first batch of the first stream with that, and the others as they should be.
async fn lies_once(lie: impl Fn(Vec<u64>) -> Bytes + Clone + Send + Sync + 'static) -> Subject {
    let streams = Arc::new(AtomicUsize::new(0));
    let address = liar(move |mut caught: Caught| {
        let (lie, streams) = (lie.clone(), Arc::clone(&streams));
        async move {
            if streams.fetch_add(1, Ordering::Relaxed) > 0 {
                return tells_the_truth(caught).await;
            }
            let mut send = caught.begin();
            let ids = caught.next_ids().await;
            send.send_data(lie(ids), false).unwrap();
            goes_on(caught, send).await;
        }
    })
    .await;
    Subject::to(address, options())
}

async fn tells_the_truth(mut caught: Caught) {
    let send = caught.begin();
    if caught.path.ends_with("RawGet") {
        return answers_alone(caught, send, b"\x1a\x04true").await;
    }
    goes_on(caught, send).await;
}

/// Answers a call of one message.
async fn answers_alone(mut caught: Caught, mut send: h2::SendStream<Bytes>, said: &[u8]) {
    caught.next().await;
    send.send_data(framed(said), false).unwrap();
    send.send_trailers(trailers("0")).unwrap();
}

async fn goes_on(mut caught: Caught, mut send: h2::SendStream<Bytes>) {
    loop {
        let ids = caught.next_ids().await;
        if ids.is_empty() || send.send_data(values(ids.iter().map(|id| (*id, "true".to_owned()))), false).is_err() {
            return;
        }
    }
}

async fn says_the_truth_again(subject: &Subject) {
    assert_eq!(subject.get("key").await.unwrap().unwrap(), "true");
}

#[tokio::test]
async fn garbage_ends_the_stream_and_nothing_else() {
    let garbage =
        [&b"\xff\xff\xff"[..], b"\x0a\x05a", b"\x12\x01\x01", b"\x0a\x00\x0a\x00\x10\x01", b"\x0b\x01", &[0x80; 12]];
    for said in garbage {
        let subject = lies_once(move |_| framed(said)).await;
        let failure = subject.get("key").await.unwrap_err();
        assert_eq!((failure.kind, failure.outcome), (ErrorKind::Protocol, Outcome::Unknown), "{said:?}: {failure:?}");
        says_the_truth_again(&subject).await;
        assert_eq!(subject.stats().connections_opened, 1);
    }
}

#[tokio::test]
async fn an_answer_that_is_no_message_is_its_caller_s_failure_alone() {
    let subject = lies_once(|ids| {
        let id = u8::try_from(ids[0] & 0x7f).unwrap();
        assert!(ids[0] < 1 << 21);
        // RawGetResponse with a value that is cut short.
        let mut said = b"\x0a\x06\x6a\x04\x1a\x09\xff\xff\x10".to_vec();
        let mut rest = ids[0];
        while rest >= 0x80 {
            said.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
            rest >>= 7;
        }
        said.push(u8::try_from(rest).unwrap());
        assert!(id < 0x80);
        framed(&said)
    })
    .await;
    let failure = subject.get("key").await.unwrap_err();
    assert_eq!(failure.kind, ErrorKind::Protocol);
    says_the_truth_again(&subject).await;
}

#[tokio::test]
async fn a_message_announced_as_too_long_is_not_waited_for() {
    let subject = lies_once(|_| Bytes::from_static(b"\0\xff\xff\xff\xff")).await;
    let failure = subject.get("key").await.unwrap_err();
    assert_eq!((failure.kind, failure.outcome), (ErrorKind::Unavailable, Outcome::Unknown));
    assert!(failure.message.contains("4294967295 bytes"), "{failure:?}");
    says_the_truth_again(&subject).await;
}

#[tokio::test]
async fn those_who_share_a_stream_that_is_ended_for_one_of_them_try_again_by_themselves() {
    for (code, message) in [("8", "Sent message larger than max (11 vs. 10)"), ("3", "no such thing"), ("2", "")] {
        let subject = ends_streams(code, message).await;
        for failure in futures_util::future::join_all((0..3).map(|_| subject.get("key"))).await {
            let failure = failure.unwrap_err();
            assert_eq!((failure.kind, failure.outcome), (ErrorKind::Unavailable, Outcome::Unknown), "{failure:?}");
            assert!(failure.retry.is_some());
        }
        says_the_truth_again(&subject).await;
    }
}

/// Ends every stream so when it has three commands, and answers calls by themselves.
async fn ends_streams(code: &'static str, message: &'static str) -> Subject {
    let address = liar(move |mut caught: Caught| async move {
        let mut send = caught.begin();
        if caught.path.ends_with("RawGet") {
            return answers_alone(caught, send, b"\x1a\x04true").await;
        }
        let mut asked = 0;
        while asked < 3 {
            asked += caught.next_ids().await.len();
        }
        let mut ended = trailers(code);
        ended.insert("grpc-message", message.parse().unwrap());
        send.send_trailers(ended).unwrap();
    })
    .await;
    Subject::to(address, options())
}

#[tokio::test]
async fn an_answer_of_another_kind_ends_the_stream() {
    let subject = lies_once(|ids| {
        let cmd = Some(rpc::Answer::RawPut(kvrpcpb::RawPutResponse::default()));
        let responses = vec![batch_commands_response::Response { cmd }];
        framed(
            &BatchCommandsResponse { responses, request_ids: ids, ..BatchCommandsResponse::default() }.encode_to_vec(),
        )
    })
    .await;
    let failure = subject.get("key").await.unwrap_err();
    assert_eq!((failure.kind, failure.outcome), (ErrorKind::Protocol, Outcome::Unknown), "{failure:?}");
    says_the_truth_again(&subject).await;
}

/// Ends a stream, or a call, on which there is a message of so many bytes, and says that it is too large.
async fn refuses_what_is_large(mut caught: Caught) {
    const MOST: usize = 100 << 10;
    let mut send = caught.begin();
    while let Some(message) = caught.next().await {
        if message.len() > MOST {
            let mut trailers = trailers("8");
            trailers.insert("grpc-message", "received message larger than max".parse().unwrap());
            return send.send_trailers(trailers).unwrap();
        }
        if !caught.path.ends_with("BatchCommands") {
            send.send_data(framed(b""), false).unwrap();
            return send.send_trailers(trailers("0")).unwrap();
        }
        let request_ids = BatchCommandsRequest::decode(message).unwrap().request_ids;
        let cmd = Some(rpc::Answer::RawPut(kvrpcpb::RawPutResponse::default()));
        let responses = vec![batch_commands_response::Response { cmd }; request_ids.len()];
        let reply = BatchCommandsResponse { responses, request_ids, ..BatchCommandsResponse::default() };
        send.send_data(framed(&reply.encode_to_vec()), false).unwrap();
    }
}

/// Puts as callers do, who try again what may be tried again.
async fn put(subject: &Subject, bytes: usize) -> (u32, Result<(), Failure>) {
    for attempts in 1..10 {
        match subject.put("key", vec![0; bytes]).await {
            Err(failure) if failure.retry.is_some() => assert_eq!(failure.outcome, Outcome::Unknown, "{failure:?}"),
            result => return (attempts, result),
        }
    }
    panic!("it is tried again and again");
}

#[tokio::test]
async fn who_travels_with_a_message_that_is_too_large_is_not_blamed_for_it() {
    let subject = Subject::to(liar(refuses_what_is_large).await, options());
    // The second time it travels by itself.
    let (attempts, failed) = put(&subject, 200 << 10).await;
    assert_eq!((attempts, failed.unwrap_err().kind), (2, ErrorKind::TooLarge));

    let small = futures_util::future::join_all((0..20).map(|_| put(&subject, 10)));
    let large = futures_util::future::join_all((0..2).map(|_| put(&subject, 200 << 10)));
    let (small, large) = tokio::join!(small, large);
    for (attempts, put) in small {
        put.unwrap();
        assert!(attempts <= 3, "{attempts}");
    }
    for (_, put) in large {
        assert_eq!(put.unwrap_err().kind, ErrorKind::TooLarge);
    }
    assert_eq!(subject.stats().connections_opened, 1);
}

#[tokio::test]
async fn those_who_wait_beside_an_answer_that_makes_no_sense_are_not_blamed_for_it() {
    type Lie = fn(Vec<u64>) -> Bytes;
    let garbage: Lie = |_| framed(b"\xff\xff\xff");
    let too_long: Lie = |_| Bytes::from_static(b"\0\xff\xff\xff\xff");
    // The first of them is answered as if it had been something else.
    let mistaken: Lie = |ids| {
        let cmd = Some(rpc::Answer::RawPut(kvrpcpb::RawPutResponse::default()));
        let responses = vec![batch_commands_response::Response { cmd }];
        let reply = BatchCommandsResponse { responses, request_ids: ids[..1].to_vec(), ..Default::default() };
        framed(&reply.encode_to_vec())
    };
    for (lie, blamed) in [(garbage, 0), (too_long, 0), (mistaken, 1)] {
        let subject = lies_once(lie).await;
        let together = (0..5).map(|_| subject.get("key"));
        let failures = futures_util::future::join_all(together).await.into_iter().map(Result::unwrap_err);
        let for_good = failures.filter(|failure| failure.retry.is_none()).count();
        assert_eq!(for_good, blamed);
        assert_eq!(subject.stats().connections_opened, 1);
    }
}

#[tokio::test]
async fn answers_that_nobody_asked_for_are_dropped() {
    let subject = lies_once(|ids| {
        let strange = [0, 5, 1 << 40, u64::MAX, ids[0] + (1 << 16)];
        let lies = strange.map(|id| (id, "a lie".to_owned()));
        let truth = ids.iter().map(|id| (*id, "true".to_owned()));
        values(lies.into_iter().chain(truth))
    })
    .await;
    says_the_truth_again(&subject).await;
    assert_eq!(subject.stats().unasked_replies, 5);
}

#[tokio::test]
async fn a_command_that_the_server_does_not_know_in_a_batch_is_asked_by_itself() {
    let address = liar(|mut caught: Caught| async move {
        let mut send = caught.begin();
        if caught.path.ends_with("RawGet") {
            return answers_alone(caught, send, b"\x1a\x05alone").await;
        }
        loop {
            let request_ids = caught.next_ids().await;
            if request_ids.is_empty() {
                return;
            }
            let responses = vec![batch_commands_response::Response::default(); request_ids.len()];
            let reply = BatchCommandsResponse { responses, request_ids, ..BatchCommandsResponse::default() };
            send.send_data(framed(&reply.encode_to_vec()), false).unwrap();
        }
    })
    .await;
    let subject = Subject::to(address, options());
    assert_eq!(subject.get("key").await.unwrap().unwrap(), "alone");
}

#[tokio::test]
async fn a_command_on_a_stream_that_ends_for_an_unknown_one_may_have_been_carried_out_and_is_not_sent_twice() {
    let alone = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&alone);
    let address = liar(move |mut caught: Caught| {
        let seen = Arc::clone(&seen);
        async move {
            let mut send = caught.begin();
            if caught.path.ends_with("RawPut") {
                seen.fetch_add(1, Ordering::Relaxed);
                return answers_alone(caught, send, b"").await;
            }
            let ids = caught.next_ids().await;
            send.send_data(values(ids.into_iter().map(|id| (id, "true".to_owned()))), false).unwrap();
            caught.next_ids().await;
            send.send_trailers(trailers("12")).unwrap();
        }
    })
    .await;
    let subject = Subject::to(address, options());
    says_the_truth_again(&subject).await;
    let failure = subject.put("key", "value").await.unwrap_err();
    assert_eq!((failure.outcome, failure.retry.is_some()), (Outcome::Unknown, true), "{failure:?}");
    assert_eq!(alone.load(Ordering::Relaxed), 0);
    subject.put("key", "value").await.unwrap();
    assert_eq!(alone.load(Ordering::Relaxed), 1, "it travels by itself from now on");
}

#[tokio::test]
async fn what_the_server_does_not_take_is_not_sent_and_can_be_given_up() {
    let address = liar(|mut caught: Caught| async move {
        let _send = caught.begin();
        // Nothing is ever read.
        std::future::pending::<()>().await;
        drop(caught);
    })
    .await;
    let subject = Subject::to(address, options());
    let first = subject.put("key", vec![0; 300 << 10]);
    let others = (0..20).map(|_| async {
        // Each of them by itself, so that no message carries two.
        subject.put("other", vec![0; 300 << 10]).await
    });
    let all = async { tokio::join!(first, futures_util::future::join_all(others)) };
    assert!(tokio::time::timeout(Duration::from_millis(200), all).await.is_err());
    let stats = subject.stats();
    assert!(stats.cut_in_flight >= 1 && stats.cut_before_send >= 15, "{stats:?}");
    // And it says so: this one has not left, and never will.
    let failure = subject.get_within(Duration::from_millis(50), "key").await.unwrap_err();
    assert_eq!((failure.kind, failure.outcome), (ErrorKind::Timeout, Outcome::NotApplied));
}

#[tokio::test]
async fn a_peer_that_gives_no_sign_of_life_is_let_go() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut silent = options();
    silent.channel.ping_timeout = Duration::from_millis(50);
    let subject = Subject::to(listener.local_addr().unwrap(), silent);
    let failure = subject.get("key").await.unwrap_err();
    assert_eq!((failure.kind, failure.outcome), (ErrorKind::Unavailable, Outcome::NotApplied));
    assert!(failure.message.contains("no sign of life"), "{failure:?}");
}

#[tokio::test]
async fn a_connection_that_freezes_under_calls_is_let_go_and_they_learn_of_it() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(socket).await.unwrap();
        let call = connection.accept().await;
        // From here on nobody reads or writes, and nothing is closed.
        std::future::pending::<()>().await;
        drop((connection, call));
    });
    let mut options = options();
    options.channel.ping_interval = Duration::from_millis(50);
    options.channel.ping_timeout = Duration::from_millis(50);
    let subject = Subject::to(address, options);
    let failure = subject.get("key").await.unwrap_err();
    assert_eq!((failure.kind, failure.outcome), (ErrorKind::Unavailable, Outcome::Unknown));
    assert!(failure.message.contains("no sign of life"), "{failure:?}");
    assert_eq!(subject.stats().connections_lost, 1);
}

#[tokio::test]
async fn a_connection_that_the_server_wants_to_close_is_left_when_its_calls_have_ended() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(socket).await.unwrap();
                while let Some(Ok((request, answer))) = connection.accept().await {
                    connection.graceful_shutdown();
                    tokio::spawn(tells_the_truth(Caught::new(request, answer)));
                }
            });
        }
    });
    let subject = Subject::to(address, options());
    while subject.stats().connections_opened < 3 {
        says_the_truth_again(&subject).await;
    }
}

#[tokio::test]
async fn a_peer_that_speaks_something_else_is_no_server() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut socket, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    });
    let failure = Subject::to(address, options()).get("key").await.unwrap_err();
    assert_eq!((failure.kind, failure.outcome), (ErrorKind::Unavailable, Outcome::NotApplied), "{failure:?}");
}

#[tokio::test]
async fn unary_calls_are_lied_to_in_vain() {
    for (said, code, kind) in [
        (&b"\0\0\0\0\x01\xff"[..], "0", ErrorKind::Protocol),
        (b"", "0", ErrorKind::Protocol),
        (b"\0\0\0", "0", ErrorKind::Protocol),
        (b"\0\0\0\0\0\0\0\0\0\0", "0", ErrorKind::Protocol),
        (b"\0\xff\xff\xff\xff", "0", ErrorKind::TooLarge),
        (b"\x01\0\0\0\0", "0", ErrorKind::Protocol),
        (b"\0\0\0\0\0", "13", ErrorKind::Internal),
        (b"\0\0\0\0\0", "seven", ErrorKind::Protocol),
    ] {
        let address = liar(move |mut caught: Caught| async move {
            let mut send = caught.begin();
            caught.next().await;
            send.send_data(Bytes::from_static(said), false).unwrap();
            let _ = send.send_trailers(trailers(code));
        })
        .await;
        let subject = Subject::to(address, options());
        let (request, progress) = (subject.getting("key"), Progress::default());
        let failure = subject.store.unary::<RawGet>(&request, Instant::now() + LONG, &progress).await.unwrap_err();
        assert_eq!((failure.kind, failure.outcome), (kind, Outcome::Unknown), "{said:?} {code}: {failure:?}");
    }
}
