//! What clients tell of themselves, on its way to Python's `logging`.
//!
//! Events are put into a queue, which a thread of Python's empties (`charioteer._logging`). What no logger would take is not even made
//! into an event: the thread says now and then from which level on somebody listens.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_core::LevelFilter;

use super::fork::{generation, of_this_process};

/// More events than these are not kept; how many were not is told.
const KEPT: usize = 1000;

/// From which of Python's levels on somebody listens; 255 is nobody.
static LISTENED: AtomicU8 = AtomicU8::new(30);
/// Where events lie until they are taken. Each process has one of its own.
struct Desk {
    queue: Mutex<Queue>,
    arrived: Condvar,
    has_stopped: AtomicBool,
}

impl Desk {
    fn of_this_process() -> &'static Self {
        let Ok(desk) = of_this_process(|| {
            Ok::<_, Infallible>(Self {
                queue: Mutex::new(Queue { events: VecDeque::new(), passed_over: 0 }),
                arrived: Condvar::new(),
                has_stopped: AtomicBool::new(false),
            })
        });
        desk
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_stopped(&self) -> bool {
        self.has_stopped.load(Ordering::SeqCst)
    }

    /// Waits until there are events, or there will be no more.
    fn wait(&self, at_most: Duration) -> MutexGuard<'_, Queue> {
        let is_idle = |queue: &mut Queue| queue.events.is_empty() && !self.has_stopped();
        let waited = self.arrived.wait_timeout_while(self.queue(), at_most, is_idle);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

struct Queue {
    events: VecDeque<Told>,
    passed_over: u64,
}

/// Python's level, the logger's name, and what is told.
type Told = (u8, String, String);

/// Has a thread of Python's take what is told from now on, if none does yet.
pub(crate) fn listen(py: Python<'_>) -> PyResult<()> {
    static FOR: AtomicU64 = AtomicU64::new(u64::MAX);
    if FOR.swap(generation(), Ordering::Relaxed) != generation() {
        py.import("charioteer._logging")?.call_method0("start")?;
    }
    Ok(())
}

/// Says from which of Python's levels on events are wanted.
#[pyfunction]
#[pyo3(name = "_log_level")]
pub(crate) fn log_level(level: u8) {
    static SET: std::sync::Once = std::sync::Once::new();
    if LISTENED.swap(level, Ordering::Relaxed) != level {
        tracing_core::callsite::rebuild_interest_cache();
    }
    // Somebody else's subscriber can't be there: the module has statics of its own.
    SET.call_once(|| drop(tracing::subscriber::set_global_default(ToPython)));
}

/// The events that have come, at the latest after so many seconds; `None` when there will be no more.
#[pyfunction]
#[pyo3(name = "_next_logs")]
pub(crate) fn next_logs(py: Python<'_>, seconds: f64) -> Option<Vec<Told>> {
    let at_most = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    py.detach(|| {
        let desk = Desk::of_this_process();
        let mut queue = desk.wait(at_most);
        if queue.events.is_empty() && desk.has_stopped() {
            return None;
        }
        let mut events: Vec<_> = queue.events.drain(..).collect();
        let passed_over = std::mem::take(&mut queue.passed_over);
        if passed_over > 0 {
            let message = format!("{passed_over} more events came faster than they were taken");
            events.push((python_level(Level::WARN), "charioteer".to_owned(), message));
        }
        Some(events)
    })
}

/// Ends the wait for events, for good.
#[pyfunction]
#[pyo3(name = "_stop_logs")]
pub(crate) fn stop_logs() {
    let desk = Desk::of_this_process();
    // Under the lock, so that it does not fall between the look and the wait of whoever takes events.
    let _queue = desk.queue();
    desk.has_stopped.store(true, Ordering::SeqCst);
    desk.arrived.notify_all();
}

const fn python_level(level: Level) -> u8 {
    match level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        Level::DEBUG => 10,
        Level::TRACE => 5,
    }
}

struct ToPython;

impl Subscriber for ToPython {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Spans are not shown: an event says itself what it is about.
        metadata.is_event()
            && metadata.target().starts_with("charioteer")
            && python_level(*metadata.level()) >= LISTENED.load(Ordering::Relaxed)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match LISTENED.load(Ordering::Relaxed) {
            0..=5 => LevelFilter::TRACE,
            6..=10 => LevelFilter::DEBUG,
            11..=20 => LevelFilter::INFO,
            21..=30 => LevelFilter::WARN,
            31..=40 => LevelFilter::ERROR,
            _ => LevelFilter::OFF,
        })
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let Line { message, fields } = line;
        let told = (python_level(*event.metadata().level()), logger(event.metadata().target()), message + &fields);
        let desk = Desk::of_this_process();
        let mut queue = desk.queue();
        if queue.events.len() < KEPT {
            queue.events.push_back(told);
            desk.arrived.notify_one();
        } else {
            queue.passed_over += 1;
        }
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// A logger for each client: `charioteer.tikv` for all that is below it.
fn logger(target: &str) -> String {
    let mut parts = target.split("::");
    match (parts.next(), parts.next()) {
        (Some("charioteer_server"), _) => "charioteer.testing".to_owned(),
        (_, Some(client @ ("pegasus" | "pypegasus" | "tikv" | "memcached" | "net"))) => format!("charioteer.{client}"),
        _ => "charioteer".to_owned(),
    }
}

/// An event in a line: its message, and behind it its fields.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
