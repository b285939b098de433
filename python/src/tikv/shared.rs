//! A transaction of Python's: shared by the calls that are under way, until it has ended.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use charioteer::{Error, tikv};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::sync::RwLock;

use crate::bridge::{Line, Raise, raised};

/// A transaction, until it has ended.
pub(super) type Slot<T> = Arc<RwLock<Option<T>>>;

/// What ends by being committed or rolled back.
pub(super) trait Ending: Send + Sync + 'static {
    fn commit(self) -> impl Future<Output = Result<Option<tikv::Timestamp>, Error>> + Send;
    fn rollback(self) -> impl Future<Output = Result<(), Error>> + Send;
}

macro_rules! endings {
    ($($type:ty,)*) => {
        $(
            impl Ending for $type {
                fn commit(self) -> impl Future<Output = Result<Option<tikv::Timestamp>, Error>> + Send {
                    self.commit()
                }

                fn rollback(self) -> impl Future<Output = Result<(), Error>> + Send {
                    self.rollback()
                }
            }
        )*
    };
}

endings! { tikv::Transaction, tikv::PipelinedTransaction, }

/// A transaction that is shared with calls under way: those that read do so side by side, and those that write one after the other. It is
/// taken out when it ends, and then no call begins any more.
pub(super) struct Shared<T> {
    slot: Slot<T>,
    has_ended: AtomicBool,
}

impl<T: Ending> Shared<T> {
    pub(super) fn new(txn: T) -> Self {
        Self { slot: Arc::new(RwLock::new(Some(txn))), has_ended: AtomicBool::new(false) }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// For a call, unless it has ended.
    pub(super) fn open(&self) -> PyResult<Slot<T>> {
        if self.has_ended() { Err(ended()) } else { Ok(Arc::clone(&self.slot)) }
    }

    /// For the call that ends it.
    pub(super) fn end(&self) -> PyResult<Slot<T>> {
        if self.has_ended.swap(true, Ordering::AcqRel) { Err(ended()) } else { Ok(Arc::clone(&self.slot)) }
    }

    /// What needs no server is done at once, unless a call is under way.
    pub(super) fn at_once<R>(&self, act: impl FnOnce(&mut T) -> R) -> PyResult<R> {
        let slot = self.open()?;
        let mut txn =
            slot.try_write().map_err(|_| PyRuntimeError::new_err("a call of this transaction is under way"))?;
        txn.as_mut().map(act).ok_or_else(ended)
    }

    /// Commits where nothing was raised, and rolls back where something was, unless it has ended already. Nothing happens of what was
    /// written when a rollback fails, so that what was raised before is told alone.
    pub(super) fn leave<'py>(&self, py: Python<'py>, line: &Line, is_well: bool) -> PyResult<Bound<'py, PyAny>> {
        let Ok(slot) = self.end() else {
            return line.ready(py.None().into_bound(py));
        };
        line.carry(py, async move {
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

    /// Lets go of one that nobody has ended, which has it rolled back in the background.
    pub(super) fn let_go(&self, line: &Line) {
        let _entered = line.enter();
        // Where a call is under way, it is the last to have it.
        if let Ok(mut open) = self.slot.try_write() {
            open.take();
        }
    }
}

/// Takes the transaction out when the calls that began before have come to their end.
pub(super) async fn taken<T>(slot: Slot<T>) -> Option<T> {
    slot.write().await.take()
}

fn ended() -> PyErr {
    PyRuntimeError::new_err("the transaction has ended")
}

/// Why a call on a transaction failed.
pub(super) enum Failed {
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

/// A call that reads.
macro_rules! reads {
    ($self:ident, $py:ident, |$txn:ident| $call:expr) => {{
        let slot = $self.shared.get()?.open()?;
        $self.line.carry($py, async move {
            let open = slot.read().await;
            let Some($txn) = open.as_ref() else { return Err($crate::tikv::shared::Failed::Ended) };
            $call.await.map_err($crate::tikv::shared::Failed::Client)
        })
    }};
}

/// A call that writes, or locks.
macro_rules! writes {
    ($self:ident, $py:ident, |$txn:ident| $call:expr) => {{
        let slot = $self.shared.get()?.open()?;
        $self.line.carry($py, async move {
            let mut open = slot.write().await;
            let Some($txn) = open.as_mut() else { return Err($crate::tikv::shared::Failed::Ended) };
            $call.await.map_err($crate::tikv::shared::Failed::Client)
        })
    }};
}

/// A call that ends it.
macro_rules! ends {
    ($self:ident, $py:ident, |$txn:ident| $call:expr) => {{
        let slot = $self.shared.get()?.end()?;
        $self.line.carry($py, async move {
            let Some($txn) = $crate::tikv::shared::taken(slot).await else {
                return Err($crate::tikv::shared::Failed::Ended);
            };
            $call.await.map_err($crate::tikv::shared::Failed::Client)
        })
    }};
}

/// The two classes of a transaction, whose `with` commits or rolls back.
macro_rules! transaction_faces {
    ($base:ident: $sync:ident, $async:ident) => {
        #[pymethods]
        impl $sync {
            fn __enter__(this: Bound<'_, Self>) -> Bound<'_, Self> {
                this
            }

            fn __exit__<'py>(
                this: &Bound<'py, Self>,
                kind: &Bound<'py, PyAny>,
                _value: &Bound<'py, PyAny>,
                _traceback: &Bound<'py, PyAny>,
            ) -> PyResult<Bound<'py, PyAny>> {
                let base: &$base = this.as_super().get();
                base.shared.get()?.leave(this.py(), &base.line, kind.is_none())
            }
        }

        #[pymethods]
        impl $async {
            fn __aenter__<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
                let base: &$base = this.as_super().get();
                base.line.ready(this.clone().into_any())
            }

            fn __aexit__<'py>(
                this: &Bound<'py, Self>,
                kind: &Bound<'py, PyAny>,
                _value: &Bound<'py, PyAny>,
                _traceback: &Bound<'py, PyAny>,
            ) -> PyResult<Bound<'py, PyAny>> {
                let base: &$base = this.as_super().get();
                base.shared.get()?.leave(this.py(), &base.line, kind.is_none())
            }
        }
    };
}

pub(super) use {ends, reads, transaction_faces, writes};
