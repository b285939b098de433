//! What a client is told before it begins.

use std::path::Path;
use std::time::Duration;

use super::locate;
use crate::error::Error;
use crate::net::{Address, Dialler};
#[cfg(feature = "tls")]
use crate::tls::{Protocol, Tls, Trust};
use crate::url::{self, Url};

/// Where PD listens unless something else is said.
const DEFAULT_PORT: u16 = 2379;

/// How a client finds its cluster, which keys of it are its own, and how patient it is.
///
/// The same names say the same in a URL, in a file, and here.
///
/// ```
/// use std::time::Duration;
/// use charioteer::tikv::{ApiVersion, Options};
///
/// let mut options = Options::new(["pd-1:2379", "10.0.0.2", "[::1]:2379"])?;
/// options.api = ApiVersion::V2;
/// options.operation_timeout = Duration::from_secs(5);
/// assert_eq!(options.pd_servers(), ["pd-1:2379", "10.0.0.2:2379", "[::1]:2379"]);
///
/// let same = Options::from_url("tikv://pd-1,10.0.0.2,[::1]?api=v2&operation_timeout=5s")?;
/// assert_eq!(same.pd_servers(), options.pd_servers());
/// let same = Options::from_toml(r#"
///     pd = ["pd-1", "10.0.0.2", "[::1]"]
///     api = "v2"
///     operation_timeout = "5s"
/// "#)?;
/// assert_eq!(same.operation_timeout, options.operation_timeout);
/// # Ok::<(), charioteer::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    pub(super) pds: Vec<Address>,
    table: Option<String>,
    /// What the keys are to be used for, where that was said; a client for anything else refuses these options. `mode=raw` or
    /// `mode=txn`. Default not said.
    pub mode: Option<Mode>,
    /// The cluster's API version. Default [`ApiVersion::V1`]; `api=v1ttl` or `api=v2`.
    pub api: ApiVersion,
    /// The keyspace, by its name; with API version 2 only. Default the one called `DEFAULT`; `keyspace`.
    pub keyspace: Option<String>,
    /// Which cluster is meant: another one is refused. Default any; `cluster_id`.
    pub cluster_id: Option<u64>,
    /// How TLS is spoken. Default not at all; `tikv+tls://` in a URL, or `tls=true`, with `ca`, `cert`, `key` (files) and
    /// `server_name`.
    #[cfg(feature = "tls")]
    pub tls: Option<Tls>,
    /// How long a call may take, with all its attempts. It is as long as regions may have no leader. Default 20 s;
    /// `operation_timeout`.
    pub operation_timeout: Duration,
    /// How long one attempt may take of a call that comes to the same when it is made twice. Default 5 s; `attempt_timeout`.
    pub attempt_timeout: Duration,
    /// How long connecting to a server may take. Default 3 s; `connect_timeout`.
    pub connect_timeout: Duration,
    /// How often a call is tried at most, its first attempt among them. Default 100; `attempts`.
    pub attempts: u32,
    /// How many connections there are to each store. One carries hundreds of thousands of calls a second. Default 1; `connections`.
    pub connections_per_store: usize,
    /// How often a server is asked whether it is there, also while nothing else is under way. Default 10 s; `keepalive_interval`.
    pub keepalive_interval: Duration,
    /// How long it may take to answer that, before its connection is given up. Default 3 s; `keepalive_timeout`.
    pub keepalive_timeout: Duration,
    /// A longer message from a server is refused, and the call that it answers fails. Default 64 MiB; `max_message_bytes`.
    pub max_message_bytes: usize,
    /// A request with a longer key and value is refused before it is sent. Stores refuse more than 8 MiB, unless they are set to take
    /// more. Default 15 MiB; `max_request_bytes`.
    pub max_request_bytes: usize,
    /// Which of a region's peers is asked to read. Default the one that leads; `read_from=follower`, `learner`, `any`,
    /// `prefer_leader` or `closest`.
    pub read_from: ReadFrom,
    /// The labels of this client's place, as stores have them: those that have the same are close. Default none;
    /// `labels=zone:a,rack:1`.
    pub labels: Vec<(String, String)>,
    /// How many regions are remembered. Default 100,000; `max_regions`.
    pub max_regions: usize,
    /// How many requests of one batch are under way at a time. Default 16; `batch_concurrency`.
    pub batch_concurrency: usize,
}

/// What keys are used for.
///
/// ```
/// use charioteer::tikv::{Mode, Options};
///
/// assert_eq!(Options::from_url("tikv://pd?mode=raw")?.mode, Some(Mode::Raw));
/// # Ok::<(), charioteer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// Raw keys and values.
    Raw,
    /// Transactions.
    Txn,
}

/// The API version of a cluster, which was chosen when it was made (`storage.api-version` and `storage.enable-ttl` in TiKV's
/// configuration).
///
/// ```
/// use charioteer::tikv::ApiVersion;
///
/// assert_eq!(ApiVersion::default(), ApiVersion::V1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ApiVersion {
    /// Version 1.
    #[default]
    V1,
    /// Version 1 with times to live. Raw keys only.
    V1Ttl,
    /// Version 2: keyspaces, and times to live.
    V2,
}

/// Which of a region's peers is asked to read. One that does not lead makes sure that it has what the leader had when it was asked.
///
/// ```
/// use charioteer::tikv::{Options, ReadFrom};
///
/// assert_eq!(Options::from_url("tikv://pd?read_from=closest&labels=zone:a")?.read_from, ReadFrom::Closest);
/// # Ok::<(), charioteer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReadFrom {
    /// The one that leads.
    #[default]
    Leader,
    /// One that does not lead, if there is one.
    Follower,
    /// One that only learns, as those for analysis do, if there is one.
    Learner,
    /// Any of them.
    Any,
    /// The one that leads, unless its store is slow or gone.
    PreferLeader,
    /// One whose store has all of the client's labels, or any if none has.
    Closest,
}

impl Options {
    /// For the cluster with these PD servers: `host:port`, `host`, `1.2.3.4:port` or `[::1]:port`. The port is 2379 where none is
    /// given. Names are looked up at each connecting.
    ///
    /// # Errors
    /// When there is none, or one is no address.
    pub fn new<S: AsRef<str>>(pd_servers: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let pds = pd_servers.into_iter().map(|text| address(text.as_ref())).collect::<Result<Vec<_>, _>>()?;
        if pds.is_empty() {
            return Err(Error::config("no PD server is given, such as 127.0.0.1:2379"));
        }
        Ok(Self {
            pds,
            table: None,
            mode: None,
            api: ApiVersion::V1,
            keyspace: None,
            cluster_id: None,
            #[cfg(feature = "tls")]
            tls: None,
            operation_timeout: Duration::from_secs(20),
            attempt_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(3),
            attempts: 100,
            connections_per_store: 1,
            keepalive_interval: Duration::from_secs(10),
            keepalive_timeout: Duration::from_secs(3),
            max_message_bytes: 64 << 20,
            max_request_bytes: 15 << 20,
            read_from: ReadFrom::Leader,
            labels: Vec::new(),
            max_regions: 100_000,
            batch_concurrency: 16,
        })
    }

    /// From `tikv://pd1:2379,pd2:2379/table?mode=raw&api=v2&keyspace=…`, or `tikv+tls://…`. The table may be missing.
    ///
    /// # Errors
    /// When it is no such URL, an option is not known, or a value makes no sense.
    pub fn from_url(text: &str) -> Result<Self, Error> {
        let url = Url::parse(text)?;
        let is_secure = match &*url.scheme {
            "tikv" => false,
            "tikv+tls" => true,
            other => return Err(Error::config(format!("{other}://…: a URL of TiKV begins with tikv://"))),
        };
        let mut options = Self::new(&url.hosts)?;
        if is_secure {
            options.speak_tls()?;
        }
        options.table = match &url.path[..] {
            [] => None,
            [table] => Some(table.clone()),
            path => return Err(Error::config(format!("/{}: one table's name is expected", path.join("/")))),
        };
        for (name, value) in &url.query {
            options.set(name, value)?;
        }
        Ok(options)
    }

    /// From a text in TOML: `pd = ["pd1:2379", …]` (or `url = "tikv://…"`), and the options by the names that they have in a URL.
    ///
    /// # Errors
    /// When it is no TOML, says nothing of PD, an option is not known, or a value makes no sense.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let mut table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| Error::config(error.message().to_owned()))?;
        let mut options = match (table.remove("url"), table.remove("pd")) {
            (Some(toml::Value::String(url)), None) => Self::from_url(&url)?,
            (None, Some(toml::Value::String(pd))) => Self::new([pd])?,
            (None, Some(toml::Value::Array(pds))) => {
                let pds: Option<Vec<_>> = pds.iter().map(|pd| pd.as_str()).collect();
                Self::new(pds.ok_or_else(|| Error::config("pd: a list of texts is expected"))?)?
            }
            _ => return Err(Error::config("either pd = [\"host:port\", …] or url = \"tikv://…\" is expected")),
        };
        for (name, value) in table {
            options.set(&name, &word(&name, &value)?)?;
        }
        Ok(options)
    }

    /// The same from a file.
    ///
    /// # Errors
    /// As [`from_toml`](Self::from_toml), and when the file can't be read.
    pub fn from_toml_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let wrong = |what: &dyn std::fmt::Display| Error::config(format!("{}: {what}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
        Self::from_toml(&text).map_err(|error| wrong(&error))
    }

    /// The PD servers, each with its port.
    #[must_use]
    pub fn pd_servers(&self) -> Vec<String> {
        self.pds.iter().map(ToString::to_string).collect()
    }

    /// The table that the URL names. The cluster itself knows no tables.
    #[must_use]
    pub fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        match name {
            "mode" => self.mode = Some(one_of(name, value, &[("raw", Mode::Raw), ("txn", Mode::Txn)])?),
            "api" => self.api = one_of(name, value, &ApiVersion::NAMES)?,
            "keyspace" => self.keyspace = Some(value.to_owned()),
            "cluster_id" => self.cluster_id = Some(url::number(name, value)?),
            "operation_timeout" => self.operation_timeout = url::duration(name, value)?,
            "attempt_timeout" => self.attempt_timeout = url::duration(name, value)?,
            "connect_timeout" => self.connect_timeout = url::duration(name, value)?,
            "attempts" => self.attempts = url::number(name, value)?,
            "connections" => self.connections_per_store = url::number(name, value)?,
            "keepalive_interval" => self.keepalive_interval = url::duration(name, value)?,
            "keepalive_timeout" => self.keepalive_timeout = url::duration(name, value)?,
            "max_message_bytes" => self.max_message_bytes = url::number(name, value)?,
            "max_request_bytes" => self.max_request_bytes = url::number(name, value)?,
            "read_from" => self.read_from = one_of(name, value, &ReadFrom::NAMES)?,
            "labels" => self.labels = labels(value)?,
            "max_regions" => self.max_regions = url::number(name, value)?,
            "batch_concurrency" => self.batch_concurrency = url::number(name, value)?,
            "tls" if one_of(name, value, &YES_OR_NO)? => self.speak_tls()?,
            "tls" => {}
            name if self.set_tls(name, value) => {}
            _ => return Err(Error::config(format!("{name}={value}: there is no such option for tikv://"))),
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
    pub(super) fn check(&self, mode: Mode) -> Result<(), Error> {
        if let Some(told) = self.mode.filter(|told| *told != mode) {
            return Err(Error::config(format!("mode: these options are for {told:?}, and the client is for {mode:?}")));
        }
        let times = [
            ("operation_timeout", self.operation_timeout),
            ("attempt_timeout", self.attempt_timeout),
            ("connect_timeout", self.connect_timeout),
            ("keepalive_interval", self.keepalive_interval),
            ("keepalive_timeout", self.keepalive_timeout),
        ];
        if let Some((name, _)) = times.iter().find(|(_, time)| time.is_zero()) {
            return Err(Error::config(format!("{name}: a time longer than nothing is expected")));
        }
        let counts = [
            ("connections", self.connections_per_store, 1, 1024),
            ("max_message_bytes", self.max_message_bytes, 1024, 1 << 30),
            ("max_request_bytes", self.max_request_bytes, 1024, 1 << 30),
            ("max_regions", self.max_regions, 1, usize::MAX),
            ("batch_concurrency", self.batch_concurrency, 1, 1024),
        ];
        for (name, number, least, most) in counts {
            if !(least..=most).contains(&number) {
                return Err(Error::config(format!("{name}: a number from {least} to {most} is expected")));
            }
        }
        if self.attempts == 0 {
            return Err(Error::config("attempts: at least 1 is expected"));
        }
        if self.keyspace.is_some() && self.api != ApiVersion::V2 {
            return Err(Error::config("keyspace: there are keyspaces with api=v2 only"));
        }
        Ok(())
    }

    /// How servers are connected to; what that needs is read from files.
    pub(super) fn dialler(&self) -> Result<Dialler, Error> {
        let dialler = Dialler::plain(self.connect_timeout);
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return Ok(dialler.over_tls(std::sync::Arc::new(Trust::speaking(tls, Protocol::Http2)?)));
        }
        Ok(dialler)
    }
}

impl ApiVersion {
    const NAMES: [(&'static str, Self); 3] = [("v1", Self::V1), ("v1ttl", Self::V1Ttl), ("v2", Self::V2)];
}

impl ReadFrom {
    const NAMES: [(&'static str, Self); 6] = [
        ("leader", Self::Leader),
        ("follower", Self::Follower),
        ("learner", Self::Learner),
        ("any", Self::Any),
        ("prefer_leader", Self::PreferLeader),
        ("closest", Self::Closest),
    ];

    /// The same, with the labels that are close.
    pub(super) fn with_labels(self, labels: &[(String, String)]) -> locate::ReadFrom {
        match self {
            Self::Leader => locate::ReadFrom::Leader,
            Self::Follower => locate::ReadFrom::Follower,
            Self::Learner => locate::ReadFrom::Learner,
            Self::Any => locate::ReadFrom::Any,
            Self::PreferLeader => locate::ReadFrom::PreferLeader,
            Self::Closest => locate::ReadFrom::Closest(labels.into()),
        }
    }
}

const YES_OR_NO: [(&str, bool); 2] = [("true", true), ("false", false)];

fn address(text: &str) -> Result<Address, Error> {
    Address::parse(text, DEFAULT_PORT).map_err(|why| Error::config(format!("PD server {why}")))
}

/// `zone:a,rack:1`
fn labels(value: &str) -> Result<Vec<(String, String)>, Error> {
    let pair = |text: &str| text.split_once(':').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let labels: Option<Vec<_>> = value.split(',').filter(|text| !text.is_empty()).map(pair).collect();
    labels.ok_or_else(|| Error::config(format!("labels={value}: name:value,name:value is expected")))
}

/// What an option's value names.
fn one_of<T: Copy>(name: &str, value: &str, names: &[(&str, T)]) -> Result<T, Error> {
    let known = names.iter().find(|(known, _)| *known == value).map(|(_, meant)| *meant);
    known.ok_or_else(|| {
        let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        Error::config(format!("{name}={value}: one of {} is expected", names.join(", ")))
    })
}

/// A value of a file as it would stand in a URL.
fn word(name: &str, value: &toml::Value) -> Result<String, Error> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Boolean(flag) => Ok(flag.to_string()),
        toml::Value::Table(pairs) => {
            let pairs = pairs.iter().map(|(part, value)| Ok(format!("{part}:{}", word(name, value)?)));
            Ok(pairs.collect::<Result<Vec<_>, Error>>()?.join(","))
        }
        _ => Err(Error::config(format!("{name}: a text, a number, or true or false is expected"))),
    }
}
