//! What administrators ask of a meta server beyond tables: levels, balance, compaction, replica counts, copies elsewhere.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::meta::PartitionConfiguration;
use super::special::{ErrorCode, HostPort, PartitionId, RpcAddress, Text};
use super::thrift::thrift_structs;

/// The values of `meta_function_level`.
pub mod function_level {
    /// Nodes and partitions are served as they should be, none is moved.
    pub const STEADY: i32 = 400;
    /// Only in requests: asks for the level without setting one.
    pub const INVALID: i32 = 10_000;
}

thrift_structs! {
    /// Sets how much the meta server does by itself.
    ControlMetaRequest = "configuration_meta_control_request" {
        1 level: i32,
    }

    /// Says how much it did before.
    ControlMetaResponse = "configuration_meta_control_response" {
        1 err: ErrorCode,
        2 old_level: i32,
    }

    /// One step of a balancer's proposal.
    ProposalAction = "configuration_proposal_action" {
        1 target: RpcAddress,
        2 node: RpcAddress,
        3 action_type: i32,
        5 hp_target: Option<HostPort>,
        6 hp_node: Option<HostPort>,
    }

    /// Moves a partition's replicas.
    ProposeBalancerRequest = "configuration_balancer_request" {
        1 gpid: PartitionId,
        2 action_list: Vec<ProposalAction>,
        3 force: Option<bool>,
        4 balance_type: Option<i32>,
    }

    /// An answer that is only an error code.
    PlainResponse = "plain_response" {
        1 err: ErrorCode,
    }

    /// An answer that is an error code and a text.
    HintResponse = "hint_response" {
        1 err: ErrorCode,
        2 hint_message: Text,
    }

    /// Asks which partitions lost all their replicas.
    DiagnoseRequest = "ddd_diagnose_request" {
        1 pid: PartitionId,
    }

    /// A replica that a partition lost.
    LostNode = "ddd_node_info" {
        1 node: RpcAddress,
        2 drop_time_ms: i64,
        3 is_alive: bool,
        4 is_collected: bool,
        5 ballot: i64,
        6 last_committed_decree: i64,
        7 last_prepared_decree: i64,
        8 hp_node: Option<HostPort>,
    }

    /// A partition that lost them.
    LostPartition = "ddd_partition_info" {
        1 config: PartitionConfiguration,
        2 dropped: Vec<LostNode>,
        3 reason: Text,
    }

    /// The partitions that lost them.
    DiagnoseResponse = "ddd_diagnose_response" {
        1 err: ErrorCode,
        2 partitions: Vec<LostPartition>,
    }

    /// Starts a compaction of a table.
    StartManualCompactRequest = "start_app_manual_compact_request" {
        1 app_name: Text,
        2 trigger_time: Option<i64>,
        3 target_level: Option<i32>,
        4 bottommost: Option<bool>,
        5 max_running_count: Option<i32>,
    }

    /// A request that is only the name of a table.
    TableRequest = "table_request" {
        1 app_name: Text,
    }

    /// How far a compaction is, in percent.
    QueryManualCompactResponse = "query_app_manual_compact_response" {
        1 err: ErrorCode,
        2 hint_msg: Text,
        3 progress: Option<i32>,
    }

    /// Sets how many replicas each partition of a table has.
    SetMaxReplicaCountRequest = "configuration_set_max_replica_count_request" {
        1 app_name: Text,
        2 max_replica_count: i32,
    }

    /// The number of replicas (before, where it was set).
    MaxReplicaCountResponse = "configuration_max_replica_count_response" {
        1 err: ErrorCode,
        2 max_replica_count: i32,
        3 hint_message: Text,
    }

    /// Sets whether a table's atomic writes are made idempotent.
    SetAtomicIdempotentRequest = "configuration_set_atomic_idempotent_request" {
        1 app_name: Text,
        2 atomic_idempotent: bool,
    }

    /// Whether they are (were, where it was set).
    AtomicIdempotentResponse = "configuration_atomic_idempotent_response" {
        1 err: ErrorCode,
        2 atomic_idempotent: bool,
        3 hint_message: Text,
    }

    /// Copies a table's writes to another cluster.
    AddDuplicationRequest = "duplication_add_request" {
        1 app_name: Text,
        2 remote_cluster_name: Text,
        3 is_duplicating_checkpoint: Option<bool>,
        4 remote_app_name: Option<Text>,
        5 remote_replica_count: Option<i32>,
    }

    /// Answers an added duplication.
    AddDuplicationResponse = "duplication_add_response" {
        1 err: ErrorCode,
        2 appid: i32,
        3 dupid: i32,
        4 hint: Option<Text>,
        5 remote_app_name: Option<Text>,
        6 remote_replica_count: Option<i32>,
    }

    /// Changes a duplication.
    ModifyDuplicationRequest = "duplication_modify_request" {
        1 app_name: Text,
        2 dupid: i32,
        3 status: Option<i32>,
        4 fail_mode: Option<i32>,
    }

    /// Answers a changed duplication.
    ModifyDuplicationResponse = "duplication_modify_response" {
        1 err: ErrorCode,
        2 appid: i32,
    }

    /// How far the copying of one partition is.
    DuplicationPartitionState = "duplication_partition_state" {
        1 confirmed_decree: i64,
        2 last_committed_decree: i64,
    }

    /// One duplication of a table.
    DuplicationEntry = "duplication_entry" {
        1 dupid: i32,
        2 status: i32,
        3 remote: Text,
        4 create_ts: i64,
        5 progress: Option<BTreeMap<i32, i64>>,
        7 fail_mode: Option<i32>,
        8 remote_app_name: Option<Text>,
        9 remote_replica_count: Option<i32>,
        10 mode: Option<i32>,
        11 partition_states: Option<BTreeMap<i32, DuplicationPartitionState>>,
    }

    /// The duplications of a table.
    QueryDuplicationResponse = "duplication_query_response" {
        1 err: ErrorCode,
        3 appid: i32,
        4 entry_list: Vec<DuplicationEntry>,
    }

    /// Lists the duplications of the tables whose names match a pattern.
    ListDuplicationRequest = "duplication_list_request" {
        1 app_name_pattern: Text,
        2 match_type: i32,
    }

    /// The duplications of one table, by their ids.
    DuplicationAppState = "duplication_app_state" {
        1 appid: i32,
        2 duplications: BTreeMap<i32, DuplicationEntry>,
        3 app_name: Text,
        4 partition_count: i32,
    }

    /// The tables and their duplications, by the tables' names.
    ListDuplicationResponse = "duplication_list_response" {
        1 err: ErrorCode,
        2 hint_message: Text,
        3 app_states: BTreeMap<Text, DuplicationAppState>,
    }

    /// Starts a backup of a table.
    StartBackupRequest = "start_backup_app_request" {
        1 backup_provider_type: Text,
        2 app_id: i32,
        3 backup_path: Option<Text>,
    }

    /// Answers a started backup.
    StartBackupResponse = "start_backup_app_response" {
        1 err: ErrorCode,
        2 hint_message: Text,
        3 backup_id: Option<i64>,
    }

    /// Asks for a table's backups.
    QueryBackupStatusRequest = "query_backup_status_request" {
        1 app_id: i32,
        2 backup_id: Option<i64>,
    }

    /// One backup.
    BackupItem = "backup_item" {
        1 backup_id: i64,
        2 app_name: Text,
        3 backup_provider_type: Text,
        4 backup_path: Text,
        5 start_time_ms: i64,
        6 end_time_ms: i64,
        7 is_backup_failed: bool,
    }

    /// The backups.
    QueryBackupStatusResponse = "query_backup_status_response" {
        1 err: ErrorCode,
        2 hint_message: Text,
        3 backup_items: Option<Vec<BackupItem>>,
    }

    /// Makes a table from a backup.
    StartRestoreRequest = "configuration_restore_request" {
        1 cluster_name: Text,
        2 policy_name: Text,
        3 time_stamp: i64,
        4 app_name: Text,
        5 app_id: i32,
        6 new_app_name: Text,
        7 backup_provider_name: Text,
        8 skip_bad_partition: bool,
        9 restore_path: Option<Text>,
    }

    /// Asks how far a restore is.
    QueryRestoreRequest = "configuration_query_restore_request" {
        1 restore_app_id: i32,
    }

    /// How far each partition is.
    QueryRestoreResponse = "configuration_query_restore_response" {
        1 err: ErrorCode,
        2 restore_status: Vec<ErrorCode>,
        3 restore_progress: Vec<i32>,
    }

    /// Doubles a table's partitions.
    StartPartitionSplitRequest = "start_partition_split_request" {
        1 app_name: Text,
        2 new_partition_count: i32,
    }

    /// How far a split is.
    QueryPartitionSplitResponse = "query_split_response" {
        1 err: ErrorCode,
        2 new_partition_count: i32,
        3 status: BTreeMap<i32, i32>,
        4 hint_message: Option<Text>,
    }

    /// Pauses, restarts or cancels a split.
    ControlPartitionSplitRequest = "control_split_request" {
        1 app_name: Text,
        2 control_type: i32,
        3 parent_pidx: i32,
        4 old_partition_count: Option<i32>,
    }

    /// Loads files made elsewhere into a table.
    StartBulkLoadRequest = "start_bulk_load_request" {
        1 app_name: Text,
        2 cluster_name: Text,
        3 file_provider_type: Text,
        4 remote_root_path: Text,
        5 ingest_behind: bool,
    }

    /// Pauses, restarts or cancels a bulk load.
    ControlBulkLoadRequest = "control_bulk_load_request" {
        1 app_name: Text,
        2 control_type: i32,
    }

    /// Rebuilds the meta servers' state from the replica servers.
    StartRecoveryRequest = "configuration_recovery_request" {
        1 recovery_nodes: Vec<RpcAddress>,
        2 skip_bad_nodes: bool,
        3 skip_lost_partitions: bool,
        4 hp_recovery_nodes: Option<Vec<HostPort>>,
    }
}
