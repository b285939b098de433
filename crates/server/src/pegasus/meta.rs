//! The meta server: where partitions are, and the making, dropping, changing and listing of tables.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use charioteer_engine::Error as StoreError;
use charioteer_engine::table::{CatalogueError, CreateTable, TableInfo, TableStatus};
use charioteer_proto::pegasus::frame::RequestHeader;
use charioteer_proto::pegasus::meta::{
    AppInfo, ClusterInfoRequest, ClusterInfoResponse, CreateAppRequest, CreateAppResponse, DropAppRequest,
    DropAppResponse, ListAppsRequest, ListAppsResponse, ListNodesRequest, ListNodesResponse, NodeInfo,
    PartitionConfiguration, QueryCfgRequest, QueryCfgResponse, RecallAppRequest, RecallAppResponse, RenameAppRequest,
    RenameAppResponse, UpdateAppEnvRequest, UpdateAppEnvResponse, app_status, env_operation, node_status,
};
use charioteer_proto::pegasus::rpc;
use charioteer_proto::pegasus::special::{ErrorCode, RpcAddress, Text};
use tracing::{info, warn};

use super::cluster::host_port;
use super::{Endpoint, Failure, Handle, HostPorts, PARTITION_COUNT, Service, admin, plain_table};
use crate::backend::{Backend, EnvChange, Error};

/// One call to a meta server.
pub(super) struct Meta<'a, B: Backend> {
    pub(super) service: &'a Service<B>,
    pub(super) endpoint: &'a Endpoint,
    /// The address by which the client reached this server.
    pub(super) local: Ipv4Addr,
    host_ports: bool,
}

impl<'a, B: Backend> Meta<'a, B> {
    pub(super) fn new(
        service: &'a Service<B>,
        endpoint: &'a Endpoint,
        local: SocketAddrV4,
        header: &RequestHeader,
    ) -> Self {
        let host_ports = match service.host_ports {
            HostPorts::ToThoseThatReadThem => header.version != 0 || header.client_timeout_ms != 0,
            HostPorts::ToNobody => false,
        };
        Self { service, endpoint, local: *local.ip(), host_ports }
    }

    /// An error, unless this is the meta server that leads.
    pub(super) fn lead(&self) -> Result<(), ErrorCode> {
        if self.is_leader() { Ok(()) } else { Err(ErrorCode::FORWARD_TO_OTHERS) }
    }

    fn is_leader(&self) -> bool {
        self.service.cluster.is_led_by(self.endpoint)
    }

    /// The table of that name; made now, where that is wanted and allowed and it does not exist.
    async fn open(&self, name: &str) -> Result<TableInfo, ErrorCode> {
        if let Some(table) = self.service.backend.find(name) {
            return Ok(table);
        }
        if !self.service.auto_create || admin::is_frozen(self.service) {
            return Err(ErrorCode::OBJECT_NOT_FOUND);
        }
        info!(table = name, "making a table that was asked for");
        let made = self.service.backend.create(plain_table(name, PARTITION_COUNT)).await;
        made.map_err(|error| error_code(&error))
    }

    fn configurations(&self, table: &TableInfo, indices: &[i32]) -> Vec<PartitionConfiguration> {
        let configuration = |index| self.service.cluster.configuration(table, index, self.local, self.host_ports);
        asked(indices, table.partition_count.cast_unsigned()).into_iter().map(configuration).collect()
    }

    async fn create(&self, request: CreateAppRequest) -> Result<TableInfo, ErrorCode> {
        self.lead()?;
        if admin::is_frozen(self.service) {
            return Err(ErrorCode::STATE_FREEZED);
        }
        let options = request.options;
        let mut table = CreateTable::new(request.app_name.as_str(), options.partition_count);
        table.replica_count = options.replica_count;
        table.success_if_exists = options.success_if_exist;
        table.app_type = options.app_type.as_str().to_owned();
        table.is_stateful = options.is_stateful;
        table.envs = options.envs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        table.atomic_idempotent = options.atomic_idempotent.unwrap_or(false);
        if !(options.partition_count.cast_unsigned().is_power_of_two() && options.partition_count >= 2) {
            warn!(
                table = request.app_name.as_str(),
                partitions = options.partition_count,
                "the Go client refuses tables whose partitions are not a power of two from 2 on, the Python and Node clients misroute them"
            );
        }
        self.service.backend.create(table).await.map_err(|error| error_code(&error))
    }

    async fn recall(&self, request: &RecallAppRequest) -> Result<TableInfo, ErrorCode> {
        self.lead()?;
        let recalled = self.service.backend.recall(request.app_id, request.new_app_name.as_str()).await;
        recalled.map_err(|error| error_code(&error))
    }

    async fn update_envs(&self, request: UpdateAppEnvRequest) -> Result<(), (ErrorCode, String)> {
        self.lead().map_err(|error| (error, String::new()))?;
        let change = env_change(&request).ok_or_else(|| {
            (
                ErrorCode::INVALID_PARAMETERS,
                "keys and values must be given, as many of the one as of the other".to_owned(),
            )
        })?;
        let changed = self.service.backend.change_envs(request.app_name.as_str(), change).await;
        changed.map_err(|error| (error_code(&error), error.to_string()))
    }
}

impl<B: Backend> Handle<rpc::QueryConfig> for Meta<'_, B> {
    async fn handle(self, request: QueryCfgRequest) -> Result<QueryCfgResponse, Failure> {
        if !self.is_leader() {
            let leader = |leader: SocketAddrV4| PartitionConfiguration {
                primary: leader.into(),
                hp_primary: self.host_ports.then(|| host_port(leader)),
                ..PartitionConfiguration::default()
            };
            return Ok(QueryCfgResponse {
                err: ErrorCode::FORWARD_TO_OTHERS,
                partitions: self.service.cluster.forward(self.local).map(leader).into_iter().collect(),
                ..QueryCfgResponse::default()
            });
        }
        Ok(match self.open(request.app_name.as_str()).await {
            Ok(table) => QueryCfgResponse {
                err: ErrorCode::OK,
                app_id: table.id,
                partition_count: table.partition_count,
                is_stateful: table.is_stateful,
                partitions: self.configurations(&table, &request.partition_indices),
            },
            Err(err) => QueryCfgResponse { err, ..QueryCfgResponse::default() },
        })
    }
}

impl<B: Backend> Handle<rpc::CreateApp> for Meta<'_, B> {
    async fn handle(self, request: CreateAppRequest) -> Result<CreateAppResponse, Failure> {
        Ok(match self.create(request).await {
            Ok(table) => CreateAppResponse { err: ErrorCode::OK, appid: table.id },
            Err(err) => CreateAppResponse { err, appid: 0 },
        })
    }
}

impl<B: Backend> Handle<rpc::DropApp> for Meta<'_, B> {
    async fn handle(self, request: DropAppRequest) -> Result<DropAppResponse, Failure> {
        if let Err(err) = self.lead() {
            return Ok(DropAppResponse { err });
        }
        let DropAppRequest { app_name, options } = request;
        let backend = &self.service.backend;
        let dropped =
            backend.drop_table(app_name.as_str(), options.success_if_not_exist, options.reserve_seconds).await;
        Ok(DropAppResponse { err: error_of(dropped) })
    }
}

impl<B: Backend> Handle<rpc::RecallApp> for Meta<'_, B> {
    async fn handle(self, request: RecallAppRequest) -> Result<RecallAppResponse, Failure> {
        Ok(match self.recall(&request).await {
            Ok(table) => RecallAppResponse { err: ErrorCode::OK, info: app_info(&table) },
            Err(err) => RecallAppResponse { err, info: AppInfo::default() },
        })
    }
}

impl<B: Backend> Handle<rpc::RenameApp> for Meta<'_, B> {
    async fn handle(self, request: RenameAppRequest) -> Result<RenameAppResponse, Failure> {
        if let Err(err) = self.lead() {
            return Ok(RenameAppResponse { err, hint_message: Text::default() });
        }
        let renamed = self.service.backend.rename(request.old_app_name.as_str(), request.new_app_name.as_str()).await;
        let hint = renamed.as_ref().err().map(ToString::to_string).unwrap_or_default();
        Ok(RenameAppResponse { err: error_of(renamed), hint_message: hint.into() })
    }
}

impl<B: Backend> Handle<rpc::ListApps> for Meta<'_, B> {
    async fn handle(self, request: ListAppsRequest) -> Result<ListAppsResponse, Failure> {
        if let Err(err) = self.lead() {
            return Ok(ListAppsResponse { err, ..ListAppsResponse::default() });
        }
        let Some(pattern) = NamePattern::of(&request) else {
            return Ok(ListAppsResponse {
                err: ErrorCode::NOT_IMPLEMENTED,
                infos: Vec::new(),
                hint_message: Some("names can be matched wholly, anywhere, at the beginning or at the end".into()),
            });
        };
        let tables = self.service.backend.list();
        let infos = tables
            .iter()
            .filter(|table| request.status == app_status::INVALID || request.status == status(table))
            .filter(|table| pattern.matches(&table.name))
            .map(app_info)
            .collect();
        Ok(ListAppsResponse { err: ErrorCode::OK, infos, hint_message: None })
    }
}

impl<B: Backend> Handle<rpc::ListNodes> for Meta<'_, B> {
    async fn handle(self, request: ListNodesRequest) -> Result<ListNodesResponse, Failure> {
        if let Err(err) = self.lead() {
            return Ok(ListNodesResponse { err, infos: Vec::new() });
        }
        let node = |address: SocketAddrV4| NodeInfo {
            status: node_status::ALIVE,
            node: RpcAddress::from(address),
            hp_node: self.host_ports.then(|| host_port(address)),
        };
        let wanted = matches!(request.status, node_status::INVALID | node_status::ALIVE);
        let infos = self.service.cluster.nodes(self.local).filter(|_| wanted).map(node).collect();
        Ok(ListNodesResponse { err: ErrorCode::OK, infos })
    }
}

impl<B: Backend> Handle<rpc::ClusterInfo> for Meta<'_, B> {
    async fn handle(self, _: ClusterInfoRequest) -> Result<ClusterInfoResponse, Failure> {
        if let Err(err) = self.lead() {
            return Ok(ClusterInfoResponse { err, ..ClusterInfoResponse::default() });
        }
        let (keys, values) = admin::cluster_facts(self.service, self.local)
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .unzip();
        Ok(ClusterInfoResponse { err: ErrorCode::OK, keys, values })
    }
}

impl<B: Backend> Handle<rpc::UpdateAppEnv> for Meta<'_, B> {
    async fn handle(self, request: UpdateAppEnvRequest) -> Result<UpdateAppEnvResponse, Failure> {
        let (err, hint) = self.update_envs(request).await.err().unwrap_or_default();
        Ok(UpdateAppEnvResponse { err, hint_message: hint.into() })
    }
}

/// The partitions that a request asks for: all of them where it names none that exists, as in the original. It gets no more than
/// there are, however often it names them.
fn asked(indices: &[i32], count: u32) -> Vec<u32> {
    let existing = indices.iter().filter_map(|index| u32::try_from(*index).ok()).filter(|index| *index < count);
    let asked: Vec<u32> = existing.take(count as usize).collect();
    if asked.is_empty() { (0..count).collect() } else { asked }
}

/// What a request asks to be done to an environment, if it makes sense.
fn env_change(request: &UpdateAppEnvRequest) -> Option<EnvChange> {
    let keys = || request.keys.iter().flatten().map(Text::to_string);
    let values = || request.values.iter().flatten().map(Text::to_string);
    match request.op {
        env_operation::SET => {
            let matching = keys().count() == values().count() && keys().next().is_some();
            matching.then(|| EnvChange::Set(keys().zip(values()).collect()))
        }
        env_operation::DELETE => request.keys.is_some().then(|| EnvChange::Remove(keys().collect())),
        env_operation::CLEAR => {
            Some(EnvChange::Clear(request.clear_prefix.as_ref().map(Text::to_string).unwrap_or_default()))
        }
        _ => None,
    }
}

/// A pattern for tables' names.
enum NamePattern<'a> {
    All,
    Exact(&'a str),
    Anywhere(&'a str),
    Prefix(&'a str),
    Postfix(&'a str),
}

impl<'a> NamePattern<'a> {
    /// The pattern of a request; `None` where it asks for a kind of match that there is not, regular expressions included.
    fn of(request: &'a ListAppsRequest) -> Option<Self> {
        let (Some(pattern), Some(kind)) = (&request.app_name_pattern, request.match_type) else {
            return Some(Self::All);
        };
        let pattern = pattern.as_str();
        Some(match kind {
            1 => Self::All,
            2 => Self::Exact(pattern),
            3 => Self::Anywhere(pattern),
            4 => Self::Prefix(pattern),
            5 => Self::Postfix(pattern),
            _ => return None,
        })
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Exact(pattern) => name == *pattern,
            Self::Anywhere(pattern) => name.contains(pattern),
            Self::Prefix(pattern) => name.starts_with(pattern),
            Self::Postfix(pattern) => name.ends_with(pattern),
        }
    }
}

/// A table, as it is listed.
pub(super) fn app_info(table: &TableInfo) -> AppInfo {
    AppInfo {
        status: status(table),
        app_type: table.app_type.as_str().into(),
        app_name: table.name.as_str().into(),
        app_id: table.id,
        partition_count: table.partition_count,
        envs: table.envs.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect(),
        is_stateful: table.is_stateful,
        max_replica_count: table.replica_count,
        expire_second: seconds(table.expires_at),
        create_second: seconds(Some(table.created_at)),
        drop_second: seconds(table.dropped_at),
        duplicating: Some(false),
        init_partition_count: table.init_partition_count,
        is_bulk_loading: Some(false),
        atomic_idempotent: Some(table.atomic_idempotent),
    }
}

fn seconds(time: Option<Duration>) -> i64 {
    time.map_or(0, |time| i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}

const fn status(table: &TableInfo) -> i32 {
    match table.status {
        TableStatus::Available => app_status::AVAILABLE,
        TableStatus::Dropped => app_status::DROPPED,
    }
}

fn error_of<T>(result: Result<T, Error>) -> ErrorCode {
    result.err().map_or(ErrorCode::OK, |error| error_code(&error))
}

/// The name by which clients know an error.
pub(super) fn error_code(error: &Error) -> ErrorCode {
    match error {
        Error::Catalogue(error) => match error {
            CatalogueError::Exists { .. } | CatalogueError::NotDropped { .. } => ErrorCode::APP_EXIST,
            CatalogueError::Missing { .. } | CatalogueError::UnknownId { .. } => ErrorCode::APP_NOT_EXIST,
            _ => ErrorCode::INVALID_PARAMETERS,
        },
        Error::Store(StoreError::DiskFull { .. }) => ErrorCode::DISK_INSUFFICIENT,
        Error::Store(StoreError::TooManyKeyspaces { .. }) => ErrorCode::CAPACITY_EXCEEDED,
        Error::Store(error) => {
            warn!(%error, "the store failed");
            ErrorCode::LOCAL_APP_FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::asked;

    #[test]
    fn no_index_that_exists_means_all_of_them() {
        assert_eq!(asked(&[], 3), [0, 1, 2]);
        assert_eq!(asked(&[3, -1, i32::MAX], 3), [0, 1, 2]);
    }

    #[test]
    fn no_more_partitions_are_told_than_there_are() {
        assert_eq!(asked(&[2; 1000], 3), [2, 2, 2]);
    }
}
