//! What reads and writes a stream of batches for all callers, on the task of its connection.
//!
//! It reads, then lets those run who are ready to, then writes: callers that have just been woken get to add their requests before one
//! message carries all of them. A caller that is alone is not waited for.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use charioteer_proto::tikv::batch::{Answers, Packed};
use charioteer_proto::tikv::rpc::BatchCommands;
use tokio::time::{Instant, Sleep};

use super::store::BatchLimits;
use super::stream::{Answer, Shared, State};
use crate::error::Failure;
use crate::net::{CallId, Delivered, ROUND, count};
use crate::tikv::grpc::{self, Body, Connection, Replies, Requests};

/// An answer of fewer bytes is copied, so that what is kept of it does not keep the answers to others.
const FEW_BYTES: usize = 16 * 1024;

pub(super) struct Rider {
    shared: Arc<Shared>,
    requests: Requests<BatchCommands>,
    replies: Replies<BatchCommands>,
    limits: BatchLimits,
    outgoing: BytesMut,
    answers: Answers,
    delivered: Vec<(CallId, Answer)>,
    woken: Vec<Waker>,
    /// Whether it has let others run before it writes.
    has_yielded: bool,
    /// When the next round is, while there are any.
    round: Pin<Box<Sleep>>,
}

impl Rider {
    pub(super) fn new(
        shared: Arc<Shared>,
        requests: Requests<BatchCommands>,
        replies: Replies<BatchCommands>,
        limits: BatchLimits,
    ) -> Self {
        Self {
            shared,
            requests,
            replies,
            limits,
            outgoing: BytesMut::new(),
            answers: Answers::default(),
            delivered: Vec::new(),
            woken: Vec::new(),
            has_yielded: false,
            round: Box::pin(tokio::time::sleep(ROUND)),
        }
    }

    /// Does what there is to do; an error is the end.
    fn run(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let read = self.read(cx);
        let written = read.and_then(|()| self.write(cx));
        self.woken.drain(..).for_each(Waker::wake);
        written
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        while let Poll::Ready(message) = self.replies.poll_next(cx) {
            match message? {
                Some(message) => self.deliver(&message)?,
                None => return Err(grpc::lost("the server has ended the stream", true)),
            }
        }
        Ok(())
    }

    /// Takes answers to those who wait for them.
    fn deliver(&mut self, message: &Bytes) -> Result<(), Failure> {
        self.answers.read(message).map_err(grpc::unreadable)?;
        if let Some(feedback) = &self.answers.health {
            self.shared.health.note(feedback);
        }
        let counters = self.shared.connection.counters();
        for (id, packed) in self.answers.iter() {
            match CallId::try_from(id) {
                Ok(id) => self.delivered.push((id, answer(message, packed))),
                Err(_) => count(&counters.unasked_replies),
            }
        }
        let mut state = self.shared.state.lock();
        state.has_answered = true;
        state.silent_since = None;
        for (id, answer) in self.delivered.drain(..) {
            match state.pending.answer(id, answer) {
                Delivered::To(waker) => self.woken.extend(waker),
                Delivered::Late => count(&counters.late_replies),
                Delivered::Unasked => count(&counters.unasked_replies),
            }
        }
        Ok(())
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        while self.has_requests(cx)? {
            match self.requests.poll_ready(cx) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => {
                    self.shared.state.lock().blocked = Some(cx.waker().clone());
                    return Ok(());
                }
            }
            // Those who are ready to run run first, and what they ask for joins what is written.
            if !std::mem::replace(&mut self.has_yielded, true) && self.has_company() {
                self.shared.connection.let_others_run();
                return Ok(());
            }
            self.send()?;
        }
        Ok(())
    }

    /// Whether something waits to be sent; if not, whoever comes with something wakes this.
    fn has_requests(&mut self, cx: &mut Context<'_>) -> Result<bool, Failure> {
        let mut state = self.shared.state.lock();
        if let Some(reason) = state.pending.death() {
            return Err(grpc::lost(reason, true));
        }
        state.blocked = None;
        go_round(&mut state, &self.shared.connection, self.round.as_mut(), cx, &mut self.woken);
        if state.pending.has_requests() {
            state.rider = None;
            return Ok(true);
        }
        self.has_yielded = false;
        if state.pending.under_way() == 0 {
            state.silent_since = None;
        }
        match &state.rider {
            Some(known) if known.will_wake(cx.waker()) => {}
            _ => state.rider = Some(cx.waker().clone()),
        }
        Ok(false)
    }

    fn has_company(&self) -> bool {
        self.shared.state.lock().pending.under_way() > 1
    }

    fn send(&mut self) -> Result<(), Failure> {
        let BatchLimits { requests, bytes } = self.limits;
        self.shared.state.lock().pending.take_some(&mut self.outgoing, requests, bytes);
        let message = std::mem::take(&mut self.outgoing).freeze();
        count(&self.shared.connection.counters().writes);
        self.requests.put(Body::new(message)?)
    }
}

impl Future for Rider {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.run(cx) {
            Ok(()) => Poll::Pending,
            Err(failure) => {
                self.shared.end(failure);
                Poll::Ready(())
            }
        }
    }
}

/// Whatever ends it, the end of its connection included: nobody waits for ever.
impl Drop for Rider {
    fn drop(&mut self) {
        let reason = self.shared.connection.end();
        self.shared.end(grpc::lost(reason.as_deref().unwrap_or("the stream is over"), true));
    }
}

/// The answer itself, with memory of its own unless it is most of the message.
fn answer(message: &Bytes, packed: Packed) -> Answer {
    let Packed { command, bytes } = packed;
    let is_most = bytes.len() >= FEW_BYTES && bytes.len() >= message.len() / 2;
    let bytes = if is_most { message.slice(bytes) } else { Bytes::copy_from_slice(&message[bytes]) };
    Answer { command, bytes }
}

/// Finds, every now and then, those who have waited since before, as [`Progress::is_attended`](crate::net::Progress::is_attended)
/// promises. The rounds begin, and go on, as calls do.
fn go_round(
    state: &mut State,
    connection: &Connection,
    mut round: Pin<&mut Sleep>,
    cx: &mut Context<'_>,
    woken: &mut Vec<Waker>,
) {
    if !state.on_rounds && state.pending.has_begun() {
        state.on_rounds = true;
        round.as_mut().reset(Instant::now() + ROUND);
    }
    while state.on_rounds && round.as_mut().poll(cx).is_ready() {
        // Those who come later go elsewhere then.
        connection.poll_retired(cx);
        state.on_rounds = state.pending.has_begun();
        state.pending.go_round(woken);
        round.as_mut().reset(Instant::now() + ROUND);
    }
}
