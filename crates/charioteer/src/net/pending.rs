//! The calls of one connection that wait for their answers.
//!
//! A call has a slot, and its number names the slot and how often the slot has been used. A slot whose caller has gone away after
//! the request was sent stays taken until the answer has come: as long as an answer can come, nobody else can have its number.

use std::sync::Arc;
use std::task::{Poll, Waker};

use bytes::BytesMut;

/// A call's number, which travels with the request and comes back with the answer. Never negative as an `i32`.
pub(crate) type CallId = u32;

/// Calls that can wait at a time.
const MAX_SLOTS: usize = 0xffff;
const SLOT_BITS: u32 = 16;
const GENERATIONS: u32 = 1 << 15;

/// The number of requests that are never answered.
pub(crate) const UNANSWERED: CallId = i32::MAX.cast_unsigned();

/// What an idle connection keeps of its buffer.
const MAX_KEPT_BYTES: usize = 256 * 1024;

/// The calls that wait, and the requests that have not been sent.
#[derive(Debug)]
pub(crate) struct Pending<R, E = ()> {
    slots: Vec<Slot<R>>,
    free: Vec<usize>,
    /// Requests, one behind the other, in the order of `queue`.
    requests: BytesMut,
    queue: Vec<Queued<E>>,
    /// How many of the queue have been given up.
    given_up: usize,
    /// How much of `requests` is theirs.
    given_up_bytes: usize,
    /// The calls that were sent and what is expected in answer, in the order of sending, until somebody takes note of it; `None` where
    /// nobody does.
    sent: Option<Vec<(CallId, E)>>,
    /// Whether a call has begun since the last round.
    has_begun: bool,
    /// Why the connection is over, once it is.
    death: Option<Arc<str>>,
}

#[derive(Debug)]
struct Slot<R> {
    generation: u32,
    /// Whether its caller waits to be woken by a round.
    attended: bool,
    state: State<R>,
}

#[derive(Debug)]
enum State<R> {
    Free,
    /// Not sent: the request is at that place of the queue.
    Queued(usize, Option<Waker>),
    /// Sent, or about to be: some of it may have left.
    Sent(Option<Waker>),
    Answered(R),
    /// Sent, and nobody waits for the answer.
    Abandoned,
}

/// A request that has not been sent.
#[derive(Debug)]
struct Queued<E> {
    /// `None` for requests that are never answered, and for those that have been given up.
    slot: Option<usize>,
    end: usize,
    given_up: bool,
    /// `None` for requests that are never answered.
    expected: Option<E>,
}

/// How far a call had come when it was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Not sent, and it never will be.
    Queued,
    /// Sent, and not answered.
    Sent,
    /// Answered.
    Answered,
}

/// What became of an answer.
#[derive(Debug)]
pub(crate) enum Delivered {
    /// Somebody waits for it, and is to be woken.
    To(Option<Waker>),
    /// Nobody waits any more.
    Late,
    /// Nobody has asked.
    Unasked,
}

/// Why a call can't begin.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The connection is over.
    Dead(Arc<str>),
    /// Too many calls wait for answers that do not come.
    Full,
}

impl<R, E> Pending<R, E> {
    /// None, of which the order of sending is kept or not.
    pub(crate) fn new(is_ordered: bool) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            requests: BytesMut::new(),
            queue: Vec::new(),
            given_up: 0,
            given_up_bytes: 0,
            sent: is_ordered.then(Vec::new),
            has_begun: false,
            death: None,
        }
    }

    /// Queues a request, which `encode` appends with the number it is given, to say what is expected in answer. The waker is that of its
    /// caller.
    pub(crate) fn begin(
        &mut self,
        waker: Option<Waker>,
        encode: impl FnOnce(&mut BytesMut, CallId) -> E,
    ) -> Result<CallId, Refused> {
        if let Some(death) = &self.death {
            return Err(Refused::Dead(Arc::clone(death)));
        }
        let at = match self.free.pop() {
            Some(at) => at,
            None if self.slots.len() < MAX_SLOTS => {
                self.slots.push(Slot { generation: 0, attended: false, state: State::Free });
                self.slots.len() - 1
            }
            None => return Err(Refused::Full),
        };
        let slot = &mut self.slots[at];
        slot.generation = (slot.generation + 1) % GENERATIONS;
        slot.state = State::Queued(self.queue.len(), waker);
        slot.attended = true;
        self.has_begun = true;
        let id = id(at, slot.generation);
        let expected = Some(encode(&mut self.requests, id));
        self.queue.push(Queued { slot: Some(at), end: self.requests.len(), given_up: false, expected });
        Ok(id)
    }

    /// Queues a request that is never answered, unless the connection is over, or so much waits to be sent that it had better not.
    pub(crate) fn post(&mut self, encode: impl FnOnce(&mut BytesMut, CallId)) {
        if self.death.is_none() && self.requests.len() - self.given_up_bytes <= MAX_KEPT_BYTES {
            encode(&mut self.requests, UNANSWERED);
            self.queue.push(Queued { slot: None, end: self.requests.len(), given_up: false, expected: None });
        }
    }

    /// The answer, or `Err` with how far the call had come when the connection ended.
    pub(crate) fn poll(&mut self, call: CallId, waker: &Waker) -> Poll<Result<R, (Stage, Arc<str>)>> {
        let Some(at) = self.find(call) else {
            // A call that has been taken away asks no more; were there one, it would be told what is safe.
            return Poll::Ready(Err((Stage::Sent, Arc::from("the call is over"))));
        };
        let death = self.death.clone();
        let state = &mut self.slots[at].state;
        let stage = match state {
            State::Queued(..) => Stage::Queued,
            _ => Stage::Sent,
        };
        match (state, death) {
            (State::Queued(_, waiting) | State::Sent(waiting), None) => {
                match waiting {
                    Some(known) if known.will_wake(waker) => {}
                    _ => *waiting = Some(waker.clone()),
                }
                Poll::Pending
            }
            (State::Answered(_), _) => {
                let State::Answered(reply) = self.release(at) else { unreachable!("it was looked at just now") };
                Poll::Ready(Ok(reply))
            }
            (_, death) => {
                self.give_up(call);
                Poll::Ready(Err((stage, death.unwrap_or_else(|| Arc::from("the call is over")))))
            }
        }
    }

    /// Ends the waiting for a call, and says how far it had come.
    pub(crate) fn give_up(&mut self, call: CallId) -> Option<Stage> {
        let at = self.find(call)?;
        match &self.slots[at].state {
            State::Free | State::Abandoned => None,
            State::Queued(place, _) => {
                self.cut_out(*place);
                self.release(at);
                Some(Stage::Queued)
            }
            State::Sent(_) if self.death.is_none() => {
                self.slots[at].state = State::Abandoned;
                Some(Stage::Sent)
            }
            State::Sent(_) => {
                self.release(at);
                Some(Stage::Sent)
            }
            State::Answered(_) => {
                self.release(at);
                Some(Stage::Answered)
            }
        }
    }

    /// Whether a call has begun since the last round.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Finds those who have waited since before this round and were not woken by an earlier one.
    pub(crate) fn go_round(&mut self, woken: &mut Vec<Waker>) {
        self.has_begun = false;
        for slot in &mut self.slots {
            if std::mem::take(&mut slot.attended)
                && let State::Queued(_, waker) | State::Sent(waker) = &mut slot.state
            {
                woken.extend(waker.take());
            }
        }
    }

    /// Whether requests wait to be sent.
    pub(crate) fn has_requests(&self) -> bool {
        self.queue.len() > self.given_up
    }

    /// Whether calls wait, sent or not, whose callers may have gone away.
    pub(crate) fn is_idle(&self) -> bool {
        self.slots.len() == self.free.len()
    }

    /// Sees to it that a request is never sent. Its bytes stay until there are too many of the kind, or the queue is taken: a peer that
    /// takes nothing must not let them gather.
    fn cut_out(&mut self, place: usize) {
        let begin = place.checked_sub(1).and_then(|before| self.queue.get(before)).map_or(0, |before| before.end);
        let Some(queued) = self.queue.get_mut(place).filter(|queued| !queued.given_up) else {
            return;
        };
        queued.slot = None;
        queued.given_up = true;
        self.given_up += 1;
        self.given_up_bytes += queued.end - begin;
        if self.given_up_bytes > MAX_KEPT_BYTES.max(self.requests.len() / 2) {
            self.close_up();
        }
    }

    /// Takes what was given up out of the queue.
    fn close_up(&mut self) {
        let mut kept = BytesMut::new();
        let mut begin = 0;
        for queued in std::mem::take(&mut self.queue) {
            let request = begin..queued.end;
            begin = queued.end;
            if queued.given_up {
                continue;
            }
            kept.extend_from_slice(&self.requests[request]);
            if let Some(slot) = queued.slot.and_then(|at| self.slots.get_mut(at))
                && let State::Queued(place, _) = &mut slot.state
            {
                *place = self.queue.len();
            }
            self.queue.push(Queued { end: kept.len(), ..queued });
        }
        self.requests = kept;
        (self.given_up, self.given_up_bytes) = (0, 0);
    }

    /// Exchanges the requests that wait to be sent for an empty buffer. From here on they count as sent.
    pub(crate) fn take_requests(&mut self, emptied: &mut BytesMut) {
        debug_assert!(emptied.is_empty());
        if self.given_up > 0 {
            self.close_up();
        }
        std::mem::swap(&mut self.requests, emptied);
        if self.requests.capacity() > MAX_KEPT_BYTES {
            self.requests = BytesMut::new();
        }
        self.requests.clear();
        for queued in self.queue.drain(..) {
            if let Some(slot) = queued.slot.and_then(|at| self.slots.get_mut(at))
                && let State::Queued(_, waker) = &mut slot.state
            {
                slot.state = State::Sent(waker.take());
                if let (Some(sent), Some(at), Some(expected)) = (&mut self.sent, queued.slot, queued.expected) {
                    sent.push((id(at, slot.generation), expected));
                }
            }
        }
    }

    /// The same of the first of them: at most so many, and of so many bytes together, unless the first one has more by itself.
    pub(crate) fn take_some(&mut self, emptied: &mut BytesMut, most: usize, bytes: usize) {
        if self.given_up > 0 {
            self.close_up();
        }
        let fitting = self.queue.iter().take(most).take_while(|queued| queued.end <= bytes).count().max(1);
        if fitting >= self.queue.len() {
            return self.take_requests(emptied);
        }
        let others = self.queue.split_off(fitting);
        let end = self.queue.last().map_or(0, |last| last.end);
        let bytes_of_others = self.requests.split_off(end);
        self.take_requests(emptied);
        self.requests = bytes_of_others;
        for queued in others {
            if let Some(State::Queued(place, _)) = queued.slot.map(|at| &mut self.slots[at].state) {
                *place = self.queue.len();
            }
            self.queue.push(Queued { end: queued.end - end, ..queued });
        }
    }

    /// How many calls there are, with those whose callers have gone away and whose answers may come.
    pub(crate) fn under_way(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Takes the calls that were sent since the last time, in the order of sending.
    pub(crate) fn take_sent(&mut self) -> Option<impl Iterator<Item = (CallId, E)>> {
        self.sent.as_mut().map(|sent| sent.drain(..))
    }

    /// Takes an answer for whoever waits for it.
    pub(crate) fn answer(&mut self, call: CallId, reply: R) -> Delivered {
        let Some(at) = self.find(call) else {
            return Delivered::Unasked;
        };
        let slot = &mut self.slots[at];
        match &mut slot.state {
            State::Sent(waker) => {
                let waker = waker.take();
                slot.state = State::Answered(reply);
                Delivered::To(waker)
            }
            State::Abandoned => {
                self.release(at);
                Delivered::Late
            }
            State::Free | State::Queued(..) | State::Answered(_) => Delivered::Unasked,
        }
    }

    /// Ends everything: no call begins any more, none that is queued is sent, and those that wait are to be woken.
    pub(crate) fn end(&mut self, reason: &Arc<str>) -> Vec<Waker> {
        if self.death.is_none() {
            self.death = Some(Arc::clone(reason));
            let of_calls = self.queue.iter_mut().filter(|queued| queued.slot.is_some());
            of_calls.for_each(|queued| (queued.slot, queued.given_up) = (None, true));
            self.given_up = self.queue.iter().filter(|queued| queued.given_up).count();
        }
        let waiting = self.slots.iter_mut().filter_map(|slot| match &mut slot.state {
            State::Queued(_, waker) | State::Sent(waker) => waker.take(),
            State::Free | State::Answered(_) | State::Abandoned => None,
        });
        waiting.collect()
    }

    /// Why the connection is over, if it is.
    pub(crate) fn death(&self) -> Option<&Arc<str>> {
        self.death.as_ref()
    }

    fn find(&self, call: CallId) -> Option<usize> {
        let at = (call & ((1 << SLOT_BITS) - 1)) as usize;
        let slot = self.slots.get(at)?;
        (id(at, slot.generation) == call).then_some(at)
    }

    /// Gives the slot to whoever comes next, and what was in it back.
    fn release(&mut self, at: usize) -> State<R> {
        self.free.push(at);
        std::mem::replace(&mut self.slots[at].state, State::Free)
    }
}

fn id(slot: usize, generation: u32) -> CallId {
    debug_assert!(slot < MAX_SLOTS);
    #[expect(clippy::cast_possible_truncation, reason = "there are at most 65,535 slots")]
    let slot = slot as u32;
    generation << SLOT_BITS | slot
}

#[cfg(test)]
mod tests;
