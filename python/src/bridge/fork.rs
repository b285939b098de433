//! A process that forks leaves its child copies of clients whose threads are not there, and of locks that those threads may have held.

use std::any::Any;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use pyo3::prelude::*;

use super::error;

/// How many forks lie between this process and the one that loaded the module.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// What the process that loaded the module has.
static FIRST: Process = Process::new();

/// The number of this process among its forebears.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// What `os.fork` calls in the child.
#[pyfunction]
#[pyo3(name = "_after_fork")]
pub(crate) fn after_fork() {
    // Nobody else is there who could have done so.
    let _ = Process::this().next.set(Box::leak(Box::new(Process::new())));
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// What each process makes for itself alone: its runtimes, its loops' mailboxes. A child begins with none of it, and never touches what
/// the process before the fork has, with locks that nobody would open any more.
struct Process {
    /// One of each type, of which there are few.
    things: Mutex<Vec<&'static (dyn Any + Send + Sync)>>,
    /// That of the child, in the child.
    next: OnceLock<&'static Self>,
}

impl Process {
    const fn new() -> Self {
        Self { things: Mutex::new(Vec::new()), next: OnceLock::new() }
    }

    fn this() -> &'static Self {
        std::iter::successors(Some(&FIRST), |process| process.next.get().copied()).last().unwrap_or(&FIRST)
    }
}

/// What this process has of a type, which is made when it is asked for first, and stays to the end.
pub(crate) fn of_this_process<T: Any + Send + Sync, E>(make: impl FnOnce() -> Result<T, E>) -> Result<&'static T, E> {
    let mut things = Process::this().things.lock();
    let known = things.iter().find_map(|thing| thing.downcast_ref::<T>());
    if let Some(known) = known {
        return Ok(known);
    }
    let made: &'static T = Box::leak(Box::new(make()?));
    things.push(made);
    Ok(made)
}

/// Something that belongs to the process that made it. In a child it is refused, and left alone when Python lets go of it: a lock in it
/// may be held by a thread that the child does not have.
pub(crate) struct Own<T> {
    inner: Option<T>,
    generation: u64,
}

impl<T> Own<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self { inner: Some(inner), generation: generation() }
    }

    pub(crate) fn get(&self) -> PyResult<&T> {
        self.unless_forked().ok_or_else(|| Python::attach(error::forked))
    }

    /// For what a child leaves alone without a word, such as closing it.
    pub(crate) fn unless_forked(&self) -> Option<&T> {
        self.inner.as_ref().filter(|_| self.generation == generation())
    }
}

impl<T> Drop for Own<T> {
    fn drop(&mut self) {
        if self.generation != generation() {
            std::mem::forget(self.inner.take());
        }
    }
}
