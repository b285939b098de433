//! Making, dropping and listing tables.

use std::collections::BTreeMap;
use std::time::Duration;

use charioteer::pegasus::{Admin as Calls, CreateTableOptions, NodeInfo, PartitionInfo, TableInfo, TableStatus};
use pyo3::prelude::*;

use crate::bridge::{Answer, Line, Own, Seconds, python};

/// What sync and asyncio classes have in common.
#[pyclass(subclass, frozen, module = "charioteer.pegasus", name = "_Admin")]
pub(crate) struct AdminBase {
    line: Line,
    admin: Own<Calls>,
}

impl AdminBase {
    pub(super) fn new(line: Line, admin: Calls) -> Self {
        Self { line, admin: Own::new(admin) }
    }
}

/// Makes, drops and lists tables.
#[pyclass(extends = AdminBase, frozen, module = "charioteer.pegasus")]
pub(crate) struct Admin;

/// Makes, drops and lists tables, for asyncio.
#[pyclass(extends = AdminBase, frozen, module = "charioteer.pegasus")]
pub(crate) struct AsyncAdmin;

#[pymethods]
impl AdminBase {
    /// Makes a table, waits until its partitions can be used, and gives its id.
    #[pyo3(signature = (name, *, partition_count=8, replica_count=3, envs=None, success_if_exists=false, wait=Seconds(Duration::from_secs(30))))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords")]
    fn create_table<'py>(
        &self,
        py: Python<'py>,
        name: String,
        partition_count: u32,
        replica_count: u32,
        envs: Option<BTreeMap<String, String>>,
        success_if_exists: bool,
        wait: Seconds,
    ) -> PyResult<Bound<'py, PyAny>> {
        let admin = self.admin.get()?.clone();
        let mut options = CreateTableOptions::default();
        (options.partition_count, options.replica_count) = (partition_count, replica_count);
        (options.envs, options.success_if_exists) = (envs.unwrap_or_default(), success_if_exists);
        options.wait = wait.into();
        self.line.carry(py, async move { admin.create_table(&name, &options).await })
    }

    /// Drops a table. It is kept for so long, in which it can be recalled; without `keep`, as long as the cluster has it.
    #[pyo3(signature = (name, *, keep=None))]
    fn drop_table<'py>(&self, py: Python<'py>, name: String, keep: Option<Seconds>) -> PyResult<Bound<'py, PyAny>> {
        let admin = self.admin.get()?.clone();
        self.line.carry(py, async move { admin.drop_table(&name, keep.map(Into::into)).await })
    }

    /// Brings a dropped table back, under its name or another.
    #[pyo3(signature = (id, new_name=None))]
    fn recall_table<'py>(&self, py: Python<'py>, id: i32, new_name: Option<String>) -> PyResult<Bound<'py, PyAny>> {
        let admin = self.admin.get()?.clone();
        self.line.carry(py, async move { admin.recall_table(id, new_name.as_deref()).await })
    }

    /// Gives a table another name.
    fn rename_table<'py>(&self, py: Python<'py>, name: String, new_name: String) -> PyResult<Bound<'py, PyAny>> {
        let admin = self.admin.get()?.clone();
        self.line.carry(py, async move { admin.rename_table(&name, &new_name).await })
    }

    /// The tables that can be used.
    fn list_tables<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let admin = self.admin.get()?.clone();
        self.line.carry(py, async move { admin.list_tables().await })
    }

    /// All tables, those that were dropped and can be recalled among them.
    fn list_all_tables<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let admin = self.admin.get()?.clone();
        self.line.carry(py, async move { admin.list_all_tables().await })
    }

    /// The servers that keep data.
    fn list_nodes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let admin = self.admin.get()?.clone();
        self.line.carry(py, async move { admin.list_nodes().await })
    }

    /// What the cluster says of itself, by name.
    fn cluster_info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let admin = self.admin.get()?.clone();
        self.line.carry(py, async move {
            admin.cluster_info().await.map(|info| info.into_iter().collect::<BTreeMap<_, _>>())
        })
    }

    /// Where a table's partitions are, in their order.
    fn partitions<'py>(&self, py: Python<'py>, name: String) -> PyResult<Bound<'py, PyAny>> {
        let admin = self.admin.get()?.clone();
        self.line.carry(py, async move { admin.partitions(&name).await })
    }

    /// A table's environment.
    fn table_envs<'py>(&self, py: Python<'py>, name: String) -> PyResult<Bound<'py, PyAny>> {
        let admin = self.admin.get()?.clone();
        self.line.carry(py, async move { admin.table_envs(&name).await })
    }

    /// Sets some of a table's environment.
    fn set_table_envs<'py>(
        &self,
        py: Python<'py>,
        name: String,
        envs: BTreeMap<String, String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let admin = self.admin.get()?.clone();
        self.line.carry(py, async move { admin.set_table_envs(&name, envs).await })
    }

    /// Removes some of a table's environment.
    fn del_table_envs<'py>(&self, py: Python<'py>, name: String, envs: Vec<String>) -> PyResult<Bound<'py, PyAny>> {
        let admin = self.admin.get()?.clone();
        self.line.carry(py, async move { admin.del_table_envs(&name, envs).await })
    }

    /// Removes all of a table's environment, or what begins with a prefix.
    #[pyo3(signature = (name, prefix=String::new()))]
    fn clear_table_envs<'py>(&self, py: Python<'py>, name: String, prefix: String) -> PyResult<Bound<'py, PyAny>> {
        let admin = self.admin.get()?.clone();
        self.line.carry(py, async move { admin.clear_table_envs(&name, &prefix).await })
    }

    /// Has a server, `host:port`, carry out a command, and gives what it says.
    #[pyo3(signature = (server, command, arguments=Vec::new()))]
    fn remote_command<'py>(
        &self,
        py: Python<'py>,
        server: String,
        command: String,
        arguments: Vec<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let admin = self.admin.get()?.clone();
        self.line.carry(py, async move { admin.remote_command(&server, &command, arguments).await })
    }
}

impl Answer for TableInfo {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let status = match self.status {
            TableStatus::Available => "available".to_owned(),
            TableStatus::Creating => "creating".to_owned(),
            TableStatus::Dropped => "dropped".to_owned(),
            TableStatus::Other(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        let Self { id, name, partition_count, replica_count, envs, created, dropped, kept_until, .. } = self;
        python!(py, "charioteer.pegasus", "TableInfo")?.call1((
            id,
            name,
            status,
            partition_count,
            replica_count,
            envs,
            created,
            dropped,
            kept_until,
        ))
    }
}

impl Answer for NodeInfo {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        python!(py, "charioteer.pegasus", "NodeInfo")?.call1((self.address, self.host, self.is_alive))
    }
}

impl Answer for PartitionInfo {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let Self { index, ballot, primary, secondaries, .. } = self;
        python!(py, "charioteer.pegasus", "PartitionInfo")?.call1((index, ballot, primary, secondaries))
    }
}
