//! A transaction: one table of calls, of which the class that waits and the one for asyncio are made.

use charioteer::tikv;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::options;
use super::scan::scanner;
use super::shared::{Shared, ends, reads, transaction_faces, writes};
use crate::bridge::{self, Answer, Key, Line, Own, Pairs, Seconds, Value, object, raised};

/// A point of a transaction to which it can go back.
#[pyclass(frozen, module = "charioteer.tikv")]
pub(crate) struct Savepoint(tikv::Savepoint);

/// What both transactions have.
#[pyclass(frozen, subclass, name = "_Transaction", module = "charioteer.tikv")]
pub(crate) struct TransactionBase {
    line: Line,
    shared: Own<Shared<tikv::Transaction>>,
    start_ts: u64,
    is_pessimistic: bool,
}

/// A transaction, whose caller waits.
#[pyclass(frozen, extends = TransactionBase, name = "Transaction", module = "charioteer.tikv")]
pub(crate) struct Transaction;

/// A transaction, for asyncio.
#[pyclass(frozen, extends = TransactionBase, name = "AsyncTransaction", module = "charioteer.tikv")]
pub(crate) struct AsyncTransaction;

transaction_faces! { TransactionBase: Transaction, AsyncTransaction }

impl TransactionBase {
    pub(super) fn shared(&self) -> PyResult<&Shared<tikv::Transaction>> {
        self.shared.get()
    }
}

impl Drop for TransactionBase {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.unless_forked() {
            shared.let_go(&self.line);
        }
    }
}

/// A transaction that a client has begun, which reaches Python as the client does.
pub(super) struct Begun(pub(super) Line, pub(super) tikv::Transaction);

impl Answer for Begun {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let Self(line, txn) = self;
        let (start_ts, is_pessimistic) = (txn.start_ts().into(), txn.is_pessimistic());
        let base = TransactionBase { line: line.clone(), shared: Own::new(Shared::new(txn)), start_ts, is_pessimistic };
        object!(py, line, base => Transaction | AsyncTransaction)
    }
}

#[pymethods]
impl TransactionBase {
    /// The timestamp at which it began, by which it is told from others.
    #[getter]
    fn start_ts(&self) -> u64 {
        self.start_ts
    }

    /// Whether it locks keys before it writes them.
    #[getter]
    fn is_pessimistic(&self) -> bool {
        self.is_pessimistic
    }

    /// Whether it was committed or rolled back, or is about to be.
    #[getter]
    fn has_ended(&self) -> PyResult<bool> {
        Ok(self.shared.get()?.has_ended())
    }

    /// How many keys it has written.
    fn __len__(&self) -> PyResult<usize> {
        self.shared.get()?.at_once(|txn| txn.len())
    }

    /// It is one, whether or not it has written anything.
    fn __bool__(&self) -> bool {
        true
    }

    /// How many bytes of keys and values it has written.
    #[getter]
    fn written_bytes(&self) -> PyResult<usize> {
        self.shared.get()?.at_once(|txn| txn.bytes())
    }

    /// The value of a key, as the transaction has written it, or as it was when it began; `None` when it is not there.
    fn get<'py>(&self, py: Python<'py>, key: Key) -> PyResult<Bound<'py, PyAny>> {
        reads!(self, py, |txn| txn.get(key))
    }

    /// The values of keys, in the order asked for.
    fn batch_get<'py>(&self, py: Python<'py>, keys: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let keys = bridge::keys(keys)?;
        reads!(self, py, |txn| txn.batch_get(keys))
    }

    /// The newest value of a key, which is locked for this transaction; for pessimistic ones.
    fn get_for_update<'py>(&self, py: Python<'py>, key: Key) -> PyResult<Bound<'py, PyAny>> {
        writes!(self, py, |txn| txn.get_for_update(key))
    }

    /// The same for many keys.
    fn batch_get_for_update<'py>(&self, py: Python<'py>, keys: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let keys = bridge::keys(keys)?;
        writes!(self, py, |txn| txn.batch_get_for_update(keys))
    }

    /// Rows in the order of their keys, as the transaction sees them.
    #[pyo3(signature = (start = Key::default(), end = Key::default(), **options))]
    fn scan<'py>(
        &self,
        py: Python<'py>,
        start: Key,
        end: Key,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = options::scan(options, false)?;
        let shared = self.shared.get()?;
        scanner(py, &self.line, || shared.at_once(|txn| txn.scan_with(start, end, &options)))
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
        let shared = self.shared.get()?;
        scanner(py, &self.line, || shared.at_once(|txn| txn.scan_with(start, end, &options)))
    }

    /// Sets a key.
    fn put<'py>(&self, py: Python<'py>, key: Key, value: Value) -> PyResult<Bound<'py, PyAny>> {
        writes!(self, py, |txn| txn.put(key, value))
    }

    /// Sets keys: a mapping, or pairs.
    fn batch_put<'py>(&self, py: Python<'py>, rows: Pairs) -> PyResult<Bound<'py, PyAny>> {
        let rows = rows.0;
        writes!(self, py, |txn| txn.batch_put(rows))
    }

    /// Sets a key that must not be there yet: `KeyExists` is raised when it is locked, or when it is committed.
    fn insert<'py>(&self, py: Python<'py>, key: Key, value: Value) -> PyResult<Bound<'py, PyAny>> {
        writes!(self, py, |txn| txn.insert(key, value))
    }

    /// Deletes a key.
    fn delete<'py>(&self, py: Python<'py>, key: Key) -> PyResult<Bound<'py, PyAny>> {
        writes!(self, py, |txn| txn.delete(key))
    }

    /// Deletes keys.
    fn batch_delete<'py>(&self, py: Python<'py>, keys: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let keys = bridge::keys(keys)?;
        writes!(self, py, |txn| txn.batch_delete(keys))
    }

    /// Locks keys without writing them: against others, in a pessimistic transaction, or so that the commit fails if others have written
    /// them.
    #[pyo3(signature = (keys, *, wait = None, only_if_exists = false))]
    fn lock_keys<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'py, PyAny>,
        wait: Option<Seconds>,
        only_if_exists: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (keys, options) = (bridge::keys(keys)?, options::lock(wait, only_if_exists));
        writes!(self, py, |txn| txn.lock_keys_with(keys, &options))
    }

    /// A point to which it can go back.
    fn savepoint(&self) -> PyResult<Savepoint> {
        self.shared.get()?.at_once(|txn| Savepoint(txn.savepoint()))
    }

    /// Goes back to a savepoint.
    fn rollback_to(&self, py: Python<'_>, savepoint: &Savepoint) -> PyResult<()> {
        let went_back = self.shared.get()?.at_once(|txn| {
            let _entered = self.line.enter();
            txn.rollback_to(savepoint.0)
        })?;
        went_back.map_err(|error| raised(py, &error))
    }

    /// Forgets a savepoint.
    fn release(&self, py: Python<'_>, savepoint: &Savepoint) -> PyResult<()> {
        let released = self.shared.get()?.at_once(|txn| txn.release(savepoint.0))?;
        released.map_err(|error| raised(py, &error))
    }

    /// Has the commit fail unless the key is there. It must have been written; nobody is asked before the commit.
    fn assert_exists(&self, py: Python<'_>, key: Key) -> PyResult<()> {
        let asserted = self.shared.get()?.at_once(|txn| txn.assert_exists(key))?;
        asserted.map_err(|error| raised(py, &error))
    }

    /// Has the commit fail if the key is there.
    fn assert_missing(&self, py: Python<'_>, key: Key) -> PyResult<()> {
        let asserted = self.shared.get()?.at_once(|txn| txn.assert_missing(key))?;
        asserted.map_err(|error| raised(py, &error))
    }

    /// Makes all that was written happen at once, and tells when that was; `None` when nothing was written.
    fn commit<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        ends!(self, py, |txn| txn.commit())
    }

    /// Ends it without anything that it has written. Its locks are gone then.
    fn rollback<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        ends!(self, py, |txn| txn.rollback())
    }

    fn __repr__(&self) -> String {
        let class = if self.line.is_async() { "AsyncTransaction" } else { "Transaction" };
        format!("<charioteer.tikv.{class} of {}>", self.start_ts)
    }
}
