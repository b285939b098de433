//! A stream of batches: commands come in messages and are answered in messages, in any order.

use std::sync::Arc;

use charioteer_proto::tikv::rpc::{Call, Command};
use charioteer_proto::tikv::tikvpb::BatchCommandsRequest;
use charioteer_proto::tikv::tikvpb::batch_commands_request::Request;
use charioteer_proto::tikv::tikvpb::batch_commands_response::Response;
use charioteer_proto::tikv::{regional, weight};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Duration, Instant};

use super::hooks::{Asked, Ending, Fault, RegionError, under};
use super::service::Endpoint;
use super::store::{Answered, BatchStream, Begun, may_wait_for_locks};
use crate::backend::{Rows, Soon};
use crate::grpc::{Exchange, Room, Status, given_up};
use crate::hooks::Rule;

/// Clients put up to 128 commands into a message, however long they are; the original takes any length. One that is as long as so many
/// others is taken when nothing else of its connection is under way.
const MESSAGES_IN_ONE: usize = 32;

/// What comes of a command that was not answered at once.
type Waiting = BoxFuture<'static, Settled>;

/// A command of which it is known what comes of it.
struct Settled {
    number: u64,
    ending: Ending<Response>,
    turn: Option<Turn>,
    is_for_locks: bool,
}

/// Held by an answer that may be large, until it has been sent.
type Turn = OwnedSemaphorePermit;

/// Commands of a stream that may wait to be answered; further ones are begun when some have been. Answers may be as large as messages.
const WAITING: usize = 256;

/// Besides, so many that wait for locks: it may be a command behind them that gives a lock back.
const WAITING_FOR_LOCKS: usize = 8192;

/// Answers wait so long for those of further commands before they are sent. A client goes on with them while the rest is done, where all
/// of them together would have one wait for the other in turn.
const TOGETHER: Duration = Duration::from_micros(100);

/// A message whose commands are shorter than this is done in that time, or nearly: for them no clock is looked at.
const LONG_BYTES: usize = 512;

/// The commands of a stream that are under way.
struct UnderWay<R> {
    stream: BatchStream<R>,
    waiting: FuturesUnordered<Waiting>,
    /// How many of these are for locks.
    for_locks: usize,
    answered: Answered,
    /// What large ones among them hold.
    turns: Vec<Turn>,
    /// When the first command was begun since answers were sent, where that is looked at.
    since: Option<Instant>,
}

impl<R: Rows> UnderWay<R> {
    /// Whether so many wait that others are not begun.
    fn is_full(&self) -> bool {
        self.for_locks >= WAITING_FOR_LOCKS || self.waiting.len() - self.for_locks >= WAITING
    }

    /// Sends all answers that are there.
    async fn send(&mut self, exchange: &mut Exchange) -> Result<(), Status> {
        while let Some(message) = self.stream.message(&mut self.answered) {
            exchange.replies.send(&message).await?;
        }
        self.turns.clear();
        self.since = None;
        Ok(())
    }

    /// Whether answers have waited long for others.
    fn is_late(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() >= TOGETHER) && !self.answered.is_empty()
    }
}

impl<R: Rows> Endpoint<R> {
    /// Answers what comes on a stream of batches.
    pub(super) async fn batches(&self, exchange: &mut Exchange) -> Result<(), Status> {
        let stream = BatchStream::new(Arc::clone(self.service.store(self.store_number().unwrap_or(usize::MAX))?));
        let (waiting, answered, turns) = (FuturesUnordered::new(), Answered::default(), Vec::new());
        let mut under_way = UnderWay { stream, waiting, for_locks: 0, answered, turns, since: None };
        exchange.requests.allow(self.service.limits().frame_bytes.saturating_mul(MESSAGES_IN_ONE));
        let ended = self.answer_all(&mut under_way, exchange).await;
        // Whatever ends the stream, what was done until then is told.
        let told = under_way.send(exchange).await;
        ended.and(told)
    }

    async fn answer_all(&self, under_way: &mut UnderWay<R>, exchange: &mut Exchange) -> Result<(), Status> {
        let mut has_more = true;
        while has_more || !under_way.waiting.is_empty() {
            tokio::select! {
                biased;
                Some(settled) = under_way.waiting.next() => self.settle(under_way, exchange, settled).await?,
                message = exchange.requests.next_weighed::<BatchCommandsRequest>(weight::of_commands), if has_more => match message? {
                    Some((message, room)) => {
                        self.begin(under_way, exchange, message, room).await?;
                        has_more = self.begin_what_has_come(under_way, exchange).await?;
                    }
                    None => has_more = false,
                },
                () = exchange.replies.given_up() => return Err(given_up()),
            }
            self.settle_ready(under_way, exchange).await?;
            under_way.send(exchange).await?;
        }
        Ok(())
    }

    /// Settles what need not be waited for, and what others get done in a moment, so that its answers travel together.
    async fn settle_ready(&self, under_way: &mut UnderWay<R>, exchange: &mut Exchange) -> Result<(), Status> {
        self.settle_done(under_way, exchange).await?;
        if !under_way.waiting.is_empty() {
            tokio::task::yield_now().await;
            self.settle_done(under_way, exchange).await?;
        }
        Ok(())
    }

    async fn settle_done(&self, under_way: &mut UnderWay<R>, exchange: &mut Exchange) -> Result<(), Status> {
        while let Some(Some(settled)) = under_way.waiting.next().now_or_never() {
            self.settle(under_way, exchange, settled).await?;
        }
        Ok(())
    }

    /// Begins what else has come, so that its answers travel together. Says whether there may be more.
    async fn begin_what_has_come(&self, under_way: &mut UnderWay<R>, exchange: &mut Exchange) -> Result<bool, Status> {
        while !under_way.answered.are_many() {
            match exchange.requests.next_weighed::<BatchCommandsRequest>(weight::of_commands).now_or_never() {
                Some(Ok(Some((message, room)))) => self.begin(under_way, exchange, message, room).await?,
                Some(Ok(None)) => return Ok(false),
                Some(Err(status)) => return Err(status),
                None => break,
            }
        }
        Ok(true)
    }

    /// Begins all commands of a message. Where many wait or are answered, those come first.
    async fn begin(
        &self,
        under_way: &mut UnderWay<R>,
        exchange: &mut Exchange,
        message: BatchCommandsRequest,
        room: Room,
    ) -> Result<(), Status> {
        let are_long = room.bytes() / message.requests.len().max(1) >= LONG_BYTES;
        let room = Arc::new(room);
        let is_watched = self.service.hooks().is_some() || self.service.has_latency();
        if is_watched && message.requests.len() == message.request_ids.len() {
            for (request, number) in message.requests.into_iter().zip(message.request_ids) {
                let (stream, turns) = (under_way.stream.clone(), exchange.large_answers());
                under_way.for_locks += usize::from(is_for_locks(&request));
                under_way.waiting.push(self.under_faults(stream, request, number, turns, Arc::clone(&room)));
                self.keep_few(under_way, exchange).await?;
            }
            return Ok(());
        }
        if are_long {
            under_way.since.get_or_insert_with(Instant::now);
        }
        for Begun { number, answer, is_large, is_for_locks } in under_way.stream.begin(message)? {
            match answer {
                Soon::Ready(answer) => under_way.answered.push(number, answer?),
                Soon::Pending(answer) => {
                    let (room, turns) = (Arc::clone(&room), is_large.then(|| exchange.large_answers()));
                    under_way.for_locks += usize::from(is_for_locks);
                    under_way.waiting.push(Box::pin(async move {
                        let turn = next_turn(turns).await;
                        let ending = Ending::of(answer.await);
                        drop(room);
                        Settled { number, ending, turn, is_for_locks }
                    }));
                }
            }
            self.keep_few(under_way, exchange).await?;
        }
        Ok(())
    }

    /// A command with which something may go wrong.
    fn under_faults(
        &self,
        stream: BatchStream<R>,
        request: Request,
        number: u64,
        turns: Arc<Semaphore>,
        room: Arc<Room>,
    ) -> Waiting {
        let rules = request.cmd.as_ref().map(|command| self.rules(command)).unwrap_or_default();
        let (service, is_for_locks) = (Arc::clone(&self.service), is_for_locks(&request));
        Box::pin(async move {
            service.delay().await;
            let asked = request.cmd.clone();
            let alone =
                BatchCommandsRequest { requests: vec![request], request_ids: vec![number], ..Default::default() };
            let mut turn = None;
            let answer = async {
                let Some(begun) = stream.begin(alone)?.next() else { return Ok(Response::default()) };
                turn = next_turn(begun.is_large.then_some(turns)).await;
                begun.answer.wait().await
            };
            let refuse = |error: &RegionError| {
                let command = asked.as_ref()?;
                let error = service.region_error(regional::of_command(command)?, error);
                Some(Response { cmd: Some(regional::refuse_command(command, error)?) })
            };
            let ending = under(&rules, answer, refuse).await;
            drop(room);
            Settled { number, ending, turn, is_for_locks }
        })
    }

    /// Sends answers where there are many or they have waited long, and waits for some where many are waited for.
    async fn keep_few(&self, under_way: &mut UnderWay<R>, exchange: &mut Exchange) -> Result<(), Status> {
        if under_way.answered.are_many() {
            under_way.send(exchange).await?;
        } else if under_way.is_late() {
            under_way.send(exchange).await?;
            under_way.since = Some(Instant::now());
            // The task of the connection writes them.
            tokio::task::yield_now().await;
        }
        while under_way.is_full() {
            tokio::select! {
                biased;
                Some(settled) = under_way.waiting.next() => self.settle(under_way, exchange, settled).await?,
                () = exchange.replies.given_up() => return Err(given_up()),
            }
            self.settle_ready(under_way, exchange).await?;
            under_way.send(exchange).await?;
        }
        Ok(())
    }

    fn rules(&self, command: &Command) -> Vec<Arc<Rule<Fault>>> {
        let Some(call) = Call::of_command(command) else { return Vec::new() };
        let store = self.store_number();
        self.service.claim(call, || match regional::of_command(command) {
            Some(request) => Asked::about(call, store, request),
            None => Asked { call, store, is_regional: false, context: None, keys: Vec::new() },
        })
    }

    /// Notes what has come of a command.
    async fn settle(
        &self,
        under_way: &mut UnderWay<R>,
        exchange: &mut Exchange,
        settled: Settled,
    ) -> Result<(), Status> {
        let Settled { number, ending, turn, is_for_locks } = settled;
        under_way.for_locks -= usize::from(is_for_locks);
        match ending {
            Ending::Reply(response, times) => {
                under_way.turns.extend(turn);
                // The last of them is not copied: it is the only one where nothing goes wrong.
                for response in std::iter::repeat_n(response, times) {
                    under_way.answered.push(number, response);
                }
                Ok(())
            }
            Ending::Failed(status) => Err(status),
            Ending::Silence => Ok(()),
            Ending::Garbage => exchange.replies.send_garbage().await,
            Ending::Cut => {
                exchange.cut();
                std::future::pending().await
            }
        }
    }
}

/// Whether a command may wait for locks.
fn is_for_locks(request: &Request) -> bool {
    request.cmd.as_ref().is_some_and(may_wait_for_locks)
}

/// Waits for the turn of an answer that may be large.
async fn next_turn(turns: Option<Arc<Semaphore>>) -> Option<Turn> {
    // They are never closed.
    turns?.acquire_owned().await.ok()
}
