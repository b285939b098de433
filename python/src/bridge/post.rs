//! Calls whose answers come later: those of asyncio's classes.
//!
//! A call runs in the background, and Python has a future of its loop for it. What has come of calls is put into the loop's [`Mailbox`],
//! whose bell is something that loops can wait for, like a socket: it is rung once for all that comes until the loop looks, by
//! threads that need nothing of Python's for it, and least of all its lock. When a future is cancelled, its call goes on, and its
//! answer is dropped when the loop comes upon it.

use std::cell::RefCell;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use futures_util::FutureExt;
use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tokio::runtime::{EnterGuard, Handle};

use super::error::{Panicked, forked};
use super::fork::generation;
use super::{Answer, Raise, python};
use background::background;
use bell::Bell;

mod background;
mod bell;

/// What the handles of an asyncio client have to make calls with.
#[derive(Clone)]
pub(crate) struct Post {
    background: Handle,
    /// Where answers go, if it is not to the running loop.
    mailbox: Option<Arc<Inner>>,
}

impl Post {
    pub(super) fn new(mailbox: Option<&Bound<'_, Mailbox>>) -> PyResult<Self> {
        let mailbox = mailbox.map(|mailbox| Arc::clone(&mailbox.get().0));
        Ok(Self { background: background()?, mailbox })
    }

    pub(super) fn enter(&self) -> EnterGuard<'_> {
        self.background.enter()
    }

    /// Has a call carried out, and gives what its caller may await.
    pub(super) fn send<'py, T: Answer, E: Raise>(
        &self,
        py: Python<'py>,
        call: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mailbox = self.mailbox(py)?;
        let promise = mailbox.make.call0(py)?;
        let kept = promise.clone_ref(py);
        self.background.spawn(async move {
            // Whoever awaits it is told in any case.
            let outcome: Box<dyn Outcome> = match AssertUnwindSafe(call).catch_unwind().await {
                Ok(outcome) => Box::new(outcome),
                Err(payload) => Box::new(Err::<(), _>(Panicked::on(&*payload))),
            };
            mailbox.deliver(Delivery { promise: kept, outcome });
        });
        Ok(promise.into_bound(py))
    }

    /// What a call would give whose answer has come already.
    pub(super) fn finished<'py>(&self, answer: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = answer.py();
        let promise = self.mailbox(py)?.make.call0(py)?.into_bound(py);
        promise.call_method1(intern!(py, "set_result"), (answer,))?;
        Ok(promise)
    }

    /// Where the answers go to a call that is made now.
    fn mailbox(&self, py: Python<'_>) -> PyResult<Arc<Inner>> {
        match &self.mailbox {
            Some(mailbox) => Ok(Arc::clone(mailbox)),
            None => Inner::of_running_loop(py),
        }
    }
}

/// What has come of a call.
struct Delivery {
    /// It has `set_result` and `set_exception`.
    promise: Py<PyAny>,
    outcome: Box<dyn Outcome>,
}

/// An answer or an error, until there is somebody to make it Python's.
trait Outcome: Send {
    fn open(self: Box<Self>, py: Python<'_>) -> PyResult<Bound<'_, PyAny>>;
}

impl<T: Answer, E: Raise> Outcome for Result<T, E> {
    fn open(self: Box<Self>, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        match *self {
            Ok(answer) => answer.into_python(py),
            Err(error) => Err(error.into_error(py)),
        }
    }
}

impl Delivery {
    fn hand_over(self, py: Python<'_>) -> PyResult<()> {
        let promise = self.promise.bind(py);
        // Cancelled meanwhile, if so; its answer is not even looked at.
        if promise.call_method0(intern!(py, "done"))?.is_truthy()? {
            return Ok(());
        }
        match self.outcome.open(py) {
            Ok(answer) => promise.call_method1(intern!(py, "set_result"), (answer,))?,
            Err(error) => promise.call_method1(intern!(py, "set_exception"), (error.into_value(py),))?,
        };
        Ok(())
    }
}

/// Where answers are put for a loop other than asyncio's: `make()` gives something for each call that has `set_result`,
/// `set_exception` and `done`, `fileno()` can be read from when there are answers, and `drain()` hands them out.
///
/// An asyncio client that is made with a mailbox puts the answers to all its calls there.
#[pyclass(frozen, module = "charioteer._charioteer")]
pub(crate) struct Mailbox(Arc<Inner>);

#[pymethods]
impl Mailbox {
    #[new]
    fn new(make: Py<PyAny>) -> PyResult<Self> {
        Ok(Self(Arc::new(Inner::new(make)?)))
    }

    /// What the loop is to wait for.
    fn fileno(&self) -> i32 {
        self.0.bell.number()
    }

    /// Hands out the answers that have come.
    fn drain(&self, py: Python<'_>) {
        self.0.drain(py);
    }
}

struct Inner {
    make: Py<PyAny>,
    bell: Bell,
    rung: AtomicBool,
    deliveries: Mutex<Vec<Delivery>>,
    generation: u64,
}

/// asyncio's loops that have mailboxes. They are held, so that no other comes to lie in the same place of memory.
static LOOPS: Mutex<Vec<(Py<PyAny>, Arc<Inner>)>> = Mutex::new(Vec::new());

thread_local! {
    /// The loop for which this thread asked last, by its place in memory.
    static LAST: RefCell<(usize, Weak<Inner>)> = const { RefCell::new((0, Weak::new())) };
}

impl Inner {
    fn new(make: Py<PyAny>) -> PyResult<Self> {
        let (bell, rung) = (Bell::new()?, AtomicBool::new(false));
        Ok(Self { make, bell, rung, deliveries: Mutex::default(), generation: generation() })
    }

    /// The mailbox of the asyncio loop that runs on this thread.
    fn of_running_loop(py: Python<'_>) -> PyResult<Arc<Self>> {
        static RUNNING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let running = RUNNING
            .get_or_try_init(py, || py.import("asyncio")?.getattr("get_running_loop").map(Bound::unbind))?
            .call0(py)?;
        let place = running.as_ptr() as usize;
        let last = LAST.with_borrow(|(of, mailbox)| if *of == place { mailbox.upgrade() } else { None });
        if let Some(mailbox) = last
            && mailbox.generation == generation()
        {
            return Ok(mailbox);
        }
        let mailbox = Self::of_loop(running.bind(py))?;
        LAST.set((place, Arc::downgrade(&mailbox)));
        Ok(mailbox)
    }

    fn of_loop(running: &Bound<'_, PyAny>) -> PyResult<Arc<Self>> {
        let py = running.py();
        let known = LOOPS.lock().iter().find(|(known, _)| known.is(running)).map(|(_, mailbox)| Arc::clone(mailbox));
        if let Some(mailbox) = known {
            return if mailbox.generation == generation() { Ok(mailbox) } else { Err(forked(py)) };
        }
        let make = python!(py, "charioteer._call", "maker")?.call1((running,))?;
        let mailbox = Arc::new(Self::new(make.unbind())?);
        let drain = Bound::new(py, Mailbox(Arc::clone(&mailbox)))?.getattr("drain")?;
        let added = running.call_method1("add_reader", (mailbox.bell.number(), drain));
        added.map_err(|error| {
            let why = PyRuntimeError::new_err("the running loop can't wait for answers: it has no add_reader");
            why.set_cause(py, Some(error));
            why
        })?;
        // Taken out before any of it is let go of, which may run whatever Python likes to.
        let mut loops = std::mem::take(&mut *LOOPS.lock());
        let closed: Vec<_> = loops.extract_if(.., |(known, _)| is_closed(known.bind(py))).collect();
        loops.push((running.clone().unbind(), Arc::clone(&mailbox)));
        LOOPS.lock().append(&mut loops);
        drop(closed);
        Ok(mailbox)
    }

    /// Takes what has come of a call, on whatever thread.
    fn deliver(&self, delivery: Delivery) {
        self.deliveries.lock().push(delivery);
        if !self.rung.swap(true, Ordering::SeqCst) {
            self.bell.ring();
        }
    }

    /// Hands out what has come, on the loop's thread.
    fn drain(&self, py: Python<'_>) {
        self.bell.silence();
        self.rung.store(false, Ordering::SeqCst);
        let deliveries = std::mem::take(&mut *self.deliveries.lock());
        for delivery in deliveries {
            if let Err(error) = delivery.hand_over(py) {
                error.write_unraisable(py, None);
            }
        }
    }
}

/// Whether a loop of asyncio's has ended.
pub(crate) fn is_closed(event_loop: &Bound<'_, PyAny>) -> bool {
    event_loop.call_method0("is_closed").and_then(|closed| closed.is_truthy()).unwrap_or(true)
}
