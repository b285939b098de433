//! What is told of tables and servers.

use std::collections::BTreeMap;

use charioteer_proto::pegasus::meta::{self, AppInfo, PartitionConfiguration, app_status, node_status};
use charioteer_proto::pegasus::special::RpcAddress;

/// What a table is at the moment.
///
/// ```
/// use charioteer::pegasus::TableStatus;
///
/// assert_ne!(TableStatus::Available, TableStatus::Dropped);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableStatus {
    /// In use.
    Available,
    /// Being made.
    Creating,
    /// Dropped, and kept for a while.
    Dropped,
    /// Something else, by its number.
    Other(i32),
}

/// A table, as the cluster lists it.
///
/// ```
/// # fn show(table: &charioteer::pegasus::TableInfo) {
/// println!("{} has {} partitions", table.name, table.partition_count);
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableInfo {
    /// Its id, which no other table ever has.
    pub id: i32,
    /// Its name; a dropped table's may be used by another.
    pub name: String,
    /// What it is at the moment.
    pub status: TableStatus,
    /// How many partitions it has.
    pub partition_count: i32,
    /// On how many servers each partition is.
    pub replica_count: i32,
    /// Its environment.
    pub envs: BTreeMap<String, String>,
    /// When it was made, in seconds since 1970; 0 where that is not known.
    pub created: i64,
    /// When it was dropped, likewise.
    pub dropped: i64,
    /// Until when it can be recalled, likewise.
    pub kept_until: i64,
}

impl From<AppInfo> for TableInfo {
    fn from(app: AppInfo) -> Self {
        let envs = app.envs.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_str().to_owned()));
        Self {
            id: app.app_id,
            name: app.app_name.as_str().to_owned(),
            status: match app.status {
                app_status::AVAILABLE => TableStatus::Available,
                app_status::CREATING => TableStatus::Creating,
                app_status::DROPPED => TableStatus::Dropped,
                other => TableStatus::Other(other),
            },
            partition_count: app.partition_count,
            replica_count: app.max_replica_count,
            envs: envs.collect(),
            created: app.create_second,
            dropped: app.drop_second,
            kept_until: app.expire_second,
        }
    }
}

/// A replica server.
///
/// ```
/// # fn show(node: &charioteer::pegasus::NodeInfo) {
/// println!("{} {}", node.address, if node.is_alive { "is there" } else { "is gone" });
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeInfo {
    /// Where it listens.
    pub address: String,
    /// Its name and port, where the cluster tells them.
    pub host: Option<String>,
    /// Whether the cluster hears of it.
    pub is_alive: bool,
}

impl From<&meta::NodeInfo> for NodeInfo {
    fn from(node: &meta::NodeInfo) -> Self {
        Self {
            address: address(node.node).unwrap_or_default(),
            host: node.hp_node.as_ref().map(ToString::to_string),
            is_alive: node.status == node_status::ALIVE,
        }
    }
}

/// Where one partition is.
///
/// ```
/// # fn show(partition: &charioteer::pegasus::PartitionInfo) {
/// println!("{}: {}", partition.index, partition.primary.as_deref().unwrap_or("nobody"));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionInfo {
    /// Its index, from 0.
    pub index: i32,
    /// How often its servers have changed.
    pub ballot: i64,
    /// The server that answers for it, if there is one.
    pub primary: Option<String>,
    /// The servers that have a copy.
    pub secondaries: Vec<String>,
}

impl From<&PartitionConfiguration> for PartitionInfo {
    fn from(partition: &PartitionConfiguration) -> Self {
        Self {
            index: partition.pid.index,
            ballot: partition.ballot,
            primary: address(partition.primary),
            secondaries: partition.secondaries.iter().filter_map(|secondary| address(*secondary)).collect(),
        }
    }
}

fn address(address: RpcAddress) -> Option<String> {
    address.socket().map(|socket| socket.to_string())
}
