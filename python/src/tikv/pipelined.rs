//! A transaction that is written bit by bit: one table of calls, of which the class that waits and the one for asyncio are made.

use charioteer::tikv::{self, PipelinedOptions};
use pyo3::prelude::*;

use super::shared::{Shared, ends, reads, transaction_faces, writes};
use crate::bridge::{Answer, Key, Line, Own, Value, object};

/// What both transactions have.
#[pyclass(frozen, subclass, name = "_PipelinedTransaction", module = "charioteer.tikv")]
pub(crate) struct PipelinedBase {
    line: Line,
    shared: Own<Shared<tikv::PipelinedTransaction>>,
    start_ts: u64,
}

/// A transaction that is written bit by bit, whose caller waits.
#[pyclass(frozen, extends = PipelinedBase, name = "PipelinedTransaction", module = "charioteer.tikv")]
pub(crate) struct PipelinedTransaction;

/// A transaction that is written bit by bit, for asyncio.
#[pyclass(frozen, extends = PipelinedBase, name = "AsyncPipelinedTransaction", module = "charioteer.tikv")]
pub(crate) struct AsyncPipelinedTransaction;

transaction_faces! { PipelinedBase: PipelinedTransaction, AsyncPipelinedTransaction }

/// One that a client has begun, which reaches Python as the client does.
pub(super) struct Begun {
    line: Line,
    txn: tikv::PipelinedTransaction,
}

impl Begun {
    pub(super) async fn by(
        line: Line,
        client: tikv::TxnClient,
        options: PipelinedOptions,
    ) -> Result<Self, charioteer::Error> {
        Ok(Self { line, txn: client.begin_pipelined(&options).await? })
    }
}

impl Answer for Begun {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let Self { line, txn } = self;
        let start_ts = txn.start_ts().into();
        let base = PipelinedBase { line: line.clone(), shared: Own::new(Shared::new(txn)), start_ts };
        object!(py, line, base => PipelinedTransaction | AsyncPipelinedTransaction)
    }
}

impl Drop for PipelinedBase {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.unless_forked() {
            shared.let_go(&self.line);
        }
    }
}

#[pymethods]
impl PipelinedBase {
    /// The timestamp at which it began, by which it is told from others.
    #[getter]
    fn start_ts(&self) -> u64 {
        self.start_ts
    }

    /// Whether it was committed or rolled back, or is about to be.
    #[getter]
    fn has_ended(&self) -> PyResult<bool> {
        Ok(self.shared.get()?.has_ended())
    }

    /// The value of a key, as the transaction has written it, or as it was when it began; `None` when it is not there.
    fn get<'py>(&self, py: Python<'py>, key: Key) -> PyResult<Bound<'py, PyAny>> {
        reads!(self, py, |txn| txn.get(key))
    }

    /// Sets a key, to a value that is not empty. Where enough has been written it is sent, for which the part before is waited for.
    fn put<'py>(&self, py: Python<'py>, key: Key, value: Value) -> PyResult<Bound<'py, PyAny>> {
        writes!(self, py, |txn| txn.put(key, value))
    }

    /// Deletes a key.
    fn delete<'py>(&self, py: Python<'py>, key: Key) -> PyResult<Bound<'py, PyAny>> {
        writes!(self, py, |txn| txn.delete(key))
    }

    /// Sends what has been written, and waits until that is done.
    fn flush<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        writes!(self, py, |txn| txn.flush())
    }

    /// Makes all that was written happen at once, and tells when that was; `None` when nothing was written.
    fn commit<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        ends!(self, py, |txn| txn.commit())
    }

    /// Ends it without anything that it has written.
    fn rollback<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        ends!(self, py, |txn| txn.rollback())
    }

    fn __repr__(&self) -> String {
        let class = if self.line.is_async() { "AsyncPipelinedTransaction" } else { "PipelinedTransaction" };
        format!("<charioteer.tikv.{class} of {}>", self.start_ts)
    }
}
