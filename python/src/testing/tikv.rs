//! What a test can do to TiKV.

use std::time::Duration;

use charioteer_server::testing;
use charioteer_server::testing::tikv::{Action, Call, Fault, Lock, Region, RegionError, Status};
use parking_lot::Mutex;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::fault::{Details, Injected, Turns, call, calls, wanted, with_turns};
use super::server::{Reach, refused};
use crate::bridge::{Key, Own, Seconds, keys, python};

/// What a test can do to TiKV. Stores are named by their numbers, from 0; regions by their ids, or by a key in them as PD has it.
#[pyclass(frozen, module = "charioteer.testing")]
pub(crate) struct Tikv {
    reach: Reach,
    tikv: testing::Tikv,
}

impl Tikv {
    pub(super) fn new(reach: Reach, tikv: testing::Tikv) -> Self {
        Self { reach, tikv }
    }
}

#[pymethods]
impl Tikv {
    /// Where the stores listen, or did: `host:port`.
    #[getter]
    fn stores(&self) -> Vec<String> {
        self.tikv.stores().iter().map(ToString::to_string).collect()
    }

    /// Stops a store: its port is closed, with all connections to it.
    fn stop_store(&self, py: Python<'_>, store: usize) -> PyResult<()> {
        self.reach.try_run(py, self.tikv.stop_store(store))
    }

    /// Starts a store again, on the same port.
    fn start_store(&self, py: Python<'_>, store: usize) -> PyResult<()> {
        self.reach.try_run(py, self.tikv.start_store(store))
    }

    /// Stops PD.
    fn stop_pd(&self, py: Python<'_>) -> PyResult<()> {
        self.reach.try_run(py, self.tikv.stop_pd())
    }

    /// Starts PD again, on the same port.
    fn start_pd(&self, py: Python<'_>) -> PyResult<()> {
        self.reach.try_run(py, self.tikv.start_pd())
    }

    /// All regions, in the order of their keys.
    fn regions<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        self.tikv.regions().map_err(refused)?.iter().map(|one| region(py, one)).collect()
    }

    /// The region that holds a key, as PD has it.
    fn region_of<'py>(&self, py: Python<'py>, key: Key) -> PyResult<Bound<'py, PyAny>> {
        region(py, &self.tikv.region_of(key).map_err(refused)?)
    }

    /// Splits regions at these keys, as PD has them.
    fn split(&self, py: Python<'_>, at: &Bound<'_, PyAny>) -> PyResult<()> {
        let keys: Vec<_> = keys(at)?.iter().map(|key| bytes::Bytes::copy_from_slice(key.as_ref())).collect();
        self.reach.try_run(py, self.tikv.split(keys))
    }

    /// Makes one region of two that lie side by side: the target takes the keys of the source, which is no more.
    fn merge(&self, py: Python<'_>, source: u64, target: u64) -> PyResult<()> {
        self.reach.try_run(py, self.tikv.merge(source, target))
    }

    /// Has the peer on a store lead a region.
    fn transfer_leader(&self, py: Python<'_>, region: u64, store: usize) -> PyResult<()> {
        self.reach.try_run(py, self.tikv.transfer_leader(region, store))
    }

    /// Has nobody lead a region, until `transfer_leader`.
    fn give_up_leader(&self, py: Python<'_>, region: u64) -> PyResult<()> {
        self.reach.try_run(py, self.tikv.give_up_leader(region))
    }

    /// Has the followers on a store lag behind their leaders, until what is given has them catch up.
    fn lag_follower(&self, store: usize) -> PyResult<Lagging> {
        let lagging = self.tikv.lag_follower(store).map_err(refused)?;
        Ok(Lagging(Own::new(Mutex::new(Some(lagging)))))
    }

    /// All locks of transactions that lie in the store, in the order of their keys.
    fn locks<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        self.reach.try_run(py, self.tikv.locks())?.iter().map(|one| lock(py, one)).collect()
    }

    /// How many requests wait for locks that others hold.
    #[getter]
    fn lock_waits(&self) -> PyResult<usize> {
        self.tikv.lock_waits().map_err(refused)
    }

    /// Has something go wrong: for every call, or for those that all of the words are about.
    ///
    /// `"answer"` with the `error` of a region, such as `"EpochNotMatch"` (`"NotLeader"` may have the `number` of the store that
    /// leads, `"ServerIsBusy"` a `message` and `seconds` to wait, `"Message"` a `message`), `"status"` with an `error` of gRPC such as
    /// `"Unavailable"` and a `message`, `"delay"` and `"delay_reply"` with `seconds`, `"hold"`, `"hold_reply"`, `"drop"`,
    /// `"drop_reply"`, `"cut"`, `"cut_reply"`, `"garble"`, `"duplicate"`.
    #[pyo3(signature = (
        action, *, error=None, message="", seconds=None, number=None, on=None, at_pd=false, at_store=None, region=None,
        key=None, keys_in=None, keys=None, replica_reads=false, stale_reads=false, from_call=None, after_call=None,
        times=None, skip=0, one_in=None, seed=0
    ))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords, each of which may be left out")]
    fn inject(
        &self,
        action: &str,
        error: Option<&str>,
        message: &str,
        seconds: Option<Seconds>,
        number: Option<i64>,
        on: Option<&Bound<'_, PyAny>>,
        at_pd: bool,
        at_store: Option<usize>,
        region: Option<u64>,
        key: Option<Key>,
        keys_in: Option<(Key, Key)>,
        keys: Option<Py<PyAny>>,
        replica_reads: bool,
        stale_reads: bool,
        from_call: Option<&str>,
        after_call: Option<&str>,
        times: Option<u64>,
        skip: u64,
        one_in: Option<u64>,
        seed: u64,
    ) -> PyResult<Injected> {
        let details = Details { action, seconds, after_bytes: 0, number };
        let mut fault = Fault::new(what(&details, error, message)?);
        for call in calls(Call::ALL, on)? {
            fault = fault.on(call);
        }
        fault = if at_pd { fault.at_pd() } else { fault };
        fault = if replica_reads { fault.replica_reads() } else { fault };
        fault = if stale_reads { fault.stale_reads() } else { fault };
        fault = at_store.into_iter().fold(fault, Fault::at_store);
        fault = region.into_iter().fold(fault, Fault::region);
        fault = key.into_iter().fold(fault, Fault::key);
        fault = keys_in.into_iter().fold(fault, |fault, (start, end)| fault.keys_in(start, end));
        fault = keys.into_iter().fold(fault, |fault, keys| fault.keys(wanted(keys)));
        if let Some(name) = from_call {
            fault = fault.from(call(Call::ALL, name)?);
        }
        if let Some(name) = after_call {
            fault = fault.after(call(Call::ALL, name)?);
        }
        let fault = with_turns!(fault, Turns { times, skip, one_in, seed });
        Ok(Injected::new(&self.reach, self.tikv.inject(fault)))
    }

    /// How many requests of a kind have arrived.
    fn requests(&self, name: &str) -> PyResult<u64> {
        Ok(self.tikv.requests(call(Call::ALL, name)?))
    }

    /// How many connections are open now.
    #[getter]
    fn connections(&self) -> usize {
        self.tikv.connections()
    }

    /// Waits until so many requests of a kind have arrived.
    #[pyo3(signature = (name, count, timeout=Seconds(Duration::from_secs(10))))]
    fn arrived(&self, py: Python<'_>, name: &str, count: u64, timeout: Seconds) -> PyResult<()> {
        let (tikv, call) = (self.tikv.clone(), call(Call::ALL, name)?);
        self.reach.wait(py, timeout, async move { tikv.arrived(call, count).await })
    }
}

fn what(details: &Details<'_>, error: Option<&str>, message: &str) -> PyResult<Action> {
    let error = || error.ok_or_else(|| details.lacks("error"));
    Ok(match details.action {
        "answer" => Action::Answer(region_error(details, error()?, message)?),
        "status" => Action::Status(status(error()?, message)?),
        "delay" => Action::Delay(details.seconds()?),
        "hold" => Action::Hold,
        "drop" => Action::Drop,
        "cut" => Action::Cut,
        "delay_reply" => Action::DelayReply(details.seconds()?),
        "hold_reply" => Action::HoldReply,
        "drop_reply" => Action::DropReply,
        "cut_reply" => Action::CutReply,
        "garble" => Action::Garble,
        "duplicate" => Action::Duplicate,
        _ => return Err(details.unknown()),
    })
}

fn region_error(details: &Details<'_>, name: &str, message: &str) -> PyResult<RegionError> {
    macro_rules! plain {
        ($($error:ident)*) => {
            match name {
                $(stringify!($error) => Ok(RegionError::$error),)*
                _ => Err(PyValueError::new_err(format!("there is no error of regions {name:?}"))),
            }
        };
    }
    match name {
        "NotLeader" if details.number.is_some() => Ok(RegionError::NotLeaderBut(details.number()?)),
        "ServerIsBusy" => {
            let wait = details.seconds.map(Duration::from).unwrap_or_default();
            let backoff_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            Ok(RegionError::ServerIsBusy { reason: message.to_owned(), backoff_ms })
        }
        "Message" => Ok(RegionError::Message(message.to_owned())),
        _ => plain! {
            NotLeader RegionNotFound KeyNotInRegion EpochNotMatch StaleCommand StoreNotMatch RaftEntryTooLarge
            MaxTimestampNotSynced ReadIndexNotReady ProposalInMergingMode DataIsNotReady RegionNotInitialized DiskFull
            RecoveryInProgress FlashbackInProgress FlashbackNotPrepared IsWitness MismatchPeerId BucketVersionNotMatch
            UndeterminedResult
        },
    }
}

fn status(name: &str, message: &str) -> PyResult<Status> {
    let message = message.to_owned();
    Ok(match name {
        "Unavailable" => Status::Unavailable(message),
        "ResourceExhausted" => Status::ResourceExhausted(message),
        "DeadlineExceeded" => Status::DeadlineExceeded(message),
        "Unimplemented" => Status::Unimplemented(message),
        "Unknown" => Status::Unknown(message),
        _ => return Err(PyValueError::new_err(format!("there is no status {name:?}"))),
    })
}

fn region<'py>(py: Python<'py>, region: &Region) -> PyResult<Bound<'py, PyAny>> {
    let (start, end) = (PyBytes::new(py, &region.start), PyBytes::new(py, &region.end));
    let fields = (region.id, start, end, region.version, region.leader, region.stores.clone());
    python!(py, "charioteer.testing", "Region")?.call1(fields)
}

fn lock<'py>(py: Python<'py>, lock: &Lock) -> PyResult<Bound<'py, PyAny>> {
    python!(py, "charioteer.testing", "Lock")?.call1((
        PyBytes::new(py, &lock.key),
        PyBytes::new(py, &lock.primary),
        lock.start_ts,
        Duration::from_millis(lock.ttl_ms).as_secs_f64(),
        lock.is_pessimistic,
        lock.use_async_commit,
        lock.min_commit_ts,
    ))
}

/// Followers that lag behind their leaders, until they catch up, or nothing holds this any more: it may stand in a `with`.
#[pyclass(frozen, module = "charioteer.testing")]
pub(crate) struct Lagging(Own<Mutex<Option<testing::tikv::Lagging>>>);

impl Lagging {
    fn with<T>(&self, look: impl FnOnce(&testing::tikv::Lagging) -> T) -> PyResult<T> {
        let lagging = self.0.get()?.lock();
        lagging.as_ref().map(look).ok_or_else(|| PyRuntimeError::new_err("the followers have caught up"))
    }
}

#[pymethods]
impl Lagging {
    /// How many reads have been kept waiting.
    #[getter]
    fn waiting(&self) -> PyResult<u64> {
        self.with(testing::tikv::Lagging::waiting)
    }

    /// How many reads have been answered with `DataIsNotReady`.
    #[getter]
    fn refused(&self) -> PyResult<u64> {
        self.with(testing::tikv::Lagging::refused)
    }

    /// Has them catch up: what waits is answered.
    fn catch_up(&self) -> PyResult<()> {
        drop(self.0.get()?.lock().take());
        Ok(())
    }

    fn __enter__(this: Bound<'_, Self>) -> Bound<'_, Self> {
        this
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, _exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.catch_up()
    }
}
