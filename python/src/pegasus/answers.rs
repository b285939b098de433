//! What a table's calls give, made Python's.

use bytes::Bytes;
use charioteer::Error;
use charioteer::pegasus::{CheckResult, CompareExchangeResult, DelRangeError, Entries, Ttl};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::bridge::{Answer, Raise, named, python, raised};

/// What Python is told of a time to live.
pub(super) fn seconds(ttl: Ttl) -> f64 {
    ttl.remaining().map_or(f64::INFINITY, |left| left.as_secs_f64())
}

impl Answer for Entries {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let rows = PyDict::new(py);
        for entry in self.entries {
            rows.set_item(PyBytes::new(py, &entry.sort_key), PyBytes::new(py, &entry.value))?;
        }
        named(python!(py, "charioteer.pegasus", "Entries")?, [rows.into_any(), self.complete.into_python(py)?])
    }
}

/// Sort keys, and whether they are all.
pub(super) struct SortKeys(pub(super) (Vec<Bytes>, bool));

impl Answer for SortKeys {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let (sort_keys, complete) = self.0;
        let fields = [sort_keys.into_python(py)?, complete.into_python(py)?];
        named(python!(py, "charioteer.pegasus", "SortKeys")?, fields)
    }
}

impl Answer for CheckResult {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let fields = [self.applied.into_python(py)?, self.check_value.into_python(py)?];
        named(python!(py, "charioteer.pegasus", "CheckResult")?, fields)
    }
}

impl Answer for CompareExchangeResult {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let fields = [self.exchanged.into_python(py)?, self.actual.into_python(py)?];
        named(python!(py, "charioteer.pegasus", "CompareExchangeResult")?, fields)
    }
}

/// The error of the whole call, which also says where to go on.
impl Raise for DelRangeError {
    fn into_error(self, py: Python<'_>) -> PyErr {
        let (next_sort_key, deleted) = (self.next_sort_key.clone(), self.deleted);
        let error = raised(py, &Error::from(self));
        let value = error.value(py);
        let noted = value.setattr("next_sort_key", PyBytes::new(py, &next_sort_key));
        noted.and_then(|()| value.setattr("deleted", deleted)).err().unwrap_or(error)
    }
}
