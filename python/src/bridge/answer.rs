//! What calls give, made Python's.

use std::collections::BTreeMap;

use bytes::Bytes;
use charioteer::Error;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyList, PyTuple};

use super::error::raised;

/// What a call gives.
pub(crate) trait Answer: Send + 'static {
    /// Whether making it Python's takes something out of a place where another might find it.
    const TAKES: bool = false;

    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>>;
}

macro_rules! answers_as_they_are {
    ($($type:ty,)*) => {
        $(
            impl Answer for $type {
                fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
                    self.into_bound_py_any(py)
                }
            }
        )*
    };
}

answers_as_they_are! { bool, i32, i64, u32, u64, usize, f64, String, &'static str, BTreeMap<String, String>, }

impl Answer for () {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Ok(py.None().into_bound(py))
    }
}

impl Answer for Bytes {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Ok(PyBytes::new(py, &self).into_any())
    }
}

impl Answer for Py<PyAny> {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Ok(self.into_bound(py))
    }
}

impl<T: Answer> Answer for Option<T> {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        match self {
            Some(answer) => answer.into_python(py),
            None => ().into_python(py),
        }
    }
}

impl<T: Answer> Answer for Vec<T> {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let list = PyList::empty(py);
        for item in self {
            list.append(item.into_python(py)?)?;
        }
        Ok(list.into_any())
    }
}

impl<A: Answer, B: Answer> Answer for (A, B) {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Ok(PyTuple::new(py, [self.0.into_python(py)?, self.1.into_python(py)?])?.into_any())
    }
}

/// What came of each of many, in their order.
pub(crate) struct Each<T> {
    results: Vec<Result<T, Error>>,
    return_exceptions: bool,
}

impl<T: Answer> Each<T> {
    /// Errors stand in the places of what failed; or the first is raised, with all that came as its `results`.
    pub(crate) fn of(results: Vec<Result<T, Error>>, return_exceptions: bool) -> Result<Self, Error> {
        Ok(Self { results, return_exceptions })
    }
}

impl<T: Answer> Answer for Each<T> {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let (list, mut first) = (PyList::empty(py), None);
        for result in self.results {
            // An answer that can't be made Python's is an error of its own alone.
            match result.map_err(|error| raised(py, &error)).and_then(|answer| answer.into_python(py)) {
                Ok(answer) => list.append(answer)?,
                Err(error) => {
                    let error = error.into_value(py).into_bound(py);
                    list.append(&error)?;
                    first.get_or_insert(error);
                }
            }
        }
        match first {
            Some(error) if !self.return_exceptions => {
                error.setattr("results", list)?;
                Err(PyErr::from_value(error.into_any()))
            }
            _ => Ok(list.into_any()),
        }
    }
}

/// Something of a module of Python's, looked up once: `python!(py, "charioteer.pegasus", "Row")`.
macro_rules! python {
    ($py:expr, $module:literal, $name:literal) => {{
        static FOUND: pyo3::sync::PyOnceLock<Py<PyAny>> = pyo3::sync::PyOnceLock::new();
        FOUND
            .get_or_try_init($py, || $py.import($module)?.getattr($name).map(Bound::unbind))
            .map(|found| found.bind($py))
    }};
}
pub(crate) use python;

/// A tuple with names, made without a call of Python's function for that.
pub(crate) fn named<'py>(
    class: &Bound<'py, PyAny>,
    fields: impl IntoIterator<Item = Bound<'py, PyAny>, IntoIter: ExactSizeIterator>,
) -> PyResult<Bound<'py, PyAny>> {
    static NEW: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = class.py();
    let new = NEW.get_or_try_init(py, || py.get_type::<PyTuple>().getattr("__new__").map(Bound::unbind))?;
    new.bind(py).call1((class, PyTuple::new(py, fields)?))
}

/// An awaitable whose answer is there already.
#[pyclass(frozen, module = "charioteer._charioteer")]
pub(crate) struct Ready(Py<PyAny>);

impl Ready {
    pub(super) fn awaitable(answer: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
        let py = answer.py();
        Ok(Bound::new(py, Self(answer.unbind()))?.into_any())
    }
}

#[pymethods]
impl Ready {
    fn __await__(this: Bound<'_, Self>) -> Bound<'_, Self> {
        this
    }

    fn __iter__(this: Bound<'_, Self>) -> Bound<'_, Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<()> {
        Err(PyStopIteration::new_err((self.0.clone_ref(py),)))
    }
}
