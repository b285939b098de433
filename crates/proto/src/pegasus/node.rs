//! What travels to any one server: remote commands, a replica server's tables and disks, and the negotiation of security.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use bytes::Bytes;

use super::meta::AppInfo;
use super::special::{ErrorCode, HostPort, PartitionId, RpcAddress, Text};
use super::thrift::thrift_structs;

/// The values of `negotiation_status`.
pub mod negotiation_status {
    /// The server asks for no authentication.
    pub const AUTH_DISABLED: i32 = 9;
}

thrift_structs! {
    /// A command for a server, such as `help`.
    Command = "command" {
        1 cmd: Text,
        2 arguments: Vec<Text>,
    }

    /// Asks a replica server for the tables it has replicas of.
    QueryAppInfoRequest = "query_app_info_request" {
        1 meta_server: RpcAddress,
        2 hp_meta_server: Option<HostPort>,
    }

    /// The tables.
    QueryAppInfoResponse = "query_app_info_response" {
        1 err: ErrorCode,
        2 apps: Vec<AppInfo>,
    }

    /// Asks a replica server for its disks.
    QueryDiskInfoRequest = "query_disk_info_request" {
        1 node: RpcAddress,
        2 app_name: Text,
        3 hp_node: Option<HostPort>,
    }

    /// One disk and the replicas on it.
    DiskInfo = "disk_info" {
        1 tag: Text,
        2 full_dir: Text,
        3 disk_capacity_mb: i64,
        4 disk_available_mb: i64,
        5 holding_primary_replicas: BTreeMap<i32, BTreeSet<PartitionId>>,
        6 holding_secondary_replicas: BTreeMap<i32, BTreeSet<PartitionId>>,
    }

    /// The disks.
    QueryDiskInfoResponse = "query_disk_info_response" {
        1 err: ErrorCode,
        2 total_capacity_mb: i64,
        3 total_available_mb: i64,
        4 disk_infos: Vec<DiskInfo>,
    }

    /// A step of the negotiation of security.
    NegotiationRequest = "negotiation_request" {
        1 status: i32,
        2 msg: Bytes,
    }

    /// The server's step.
    NegotiationResponse = "negotiation_response" {
        1 status: i32,
        2 msg: Bytes,
    }
}
