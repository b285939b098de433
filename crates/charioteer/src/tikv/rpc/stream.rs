//! One stream of batches, as callers see it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::batch::Packable;
use charioteer_proto::tikv::rpc::{BatchCommands, Batched};
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::health::Health;
use super::rider::Rider;
use super::store::BatchLimits;
use crate::error::{ErrorKind, Failure, Outcome};
use crate::exec;
use crate::net::{CallId, Pending, Progress, Refused, Room, Stage, count};
use crate::tikv::grpc::{self, Channel, Connection, Renewable};

/// What the requests of one stream may take that are not answered, counted in steps of this size.
const ROOM_STEP_BYTES: usize = 1024;
const ROOM: usize = 16 * 1024;

/// How long calls may be given up, one after the other, without any answer between them, before the stream is taken for dead.
const SILENCE: Duration = Duration::from_secs(10);

/// A stream. Clones share it; it ends when the last is dropped.
#[derive(Clone)]
pub(super) struct BatchStream(Arc<Owner>);

struct Owner(Arc<Shared>);

/// What callers and the rider share.
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) connection: Connection,
    pub(super) health: Arc<Health>,
    /// Whether it is over, for those who only want to know that.
    ended: AtomicBool,
}

pub(super) struct State {
    pub(super) pending: Pending<Answer>,
    room: Room,
    /// There while the rider rests; it has nothing to write then, as far as it knows.
    pub(super) rider: Option<Waker>,
    /// There while the rider waits for the server to take more; it has much to write then, and looks up only when all is over.
    pub(super) blocked: Option<Waker>,
    /// Whether the rider wakes, within a [`ROUND`](crate::net::ROUND), those who wait now.
    pub(super) on_rounds: bool,
    /// Whether anything was answered.
    pub(super) has_answered: bool,
    /// Since when calls have been given up without any answer between them.
    pub(super) silent_since: Option<Instant>,
    /// What has ended it.
    end: Option<Failure>,
    /// Whether that may as well be another call's than that of any of those who waited then.
    blames_nobody: bool,
}

/// An answer that has not been decoded.
pub(super) struct Answer {
    /// The number of the command that it answers; `None` if the server does not know the command.
    pub(super) command: Option<u32>,
    pub(super) bytes: Bytes,
}

impl BatchStream {
    /// Begins one, and has it read and written on the task of its connection.
    pub(super) async fn open(
        channel: Channel,
        health: Arc<Health>,
        limits: BatchLimits,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let (requests, replies) = channel.open::<BatchCommands>(deadline).await?;
        let connection = requests.connection().clone();
        let state = State {
            pending: Pending::new(false),
            room: Room::new(ROOM),
            rider: None,
            blocked: None,
            on_rounds: false,
            has_answered: false,
            silent_since: None,
            end: None,
            blames_nobody: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            connection: connection.clone(),
            health,
            ended: AtomicBool::new(false),
        });
        connection.ride(Box::pin(Rider::new(Arc::clone(&shared), requests, replies, limits)));
        Ok(Self(Arc::new(Owner(shared))))
    }

    /// Sends a command, and waits for its answer, which is not decoded.
    ///
    /// May be dropped at any moment: a request that has not left is not sent then, and the answer of one that has left is dropped.
    pub(super) async fn call<M: Batched>(
        &self,
        request: &M::Request,
        deadline: Instant,
        progress: &Progress,
    ) -> Result<Bytes, Failure> {
        let mine = Progress::default();
        let answer = {
            let mut timer = pin!(None);
            let answer = pin!(self.answer::<M>(request, progress, &mine));
            exec::within(deadline, timer.as_mut(), progress, answer).await
        };
        // The call is over, and has told by now whether anything had left.
        let answer = answer.unwrap_or_else(|| {
            let what = if mine.is_sent() { "there was no answer" } else { "the request could not be sent" };
            Err(grpc::timed_out(what, mine.is_sent()))
        })?;
        match answer.command {
            Some(command) if command == M::COMMAND => Ok(answer.bytes),
            Some(command) => Err(self.shared().mistaken(M::COMMAND, command)),
            None => Err(Failure::new(ErrorKind::Unsupported, "the server does not know this command in a batch")
                .code("UNIMPLEMENTED")),
        }
    }

    /// Whether anything was answered.
    pub(super) fn has_answered(&self) -> bool {
        self.shared().state.lock().has_answered
    }

    /// Whether it was ended for one of its commands; which of them is not known.
    pub(super) fn ended_for_one(&self) -> bool {
        self.shared().state.lock().end.as_ref().is_some_and(is_for_one)
    }

    /// `mine` is told of this request alone.
    async fn answer<M: Batched>(
        &self,
        request: &M::Request,
        progress: &Progress,
        mine: &Progress,
    ) -> Result<Answer, Failure> {
        let shared = self.shared();
        let request = Packable::<M>::new(request);
        let steps = (1 + request.max_len() / ROOM_STEP_BYTES).min(ROOM);
        let mut missing = steps;
        let (id, on_rounds) = loop {
            let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
            if let Some(begun) = shared.begin(missing, waker, &request)? {
                break begun;
            }
            Entry { shared, steps, number: None }.await?;
            missing = 0;
        };
        // Another runtime may stand still, and its rounds with it, while this one goes on.
        let attended = on_rounds && progress.is_on(shared.connection.runtime());
        Call { shared, id, steps, progress, mine, is_new: true, attended, over: false }.await
    }

    fn shared(&self) -> &Shared {
        &self.0.0
    }
}

impl Renewable for BatchStream {
    fn is_alive(&self) -> bool {
        !self.shared().ended.load(Ordering::Acquire) && self.shared().connection.is_alive()
    }

    fn close(&self) {
        self.shared().end(grpc::closed());
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.end(grpc::closed());
    }
}

impl Shared {
    /// Queues a request, and says whether its caller is woken by a round; or `None`, if there is no room for it.
    fn begin<M: Batched>(
        &self,
        steps: usize,
        waker: Waker,
        request: &Packable<'_, M>,
    ) -> Result<Option<(CallId, bool)>, Failure> {
        let mut state = self.state.lock();
        if steps > 0 && !state.room.try_take(steps) {
            return Ok(None);
        }
        let on_rounds = state.on_rounds;
        match state.pending.begin(Some(waker), |message, id| request.append(message, id.into())) {
            Ok(id) => {
                wake_rider(state);
                Ok(Some((id, on_rounds)))
            }
            Err(Refused::Dead(_)) => {
                drop(state);
                Err(self.lost(Stage::Queued))
            }
            Err(Refused::Full) => {
                drop(state);
                let failure = grpc::lost("too many calls were never answered", false);
                self.end(failure.clone());
                Err(failure)
            }
        }
    }

    /// What the end of the stream means for a call that had come so far.
    fn lost(&self, stage: Stage) -> Failure {
        let state = self.state.lock();
        let end = state.end.clone().unwrap_or_else(|| grpc::lost("the stream is over", true));
        if grpc::is_unimplemented(&end) && !state.has_answered {
            return Failure { outcome: Outcome::NotApplied, ..end };
        }
        let is_sent = stage != Stage::Queued;
        let makes_no_sense = end.kind == ErrorKind::Protocol && (state.blames_nobody || stage == Stage::Queued);
        if is_for_one(&end) || makes_no_sense {
            let message = format!("the stream was ended for one of its commands: {}", end.message);
            let failure = Failure::new(ErrorKind::Unavailable, message).retry(&grpc::APART);
            return if is_sent { failure.unknown() } else { failure };
        }
        Failure { outcome: if is_sent { Outcome::Unknown } else { Outcome::NotApplied }, ..end }
    }

    /// An answer of another kind than the question: there is no relying on any of them.
    fn mistaken(&self, asked: u32, answered: u32) -> Failure {
        let message = format!("the server answered command {asked} as if it had been {answered}");
        let failure = Failure::new(ErrorKind::Protocol, message).unknown();
        self.end_for(failure.clone(), 0);
        failure
    }

    /// Ends the stream, and wakes everybody who waits. If that is a single call, what has ended the stream is its own affair.
    pub(super) fn end(&self, failure: Failure) {
        self.end_for(failure, 1);
    }

    /// The same, where it is the affair of those who wait if they are so many at most.
    fn end_for(&self, failure: Failure, at_most: usize) {
        self.ended.store(true, Ordering::Release);
        let mut state = self.state.lock();
        let reason = Arc::from(&*failure.message);
        if state.end.is_none() {
            state.blames_nobody = state.pending.under_way() > at_most;
            state.end = Some(failure);
        }
        let mut waiting = state.pending.end(&reason);
        waiting.extend(state.room.end());
        waiting.extend(state.rider.take());
        waiting.extend(state.blocked.take());
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Takes note of a call whose caller has gone away.
    fn given_up(&self, id: CallId, steps: usize) -> Option<Stage> {
        let counters = self.connection.counters();
        let mut state = self.state.lock();
        let next = state.room.give(steps);
        let stage = state.pending.give_up(id);
        if stage == Some(Stage::Sent) {
            state.silent_since.get_or_insert_with(Instant::now);
        }
        // Those in the queue too: while the server takes nothing they get no further.
        let is_silent = state.silent_since.is_some_and(|since| since.elapsed() > SILENCE);
        drop(state);
        next.into_iter().for_each(Waker::wake);
        let stage = stage?;
        count(match stage {
            Stage::Queued => &counters.cut_before_send,
            Stage::Sent => &counters.cut_in_flight,
            Stage::Answered => &counters.cut_after_reply,
        });
        if stage != Stage::Answered {
            self.connection.doubt();
            if is_silent {
                self.end(grpc::lost("the server has not answered anything for too long", true));
            }
        }
        Some(stage)
    }
}

/// Whether a stream may have ended like this because of one of its commands, or the answer to it: the server does not take the command,
/// or the answer is longer than it sends or this client takes.
fn is_for_one(end: &Failure) -> bool {
    end.retry.is_none() && (end.server_code.is_some() || end.kind == ErrorKind::TooLarge)
}

fn wake_rider(mut state: MutexGuard<'_, State>) {
    let rider = state.rider.take();
    drop(state);
    rider.into_iter().for_each(Waker::wake);
}

/// A call that waits until there is room for it, and takes that.
struct Entry<'a> {
    shared: &'a Shared,
    steps: usize,
    /// There while it waits.
    number: Option<u64>,
}

impl Future for Entry<'_> {
    type Output = Result<(), Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let shared = self.shared;
        let mut state = shared.state.lock();
        if state.pending.death().is_some() {
            drop(state);
            return Poll::Ready(Err(shared.lost(Stage::Queued)));
        }
        let steps = self.steps;
        let polled = state.room.poll_take(&mut self.number, steps, cx.waker());
        let next = if polled.is_ready() { state.room.first() } else { None };
        drop(state);
        next.into_iter().for_each(Waker::wake);
        polled.map(Ok)
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let next = self.shared.state.lock().room.leave(number);
            next.into_iter().for_each(Waker::wake);
        }
    }
}

/// A call that waits for its answer.
struct Call<'a> {
    shared: &'a Shared,
    id: CallId,
    /// What it takes of the room.
    steps: usize,
    progress: &'a Progress,
    mine: &'a Progress,
    /// Whether its caller's waker was left when it began, just now.
    is_new: bool,
    attended: bool,
    over: bool,
}

impl Future for Call<'_> {
    type Output = Result<Answer, Failure>;

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
        Poll::Ready(result.map_err(|(stage, _)| self.shared.lost(stage)))
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        self.progress.attended(false);
        if self.shared.given_up(self.id, self.steps).is_some_and(|stage| stage != Stage::Queued) {
            self.progress.sent();
            self.mine.sent();
        }
    }
}
