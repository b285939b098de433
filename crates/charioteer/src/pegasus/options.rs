//! What a client is told before it begins.

use std::path::Path;
use std::time::Duration;

use crate::error::Error;
use crate::net::Address;
use crate::url::{self, Url};

/// Where meta servers listen unless something else is said.
pub(super) const DEFAULT_PORT: u16 = 34601;

/// How a client finds its cluster, and how patient it is.
///
/// ```
/// use std::time::Duration;
/// use charioteer::pegasus::Options;
///
/// let mut options = Options::new(["meta-1:34601", "10.0.0.2", "[::1]:34601"])?;
/// options.operation_timeout = Duration::from_secs(1);
/// assert_eq!(options.meta_servers(), ["meta-1:34601", "10.0.0.2:34601", "[::1]:34601"]);
///
/// let same = Options::from_url("pegasus://meta-1,10.0.0.2,[::1]?operation_timeout=1s")?;
/// assert_eq!(same.meta_servers(), options.meta_servers());
/// # Ok::<(), charioteer::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    pub(super) metas: Vec<Address>,
    pub(super) table: Option<String>,
    /// How long a call on data may take, with all its attempts. Default 2 s; `operation_timeout` in a URL.
    pub operation_timeout: Duration,
    /// How long asking the meta servers may take when a table is opened or administered. Default 5 s; `meta_timeout` in a URL.
    pub meta_timeout: Duration,
    /// How long connecting to a server may take. Default 3 s; `connect_timeout` in a URL.
    pub connect_timeout: Duration,
    /// How many connections there are to each server. One carries hundreds of thousands of calls a second. Default 1; `connections`
    /// in a URL.
    pub connections_per_node: usize,
    /// How often a call is tried at most, its first attempt among them. Default 30; `attempts` in a URL.
    pub attempts: u32,
    /// Asks a secondary as well when a read has not been answered after this time, and takes what comes first; a secondary may lag
    /// behind. Default never; `hedge_after` in a URL.
    pub hedge_after: Option<Duration>,
    /// Whether values are compressed with zstd when they are written, and decompressed when they are read, as the Java client does it.
    /// Values that were not compressed are read as they are. Default no; `compression=zstd` in a URL.
    pub compression: bool,
    /// A longer reply is passed over, and the call that it answers fails. Default 64 MiB, twice what a server sends; `max_reply_bytes` in a URL.
    pub max_reply_bytes: usize,
    /// Whether servers are reached by the host names that clusters from 2.6 on tell, instead of by their addresses: for clusters
    /// behind an address translation. Default no; `host_names=true` in a URL.
    pub host_names: bool,
}

impl Options {
    /// For a cluster with these meta servers: `host:port`, `host`, `1.2.3.4:port` or `[::1]:port`. The port is 34601 where none is
    /// given. Names are looked up at each connecting.
    ///
    /// # Errors
    /// When there is none, or one is no address.
    pub fn new<S: AsRef<str>>(meta_servers: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let metas = meta_servers
            .into_iter()
            .map(|text| {
                Address::parse(text.as_ref(), DEFAULT_PORT).map_err(|why| Error::config(format!("meta server {why}")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        if metas.is_empty() {
            return Err(Error::config("no meta server is given, such as 127.0.0.1:34601"));
        }
        Ok(Self {
            metas,
            table: None,
            operation_timeout: Duration::from_secs(2),
            meta_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(3),
            connections_per_node: 1,
            attempts: 30,
            hedge_after: None,
            compression: false,
            max_reply_bytes: 64 << 20,
            host_names: false,
        })
    }

    /// From `pegasus://meta1:34601,meta2:34601/table?operation_timeout=1s&…`. The table may be missing.
    ///
    /// # Errors
    /// When it is no such URL, an option is not known, or a value makes no sense.
    pub fn from_url(text: &str) -> Result<Self, Error> {
        let url = Url::parse(text)?;
        if url.scheme != "pegasus" {
            return Err(Error::config(format!("{}://…: a URL of Pegasus begins with pegasus://", url.scheme)));
        }
        let mut options = Self::new(&url.hosts)?;
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

    /// From the Go client's JSON file: `{"meta_servers": ["host:port", …]}`. Its other members say how the Go client reports metrics,
    /// and are passed over.
    ///
    /// # Errors
    /// When the file can't be read, is no JSON, or names no meta servers.
    pub fn from_json_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let wrong = |what: String| Error::config(format!("{}: {what}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let json: serde_json::Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let metas = json.get("meta_servers").and_then(|metas| metas.as_array());
        let metas = metas.ok_or_else(|| wrong("it has no list \"meta_servers\"".to_owned()))?;
        let metas: Option<Vec<_>> = metas.iter().map(|meta| meta.as_str()).collect();
        Self::new(metas.ok_or_else(|| wrong("\"meta_servers\" holds something that is no text".to_owned()))?)
    }

    /// The meta servers, each with its port.
    #[must_use]
    pub fn meta_servers(&self) -> Vec<String> {
        self.metas.iter().map(ToString::to_string).collect()
    }

    /// The table that the URL names.
    #[must_use]
    pub fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        match name {
            "operation_timeout" => self.operation_timeout = url::duration(name, value)?,
            "meta_timeout" => self.meta_timeout = url::duration(name, value)?,
            "connect_timeout" => self.connect_timeout = url::duration(name, value)?,
            "connections" => self.connections_per_node = url::number(name, value)?,
            "attempts" => self.attempts = url::number(name, value)?,
            "hedge_after" => self.hedge_after = Some(url::duration(name, value)?),
            "max_reply_bytes" => self.max_reply_bytes = url::number(name, value)?,
            "compression" => match value {
                "zstd" => self.compression = true,
                "none" => self.compression = false,
                _ => return Err(Error::config(format!("compression={value}: zstd or none is expected"))),
            },
            "host_names" => match value {
                "true" => self.host_names = true,
                "false" => self.host_names = false,
                _ => return Err(Error::config(format!("host_names={value}: true or false is expected"))),
            },
            _ => return Err(Error::config(format!("{name}=…: there is no such option for pegasus://"))),
        }
        Ok(())
    }

    /// What makes no sense, whoever has set it.
    pub(super) fn check(&self) -> Result<(), Error> {
        let timeouts = [
            ("operation_timeout", self.operation_timeout),
            ("meta_timeout", self.meta_timeout),
            ("connect_timeout", self.connect_timeout),
        ];
        if let Some((name, _)) = timeouts.iter().find(|(_, timeout)| timeout.is_zero()) {
            return Err(Error::config(format!("{name}: a time longer than nothing is expected")));
        }
        if self.connections_per_node == 0 || self.connections_per_node > 1024 {
            return Err(Error::config("connections: a number from 1 to 1024 is expected"));
        }
        if self.max_reply_bytes < 1024 {
            return Err(Error::config("max_reply_bytes: at least 1024 is expected"));
        }
        if self.attempts == 0 {
            return Err(Error::config("attempts: at least 1 is expected"));
        }
        Ok(())
    }
}
