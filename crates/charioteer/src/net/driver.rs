//! The task that reads and writes for all callers of a connection.
//!
//! It drains, then writes: callers that have just been woken, or are about to run, get to add their requests before one write
//! carries all of them.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use tokio::time::{Instant, Sleep};
use tracing::debug;

use super::Wire;
use super::connection::{ROUND, Shared, State};
use super::pending::{Delivered, UNANSWERED};
use super::stats::count;
use super::stream::{Reader, is_refusal};

const READ_STEP_BYTES: usize = 16 * 1024;

/// What an idle connection keeps of each of its buffers.
const MAX_KEPT_BYTES: usize = 256 * 1024;

/// Why the connection ended.
type End = Arc<str>;

struct Driver<W: Wire> {
    shared: Arc<Shared<W>>,
    wire: W,
    reader: Reader,
    input: BytesMut,
    /// How much of what comes next is part of an answer that is too long to be kept.
    passing_over: usize,
    outgoing: BytesMut,
    replies: Vec<(u32, W::Reply)>,
    /// Whether anything has come from the peer.
    has_answered: bool,
    woken: Vec<Waker>,
    /// When the next round is, while there are any.
    round: Pin<Box<Sleep>>,
}

/// Reads and writes until the connection ends, which it also does when this is dropped before it has begun.
pub(super) fn drive<W: Wire>(
    shared: Arc<Shared<W>>,
    wire: W,
    reader: Reader,
) -> impl Future<Output = ()> + Send + 'static {
    let driver = Driver {
        shared,
        wire,
        reader,
        input: BytesMut::new(),
        passing_over: 0,
        outgoing: BytesMut::new(),
        replies: Vec::new(),
        has_answered: false,
        woken: Vec::new(),
        round: Box::pin(tokio::time::sleep(ROUND)),
    };
    driver.run()
}

impl<W: Wire> Driver<W> {
    async fn run(mut self) {
        let end = loop {
            if let Err(end) = poll_fn(|cx| self.poll_for_requests(cx)).await {
                break end;
            }
            // Those who are ready to run run first, and what they ask for joins what is written.
            if self.outgoing.is_empty() {
                tokio::task::yield_now().await;
                self.gather();
            }
            if let Err(end) = self.write() {
                break end;
            }
        };
        self.finish(&end);
    }

    /// Reads all there is, and ends when something can be written.
    fn poll_for_requests(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let polled = self.poll_and_go_round(cx);
        self.woken.drain(..).for_each(Waker::wake);
        polled
    }

    fn poll_and_go_round(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        if let Err(end) = self.read(cx) {
            return Poll::Ready(Err(end));
        }
        let mut state = self.shared.state.lock();
        if let Some(end) = state.pending.death() {
            return Poll::Ready(Err(Arc::clone(end)));
        }
        go_round(&mut state, self.round.as_mut(), cx, &mut self.woken);
        if !self.outgoing.is_empty() {
            state.blocked = Some(cx.waker().clone());
            drop(state);
            let writable = self.shared.writer.poll_ready(cx);
            return writable.map(|ready| ready.map_err(|error| Arc::from(format!("can't be written to: {error}"))));
        }
        state.blocked = None;
        if !state.caller_writes && (!state.leftover.is_empty() || state.pending.has_requests()) {
            // Awake: nobody needs to wake it before it has written.
            state.driver = None;
            return Poll::Ready(Ok(()));
        }
        if state.pending.is_idle() {
            state.silent_since = None;
        }
        match &state.driver {
            Some(known) if known.will_wake(cx.waker()) => {}
            _ => state.driver = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        loop {
            if self.input.capacity() - self.input.len() < READ_STEP_BYTES / 4 {
                self.input.reserve(READ_STEP_BYTES);
            }
            match self.reader.poll_read_buf(cx, &mut self.input) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(0)) => return Err(Arc::from("closed by the server")),
                Poll::Ready(Ok(_)) => {
                    self.has_answered = true;
                    let was_large = self.input.len() > MAX_KEPT_BYTES;
                    self.deliver()?;
                    if was_large && self.input.len() <= MAX_KEPT_BYTES {
                        // What is left moves to memory of its own, so that it does not hold that of an unusually large reply.
                        self.input = BytesMut::from(&self.input[..]);
                    }
                }
                Poll::Ready(Err(error)) => return Err(self.unreadable(&error)),
            }
        }
    }

    fn unreadable(&self, error: &io::Error) -> End {
        if !self.has_answered && is_refusal(error) {
            self.shared.refused.store(true, Ordering::Release);
        }
        Arc::from(format!("can't be read from: {error}"))
    }

    /// Takes the answers that have come whole to those who wait for them.
    fn deliver(&mut self) -> Result<(), End> {
        if self.wire.is_ordered() {
            self.note_sent();
        }
        let unreadable = loop {
            self.pass_over();
            match self.wire.next_reply(&mut self.input) {
                Ok(Some(taken)) => {
                    self.passing_over = taken.passed_over;
                    self.replies.push((taken.id, taken.reply));
                }
                Ok(None) => break None,
                Err(reason) => break Some(Arc::from(reason)),
            }
        };
        let unasked = self.hand_out();
        self.woken.drain(..).for_each(Waker::wake);
        if let Some(id) = unasked {
            return Err(Arc::from(format!("the server answered a call that was not made: {id}")));
        }
        unreadable.map_or(Ok(()), Err)
    }

    /// Tells the wire what was sent. All of it is known before an answer to it can come.
    fn note_sent(&mut self) {
        let mut state = self.shared.state.lock();
        for (id, expected) in state.pending.take_sent().into_iter().flatten() {
            self.wire.expect(id, expected);
        }
    }

    fn pass_over(&mut self) {
        let here = self.passing_over.min(self.input.len());
        self.input.advance(here);
        self.passing_over -= here;
    }

    /// Puts answers where their callers look, and gives the number of one that nobody has asked for.
    fn hand_out(&mut self) -> Option<u32> {
        if self.replies.is_empty() {
            return None;
        }
        let mut state = self.shared.state.lock();
        state.silent_since = None;
        let mut unasked = None;
        for (id, reply) in self.replies.drain(..) {
            match state.pending.answer(id, reply) {
                Delivered::To(waker) => self.woken.extend(waker),
                Delivered::Late => count(&self.shared.counters.late_replies),
                // Some servers answer what needs no answer.
                Delivered::Unasked if id == UNANSWERED => {}
                Delivered::Unasked => unasked = Some(id),
            }
        }
        unasked
    }

    /// Takes all that waits to be sent.
    fn gather(&mut self) {
        give_back(&mut self.outgoing);
        let mut state = self.shared.state.lock();
        if state.caller_writes {
            return;
        }
        if state.leftover.is_empty() {
            state.pending.take_requests(&mut self.outgoing);
        } else {
            std::mem::swap(&mut state.leftover, &mut self.outgoing);
        }
    }

    fn write(&mut self) -> Result<(), End> {
        while !self.outgoing.is_empty() {
            match self.shared.writer.try_write(&self.outgoing) {
                Ok(written) => {
                    count(&self.shared.counters.writes);
                    self.outgoing.advance(written);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(Arc::from(format!("can't be written to: {error}"))),
            }
        }
        Ok(())
    }

    fn finish(mut self, end: &End) {
        let closed_here = self.shared.state.lock().pending.death().is_some();
        if closed_here {
            // What is never answered, such as the end of a scan, still goes out if it can; but not in the middle of something else.
            let begun = self.write();
            if begun.is_ok() && self.outgoing.is_empty() {
                self.gather();
                let _ = self.write();
            }
        } else {
            count(&self.shared.counters.connections_lost);
        }
        // The peer learns of it now, and not when the last who holds the connection lets go.
        self.shared.writer.shut_down();
        debug!(peer = &*self.shared.peer, reason = &**end, "connection ended");
        self.shared.end(end);
    }
}

/// Finds, every now and then, those who have waited since before, as [`Progress::is_attended`](super::Progress::is_attended) promises.
/// The rounds begin, and go on, as calls do.
fn go_round<R, E>(state: &mut State<R, E>, mut round: Pin<&mut Sleep>, cx: &mut Context<'_>, woken: &mut Vec<Waker>) {
    if !state.on_rounds && state.pending.has_begun() {
        state.on_rounds = true;
        round.as_mut().reset(Instant::now() + ROUND);
    }
    while state.on_rounds && round.as_mut().poll(cx).is_ready() {
        state.on_rounds = state.pending.has_begun();
        state.pending.go_round(woken);
        round.as_mut().reset(Instant::now() + ROUND);
    }
}

/// Whatever ends the task, the end of its runtime included: nobody waits for ever.
impl<W: Wire> Drop for Driver<W> {
    fn drop(&mut self) {
        self.shared.end(&Arc::from("the runtime of its connection has ended"));
    }
}

/// Empties a buffer for its next use, unless an unusually large message has left it large.
fn give_back(emptied: &mut BytesMut) {
    emptied.clear();
    if emptied.try_reclaim(MAX_KEPT_BYTES + 1) {
        *emptied = BytesMut::new();
    }
}
