//! Where the calls of asyncio's clients run.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use pyo3::prelude::*;
use tokio::runtime::{Builder, EnterGuard, Handle};
use tokio::sync::Notify;

use crate::bridge::error::no_threads;
use crate::bridge::fork::generation;

/// Threads that read and write in the background.
const THREADS: usize = 2;

/// The runtime of asyncio's clients, and the calls that are on their way to it.
///
/// Calls that a loop makes one after the other are handed over together: a thread is woken for the first of them, and takes those
/// that have come by then.
pub(super) struct Background {
    runtime: Handle,
    calls: Mutex<Vec<BoxFuture<'static, ()>>>,
    called: Notify,
}

impl Background {
    pub(super) fn of_this_process() -> PyResult<Arc<Self>> {
        static BACKGROUND: Mutex<Option<(u64, Arc<Background>)>> = Mutex::new(None);
        let mut background = BACKGROUND.lock();
        if let Some((of, background)) = &*background
            && *of == generation()
        {
            return Ok(Arc::clone(background));
        }
        let started = Self::start().map_err(|error| Python::attach(|py| no_threads(py, &error)))?;
        // Of one that was before a fork nothing may be touched any more.
        std::mem::forget(background.replace((generation(), Arc::clone(&started))));
        Ok(started)
    }

    pub(super) fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    fn start() -> std::io::Result<Arc<Self>> {
        let threads = std::env::var("CHARIOTEER_THREADS").ok().and_then(|n| n.parse().ok()).unwrap_or(THREADS);
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(threads).thread_name("charioteer").enable_all().build()?;
        let handle = runtime.handle().clone();
        let background = Arc::new(Self { runtime: handle, calls: Mutex::default(), called: Notify::new() });
        runtime.spawn(Arc::clone(&background).hand_over());
        // It serves the process to its end.
        std::mem::forget(runtime);
        Ok(background)
    }

    /// Has a call carried out.
    pub(super) fn carry(&self, call: BoxFuture<'static, ()>) {
        if std::env::var_os("CHARIOTEER_DIRECT").is_some() {
            self.runtime.spawn(call);
            return;
        }
        let mut calls = self.calls.lock();
        calls.push(call);
        let is_first = calls.len() == 1;
        drop(calls);
        if is_first {
            self.called.notify_one();
        }
    }

    /// Has the calls that come carried out, each for itself.
    async fn hand_over(self: Arc<Self>) {
        loop {
            self.called.notified().await;
            let calls = std::mem::take(&mut *self.calls.lock());
            for call in calls {
                tokio::spawn(call);
            }
        }
    }
}
