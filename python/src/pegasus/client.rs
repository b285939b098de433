//! A client of a cluster.

use std::path::PathBuf;

use charioteer::pegasus::{self, Options};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::admin::{Admin, AdminBase, AsyncAdmin};
use super::table::OpenTable;
use crate::bridge::{Line, Mailbox, Own, Seconds, async_face, object, raised, sync_face};
use crate::stats;

/// What sync and asyncio clients have in common, which is all but how answers come.
#[pyclass(subclass, frozen, module = "charioteer.pegasus", name = "_Client")]
pub(crate) struct ClientBase {
    line: Line,
    client: Own<pegasus::Client>,
}

impl ClientBase {
    fn new(py: Python<'_>, line: Line, options: Options) -> PyResult<Self> {
        crate::bridge::listen(py)?;
        let client = pegasus::Client::new(options).map_err(|error| raised(py, &error))?;
        Ok(Self { line, client: Own::new(client) })
    }
}

#[pymethods]
impl ClientBase {
    /// Opens a table. Opening one again gives another handle of what is known already.
    fn open_table<'py>(&self, py: Python<'py>, name: String) -> PyResult<Bound<'py, PyAny>> {
        let (line, client) = (self.line.clone(), self.client.get()?.clone());
        self.line.carry(py, async move { client.open_table(&name).await.map(|table| OpenTable { line, table }) })
    }

    /// Opens the table that the URL names.
    fn default_table<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (line, client) = (self.line.clone(), self.client.get()?.clone());
        self.line.carry(py, async move { client.default_table().await.map(|table| OpenTable { line, table }) })
    }

    /// Makes, drops and lists tables, and says what the cluster is.
    fn admin<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let base = AdminBase::new(self.line.clone(), self.client.get()?.admin());
        object!(py, self.line, base => Admin | AsyncAdmin)
    }

    /// The meta servers, each with its port.
    #[getter]
    fn meta_servers(&self) -> PyResult<Vec<String>> {
        Ok(self.client.get()?.options().meta_servers())
    }

    /// The table that the URL names.
    #[getter]
    fn table(&self) -> PyResult<Option<String>> {
        Ok(self.client.get()?.options().table().map(str::to_owned))
    }

    /// What the client has done so far, by kind of call. Calls that were never made are left out.
    fn call_stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        stats::calls(py, self.client.get()?.call_stats())
    }

    /// What its connections have seen so far.
    fn net_stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        stats::net(py, self.client.get()?.net_stats())
    }

    /// Ends all connections, at once. Calls that are under way end with an error, and so does every later one, on any of its tables.
    fn close(&self) {
        // In a child of the process that made it there is nothing to end, and what is raised there must not be hidden by that.
        if let Some(client) = self.client.unless_forked() {
            client.close();
        }
    }

    fn __repr__(&self) -> String {
        let class = if self.line.is_async() { "AsyncClient" } else { "Client" };
        let metas = self.client.get().map(|client| client.options().meta_servers().join(","));
        format!("<charioteer.pegasus.{class} {}>", metas.as_deref().unwrap_or("of the process before a fork"))
    }
}

/// What a client is told of its cluster: a URL, addresses, or the Go client's file.
fn options(cluster: &Bound<'_, PyAny>) -> PyResult<Options> {
    let py = cluster.py();
    let options = if let Ok(url) = cluster.cast::<PyString>() {
        Options::from_url(url.to_str()?)
    } else if cluster.hasattr("__fspath__")? {
        Options::from_json_file(cluster.extract::<PathBuf>()?)
    } else {
        let metas: Vec<String> = cluster.extract().map_err(|_| {
            PyTypeError::new_err("a URL is expected, such as \"pegasus://127.0.0.1:34601\", a list of meta servers, or the path of the Go client's file")
        })?;
        Options::new(metas)
    };
    options.map_err(|error| raised(py, &error))
}

/// Options that may be left out, each a parameter of the same name.
macro_rules! options_of {
    ($options:ident, times: $($time:ident)*, other: $($other:ident)*, optional: $($optional:ident)*) => {
        $(if let Some(Seconds(told)) = $time { $options.$time = told; })*
        $(if let Some(told) = $other { $options.$other = told; })*
        $(if let Some(Seconds(told)) = $optional { $options.$optional = Some(told); })*
    };
}

macro_rules! client_class {
    (
        $(#[$meta:meta])* $face:ident: $class:ident, $line:expr $(, $mailbox:ident: ($($given:tt)+))?
    ) => {
        $(#[$meta])*
        #[pyclass(extends = ClientBase, frozen, module = "charioteer.pegasus")]
        pub(crate) struct $class;

        $face! { $class: ClientBase {
            #[new]
            #[pyo3(signature = (
                cluster, *, operation_timeout=None, meta_timeout=None, connect_timeout=None, connections_per_node=None,
                attempts=None, hedge_after=None, compression=None, max_reply_bytes=None, host_names=None $(, $mailbox=None)?
            ))]
            #[expect(clippy::too_many_arguments, reason = "they are keywords, each of which may be left out")]
            fn new(
                cluster: &Bound<'_, PyAny>,
                operation_timeout: Option<Seconds>,
                meta_timeout: Option<Seconds>,
                connect_timeout: Option<Seconds>,
                connections_per_node: Option<usize>,
                attempts: Option<u32>,
                hedge_after: Option<Seconds>,
                compression: Option<bool>,
                max_reply_bytes: Option<usize>,
                host_names: Option<bool>,
                $($mailbox: $($given)+)?
            ) -> PyResult<PyClassInitializer<Self>> {
                let mut told = options(cluster)?;
                options_of!(told,
                    times: operation_timeout meta_timeout connect_timeout,
                    other: connections_per_node attempts compression max_reply_bytes host_names,
                    optional: hedge_after);
                let base = ClientBase::new(cluster.py(), $line, told)?;
                Ok(PyClassInitializer::from(base).add_subclass(Self))
            }
        } }
    };
}

client_class! {
    /// A client of a cluster of Apache Pegasus, whose calls wait for their answers.
    sync_face: Client, Line::wait()?
}

client_class! {
    /// A client of a cluster of Apache Pegasus, for asyncio: what its calls give is awaited.
    async_face: AsyncClient, Line::post(mailbox)?, mailbox: (Option<&Bound<'_, Mailbox>>)
}
