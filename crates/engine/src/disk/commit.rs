//! Group commit: writers hand in their work and get a ticket, and one flush or sync serves all that wait.
//!
//! Work is done by whoever holds the [`Lead`]: most often the thread of the store, which takes everything that has been
//! handed in, does it in order against the rows and the changes of the group so far, and commits all of it as one batch. A
//! caller that may block takes the lead itself when nobody has it, or nobody who syncs, which saves two changes of threads.
//!
//! Because nothing else writes, work that reads and then writes needs no lock on its rows; and because rows show only once
//! their batch is as durable as it must be, no reader sees what may yet be lost.

use std::collections::VecDeque;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{self, Arc, PoisonError, TryLockError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures_channel::oneshot;
use parking_lot::{Condvar, FairMutex, Mutex};

use super::folder::Folder;
use super::group::Group;
use super::lead::Lead;
use crate::batch::Batch;
use crate::{Durability, Error, Outcome, Ticket};

/// How long the thread of the store waits, once nothing comes any more, before it tidies up behind the last writes.
const QUIET: Duration = Duration::from_millis(100);

/// A group is committed when its changes have so many bytes, so that none takes long or much memory.
const GROUP_BYTES: usize = 4 << 20;

/// Work that was handed in.
pub(super) trait Job: Send {
    /// Adds its changes to the group, all of them or none.
    fn stage(&mut self, group: &mut Group);

    /// Tells whoever holds the ticket how it ended.
    fn finish(self: Box<Self>, committed: Result<(), Error>);
}

/// The committing half of a store on disk.
pub(super) struct Committer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    /// Not a lock of parking_lot, which gives the processor away while it waits: several writers on two processors were half
    /// as fast with it.
    lead: sync::Mutex<Lead>,
    /// Held by the thread of the store for each group, and by those who want it to wait: a lock that is fair, so that they get
    /// their turn however much is written.
    turn: FairMutex<()>,
    /// How many want everybody else to wait.
    wanted: AtomicUsize,
    queue: Mutex<Queue>,
    arrived: Condvar,
    /// Whether something is left to tidy up behind the last writes.
    unsettled: AtomicBool,
    /// Whether the latest group was one to be synced, which takes long.
    syncs: AtomicBool,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Box<dyn Job>>,
    closed: bool,
}

impl Committer {
    /// Starts the thread of a store, which has the folder for itself until everything that was handed in is done.
    pub(super) fn start(lead: Lead, folder: Arc<Folder>) -> Result<Self, Error> {
        let path = folder.path().to_owned();
        let shared = Arc::new(Shared {
            lead: sync::Mutex::new(lead),
            turn: FairMutex::default(),
            wanted: AtomicUsize::new(0),
            queue: Mutex::default(),
            arrived: Condvar::new(),
            unsettled: AtomicBool::new(false),
            syncs: AtomicBool::new(false),
        });
        let running = Arc::clone(&shared);
        let thread = thread::Builder::new().name("charioteer-store".to_owned()).spawn(move || {
            running.run();
            // It has been acknowledged as far as it promised; who wanted more has asked for it.
            let _ = running.lead().sync();
            drop(running);
            drop(folder);
        });
        let thread = thread.map_err(|error| Error::io("starting the thread that commits to", &path, &error))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Hands in work, which is done in the order in which it was handed in.
    pub(super) fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Group) -> Result<T, Error> + Send + 'static,
    ) -> Ticket<T> {
        let (answer, to_come) = oneshot::channel();
        let job = Box::new(Work { work: Some(work), done: None, answer });
        let mut queue = self.shared.queue.lock();
        queue.jobs.push_back(job);
        // The thread looks at the queue again before it waits, and needs waking only for the first.
        let is_first = queue.jobs.len() == 1;
        drop(queue);
        if is_first {
            self.shared.arrived.notify_one();
        }
        Ticket::to_come(to_come)
    }

    /// Commits a batch, on this thread if nobody else is committing.
    pub(super) fn commit(&self, batch: Batch) -> Result<(), Error> {
        self.run(move |group| group.add(batch))
    }

    /// Does work, on this thread if nobody else is committing.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Group) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        match self.shared.lead_of_a_caller() {
            Some(lead) => self.run_alone(lead, work),
            None => self.submit(work).wait(),
        }
    }

    /// Holds off all writes while `work` runs.
    pub(super) fn exclusively<T>(&self, work: impl FnOnce(&mut Lead) -> T) -> T {
        self.shared.wanted.fetch_add(1, Ordering::Relaxed);
        let _turn = self.shared.turn.lock();
        let done = work(&mut self.shared.lead());
        self.shared.wanted.fetch_sub(1, Ordering::Relaxed);
        done
    }

    /// How much work waits.
    pub(super) fn waiting(&self) -> usize {
        self.shared.queue.lock().jobs.len()
    }

    fn run_alone<T>(
        &self,
        mut lead: sync::MutexGuard<'_, Lead>,
        work: impl FnOnce(&mut Group) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut group = lead.group();
        let done = work(&mut group)?;
        let committed = self.shared.commit(&mut lead, group, 1);
        drop(lead);
        self.shared.is_unsettled();
        committed.map(|()| done)
    }
}

impl Drop for Committer {
    /// Everything that was handed in is done first, but where work that was handed in held the last of the store: the thread that
    /// does it cannot wait for itself, and ends afterwards.
    fn drop(&mut self) {
        self.shared.queue.lock().closed = true;
        self.shared.arrived.notify_one();
        if let Some(thread) = self.thread.take().filter(|thread| thread.thread().id() != thread::current().id()) {
            // The thread catches the panics of what it is handed, so that it cannot have ended in one.
            let _ = thread.join();
        }
    }
}

/// What the thread of the store is to do next.
enum Next {
    Commit,
    Settle,
    Stop,
}

impl Shared {
    fn run(&self) {
        let mut settled = Instant::now();
        loop {
            match self.next() {
                Next::Commit => self.commit_group(),
                Next::Settle => {}
                Next::Stop => return,
            }
            if settled.elapsed() >= QUIET {
                self.settle();
                settled = Instant::now();
            }
        }
    }

    fn next(&self) -> Next {
        let mut queue = self.queue.lock();
        loop {
            if !queue.jobs.is_empty() {
                return Next::Commit;
            }
            if queue.closed {
                return Next::Stop;
            }
            if !self.unsettled.load(Ordering::Acquire) {
                self.arrived.wait(&mut queue);
            } else if self.arrived.wait_for(&mut queue, QUIET).timed_out() {
                return Next::Settle;
            }
        }
    }

    fn lead(&self) -> sync::MutexGuard<'_, Lead> {
        // Work that panics has not changed what the lead holds.
        self.lead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lead for a caller that may block, unless it does better to hand its work in.
    fn lead_of_a_caller(&self) -> Option<sync::MutexGuard<'_, Lead>> {
        // Whoever wants everybody else to wait is not kept waiting by those who come again and again.
        let _turn = (self.wanted.load(Ordering::Relaxed) > 0).then(|| self.turn.lock());
        let lead = match self.lead.try_lock() {
            Ok(lead) => lead,
            // What comes during a sync can share the next one.
            Err(TryLockError::WouldBlock) if self.syncs.load(Ordering::Relaxed) => return None,
            // Without a sync a commit takes less time than two changes of threads.
            Err(_) => self.lead(),
        };
        // What was handed in before, by this caller too, comes first.
        let is_next = !lead.is_shared() && self.queue.lock().jobs.is_empty();
        is_next.then_some(lead)
    }

    fn commit(&self, lead: &mut Lead, mut group: Group, writers: usize) -> Result<(), Error> {
        self.syncs.store(group.durability() == Durability::Fsync, Ordering::Relaxed);
        let (undo, held) = (group.take_undo(), group.take_held());
        // fjall does not panic here that we know of; if it did, everybody who waits would wait for ever.
        let committed = catch_unwind(AssertUnwindSafe(|| lead.commit(group, writers)));
        let committed = committed.unwrap_or_else(|_| Err(lead.broke_off()));
        if let Err(error) = &committed {
            undo.for_each(|undo| undo());
            if error.outcome() == Outcome::Unknown {
                // What it keeps others from must not happen while nobody knows whether it was applied.
                lead.keep_for_ever(held);
            }
        }
        committed
    }

    /// Commits as much of what waits as fits a group.
    fn commit_group(&self) {
        let turn = self.turn.lock();
        let mut lead = self.lead();
        let mut waiting = mem::take(&mut self.queue.lock().jobs);
        let mut staged = Vec::new();
        let mut group = lead.group();
        let patience = lead.patience();
        loop {
            stage(&mut waiting, &mut group, &mut staged);
            if !waiting.is_empty() || patience.is_over(group.durability(), staged.len()) {
                break;
            }
            // Those who write together are about to come again, and need the processor for it.
            thread::yield_now();
            waiting.append(&mut self.queue.lock().jobs);
        }
        let committed = self.commit(&mut lead, group, staged.len());
        if !waiting.is_empty() {
            // What did not fit comes before what was handed in meanwhile.
            let mut queue = self.queue.lock();
            waiting.append(&mut queue.jobs);
            queue.jobs = waiting;
        }
        for job in staged {
            job.finish(committed.clone());
        }
        drop((lead, turn));
        self.unsettled.store(true, Ordering::Release);
    }

    /// Tidies up behind the last writes. The sync runs without the lead, so that no writer waits for it.
    fn settle(&self) {
        self.unsettled.store(false, Ordering::Release);
        let to_sync = self.lead().settle();
        let synced = to_sync.map(|to_sync| to_sync.sync());
        let mut lead = self.lead();
        if let Some(synced) = synced {
            lead.synced(synced);
        }
        if !lead.is_settled() {
            self.unsettled.store(true, Ordering::Release);
        }
    }

    /// Notes that there is something to tidy up, and sees to it that the thread knows.
    fn is_unsettled(&self) {
        if !self.unsettled.swap(true, Ordering::AcqRel) {
            drop(self.queue.lock());
            self.arrived.notify_one();
        }
    }
}

/// Has the waiting jobs add their changes, until the group is large enough.
fn stage(waiting: &mut VecDeque<Box<dyn Job>>, group: &mut Group, staged: &mut Vec<Box<dyn Job>>) {
    while group.byte_count() < GROUP_BYTES
        && let Some(mut job) = waiting.pop_front()
    {
        // A job that panics is dropped, and with it its half of the ticket; it must not take the others along.
        if catch_unwind(AssertUnwindSafe(|| job.stage(group))).is_ok() {
            staged.push(job);
        }
    }
}

/// Work and the ticket that its answer goes to.
struct Work<T, F> {
    work: Option<F>,
    done: Option<Result<T, Error>>,
    answer: oneshot::Sender<Result<T, Error>>,
}

impl<T, F> Job for Work<T, F>
where
    T: Send,
    F: FnOnce(&mut Group) -> Result<T, Error> + Send,
{
    fn stage(&mut self, group: &mut Group) {
        self.done = self.work.take().map(|work| work(group));
    }

    fn finish(self: Box<Self>, committed: Result<(), Error>) {
        let done = self.done.unwrap_or(Err(Error::Abandoned));
        // Whoever handed it in may have lost interest.
        let _ = self.answer.send(done.and_then(|done| committed.map(|()| done)));
    }
}

#[cfg(test)]
mod tests {
    use crate::{Batch, Db, DiskOptions, Durability};

    #[test]
    fn what_was_handed_in_is_applied_before_what_is_committed_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path(), DiskOptions::default()).unwrap();
        let rows = db.keyspace("rows").unwrap();
        let batch = |value: &'static str| {
            let mut batch = Batch::new();
            batch.put(&rows, "key".into(), value.into());
            batch.set_durability(Durability::Flush);
            batch
        };
        for _ in 0..20 {
            // The thread of the store waits for the lead, which is free before that thread runs.
            let handed_in = db.disk().unwrap().committer.exclusively(|_| db.submit(batch("handed in")));
            db.commit(batch("committed")).unwrap();
            handed_in.wait().unwrap();
            assert_eq!(db.get(&rows, b"key").unwrap().as_deref(), Some(&b"committed"[..]));
        }
    }

    #[test]
    fn what_is_synced_is_acknowledged_though_nobody_can_note_that() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path(), DiskOptions::default()).unwrap();
        let rows = db.keyspace("rows").unwrap();
        db.disk().unwrap().committer.exclusively(|lead| lead.pretend_marks_cannot_be_written());
        for key in ["a", "b"] {
            let mut batch = Batch::new();
            batch.put(&rows, key.into(), "value".into());
            batch.set_durability(Durability::Fsync);
            db.commit(batch).unwrap();
        }
        drop((rows, db));
        let db = Db::open(folder.path(), DiskOptions::default()).unwrap();
        let rows = db.keyspace("rows").unwrap();
        assert!(["a", "b"].iter().all(|key| db.get(&rows, key.as_bytes()).unwrap().is_some()));
    }

    #[test]
    fn a_journal_that_cannot_be_opened_for_now_is_synced_later() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path(), DiskOptions::default()).unwrap();
        let rows = db.keyspace("rows").unwrap();
        let batch = || {
            let mut batch = Batch::new();
            batch.put(&rows, "a".into(), "value".into());
            batch.set_durability(Durability::Flush);
            batch
        };
        db.commit(batch()).unwrap();
        let are_settled = db.disk().unwrap().committer.exclusively(|lead| {
            lead.sync().unwrap();
            let before = lead.is_settled();
            lead.synced(Ok(None));
            [before, lead.is_settled()]
        });
        assert_eq!(are_settled, [true, false]);
        db.commit(batch()).unwrap();
    }
}
