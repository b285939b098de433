//! A process that forks leaves its child copies of clients whose threads are not there.

use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::prelude::*;

use super::{error, log};

/// How many forks lie between this process and the one that loaded the module.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// The number of this process among its forebears.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// What `os.fork` calls in the child.
#[pyfunction]
#[pyo3(name = "_after_fork")]
pub(crate) fn after_fork() {
    log::after_fork();
    GENERATION.fetch_add(1, Ordering::Relaxed);
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
