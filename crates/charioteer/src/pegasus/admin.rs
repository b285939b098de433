//! Making, dropping and listing tables, and what a cluster says of itself.

mod calls;
mod info;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use charioteer_proto::pegasus::meta::{
    AppInfo, ClusterInfoRequest, CreateAppOptions, CreateAppRequest, DropAppOptions, DropAppRequest, ListAppsRequest,
    ListNodesRequest, RecallAppRequest, RenameAppRequest, UpdateAppEnvRequest, app_status, env_operation, node_status,
};
use charioteer_proto::pegasus::special::Text;

use super::cluster::Cluster;
use super::meta::{self, QueryTable};
use crate::error::{Error, ErrorKind, Failure};
use crate::net::Address;
use calls::{
    ClusterInfo, CreateTable, DropTable, ListNodes, ListTables, QueryReady, RecallTable, RemoteCommand, RenameTable,
    UpdateEnvs,
};
pub use info::{NodeInfo, PartitionInfo, TableInfo, TableStatus};

/// How a table is made.
///
/// ```
/// use charioteer::pegasus::CreateTableOptions;
///
/// let mut options = CreateTableOptions::default();
/// options.partition_count = 16;
/// options.envs.insert("default_ttl".into(), "86400".into());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateTableOptions {
    /// How many partitions it has; a power of two, for the sake of other clients. Default 8.
    pub partition_count: u32,
    /// On how many servers each partition is. Default 3.
    pub replica_count: u32,
    /// Its environment. Default empty.
    pub envs: BTreeMap<String, String>,
    /// Whether a table that is there already, and the same, is no error. Default no.
    pub success_if_exists: bool,
    /// How long to wait until all its partitions have all their replicas. Default 30 s; nothing does not wait.
    pub wait: Duration,
}

impl Default for CreateTableOptions {
    fn default() -> Self {
        Self {
            partition_count: 8,
            replica_count: 3,
            envs: BTreeMap::new(),
            success_if_exists: false,
            wait: Duration::from_secs(30),
        }
    }
}

/// Administers a cluster. Clones are cheap.
///
/// ```
/// use charioteer::pegasus::{Client, CreateTableOptions};
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), charioteer::Error> {
/// let server = TestServer::start().await;
/// let admin = Client::connect(&server.pegasus_url()).await?.admin();
/// admin.create_table("mine", &CreateTableOptions::default()).await?;
/// let tables = admin.list_tables().await?;
/// assert!(tables.iter().any(|table| table.name == "mine"));
/// admin.drop_table("mine", None).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Admin {
    cluster: Arc<Cluster>,
}

impl Admin {
    pub(super) fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster }
    }

    /// Makes a table, waits until it can be used, and gives its id.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] when there is one of this name; [`ErrorKind::InvalidArgument`] when there is one that is not the
    /// same, or the cluster does not take the options; [`ErrorKind::Timeout`] when it was made and is not ready in time.
    pub async fn create_table(&self, name: &str, options: &CreateTableOptions) -> Result<i32, Error> {
        let table = named("create_table", name)?;
        let count = |what: &str, count: u32| {
            let invalid = || Error::invalid("create_table", format!("{what}: {count} is no such number")).on(&table);
            i32::try_from(count).ok().filter(|count| *count > 0).ok_or_else(invalid)
        };
        let envs = options.envs.iter().map(|(name, value)| (Text::from(&**name), Text::from(&**value)));
        let app = CreateAppOptions {
            partition_count: count("partition_count", options.partition_count)?,
            replica_count: count("replica_count", options.replica_count)?,
            success_if_exist: options.success_if_exists,
            app_type: Text::from_static("pegasus"),
            is_stateful: true,
            envs: envs.collect(),
            atomic_idempotent: None,
        };
        let request = CreateAppRequest { app_name: Text::from(name), options: app };
        let made = self.run(&CreateTable(request), Some(&table)).await?;
        if !options.wait.is_zero() {
            let ready = QueryReady::new(name, usize::try_from(options.replica_count).unwrap_or(1));
            let waited = meta::run_for(&self.cluster, &ready, Some(&table), options.wait, u32::MAX).await;
            // Waiting has changed nothing, but the table is there.
            waited.map_err(Error::unknown)?;
        }
        Ok(made.appid)
    }

    /// Drops a table. The cluster keeps it for so long, during which it can be recalled; `None` is the cluster's own time.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such table.
    pub async fn drop_table(&self, name: &str, keep: Option<Duration>) -> Result<(), Error> {
        let table = named("drop_table", name)?;
        let reserve_seconds = keep.map(|keep| i64::try_from(keep.as_secs()).unwrap_or(i64::MAX));
        let options = DropAppOptions { success_if_not_exist: false, reserve_seconds };
        self.run(&DropTable(DropAppRequest { app_name: Text::from(name), options }), Some(&table)).await?;
        Ok(())
    }

    /// Brings back a table that was dropped, by its id, under its old name or a new one.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none, or it is kept no more; [`ErrorKind::AlreadyExists`] or
    /// [`ErrorKind::InvalidArgument`] when it was not dropped, or the name is taken.
    pub async fn recall_table(&self, id: i32, new_name: Option<&str>) -> Result<TableInfo, Error> {
        let new_app_name = Text::from(new_name.unwrap_or_default());
        let recalled = self.run(&RecallTable(RecallAppRequest { app_id: id, new_app_name }), None).await?;
        Ok(TableInfo::from(recalled.info))
    }

    /// Gives a table another name.
    ///
    /// # Errors
    /// When there is no such table, or the name is taken.
    pub async fn rename_table(&self, name: &str, new_name: &str) -> Result<(), Error> {
        let table = named("rename_table", name)?;
        named("rename_table", new_name)?;
        let request = RenameAppRequest { old_app_name: Text::from(name), new_app_name: Text::from(new_name) };
        self.run(&RenameTable(request), Some(&table)).await?;
        Ok(())
    }

    /// The tables that are in use.
    ///
    /// # Errors
    /// When no meta server answers.
    pub async fn list_tables(&self) -> Result<Vec<TableInfo>, Error> {
        Ok(self.list(app_status::AVAILABLE).await?.into_iter().map(TableInfo::from).collect())
    }

    /// All tables, those too that are being made or were dropped and can be recalled.
    ///
    /// # Errors
    /// When no meta server answers.
    pub async fn list_all_tables(&self) -> Result<Vec<TableInfo>, Error> {
        Ok(self.list(app_status::INVALID).await?.into_iter().map(TableInfo::from).collect())
    }

    /// The replica servers, those too that are gone.
    ///
    /// # Errors
    /// When no meta server answers.
    pub async fn list_nodes(&self) -> Result<Vec<NodeInfo>, Error> {
        let request = ListNodesRequest { status: node_status::INVALID };
        let reply = self.run(&ListNodes(request), None).await?;
        Ok(reply.infos.iter().map(NodeInfo::from).collect())
    }

    /// What the cluster says of itself, such as `meta_servers` and `cluster_name`, in its order.
    ///
    /// # Errors
    /// When no meta server answers.
    pub async fn cluster_info(&self) -> Result<Vec<(String, String)>, Error> {
        let reply = self.run(&ClusterInfo(ClusterInfoRequest {}), None).await?;
        let pairs = reply.keys.iter().zip(&reply.values);
        Ok(pairs.map(|(name, value)| (name.as_str().to_owned(), value.as_str().to_owned())).collect())
    }

    /// Where the partitions of a table are, in their order.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such table.
    pub async fn partitions(&self, name: &str) -> Result<Vec<PartitionInfo>, Error> {
        let table = named("query_table", name)?;
        let reply = self.run(&QueryTable::new(name), Some(&table)).await?;
        let mut partitions: Vec<_> = reply.partitions.iter().map(PartitionInfo::from).collect();
        partitions.sort_unstable_by_key(|partition| partition.index);
        Ok(partitions)
    }

    /// A table's environment.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such table.
    pub async fn table_envs(&self, name: &str) -> Result<BTreeMap<String, String>, Error> {
        let tables = self.list_tables().await?;
        let table = tables.into_iter().find(|table| table.name == name);
        let missing = || {
            let failure = Failure::new(ErrorKind::NotFound, "there is no such table");
            Error::from(failure).during("table_envs").on(&Arc::from(name))
        };
        Ok(table.ok_or_else(missing)?.envs)
    }

    /// Sets some of a table's environment; the rest stays as it is.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such table, [`ErrorKind::InvalidArgument`] when the cluster knows no such name or takes
    /// no such value.
    pub async fn set_table_envs<N: AsRef<str>, V: AsRef<str>>(
        &self,
        name: &str,
        envs: impl IntoIterator<Item = (N, V)>,
    ) -> Result<(), Error> {
        let text = |(name, value): (N, V)| (Text::from(name.as_ref()), Text::from(value.as_ref()));
        let (names, values): (Vec<_>, Vec<_>) = envs.into_iter().map(text).unzip();
        if names.is_empty() {
            return Err(Error::invalid("set_table_envs", "nothing is to be set"));
        }
        let request =
            UpdateAppEnvRequest { op: env_operation::SET, keys: Some(names), values: Some(values), ..of(name) };
        self.update_envs("set_table_envs", name, request).await
    }

    /// Removes some of a table's environment.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such table.
    pub async fn del_table_envs<N: AsRef<str>>(
        &self,
        name: &str,
        envs: impl IntoIterator<Item = N>,
    ) -> Result<(), Error> {
        let names: Vec<_> = envs.into_iter().map(|name| Text::from(name.as_ref())).collect();
        if names.is_empty() {
            return Err(Error::invalid("del_table_envs", "nothing is to be removed"));
        }
        let request = UpdateAppEnvRequest { op: env_operation::DELETE, keys: Some(names), ..of(name) };
        self.update_envs("del_table_envs", name, request).await
    }

    /// Removes that part of a table's environment whose names begin with the prefix and a dot; an empty prefix removes all.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such table.
    pub async fn clear_table_envs(&self, name: &str, prefix: &str) -> Result<(), Error> {
        let clear_prefix = Some(Text::from(prefix));
        let request = UpdateAppEnvRequest { op: env_operation::CLEAR, clear_prefix, ..of(name) };
        self.update_envs("clear_table_envs", name, request).await
    }

    /// Gives a server a command of its own, such as `help`, and what it says to it.
    ///
    /// # Errors
    /// When the address makes no sense, or the server does not answer.
    pub async fn remote_command<A: AsRef<str>>(
        &self,
        server: &str,
        command: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<String, Error> {
        let address = Address::parse(server, super::options::DEFAULT_PORT)
            .map_err(|why| Error::invalid("remote_command", format!("server {why}")))?;
        RemoteCommand::new(command, arguments).run(&self.cluster, &address).await
    }

    async fn list(&self, status: i32) -> Result<Vec<AppInfo>, Error> {
        let request = ListAppsRequest { status, ..ListAppsRequest::default() };
        Ok(self.run(&ListTables(request), None).await?.infos)
    }

    async fn update_envs(
        &self,
        operation: &'static str,
        name: &str,
        request: UpdateAppEnvRequest,
    ) -> Result<(), Error> {
        let table = named(operation, name)?;
        self.run(&UpdateEnvs(request), Some(&table)).await.map_err(|error| error.during(operation))?;
        Ok(())
    }

    async fn run<O: meta::MetaOperation>(&self, operation: &O, table: Option<&Arc<str>>) -> Result<O::Reply, Error> {
        meta::run(&self.cluster, operation, table, self.cluster.options.meta_timeout).await
    }
}

fn of(table: &str) -> UpdateAppEnvRequest {
    UpdateAppEnvRequest { app_name: Text::from(table), ..UpdateAppEnvRequest::default() }
}

/// A table's name that can be one.
fn named(operation: &'static str, name: &str) -> Result<Arc<str>, Error> {
    if name.is_empty() {
        return Err(Error::invalid(operation, "the table's name must not be empty"));
    }
    Ok(Arc::from(name))
}
