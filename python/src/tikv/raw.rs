//! Raw keys.

use charioteer::tikv;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::options;
use super::scan::scanner;
use crate::bridge::{self, Each, Key, Line, Own, Pairs, Seconds, Value, async_face, object, raised, sync_face};

/// What both clients of raw keys have.
#[pyclass(frozen, subclass, name = "_RawClient", module = "charioteer.tikv")]
pub(crate) struct RawBase {
    line: Line,
    client: Own<tikv::RawClient>,
}

/// A client of the raw keys of a cluster, whose caller waits.
#[pyclass(frozen, extends = RawBase, name = "RawClient", module = "charioteer.tikv")]
pub(crate) struct RawClient;

/// A client of the raw keys of a cluster, for asyncio.
#[pyclass(frozen, extends = RawBase, name = "AsyncRawClient", module = "charioteer.tikv")]
pub(crate) struct AsyncRawClient;

impl RawBase {
    fn new(line: Line, pd: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        bridge::listen(pd.py())?;
        let options = options::client(pd, options)?;
        let client = {
            let _entered = line.enter();
            tikv::RawClient::new(options)
        };
        Ok(Self { line, client: Own::new(client.map_err(|error| raised(pd.py(), &error))?) })
    }

    fn handle<'py>(&self, py: Python<'py>, client: tikv::RawClient) -> PyResult<Bound<'py, PyAny>> {
        let base = Self { line: self.line.clone(), client: Own::new(client) };
        object!(py, self.line, base => RawClient | AsyncRawClient)
    }

    fn with<'py>(
        &self,
        py: Python<'py>,
        change: impl FnOnce(tikv::RawClient) -> tikv::RawClient,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.handle(py, change(self.client.get()?.clone()))
    }
}

sync_face! { RawClient: RawBase {
    #[new]
    #[pyo3(signature = (pd, **options))]
    fn new(pd: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<PyClassInitializer<Self>> {
        Ok(PyClassInitializer::from(RawBase::new(Line::wait()?, pd, options)?).add_subclass(Self))
    }
} }

async_face! { AsyncRawClient: RawBase {
    #[new]
    #[pyo3(signature = (pd, **options))]
    fn new(pd: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<PyClassInitializer<Self>> {
        Ok(PyClassInitializer::from(RawBase::new(Line::post(None)?, pd, options)?).add_subclass(Self))
    }
} }

#[pymethods]
impl RawBase {
    /// The servers of PD, each with its port.
    #[getter]
    fn pd_servers(&self) -> PyResult<Vec<String>> {
        Ok(self.client.get()?.options().pd_servers())
    }

    /// The same client, each of whose calls may take so long, with all its attempts.
    fn with_timeout<'py>(&self, py: Python<'py>, timeout: Seconds) -> PyResult<Bound<'py, PyAny>> {
        self.with(py, |client| client.with_timeout(timeout.into()))
    }

    /// The same client, each of whose calls is tried so often at most; 1 never tries again.
    fn with_attempts<'py>(&self, py: Python<'py>, attempts: u32) -> PyResult<Bound<'py, PyAny>> {
        self.with(py, |client| client.with_attempts(attempts))
    }

    /// The same client, whose writes are in one order with those of compare-and-swap, or not. Where keys are swapped, all who write them
    /// must say so.
    #[pyo3(signature = (atomic = true))]
    fn with_atomic<'py>(&self, py: Python<'py>, atomic: bool) -> PyResult<Bound<'py, PyAny>> {
        self.with(py, |client| client.with_atomic(atomic))
    }

    /// The same client for the keys of another column family; API version 1 only.
    fn with_column_family<'py>(&self, py: Python<'py>, family: String) -> PyResult<Bound<'py, PyAny>> {
        self.with(py, |client| client.with_column_family(family))
    }

    /// The same client, which asks another of a region's peers to read.
    fn with_read_from<'py>(&self, py: Python<'py>, read_from: &str) -> PyResult<Bound<'py, PyAny>> {
        let read_from = options::read_from(read_from)?;
        self.with(py, |client| client.with_read_from(read_from))
    }

    /// The cluster's number.
    fn cluster_id<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.cluster_id().await })
    }

    /// The value of a key, or `None` when it is not there.
    fn get<'py>(&self, py: Python<'py>, key: Key) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.get(key).await })
    }

    /// How many seconds a key has still to live: `math.inf` when it does not expire, `None` when it is not there.
    fn get_ttl<'py>(&self, py: Python<'py>, key: Key) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.get_ttl(key).await })
    }

    /// Sets a key, which lives for `ttl` seconds, or for ever.
    #[pyo3(signature = (key, value, *, ttl = None))]
    fn put<'py>(&self, py: Python<'py>, key: Key, value: Value, ttl: Option<Seconds>) -> PyResult<Bound<'py, PyAny>> {
        let (client, options) = (self.client.get()?.clone(), options::put(ttl));
        self.line.carry(py, async move { client.put_with(key, value, options).await })
    }

    /// Deletes a key. Deleting one that is not there is no error.
    fn delete<'py>(&self, py: Python<'py>, key: Key) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.delete(key).await })
    }

    /// Sets a key if its value is what was expected; `None` expects that it is not there.
    #[pyo3(signature = (key, expected, value, *, ttl = None))]
    fn compare_and_swap<'py>(
        &self,
        py: Python<'py>,
        key: Key,
        expected: Option<Value>,
        value: Value,
        ttl: Option<Seconds>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, options) = (self.client.get()?.clone(), options::put(ttl));
        let expected = expected.map(Into::into);
        self.line.carry(py, async move { client.compare_and_swap_with(key, expected, value, options).await })
    }

    /// Deletes a key if its value is what was expected.
    fn compare_and_delete<'py>(&self, py: Python<'py>, key: Key, expected: Value) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.compare_and_delete(key, expected).await })
    }

    /// The values of keys, in the order asked for, `None` where one is not there.
    ///
    /// Each key has an error of its own: with `return_exceptions` it stands in its place; otherwise the first is raised, with all that
    /// came as
    /// its `results`.
    #[pyo3(signature = (keys, *, return_exceptions = false))]
    fn batch_get<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'py, PyAny>,
        return_exceptions: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, keys) = (self.client.get()?.clone(), bridge::keys(keys)?);
        self.line.carry(py, async move { Each::of(client.batch_get(keys).await, return_exceptions) })
    }

    /// Sets keys, each for itself: a mapping, or pairs. For errors see `batch_get`.
    #[pyo3(signature = (rows, *, ttl = None, return_exceptions = false))]
    fn batch_put<'py>(
        &self,
        py: Python<'py>,
        rows: Pairs,
        ttl: Option<Seconds>,
        return_exceptions: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, options) = (self.client.get()?.clone(), options::put(ttl));
        let rows = rows.0;
        self.line.carry(py, async move { Each::of(client.batch_put_with(rows, options).await, return_exceptions) })
    }

    /// The same with a time to live for each, or `None`: triples of key, value and time. For errors see `batch_get`.
    #[pyo3(signature = (rows, *, return_exceptions = false))]
    fn batch_put_with_ttls<'py>(
        &self,
        py: Python<'py>,
        rows: Vec<(Key, Value, Option<Seconds>)>,
        return_exceptions: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        let rows: Vec<_> = rows.into_iter().map(|(key, value, ttl)| (key, value, ttl.map(Into::into))).collect();
        self.line.carry(py, async move { Each::of(client.batch_put_with_ttls(rows).await, return_exceptions) })
    }

    /// Deletes keys, each for itself. For errors see `batch_get`.
    #[pyo3(signature = (keys, *, return_exceptions = false))]
    fn batch_delete<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'py, PyAny>,
        return_exceptions: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, keys) = (self.client.get()?.clone(), bridge::keys(keys)?);
        self.line.carry(py, async move { Each::of(client.batch_delete(keys).await, return_exceptions) })
    }

    /// Deletes all keys from `start` up to just before `end`, or up to the last of all if that is empty.
    fn delete_range<'py>(&self, py: Python<'py>, start: Key, end: Key) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.delete_range(start, end).await })
    }

    /// A checksum over the rows from `start` up to just before `end`.
    fn checksum<'py>(&self, py: Python<'py>, start: Key, end: Key) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.checksum(start, end).await })
    }

    /// Has a plug-in of the stores' coprocessor answer for the regions of a range.
    fn coprocessor<'py>(
        &self,
        py: Python<'py>,
        name: String,
        version: String,
        start: Key,
        end: Key,
        data: Value,
    ) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.coprocessor(&name, &version, start, end, data).await })
    }

    /// The rows from `start` up to just before `end`, or up to the last of all if that is empty, in the order of their keys.
    #[pyo3(signature = (start = Key::default(), end = Key::default(), **options))]
    fn scan<'py>(
        &self,
        py: Python<'py>,
        start: Key,
        end: Key,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = options::scan(options, false)?;
        scanner(py, &self.line, || Ok(self.client.get()?.scan_with(start, end, &options)))
    }

    /// The same range backwards: from the last key before `end` down to `start`.
    #[pyo3(signature = (start = Key::default(), end = Key::default(), **options))]
    fn reverse_scan<'py>(
        &self,
        py: Python<'py>,
        start: Key,
        end: Key,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = options::scan(options, true)?;
        scanner(py, &self.line, || Ok(self.client.get()?.scan_with(start, end, &options)))
    }

    /// The rows of several ranges, one range after the other: pairs of start and end.
    #[pyo3(signature = (ranges, **options))]
    fn scan_ranges<'py>(
        &self,
        py: Python<'py>,
        ranges: Vec<(Key, Key)>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = options::scan(options, false)?;
        scanner(py, &self.line, || Ok(self.client.get()?.scan_ranges(ranges, &options)))
    }

    /// The regions that have keys of a range.
    #[pyo3(signature = (start = Key::default(), end = Key::default()))]
    fn regions<'py>(&self, py: Python<'py>, start: Key, end: Key) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.regions(start, end).await })
    }

    /// A timestamp of PD's clock, greater than all that were given before.
    fn timestamp<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.timestamp().await })
    }

    /// Has PD split regions, so that one begins at each of these keys, and tells the numbers of the regions that have come of it.
    fn split_regions<'py>(&self, py: Python<'py>, keys: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let (client, keys) = (self.client.get()?.clone(), bridge::keys(keys)?);
        self.line.carry(py, async move { client.split_regions(keys).await })
    }

    /// Has PD spread regions evenly over the stores, and waits until that is done.
    fn scatter_regions<'py>(&self, py: Python<'py>, regions: Vec<u64>) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.scatter_regions(&regions).await })
    }

    /// All stores that the cluster has, or had.
    fn stores<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.stores().await })
    }

    /// What the client has done so far, by kind of call. Calls that were never made are left out.
    fn call_stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        crate::stats::calls(py, self.client.get()?.call_stats())
    }

    /// What its connections have seen so far.
    fn net_stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        crate::stats::net(py, self.client.get()?.net_stats())
    }

    /// Ends all connections, at once. Calls that are under way end with an error, and so does every later one.
    fn close(&self) {
        // In a child of the process that made it there is nothing to end, and what is raised there must not be hidden by that.
        if let Some(client) = self.client.unless_forked() {
            client.close();
        }
    }

    fn __repr__(&self) -> PyResult<String> {
        let pds = self.client.get()?.options().pd_servers().join(",");
        Ok(format!("<charioteer.tikv.{} of {pds}>", if self.line.is_async() { "AsyncRawClient" } else { "RawClient" }))
    }
}
