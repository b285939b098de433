//! What a client is told before it begins.

use std::fmt;
use std::time::Duration;

use super::compression::Compression;
use super::key::LongKeys;
use super::ring::Hashing;
use crate::error::Error;
use crate::net::{Address, Dialler};
#[cfg(feature = "tls")]
use crate::tls::{Tls, Trust};
use crate::url::{self, Url};

/// Where memcached listens unless something else is said.
const DEFAULT_PORT: u16 = 11211;

/// How often servers are asked for the servers of their cluster, unless something else is said.
const DISCOVERY_INTERVAL: Duration = Duration::from_secs(60);

/// Which servers a client uses, how it spreads keys over them, and how patient it is.
///
/// ```
/// use std::time::Duration;
/// use charioteer::memcached::Options;
///
/// let mut options = Options::new(["cache-1:11211", "10.0.0.2", "[::1]:11212"])?;
/// options.operation_timeout = Duration::from_millis(200);
/// assert_eq!(options.servers(), ["cache-1:11211", "10.0.0.2:11211", "[::1]:11212"]);
///
/// let same = Options::from_url("memcached://cache-1,10.0.0.2,[::1]:11212?operation_timeout=200ms")?;
/// assert_eq!(same.servers(), options.servers());
/// # Ok::<(), charioteer::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    pub(super) servers: Vec<Named>,
    /// Which of memcached's protocols is spoken. Default [`Protocol::Binary`]; `protocol` in a URL.
    pub protocol: Protocol,
    /// What stands before every key when it is sent, so that several users of the same servers do not meet. It makes no difference to
    /// which server a key is on, and it is never handed back. Default empty; `key_prefix` in a URL.
    pub key_prefix: Vec<u8>,
    /// Whether [`key_prefix`](Self::key_prefix) does make a difference to which server a key is on, as it does with clients that know
    /// nothing of prefixes and are given whole keys. Default no; `prefix_places=true` in a URL.
    pub prefix_places: bool,
    /// What is done with a key that is too long. Default [`LongKeys::Refuse`]; `long_keys` in a URL.
    pub long_keys: LongKeys,
    /// Whether values are compressed when they are stored, and decompressed when they are read. Default [`Compression::None`];
    /// `compression=zstd` in a URL.
    pub compression: Compression,
    /// Shorter values are not compressed. Default 1024; `compression_min_bytes` in a URL.
    pub compression_min_bytes: usize,
    /// How keys are spread over the servers. Default [`Hashing::Rendezvous`]; `hashing` in a URL.
    pub hashing: Hashing,
    /// How much of the keys each server is to have, in the servers' order; 1 for all when it is empty. Default empty; `weights=3,1`
    /// in a URL.
    pub weights: Vec<u32>,
    /// As whom the client speaks to servers that want to know. Default none. A URL, which ends up in logs, has no place for them.
    pub credentials: Option<Credentials>,
    /// How TLS is spoken, on TCP and on Unix sockets. Default not at all; `memcacheds://` in a URL, or `tls=true`, with `ca`, `cert`,
    /// `key` (files) and `server_name`.
    #[cfg(feature = "tls")]
    pub tls: Option<Tls>,
    /// How often the servers are asked for those of their cluster, as Amazon's ElastiCache and Google's Memorystore tell them
    /// (`config get cluster`, or `get AmazonElastiCache:cluster` from older ones). Default never; `discovery=true` in a URL, which is
    /// every minute, or `discovery=30s`.
    ///
    /// The first call waits for the first answer. From then on the servers are those of the cluster, under their names, whenever its
    /// version grows; others, those given here among them, are removed. A server that knows no cluster, as memcached itself, leaves
    /// them as they are.
    pub discovery: Option<Duration>,
    /// How long a call may take, with all its attempts. Default 1 s; `operation_timeout` in a URL.
    pub operation_timeout: Duration,
    /// How long connecting to a server may take. Default 1 s; `connect_timeout` in a URL.
    pub connect_timeout: Duration,
    /// How many connections there are to each server. One carries hundreds of thousands of calls a second. Default 1; `connections`
    /// in a URL.
    pub connections_per_server: usize,
    /// How often a call is tried at most, its first attempt among them. Default 10; `attempts` in a URL.
    pub attempts: u32,
    /// After how many failures in a row a server counts as down. Failures that come together count as one. Default 3; `failures` in a
    /// URL.
    pub failures: u32,
    /// Whether the others take over the keys of a server that is down. They have none of its items, and it has none of their changes
    /// when it comes back. Otherwise calls for its keys fail at once. Default yes; `failover=false` in a URL.
    pub failover: bool,
    /// The longest wait before a server that is down is asked again; the first is 100 ms, and each is twice the one before. Default
    /// 5 s; `retry_interval` in a URL.
    pub retry_interval: Duration,
    /// A longer value is passed over, and the call that it answers fails; so are several values together that are longer than four
    /// times as much. What was compressed counts with both its lengths. Default 64 MiB; `max_value_bytes` in a URL.
    pub max_value_bytes: usize,
}

/// The languages that memcached knows.
///
/// ```
/// use charioteer::memcached::{Options, Protocol};
///
/// let options = Options::from_url("memcached://cache-1?protocol=binary")?;
/// assert_eq!(options.protocol, Protocol::Binary);
/// # Ok::<(), charioteer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// The binary protocol. Keys are any bytes, from 1 to 250 of them. `binary` in a URL.
    #[default]
    Binary,
    /// The meta protocol. Keys are from 1 to 250 bytes, or 186 if there are spaces or control bytes among them. `meta` in a URL.
    Meta,
    /// The text protocol. Keys are from 1 to 250 bytes, none of them a space or a control byte. `text` in a URL.
    Text,
}

impl Protocol {
    /// Each with its name in a URL.
    const NAMES: [(&'static str, Self); 3] = [("binary", Self::Binary), ("meta", Self::Meta), ("text", Self::Text)];
}

/// A server's address, and how it was written.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) address: Address,
}

impl Named {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        if let Some(address) = Address::socket(text) {
            return Ok(Self { name: address.host().to_owned(), address });
        }
        let address = Address::parse(text, DEFAULT_PORT).map_err(|why| Error::config(format!("server {why}")))?;
        Ok(Self { name: text.trim().to_owned(), address })
    }
}

/// A name and a password, which are never printed.
///
/// ```
/// use charioteer::memcached::Credentials;
///
/// let credentials = Credentials::new("alice", "secret");
/// assert!(!format!("{credentials:?}").contains("secret"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

impl Credentials {
    /// This name and this password, for SASL's mechanism `PLAIN`.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: password.into() }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl Options {
    /// For these servers: `host:port`, `host`, `1.2.3.4:port`, `[::1]:port`, or a Unix socket as `/path` or `unix:/path`. The port is
    /// 11211 where none is given. Names are looked up at each connecting.
    ///
    /// # Errors
    /// When there is none, or one is no address.
    pub fn new<S: AsRef<str>>(servers: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let servers = servers.into_iter().map(|text| Named::parse(text.as_ref())).collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(Error::config("no server is given, such as 127.0.0.1:11211"));
        }
        Ok(Self {
            servers,
            protocol: Protocol::default(),
            key_prefix: Vec::new(),
            prefix_places: false,
            long_keys: LongKeys::default(),
            compression: Compression::default(),
            compression_min_bytes: 1024,
            hashing: Hashing::default(),
            weights: Vec::new(),
            credentials: None,
            #[cfg(feature = "tls")]
            tls: None,
            discovery: None,
            operation_timeout: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(1),
            connections_per_server: 1,
            attempts: 10,
            failures: 3,
            failover: true,
            retry_interval: Duration::from_secs(5),
            max_value_bytes: 64 << 20,
        })
    }

    /// From `memcached://h1:11211,h2:11211?hashing=ketama&…`, or the same with `memcache://`; with `memcacheds://` over TLS. A Unix
    /// socket is `memcached:///path/of/socket`, or one of several: `memcached://unix:%2Fpath%2Fone,unix:%2Fpath%2Ftwo`.
    ///
    /// # Errors
    /// When it is no such URL, an option is not known, or a value makes no sense.
    pub fn from_url(text: &str) -> Result<Self, Error> {
        let url = Url::parse(text)?;
        let is_secure = url.scheme == "memcacheds";
        if !is_secure && !matches!(&*url.scheme, "memcached" | "memcache") {
            return Err(Error::config(format!("{}://…: a URL of memcached begins with memcached://", url.scheme)));
        }
        let path = format!("/{}", url.path.join("/"));
        let mut options = match (&url.hosts[..], &url.path[..]) {
            ([], [_, ..]) => Self::new([path])?,
            (hosts, []) => Self::new(hosts)?,
            _ => return Err(Error::config(format!("{path}: memcached has no tables"))),
        };
        if is_secure {
            options.speak_tls()?;
        }
        for (name, value) in &url.query {
            options.set(name, value)?;
        }
        Ok(options)
    }

    /// The servers, each with its port, if it has one.
    #[must_use]
    pub fn servers(&self) -> Vec<String> {
        self.servers.iter().map(|server| server.address.to_string()).collect()
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        match name {
            "compression" => self.compression = one_of(name, value, &Compression::NAMES)?,
            "compression_min_bytes" => self.compression_min_bytes = url::number(name, value)?,
            "hashing" => self.hashing = one_of(name, value, &Hashing::NAMES)?,
            "weights" => {
                let weights = value.split(',').map(|weight| url::number(name, weight));
                self.weights = weights.collect::<Result<_, _>>()?;
            }
            "operation_timeout" => self.operation_timeout = url::duration(name, value)?,
            "connect_timeout" => self.connect_timeout = url::duration(name, value)?,
            "retry_interval" => self.retry_interval = url::duration(name, value)?,
            "connections" => self.connections_per_server = url::number(name, value)?,
            "attempts" => self.attempts = url::number(name, value)?,
            "failures" => self.failures = url::number(name, value)?,
            "max_value_bytes" => self.max_value_bytes = url::number(name, value)?,
            "failover" => self.failover = one_of(name, value, &YES_OR_NO)?,
            "tls" if one_of(name, value, &YES_OR_NO)? => self.speak_tls()?,
            "tls" => {}
            "discovery" => {
                self.discovery = match value {
                    "true" => Some(DISCOVERY_INTERVAL),
                    "false" => None,
                    _ => Some(url::duration(name, value)?),
                }
            }
            "protocol" => self.protocol = one_of(name, value, &Protocol::NAMES)?,
            "key_prefix" => self.key_prefix = value.into(),
            "prefix_places" => self.prefix_places = one_of(name, value, &YES_OR_NO)?,
            "long_keys" => self.long_keys = one_of(name, value, &LongKeys::NAMES)?,
            name if self.set_tls(name, value) => {}
            _ => return Err(Error::config(format!("{name}={value}: there is no such option for memcached://"))),
        }
        Ok(())
    }

    #[cfg(feature = "tls")]
    fn speak_tls(&mut self) -> Result<(), Error> {
        self.tls.get_or_insert_with(Tls::new);
        Ok(())
    }

    #[cfg(not(feature = "tls"))]
    fn speak_tls(&mut self) -> Result<(), Error> {
        Err(Error::config("TLS: this program was built without the feature tls of charioteer"))
    }

    /// Sets an option of TLS, if it is one. Whoever says one wants TLS.
    #[cfg(feature = "tls")]
    fn set_tls(&mut self, name: &str, value: &str) -> bool {
        let mut tls = self.tls.clone().unwrap_or_default();
        let is_known = tls.set(name, value);
        if is_known {
            self.tls = Some(tls);
        }
        is_known
    }

    #[cfg(not(feature = "tls"))]
    fn set_tls(&mut self, _: &str, _: &str) -> bool {
        false
    }

    /// What makes no sense, whoever has set it.
    pub(super) fn check(&self) -> Result<(), Error> {
        let times = [
            ("operation_timeout", self.operation_timeout),
            ("connect_timeout", self.connect_timeout),
            ("retry_interval", self.retry_interval),
        ];
        let discovery = self.discovery.map(|interval| ("discovery", interval));
        if let Some((name, _)) = times.into_iter().chain(discovery).find(|(_, time)| time.is_zero()) {
            return Err(Error::config(format!("{name}: a time longer than nothing is expected")));
        }
        let names_are_words = self.protocol == Protocol::Binary;
        if self.credentials.as_ref().is_some_and(|credentials| !names_are_words && credentials.user.contains(' ')) {
            return Err(Error::config("credentials: a name with a space can be said in the binary protocol alone"));
        }
        self.check_prefix()?;
        if self.connections_per_server == 0 || self.connections_per_server > 1024 {
            return Err(Error::config("connections: a number from 1 to 1024 is expected"));
        }
        if self.attempts == 0 || self.failures == 0 {
            return Err(Error::config("attempts, failures: at least 1 is expected"));
        }
        self.check_servers()
    }

    /// How servers are connected to; what that needs is read from files.
    pub(super) fn dialler(&self) -> Result<Dialler, Error> {
        let dialler = Dialler::plain(self.connect_timeout);
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return Ok(dialler.over_tls(std::sync::Arc::new(Trust::new(tls)?)));
        }
        Ok(dialler)
    }

    fn check_servers(&self) -> Result<(), Error> {
        let twice = self
            .servers
            .iter()
            .enumerate()
            .find(|(at, server)| self.servers[..*at].iter().any(|before| before.address == server.address));
        if let Some((_, twice)) = twice {
            return Err(Error::config(format!("the server {} is given twice", twice.address)));
        }
        if self.weights.is_empty() {
            return Ok(());
        }
        if self.discovery.is_some() {
            return Err(Error::config("weights: servers that are discovered have none"));
        }
        if self.weights.len() != self.servers.len() || self.weights.contains(&0) {
            return Err(Error::config("weights: a number from 1 on is expected for each server"));
        }
        if !self.hashing.knows_weights() {
            return Err(Error::config("weights: this hashing knows none"));
        }
        Ok(())
    }
}

const YES_OR_NO: [(&str, bool); 2] = [("true", true), ("false", false)];

/// What an option's value names.
fn one_of<T: Copy>(name: &str, value: &str, names: &[(&str, T)]) -> Result<T, Error> {
    let known = names.iter().find(|(known, _)| *known == value).map(|(_, meant)| *meant);
    known.ok_or_else(|| {
        let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        Error::config(format!("{name}={value}: one of {} is expected", names.join(", ")))
    })
}
