//! What a test can do to memcached.

use std::time::Duration;

use charioteer_server::testing;
use charioteer_server::testing::memcached::{Action, Call, Failure, Fault};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::fault::{Details, Injected, Turns, call, calls, wanted, with_turns};
use super::server::Reach;
use crate::bridge::{Key, Seconds};

const CALLS: &[Call] = &[
    Call::Get,
    Call::GetAndTouch,
    Call::Touch,
    Call::Store,
    Call::Delete,
    Call::Count,
    Call::Flush,
    Call::MetaGet,
    Call::MetaSet,
    Call::MetaDelete,
    Call::MetaArithmetic,
    Call::MetaDebug,
    Call::Noop,
    Call::Stats,
    Call::Version,
    Call::Authenticate,
    Call::Administer,
    Call::Quit,
    Call::TooLarge,
    Call::Unknown,
];

/// What a test can do to memcached.
#[pyclass(frozen, module = "charioteer.testing")]
pub(crate) struct Memcached {
    reach: Reach,
    memcached: testing::Memcached,
}

impl Memcached {
    pub(super) fn new(reach: Reach, memcached: testing::Memcached) -> Self {
        Self { reach, memcached }
    }
}

#[pymethods]
impl Memcached {
    /// Stops it: its ports are closed, with all connections to them. Items stay as they are.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        self.reach.try_run(py, self.memcached.stop())
    }

    /// Starts it again, on the same ports.
    fn start(&self, py: Python<'_>) -> PyResult<()> {
        self.reach.try_run(py, self.memcached.start())
    }

    /// Forgets all items, as a memcached has that is started anew.
    fn forget(&self, py: Python<'_>) -> PyResult<()> {
        self.reach.try_run(py, self.memcached.forget())
    }

    /// Closes all connections that are open now.
    fn close_connections(&self) {
        self.memcached.close_connections();
    }

    /// Has something go wrong: for every request, or for those that all of the words are about.
    ///
    /// `"answer"` with an `error` (`"out_of_memory"`, `"too_large"`, `"busy"`, `"temporary"`, `"internal"`, `"unknown_command"`,
    /// `"denied"`, or any line with its `number`, the status of the binary protocol), `"delay"` and `"delay_reply"` with `seconds`,
    /// `"hold"`, `"hold_reply"`, `"drop"`, `"drop_reply"`, `"cut"`, `"cut_reply"` with `after_bytes`, `"garble"`, `"misnumber"` with
    /// a `number`, `"duplicate"`.
    #[pyo3(signature = (
        action, *, error=None, seconds=None, after_bytes=0, number=None, on=None, reads=false, writes=false, data=false,
        key=None, key_prefix=None, keys=None, times=None, skip=0, one_in=None, seed=0
    ))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords, each of which may be left out")]
    fn inject(
        &self,
        action: &str,
        error: Option<&str>,
        seconds: Option<Seconds>,
        after_bytes: usize,
        number: Option<i64>,
        on: Option<&Bound<'_, PyAny>>,
        reads: bool,
        writes: bool,
        data: bool,
        key: Option<Key>,
        key_prefix: Option<Key>,
        keys: Option<Py<PyAny>>,
        times: Option<u64>,
        skip: u64,
        one_in: Option<u64>,
        seed: u64,
    ) -> PyResult<Injected> {
        let details = Details { action, seconds, after_bytes, number };
        let mut fault = Fault::new(what(&details, error)?);
        for call in calls(CALLS, on)? {
            fault = fault.on(call);
        }
        fault = if reads { fault.reads() } else { fault };
        fault = if writes { fault.writes() } else { fault };
        fault = if data { fault.data() } else { fault };
        fault = key.into_iter().fold(fault, Fault::key);
        fault = key_prefix.into_iter().fold(fault, Fault::key_prefix);
        fault = keys.into_iter().fold(fault, |fault, keys| fault.keys(wanted(keys)));
        let fault = with_turns!(fault, Turns { times, skip, one_in, seed });
        Ok(Injected::new(&self.reach, self.memcached.inject(fault)))
    }

    /// How many requests of a kind have arrived.
    fn requests(&self, name: &str) -> PyResult<u64> {
        Ok(self.memcached.requests(call(CALLS, name)?))
    }

    /// How many connections are open now.
    #[getter]
    fn connections(&self) -> usize {
        self.memcached.connections()
    }

    /// Waits until so many requests of a kind have arrived.
    #[pyo3(signature = (name, count, timeout=Seconds(Duration::from_secs(10))))]
    fn arrived(&self, py: Python<'_>, name: &str, count: u64, timeout: Seconds) -> PyResult<()> {
        let (memcached, call) = (self.memcached.clone(), call(CALLS, name)?);
        self.reach.wait(py, timeout, async move { memcached.arrived(call, count).await })
    }
}

fn what(details: &Details<'_>, error: Option<&str>) -> PyResult<Action> {
    Ok(match details.action {
        "answer" => Action::Answer(failure(details, error.ok_or_else(|| details.lacks("error"))?)?),
        "delay" => Action::Delay(details.seconds()?),
        "hold" => Action::Hold,
        "drop" => Action::Drop,
        "cut" => Action::Cut,
        "delay_reply" => Action::DelayReply(details.seconds()?),
        "hold_reply" => Action::HoldReply,
        "drop_reply" => Action::DropReply,
        "cut_reply" => Action::CutReply { after_bytes: details.after_bytes },
        "garble" => Action::Garble,
        "misnumber" => Action::Misnumber(details.number()?),
        "duplicate" => Action::Duplicate,
        _ => return Err(details.unknown()),
    })
}

fn failure(details: &Details<'_>, error: &str) -> PyResult<Failure> {
    Ok(match error {
        "out_of_memory" => Failure::OUT_OF_MEMORY,
        "too_large" => Failure::TOO_LARGE,
        "busy" => Failure::BUSY,
        "temporary" => Failure::TEMPORARY,
        "internal" => Failure::INTERNAL,
        "unknown_command" => Failure::UNKNOWN_COMMAND,
        "denied" => Failure::DENIED,
        line if line.contains(['\r', '\n']) => return Err(PyValueError::new_err("an error is one line")),
        // A fault may live as long as the process, and tests have few of them.
        line => Failure::new(details.number()?, Box::leak(line.to_owned().into_boxed_str())),
    })
}
