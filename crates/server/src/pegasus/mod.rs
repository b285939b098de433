//! Apache Pegasus: meta servers and replica servers on one port or on several.
//!
//! - `session` reads frames and sends each call to its handler;
//! - `meta` answers the calls about tables, `admin` those of administrators, `node` those that any server answers;
//! - `replica` runs the calls on data, behind `admission`'s checks;
//! - `cluster` says which servers there are and which of them has which partition; `shape` is what has been changed of that;
//! - `ports` are where all this is listened for;
//! - `hooks` are for tests of clients: what goes wrong on purpose, and what has been seen;
//! - `http` answers the paths that the original answers on the same ports.

mod admin;
mod admission;
mod cluster;
pub(crate) mod hooks;
mod http;
mod meta;
mod node;
mod ports;
mod replica;
mod session;
mod shape;

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::AtomicI32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use charioteer_engine::table::CreateTable;
use charioteer_engine::{Clock, Error as StoreError};
use charioteer_proto::pegasus::admin::function_level;
use charioteer_proto::pegasus::frame::Request;
use charioteer_proto::pegasus::rpc::{Call, Rpc};
use charioteer_proto::pegasus::special::{ErrorCode, Text};
use tokio::io::{AsyncReadExt, join};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::backend::{Backend, Error as BackendError};
use crate::connection::{self, Ended};
use crate::metrics::{CallMetrics, CallResult, Metrics};
use crate::opening::first_bytes;
use crate::{Limits, http as web};
use admission::Admission;
pub(crate) use cluster::{Cluster, Endpoint, parent_of};
use hooks::Hooks;
pub(crate) use ports::Ports;
use session::Session;
pub(crate) use shape::Placement;

/// Where Pegasus is served.
///
/// ```
/// use charioteer_server::PegasusOptions;
///
/// let options = PegasusOptions::default();
/// assert_eq!(options.address.port(), 34601);
/// assert_eq!(options.tables, [("temp".to_owned(), 8)]);
/// ```
#[derive(Clone, Debug)]
pub struct PegasusOptions {
    /// The first meta server, which leads the others; also the one replica server unless `nodes` names some. Default
    /// 127.0.0.1:34601.
    pub address: SocketAddr,
    /// Further meta servers, which send clients on to the first.
    pub metas: Vec<SocketAddr>,
    /// Replica servers, among which partitions are spread.
    pub nodes: Vec<SocketAddr>,
    /// Tables that exist from the start, and how many partitions they have. Default `temp` with 8.
    pub tables: Vec<(String, i32)>,
    /// Whether a table that is asked for and does not exist is made. Default no.
    pub auto_create: bool,
    /// To whom host names of servers are told. Default [`HostPorts::ToThoseThatReadThem`].
    pub host_ports: HostPorts,
}

/// To whom the host names of servers are told, beside their addresses.
///
/// Servers from 2.6 on tell them. Clients older than that can't pass over the fields in which they stand, and fail.
///
/// ```
/// use charioteer_server::{HostPorts, PegasusOptions};
///
/// let for_old_clients = PegasusOptions { host_ports: HostPorts::ToNobody, ..PegasusOptions::default() };
/// assert_ne!(for_old_clients.host_ports, HostPorts::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostPorts {
    /// All clients but those known by a header of version 0 without a timeout: the Python client that was published last, and Node's.
    #[default]
    ToThoseThatReadThem,
    /// No client, as servers up to 2.5 do.
    ToNobody,
}

/// How many replicas a partition has where nothing else was asked for, as in the original's examples.
const REPLICA_COUNT: i32 = 3;
/// How many partitions a table has that is made because it was asked for.
const PARTITION_COUNT: i32 = 8;

impl Default for PegasusOptions {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 34601)),
            metas: Vec::new(),
            nodes: Vec::new(),
            tables: vec![("temp".to_owned(), PARTITION_COUNT)],
            auto_create: false,
            host_ports: HostPorts::default(),
        }
    }
}

/// How a table is made where only its name and size are known.
pub(crate) fn plain_table(name: &str, partition_count: i32) -> CreateTable {
    let mut table = CreateTable::new(name, partition_count);
    table.replica_count = REPLICA_COUNT;
    table.success_if_exists = true;
    table
}

/// What all Pegasus ports of a server share.
pub(crate) struct Service<B: Backend> {
    backend: Arc<B>,
    cluster: Cluster,
    admission: Admission,
    metrics: Arc<Metrics>,
    /// By call; made when one comes for the first time, so that the text stays short.
    calls: Vec<OnceLock<CallMetrics>>,
    limits: Limits,
    latency: Duration,
    auto_create: bool,
    host_ports: HostPorts,
    /// What the meta server does by itself, which is nothing; administrators set it and read it back.
    level: AtomicI32,
    clock: Clock,
    started: Duration,
    /// Where a test has its say.
    hooks: Option<Arc<Hooks>>,
}

/// What a service is made of.
pub(crate) struct Parts<B> {
    pub(crate) backend: Arc<B>,
    pub(crate) cluster: Cluster,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limits: Limits,
    pub(crate) latency: Duration,
    pub(crate) auto_create: bool,
    pub(crate) host_ports: HostPorts,
    pub(crate) clock: Clock,
    pub(crate) hooks: Option<Arc<Hooks>>,
}

/// Why a call has no result.
#[derive(Debug)]
enum Failure {
    /// The system's error, which travels in place of a result.
    System(ErrorCode),
    /// The original gives no answer in this case.
    Silence,
}

/// The handler of one call.
trait Handle<R: Rpc> {
    /// Answers it.
    fn handle(self, request: R::Request) -> impl Future<Output = Result<R::Reply, Failure>> + Send;
}

impl<B: Backend> Service<B> {
    pub(crate) fn new(parts: Parts<B>) -> Self {
        let Parts { backend, cluster, metrics, limits, latency, auto_create, host_ports, clock, hooks } = parts;
        let calls = Call::ALL.iter().map(|_| OnceLock::new()).collect();
        Self {
            backend,
            cluster,
            admission: Admission::default(),
            metrics,
            calls,
            limits,
            latency,
            auto_create,
            host_ports,
            level: AtomicI32::new(function_level::STEADY),
            started: clock.now(),
            clock,
            hooks,
        }
    }

    /// Serves one connection: Pegasus' own frames or HTTP, told apart by its first four bytes.
    pub(crate) async fn serve(
        self: Arc<Self>,
        endpoint: Arc<Endpoint>,
        stream: TcpStream,
        peer: SocketAddr,
        stop: CancellationToken,
    ) {
        let _open = self.metrics.connection("pegasus");
        let _seen = self.hooks.as_ref().map(|hooks| hooks.seen.connected());
        let Ok(SocketAddr::V4(local)) = stream.local_addr() else {
            return;
        };
        let (mut reader, writer) = stream.into_split();
        let begin = tokio::select! {
            begin = first_bytes(&mut reader, &self.limits) => begin,
            () = stop.cancelled() => return,
        };
        let begin = match begin {
            Ok(Ok(begin)) => begin,
            Ok(Err(ended)) => return self.note_end(peer, Ok(ended)),
            Err(error) => return self.note_end(peer, Err(error)),
        };
        match begin.first_chunk() {
            Some(b"THFT") => {
                let server = Text::from(local.to_string());
                let session = Session { service: &*self, endpoint: &endpoint, local, server, peer };
                let ended = connection::serve(&session, (reader, writer), begin, &self.limits, &stop).await;
                self.note_end(peer, ended);
            }
            Some(b"GET " | b"HEAD" | b"POST") => {
                let stream = join(std::io::Cursor::new(begin).chain(reader), writer);
                // Boxed, so that the many connections that are none of HTTP do not keep room for it.
                Box::pin(web::serve(stream, self.limits.stalled, &stop, web::Posts::Refused, |asked| {
                    self.answer_http(&endpoint, local, asked)
                }))
                .await;
            }
            Some(magic) => {
                self.metrics.cut("pegasus", "unreadable");
                debug!(%peer, magic = %magic.escape_ascii(), "connection closed: neither Pegasus' Thrift frames nor HTTP");
            }
            None => {}
        }
    }

    pub(crate) const fn backend(&self) -> &Arc<B> {
        &self.backend
    }

    pub(crate) const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    fn count(&self, call: Call, result: CallResult, took: Duration) {
        if let Some(metrics) = self.calls.get(call as usize) {
            metrics.get_or_init(|| self.metrics.call("pegasus", call.name())).record(result, took);
        }
    }

    fn note_end(&self, peer: SocketAddr, ended: std::io::Result<Ended>) {
        match ended.map(|ended| ended.reason()) {
            Ok(None) => {}
            Ok(Some(reason)) => {
                self.metrics.cut("pegasus", reason);
                debug!(%peer, reason, "connection closed");
            }
            Err(error) => debug!(%peer, %error, "connection lost"),
        }
    }
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Self {
        Self::System(match error {
            // The original has no limit here; a write that is too large is what comes closest.
            BackendError::Store(StoreError::KeyTooLong { .. }) => ErrorCode::INVALID_DATA,
            // The table was dropped while the call was on its way; clients look for it anew.
            BackendError::Store(StoreError::KeyspaceDropped { .. }) => ErrorCode::OBJECT_NOT_FOUND,
            BackendError::Store(StoreError::DiskFull { .. }) => ErrorCode::DISK_INSUFFICIENT,
            error => {
                warn!(%error, "the store failed");
                ErrorCode::LOCAL_APP_FAILURE
            }
        })
    }
}

/// Decodes a call's argument. The original drops requests it can't decode, without an answer.
fn argument<R: Rpc>(request: &Request) -> Result<R::Request, Failure> {
    request.argument().map_err(|error| {
        debug!(call = R::NAME, %error, "request without answer: its argument can't be decoded");
        Failure::Silence
    })
}
