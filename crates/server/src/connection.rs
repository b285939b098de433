//! The loop of one connection, the same for every protocol.
//!
//! Requests are taken off the stream as soon as they are whole and worked on side by side; replies are written in the order in
//! which they become ready, many at a time. (A protocol whose replies must keep the order of the requests has them worked on one
//! after the other.) Reading never waits for writing, except that a peer which has too much under way is not
//! read from until it has taken replies.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, ReusableBoxFuture};

use crate::Limits;

/// Room for reading is made in steps of this size, which holds dozens of small requests.
const READ_STEP_BYTES: usize = 8 * 1024;

/// How long a connection goes on answering what has come before others get their turn. A request takes microseconds as a rule; some
/// look at many rows.
const TURN: Duration = Duration::from_millis(1);

/// What an idle connection may keep of each of its buffers.
const MAX_KEPT_BYTES: usize = 64 * 1024;

/// What a protocol does with the bytes of a connection.
pub(crate) trait Session: Sync {
    /// Whether a request is begun only when the one before it has been answered. Where it is, nothing but the order of the replies
    /// tells which request each belongs to.
    const IN_ORDER: bool = false;

    /// A whole request.
    type Request: Send;

    /// What is remembered between two requests about how they are read.
    type Reading: Default + Send;

    /// Takes a request off the front of `input`, or says `None` while some of it is missing. An error ends the connection, after
    /// what was written to `output` has been sent.
    fn next_request(
        &self,
        input: &mut BytesMut,
        reading: &mut Self::Reading,
        output: &Output,
    ) -> Result<Option<Self::Request>, Unreadable>;

    /// How many bytes the request itself keeps in memory.
    fn request_bytes(request: &Self::Request) -> usize;

    /// Works on a request and writes the reply, all at once, to `output`.
    fn answer(&self, request: Self::Request, output: &Output) -> impl Future<Output = ()> + Send;
}

/// A stream that can't be read on; why has been logged or told by whoever found out.
#[derive(Debug)]
pub(crate) struct Unreadable;

/// Where the replies of one connection are gathered until they are written.
#[derive(Debug, Default)]
pub(crate) struct Output {
    gathered: Mutex<BytesMut>,
    /// Whether the connection is to end behind what has been gathered. Changes under the lock only.
    complete: AtomicBool,
    /// Tells that what was gathered is on its way.
    taken: Notify,
    /// Whether this gathers one reply, from where somebody takes it when it is whole.
    is_apart: bool,
}

impl Output {
    /// Gathers one reply apart from the others.
    pub(crate) fn apart() -> Self {
        Self { is_apart: true, ..Self::default() }
    }

    /// Appends to the replies, and says how many bytes that were. What `write` appends is never torn by other replies.
    pub(crate) fn write(&self, write: impl FnOnce(&mut BytesMut)) -> usize {
        let mut gathered = self.gathered.lock();
        if self.is_complete() {
            return 0;
        }
        let before = gathered.len();
        write(&mut gathered);
        gathered.len() - before
    }

    /// Appends the last that the peer gets: behind it the connection ends, whatever is still under way.
    pub(crate) fn write_last(&self, bytes: &[u8]) {
        let mut gathered = self.gathered.lock();
        if !self.is_complete() {
            gathered.extend_from_slice(bytes);
            self.complete.store(true, Ordering::Relaxed);
        }
    }

    /// Waits until the peer has taken the replies before those gathered, and these are on their way. An answer of many parts waits so
    /// behind each, so that no more is made than is taken.
    pub(crate) async fn taken(&self) {
        loop {
            let taken = self.taken.notified();
            if self.len() == 0 || self.is_apart {
                return;
            }
            taken.await;
        }
    }

    /// Takes what has been gathered.
    pub(crate) fn take(&self) -> BytesMut {
        std::mem::take(&mut *self.gathered.lock())
    }

    /// Exchanges the replies for an empty buffer, so that two buffers serve a connection for good.
    fn exchange(&self, emptied: &mut BytesMut) {
        let mut gathered = self.gathered.lock();
        if !gathered.is_empty() {
            std::mem::swap(&mut *gathered, emptied);
            self.taken.notify_waiters();
        }
    }

    fn len(&self) -> usize {
        self.gathered.lock().len()
    }

    /// Whether the connection is to end behind what has been gathered.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }
}

/// Why a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The peer closed it, or the server stopped, with nothing left undone.
    Closed,
    /// The peer sent what can't be read.
    Unreadable,
    /// The peer sent a part of a frame, or left replies untaken, for too long.
    Stalled,
    /// There was no request for too long.
    Idle,
    /// The session had it end, with whatever was under way.
    Cut,
}

impl Ended {
    /// Why the server ended it; `None` if it was to end.
    pub(crate) const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Closed | Self::Cut => None,
            Self::Unreadable => Some("unreadable"),
            Self::Stalled => Some("stalled"),
            Self::Idle => Some("idle"),
        }
    }
}

/// Serves one connection until it ends.
pub(crate) async fn serve<S: Session>(
    session: &S,
    (mut reader, mut writer): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
    input: BytesMut,
    limits: &Limits,
    stop: &CancellationToken,
) -> io::Result<Ended> {
    let output = Output::default();
    let mut state = State::new(input, limits);
    let mut reading = S::Reading::default();
    let mut answers = FuturesUnordered::new();
    let mut place = ReusableBoxFuture::new(std::future::ready(0));
    let stopped = stop.cancelled();
    tokio::pin!(stopped);
    let watchdog = tokio::time::sleep(Duration::ZERO);
    tokio::pin!(watchdog);
    let mut watching = false;

    loop {
        let (mut turn_ends, mut turn_is_over) = (None, false);
        while !turn_is_over
            && may_begin::<S>(answers.is_empty())
            && state.has_room(limits, &output)
            && let Some(request) = state.next(session, &mut reading, &output)
        {
            // When the request was taken is known already; another look at the clock would cost more than it tells.
            turn_is_over = state.progress >= *turn_ends.get_or_insert(state.progress + TURN);
            let bytes = S::request_bytes(&request);
            let answer = session.answer(request, &output);
            // Small requests take more room while they are worked on than they took on the wire.
            let bytes = bytes + size_of_val(&answer);
            place.set(answer.map(move |()| bytes));
            // Most answers are ready at the first look, need no memory of their own, and one write then carries all of them. The
            // others are looked at again, with a waker, by the set that they join.
            if place.poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                state.under_way += bytes;
                answers.push(std::mem::replace(&mut place, ReusableBoxFuture::new(std::future::ready(0))));
            }
        }
        state.gather(&output);
        if output.is_complete() && state.untaken(&output) == 0 {
            return Ok(Ended::Cut);
        }
        if !turn_is_over && let Some(ended) = state.is_over(answers.is_empty()) {
            writer.shutdown().await?;
            return Ok(ended);
        }
        watching = state.watch(watchdog.as_mut(), watching, answers.is_empty());
        if turn_is_over {
            tokio::task::yield_now().await;
        }

        tokio::select! {
            biased;
            written = writer.write(&state.outgoing), if !state.outgoing.is_empty() => state.taken(written?)?,
            Some(bytes) = answers.next(), if !answers.is_empty() && state.may_answer(limits, &output) => {
                state.answered(bytes);
            }
            // A part of an answer that is not complete yet.
            () = filled(&output), if state.outgoing.is_empty() && !answers.is_empty() => {}
            // Before reading, which may always be ready.
            () = &mut stopped, if !state.stopping => state.stopping = true,
            // What else has come already is looked at in the next turn.
            () = std::future::ready(()), if turn_is_over => {}
            // What cannot be begun is left with the system, which has the peer wait in time.
            read = read_some(&mut reader, &mut state.input),
                if may_begin::<S>(answers.is_empty()) && state.may_read(limits, &output) => state.received(read?),
            () = &mut watchdog, if watching => {
                watching = false;
                if let Some(ended) = state.overdue(answers.is_empty()) {
                    return Ok(ended);
                }
            }
        }
    }
}

/// Whether another request may be begun.
const fn may_begin<S: Session>(nothing_under_way: bool) -> bool {
    !S::IN_ORDER || nothing_under_way
}

/// Waits until there are replies to write. Nobody is told when there are: only the task that waits makes any, and looks again.
fn filled(output: &Output) -> impl Future<Output = ()> {
    std::future::poll_fn(|_| if output.len() > 0 { Poll::Ready(()) } else { Poll::Pending })
}

/// Keeps the memory of an empty buffer for the next use, unless an unusually large message has left it large.
fn give_back(emptied: &mut BytesMut) {
    emptied.clear();
    // The capacity alone does not tell: the room of bytes that were taken off the front belongs to the buffer still.
    if emptied.try_reclaim(MAX_KEPT_BYTES + 1) {
        *emptied = BytesMut::new();
    }
}

async fn read_some(reader: &mut (impl AsyncRead + Unpin), input: &mut BytesMut) -> io::Result<usize> {
    if input.is_empty() {
        give_back(input);
    }
    if input.capacity() - input.len() < READ_STEP_BYTES / 2 {
        input.reserve(READ_STEP_BYTES);
    }
    reader.read_buf(input).await
}

struct State {
    input: BytesMut,
    outgoing: BytesMut,
    /// Bytes that requests take which are being worked on.
    under_way: usize,
    /// When something last happened that counts: a whole request came or one began, or one that had waited was answered.
    progress: Instant,
    /// When the peer last took a part of the replies, or there were some to take for the first time.
    taking: Instant,
    end_of_input: bool,
    unreadable: bool,
    stopping: bool,
    stalled: Duration,
    idle: Option<Duration>,
}

impl State {
    fn new(input: BytesMut, limits: &Limits) -> Self {
        Self {
            input,
            outgoing: BytesMut::new(),
            under_way: 0,
            progress: Instant::now(),
            taking: Instant::now(),
            end_of_input: false,
            unreadable: false,
            stopping: false,
            stalled: limits.stalled,
            idle: limits.idle,
        }
    }

    fn next<S: Session>(&mut self, session: &S, reading: &mut S::Reading, output: &Output) -> Option<S::Request> {
        if self.unreadable || self.input.is_empty() || output.is_complete() {
            return None;
        }
        match session.next_request(&mut self.input, reading, output) {
            Ok(request) => {
                if request.is_some() {
                    self.progress = Instant::now();
                }
                request
            }
            Err(Unreadable) => {
                self.unreadable = true;
                self.input.clear();
                None
            }
        }
    }

    fn received(&mut self, bytes: usize) {
        if bytes == 0 {
            self.end_of_input = true;
        } else if self.input.len() == bytes {
            // A frame begins. Those that stay in parts are given so much time from here.
            self.progress = Instant::now();
        }
    }

    /// A request that had to wait, and took so many bytes, has been answered.
    fn answered(&mut self, bytes: usize) {
        self.under_way -= bytes;
        self.progress = Instant::now();
    }

    /// Puts the replies that are ready where the peer takes them from.
    fn gather(&mut self, output: &Output) {
        if self.outgoing.is_empty() {
            output.exchange(&mut self.outgoing);
            if !self.outgoing.is_empty() {
                self.taking = Instant::now();
            }
        }
    }

    /// The peer has taken some of the replies.
    fn taken(&mut self, bytes: usize) -> io::Result<()> {
        if bytes == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.outgoing.advance(bytes);
        if self.outgoing.is_empty() {
            give_back(&mut self.outgoing);
        } else {
            self.taking = Instant::now();
        }
        Ok(())
    }

    /// Bytes of replies that the peer has not taken.
    fn untaken(&self, output: &Output) -> usize {
        self.outgoing.len() + output.len()
    }

    fn has_room(&self, limits: &Limits, output: &Output) -> bool {
        self.under_way + self.untaken(output) < limits.in_flight_bytes
    }

    fn may_read(&self, limits: &Limits, output: &Output) -> bool {
        !self.end_of_input
            && !self.unreadable
            && !self.stopping
            && !output.is_complete()
            && self.has_room(limits, output)
    }

    fn may_answer(&self, limits: &Limits, output: &Output) -> bool {
        !output.is_complete() && self.untaken(output) < limits.in_flight_bytes
    }

    fn is_over(&self, nothing_under_way: bool) -> Option<Ended> {
        if !nothing_under_way || !self.outgoing.is_empty() {
            return None;
        }
        if self.unreadable {
            return Some(Ended::Unreadable);
        }
        (self.end_of_input || self.stopping).then_some(Ended::Closed)
    }

    /// Until when the peer must have done something, if anything is expected of it.
    fn deadline(&self, nothing_under_way: bool) -> Option<(Instant, Ended)> {
        if !self.outgoing.is_empty() {
            return Some((self.taking + self.stalled, Ended::Stalled));
        }
        if !self.input.is_empty() && nothing_under_way {
            return Some((self.progress + self.stalled, Ended::Stalled));
        }
        let idle = self.idle.filter(|_| nothing_under_way)?;
        Some((self.progress + idle, Ended::Idle))
    }

    /// Sets the watchdog where it is needed. It is put off only when it fires, so that a busy connection hardly ever touches it;
    /// only a deadline that comes before it moves it.
    fn watch(&self, watchdog: Pin<&mut Sleep>, watching: bool, nothing_under_way: bool) -> bool {
        match self.deadline(nothing_under_way) {
            Some((deadline, _)) if !watching || deadline < watchdog.deadline() => {
                watchdog.reset(deadline);
                true
            }
            _ => watching,
        }
    }

    fn overdue(&self, nothing_under_way: bool) -> Option<Ended> {
        let (deadline, ended) = self.deadline(nothing_under_way)?;
        (deadline <= Instant::now()).then_some(ended)
    }
}

#[cfg(test)]
mod tests;
