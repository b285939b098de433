//! A table.

use std::time::Duration;

use charioteer::Error;
use charioteer::pegasus::{
    self, CheckOptions, CounterTtl, IncrOptions, MultiGetOptions, ResumeToken as Token, SetOptions,
};
use futures_util::FutureExt;
use pyo3::conversion::FromPyObjectOwned;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::answers::{SortKeys, seconds};
use super::conditions::{Check, Mutation};
use super::options;
use super::scan::{AsyncPager, AsyncScanner, Pager, PagerBase, ResumeToken, Rows, Scanner, ScannerBase};
use crate::bridge::{Answer, Each, Key, Line, Own, Pairs, Seconds, Value, keys, object, raised, text};

/// What sync and asyncio tables have in common, which is all but how answers come.
#[pyclass(subclass, frozen, module = "charioteer.pegasus", name = "_Table")]
pub(crate) struct TableBase {
    line: Line,
    table: Own<pegasus::Table>,
}

/// A table, whose calls wait for their answers.
#[pyclass(extends = TableBase, frozen, module = "charioteer.pegasus")]
pub(crate) struct Table;

/// A table, for asyncio: what its calls give is awaited.
#[pyclass(extends = TableBase, frozen, module = "charioteer.pegasus")]
pub(crate) struct AsyncTable;

impl TableBase {
    fn table(&self) -> PyResult<pegasus::Table> {
        self.table.get().cloned()
    }

    fn like<'py>(&self, py: Python<'py>, table: pegasus::Table) -> PyResult<Bound<'py, PyAny>> {
        OpenTable { line: self.line.clone(), table }.into_python(py)
    }

    fn scanner<'py>(&self, py: Python<'py>, rows: Rows) -> PyResult<Bound<'py, PyAny>> {
        object!(py, self.line, ScannerBase::new(&self.line, rows) => Scanner | AsyncScanner)
    }
}

/// A table that was opened, of whichever class.
pub(super) struct OpenTable {
    pub(super) line: Line,
    pub(super) table: pegasus::Table,
}

impl Answer for OpenTable {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let base = TableBase { line: self.line.clone(), table: Own::new(self.table) };
        object!(py, self.line, base => Table | AsyncTable)
    }
}

#[pymethods]
impl TableBase {
    /// The table's name.
    #[getter]
    fn name(&self) -> PyResult<String> {
        Ok(self.table.get()?.name().to_owned())
    }

    /// The same table, each of whose calls may take so long, with all its attempts.
    fn with_timeout<'py>(&self, py: Python<'py>, timeout: Seconds) -> PyResult<Bound<'py, PyAny>> {
        self.like(py, self.table()?.with_timeout(timeout.into()))
    }

    /// The same table, each of whose calls is tried so often at most; 1 never tries again.
    fn with_attempts<'py>(&self, py: Python<'py>, attempts: u32) -> PyResult<Bound<'py, PyAny>> {
        self.like(py, self.table()?.with_attempts(attempts))
    }

    /// The same table, whose reads also ask a secondary when there is no answer after this time; `None` asks primaries only.
    fn with_hedged_reads<'py>(&self, py: Python<'py>, after: Option<Seconds>) -> PyResult<Bound<'py, PyAny>> {
        self.like(py, self.table()?.with_hedged_reads(after.map(Into::into)))
    }

    /// The same table with or without compression of values.
    fn with_compression<'py>(&self, py: Python<'py>, compression: bool) -> PyResult<Bound<'py, PyAny>> {
        self.like(py, self.table()?.with_compression(compression))
    }

    /// The same table, which takes empty hash keys or refuses them, as it does unless it is told otherwise. Each row of the empty hash key
    /// can be had alone, and none together with others: they lie in all partitions.
    fn with_empty_hash_keys<'py>(&self, py: Python<'py>, allowed: bool) -> PyResult<Bound<'py, PyAny>> {
        self.like(py, self.table()?.with_empty_hash_keys(allowed))
    }

    /// How many partitions the table has.
    fn partition_count<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table()?;
        self.line.carry(py, async move { table.partition_count().await })
    }

    /// The value of a row, or `None` when there is no such row.
    fn get<'py>(&self, py: Python<'py>, hash_key: Key, sort_key: Key) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table()?;
        self.line.carry(py, async move { table.get(hash_key, sort_key).await })
    }

    /// Whether there is such a row.
    fn exist<'py>(&self, py: Python<'py>, hash_key: Key, sort_key: Key) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table()?;
        self.line.carry(py, async move { table.exist(hash_key, sort_key).await })
    }

    /// How many seconds a row has still to live: `math.inf` when it does not expire, `None` when there is no such row.
    fn ttl<'py>(&self, py: Python<'py>, hash_key: Key, sort_key: Key) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table()?;
        self.line.carry(py, async move { table.ttl(hash_key, sort_key).await.map(|ttl| ttl.map(seconds)) })
    }

    /// Sets a row, which lives for `ttl` seconds, or for ever.
    #[pyo3(signature = (hash_key, sort_key, value, *, ttl=None))]
    fn set<'py>(
        &self,
        py: Python<'py>,
        hash_key: Key,
        sort_key: Key,
        value: Value,
        ttl: Option<Seconds>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table()?;
        self.line.carry(py, async move { table.set_with(hash_key, sort_key, value, living(ttl)).await })
    }

    /// Deletes a row. Deleting one that is not there is no error.
    fn delete<'py>(&self, py: Python<'py>, hash_key: Key, sort_key: Key) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table()?;
        self.line.carry(py, async move { table.del(hash_key, sort_key).await })
    }

    /// Rows of a hash key by their sort keys. Sort keys that have no row are left out.
    #[pyo3(signature = (hash_key, sort_keys, *, max_count=100, max_bytes=100_000, no_value=false))]
    fn multi_get<'py>(
        &self,
        py: Python<'py>,
        hash_key: Key,
        sort_keys: &Bound<'py, PyAny>,
        max_count: u32,
        max_bytes: u32,
        no_value: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (table, sort_keys) = (self.table()?, keys(sort_keys)?);
        let mut options = MultiGetOptions::default();
        (options.max_count, options.max_bytes, options.no_value) = (max_count, max_bytes, no_value);
        self.line.carry(py, async move { table.multi_get_with(hash_key, sort_keys, &options).await })
    }

    /// Rows of a hash key from one sort key to another: the start belongs to the range, the end does not, unless something else is
    /// said. An empty end is none, and the range goes on to the last row.
    #[pyo3(signature = (hash_key, start=Key::default(), stop=Key::default(), **options))]
    fn multi_get_range<'py>(
        &self,
        py: Python<'py>,
        hash_key: Key,
        start: Key,
        stop: Key,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (table, options) = (self.table()?, options::range(options)?);
        self.line.carry(py, async move { table.multi_get_range_with(hash_key, start, stop, &options).await })
    }

    /// The sort keys of a hash key, in ascending order, 3000 at most, and whether those are all.
    fn get_sort_keys<'py>(&self, py: Python<'py>, hash_key: Key) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table()?;
        self.line.carry(py, async move { table.get_sort_keys(hash_key).await.map(SortKeys) })
    }

    /// How many rows a hash key has.
    fn sort_key_count<'py>(&self, py: Python<'py>, hash_key: Key) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table()?;
        self.line.carry(py, async move { table.sort_key_count(hash_key).await })
    }

    /// Sets rows of a hash key, all of them or none: a mapping of sort keys to values, or pairs. One `ttl` goes for all.
    #[pyo3(signature = (hash_key, rows, *, ttl=None))]
    fn multi_set<'py>(
        &self,
        py: Python<'py>,
        hash_key: Key,
        rows: Pairs,
        ttl: Option<Seconds>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table()?;
        self.line.carry(py, async move { table.multi_set_with(hash_key, rows.0, living(ttl)).await })
    }

    /// Deletes rows of a hash key, all of them or none. Sort keys that have no row are no error.
    fn multi_del<'py>(
        &self,
        py: Python<'py>,
        hash_key: Key,
        sort_keys: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (table, sort_keys) = (self.table()?, keys(sort_keys)?);
        self.line.carry(py, async move { table.multi_del(hash_key, sort_keys).await })
    }

    /// Adds to a counter, and gives its new value. Its time to live stays as it is (`ttl="keep"`), begins anew, or ends (`None`).
    #[pyo3(signature = (hash_key, sort_key, increment=1, *, ttl=CounterLife(CounterTtl::Keep)))]
    fn incr<'py>(
        &self,
        py: Python<'py>,
        hash_key: Key,
        sort_key: Key,
        increment: i64,
        ttl: CounterLife,
    ) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table()?;
        let mut options = IncrOptions::default();
        options.ttl = ttl.0;
        self.line.carry(py, async move { table.incr_with(hash_key, sort_key, increment, options).await })
    }

    /// Sets a row of a hash key if a row of it, the same or another, passes a check. Nothing comes between the two.
    #[pyo3(signature = (hash_key, check_sort_key, check, set_sort_key, value, *, ttl=None, return_check_value=false))]
    #[expect(clippy::too_many_arguments, reason = "it is what the call takes")]
    fn check_and_set<'py>(
        &self,
        py: Python<'py>,
        hash_key: Key,
        check_sort_key: Key,
        check: &Bound<'py, Check>,
        set_sort_key: Key,
        value: Value,
        ttl: Option<Seconds>,
        return_check_value: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (table, check) = (self.table()?, check.get().0.clone());
        let mut options = CheckOptions::default();
        (options.ttl, options.return_check_value) = (ttl.map(Into::into), return_check_value);
        self.line.carry(py, async move {
            table.check_and_set_with(hash_key, check_sort_key, check, set_sort_key, value, options).await
        })
    }

    /// Changes rows of a hash key, all of them and in this order, if a row of it passes a check. Nothing comes between.
    #[pyo3(signature = (hash_key, check_sort_key, check, mutations, *, return_check_value=false))]
    fn check_and_mutate<'py>(
        &self,
        py: Python<'py>,
        hash_key: Key,
        check_sort_key: Key,
        check: &Bound<'py, Check>,
        mutations: &Bound<'py, PyAny>,
        return_check_value: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (table, check, mutations) = (self.table()?, check.get().0.clone(), Mutation::all(mutations)?);
        let mut options = CheckOptions::default();
        options.return_check_value = return_check_value;
        self.line
            .carry(py, async move { table.check_and_mutate(hash_key, check_sort_key, check, mutations, options).await })
    }

    /// Sets a row if its value is what is expected, `None` standing for no row.
    #[pyo3(signature = (hash_key, sort_key, expected, desired, *, ttl=None))]
    fn compare_exchange<'py>(
        &self,
        py: Python<'py>,
        hash_key: Key,
        sort_key: Key,
        expected: Option<Value>,
        desired: Value,
        ttl: Option<Seconds>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table()?;
        self.line.carry(py, async move {
            table.compare_exchange(hash_key, sort_key, expected, desired, ttl.map(Into::into)).await
        })
    }

    /// Values of rows by pairs of hash key and sort key, in the order asked for, `None` where there is no such row.
    ///
    /// Each row has an error of its own: with `return_exceptions` it stands in its place; otherwise the first is raised, with all that
    /// came as its `results`.
    #[pyo3(signature = (keys, *, return_exceptions=false))]
    fn batch_get<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'py, PyAny>,
        return_exceptions: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (table, keys) = (self.table()?, each::<(Key, Key)>(keys)?);
        self.line.carry(py, async move { Each::of(table.batch_get(keys).await, return_exceptions) })
    }

    /// Sets rows, each for itself: triples of hash key, sort key and value. For errors see `batch_get`.
    #[pyo3(signature = (rows, *, ttl=None, return_exceptions=false))]
    fn batch_set<'py>(
        &self,
        py: Python<'py>,
        rows: &Bound<'py, PyAny>,
        ttl: Option<Seconds>,
        return_exceptions: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (table, rows) = (self.table()?, each::<(Key, Key, Value)>(rows)?);
        self.line.carry(py, async move { Each::of(table.batch_set(rows, living(ttl)).await, return_exceptions) })
    }

    /// Deletes rows, each for itself, by pairs of hash key and sort key. For errors see `batch_get`.
    #[pyo3(signature = (keys, *, return_exceptions=false))]
    fn batch_del<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'py, PyAny>,
        return_exceptions: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (table, keys) = (self.table()?, each::<(Key, Key)>(keys)?);
        self.line.carry(py, async move { Each::of(table.batch_del(keys).await, return_exceptions) })
    }

    /// Rows of many hash keys: a `multi_get` for each pair of a hash key and its sort keys. For errors see `batch_get`.
    #[pyo3(signature = (wanted, *, return_exceptions=false))]
    fn batch_multi_get<'py>(
        &self,
        py: Python<'py>,
        wanted: &Bound<'py, PyAny>,
        return_exceptions: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table()?;
        let wanted = each::<(Key, Bound<'py, PyAny>)>(wanted)?.into_iter();
        let wanted = wanted.map(|(hash_key, sort_keys)| Ok((hash_key, keys(&sort_keys)?)));
        let wanted = wanted.collect::<PyResult<Vec<_>>>()?;
        self.line.carry(py, async move { Each::of(table.batch_multi_get(wanted).await, return_exceptions) })
    }

    /// Deletes the rows of a hash key from one sort key to another, a thousand at a time, and says how many.
    #[pyo3(signature = (hash_key, start=Key::default(), stop=Key::default(), **options))]
    fn del_range<'py>(
        &self,
        py: Python<'py>,
        hash_key: Key,
        start: Key,
        stop: Key,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (table, options) = (self.table()?, options::del_range(options)?);
        self.line.carry(py, async move { table.del_range_with(hash_key, start, stop, &options).await })
    }

    /// Reads a range page by page: each is what a `multi_get_range` with these options gives.
    #[pyo3(signature = (hash_key, start=Key::default(), stop=Key::default(), **options))]
    fn pages<'py>(
        &self,
        py: Python<'py>,
        hash_key: Key,
        start: Key,
        stop: Key,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = options::range(options)?;
        let pager = self.table()?.pages(hash_key, start, stop, &options).map_err(|error| raised(py, &error))?;
        object!(py, self.line, PagerBase::new(&self.line, pager) => Pager | AsyncPager)
    }

    /// Scans a hash key from one sort key to another. An empty end is none.
    #[pyo3(signature = (hash_key, start=Key::default(), stop=Key::default(), **options))]
    fn get_scanner<'py>(
        &self,
        py: Python<'py>,
        hash_key: Key,
        start: Key,
        stop: Key,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = options::scan(options, true)?;
        let scanner = self.table()?.get_scanner(hash_key, start, stop, &options);
        self.scanner(py, Rows::One(scanner.map_err(|error| raised(py, &error))?))
    }

    /// Scans the whole table with so many scanners at most, which together find every row once.
    #[pyo3(signature = (max_split_count, **options))]
    fn get_unordered_scanners<'py>(
        &self,
        py: Python<'py>,
        max_split_count: usize,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = options::scan(options, false)?;
        let (line, table) = (self.line.clone(), self.table()?);
        self.line.carry(py, async move {
            let scanners = table.get_unordered_scanners(max_split_count, &options).await?;
            let scanners = scanners.into_iter().map(|scanner| OpenScanner { line: line.clone(), scanner });
            Ok::<_, Error>(scanners.collect::<Vec<_>>())
        })
    }

    /// All rows of the table, from `parallel` partitions at a time, as they come.
    #[pyo3(signature = (parallel=8, **options))]
    fn scan_all<'py>(
        &self,
        py: Python<'py>,
        parallel: usize,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (table, options) = (self.table()?, options::scan(options, false)?);
        let rows = async move { table.scan_all(parallel, &options).await }.boxed();
        self.scanner(py, Rows::all(rows))
    }

    /// Goes on with a scan that was given up, at the row after the last that Python had taken. The options should be the same.
    #[pyo3(signature = (token, **options))]
    fn resume_scanner<'py>(
        &self,
        py: Python<'py>,
        token: &Bound<'py, ResumeToken>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (token, options): (&Token, _) = (&token.get().0, options::scan(options, false)?);
        let scanner = self.table()?.resume_scanner(token, &options).map_err(|error| raised(py, &error))?;
        self.scanner(py, Rows::One(scanner))
    }

    fn __repr__(&self) -> String {
        let class = if self.line.is_async() { "AsyncTable" } else { "Table" };
        let name = self.table.get().map_or("of the process before a fork", |table| table.name());
        format!("<charioteer.pegasus.{class} {name}>")
    }
}

/// A scanner of several, of whichever class.
struct OpenScanner {
    line: Line,
    scanner: pegasus::Scanner,
}

impl Answer for OpenScanner {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let base = ScannerBase::new(&self.line, Rows::One(self.scanner));
        object!(py, self.line, base => Scanner | AsyncScanner)
    }
}

/// Things of a kind, from whatever can be gone through.
fn each<'py, T: FromPyObjectOwned<'py>>(items: &Bound<'py, PyAny>) -> PyResult<Vec<T>> {
    items.try_iter()?.map(|item| item?.extract::<T>().map_err(Into::into)).collect()
}

fn living(ttl: Option<Seconds>) -> SetOptions {
    let mut options = SetOptions::default();
    options.ttl = ttl.map(Duration::from);
    options
}

/// What becomes of a counter's time to live.
struct CounterLife(CounterTtl);

impl<'a, 'py> FromPyObject<'a, 'py> for CounterLife {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match text(&object) {
            Some(word) if word == "keep" => Ok(Self(CounterTtl::Keep)),
            Some(_) => Err(PyValueError::new_err("\"keep\", a time, or None is expected")),
            None if object.is_none() => Ok(Self(CounterTtl::Clear)),
            None => Ok(Self(CounterTtl::Set(object.extract::<Seconds>()?.into()))),
        }
    }
}
