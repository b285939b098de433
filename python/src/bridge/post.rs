//! Calls whose answers come later: those of asyncio's classes.
//!
//! A call begins at once, goes on in the background, and Python has a future of its loop for it. What has come of it is put into the loop's [`Mailbox`],
//! whose bell is something that loops can wait for, like a socket: it is rung once for all that comes until the loop looks, by
//! threads that need nothing of Python's for it, and least of all its lock. When a future is cancelled, its call goes on, and its
//! answer is dropped when the loop comes upon it.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use futures_util::{FutureExt, Stream, StreamExt};
use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;
use tokio::runtime::{EnterGuard, Handle};

use super::error::{Panicked, forked};
use super::fork::{generation, of_this_process};
use super::{Answer, Raise, python};
use background::background;
use begun::begin;
use bell::Bell;

mod background;
mod begun;
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
        let mailbox = mailbox.map(|mailbox| (mailbox.py(), Arc::clone(&mailbox.get().0)));
        let mailbox = match mailbox {
            Some((py, mailbox)) if mailbox.generation != generation() => return Err(forked(py)),
            mailbox => mailbox.map(|(_, mailbox)| mailbox),
        };
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
        // Put together so that the call's own state, which is large, is not kept twice, as an async block would.
        let told = AssertUnwindSafe(call).catch_unwind().map(move |outcome| {
            // Whoever awaits it is told in any case.
            let outcome: Box<dyn Outcome> = match outcome {
                Ok(outcome) => Box::new(outcome),
                Err(payload) => Box::new(Err::<(), _>(Panicked::on(&*payload))),
            };
            mailbox.deliver(Delivery::Answer { promise: kept, outcome });
        });
        begin(&self.background, told);
        Ok(promise.into_bound(py))
    }

    /// Has a function called, on the loop that runs now, with what comes, for as long as anything does.
    pub(super) fn tell<T: Answer>(
        &self,
        py: Python<'_>,
        mut news: impl Stream<Item = T> + Send + Unpin + 'static,
        listener: Py<PyAny>,
    ) -> PyResult<()> {
        let (mailbox, listener) = (Arc::downgrade(&self.mailbox(py)?), Arc::new(listener));
        self.background.spawn(async move {
            while let Some(news) = news.next().await {
                // Nobody hears of anything any more when the loop is gone.
                let Some(mailbox) = mailbox.upgrade() else { return };
                mailbox.deliver(Delivery::News {
                    listener: Arc::clone(&listener),
                    news: Box::new(Ok::<_, Infallible>(news)),
                });
            }
        });
        Ok(())
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

/// What is brought to a loop.
enum Delivery {
    /// What has come of a call.
    Answer {
        /// It has `set_result` and `set_exception`.
        promise: Py<PyAny>,
        outcome: Box<dyn Outcome>,
    },
    /// What a function is called with.
    News { listener: Arc<Py<PyAny>>, news: Box<dyn Outcome> },
}

/// An answer or an error, until there is somebody to make it Python's.
trait Outcome: Send {
    /// Whether opening it takes something out of a place where another might find it.
    fn takes(&self) -> bool;

    fn open(self: Box<Self>, py: Python<'_>) -> PyResult<Bound<'_, PyAny>>;
}

impl<T: Answer, E: Raise> Outcome for Result<T, E> {
    fn takes(&self) -> bool {
        T::TAKES
    }

    fn open(self: Box<Self>, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        match *self {
            Ok(answer) => answer.into_python(py),
            Err(error) => Err(error.into_error(py)),
        }
    }
}

impl Delivery {
    fn hand_over(self, py: Python<'_>, may_tell_twice: bool) -> PyResult<()> {
        match self {
            Self::Answer { promise, outcome } => answer(promise.bind(py), outcome, may_tell_twice),
            Self::News { listener, news } => {
                listener.bind(py).call1(news.open(py)?.cast_into::<PyTuple>()?)?;
                Ok(())
            }
        }
    }
}

fn answer(promise: &Bound<'_, PyAny>, outcome: Box<dyn Outcome>, may_tell_twice: bool) -> PyResult<()> {
    let py = promise.py();
    let is_done = || promise.call_method0(intern!(py, "done"))?.is_truthy();
    // Cancelled meanwhile, if so: what would be taken out of its place for it stays there.
    if (may_tell_twice || outcome.takes()) && is_done()? {
        return Ok(());
    }
    let told = match outcome.open(py) {
        Ok(answer) => promise.call_method1(intern!(py, "set_result"), (answer,)),
        Err(error) => promise.call_method1(intern!(py, "set_exception"), (error.into_value(py),)),
    };
    match told {
        Err(error) if !is_done()? => Err(error),
        _ => Ok(()),
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
        Ok(Self(Arc::new(Inner::new(make, true)?)))
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
    /// Whether what it makes takes an answer also when it is done, which futures of asyncio's refuse: it has to be asked before.
    may_tell_twice: bool,
    bell: Bell,
    rung: AtomicBool,
    deliveries: Mutex<Vec<Delivery>>,
    generation: u64,
}

/// asyncio's loops that have mailboxes. They are held, so that no other comes to lie in the same place of memory.
#[derive(Default)]
struct Loops(Mutex<Vec<(Py<PyAny>, Arc<Inner>)>>);

impl Loops {
    fn of_this_process() -> &'static Self {
        let Ok(loops) = of_this_process(|| Ok::<_, Infallible>(Self::default()));
        loops
    }
}

thread_local! {
    /// The loop for which this thread asked last, by its place in memory.
    static LAST: RefCell<(usize, Weak<Inner>)> = const { RefCell::new((0, Weak::new())) };
}

impl Inner {
    fn new(make: Py<PyAny>, may_tell_twice: bool) -> PyResult<Self> {
        let (bell, rung) = (Bell::new()?, AtomicBool::new(false));
        Ok(Self { make, may_tell_twice, bell, rung, deliveries: Mutex::default(), generation: generation() })
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
        let open = &Loops::of_this_process().0;
        let known = open.lock().iter().find(|(known, _)| known.is(running)).map(|(_, mailbox)| Arc::clone(mailbox));
        if let Some(mailbox) = known {
            return Ok(mailbox);
        }
        let make = python!(py, "charioteer._call", "maker")?.call1((running,))?;
        let mailbox = Arc::new(Self::new(make.unbind(), false)?);
        let drain = Bound::new(py, Mailbox(Arc::clone(&mailbox)))?.getattr("drain")?;
        let added = running.call_method1("add_reader", (mailbox.bell.number(), drain));
        added.map_err(|error| {
            let why = PyRuntimeError::new_err("the running loop can't wait for answers: it has no add_reader");
            why.set_cause(py, Some(error));
            why
        })?;
        // Taken out before any of it is let go of, which may run whatever Python likes to.
        let mut loops = std::mem::take(&mut *open.lock());
        let closed: Vec<_> = loops.extract_if(.., |(known, _)| is_closed(known.bind(py))).collect();
        loops.push((running.clone().unbind(), Arc::clone(&mailbox)));
        open.lock().append(&mut loops);
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

    /// Hands out what has come, on the loop's thread. In the child of a fork nothing comes; the bell is the process' before it.
    fn drain(&self, py: Python<'_>) {
        if self.generation != generation() {
            return;
        }
        self.bell.silence();
        self.rung.store(false, Ordering::SeqCst);
        let deliveries = std::mem::take(&mut *self.deliveries.lock());
        for delivery in deliveries {
            if let Err(error) = delivery.hand_over(py, self.may_tell_twice) {
                error.write_unraisable(py, None);
            }
        }
    }
}

/// Whether a loop of asyncio's has ended.
fn is_closed(event_loop: &Bound<'_, PyAny>) -> bool {
    event_loop.call_method0("is_closed").and_then(|closed| closed.is_truthy()).unwrap_or(true)
}
