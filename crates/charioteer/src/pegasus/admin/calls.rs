//! The calls to meta servers as operations, and the one to any server.

use std::sync::Arc;

use charioteer_proto::pegasus::frame::RequestHeader;
use charioteer_proto::pegasus::meta::{QueryCfgRequest, QueryCfgResponse};
use charioteer_proto::pegasus::node::Command;
use charioteer_proto::pegasus::rpc::{self, Rpc};
use charioteer_proto::pegasus::special::{ErrorCode, Text};
use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Failure};
use crate::exec::{self, Backend, Effect, Operation, Terms};
use crate::net::{Address, Progress};
use crate::pegasus::cluster::{Cluster, Node, ask};
use crate::pegasus::failure::BUSY;
use crate::pegasus::meta::MetaOperation;

/// `$hint` is the field in which the server says what was wrong.
macro_rules! meta_operations {
    ($($name:ident = $text:literal ($rpc:ident, $effect:ident $(, $hint:ident)?);)*) => {
        $(
            pub(super) struct $name(pub(super) <rpc::$rpc as Rpc>::Request);

            impl Operation for $name {
                const NAME: &'static str = $text;
                const EFFECT: Effect = Effect::$effect;
                type Reply = <rpc::$rpc as Rpc>::Reply;
            }

            impl MetaOperation for $name {
                type Rpc = rpc::$rpc;

                fn request(&self) -> &<rpc::$rpc as Rpc>::Request {
                    &self.0
                }

                fn error(reply: &Self::Reply) -> (&ErrorCode, &str) {
                    (&reply.err, [$(reply.$hint.as_str())?].first().copied().unwrap_or_default())
                }
            }
        )*
    };
}

meta_operations! {
    CreateTable = "create_table" (CreateApp, Changes);
    DropTable = "drop_table" (DropApp, Changes);
    RecallTable = "recall_table" (RecallApp, Changes);
    RenameTable = "rename_table" (RenameApp, Changes, hint_message);
    ListTables = "list_tables" (ListApps, Reads);
    ListNodes = "list_nodes" (ListNodes, Reads);
    ClusterInfo = "cluster_info" (ClusterInfo, Reads);
    UpdateEnvs = "update_table_envs" (UpdateAppEnv, Idempotent, hint_message);
}

/// Asks for a table's partitions until all of them have all their replicas.
pub(super) struct QueryReady {
    request: QueryCfgRequest,
    replicas: usize,
}

impl QueryReady {
    pub(super) fn new(table: &str, replicas: usize) -> Self {
        Self { request: QueryCfgRequest { app_name: Text::from(table), partition_indices: Vec::new() }, replicas }
    }
}

impl Operation for QueryReady {
    const NAME: &'static str = "create_table";
    const EFFECT: Effect = Effect::Reads;
    type Reply = QueryCfgResponse;
}

impl MetaOperation for QueryReady {
    type Rpc = rpc::QueryConfig;

    fn request(&self) -> &QueryCfgRequest {
        &self.request
    }

    fn error(reply: &QueryCfgResponse) -> (&ErrorCode, &str) {
        (&reply.err, "")
    }

    fn check(&self, reply: &QueryCfgResponse) -> Result<(), Failure> {
        let is_whole = |partition: &charioteer_proto::pegasus::meta::PartitionConfiguration| {
            partition.primary.socket().is_some() && partition.secondaries.len() + 1 >= self.replicas
        };
        let missing = reply.partitions.iter().filter(|partition| !is_whole(partition)).count();
        if missing == 0 {
            return Ok(());
        }
        let message = format!("the table is made, and {missing} partitions do not have all their replicas yet");
        Err(Failure::new(ErrorKind::Timeout, message).retry(&BUSY))
    }
}

/// Gives a server a command.
pub(super) struct RemoteCommand(Command);

impl RemoteCommand {
    pub(super) fn new<A: AsRef<str>>(command: &str, arguments: impl IntoIterator<Item = A>) -> Self {
        let arguments = arguments.into_iter().map(|argument| Text::from(argument.as_ref())).collect();
        Self(Command { cmd: Text::from(command), arguments })
    }

    pub(super) async fn run(&self, cluster: &Cluster, server: &Address) -> Result<String, Error> {
        let stats = cluster.stats::<Self>();
        let terms = Terms {
            timeout: cluster.options.meta_timeout,
            attempt_timeout: None,
            attempts: cluster.options.attempts,
            system: crate::pegasus::SYSTEM,
            collection: None,
            stats: &stats,
        };
        exec::run(&Server { cluster, address: server }, self, &terms).await
    }
}

impl Operation for RemoteCommand {
    const NAME: &'static str = "remote_command";
    const EFFECT: Effect = Effect::Changes;
    type Reply = String;
}

/// One server, whichever partitions it has.
struct Server<'a> {
    cluster: &'a Cluster,
    address: &'a Address,
}

impl Backend<RemoteCommand> for Server<'_> {
    type Target = Arc<Node>;

    async fn route(&self, _: &RemoteCommand) -> Result<Arc<Node>, Failure> {
        self.cluster.node(self.address)
    }

    async fn attempt(
        &self,
        node: &Arc<Node>,
        command: &RemoteCommand,
        deadline: Instant,
        progress: &Progress,
    ) -> Result<String, Failure> {
        let header = RequestHeader::default();
        let said = ask::<rpc::RemoteCommand>(node, header, &command.0, 0, deadline, progress).await?;
        Ok(said.as_str().to_owned())
    }

    fn learn(&self, _: &Arc<Node>, _: &Failure) {}

    fn peer(node: &Arc<Node>) -> &Arc<str> {
        node.peer()
    }
}
