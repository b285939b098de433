use std::net::Ipv4Addr;

use bytes::BufMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

use super::*;
use crate::net::Taken;

/// Nothing is ever answered.
struct Silence;

impl Wire for Silence {
    type Reply = ();
    type Expected = ();

    fn next_reply(&mut self, _: &mut BytesMut) -> Result<Option<Taken<()>>, String> {
        Ok(None)
    }
}

/// A connection, and its other end.
async fn pair() -> (Connection<Silence>, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (peer, _) = listener.accept().await.unwrap();
    (Connection::start(stream.into(), Silence, Arc::from("peer"), Arc::default()), peer)
}

fn writes_more_than_is_taken(connection: &Connection<Silence>) -> bool {
    let shared = connection.shared();
    let state = shared.state.lock();
    let is_written = state.leftover.is_empty() && !state.pending.has_requests();
    shared.counters.read().writes > 0 && is_written && state.driver.is_none()
}

#[tokio::test]
async fn a_connection_closed_here_ends_though_the_peer_takes_nothing_of_what_is_being_written() {
    let others = Handle::current().metrics().num_alive_tasks();
    let (connection, _peer) = pair().await;
    let progress = Progress::default();
    let large = vec![7; 15 << 20];
    let call = connection.call(large.len(), &progress, |out, _| out.put_slice(&large));
    let close = async {
        // The driver has written what the system takes, and waits until it takes more.
        while !writes_more_than_is_taken(&connection) {
            tokio::task::yield_now().await;
        }
        connection.close(&Arc::from("enough"));
    };
    let (lost, ()) = tokio::join!(call, close);
    assert!(lost.unwrap_err().sent);
    let ended = async {
        while Handle::current().metrics().num_alive_tasks() > others {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("its task ends");
}

/// Looks at a call once.
fn poll<F: Future>(call: &mut Pin<Box<F>>) -> Poll<F::Output> {
    call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn a_peer_that_takes_nothing_for_too_long_is_taken_for_dead_by_those_who_could_not_even_send() {
    let (connection, _peer) = pair().await;
    let progress = Progress::default();
    let large = vec![7; 15 << 20];
    let mut first = Box::pin(connection.call(large.len(), &progress, |out, _| out.put_slice(&large)));
    while !writes_more_than_is_taken(&connection) {
        assert!(poll(&mut first).is_pending());
        tokio::task::yield_now().await;
    }
    drop(first);
    let long_ago = Instant::now().checked_sub(SILENCE + Duration::from_secs(1)).unwrap();
    assert!(connection.shared().state.lock().silent_since.replace(long_ago).is_some());
    let mut next = Box::pin(connection.call(4, &progress, |out, _| out.put_slice(b"next")));
    assert!(poll(&mut next).is_pending() && connection.is_alive());
    drop(next);
    assert_eq!(connection.shared().counters.read().cut_before_send, 1);
    assert!(!connection.is_alive());
}

#[tokio::test]
async fn the_peer_learns_of_the_end_while_somebody_still_holds_the_connection() {
    let (connection, mut peer) = pair().await;
    connection.close(&Arc::from("enough"));
    let mut input = [0; 8];
    let learned = tokio::time::timeout(Duration::from_secs(10), peer.read(&mut input));
    assert_eq!(learned.await.expect("the peer is told").unwrap(), 0);
    drop(connection);
}

/// Has the driver of a connection go on rounds.
async fn begin_rounds(connection: &Connection<Silence>, peer: &mut TcpStream) {
    let progress = Progress::on(Handle::current().id());
    let mut first = Box::pin(connection.call(1, &progress, |out, _| out.put_u8(7)));
    assert!(poll(&mut first).is_pending());
    assert!(!progress.is_attended(), "the driver sleeps");
    peer.write_all(b"not an answer").await.unwrap();
    while !connection.shared().state.lock().on_rounds {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_call_that_waits_is_looked_at_again_within_a_round_and_from_then_on_needs_a_timer() {
    let (connection, mut peer) = pair().await;
    begin_rounds(&connection, &mut peer).await;
    let progress = Progress::on(Handle::current().id());
    let mut call = Box::pin(connection.call(1, &progress, |out, _| out.put_u8(7)));
    let again = poll_fn(|cx| match call.as_mut().poll(cx) {
        Poll::Pending if progress.is_attended() => Poll::Pending,
        polled => Poll::Ready(polled.is_pending()),
    });
    assert!(tokio::time::timeout(Duration::from_secs(10), again).await.expect("it is looked at"));
}

#[tokio::test]
async fn a_call_that_is_over_is_attended_no_more() {
    let (connection, mut peer) = pair().await;
    begin_rounds(&connection, &mut peer).await;
    let progress = Progress::on(Handle::current().id());
    let mut call = Box::pin(connection.call(1, &progress, |out, _| out.put_u8(7)));
    assert!(poll(&mut call).is_pending() && progress.is_attended());
    drop(call);
    assert!(!progress.is_attended());
}

#[test]
fn the_end_of_a_runtime_ends_a_connection_that_was_never_driven() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (connection, _peer) = runtime.block_on(pair());
    assert!(connection.is_alive());
    drop(runtime);
    assert!(!connection.is_alive());
}

#[tokio::test]
async fn a_driver_that_does_not_come_is_taken_for_dead_by_those_who_could_not_even_send() {
    let (connection, _peer) = pair().await;
    let progress = Progress::default();
    let call = || Box::pin(connection.call(1, &progress, |out, _| out.put_u8(7)));
    let silent_since = || connection.silent_since();
    // It has not run yet, as it never will where its runtime stands still.
    assert!(poll(&mut call()).is_pending());
    assert!(silent_since().is_some() && connection.is_alive());
    // It comes after all, and finds nothing to do.
    while silent_since().is_some() {
        tokio::task::yield_now().await;
    }
    assert!(connection.is_alive());
}
