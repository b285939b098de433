//! Those who wait for one key, the oldest transaction first.

use std::collections::BTreeMap;

use charioteer_proto::tikv::kvrpcpb::{Deadlock, LockInfo};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Released;
use super::graph::{Edge, Graph};

/// A request that waits, among all there are.
pub(super) type Token = u64;

/// What a request that waits is told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    /// The lock was released: answer that.
    Conflict(Released),
    /// The lock was released: try again.
    Resume(Released),
    /// Another took the lock, for whom to wait would be a deadlock.
    Deadlock(Box<Deadlock>),
}

/// A request that waits.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) edge: Edge,
    /// Whether the wait is one for others: it is not when its lock was released, until another takes that.
    pub(super) is_in_graph: bool,
    /// Whether it is to try again by itself, or to be answered.
    pub(super) resumes: bool,
    /// The first lock of a transaction, which holds up nobody.
    pub(super) is_first_lock: bool,
    pub(super) blocked_by: LockInfo,
    /// When another took the lock while this one waited.
    pub(super) blocked_since: Option<Instant>,
    pub(super) events: mpsc::UnboundedSender<Event>,
    /// How many had been answered when it came.
    pub(super) came_at: u64,
}

impl Entry {
    /// It waits for whoever has the lock.
    pub(super) fn join(&mut self, graph: &mut Graph) -> Result<(), Box<Deadlock>> {
        if !self.is_first_lock && !self.is_in_graph {
            graph.add(self.edge.clone())?;
            self.is_in_graph = true;
        }
        Ok(())
    }

    /// It waits for nobody.
    pub(super) fn leave(&mut self, graph: &mut Graph) {
        if std::mem::take(&mut self.is_in_graph) {
            graph.remove(&self.edge);
        }
    }

    /// Whether it waits for somebody, as far as that is looked at.
    const fn waits(&self) -> bool {
        self.is_in_graph || self.is_first_lock
    }

    /// Whether it is known that it waits for that transaction.
    pub(super) fn waits_for(&self, holder: u64) -> bool {
        self.waits() && self.edge.holder == holder
    }

    /// It waits for another lock from now on.
    pub(super) fn move_to(&mut self, lock: LockInfo, graph: &mut Graph) -> Result<(), Box<Deadlock>> {
        self.leave(graph);
        self.edge.holder = lock.lock_version;
        self.blocked_since = Some(Instant::now());
        self.blocked_by = lock;
        self.join(graph)
    }

    /// Notes that another has the lock now, for whom it waits from now on, unless it is answered that its lock was released. That may be a
    /// deadlock: then it is told, and is to be taken out.
    pub(super) fn now_blocked_by(&mut self, lock: &LockInfo, graph: &mut Graph) -> bool {
        if self.edge.waiter == lock.lock_version {
            return true;
        }
        if self.waits_for(lock.lock_version) {
            (self.blocked_by, self.blocked_since) = (lock.clone(), Some(Instant::now()));
            return true;
        }
        match self.move_to(lock.clone(), graph) {
            Ok(()) => true,
            Err(deadlock) => {
                // Whoever has left no longer cares.
                let _ = self.events.send(Event::Deadlock(deadlock));
                false
            }
        }
    }
}

/// Those who wait for a key.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: BTreeMap<(u64, Token), Entry>,
    /// How many have been answered that their lock was released. Who came before the last of them is answered too, a moment later.
    answered: u64,
    last_released: Released,
    /// When the others are to be answered, if they are.
    pub(super) others_at: Option<Instant>,
}

/// Those who were woken, out of the queue.
pub(super) type Woken = Vec<(Entry, Event)>;

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.waiting.values()
    }

    pub(super) fn entry(&self, waiter: u64, token: Token) -> Option<&Entry> {
        self.waiting.get(&(waiter, token))
    }

    pub(super) fn entry_mut(&mut self, waiter: u64, token: Token) -> Option<&mut Entry> {
        self.waiting.get_mut(&(waiter, token))
    }

    /// Nobody waits any more for the one who has released the lock.
    pub(super) fn released_by(&mut self, holder: u64, graph: &mut Graph) {
        self.waiting.values_mut().filter(|entry| entry.edge.holder == holder).for_each(|entry| entry.leave(graph));
    }

    /// Shows each entry what may take it out.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&mut Entry) -> bool) {
        self.waiting.retain(|_, entry| keep(entry));
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many have been answered so far, which who comes now is to note.
    pub(super) const fn answered(&self) -> u64 {
        self.answered
    }

    pub(super) fn push(&mut self, token: Token, entry: Entry) {
        self.waiting.insert((entry.edge.waiter, token), entry);
    }

    pub(super) fn remove(&mut self, waiter: u64, token: Token) -> Option<Entry> {
        self.waiting.remove(&(waiter, token))
    }

    /// Wakes the oldest. Says whether the others are to be answered a moment later: who is answered may never come back for the lock.
    pub(super) fn wake_oldest(&mut self, released: Released) -> (Woken, bool) {
        self.last_released = released;
        let Some((_, entry)) = self.waiting.pop_first() else { return (Woken::new(), false) };
        if entry.resumes {
            return (vec![(entry, Event::Resume(released))], false);
        }
        self.answered += 1;
        (vec![(entry, Event::Conflict(released))], !self.waiting.is_empty())
    }

    /// Wakes the others who had come before the last was answered, up to one that tries again by itself. Those who have come since may be
    /// older, and leave again without the lock: they keep nobody from being woken.
    pub(super) fn wake_others(&mut self) -> Woken {
        self.others_at = None;
        let (mut woken, released, answered) = (Woken::new(), self.last_released, self.answered);
        for (_, entry) in self.waiting.extract_if(.., |_, entry| entry.came_at < answered) {
            let resumes = entry.resumes;
            woken.push((entry, if resumes { Event::Resume(released) } else { Event::Conflict(released) }));
            if resumes {
                break;
            }
        }
        woken
    }
}
