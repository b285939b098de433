//! One connection, as callers see it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use parking_lot::{Mutex, MutexGuard};
use tokio::runtime::{Handle, Id};
use tokio::time::Instant;

use super::pending::{CallId, Pending, Refused, Stage};
use super::room::Room;
use super::stats::{Counters, count};
use super::stream::Writer;
use super::{Stream, Wire, driver};

/// What the requests of one connection may take that are not answered, counted in steps of this size.
const ROOM_STEP_BYTES: usize = 1024;
const ROOM: usize = 16 * 1024;

/// How often the driver wakes those who have waited since before, see [`Progress::is_attended`].
pub(crate) const ROUND: Duration = Duration::from_millis(20);

/// How long calls may be given up, one after the other, without any answer between them, before the connection is taken for dead.
const SILENCE: Duration = Duration::from_secs(10);

/// A connection. Clones share it; it is closed when the last is dropped.
pub(crate) struct Connection<W: Wire>(Arc<Owner<W>>);

struct Owner<W: Wire>(Arc<Shared<W>>);

/// What callers and the driver share.
pub(super) struct Shared<W: Wire> {
    pub(super) state: Mutex<State<W::Reply, W::Expected>>,
    pub(super) writer: Writer,
    pub(super) peer: Arc<str>,
    pub(super) counters: Arc<Counters>,
    /// That of the driver.
    runtime: Id,
    /// Whether the peer has turned this client away before it answered anything.
    pub(super) refused: AtomicBool,
    /// Whether it is over, for those who only want to know that.
    ended: AtomicBool,
}

pub(super) struct State<R, E> {
    pub(super) pending: Pending<R, E>,
    room: Room,
    /// There while the driver rests; it has nothing to write then, as far as it knows.
    pub(super) driver: Option<Waker>,
    /// There while the driver waits for the peer to take more; it has much to write then, and looks up only when all is over.
    pub(super) blocked: Option<Waker>,
    /// A caller is writing at this moment, so that nobody else must.
    pub(super) caller_writes: bool,
    /// What a caller could not write.
    pub(super) leftover: BytesMut,
    /// An emptied buffer for whoever writes next.
    spare: BytesMut,
    /// Since when calls have been given up without any answer between them.
    pub(super) silent_since: Option<Instant>,
    /// Whether the driver wakes, within a [`ROUND`], those who wait now.
    pub(super) on_rounds: bool,
}

/// The connection ended before the answer came.
#[derive(Clone, Debug)]
pub(crate) struct Lost {
    pub(crate) reason: Arc<str>,
    /// Whether the request, or a part of it, may have left.
    pub(crate) sent: bool,
    /// Whether the server has turned this client away, before it answered anything: it does not trust it.
    pub(crate) refused: bool,
}

/// Tells, of a call whose future was dropped, whether its request had left by then; and of one that waits, who looks after its time.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The runtime on which it waits, where that is known.
    runtime: Option<Id>,
    sent: AtomicBool,
    attended: AtomicBool,
}

impl Progress {
    /// That of a call that waits on this runtime.
    pub(crate) fn on(runtime: Id) -> Self {
        Self { runtime: Some(runtime), ..Self::default() }
    }

    /// Whether it waits on this runtime.
    pub(crate) fn is_on(&self, runtime: Id) -> bool {
        self.runtime == Some(runtime)
    }

    /// Whether the request, or a part of it, may have left.
    pub(crate) fn is_sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether a call waits that is going to be looked at again within a [`ROUND`], answered or not. Until then nobody needs a timer for
    /// it, which would cost more than all the rest of the waiting.
    pub(crate) fn is_attended(&self) -> bool {
        self.attended.load(Ordering::Relaxed)
    }

    /// Takes note that it may have left.
    pub(crate) fn sent(&self) {
        self.sent.store(true, Ordering::Relaxed);
    }

    /// Takes note of who looks after its time.
    pub(crate) fn attended(&self, attended: bool) {
        self.attended.store(attended, Ordering::Relaxed);
    }
}

impl<W: Wire> Connection<W> {
    /// Takes over a stream, and reads and writes it on a task of its own.
    pub(super) fn start(stream: Stream, wire: W, peer: Arc<str>, counters: Arc<Counters>) -> Self {
        let Stream { reader, writer } = stream;
        let state = State {
            pending: Pending::new(wire.is_ordered()),
            room: Room::new(ROOM),
            driver: None,
            blocked: None,
            caller_writes: false,
            leftover: BytesMut::new(),
            spare: BytesMut::new(),
            silent_since: None,
            on_rounds: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            writer,
            peer,
            counters,
            runtime: Handle::current().id(),
            refused: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        tokio::spawn(driver::drive(Arc::clone(&shared), wire, reader));
        Self(Arc::new(Owner(shared)))
    }

    pub(crate) fn is_alive(&self) -> bool {
        !self.shared().ended.load(Ordering::Acquire)
    }

    /// Since when calls have been given up without any answer between them, to whichever call.
    pub(crate) fn silent_since(&self) -> Option<Instant> {
        self.shared().state.lock().silent_since
    }

    /// Whether the peer has turned this client away before it answered anything.
    pub(super) fn is_refused(&self) -> bool {
        self.shared().refused.load(Ordering::Acquire)
    }

    /// Sends a request of about so many bytes, which `encode` appends under the number it is given, to say what is expected in answer,
    /// and waits for that.
    ///
    /// May be dropped at any moment: a request that has not left is not sent then, and the answer of one that has left is dropped.
    pub(crate) async fn call(
        &self,
        bytes: usize,
        progress: &Progress,
        encode: impl FnOnce(&mut BytesMut, u32) -> W::Expected,
    ) -> Result<W::Reply, Lost> {
        let shared = self.shared();
        let steps = (1 + bytes / ROOM_STEP_BYTES).min(ROOM);
        let (mut missing, mut encode) = (steps, encode);
        let (id, on_rounds) = loop {
            let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
            match shared.begin(missing, waker, encode)? {
                Ok(begun) => break begun,
                Err(again) => encode = again,
            }
            Entry { shared, steps, number: None }.await?;
            missing = 0;
        };
        // Another runtime may stand still, and its rounds with it, while this one goes on.
        let attended = on_rounds && progress.is_on(shared.runtime);
        Call { shared, id, steps, progress, is_new: true, attended, over: false }.await
    }

    /// Sends a request that is never answered, if the connection still can.
    pub(crate) fn post(&self, encode: impl FnOnce(&mut BytesMut, u32)) {
        let shared = self.shared();
        let mut state = shared.state.lock();
        state.pending.post(encode);
        shared.pass_on(state, false);
    }

    /// Ends the connection at once; calls that wait learn the reason.
    pub(crate) fn close(&self, reason: &Arc<str>) {
        self.shared().end(reason);
    }

    fn shared(&self) -> &Shared<W> {
        &self.0.0
    }
}

impl<W: Wire> Shared<W> {
    /// Begins a call, and says whether the driver wakes it by a round; or hands back what would have encoded it, if there is no room for it.
    fn begin<F: FnOnce(&mut BytesMut, u32) -> W::Expected>(
        &self,
        steps: usize,
        waker: Waker,
        encode: F,
    ) -> Result<Result<(CallId, bool), F>, Lost> {
        let mut state = self.state.lock();
        if steps > 0 && !state.room.try_take(steps) {
            return Ok(Err(encode));
        }
        let (alone, on_rounds) = (state.pending.is_idle(), state.on_rounds);
        match state.pending.begin(Some(waker), encode) {
            Ok(id) => {
                self.pass_on(state, alone);
                Ok(Ok((id, on_rounds)))
            }
            Err(Refused::Dead(reason)) => Err(self.lost_for(reason, false)),
            Err(Refused::Full) => {
                drop(state);
                let reason = Arc::from("too many calls were never answered");
                self.end(&reason);
                Err(self.lost_for(reason, false))
            }
        }
    }

    /// Sees to it that what is queued gets written: by the driver, together with what else has come until it gets its turn, or at
    /// once, when nobody else has anything under way.
    fn pass_on(&self, mut state: MutexGuard<'_, State<W::Reply, W::Expected>>, alone: bool) {
        if state.caller_writes || state.driver.is_none() {
            return;
        }
        if alone {
            state.caller_writes = true;
            let mut requests = std::mem::take(&mut state.spare);
            state.pending.take_requests(&mut requests);
            drop(state);
            return self.write_now(requests);
        }
        let driver = state.driver.take();
        drop(state);
        driver.into_iter().for_each(Waker::wake);
    }

    /// Writes what can be written without waiting, and leaves the rest to the driver.
    fn write_now(&self, mut requests: BytesMut) {
        let written = self.writer.try_write(&requests);
        count(&self.counters.writes);
        let mut state = self.state.lock();
        state.caller_writes = false;
        match written {
            Ok(written) => requests.advance(written),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => {
                drop(state);
                return self.end(&Arc::from(format!("can't be written to: {error}")));
            }
        }
        if requests.is_empty() {
            requests.clear();
            state.spare = requests;
        } else {
            state.leftover = requests;
        }
        if !state.leftover.is_empty() || state.pending.has_requests() || state.pending.death().is_some() {
            let driver = state.driver.take();
            drop(state);
            driver.into_iter().for_each(Waker::wake);
        }
    }

    /// Ends the connection, and wakes everybody who waits.
    pub(super) fn end(&self, reason: &Arc<str>) {
        self.ended.store(true, Ordering::Release);
        let mut state = self.state.lock();
        let mut waiting = state.pending.end(reason);
        waiting.extend(state.room.end());
        waiting.extend(state.driver.take());
        waiting.extend(state.blocked.take());
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    fn lost_for(&self, reason: Arc<str>, sent: bool) -> Lost {
        Lost { reason, sent, refused: self.refused.load(Ordering::Acquire) }
    }

    /// Takes note of a call whose caller has gone away.
    fn given_up(&self, id: CallId, steps: usize) -> Option<Stage> {
        let mut state = self.state.lock();
        let next = state.room.give(steps);
        let Some(stage) = state.pending.give_up(id) else {
            drop(state);
            next.into_iter().for_each(Waker::wake);
            return None;
        };
        count(match stage {
            Stage::Queued => &self.counters.cut_before_send,
            Stage::Sent => &self.counters.cut_in_flight,
            Stage::Answered => &self.counters.cut_after_reply,
        });
        // Those in the queue too, where the driver was woken and does not come.
        let is_called = state.driver.is_none() && state.blocked.is_none();
        if stage == Stage::Sent || stage == Stage::Queued && is_called {
            state.silent_since.get_or_insert_with(Instant::now);
        }
        // Those in the queue too: while the peer takes nothing they get no further.
        let is_silent = state.silent_since.is_some_and(|since| since.elapsed() > SILENCE);
        drop(state);
        next.into_iter().for_each(Waker::wake);
        if is_silent && stage != Stage::Answered {
            self.end(&Arc::from("the server has not answered anything for too long"));
        }
        Some(stage)
    }
}

impl<W: Wire> Clone for Connection<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W: Wire> fmt::Debug for Connection<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.shared().peer).finish()
    }
}

impl<W: Wire> Drop for Owner<W> {
    fn drop(&mut self) {
        self.0.end(&Arc::from("the client was closed"));
    }
}

/// A call that waits until there is room for it, and takes that.
struct Entry<'a, W: Wire> {
    shared: &'a Shared<W>,
    steps: usize,
    /// There while it waits.
    number: Option<u64>,
}

impl<W: Wire> Future for Entry<'_, W> {
    type Output = Result<(), Lost>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let shared = self.shared;
        let mut state = shared.state.lock();
        if let Some(reason) = state.pending.death().map(Arc::clone) {
            return Poll::Ready(Err(shared.lost_for(reason, false)));
        }
        let steps = self.steps;
        let polled = state.room.poll_take(&mut self.number, steps, cx.waker());
        let next = if polled.is_ready() { state.room.first() } else { None };
        drop(state);
        next.into_iter().for_each(Waker::wake);
        polled.map(Ok)
    }
}

impl<W: Wire> Drop for Entry<'_, W> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let next = self.shared.state.lock().room.leave(number);
            next.into_iter().for_each(Waker::wake);
        }
    }
}

/// A call that waits for its answer.
struct Call<'a, W: Wire> {
    shared: &'a Shared<W>,
    id: CallId,
    /// What it takes of the room.
    steps: usize,
    progress: &'a Progress,
    /// Whether its caller's waker was left when it began, just now.
    is_new: bool,
    attended: bool,
    over: bool,
}

impl<W: Wire> Future for Call<'_, W> {
    type Output = Result<W::Reply, Lost>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if std::mem::take(&mut self.is_new) {
            self.progress.attended(self.attended);
            return Poll::Pending;
        }
        let mut state = self.shared.state.lock();
        let polled = state.pending.poll(self.id, cx.waker());
        let next = if polled.is_ready() { state.room.give(self.steps) } else { None };
        drop(state);
        next.into_iter().for_each(Waker::wake);
        // Whatever it is that has woken it, it has waited long enough to have a timer now.
        self.progress.attended(false);
        let Poll::Ready(result) = polled else {
            return Poll::Pending;
        };
        self.over = true;
        Poll::Ready(result.map_err(|(stage, reason)| self.shared.lost_for(reason, stage != Stage::Queued)))
    }
}

impl<W: Wire> Drop for Call<'_, W> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        self.progress.attended(false);
        if self.shared.given_up(self.id, self.steps).is_some_and(|stage| stage != Stage::Queued) {
            self.progress.sent();
        }
    }
}

#[cfg(test)]
mod tests;
