//! Threads that wait for the disk, so that those which serve connections do not.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

type Read = Box<dyn FnOnce() + Send>;

/// A number of threads with a queue. They end when this is dropped, after what is in it.
#[derive(Debug)]
pub(crate) struct Readers {
    queue: Arc<Queue>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    reads: VecDeque<Read>,
    /// Threads that wait for something to do.
    idle: usize,
    closed: bool,
}

impl Readers {
    pub(super) fn start(threads: usize) -> io::Result<Self> {
        let readers = Self { queue: Arc::default() };
        for number in 0..threads {
            let queue = Arc::clone(&readers.queue);
            thread::Builder::new().name(format!("charioteer-read-{number}")).spawn(move || queue.run())?;
        }
        Ok(readers)
    }

    /// Reads on one of the threads. Dropping the future does not stop a read that has begun.
    pub(crate) async fn run<T: Send + 'static>(&self, read: impl FnOnce() -> T + Send + 'static) -> T {
        let (answer, to_come) = oneshot::channel();
        self.queue.push(Box::new(move || {
            // Whoever asked may have left.
            let _ = answer.send(catch_unwind(AssertUnwindSafe(read)));
        }));
        match to_come.await {
            Ok(Ok(read)) => read,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            // The threads end only with the backend, and with it whoever waits.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue.state.lock().closed = true;
        self.queue.arrived.notify_all();
    }
}

impl Queue {
    fn push(&self, read: Read) {
        let mut state = self.state.lock();
        state.reads.push_back(read);
        let is_awaited = state.idle > 0;
        drop(state);
        if is_awaited {
            self.arrived.notify_one();
        }
    }

    fn run(&self) {
        while let Some(read) = self.next() {
            read();
        }
    }

    fn next(&self) -> Option<Read> {
        let mut state = self.state.lock();
        loop {
            if let Some(read) = state.reads.pop_front() {
                return Some(read);
            }
            if state.closed {
                return None;
            }
            state.idle += 1;
            self.arrived.wait(&mut state);
            state.idle -= 1;
        }
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("waiting", &self.state.lock().reads.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reads_run_on_other_threads_side_by_side() {
        let readers = Readers::start(2).unwrap();
        let meeting = Arc::new(std::sync::Barrier::new(2));
        let meet = || {
            let meeting = Arc::clone(&meeting);
            readers.run(move || {
                meeting.wait();
                thread::current().id()
            })
        };
        let (one, other) = tokio::join!(meet(), meet());
        assert!(one != other && one != thread::current().id());
    }

    #[tokio::test]
    async fn a_read_that_panics_leaves_the_others_their_thread() {
        let readers = Arc::new(Readers::start(1).unwrap());
        let panicking = Arc::clone(&readers);
        let panicked = tokio::spawn(async move { panicking.run(|| panic!("this read panics")).await }).await;
        assert!(panicked.unwrap_err().is_panic());
        assert_eq!(readers.run(|| 1).await, 1);
    }
}
