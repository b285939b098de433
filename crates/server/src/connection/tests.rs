//! The loop of a connection, without sockets.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::BufMut;

use super::*;

/// Every byte is a request that is never answered.
#[derive(Default)]
struct Unanswered(AtomicUsize);

impl Session for Unanswered {
    type Request = u8;
    type Reading = ();

    fn next_request(&self, input: &mut BytesMut, (): &mut (), _: &Output) -> Result<Option<u8>, Unreadable> {
        Ok(input.try_get_u8().ok())
    }

    fn request_bytes(_: &u8) -> usize {
        1
    }

    async fn answer(&self, _: u8, output: &Output) {
        self.0.fetch_add(1, Ordering::Relaxed);
        let kept = [0; 1000];
        pending::<()>().await;
        output.write(|out| out.put_slice(&kept));
    }
}

#[tokio::test]
async fn what_the_server_keeps_for_a_small_request_counts_as_under_way_too() {
    const BYTES: usize = 100_000;
    let (mut peer, stream) = tokio::io::duplex(BYTES);
    peer.write_all(&[0; BYTES]).await.unwrap();
    let limits = Limits { in_flight_bytes: BYTES, ..Limits::default() };
    let (session, stop) = (Unanswered::default(), CancellationToken::new());
    let served = serve(&session, tokio::io::split(stream), BytesMut::new(), &limits, &stop);
    let served = tokio::time::timeout(Duration::from_millis(10), served).await;
    assert!(served.is_err(), "the peer waits for its answers");
    let taken = session.0.into_inner();
    assert!((1..=BYTES / 1000).contains(&taken), "{taken} requests are under way");
}

#[test]
fn a_connection_does_not_keep_the_memory_of_large_messages() {
    const BYTES: usize = 1 << 20;
    let mut state = State::new(BytesMut::zeroed(BYTES), &Limits::default());
    drop(state.input.split_to(BYTES));
    give_back(&mut state.input);
    assert!(!state.input.try_reclaim(MAX_KEPT_BYTES + 1), "of a request");

    let output = Output::default();
    output.write(|out| out.put_bytes(0, BYTES));
    output.exchange(&mut state.outgoing);
    state.taken(BYTES).unwrap();
    assert!(!state.outgoing.try_reclaim(MAX_KEPT_BYTES + 1), "of a reply");
}

/// Every byte is a request that has to wait, and whose reply is far longer.
#[derive(Default)]
struct Waiting(AtomicUsize);

impl Waiting {
    const REPLY_BYTES: usize = 10_000;
}

impl Session for Waiting {
    type Request = u8;
    type Reading = ();

    fn next_request(&self, input: &mut BytesMut, (): &mut (), _: &Output) -> Result<Option<u8>, Unreadable> {
        Ok(input.try_get_u8().ok())
    }

    fn request_bytes(_: &u8) -> usize {
        1
    }

    async fn answer(&self, _: u8, output: &Output) {
        tokio::task::yield_now().await;
        self.0.fetch_add(output.write(|out| out.put_bytes(0, Self::REPLY_BYTES)), Ordering::Relaxed);
    }
}

#[tokio::test]
async fn replies_to_requests_that_waited_are_not_made_while_too_many_are_untaken() {
    const BYTES: usize = 100_000;
    let (mut peer, stream) = tokio::io::duplex(BYTES);
    peer.write_all(&[0; 1000]).await.unwrap();
    let limits = Limits { in_flight_bytes: BYTES, ..Limits::default() };
    let (session, stop) = (Waiting::default(), CancellationToken::new());
    let served = serve(&session, tokio::io::split(stream), BytesMut::new(), &limits, &stop);
    let served = tokio::time::timeout(Duration::from_millis(50), served).await;
    assert!(served.is_err(), "the peer takes nothing");
    let made = session.0.into_inner();
    let (in_the_stream, in_flight) = (BYTES, BYTES + Waiting::REPLY_BYTES);
    assert!((BYTES..=in_the_stream + in_flight).contains(&made), "{made} bytes of replies were made");
}

#[test]
fn requests_do_not_excuse_a_peer_that_leaves_replies_untaken() {
    let limits = Limits { stalled: Duration::ZERO, ..Limits::default() };
    let mut state = State::new(BytesMut::new(), &limits);
    let output = Output::default();
    output.write(|out| out.put_u8(0));
    state.gather(&output);
    let untaken_until = state.deadline(true).unwrap().0;
    while Instant::now() == untaken_until {}
    state.input.put_u8(0);
    assert!(state.next(&Unanswered::default(), &mut (), &output).is_some());
    state.answered(0);
    assert_eq!(state.deadline(true).unwrap().0, untaken_until);
}

/// Every byte is a request that takes a while, without waiting for anything.
#[derive(Default)]
struct Slow(AtomicUsize);

impl Session for Slow {
    type Request = u8;
    type Reading = ();

    fn next_request(&self, input: &mut BytesMut, (): &mut (), _: &Output) -> Result<Option<u8>, Unreadable> {
        Ok(input.try_get_u8().ok())
    }

    fn request_bytes(_: &u8) -> usize {
        1
    }

    async fn answer(&self, _: u8, _: &Output) {
        let started = Instant::now();
        while started.elapsed() < TURN {}
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_peer_that_sends_many_requests_at_once_leaves_others_their_turn() {
    let (session, stop, limits) = (Slow::default(), CancellationToken::new(), Limits::default());
    let input = BytesMut::zeroed(20);
    let served = serve(&session, (tokio::io::empty(), tokio::io::sink()), input, &limits, &stop);
    let other = async { session.0.load(Ordering::Relaxed) };
    let (ended, before_other) = tokio::join!(served, other);
    assert_eq!((ended.unwrap(), session.0.load(Ordering::Relaxed)), (Ended::Closed, 20));
    assert!(before_other < 20, "all of them were answered first");
}

/// Answers every byte with it; at 9 the connection is to end, and what follows 8 is never answered.
#[derive(Default)]
struct Ending(AtomicUsize);

impl Session for Ending {
    type Request = u8;
    type Reading = ();

    fn next_request(&self, input: &mut BytesMut, (): &mut (), _: &Output) -> Result<Option<u8>, Unreadable> {
        Ok(input.try_get_u8().ok())
    }

    fn request_bytes(_: &u8) -> usize {
        1
    }

    async fn answer(&self, request: u8, output: &Output) {
        self.0.fetch_add(1, Ordering::Relaxed);
        match request {
            8 => pending().await,
            9 => output.write_last(&[request]),
            _ => {
                output.write(|out| out.put_u8(request));
            }
        }
    }
}

#[tokio::test]
async fn behind_its_last_reply_a_connection_ends_whatever_is_under_way() {
    let (mut peer, stream) = tokio::io::duplex(100);
    peer.write_all(&[1, 8, 2, 9, 3, 4]).await.unwrap();
    let (session, stop, limits) = (Ending::default(), CancellationToken::new(), Limits::default());
    let ended = serve(&session, tokio::io::split(stream), BytesMut::new(), &limits, &stop).await;
    assert_eq!((ended.unwrap(), session.0.into_inner()), (Ended::Cut, 4));
    let mut replies = Vec::new();
    peer.read_to_end(&mut replies).await.unwrap();
    assert_eq!(replies, [1, 2, 9]);
}

#[test]
fn nothing_is_written_behind_the_last_reply() {
    let output = Output::default();
    output.write_last(b"last");
    assert_eq!(output.write(|out| out.put_u8(0)), 0);
    output.write_last(b"another");
    assert_eq!(output.take(), "last");
}

/// Answers every byte with it, the later the sooner, unless they are answered in order.
struct Hasty<const IN_ORDER: bool>;

impl<const IN_ORDER: bool> Session for Hasty<IN_ORDER> {
    const IN_ORDER: bool = IN_ORDER;

    type Request = u8;
    type Reading = ();

    fn next_request(&self, input: &mut BytesMut, (): &mut (), _: &Output) -> Result<Option<u8>, Unreadable> {
        Ok(input.try_get_u8().ok())
    }

    fn request_bytes(_: &u8) -> usize {
        1
    }

    async fn answer(&self, request: u8, output: &Output) {
        for _ in request..5 {
            tokio::task::yield_now().await;
        }
        output.write(|out| out.put_u8(request));
    }
}

async fn replies<const IN_ORDER: bool>(requests: &[u8]) -> Vec<u8> {
    let (mut peer, stream) = tokio::io::duplex(100);
    peer.write_all(requests).await.unwrap();
    peer.shutdown().await.unwrap();
    let (stop, limits) = (CancellationToken::new(), Limits::default());
    let session = Hasty::<IN_ORDER>;
    let ended = serve(&session, tokio::io::split(stream), BytesMut::new(), &limits, &stop).await;
    assert_eq!(ended.unwrap(), Ended::Closed);
    let mut replies = Vec::new();
    peer.read_to_end(&mut replies).await.unwrap();
    replies
}

#[tokio::test]
async fn replies_keep_the_order_of_the_requests_where_a_protocol_asks_for_it() {
    assert_eq!(replies::<false>(&[1, 2, 3, 4, 5]).await, [5, 4, 3, 2, 1]);
    assert_eq!(replies::<true>(&[1, 2, 3, 4, 5]).await, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_peer_that_sends_ahead_is_not_read_from_while_its_request_waits_its_turn() {
    let (mut peer, stream) = tokio::io::duplex(1 << 20);
    peer.write_all(&[8; 1 << 20]).await.unwrap();
    let (stop, limits) = (CancellationToken::new(), Limits::default());
    let mut served = Box::pin(serve(&Stuck, tokio::io::split(stream), BytesMut::new(), &limits, &stop));
    assert!(tokio::time::timeout(Duration::from_millis(10), &mut served).await.is_err());
    let sent_on = tokio::time::timeout(Duration::from_millis(10), peer.write_all(&[8; 64 << 10])).await;
    assert!(sent_on.is_err(), "the server keeps what it can't begin");
}

/// Every byte is a request that is never answered, and has those behind it wait.
struct Stuck;

impl Session for Stuck {
    const IN_ORDER: bool = true;

    type Request = u8;
    type Reading = ();

    fn next_request(&self, input: &mut BytesMut, (): &mut (), _: &Output) -> Result<Option<u8>, Unreadable> {
        Ok(input.try_get_u8().ok())
    }

    fn request_bytes(_: &u8) -> usize {
        1
    }

    async fn answer(&self, _: u8, _: &Output) {
        pending().await
    }
}
