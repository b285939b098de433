//! `charioteer memcached`: started as a memcached is, with its options.

mod extended;

use std::error::Error;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use charioteer_proto::memcached::Protocol;
use charioteer_server::{Limits, MemcachedOptions, Options, OverTls, Server, UnixSocket};
use clap::{ArgAction, Args};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use self::extended::Extended;
use crate::serve::{Signals, read_credentials, until_stopped};
use crate::{descriptors, logging};

/// memcached's port.
const PORT: u16 = 11211;

/// Where memcached writes the ports that the system chose, as its own tests want it.
const PORT_FILE: &str = "MEMCACHED_PORT_FILENAME";

/// The version that is told, whose behaviour this is.
const VERSION: &str = "memcached 1.6.45";

/// Under which this is, in the place of memcached's own licence.
const LICENCE: &str = concat!("charioteer ", env!("CARGO_PKG_VERSION"), ": ", env!("CARGO_PKG_LICENSE"));

/// What memcached is told, in its own words.
#[derive(Args)]
#[command(disable_version_flag = true, arg_required_else_help = false, before_help = VERSION)]
pub(crate) struct MemcachedArguments {
    /// Tells the version, and does nothing else.
    #[arg(short = 'V', long = "version")]
    version: bool,

    /// Tells the licence, and does nothing else.
    #[arg(short = 'i', long = "license")]
    licence: bool,

    /// The TCP port; 0 for none, -1 lets the system choose.
    #[arg(short = 'p', long = "port", value_name = "NUMBER", default_value_t = PORT.into(), allow_negative_numbers = true)]
    port: i32,

    /// The UDP port, of which there is none: only 0 is taken.
    #[arg(short = 'U', long = "udp-port", value_name = "0", default_value_t = 0, allow_negative_numbers = true)]
    udp_port: i32,

    /// Where to listen, with commas between addresses, each with a port if it has one of its own, and with notls: before it where
    /// -Z is not meant. Without -l this is 127.0.0.1,
    /// where memcached listens on all addresses.
    #[arg(short = 'l', long = "listen", value_name = "ADDRESS[:PORT],…", value_delimiter = ',')]
    listen: Vec<String>,

    /// A Unix socket to listen on, and on no TCP port.
    #[arg(short = 's', long = "unix-socket", value_name = "PATH")]
    unix_socket: Option<PathBuf>,

    /// Who may connect to the Unix socket, as the permissions of a file, in octal.
    #[arg(short = 'a', long = "unix-mask", value_name = "OCTAL", value_parser = octal, default_value = "700")]
    unix_mask: u32,

    /// Memory for items, in megabytes.
    #[arg(short = 'm', long = "memory-limit", value_name = "MEGABYTES", default_value_t = 64)]
    memory_limit: usize,

    /// Refuses items when the memory is used up, instead of evicting others.
    #[arg(short = 'M', long = "disable-evictions")]
    disable_evictions: bool,

    /// Connections at the same time; further ones wait.
    #[arg(short = 'c', long = "conn-limit", value_name = "NUMBER", default_value_t = 1024)]
    connections: usize,

    /// The largest item, in bytes or with k or m behind it.
    #[arg(short = 'I', long = "max-item-size", value_name = "SIZE", value_parser = size, default_value = "1m")]
    max_item_size: usize,

    /// Threads that serve.
    #[arg(short = 't', long = "threads", value_name = "NUMBER", default_value_t = 4)]
    threads: usize,

    /// Requests for which one connection is served before others; taken, and left to time instead.
    #[arg(short = 'R', long = "max-reqs-per-event", value_name = "NUMBER")]
    requests_per_event: Option<u32>,

    /// Does without versions of items; taken, but they are told nevertheless: there is nothing to be saved.
    #[arg(short = 'C', long = "disable-cas")]
    disable_cas: bool,

    /// Refuses to flush.
    #[arg(short = 'F', long = "disable-flush-all")]
    disable_flush: bool,

    /// Refuses to list keys.
    #[arg(short = 'X', long = "disable-dumping")]
    disable_dump: bool,

    /// The one protocol that is spoken.
    #[arg(short = 'B', long = "protocol", value_name = "ascii|binary|auto", value_parser = protocol, default_value = "auto")]
    protocol: Wanted,

    /// Asks clients who they are, which needs -Y: there is no other list of users.
    #[arg(short = 'S', long = "enable-sasl")]
    sasl: bool,

    /// A file of lines user:password; only those named there are served, by text as well as by SASL PLAIN.
    #[arg(short = 'Y', long = "auth-file", value_name = "FILE")]
    auth_file: Option<PathBuf>,

    /// Speaks TLS, which needs -o ssl_chain_cert=FILE and ssl_key=FILE; but not on Unix sockets.
    #[arg(short = 'Z', long = "enable-ssl")]
    tls: bool,

    /// Logs more; twice more than that.
    #[arg(short = 'v', long = "verbose", action = ArgAction::Count)]
    verbose: u8,

    /// The user to become; taken, but nobody becomes another.
    #[arg(short = 'u', long = "user", value_name = "NAME")]
    user: Option<String>,

    /// Writes the number of the process to a file, which is removed at the end.
    #[arg(short = 'P', long = "pidfile", value_name = "FILE")]
    pid_file: Option<PathBuf>,

    /// Stops when a client says so, by "shutdown".
    #[arg(short = 'A', long = "enable-shutdown")]
    enable_shutdown: bool,

    /// Allows core files; taken, and left to the system.
    #[arg(short = 'r', long = "enable-coredumps")]
    core_files: bool,

    /// Locks the memory; taken, and left to the system.
    #[arg(short = 'k', long = "lock-memory")]
    lock_memory: bool,

    /// Large pages; taken, and left to the system.
    #[arg(short = 'L', long = "enable-largepages")]
    large_pages: bool,

    /// By what the sizes of chunks grow; taken, and there are no classes of them.
    #[arg(short = 'f', long = "slab-growth-factor", value_name = "FACTOR")]
    growth_factor: Option<f64>,

    /// The smallest chunk; taken, and there are none.
    #[arg(short = 'n', long = "slab-min-size", value_name = "BYTES")]
    smallest_chunk: Option<u64>,

    /// Connections that wait to be accepted; taken, and left to the system.
    #[arg(short = 'b', long = "listen-backlog", value_name = "NUMBER")]
    backlog: Option<u32>,

    /// What separates prefixes of keys for statistics, and has them counted; taken, and none are.
    #[arg(short = 'D', value_name = "CHARACTER", num_args = 1)]
    prefix_delimiter: Option<String>,

    /// Threads by the network's queues; taken, and left to the system.
    #[arg(short = 'N', long = "napi-ids", value_name = "NUMBER")]
    napi_ids: Option<String>,

    /// Refuses to log to clients, which is never done.
    #[arg(short = 'W', long = "disable-watch")]
    disable_watch: bool,

    /// Further options, with commas between them.
    #[arg(short = 'o', long = "extended", value_name = "NAME[=VALUE],…", value_delimiter = ',', value_parser = extended::parse)]
    extended: Vec<Extended>,
}

/// `auto` is none.
type Wanted = Option<Protocol>;

fn octal(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mask @ 0..=0o777) => Ok(mask),
        _ => Err("not the permissions of a file, in octal".to_owned()),
    }
}

/// Bytes, with or without `k` or `m`.
fn size(text: &str) -> Result<usize, String> {
    let (number, unit) = match text.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1 << 10),
        None => text.strip_suffix(['m', 'M']).map_or((text, 1), |number| (number, 1 << 20)),
    };
    let bytes = number.parse::<usize>().ok().and_then(|number| number.checked_mul(unit));
    match bytes {
        Some(bytes @ 1024..=0x4000_0000) => Ok(bytes),
        Some(_) => Err("an item's limit is between 1k and 1024m".to_owned()),
        None => Err("not a number of bytes, which k or m may follow".to_owned()),
    }
}

fn protocol(text: &str) -> Result<Wanted, String> {
    match text {
        "ascii" => Ok(Some(Protocol::Text)),
        "binary" => Ok(Some(Protocol::Binary)),
        "auto" => Ok(None),
        _ => Err("neither ascii nor binary nor auto".to_owned()),
    }
}

impl MemcachedArguments {
    fn options(&self) -> Result<Options, Box<dyn Error>> {
        if self.udp_port != 0 {
            return Err("UDP is not spoken here; leave -U out, or give it 0".into());
        }
        if self.sasl && self.auth_file.is_none() {
            return Err("-S asks clients who they are, and needs -Y with a file of user:password".into());
        }
        let frame_bytes = Limits::default().frame_bytes.max(self.max_item_size);
        Ok(Options {
            pegasus: None,
            memcached: Some(self.memcached()?),
            tikv: None,
            http: None,
            // As memcached does: who names an address wants it.
            allow_remote: !self.listen.is_empty(),
            limits: Limits {
                connections: self.connections,
                frame_bytes,
                idle: extended::idle_timeout(&self.extended),
                ..Limits::default()
            },
            ..Options::default()
        })
    }

    fn memcached(&self) -> Result<MemcachedOptions, Box<dyn Error>> {
        let path = self.unix_socket.clone();
        let (addresses, over_tls) = if path.is_some() { Default::default() } else { self.addresses()? };
        let tls = if self.tls { Some(extended::tls(&self.extended)?) } else { None };
        Ok(MemcachedOptions {
            addresses,
            tls: tls.map(|tls| OverTls { addresses: over_tls, tls }),
            unix_socket: path.map(|path| UnixSocket { path, permissions: self.unix_mask }),
            durable: false,
            memory_bytes: self.memory_limit.saturating_mul(1 << 20),
            item_limit: self.max_item_size,
            evicts: !self.disable_evictions,
            credentials: self.auth_file.as_deref().map(read_credentials).transpose()?,
            protocol: self.protocol,
            allows_flush: !self.disable_flush,
            allows_dump: !self.disable_dump,
            allows_shutdown: self.enable_shutdown,
            ..MemcachedOptions::default()
        })
    }

    /// Where to listen without TLS, and where with it: a port that an address has of its own goes before that of `-p`.
    fn addresses(&self) -> Result<(Vec<SocketAddr>, Vec<SocketAddr>), Box<dyn Error>> {
        let port = match self.port {
            -1 => 0,
            0 if self.listen.is_empty() => return Ok(Default::default()),
            port => u16::try_from(port).map_err(|_| format!("{port} is no port"))?,
        };
        let (mut plain, mut over_tls) = (Vec::new(), Vec::new());
        let mut listen = |address, is_plain| if is_plain { plain.push(address) } else { over_tls.push(address) };
        if self.listen.is_empty() {
            listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), !self.tls);
        }
        for text in &self.listen {
            match text.strip_prefix("notls:") {
                Some(text) => listen(address(text, port)?, true),
                None => listen(address(text, port)?, !self.tls),
            }
        }
        Ok((plain, over_tls))
    }

    fn log(&self) -> Targets {
        let level = match self.verbose {
            0 => LevelFilter::WARN,
            1 => LevelFilter::INFO,
            _ => LevelFilter::DEBUG,
        };
        Targets::new().with_default(level)
    }
}

/// An address, or a name of one, with a port or without.
fn address(text: &str, port: u16) -> Result<SocketAddr, Box<dyn Error>> {
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, port));
    }
    let found = match text.rsplit_once(':') {
        Some((_, own)) if own.parse::<u16>().is_ok() => text.to_socket_addrs(),
        _ => (text, port).to_socket_addrs(),
    };
    let mut found = found.map_err(|error| format!("cannot listen on {text}: {error}"))?;
    found.next().ok_or_else(|| format!("{text} has no address").into())
}

/// Serves until a signal says to stop.
pub(crate) fn run(arguments: &MemcachedArguments) -> Result<(), Box<dyn Error>> {
    if arguments.version || arguments.licence {
        writeln!(std::io::stdout(), "{}", if arguments.version { VERSION } else { LICENCE })?;
        return Ok(());
    }
    logging::start(arguments.log())?;
    descriptors::allow_all();
    let options = arguments.options()?;
    let threads = arguments.threads.max(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let served = runtime.block_on(serve(options, arguments.pid_file.as_deref()));
    runtime.shutdown_background();
    served
}

async fn serve(options: Options, pid_file: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let signals = Signals::listen()?;
    let server = Server::start(options).await?;
    let _pid_file = pid_file.map(PidFile::write).transpose()?;
    if let Some(path) = std::env::var_os(PORT_FILE).map(PathBuf::from) {
        let addresses = server.addresses();
        write_ports(&path, &[&addresses.memcached[..], &addresses.memcached_tls].concat())
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    until_stopped(server, signals).await;
    Ok(())
}

/// A file with the number of this process, which is removed when it is dropped.
struct PidFile<'a>(&'a Path);

impl<'a> PidFile<'a> {
    fn write(path: &'a Path) -> Result<Self, String> {
        let written = std::fs::write(path, format!("{}\n", std::process::id()));
        written.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for PidFile<'_> {
    fn drop(&mut self) {
        // Whoever has removed it already meant the same.
        let _ = std::fs::remove_file(self.0);
    }
}

/// Writes the ports in the form in which memcached does, in one step.
fn write_ports(path: &Path, addresses: &[SocketAddr]) -> std::io::Result<()> {
    let part = path.with_extension("part");
    let mut file = std::fs::File::create(&part)?;
    for address in addresses {
        writeln!(file, "TCP {}: {}", if address.is_ipv4() { "INET" } else { "INET6" }, address.port())?;
    }
    drop(file);
    std::fs::rename(part, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("2m"), Ok(2 << 20));
        assert_eq!(size("1024"), Ok(1024));
        assert!(size("1023").is_err() && size("2g").is_err() && size("1025m").is_err());
    }

    #[test]
    fn permissions_are_octal() {
        assert_eq!(octal("0755"), Ok(0o755));
        assert!(octal("8").is_err() && octal("1777").is_err());
    }

    #[test]
    fn an_address_may_have_a_port_of_its_own() {
        assert_eq!(address("127.0.0.1", 5).unwrap(), "127.0.0.1:5".parse().unwrap());
        assert_eq!(address("127.0.0.1:7", 5).unwrap(), "127.0.0.1:7".parse().unwrap());
        assert_eq!(address("::1", 5).unwrap(), "[::1]:5".parse().unwrap());
        assert_eq!(address("[::1]:7", 5).unwrap(), "[::1]:7".parse().unwrap());
    }
}
