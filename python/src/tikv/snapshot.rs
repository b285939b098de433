//! All keys as they were at a moment.

use std::sync::Arc;

use charioteer::tikv;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::options;
use super::scan::scanner;
use crate::bridge::{self, Answer, Key, Line, Own, object};

/// What both snapshots have.
#[pyclass(frozen, subclass, name = "_Snapshot", module = "charioteer.tikv")]
pub(crate) struct SnapshotBase {
    line: Line,
    snapshot: Own<Arc<tikv::Snapshot>>,
}

/// All keys as they were at a moment, for callers who wait.
#[pyclass(frozen, extends = SnapshotBase, name = "Snapshot", module = "charioteer.tikv")]
pub(crate) struct Snapshot;

/// All keys as they were at a moment, for asyncio.
#[pyclass(frozen, extends = SnapshotBase, name = "AsyncSnapshot", module = "charioteer.tikv")]
pub(crate) struct AsyncSnapshot;

/// A snapshot that a client has made, which reaches Python as the client does.
pub(super) struct Made(pub(super) Line, pub(super) tikv::Snapshot);

impl Answer for Made {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let Self(line, snapshot) = self;
        let base = SnapshotBase { line: line.clone(), snapshot: Own::new(Arc::new(snapshot)) };
        object!(py, line, base => Snapshot | AsyncSnapshot)
    }
}

#[pymethods]
impl SnapshotBase {
    /// The timestamp.
    #[getter]
    fn at(&self) -> PyResult<u64> {
        Ok(self.snapshot.get()?.at().into())
    }

    /// The value of a key, or `None` when it was not there.
    fn get<'py>(&self, py: Python<'py>, key: Key) -> PyResult<Bound<'py, PyAny>> {
        let snapshot = Arc::clone(self.snapshot.get()?);
        self.line.carry(py, async move { snapshot.get(key).await })
    }

    /// The values of keys, in the order asked for.
    fn batch_get<'py>(&self, py: Python<'py>, keys: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let (snapshot, keys) = (Arc::clone(self.snapshot.get()?), bridge::keys(keys)?);
        self.line.carry(py, async move { snapshot.batch_get(keys).await })
    }

    /// Rows in the order of their keys.
    #[pyo3(signature = (start = Key::default(), end = Key::default(), **options))]
    fn scan<'py>(
        &self,
        py: Python<'py>,
        start: Key,
        end: Key,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = options::scan(options, false)?;
        let snapshot = self.snapshot.get()?;
        scanner(py, &self.line, || Ok(snapshot.scan_with(start, end, &options)))
    }

    /// The same backwards.
    #[pyo3(signature = (start = Key::default(), end = Key::default(), **options))]
    fn reverse_scan<'py>(
        &self,
        py: Python<'py>,
        start: Key,
        end: Key,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = options::scan(options, true)?;
        let snapshot = self.snapshot.get()?;
        scanner(py, &self.line, || Ok(snapshot.scan_with(start, end, &options)))
    }

    fn __repr__(&self) -> PyResult<String> {
        let class = if self.line.is_async() { "AsyncSnapshot" } else { "Snapshot" };
        Ok(format!("<charioteer.tikv.{class} at {}>", u64::from(self.snapshot.get()?.at())))
    }
}
