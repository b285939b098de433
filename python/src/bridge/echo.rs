//! A call that asks nobody: what it costs is what the way there and back costs, which benchmarks tell.

use std::convert::Infallible;

use bytes::Bytes;
use pyo3::prelude::*;

use super::{Key, Line, Value};

/// Makes calls that give what they were given.
#[pyclass(frozen, module = "charioteer._charioteer", name = "_Echo")]
pub(crate) struct Echo(Line);

#[pymethods]
impl Echo {
    #[new]
    fn new(is_async: bool) -> PyResult<Self> {
        Ok(Self(if is_async { Line::post(None)? } else { Line::wait()? }))
    }

    /// Gives the value.
    fn call<'py>(&self, py: Python<'py>, _key: Key, value: Value) -> PyResult<Bound<'py, PyAny>> {
        self.0.carry(py, async move { Ok::<_, Infallible>(Bytes::from(value)) })
    }

    /// Panics, to show that whoever has called is told.
    fn panic<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.carry(py, panics())
    }
}

#[expect(clippy::panic, reason = "it is what the call is for")]
async fn panics() -> Result<(), Infallible> {
    panic!("on purpose")
}
