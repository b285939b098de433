//! Calls for which the caller waits.
//!
//! One runtime serves all sync clients of a process, and whoever waits drives it, on its own thread: a call alone goes to the server and
//! back without any other thread being woken. Between calls, when nobody has come for a moment, a thread of its own drives it, so
//! that connections are looked after; it makes way for the next caller.

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::task::AtomicWaker;
use pyo3::prelude::*;
use tokio::runtime::{Builder, EnterGuard, Runtime};
use tokio::sync::Notify;

use super::Raise;
use super::error::{Panicked, no_threads};
use super::fork::of_this_process;
use super::signal;

/// How often the keeper looks whether anybody drives.
const TICK: Duration = Duration::from_millis(10);
/// After how many of them whoever waits on the main thread looks for signals, such as that of Ctrl-C.
const TICKS_TO_SIGNALS: u32 = 5;

/// The runtime of sync clients.
pub(crate) struct Driver {
    runtime: Runtime,
    /// How many wait now.
    waiting: AtomicUsize,
    /// How many have waited.
    waited: AtomicU64,
    /// Whether the keeper drives, or is about to.
    keeping: AtomicBool,
    /// Has the keeper make way.
    wanted: Notify,
    /// Who waits on the main thread.
    main: AtomicWaker,
    /// Whether it is to look for signals.
    look: AtomicBool,
}

impl Driver {
    pub(crate) fn of_this_process() -> PyResult<&'static Self> {
        let driver: &Arc<Self> =
            of_this_process(Self::start).map_err(|error| Python::attach(|py| no_threads(py, &error)))?;
        Ok(driver)
    }

    fn start() -> std::io::Result<Arc<Self>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let driver = Arc::new(Self {
            runtime,
            waiting: AtomicUsize::new(0),
            waited: AtomicU64::new(0),
            keeping: AtomicBool::new(false),
            wanted: Notify::new(),
            main: AtomicWaker::new(),
            look: AtomicBool::new(false),
        });
        let kept = Arc::clone(&driver);
        std::thread::Builder::new().name("charioteer-keeper".to_owned()).spawn(move || kept.keep())?;
        Ok(driver)
    }

    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    /// Waits for a call. Should a signal's handler raise meanwhile, the call goes on without its caller.
    pub(crate) fn wait<T: Send + 'static>(
        &'static self,
        py: Python<'_>,
        call: impl Future<Output = T> + Send + 'static,
    ) -> PyResult<T> {
        let is_main = signal::is_main_thread(py)?;
        let mut call = Box::pin(AssertUnwindSafe(call).catch_unwind());
        loop {
            match py.detach(|| self.drive(call.as_mut(), is_main)) {
                Some(Ok(answer)) => return Ok(answer),
                Some(Err(payload)) => return Err(Panicked::on(&*payload).into_error(py)),
                None => {
                    if let Err(interrupt) = py.check_signals() {
                        self.runtime.spawn(async move { drop(call.await) });
                        return Err(interrupt);
                    }
                }
            }
        }
    }

    /// Drives until the call is answered, or it is time to look for signals.
    fn drive<T>(&self, mut call: Pin<&mut (impl Future<Output = T> + Send)>, is_main: bool) -> Option<T> {
        let _waiting = Waiting::of(self);
        if self.keeping.load(Ordering::SeqCst) {
            self.wanted.notify_one();
        }
        self.runtime.block_on(poll_fn(|cx| {
            if let Poll::Ready(answer) = call.as_mut().poll(cx) {
                return Poll::Ready(Some(answer));
            }
            if is_main {
                self.main.register(cx.waker());
                if self.look.swap(false, Ordering::Relaxed) {
                    return Poll::Ready(None);
                }
            }
            Poll::Pending
        }))
    }

    /// Drives while nobody else does.
    fn keep(&self) {
        let (mut waited_before, mut ticks) = (0, 0);
        loop {
            std::thread::sleep(TICK);
            let (waiting, waited) = (self.waiting.load(Ordering::SeqCst), self.waited.load(Ordering::Relaxed));
            if waiting == 0 && waited == waited_before {
                self.keeping.store(true, Ordering::SeqCst);
                // Whoever has come since then sees that it must be asked to make way, or is seen here.
                if self.waiting.load(Ordering::SeqCst) == 0 {
                    self.runtime.block_on(self.wanted.notified());
                }
                self.keeping.store(false, Ordering::SeqCst);
                ticks = 0;
            } else {
                ticks += 1;
                if ticks % TICKS_TO_SIGNALS == 0 {
                    self.look.store(true, Ordering::Relaxed);
                    self.main.wake();
                }
            }
            waited_before = waited;
        }
    }
}

/// One who waits, for as long as he does, however that ends.
struct Waiting<'a>(&'a Driver);

impl<'a> Waiting<'a> {
    fn of(driver: &'a Driver) -> Self {
        driver.waiting.fetch_add(1, Ordering::SeqCst);
        Self(driver)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waited.fetch_add(1, Ordering::Relaxed);
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
