//! Requests for locks that others hold: they wait here until the lock is released, time is up, or waiting would be a deadlock.
//!
//! The rules answer a request at once, also with the lock that is in its way. Whoever serves it then enters it here
//! ([`Waits::enter`]) and **tries once more**: a lock that was released in between woke nobody. So does one that found another lock, and
//! is entered again ([`Waiter::wait_on`]): since it was woken, or since the lock is that of another of its keys. A released lock ([`Waits::released`]) wakes the oldest transaction that
//! waits for its key. Most requests are answered then, that there is a conflict, and their clients come again with a newer timestamp.
//! As they may also not come again, the others who waited are answered 20 ms later. Requests that may take the lock in spite of a
//! conflict try again by themselves, and nobody else is woken.
//!
//! What waits for what is a graph ([`graph`]); a wait that would close a circle in it is refused. Whoever has released a lock is
//! waited for no more, whether those who wanted it have been told or not. A cluster has one of these, for all of its stores, so that
//! a leader that moves takes nobody's wait with it.

mod graph;
mod queue;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use charioteer_engine::raw::Keys;
use charioteer_proto::tikv::deadlock::WaitForEntry;
use charioteer_proto::tikv::kvrpcpb::{Deadlock, LockInfo};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::Instant;

use graph::{Edge, Graph};
use queue::{Entry, Event, Queue, Token, Woken};

/// How long a request waits that does not say, and at most, unless the server is told otherwise.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How much later than the oldest the others are woken.
const OTHERS_AFTER: Duration = Duration::from_millis(20);

/// By whom a lock was released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Released {
    pub(crate) start_ts: u64,
    /// 0 if it was not a commit.
    pub(crate) commit_ts: u64,
}

/// A key that is waited for. A plain key can be the same bytes as a prefixed one.
type Place = (Keys, Bytes);

/// A request that is to wait.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    /// Among which keys the locked one is.
    pub(crate) stored: Keys,
    /// The transaction's start.
    pub(crate) start_ts: u64,
    /// The lock in its way.
    pub(crate) blocked_by: LockInfo,
    /// Whether it is to try again by itself when the lock is released.
    pub(crate) resumes: bool,
    /// The first lock of a transaction, for which nobody can wait that it waits for.
    pub(crate) is_first_lock: bool,
    /// What the client calls the group of requests that this one is of.
    pub(crate) tag: Bytes,
}

/// Why a request waits no more.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reason {
    /// The lock was released; it is to be answered that there is a conflict.
    Conflict(Released),
    /// The lock was released; it is to try again.
    Resume,
    /// Another took the lock, for whom to wait would be a deadlock.
    Deadlock(Box<Deadlock>),
    /// Time is up.
    TimedOut,
}

/// What one does next that has found a lock in its way again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It tries again at once: the lock may have been released when it was in no queue.
    Try,
    /// It waits.
    Wait,
}

/// All who wait.
#[derive(Debug)]
pub(crate) struct Waits {
    state: Mutex<State>,
    /// So that nobody else need look.
    waiting: AtomicUsize,
    /// How long a request waits that does not say, and at most.
    longest: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self::at_most(LONGEST_WAIT)
    }
}

#[derive(Debug, Default)]
struct State {
    queues: HashMap<Place, Queue>,
    graph: Graph,
    last_token: Token,
}

impl State {
    /// Tells those who were woken, and takes them out of the graph.
    fn tell(&mut self, woken: Woken) -> usize {
        let count = woken.len();
        for (mut entry, event) in woken {
            entry.leave(&mut self.graph);
            // Whoever has left in the meantime hands on what is told here: see `Waiter`.
            let _ = entry.events.send(event);
        }
        count
    }

    fn forget_if_empty(&mut self, place: &Place) {
        if self.queues.get(place).is_some_and(Queue::is_empty) {
            self.queues.remove(place);
        }
    }
}

impl Waits {
    /// Nobody waits longer than that.
    pub(crate) fn at_most(longest: Duration) -> Self {
        Self { state: Mutex::default(), waiting: AtomicUsize::new(0), longest }
    }

    /// How long a request waits, as it travels: `None` for not at all.
    pub(crate) fn longest_wait(&self, wait_timeout: i64) -> Option<Duration> {
        match wait_timeout {
            0 => Some(self.longest),
            wanted => Some(Duration::from_millis(wanted.try_into().ok()?).min(self.longest)),
        }
    }

    /// Has a request wait. It is to try once more now.
    ///
    /// # Errors
    /// When nobody in a circle of those who wait could ever go on.
    pub(crate) fn enter(self: &Arc<Self>, wait: Wait) -> Result<Waiter, Box<Deadlock>> {
        let (events, told) = mpsc::unbounded_channel();
        let mut state = self.state.lock();
        state.last_token += 1;
        let mut waiter = Waiter {
            waits: Arc::clone(self),
            token: state.last_token,
            start_ts: wait.start_ts,
            place: (wait.stored, wait.blocked_by.key.clone()),
            tag: wait.tag,
            resumes: wait.resumes,
            is_first_lock: wait.is_first_lock,
            came_at: None,
            blocked_by: wait.blocked_by,
            blocked_since: None,
            events,
            told,
            hands_on: None,
        };
        let pushed = self.push(&mut state, &mut waiter);
        // It would take the lock again when it is dropped.
        drop(state);
        pushed.map(|()| waiter)
    }

    fn push(&self, state: &mut State, waiter: &mut Waiter) -> Result<(), Box<Deadlock>> {
        // The queue in which it has waited before may be gone, and this one count from none on.
        let queue_answered = state.queues.get(&waiter.place).map_or(0, Queue::answered);
        let came_at = waiter.came_at.map_or(queue_answered, |before| before.min(queue_answered));
        waiter.came_at = Some(came_at);
        let mut entry = Entry {
            edge: waiter.edge(),
            is_in_graph: false,
            resumes: waiter.resumes,
            is_first_lock: waiter.is_first_lock,
            blocked_by: waiter.blocked_by.clone(),
            blocked_since: waiter.blocked_since,
            events: waiter.events.clone(),
            came_at,
        };
        entry.join(&mut state.graph)?;
        self.waiting.fetch_add(1, Ordering::SeqCst);
        state.queues.entry(waiter.place.clone()).or_default().push(waiter.token, entry);
        Ok(())
    }

    /// Wakes who waits for locks that have been released.
    pub(crate) fn released(self: &Arc<Self>, stored: Keys, locks: impl IntoIterator<Item = (Bytes, Released)>) {
        for (key, released) in locks {
            if self.is_empty() {
                return;
            }
            self.wake_oldest(&(stored, key), released);
        }
    }

    fn wake_oldest(self: &Arc<Self>, place: &Place, released: Released) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let Some(queue) = state.queues.get_mut(place) else { return };
        queue.released_by(released.start_ts, &mut state.graph);
        let (woken, wakes_others) = queue.wake_oldest(released);
        if wakes_others {
            let is_planned = queue.others_at.replace(Instant::now() + OTHERS_AFTER).is_some();
            // Without a runtime everybody is leaving.
            if !is_planned && let Ok(runtime) = Handle::try_current() {
                runtime.spawn(wake_others(Arc::downgrade(self), place.clone()));
            }
        }
        self.waiting.fetch_sub(state.tell(woken), Ordering::SeqCst);
        state.forget_if_empty(place);
    }

    /// Takes one out that has not been woken.
    fn remove(&self, state: &mut State, place: &Place, start_ts: u64, token: Token) {
        let removed = state.queues.get_mut(place).and_then(|queue| queue.remove(start_ts, token));
        let Some(mut entry) = removed else { return };
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        entry.leave(&mut state.graph);
        state.forget_if_empty(place);
    }

    /// Wakes the others who wait for a key, if it is time; otherwise says when it will be.
    fn wake_others(&self, place: &Place) -> Option<Instant> {
        let mut state = self.state.lock();
        let queue = state.queues.get_mut(place)?;
        let at = queue.others_at?;
        if Instant::now() < at {
            return Some(at);
        }
        let woken = queue.wake_others();
        self.waiting.fetch_sub(state.tell(woken), Ordering::SeqCst);
        state.forget_if_empty(place);
        None
    }

    /// Tells those who wait that there is another lock in their way now.
    pub(crate) fn acquired(&self, stored: Keys, locks: impl IntoIterator<Item = LockInfo>) {
        for lock in locks {
            if self.is_empty() {
                return;
            }
            let place = (stored, lock.key.clone());
            let mut state = self.state.lock();
            let State { queues, graph, .. } = &mut *state;
            let Some(queue) = queues.get_mut(&place) else { continue };
            let before = queue.len();
            queue.retain(|entry| entry.now_blocked_by(&lock, graph));
            self.waiting.fetch_sub(before - queue.len(), Ordering::SeqCst);
            state.forget_if_empty(&place);
        }
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) == 0
    }

    /// Who waits for whom.
    pub(crate) fn entries(&self) -> Vec<WaitForEntry> {
        let state = self.state.lock();
        state.queues.values().flat_map(Queue::entries).map(|entry| entry.edge.entry()).collect()
    }
}

/// Wakes the others who wait for a key when it is time, which moves as long as further ones are woken before them.
async fn wake_others(waits: Weak<Waits>, place: Place) {
    let mut at = Instant::now() + OTHERS_AFTER;
    loop {
        tokio::time::sleep_until(at).await;
        let Some(waits) = waits.upgrade() else { return };
        match waits.wake_others(&place) {
            Some(later) => at = later,
            None => return,
        }
    }
}

/// A request that waits. When it is dropped it waits no more, and hands on what it was told and did not act on.
#[derive(Debug)]
pub(crate) struct Waiter {
    waits: Arc<Waits>,
    token: Token,
    start_ts: u64,
    place: Place,
    tag: Bytes,
    resumes: bool,
    is_first_lock: bool,
    came_at: Option<u64>,
    blocked_by: LockInfo,
    blocked_since: Option<Instant>,
    events: mpsc::UnboundedSender<Event>,
    told: mpsc::UnboundedReceiver<Event>,
    /// What it was woken by, until it has tried again.
    hands_on: Option<Released>,
}

impl Waiter {
    /// Waits until it is woken, or that moment.
    pub(crate) async fn woken(&mut self, until: Instant) -> Reason {
        let told = tokio::time::timeout_at(until, self.told.recv()).await;
        // There is a sender: this has one.
        match told.ok().flatten() {
            Some(Event::Conflict(released)) => Reason::Conflict(released),
            Some(Event::Resume(released)) => {
                self.hands_on = Some(released);
                Reason::Resume
            }
            Some(Event::Deadlock(deadlock)) => Reason::Deadlock(deadlock),
            None => Reason::TimedOut,
        }
    }

    /// The key that it waits for.
    pub(crate) const fn key(&self) -> &Bytes {
        &self.place.1
    }

    /// It has tried again, and there is still a lock in its way: it is to wait on, in its old place if that is for the same key.
    ///
    /// # Errors
    /// When that would be a deadlock.
    pub(crate) fn wait_on(&mut self, blocked_by: LockInfo) -> Result<Next, Box<Deadlock>> {
        let waits = Arc::clone(&self.waits);
        let mut state = waits.state.lock();
        if self.hands_on.take().is_some() {
            (self.blocked_by, self.blocked_since) = (blocked_by, Some(Instant::now()));
            return waits.push(&mut state, self).map(|()| Next::Try);
        }
        let State { queues, graph, .. } = &mut *state;
        let queued = queues.get_mut(&self.place).and_then(|queue| queue.entry_mut(self.start_ts, self.token));
        match queued {
            Some(_) if blocked_by.key != self.place.1 => self.wait_elsewhere(&mut state, blocked_by),
            Some(entry) if !entry.waits_for(blocked_by.lock_version) => {
                entry.move_to(blocked_by, graph)?;
                // By now the lock may be that of a third.
                Ok(Next::Try)
            }
            // It is known, or this has been woken and will try again.
            _ => Ok(Next::Wait),
        }
    }

    /// The lock that it has waited for is gone, and another of its keys is locked.
    fn wait_elsewhere(&mut self, state: &mut State, blocked_by: LockInfo) -> Result<Next, Box<Deadlock>> {
        let waits = Arc::clone(&self.waits);
        waits.remove(state, &self.place, self.start_ts, self.token);
        self.place.1 = blocked_by.key.clone();
        (self.blocked_by, self.blocked_since, self.came_at) = (blocked_by, None, None);
        waits.push(state, self).map(|()| Next::Try)
    }

    /// It has got the lock: whoever else waits is to be woken when it is released.
    pub(crate) fn got_it(mut self) {
        let mut state = self.waits.state.lock();
        self.waits.remove(&mut state, &self.place, self.start_ts, self.token);
        drop(state);
        self.hands_on = None;
        while self.told.try_recv().is_ok() {}
    }

    /// The lock in its way, as it is known last; it says for how long, if that is less than the whole time.
    pub(crate) fn blocked_by(&self) -> LockInfo {
        let state = self.waits.state.lock();
        let entry = state.queues.get(&self.place).and_then(|queue| queue.entry(self.start_ts, self.token));
        let (lock, since) =
            entry.map_or((&self.blocked_by, self.blocked_since), |entry| (&entry.blocked_by, entry.blocked_since));
        // What is less than a millisecond is not taken for none.
        let ms = since.map_or(0, |since| u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX).max(1));
        LockInfo { duration_to_last_update_ms: ms, ..lock.clone() }
    }

    fn edge(&self) -> Edge {
        Edge {
            waiter: self.start_ts,
            holder: self.blocked_by.lock_version,
            key: self.place.1.clone(),
            tag: self.tag.clone(),
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut state = self.waits.state.lock();
        self.waits.remove(&mut state, &self.place, self.start_ts, self.token);
        drop(state);
        let untaken = std::iter::from_fn(|| self.told.try_recv().ok()).find_map(|event| match event {
            Event::Resume(released) => Some(released),
            // Those who wait behind one that is answered are woken a moment later in any case.
            Event::Conflict(_) | Event::Deadlock(_) => None,
        });
        if let Some(released) = self.hands_on.or(untaken) {
            self.waits.wake_oldest(&self.place, released);
        }
    }
}
