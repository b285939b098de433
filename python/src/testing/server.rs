//! A server inside of a test's process.

use std::collections::BTreeMap;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::time::Duration;

use charioteer_server::testing::{self, Builder};
use charioteer_server::{HostPorts, TikvApi};
use parking_lot::Mutex;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyTimeoutError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use tokio::runtime::{Builder as Threads, Handle, Runtime};

use super::memcached::Memcached;
use super::pegasus::Pegasus;
use super::tikv::Tikv;
use crate::bridge::{Line, Own, Seconds, of_this_process};

/// Threads that serve.
const THREADS: usize = 2;

/// A server for tests, in this process: Pegasus with a table `temp`, memcached and TiKV, in memory and on ports of its own.
#[pyclass(frozen, module = "charioteer.testing")]
pub(crate) struct TestServer {
    reach: Reach,
    server: Own<Mutex<Option<testing::TestServer>>>,
    certificates: Option<testing::Certificates>,
}

impl TestServer {
    fn with<T>(&self, look: impl FnOnce(&testing::TestServer) -> T) -> PyResult<T> {
        let server = self.server.get()?.lock();
        server.as_ref().map(look).ok_or_else(|| PyRuntimeError::new_err("the server has stopped"))
    }
}

/// How tests get at what runs in a server.
#[derive(Clone)]
pub(super) struct Reach {
    runtime: Handle,
    line: Line,
}

impl Reach {
    fn new() -> PyResult<Self> {
        Ok(Self { runtime: runtime()?, line: Line::wait()? })
    }

    /// Carries out what happens in the server.
    pub(super) fn run<T: Send>(&self, py: Python<'_>, what: impl Future<Output = T> + Send) -> T {
        py.detach(|| self.runtime.block_on(what))
    }

    /// The same, where it may be refused.
    pub(super) fn try_run<T: Send>(
        &self,
        py: Python<'_>,
        what: impl Future<Output = Result<T, testing::Error>> + Send,
    ) -> PyResult<T> {
        self.run(py, what).map_err(refused)
    }

    /// Waits for something to happen, which Ctrl-C ends.
    pub(super) fn wait(
        &self,
        py: Python<'_>,
        timeout: Seconds,
        what: impl Future<Output = ()> + Send + 'static,
    ) -> PyResult<()> {
        let timeout = Duration::from(timeout);
        let waited = async move {
            let waited = tokio::time::timeout(timeout, what).await;
            waited.map_err(|_| PyTimeoutError::new_err(format!("it has not happened within {timeout:?}")))
        };
        self.line.carry(py, waited).map(drop)
    }
}

/// Why something that a test asked for was not done.
pub(super) fn refused(error: testing::Error) -> PyErr {
    PyRuntimeError::new_err(error.to_string())
}

/// The threads of all servers, which are not those of clients, and serve to the end.
struct ServingThreads(ManuallyDrop<Runtime>);

fn runtime() -> PyResult<Handle> {
    let serving = of_this_process(|| {
        let mut threads = Threads::new_multi_thread();
        let threads = threads.worker_threads(THREADS).thread_name("charioteer-test").enable_all();
        threads.build().map(|runtime| ServingThreads(ManuallyDrop::new(runtime)))
    });
    Ok(serving?.0.handle().clone())
}

#[pymethods]
impl TestServer {
    /// pytest takes it for no class of tests, for all its name.
    #[classattr]
    #[pyo3(name = "__test__")]
    const TEST: bool = false;

    #[new]
    #[pyo3(signature = (
        *, metas=1, nodes=0, tables=None, host_ports=true, tikv_stores=1, tikv_regions=5, tikv_api="any", tikv_tls=false,
        memcached_tls=false, memcached_durable=false, data=None, clock_at=None, latency=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords, each of which may be left out")]
    fn new(
        py: Python<'_>,
        metas: usize,
        nodes: usize,
        tables: Option<BTreeMap<String, i32>>,
        host_ports: bool,
        tikv_stores: usize,
        tikv_regions: usize,
        tikv_api: &str,
        tikv_tls: bool,
        memcached_tls: bool,
        memcached_durable: bool,
        data: Option<PathBuf>,
        clock_at: Option<Seconds>,
        latency: Option<Seconds>,
    ) -> PyResult<Self> {
        let mut builder = testing::TestServer::builder().metas(metas).nodes(nodes);
        for (name, partitions) in tables.unwrap_or_default() {
            builder = builder.table(name, partitions);
        }
        if !host_ports {
            builder = builder.pegasus(|pegasus| pegasus.host_ports = HostPorts::ToNobody);
        }
        builder = builder.tikv_stores(tikv_stores).tikv_regions(tikv_regions).tikv_api(api(tikv_api)?);
        builder = kept(builder, memcached_durable, data, clock_at, latency);
        let certificates = (tikv_tls || memcached_tls).then(testing::Certificates::new);
        if let Some(certificates) = certificates.as_ref().filter(|_| tikv_tls) {
            builder = builder.tikv_tls(certificates);
        }
        if let Some(certificates) = certificates.as_ref().filter(|_| memcached_tls) {
            builder = builder.memcached_tls(certificates);
        }
        let reach = Reach::new()?;
        let server = reach.run(py, builder.start()).map_err(|error| PyOSError::new_err(error.to_string()))?;
        Ok(Self { reach, server: Own::new(Mutex::new(Some(server))), certificates })
    }

    /// Where Pegasus' clients find it: all meta servers, the one that leads first.
    #[getter]
    fn pegasus_url(&self) -> PyResult<String> {
        self.with(testing::TestServer::pegasus_url)
    }

    /// Where memcached's clients find it.
    #[getter]
    fn memcached_url(&self) -> PyResult<String> {
        self.with(testing::TestServer::memcached_url)
    }

    /// Where memcached's clients find it over TLS, if it is served so.
    #[getter]
    fn memcached_tls_url(&self) -> PyResult<Option<String>> {
        self.with(testing::TestServer::memcached_tls_url)
    }

    /// Where TiKV's clients find it: PD.
    #[getter]
    fn tikv_url(&self) -> PyResult<String> {
        self.with(testing::TestServer::tikv_url)
    }

    /// What clients over TLS need, where there is TLS.
    #[getter]
    fn certificates(&self) -> Option<Certificates> {
        self.certificates.clone().map(Certificates)
    }

    /// The time by which rows and items expire: the system's, which a test can put ahead.
    #[getter]
    fn clock(&self) -> PyResult<Clock> {
        self.with(|server| Clock(server.clock().clone()))
    }

    /// What a test can do to Pegasus.
    #[getter]
    fn pegasus(&self) -> PyResult<Pegasus> {
        self.with(|server| Pegasus::new(self.reach.clone(), server.pegasus()))
    }

    /// What a test can do to memcached.
    #[getter]
    fn memcached(&self) -> PyResult<Memcached> {
        self.with(|server| Memcached::new(self.reach.clone(), server.memcached()))
    }

    /// What a test can do to TiKV.
    #[getter]
    fn tikv(&self) -> PyResult<Tikv> {
        self.with(|server| Tikv::new(self.reach.clone(), server.tikv()))
    }

    /// Stops it. A folder can be opened again then.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let server = self.server.get()?.lock().take();
        if let Some(server) = server {
            self.reach.run(py, server.shutdown());
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

/// One that nobody has stopped stops by itself.
impl Drop for TestServer {
    fn drop(&mut self) {
        if let Ok(server) = self.server.get()
            && let Some(server) = server.lock().take()
        {
            drop(self.reach.runtime.spawn(server.shutdown()));
        }
    }
}

/// Where data is kept, and by which time.
fn kept(
    mut builder: Builder,
    memcached_durable: bool,
    data: Option<PathBuf>,
    clock_at: Option<Seconds>,
    latency: Option<Seconds>,
) -> Builder {
    if memcached_durable {
        builder = builder.memcached_durable();
    }
    if let Some(folder) = data {
        builder = builder.data(folder);
    }
    if let Some(at) = clock_at {
        builder = builder.clock(charioteer_engine::Clock::stopped_at(at.into()));
    }
    match latency {
        Some(latency) => builder.options(|options| options.latency = latency.into()),
        None => builder,
    }
}

fn api(name: &str) -> PyResult<TikvApi> {
    match name {
        "any" => Ok(TikvApi::Any),
        "v1" => Ok(TikvApi::V1),
        "v1ttl" => Ok(TikvApi::V1Ttl),
        "v2" => Ok(TikvApi::V2),
        _ => Err(PyValueError::new_err(format!("tikv_api={name:?}: \"any\", \"v1\", \"v1ttl\" or \"v2\" is expected"))),
    }
}

/// The time by which rows and items expire.
#[pyclass(frozen, module = "charioteer.testing")]
pub(crate) struct Clock(charioteer_engine::Clock);

#[pymethods]
impl Clock {
    /// Moves it forward.
    fn advance(&self, by: Seconds) {
        self.0.advance(by.into());
    }

    /// The seconds since 1970.
    fn now(&self) -> f64 {
        self.0.now().as_secs_f64()
    }
}

/// An authority that nobody knows, a server's certificate and a client's, made by it, in PEM.
#[pyclass(frozen, module = "charioteer.testing")]
pub(crate) struct Certificates(testing::Certificates);

#[pymethods]
impl Certificates {
    /// The authority's certificate, which clients are to trust.
    #[getter]
    fn authority(&self) -> &str {
        &self.0.authority
    }

    /// The server's certificate.
    #[getter]
    fn server_certificate(&self) -> &str {
        &self.0.server_certificate
    }

    /// The server's key.
    #[getter]
    fn server_key(&self) -> &str {
        &self.0.server_key
    }

    /// The client's certificate.
    #[getter]
    fn client_certificate(&self) -> &str {
        &self.0.client_certificate
    }

    /// The client's key.
    #[getter]
    fn client_key(&self) -> &str {
        &self.0.client_key
    }
}
