//! How the task of a connection is woken.
//!
//! What it polls wakes it again and again while it runs: what was read wakes those who wait for it, what is to be written wakes the writer,
//! and all of them are this one task. The runtime would have it run once more for that, and wake another thread to do so. Here it is
//! only noted, and the task goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use futures_util::task::AtomicWaker;

/// Wakes the task, or has it go on if it runs.
#[derive(Default)]
pub(super) struct Nudge {
    pub(super) task: AtomicWaker,
    runs: AtomicBool,
    again: AtomicBool,
}

impl Nudge {
    /// Takes note that the task runs, and that it looks at everything from here on.
    pub(super) fn begin(&self) {
        self.runs.store(true, Ordering::SeqCst);
        self.again.store(false, Ordering::SeqCst);
    }

    /// Takes note that it rests, and says whether it must go on instead.
    pub(super) fn rest(&self) -> bool {
        self.runs.store(false, Ordering::SeqCst);
        // Whoever has come before that has not woken the task, and whoever comes behind does.
        self.again.load(Ordering::SeqCst)
    }
}

impl Wake for Nudge {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.again.store(true, Ordering::SeqCst);
        if !self.runs.load(Ordering::SeqCst) {
            self.task.wake();
        }
    }
}
