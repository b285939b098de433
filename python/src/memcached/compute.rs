//! A value that is computed by one when it is not there: by a function of Python's, where it was called, while all else is Rust's.
//!
//! A lease is what its holder has to compute for. Nobody need give it back: where it is let go of, others are free to compute.

use std::sync::Arc;

use charioteer::Error;
use charioteer::memcached::{Client, ComputeOptions};
use pyo3::prelude::*;
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;

use super::codec::{Codec, Stored};
use crate::bridge::{Answer, Line, Own, Raise, object, raised};

/// Why nothing came of it.
pub(super) enum Failed {
    Client(Error),
    /// The function has raised something, which is told without us.
    GivenUp,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

impl Raise for Failed {
    fn into_error(self, py: Python<'_>) -> PyErr {
        match self {
            Self::Client(error) => raised(py, &error),
            Self::GivenUp => pyo3::exceptions::PyRuntimeError::new_err("the lease was given up"),
        }
    }
}

type Computed = JoinHandle<Result<Stored, Failed>>;

/// What a call waits for that has somebody compute.
pub(super) struct Held {
    answer: oneshot::Sender<Stored>,
    computed: Computed,
}

/// What both leases have.
#[pyclass(frozen, subclass, name = "_Lease", module = "charioteer.memcached")]
pub(crate) struct LeaseBase {
    line: Line,
    codec: Codec,
    held: Own<Arc<Mutex<Option<Held>>>>,
}

/// The right to compute a value, of a caller who waits.
#[pyclass(frozen, extends = LeaseBase, name = "Lease", module = "charioteer.memcached")]
pub(crate) struct Lease;

/// The right to compute a value, for asyncio.
#[pyclass(frozen, extends = LeaseBase, name = "AsyncLease", module = "charioteer.memcached")]
pub(crate) struct AsyncLease;

/// What has come of a call: a value, or a lease.
pub(super) enum Begun {
    Value(Codec, Stored),
    Lease(Line, Codec, Held),
}

/// Gets the value, or what it takes to compute it.
pub(super) async fn begin(
    line: Line,
    codec: Codec,
    client: Client,
    key: impl AsRef<[u8]> + Send + Sync + 'static,
    options: ComputeOptions,
) -> Result<Begun, Failed> {
    let (ask, asked) = oneshot::channel();
    let (answer, value) = oneshot::channel();
    let computed: Computed = tokio::spawn(async move {
        let compute = || async move {
            // Whoever has gone away answers nothing.
            let _ = ask.send(());
            value.await.map_err(|_| Failed::GivenUp)
        };
        client.get_or_compute(key, options, compute).await
    });
    // It is dropped without a word where there is nothing to compute.
    if asked.await.is_ok() {
        return Ok(Begun::Lease(line, codec, Held { answer, computed }));
    }
    ended(computed).await.map(|value| Begun::Value(codec, value))
}

async fn ended(computed: Computed) -> Result<Stored, Failed> {
    computed.await.unwrap_or(Err(Failed::GivenUp))
}

impl Answer for Begun {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let (line, codec, held) = match self {
            Self::Value(codec, Stored(value)) => return codec.decode(py, value.value, value.flags),
            Self::Lease(line, codec, held) => (line, codec, held),
        };
        let held = Own::new(Arc::new(Mutex::new(Some(held))));
        let base = LeaseBase { line: line.clone(), codec, held };
        object!(py, line, base => Lease | AsyncLease)
    }
}

/// A value as its codec reads it.
struct Kept(Codec, Stored);

impl Answer for Kept {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let Stored(value) = self.1;
        self.0.decode(py, value.value, value.flags)
    }
}

#[pymethods]
impl LeaseBase {
    /// Stores the value, and gives what the client's codec makes of it.
    fn keep<'py>(&self, py: Python<'py>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let (codec, held) = (self.codec.clone(), Arc::clone(self.held.get()?));
        let value = codec.encode(value)?;
        self.line.carry(py, async move {
            let Some(Held { answer, computed }) = held.lock().await.take() else { return Err(Failed::GivenUp) };
            // Its task waits for nothing else.
            let _ = answer.send(value);
            ended(computed).await.map(|value| Kept(codec, value))
        })
    }

    /// Lets others compute. Those who do not know of it wait no longer than the lease was to last.
    fn give_up(&self) -> PyResult<()> {
        // Where the value is being kept there is nothing left to give up.
        if let Ok(mut held) = self.held.get()?.try_lock() {
            held.take();
        }
        Ok(())
    }
}
