//! A server inside of a test's process.

use charioteer_server::testing;
use parking_lot::Mutex;
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use tokio::runtime::{Builder, Handle};

use crate::bridge::{Own, Seconds};

/// Threads that serve.
const THREADS: usize = 2;

/// A server for tests, in this process: Pegasus with a table `temp`, memcached and TiKV, in memory and on ports of its own.
#[pyclass(frozen, module = "charioteer.testing")]
pub(crate) struct TestServer {
    runtime: Handle,
    server: Own<Mutex<Option<testing::TestServer>>>,
}

impl TestServer {
    fn with<T>(&self, look: impl FnOnce(&testing::TestServer) -> T) -> PyResult<T> {
        let server = self.server.get()?.lock();
        server.as_ref().map(look).ok_or_else(|| PyRuntimeError::new_err("the server has stopped"))
    }
}

/// One that nobody has stopped stops by itself.
impl Drop for TestServer {
    fn drop(&mut self) {
        if let Ok(server) = self.server.get()
            && let Some(server) = server.lock().take()
        {
            drop(self.runtime.spawn(server.shutdown()));
        }
    }
}

/// The threads of all servers, which are not those of clients.
fn runtime() -> PyResult<Handle> {
    static RUNTIME: Mutex<Option<(u64, Handle)>> = Mutex::new(None);
    let mut runtime = RUNTIME.lock();
    if let Some((of, handle)) = &*runtime
        && *of == crate::bridge::generation()
    {
        return Ok(handle.clone());
    }
    let built = Builder::new_multi_thread().worker_threads(THREADS).thread_name("charioteer-test").enable_all().build()?;
    let handle = built.handle().clone();
    std::mem::forget(built);
    std::mem::forget(runtime.replace((crate::bridge::generation(), handle.clone())));
    Ok(handle)
}

#[pymethods]
impl TestServer {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        let runtime = runtime()?;
        let started = py.detach(|| runtime.block_on(testing::TestServer::builder().start()));
        let server = started.map_err(|error| PyOSError::new_err(error.to_string()))?;
        Ok(Self { runtime, server: Own::new(Mutex::new(Some(server))) })
    }

    /// Where Pegasus' clients find it.
    #[getter]
    fn pegasus_url(&self) -> PyResult<String> {
        self.with(testing::TestServer::pegasus_url)
    }

    /// Where memcached's clients find it.
    #[getter]
    fn memcached_url(&self) -> PyResult<String> {
        self.with(testing::TestServer::memcached_url)
    }

    /// Where TiKV's clients find it: PD.
    #[getter]
    fn tikv_url(&self) -> PyResult<String> {
        self.with(testing::TestServer::tikv_url)
    }

    /// Moves the clock forward by which rows and items expire.
    fn advance(&self, time: Seconds) -> PyResult<()> {
        self.with(|server| server.clock().advance(time.into()))
    }

    /// Stops it.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let server = self.server.get()?.lock().take();
        if let Some(server) = server {
            py.detach(|| self.runtime.block_on(server.shutdown()));
        }
        Ok(())
    }

    fn __enter__(this: Bound<'_, Self>) -> Bound<'_, Self> {
        this
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.stop(py)
    }
}
