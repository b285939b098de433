//! Errors, made Python's.

use std::any::Any;

use charioteer::Outcome;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::answer::python;

/// What a call may fail with.
pub(crate) trait Raise: Send + 'static {
    fn into_error(self, py: Python<'_>) -> PyErr;
}

impl Raise for charioteer::Error {
    fn into_error(self, py: Python<'_>) -> PyErr {
        raised(py, &self)
    }
}

impl Raise for std::convert::Infallible {
    fn into_error(self, _py: Python<'_>) -> PyErr {
        match self {}
    }
}

impl Raise for PyErr {
    fn into_error(self, _py: Python<'_>) -> PyErr {
        self
    }
}

/// That a call has panicked, and on what.
pub(crate) struct Panicked(String);

impl Panicked {
    pub(super) fn on(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no text");
        Self(format!("the call has panicked, which is a bug of charioteer's: {text}"))
    }
}

impl Raise for Panicked {
    fn into_error(self, _py: Python<'_>) -> PyErr {
        PyRuntimeError::new_err(self.0)
    }
}

/// A client's error as an exception, of the class that its kind has in `charioteer.errors`.
pub(crate) fn raised(py: Python<'_>, error: &charioteer::Error) -> PyErr {
    let outcome = match error.outcome() {
        Outcome::NotApplied => "not_applied",
        Outcome::Unknown => "unknown",
    };
    let waits: Vec<_> = error.waits().map(|(cause, times, slept)| (cause, times, slept.as_secs_f64())).collect();
    let made = python!(py, "charioteer.errors", "_make").and_then(|make| {
        make.call1((
            error.kind().name(),
            error.to_string(),
            error.is_retryable(),
            outcome,
            error.operation(),
            error.collection(),
            error.peer(),
            error.attempts(),
            error.elapsed().as_secs_f64(),
            error.server_code(),
            waits,
        ))
    });
    let dressed = made.and_then(|made| {
        let made = crate::tikv::with_data(made, error)?;
        made.setattr("_told", Bound::new(py, Told(error.clone()))?)?;
        Ok(made)
    });
    dressed.map_or_else(|error| error, PyErr::from_value)
}

/// What an exception was made of, for calls that are told of it again.
#[pyclass(frozen, module = "charioteer._charioteer")]
struct Told(charioteer::Error);

/// What an exception was made of, if it is one of ours.
pub(crate) fn told(exception: &Bound<'_, PyAny>) -> PyResult<Option<charioteer::Error>> {
    let told = exception.getattr_opt("_told")?;
    Ok(told.and_then(|told| told.cast_into::<Told>().ok()).map(|told| told.get().0.clone()))
}

/// That something belongs to the process before the fork.
pub(crate) fn forked(py: Python<'_>) -> PyErr {
    let made = python!(py, "charioteer.errors", "_forked").and_then(|make| make.call0());
    made.map_or_else(|error| error, PyErr::from_value)
}

/// That threads can't be started.
pub(crate) fn no_threads(_py: Python<'_>, error: &std::io::Error) -> PyErr {
    PyRuntimeError::new_err(format!("the background threads can't be started: {error}"))
}
