//! What is to go wrong, as Python says it, for all protocols.

use std::fmt::Debug;
use std::time::Duration;

use charioteer_server::testing;
use parking_lot::Mutex;
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};

use super::server::Reach;
use crate::bridge::{Own, Seconds};

/// What goes wrong beside its name: which of these an action needs, it says itself.
pub(super) struct Details<'a> {
    pub(super) action: &'a str,
    pub(super) seconds: Option<Seconds>,
    pub(super) after_bytes: usize,
    pub(super) number: Option<i64>,
}

impl Details<'_> {
    pub(super) fn seconds(&self) -> PyResult<Duration> {
        self.seconds.map(Into::into).ok_or_else(|| self.lacks("seconds"))
    }

    pub(super) fn number<T: TryFrom<i64>>(&self) -> PyResult<T> {
        let number = self.number.ok_or_else(|| self.lacks("number"))?;
        T::try_from(number).map_err(|_| PyValueError::new_err(format!("number={number} is out of range")))
    }

    pub(super) fn lacks(&self, what: &str) -> PyErr {
        PyTypeError::new_err(format!("the fault {:?} needs {what}", self.action))
    }

    pub(super) fn unknown(&self) -> PyErr {
        PyValueError::new_err(format!("there is no fault {:?} here", self.action))
    }
}

/// The calls that are named, by one name or several, in the case of Rust or of Python.
pub(super) fn calls<C: Copy + Debug>(all: &[C], names: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<C>> {
    let Some(names) = names else {
        return Ok(Vec::new());
    };
    if let Ok(name) = names.cast::<PyString>() {
        return Ok(vec![call(all, name.to_str()?)?]);
    }
    names.try_iter()?.map(|name| call(all, name?.cast::<PyString>()?.to_str()?)).collect()
}

/// The call of that name.
pub(super) fn call<C: Copy + Debug>(all: &[C], name: &str) -> PyResult<C> {
    let wanted = name.replace('_', "");
    let found = all.iter().find(|call| format!("{call:?}").eq_ignore_ascii_case(&wanted));
    found.copied().ok_or_else(|| PyValueError::new_err(format!("there is no call {name:?}")))
}

/// Keys of which Python says whether they are meant.
pub(super) fn wanted(predicate: Py<PyAny>) -> impl Fn(&[u8]) -> bool + Send + Sync + 'static {
    move |key| {
        Python::attach(|py| {
            let wanted = predicate.bind(py).call1((PyBytes::new(py, key),)).and_then(|wanted| wanted.is_truthy());
            wanted.unwrap_or_else(|error| {
                error.write_unraisable(py, Some(predicate.bind(py)));
                false
            })
        })
    }
}

/// Which of the requests that a fault is for it is applied to.
pub(super) struct Turns {
    pub(super) times: Option<u64>,
    pub(super) skip: u64,
    pub(super) one_in: Option<u64>,
    pub(super) seed: u64,
}

/// Every protocol's faults have them.
macro_rules! with_turns {
    ($fault:ident, $turns:expr) => {{
        let Turns { times, skip, one_in, seed } = $turns;
        let mut fault = $fault.skip(skip);
        if let Some(times) = times {
            fault = fault.times(times);
        }
        if let Some(chances) = one_in {
            fault = fault.one_in(chances, seed);
        }
        fault
    }};
}
pub(super) use with_turns;

/// A fault that takes effect until it is removed, or nothing holds this any more: it may stand in a `with`.
#[pyclass(frozen, module = "charioteer.testing")]
pub(crate) struct Injected {
    reach: Reach,
    injected: Own<Mutex<Option<testing::Injected>>>,
}

impl Injected {
    pub(super) fn new(reach: &Reach, injected: testing::Injected) -> Self {
        Self { reach: reach.clone(), injected: Own::new(Mutex::new(Some(injected))) }
    }

    fn with<T>(&self, look: impl FnOnce(&testing::Injected) -> T) -> PyResult<T> {
        let injected = self.injected.get()?.lock();
        injected.as_ref().map(look).ok_or_else(|| PyRuntimeError::new_err("the fault has been removed"))
    }
}

#[pymethods]
impl Injected {
    /// How many requests it has been applied to.
    #[getter]
    fn hits(&self) -> PyResult<u64> {
        self.with(testing::Injected::hits)
    }

    /// Waits until it has been applied to so many requests.
    #[pyo3(signature = (count=1, timeout=Seconds(Duration::from_secs(10))))]
    fn hit(this: Py<Self>, py: Python<'_>, count: u64, timeout: Seconds) -> PyResult<()> {
        let reach = this.get().reach.clone();
        // What is waited for may be removed meanwhile: it is looked at again and again, each time for a moment.
        let waited = async move {
            while this.get().with(|injected| injected.hits() < count).unwrap_or(false) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        reach.wait(py, timeout, waited)
    }

    /// Lets go of all that is held; from now on nothing is.
    fn release(&self) -> PyResult<()> {
        self.with(testing::Injected::release)
    }

    /// Ends it.
    fn remove(&self) -> PyResult<()> {
        drop(self.injected.get()?.lock().take());
        Ok(())
    }

    /// Keeps it for as long as the server runs.
    fn keep(&self) -> PyResult<()> {
        if let Some(injected) = self.injected.get()?.lock().take() {
            injected.keep();
        }
        Ok(())
    }

    fn __enter__(this: Bound<'_, Self>) -> Bound<'_, Self> {
        this
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, _exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.remove()
    }
}
