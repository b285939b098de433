//! Timestamps: many callers, one stream, and none that is given twice.
//!
//! A task of its own has the stream. It takes what callers have queued, all at once, asks for as many timestamps as they want together,
//! and divides the answer among them in order. Meanwhile it asks for those who come after. What PD says is checked: as many as were asked
//! for, and each greater than all that were ever given.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use charioteer_proto::tikv::timestamp::Timestamp;
use charioteer_proto::tikv::{pdpb, rpc};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::members::Leader;
use super::{Pd, answer};
use crate::error::{ErrorKind, Failure};
use crate::exec::{Backend, Effect, Operation};
use crate::net::Progress;
use crate::tikv::failure;
use crate::tikv::grpc::Requests;

/// How many callers are answered with one message at most.
const CALLERS: usize = 10_000;

/// How many timestamps are asked for with one message at most: as many as there are in a millisecond, less some for others.
const TIMESTAMPS: u32 = 1 << 17;

/// How many messages are under way at most.
const UNDER_WAY: usize = 4;

/// How long PD may take for one.
const PATIENCE: Duration = Duration::from_secs(3);

/// The stream, and what was given on it so far.
#[derive(Debug, Default)]
pub(super) struct Timestamps {
    stream: Mutex<Option<Stream>>,
    last: Arc<Mutex<Last>>,
}

/// The greatest timestamp that was ever given.
#[derive(Debug, Default)]
struct Last {
    timestamp: Timestamp,
    /// The leader that gave it.
    generation: u64,
}

#[derive(Debug)]
struct Stream {
    /// The leader that it leads to.
    generation: u64,
    queue: mpsc::UnboundedSender<Caller>,
}

/// Somebody who waits for timestamps.
#[derive(Debug)]
struct Caller {
    count: u32,
    given: oneshot::Sender<Result<RangeInclusive<Timestamp>, Failure>>,
}

/// So many timestamps.
struct Take(u32);

impl Operation for Take {
    const NAME: &'static str = "pd.tso";
    const EFFECT: Effect = Effect::Reads;
    type Reply = RangeInclusive<Timestamp>;
}

impl Pd {
    /// So many timestamps, all of one millisecond and greater than all that were given before.
    pub(crate) async fn timestamps(&self, count: u32, deadline: Instant) -> Result<RangeInclusive<Timestamp>, Failure> {
        if count == 0 || count > TIMESTAMPS {
            let message = format!("{count} timestamps at once: from 1 to {TIMESTAMPS} can be had");
            return Err(Failure::new(ErrorKind::InvalidArgument, message));
        }
        self.ask(Take(count), deadline).await
    }

    /// A timestamp greater than all that were given before.
    pub(crate) async fn timestamp(&self, deadline: Instant) -> Result<Timestamp, Failure> {
        self.timestamps(1, deadline).await.map(|range| *range.end())
    }

    /// The stream to the member that leads, which is opened if need be.
    fn queue(&self, leader: &Leader) -> mpsc::UnboundedSender<Caller> {
        let mut stream = self.0.timestamps.stream.lock();
        if let Some(Stream { generation, queue }) = &*stream
            && *generation == leader.generation
            && !queue.is_closed()
        {
            return queue.clone();
        }
        let (queue, callers) = mpsc::unbounded_channel();
        let worker = Worker {
            leader: leader.clone(),
            cluster_id: self.cluster_id(),
            last: Arc::clone(&self.0.timestamps.last),
            under_way: VecDeque::new(),
        };
        tokio::spawn(worker.run(callers));
        *stream = Some(Stream { generation: leader.generation, queue: queue.clone() });
        queue
    }
}

impl Timestamps {
    pub(super) fn close(&self) {
        *self.stream.lock() = None;
    }
}

impl Backend<Take> for Pd {
    type Target = Leader;

    async fn route(&self, _: &Take) -> Result<Leader, Failure> {
        self.leader().await
    }

    async fn attempt(
        &self,
        leader: &Leader,
        take: &Take,
        _: Instant,
        _: &Progress,
    ) -> Result<RangeInclusive<Timestamp>, Failure> {
        let (given, taken) = oneshot::channel();
        let gone = || Failure::new(ErrorKind::Unavailable, "the stream of timestamps has ended").retry(&failure::PD);
        self.queue(leader).send(Caller { count: take.0, given }).map_err(|_| gone())?;
        taken.await.unwrap_or_else(|_| Err(gone())).map_err(|failure| self.meaning(failure))
    }

    fn learn(&self, leader: &Leader, failure: &Failure) {
        self.0.members.learn(leader, failure);
    }

    fn obstacle(&self) -> Option<String> {
        self.0.members.obstacle()
    }

    fn peer(leader: &Leader) -> &Arc<str> {
        leader.channel.peer()
    }
}

/// Has the stream.
struct Worker {
    leader: Leader,
    cluster_id: u64,
    last: Arc<Mutex<Last>>,
    /// Those who wait for answers, in the order in which these come.
    under_way: VecDeque<Batch>,
}

/// Those who wait for one answer.
struct Batch {
    callers: Vec<Caller>,
    count: u32,
    asked: Instant,
}

impl Worker {
    async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Caller>) {
        let failure = match self.serve(&mut queue).await {
            Ok(()) => return,
            Err(failure) => failure.at(self.leader.channel.peer()),
        };
        queue.close();
        let waiting = self.under_way.into_iter().flat_map(|batch| batch.callers);
        waiting.for_each(|caller| drop(caller.given.send(Err(failure.clone()))));
        while let Ok(caller) = queue.try_recv() {
            let _ = caller.given.send(Err(failure.clone()));
        }
    }

    /// Asks and answers until there is nobody any more who could ask.
    async fn serve(&mut self, queue: &mut mpsc::UnboundedReceiver<Caller>) -> Result<(), Failure> {
        let opened = self.leader.channel.open::<rpc::Tso>(Instant::now() + PATIENCE).await;
        let (mut requests, mut replies) = opened?;
        let mut waiting = VecDeque::new();
        let (mut more, mut is_open) = (Vec::new(), true);
        while is_open || !self.under_way.is_empty() {
            let patience = self.under_way.front().map_or_else(Instant::now, |batch| batch.asked) + PATIENCE;
            tokio::select! {
                came = queue.recv_many(&mut more, CALLERS), if is_open && self.under_way.len() < UNDER_WAY => {
                    is_open = came > 0;
                    waiting.extend(more.drain(..));
                }
                reply = replies.next(), if !self.under_way.is_empty() => {
                    let reply = reply?.ok_or_else(|| again("PD has ended the stream of timestamps"))?;
                    self.divide(&reply)?;
                }
                () = tokio::time::sleep_until(patience), if !self.under_way.is_empty() => {
                    return Err(again("PD did not give timestamps in time"));
                }
            }
            while !waiting.is_empty() && self.under_way.len() < UNDER_WAY {
                self.ask_for(&mut waiting, &mut requests).await?;
            }
        }
        Ok(())
    }

    /// Asks for those who wait, as many as go into a message.
    async fn ask_for(
        &mut self,
        waiting: &mut VecDeque<Caller>,
        requests: &mut Requests<rpc::Tso>,
    ) -> Result<(), Failure> {
        let (mut callers, mut count) = (Vec::new(), 0);
        while let Some(caller) = waiting.pop_front_if(|caller| count + caller.count <= TIMESTAMPS) {
            // Of those who have gone away meanwhile none are asked for.
            if !caller.given.is_closed() {
                count += caller.count;
                callers.push(caller);
            }
        }
        if callers.is_empty() {
            return Ok(());
        }
        self.under_way.push_back(Batch { callers, count, asked: Instant::now() });
        let header = Some(pdpb::RequestHeader { cluster_id: self.cluster_id, ..pdpb::RequestHeader::default() });
        let request = pdpb::TsoRequest { header, count, dc_location: String::new() };
        let sent = tokio::time::timeout(PATIENCE, requests.send(&request)).await;
        sent.unwrap_or_else(|_| Err(again("PD does not take requests for timestamps")))
    }

    /// Divides an answer among those who wait for it.
    fn divide(&mut self, reply: &pdpb::TsoResponse) -> Result<(), Failure> {
        answer::check(reply.header.as_ref(), self.cluster_id)?;
        let Some(batch) = self.under_way.front() else { return Ok(()) };
        let range = check(reply, batch.count)?;
        {
            let mut last = self.last.lock();
            let generation = self.leader.generation;
            if *range.start() <= last.timestamp {
                if generation != last.generation {
                    return Err(again("another PD has given greater timestamps meanwhile"));
                }
                let (first, last) = (u64::from(*range.start()), u64::from(last.timestamp));
                let message = format!("PD gives the timestamp {first} after it has given {last}");
                return Err(Failure::new(ErrorKind::Corrupt, message));
            }
            *last = Last { timestamp: *range.end(), generation };
        }
        let mut next = u64::from(*range.start());
        for caller in self.under_way.pop_front().map_or_else(Vec::new, |batch| batch.callers) {
            let end = next + u64::from(caller.count);
            let _ = caller.given.send(Ok(next.into()..=(end - 1).into()));
            next = end;
        }
        Ok(())
    }
}

/// The timestamps of an answer, of which so many were asked for.
fn check(reply: &pdpb::TsoResponse, count: u32) -> Result<RangeInclusive<Timestamp>, Failure> {
    if reply.count != count {
        let message = format!("PD gives {} timestamps where {count} were asked for", reply.count);
        return Err(Failure::new(ErrorKind::Protocol, message));
    }
    let last = read(reply.timestamp)?;
    last.ending_here(count).ok_or_else(|| {
        Failure::new(ErrorKind::Protocol, format!("there are no {count} timestamps up to {}", u64::from(last)))
    })
}

/// A timestamp of an answer.
pub(super) fn read(told: Option<pdpb::Timestamp>) -> Result<Timestamp, Failure> {
    let told = told.ok_or_else(|| answer::lacks("timestamp"))?;
    Timestamp::try_from(told).map_err(|error| Failure::new(ErrorKind::Protocol, error.to_string()))
}

fn again(message: &'static str) -> Failure {
    Failure::new(ErrorKind::Unavailable, message).retry(&failure::PD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(count: u32, logical: i64) -> pdpb::TsoResponse {
        let timestamp = Some(pdpb::Timestamp { physical: 1, logical, suffix_bits: 0 });
        pdpb::TsoResponse { header: None, count, timestamp }
    }

    #[test]
    fn an_answer_that_tells_of_others_than_were_asked_for_is_none() {
        let range = check(&reply(3, 7), 3).unwrap();
        assert_eq!((u64::from(*range.start()) & 0xff, u64::from(*range.end()) & 0xff), (5, 7));
        for (reply, count) in [(reply(2, 7), 3), (reply(3, 1), 3), (reply(1, -1), 1), (reply(1, 1 << 18), 1)] {
            assert_eq!(check(&reply, count).unwrap_err().kind, ErrorKind::Protocol, "{reply:?}");
        }
    }
}
