//! `charioteer serve`.

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use charioteer_engine::{DiskOptions, Durability};
use charioteer_server::{
    ClientCertificates, Credentials, Data, HostPorts, Limits, MemcachedOptions, Options, OverTls, PegasusOptions, Pem,
    Server, TikvApi, TikvOptions, Tls, UnixSocket,
};
use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;
use tracing_subscriber::filter::Targets;

use crate::address::{self, Address};
use crate::banner::Banner;
use crate::{descriptors, logging, ready};

/// What `serve` is told.
#[derive(Args)]
pub(crate) struct ServeArguments {
    /// Where Pegasus is served, meta server and replica server on one port; port 0 lets the system choose.
    #[arg(long, value_name = "HOST:PORT|off", value_parser = address::parse, default_value = "127.0.0.1:34601")]
    pegasus: Address,

    /// Further Pegasus meta servers in the same process, which send clients on to the first.
    #[arg(long, value_name = "HOST:PORT,…", value_delimiter = ',', value_parser = address::parse_socket)]
    pegasus_metas: Vec<SocketAddr>,

    /// Pegasus replica servers in the same process; without them the first port is the only one.
    #[arg(long, value_name = "HOST:PORT,…", value_delimiter = ',', value_parser = address::parse_socket)]
    pegasus_nodes: Vec<SocketAddr>,

    /// A Pegasus table that exists from the start, and how many partitions it has; may be given several times.
    #[arg(long, value_name = "NAME:PARTITIONS", value_parser = address::parse_table, default_value = "temp:8")]
    table: Vec<(String, i32)>,

    /// Makes Pegasus tables (of 8 partitions) when they are first opened.
    #[arg(long)]
    auto_create: bool,

    /// Whether Pegasus clients are told servers' host names: auto tells all that can read them, off suits clients of Pegasus 2.5
    /// and older, which can't.
    #[arg(long, value_name = "auto|off", value_parser = parse_host_ports, default_value = "auto")]
    pegasus_host_ports: HostPorts,

    #[command(flatten)]
    memcached: MemcachedArguments,

    #[command(flatten)]
    tikv: TikvArguments,

    /// Where health and metrics are answered over HTTP.
    #[arg(long, value_name = "HOST:PORT|off", value_parser = address::parse, default_value = "127.0.0.1:34600")]
    http: Address,

    #[command(flatten)]
    data: DataArguments,

    /// Allows addresses that other machines can reach. Nothing asks who is there, but memcached with --memcached-auth-file or
    /// --memcached-tls-ca, which needs no leave.
    #[arg(long)]
    allow_remote: bool,

    /// Writes the actual addresses to this file, as JSON, once all of them listen.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,

    /// Waits this long before every answer, for tests of timeouts (such as 20ms).
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "0s")]
    latency: Duration,

    #[command(flatten)]
    limits: LimitArguments,

    /// What is logged: error, warn, info, debug or trace, also by module (info,charioteer_server=debug).
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: Targets,
}

/// Where TiKV is served, and how.
#[derive(Args)]
struct TikvArguments {
    /// Where TiKV's PD is served; off leaves the stores off too.
    #[arg(long, value_name = "HOST:PORT|off", value_parser = address::parse, default_value = "127.0.0.1:2379")]
    tikv: Address,

    /// Where TiKV's stores are served, all in this process; each is one of the cluster's.
    #[arg(long, value_name = "HOST:PORT,…", value_delimiter = ',', value_parser = address::parse_socket, default_value = "127.0.0.1:20160")]
    tikv_stores: Vec<SocketAddr>,

    /// Which API versions are served: any serves each request under the version that it names, the others are as strict as the real
    /// server.
    #[arg(long, value_name = "any|v1|v1ttl|v2", default_value = "any")]
    tikv_api: TikvApi,

    /// How many regions a new cluster has, by default as many as a new PD makes; data that is already there keeps its own.
    #[arg(long, value_name = "NUMBER", default_value_t = TikvOptions::default().regions)]
    tikv_regions: usize,

    /// A file of the certificate with which TiKV is served over TLS, PD and stores alike; in PEM.
    #[arg(long, value_name = "FILE", requires = "tikv_tls_key")]
    tikv_tls_cert: Option<PathBuf>,

    /// The file of the key that belongs to the certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "tikv_tls_cert")]
    tikv_tls_key: Option<PathBuf>,

    /// A file of authorities, in PEM: only clients with a certificate that one of them has made are let in.
    #[arg(long, value_name = "FILE", requires = "tikv_tls_cert")]
    tikv_tls_ca: Option<PathBuf>,
}

impl TikvArguments {
    fn options(&self) -> Option<TikvOptions> {
        let (stores, api, regions) = (self.tikv_stores.clone(), self.tikv_api, self.tikv_regions);
        let tls = tls_of(&self.tikv_tls_cert, &self.tikv_tls_key, &self.tikv_tls_ca);
        self.tikv.socket().map(|pd| TikvOptions { pd, stores, api, regions, tls, ..TikvOptions::default() })
    }
}

/// TLS by these files; only clients that an authority vouches for, if one is named.
fn tls_of(certificate: &Option<PathBuf>, key: &Option<PathBuf>, authority: &Option<PathBuf>) -> Option<Tls> {
    let file = |path: &Option<PathBuf>| path.clone().map(Pem::File);
    let mut tls = Tls::new(file(certificate)?, file(key)?);
    tls.client_ca = file(authority);
    if tls.client_ca.is_some() {
        tls.clients = ClientCertificates::Required;
    }
    Some(tls)
}

/// Where memcached is served, and what is kept.
#[derive(Args)]
struct MemcachedArguments {
    /// Where memcached is served, in all of its protocols; may be given several times, for the same items.
    #[arg(long, value_name = "HOST:PORT|off", value_parser = address::parse, default_value = "127.0.0.1:11211")]
    memcached: Vec<Address>,

    /// A Unix socket on which memcached is served too.
    #[arg(long, value_name = "PATH")]
    memcached_socket: Option<PathBuf>,

    /// A file of the certificate with which memcached is served over TLS, on all of its addresses; in PEM.
    #[arg(long, value_name = "FILE", requires = "memcached_tls_key")]
    memcached_tls_cert: Option<PathBuf>,

    /// The file of the key that belongs to the certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "memcached_tls_cert")]
    memcached_tls_key: Option<PathBuf>,

    /// A file of authorities, in PEM: only clients with a certificate that one of them has made are let in.
    #[arg(long, value_name = "FILE", requires = "memcached_tls_cert")]
    memcached_tls_ca: Option<PathBuf>,

    /// Keeps memcached's items with the data, where all of them survive as its --durability says. Nothing is evicted: they take as much
    /// of the disk as there is, and are refused when it is full. By default they are in memory, and gone when the server stops.
    #[arg(long, conflicts_with_all = ["memory", "memcached_memory_bytes"])]
    memcached_durable: bool,

    /// Memory for memcached's items, with all that belongs to them, in bytes; those that are too many are evicted.
    #[arg(long, value_name = "BYTES", default_value_t = MemcachedOptions::default().memory_bytes)]
    memcached_memory_bytes: usize,

    /// The largest item, in bytes, counted as memcached counts it.
    #[arg(long, value_name = "BYTES", default_value_t = MemcachedOptions::default().item_limit)]
    memcached_item_bytes: usize,

    /// A file of lines user:password; only those named there get at memcached's items, in plain text unless the way is safe.
    #[arg(long, value_name = "FILE")]
    memcached_auth_file: Option<PathBuf>,
}

impl MemcachedArguments {
    fn options(&self) -> Result<Option<MemcachedOptions>, Box<dyn Error>> {
        let addresses: Vec<_> = self.memcached.iter().filter_map(|address| address.socket()).collect();
        if addresses.is_empty() && self.memcached_socket.is_none() {
            return Ok(None);
        }
        let path = self.memcached_socket.clone();
        let (addresses, tls) = match self.tls() {
            Some(tls) => (Vec::new(), Some(OverTls { addresses, tls })),
            None => (addresses, None),
        };
        Ok(Some(MemcachedOptions {
            addresses,
            tls,
            unix_socket: path.map(|path| UnixSocket { path, permissions: SOCKET_PERMISSIONS }),
            durable: self.memcached_durable,
            memory_bytes: self.memcached_memory_bytes,
            item_limit: self.memcached_item_bytes,
            credentials: self.memcached_auth_file.as_deref().map(read_credentials).transpose()?,
            ..MemcachedOptions::default()
        }))
    }

    fn tls(&self) -> Option<Tls> {
        tls_of(&self.memcached_tls_cert, &self.memcached_tls_key, &self.memcached_tls_ca)
    }
}

/// A Unix socket is for its owner, as memcached's is.
const SOCKET_PERMISSIONS: u32 = 0o700;

/// Reads a file of `user:password`.
pub(crate) fn read_credentials(path: &Path) -> Result<Credentials, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
    text.and_then(|text| Credentials::parse(&text))
        .map_err(|error| format!("cannot take users from {}: {error}", path.display()))
}

/// What peers may take.
#[derive(Args)]
struct LimitArguments {
    /// Open connections on one port; further ones wait.
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().connections)]
    max_connections: usize,

    /// The longest message, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().frame_bytes)]
    max_frame_bytes: usize,

    /// Requests and replies of one connection that may be under way, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().in_flight_bytes)]
    max_in_flight_bytes: usize,

    /// Closes a connection on which half a message, or an untaken reply, stays for so long.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "30s")]
    stalled_timeout: Duration,

    /// Closes a connection without requests for so long; by default none is closed.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    idle_timeout: Option<Duration>,

    /// How long to wait for requests that are under way when the server is told to stop.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "10s")]
    drain_timeout: Duration,
}

impl ServeArguments {
    fn options(&self) -> Result<Options, Box<dyn Error>> {
        let pegasus = self.pegasus.socket().map(|address| PegasusOptions {
            address,
            metas: self.pegasus_metas.clone(),
            nodes: self.pegasus_nodes.clone(),
            tables: self.table.clone(),
            auto_create: self.auto_create,
            host_ports: self.pegasus_host_ports,
        });
        if pegasus.is_none() && !(self.pegasus_metas.is_empty() && self.pegasus_nodes.is_empty()) {
            return Err(charioteer_server::Error::NoPegasus.into());
        }
        Ok(Options {
            pegasus,
            memcached: self.memcached.options()?,
            tikv: self.tikv.options(),
            http: self.http.socket(),
            allow_remote: self.allow_remote,
            latency: self.latency,
            limits: Limits {
                connections: self.limits.max_connections,
                frame_bytes: self.limits.max_frame_bytes,
                in_flight_bytes: self.limits.max_in_flight_bytes,
                stalled: self.limits.stalled_timeout,
                idle: self.limits.idle_timeout,
                drain: self.limits.drain_timeout,
            },
            data: self.data.data(),
            ..Options::default()
        })
    }
}

/// Where the data is, and how safe it is.
#[derive(Args)]
struct DataArguments {
    /// The folder that the data is kept in; it is made if there is none.
    #[arg(long, value_name = "FOLDER", default_value = "charioteer-data", conflicts_with = "memory")]
    data: PathBuf,

    /// Keeps all data in memory, and none when the server stops.
    #[arg(long)]
    memory: bool,

    /// How safe a write is when it is answered, unless its table says otherwise: fsync survives a power loss, flush that the
    /// server is killed, memory neither.
    #[arg(long, value_name = "fsync|flush|memory", default_value_t = DiskOptions::default().durability)]
    durability: Durability,

    /// Memory for blocks read from the data's tables, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = DiskOptions::default().cache_bytes)]
    cache_bytes: u64,

    /// Space on the disk that is left alone, besides a quarter of what the tables take (at most 1 GiB), which compaction needs: with
    /// less, writes are refused, and reads go on.
    #[arg(long, value_name = "BYTES", default_value_t = DiskOptions::default().reserve_bytes)]
    reserve_bytes: u64,

    /// Takes it that the data has lost what was not synced: it is a snapshot of a disk, say. After a restart of this machine
    /// that is known without saying.
    #[arg(long)]
    after_power_loss: bool,
}

impl DataArguments {
    fn data(&self) -> Data {
        if self.memory {
            return Data::Memory;
        }
        let options = DiskOptions {
            durability: self.durability,
            cache_bytes: self.cache_bytes,
            reserve_bytes: self.reserve_bytes,
            after_power_loss: self.after_power_loss,
            ..DiskOptions::default()
        };
        Data::Folder(self.data.clone(), options)
    }

    /// The folder as others find it, if there is one.
    fn folder(&self) -> Option<PathBuf> {
        (!self.memory).then(|| std::path::absolute(&self.data).unwrap_or_else(|_| self.data.clone()))
    }
}

fn parse_host_ports(text: &str) -> Result<HostPorts, String> {
    match text {
        "auto" => Ok(HostPorts::ToThoseThatReadThem),
        "off" => Ok(HostPorts::ToNobody),
        _ => Err("neither auto nor off".to_owned()),
    }
}

/// Serves until a signal says to stop.
pub(crate) fn run(arguments: ServeArguments) -> Result<(), Box<dyn Error>> {
    logging::start(arguments.log.clone())?;
    descriptors::allow_all();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(serve(arguments));
    // A backup or a compaction under way may take long, and can be left as it is.
    runtime.shutdown_background();
    served
}

async fn serve(arguments: ServeArguments) -> Result<(), Box<dyn Error>> {
    // Signals are listened for before anything else, so that one that comes early is not fatal.
    let signals = Signals::listen()?;
    let folder = arguments.data.folder();
    let server = Server::start(arguments.options()?).await?;
    if let Some(path) = &arguments.ready_file {
        ready::write(path, &ready::describe(server.addresses(), folder.as_deref()))
            .map_err(|error| format!("cannot write the ready file {}: {error}", path.display()))?;
    }
    let banner = Banner {
        addresses: server.addresses(),
        data: folder.as_deref(),
        durability: arguments.data.durability,
        tables: &arguments.table,
    };
    // Whoever closed standard output does not want to read this, and still wants to be served.
    let _ = write!(std::io::stdout(), "{banner}");
    until_stopped(server, signals).await;
    Ok(())
}

/// Has a server serve until a signal says to stop.
pub(crate) async fn until_stopped(server: Server, mut signals: Signals) {
    // Not as an argument of the macro, which is not evaluated where the level is not logged.
    let signal = tokio::select! {
        signal = signals.next() => signal,
        () = server.stop_asked() => "a client of memcached",
    };
    info!("{signal} asked the server to stop; a second signal stops it at once");
    tokio::select! {
        () = server.shutdown() => info!("stopped"),
        signal = signals.next() => info!("{signal} again: stopped at once"),
    }
}

/// The signals that ask a server to stop.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on they are not fatal.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
