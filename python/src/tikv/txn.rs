//! Transactions, and the past.

use charioteer::Error;
use charioteer::tikv::{self, GcOptions, Locking, Timestamp, TxnOptions};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::snapshot::Made;
use super::transaction::Begun;
use super::{options, pipelined, run};
use crate::bridge::{self, Key, Line, Own, Seconds, async_face, object, python, raised, sync_face};

/// What both transactional clients have.
#[pyclass(frozen, subclass, name = "_TxnClient", module = "charioteer.tikv")]
pub(crate) struct TxnBase {
    line: Line,
    client: Own<tikv::TxnClient>,
}

/// A client of the transactional keys of a cluster, whose caller waits.
#[pyclass(frozen, extends = TxnBase, name = "TxnClient", module = "charioteer.tikv")]
pub(crate) struct TxnClient;

/// A client of the transactional keys of a cluster, for asyncio.
#[pyclass(frozen, extends = TxnBase, name = "AsyncTxnClient", module = "charioteer.tikv")]
pub(crate) struct AsyncTxnClient;

impl TxnBase {
    fn new(line: Line, pd: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        bridge::listen(pd.py())?;
        let options = options::client(pd, options)?;
        let client = {
            let _entered = line.enter();
            tikv::TxnClient::new(options)
        };
        Ok(Self { line, client: Own::new(client.map_err(|error| raised(pd.py(), &error))?) })
    }

    fn handle<'py>(&self, py: Python<'py>, client: tikv::TxnClient) -> PyResult<Bound<'py, PyAny>> {
        let base = Self { line: self.line.clone(), client: Own::new(client) };
        object!(py, self.line, base => TxnClient | AsyncTxnClient)
    }

    fn begins<'py>(&self, py: Python<'py>, options: TxnOptions) -> PyResult<Bound<'py, PyAny>> {
        let (client, line) = (self.client.get()?.clone(), self.line.clone());
        self.line.carry(py, async move { Ok::<_, Error>(Begun(line, client.begin_with(&options).await?)) })
    }
}

sync_face! { TxnClient: TxnBase {
    #[new]
    #[pyo3(signature = (pd, **options))]
    fn new(pd: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<PyClassInitializer<Self>> {
        Ok(PyClassInitializer::from(TxnBase::new(Line::wait()?, pd, options)?).add_subclass(Self))
    }
} }

async_face! { AsyncTxnClient: TxnBase {
    #[new]
    #[pyo3(signature = (pd, **options))]
    fn new(pd: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<PyClassInitializer<Self>> {
        Ok(PyClassInitializer::from(TxnBase::new(Line::post(None)?, pd, options)?).add_subclass(Self))
    }
} }

#[pymethods]
impl TxnBase {
    /// The servers of PD, each with its port.
    #[getter]
    fn pd_servers(&self) -> PyResult<Vec<String>> {
        Ok(self.client.get()?.options().pd_servers())
    }

    /// The same client, each of whose calls may take so long, and each call of its transactions and snapshots unless they are told
    /// otherwise.
    fn with_timeout<'py>(&self, py: Python<'py>, timeout: Seconds) -> PyResult<Bound<'py, PyAny>> {
        self.handle(py, self.client.get()?.clone().with_timeout(timeout.into()))
    }

    /// Begins an optimistic transaction: keys are locked when it is committed, which fails if others have written them meanwhile.
    #[pyo3(signature = (**options))]
    fn begin<'py>(&self, py: Python<'py>, options: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        self.begins(py, options::txn(options, Locking::Optimistic)?)
    }

    /// Begins a pessimistic transaction: keys are locked when they are written, or read for that.
    #[pyo3(signature = (**options))]
    fn begin_pessimistic<'py>(
        &self,
        py: Python<'py>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.begins(py, options::txn(options, Locking::Pessimistic)?)
    }

    /// Begins a transaction that is written bit by bit, for more than fits into memory, or into one commit. It is optimistic.
    #[pyo3(signature = (**options))]
    fn begin_pipelined<'py>(
        &self,
        py: Python<'py>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, options) = (self.client.get()?.clone(), options::pipelined(options)?);
        self.line.carry(py, pipelined::Begun::by(self.line.clone(), client, options))
    }

    /// Carries out a function in a transaction, commits it, and does both again where another transaction has come in between.
    #[pyo3(signature = (work, **options))]
    fn run<'py>(
        &self,
        py: Python<'py>,
        work: &Bound<'py, PyAny>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = options::txn(options, Locking::Optimistic)?;
        let attempts = run::begin(py, &self.line, self.client.get()?.clone(), options)?;
        let run = if self.line.is_async() {
            python!(py, "charioteer.tikv._run", "run_async")
        } else {
            python!(py, "charioteer.tikv._run", "run")
        };
        run?.call1((attempts, work))
    }

    /// All keys as they are now, or as they were at a timestamp that PD has given before.
    #[pyo3(signature = (at = None, **options))]
    fn snapshot<'py>(
        &self,
        py: Python<'py>,
        at: Option<u64>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, line) = (self.client.get()?.clone(), self.line.clone());
        let options = options.map(|options| options::snapshot(Some(options))).transpose()?;
        self.line.carry(py, async move {
            let snapshot = match (at, options) {
                (None, None) => client.snapshot().await?,
                (at, options) => {
                    let at = match at {
                        Some(at) => Timestamp::from(at),
                        None => client.timestamp().await?,
                    };
                    client.snapshot_at(at, &options.unwrap_or_default()).await?
                }
            };
            Ok::<_, Error>(Made(line, snapshot))
        })
    }

    /// A timestamp of PD's clock, greater than all that were given before.
    fn timestamp<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.timestamp().await })
    }

    /// So many timestamps one after the other.
    fn timestamps<'py>(&self, py: Python<'py>, count: u32) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move {
            let given = client.timestamps(count).await?;
            Ok::<_, Error>((u64::from(*given.start())..=u64::from(*given.end())).collect::<Vec<_>>())
        })
    }

    /// The cluster's number.
    fn cluster_id<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.cluster_id().await })
    }

    /// The regions that hold a range, in the order of their keys.
    #[pyo3(signature = (start = Key::default(), end = Key::default()))]
    fn regions<'py>(&self, py: Python<'py>, start: Key, end: Key) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.regions(start, end).await })
    }

    /// Has regions begin at keys, and tells the new ones' numbers.
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

    /// How much of the past is kept.
    fn gc_state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.gc_state().await })
    }

    /// Keeps the past from a timestamp on, under a name, until it is released or for so long; setting it again moves it.
    #[pyo3(signature = (name, at, *, ttl = None))]
    fn hold_gc<'py>(
        &self,
        py: Python<'py>,
        name: String,
        at: u64,
        ttl: Option<Seconds>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.hold_gc(&name, at.into(), ttl.map(Into::into)).await })
    }

    /// Ends what `hold_gc` has begun.
    fn release_gc<'py>(&self, py: Python<'py>, name: String) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.release_gc(&name).await })
    }

    /// Up to where a copy of the data is complete, as whoever makes the copy has said; 0 when nobody has.
    fn external_timestamp<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.external_timestamp().await })
    }

    /// Says it. It goes only forwards, and not beyond what PD has given.
    fn set_external_timestamp<'py>(&self, py: Python<'py>, at: u64) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.set_external_timestamp(at.into()).await })
    }

    /// Forgets what was overwritten before a timestamp, as far as nobody keeps it, and tells how far that was. Before stores forget
    /// anything others are given so long to learn of it, ten seconds unless something else is said.
    #[pyo3(signature = (safe_point, *, wait = None))]
    fn gc<'py>(&self, py: Python<'py>, safe_point: u64, wait: Option<Seconds>) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        let mut options = GcOptions::default();
        options.wait = wait.map_or(options.wait, Into::into);
        self.line.carry(py, async move { client.gc_with(safe_point.into(), &options).await })
    }

    /// The locks of transactions that began at a timestamp or before, on the keys of a range.
    #[pyo3(signature = (start, end, at, *, limit = 1024))]
    fn scan_locks<'py>(
        &self,
        py: Python<'py>,
        start: Key,
        end: Key,
        at: u64,
        limit: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.scan_locks(start, end, at.into(), limit).await })
    }

    /// Does away with the locks of transactions that have ended or are out of time; tells how many are left.
    fn resolve_locks<'py>(&self, py: Python<'py>, start: Key, end: Key, at: u64) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.resolve_locks(start, end, at.into()).await })
    }

    /// Deletes all versions of all keys of a range, region by region. No transaction sees to it that this happens at once.
    fn delete_range<'py>(&self, py: Python<'py>, start: Key, end: Key) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.delete_range(start, end).await })
    }

    /// The same on all stores at once, for what will never be used again, not even by transactions under way.
    fn unsafe_destroy_range<'py>(&self, py: Python<'py>, start: Key, end: Key) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.unsafe_destroy_range(start, end).await })
    }

    /// Waits until all that is done in the background has been done, or given up.
    fn settled<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move {
            client.settled().await;
            Ok::<_, Error>(())
        })
    }

    /// What the client has asked of stores so far, by kind of command. Those that were never sent are left out.
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
        Ok(format!("<charioteer.tikv.{} of {pds}>", if self.line.is_async() { "AsyncTxnClient" } else { "TxnClient" }))
    }
}
