//! A transaction: one table of calls, of which the class that waits and the one for asyncio are made.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use charioteer::{Error, tikv};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tokio::sync::RwLock;

use super::options;
use super::scan::scanner;
use crate::bridge::{self, Answer, Key, Line, Own, Pairs, Raise, Seconds, Value, object, raised};

/// A transaction, until it has ended.
pub(super) type Slot = Arc<RwLock<Option<tikv::Transaction>>>;

/// A transaction that is shared with calls under way: those that read do so side by side, and those that write one after the other. It is
/// taken out when it ends, and then no call begins any more.
pub(super) struct Shared {
    slot: Slot,
    has_ended: AtomicBool,
    start_ts: u64,
    is_pessimistic: bool,
}

impl Shared {
    pub(super) fn new(txn: tikv::Transaction) -> Self {
        let (start_ts, is_pessimistic) = (txn.start_ts().into(), txn.is_pessimistic());
        Self { slot: Arc::new(RwLock::new(Some(txn))), has_ended: AtomicBool::new(false), start_ts, is_pessimistic }
    }

    /// For a call, unless it has ended.
    fn open(&self) -> PyResult<Slot> {
        if self.has_ended.load(Ordering::Acquire) { Err(ended()) } else { Ok(Arc::clone(&self.slot)) }
    }

    /// For the call that ends it.
    pub(super) fn end(&self) -> PyResult<Slot> {
        if self.has_ended.swap(true, Ordering::AcqRel) { Err(ended()) } else { Ok(Arc::clone(&self.slot)) }
    }

    /// What needs no server is done at once, unless a call is under way.
    pub(super) fn at_once<T>(&self, act: impl FnOnce(&mut tikv::Transaction) -> T) -> PyResult<T> {
        let slot = self.open()?;
        let mut txn =
            slot.try_write().map_err(|_| PyRuntimeError::new_err("a call of this transaction is under way"))?;
        txn.as_mut().map(act).ok_or_else(ended)
    }
}

/// Takes the transaction out when the calls that began before have come to their end.
pub(super) async fn taken(slot: Slot) -> Option<tikv::Transaction> {
    slot.write().await.take()
}

fn ended() -> PyErr {
    PyRuntimeError::new_err("the transaction has ended")
}

/// Why a call on a transaction failed.
enum Failed {
    /// It had ended before its turn.
    Ended,
    Client(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

impl Raise for Failed {
    fn into_error(self, py: Python<'_>) -> PyErr {
        match self {
            Self::Ended => ended(),
            Self::Client(error) => raised(py, &error),
        }
    }
}

/// A point of a transaction to which it can go back.
#[pyclass(frozen, module = "charioteer.tikv")]
pub(crate) struct Savepoint(tikv::Savepoint);

/// A call that reads.
macro_rules! reads {
    ($self:ident, $py:ident, |$txn:ident| $call:expr) => {{
        let slot = $self.shared.get()?.open()?;
        $self.line.carry($py, async move {
            let open = slot.read().await;
            let Some($txn) = open.as_ref() else { return Err(Failed::Ended) };
            $call.await.map_err(Failed::Client)
        })
    }};
}

/// A call that writes, or locks.
macro_rules! writes {
    ($self:ident, $py:ident, |$txn:ident| $call:expr) => {{
        let slot = $self.shared.get()?.open()?;
        $self.line.carry($py, async move {
            let mut open = slot.write().await;
            let Some($txn) = open.as_mut() else { return Err(Failed::Ended) };
            $call.await.map_err(Failed::Client)
        })
    }};
}

/// A call that ends it.
macro_rules! ends {
    ($self:ident, $py:ident, |$txn:ident| $call:expr) => {{
        let slot = $self.shared.get()?.end()?;
        $self.line.carry($py, async move {
            let Some($txn) = taken(slot).await else { return Err(Failed::Ended) };
            $call.await.map_err(Failed::Client)
        })
    }};
}

/// What both transactions have.
#[pyclass(frozen, subclass, name = "_Transaction", module = "charioteer.tikv")]
pub(crate) struct TransactionBase {
    line: Line,
    shared: Own<Shared>,
}

/// A transaction, whose caller waits.
#[pyclass(frozen, extends = TransactionBase, name = "Transaction", module = "charioteer.tikv")]
pub(crate) struct Transaction;

/// A transaction, for asyncio.
#[pyclass(frozen, extends = TransactionBase, name = "AsyncTransaction", module = "charioteer.tikv")]
pub(crate) struct AsyncTransaction;

impl TransactionBase {
    pub(super) fn shared(&self) -> PyResult<&Shared> {
        self.shared.get()
    }

    /// Commits where nothing was raised, and rolls back where something was, unless it has ended already. Nothing happens of what was
    /// written when a rollback fails, so that what was raised before is told alone.
    fn leave<'py>(&self, py: Python<'py>, is_well: bool) -> PyResult<Bound<'py, PyAny>> {
        let Ok(slot) = self.shared.get()?.end() else {
            return self.line.ready(py.None().into_bound(py));
        };
        self.line.carry(py, async move {
            match taken(slot).await {
                Some(txn) if is_well => txn.commit().await.map(drop),
                Some(txn) => {
                    let _ = txn.rollback().await;
                    Ok(())
                }
                None => Ok(()),
            }
        })
    }
}

/// One that nobody has ended is rolled back in the background.
impl Drop for TransactionBase {
    fn drop(&mut self) {
        let Ok(shared) = self.shared.get() else { return };
        let _entered = self.line.enter();
        // Where a call is under way, it is the last to have it.
        if let Ok(mut open) = shared.slot.try_write() {
            open.take();
        }
    }
}

/// A transaction that a client has begun, which reaches Python as the client does.
pub(super) struct Begun(pub(super) Line, pub(super) tikv::Transaction);

impl Answer for Begun {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let Self(line, txn) = self;
        let base = TransactionBase { line: line.clone(), shared: Own::new(Shared::new(txn)) };
        object!(py, line, base => Transaction | AsyncTransaction)
    }
}

#[pymethods]
impl Transaction {
    fn __enter__(this: Bound<'_, Self>) -> Bound<'_, Self> {
        this
    }

    fn __exit__<'py>(
        this: &Bound<'py, Self>,
        kind: &Bound<'py, PyAny>,
        _value: &Bound<'py, PyAny>,
        _traceback: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        this.as_super().get().leave(this.py(), kind.is_none())
    }
}

#[pymethods]
impl AsyncTransaction {
    fn __aenter__<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        this.as_super().get().line.ready(this.clone().into_any())
    }

    fn __aexit__<'py>(
        this: &Bound<'py, Self>,
        kind: &Bound<'py, PyAny>,
        _value: &Bound<'py, PyAny>,
        _traceback: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        this.as_super().get().leave(this.py(), kind.is_none())
    }
}

#[pymethods]
impl TransactionBase {
    /// The timestamp at which it began, by which it is told from others.
    #[getter]
    fn start_ts(&self) -> PyResult<u64> {
        Ok(self.shared.get()?.start_ts)
    }

    /// Whether it locks keys before it writes them.
    #[getter]
    fn is_pessimistic(&self) -> PyResult<bool> {
        Ok(self.shared.get()?.is_pessimistic)
    }

    /// Whether it was committed or rolled back, or is about to be.
    #[getter]
    fn has_ended(&self) -> PyResult<bool> {
        Ok(self.shared.get()?.has_ended.load(Ordering::Acquire))
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

    fn __repr__(&self) -> PyResult<String> {
        let class = if self.line.is_async() { "AsyncTransaction" } else { "Transaction" };
        Ok(format!("<charioteer.tikv.{class} of {}>", self.shared.get()?.start_ts))
    }
}
