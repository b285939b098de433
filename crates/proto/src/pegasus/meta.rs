//! What travels between clients and meta servers: where a table's partitions are, and the making and dropping of tables.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::special::{ErrorCode, HostPort, PartitionId, RpcAddress, Text};
use super::thrift::thrift_structs;

/// The values of `app_status`.
pub mod app_status {
    /// In a request: tables of every status.
    pub const INVALID: i32 = 0;
    /// In use.
    pub const AVAILABLE: i32 = 1;
    /// Being made.
    pub const CREATING: i32 = 2;
    /// Dropped, and kept for a while so that it can be recalled.
    pub const DROPPED: i32 = 6;
}

/// The values of `node_status`.
pub mod node_status {
    /// In a request: nodes of every status.
    pub const INVALID: i32 = 0;
    /// Serving.
    pub const ALIVE: i32 = 1;
    /// Not heard of.
    pub const UNALIVE: i32 = 2;
}

/// The values of `app_env_operation`.
pub mod env_operation {
    /// Set the given ones.
    pub const SET: i32 = 1;
    /// Delete the given ones.
    pub const DELETE: i32 = 2;
    /// Delete all, or all that begin with a prefix.
    pub const CLEAR: i32 = 3;
}

thrift_structs! {
    /// Asks where the partitions of a table are; no indices means all.
    QueryCfgRequest = "query_cfg_request" {
        1 app_name: Text,
        2 partition_indices: Vec<i32>,
    }

    /// Says where they are. An unknown table is an error here, not one of the frame.
    QueryCfgResponse = "query_cfg_response" {
        1 err: ErrorCode,
        2 app_id: i32,
        3 partition_count: i32,
        4 is_stateful: bool,
        5 partitions: Vec<PartitionConfiguration>,
    }

    /// The replicas of one partition.
    PartitionConfiguration = "partition_configuration" {
        1 pid: PartitionId,
        2 ballot: i64,
        3 max_replica_count: i32,
        4 primary: RpcAddress,
        5 secondaries: Vec<RpcAddress>,
        6 last_drops: Vec<RpcAddress>,
        7 last_committed_decree: i64,
        8 partition_flags: i32,
        9 hp_primary: Option<HostPort>,
        10 hp_secondaries: Option<Vec<HostPort>>,
        11 hp_last_drops: Option<Vec<HostPort>>,
    }

    /// A table, as it is listed.
    AppInfo = "app_info" {
        1 status: i32,
        2 app_type: Text,
        3 app_name: Text,
        4 app_id: i32,
        5 partition_count: i32,
        6 envs: BTreeMap<Text, Text>,
        7 is_stateful: bool,
        8 max_replica_count: i32,
        9 expire_second: i64,
        10 create_second: i64,
        11 drop_second: i64,
        12 duplicating: Option<bool>,
        13 init_partition_count: i32 = -1,
        14 is_bulk_loading: Option<bool>,
        15 atomic_idempotent: Option<bool>,
    }

    /// How a table is to be made.
    CreateAppOptions = "create_app_options" {
        1 partition_count: i32,
        2 replica_count: i32,
        3 success_if_exist: bool,
        4 app_type: Text,
        5 is_stateful: bool,
        6 envs: BTreeMap<Text, Text>,
        7 atomic_idempotent: Option<bool>,
    }

    /// Makes a table.
    CreateAppRequest = "configuration_create_app_request" {
        1 app_name: Text,
        2 options: CreateAppOptions,
    }

    /// Answers with the new table's id.
    CreateAppResponse = "configuration_create_app_response" {
        1 err: ErrorCode,
        2 appid: i32,
    }

    /// How a table is to be dropped; without `reserve_seconds` it is kept for the default time.
    DropAppOptions = "drop_app_options" {
        1 success_if_not_exist: bool,
        2 reserve_seconds: Option<i64>,
    }

    /// Drops a table.
    DropAppRequest = "configuration_drop_app_request" {
        1 app_name: Text,
        2 options: DropAppOptions,
    }

    /// Answers a drop.
    DropAppResponse = "configuration_drop_app_response" {
        1 err: ErrorCode,
    }

    /// Brings a dropped table back, under its old name or a new one.
    RecallAppRequest = "configuration_recall_app_request" {
        1 app_id: i32,
        2 new_app_name: Text,
    }

    /// Answers a recall.
    RecallAppResponse = "configuration_recall_app_response" {
        1 err: ErrorCode,
        2 info: AppInfo,
    }

    /// Renames a table.
    RenameAppRequest = "configuration_rename_app_request" {
        1 old_app_name: Text,
        2 new_app_name: Text,
    }

    /// Answers a rename.
    RenameAppResponse = "configuration_rename_app_response" {
        1 err: ErrorCode,
        2 hint_message: Text,
    }

    /// Lists tables of a status whose names match a pattern.
    ListAppsRequest = "configuration_list_apps_request" {
        1 status: i32,
        2 app_name_pattern: Option<Text>,
        3 match_type: Option<i32>,
    }

    /// The tables.
    ListAppsResponse = "configuration_list_apps_response" {
        1 err: ErrorCode,
        2 infos: Vec<AppInfo>,
        3 hint_message: Option<Text>,
    }

    /// Lists nodes of a status.
    ListNodesRequest = "configuration_list_nodes_request" {
        1 status: i32,
    }

    /// A replica server.
    NodeInfo = "node_info" {
        1 status: i32,
        2 node: RpcAddress,
        3 hp_node: Option<HostPort>,
    }

    /// The replica servers.
    ListNodesResponse = "configuration_list_nodes_response" {
        1 err: ErrorCode,
        2 infos: Vec<NodeInfo>,
    }

    /// Asks what the cluster is.
    ClusterInfoRequest = "configuration_cluster_info_request" {}

    /// Facts about the cluster, keys and values in the same order.
    ClusterInfoResponse = "configuration_cluster_info_response" {
        1 err: ErrorCode,
        2 keys: Vec<Text>,
        3 values: Vec<Text>,
    }

    /// Changes a table's environment, see [`env_operation`].
    UpdateAppEnvRequest = "configuration_update_app_env_request" {
        1 app_name: Text,
        2 op: i32,
        3 keys: Option<Vec<Text>>,
        4 values: Option<Vec<Text>>,
        5 clear_prefix: Option<Text>,
    }

    /// Answers with what was wrong, where something was.
    UpdateAppEnvResponse = "configuration_update_app_env_response" {
        1 err: ErrorCode,
        2 hint_message: Text,
    }
}
