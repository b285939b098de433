//! What a server is told before it starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use charioteer_engine::{Clock, DiskOptions};

use crate::{Limits, MemcachedOptions, PegasusOptions, TikvOptions};

/// What a server serves, where, and how.
///
/// ```
/// use charioteer_server::Options;
///
/// let options = Options::default();
/// assert_eq!(options.http.unwrap().port(), 34600);
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    /// Apache Pegasus; `None` leaves it off.
    pub pegasus: Option<PegasusOptions>,
    /// memcached; `None` leaves it off.
    pub memcached: Option<MemcachedOptions>,
    /// TiKV; `None` leaves it off.
    pub tikv: Option<TikvOptions>,
    /// Where health and metrics are answered; `None` leaves them off. Default 127.0.0.1:34600.
    pub http: Option<SocketAddr>,
    /// Whether addresses other than loopback may be listened on, though nothing asks for authentication. Default no. (Where memcached
    /// asks for it, its addresses need no leave.)
    pub allow_remote: bool,
    /// Waits this long before every answer, for tests of timeouts. Default none.
    pub latency: Duration,
    /// What peers may take.
    pub limits: Limits,
    /// The time by which rows and items expire. Default the system's.
    pub clock: Clock,
    /// Where the data is, but for memcached's items that are not [durable](MemcachedOptions::durable). Default in memory.
    pub data: Data,
}

/// Where a server keeps its data.
///
/// ```
/// use charioteer_engine::DiskOptions;
/// use charioteer_server::Data;
///
/// let data = Data::Folder("charioteer-data".into(), DiskOptions::default());
/// assert!(!matches!(data, Data::Memory));
/// ```
#[derive(Clone, Debug, Default)]
pub enum Data {
    /// In memory, where it is gone when the server stops.
    #[default]
    Memory,
    /// In a folder. Which rows have expired, and by which clock, is set by the server.
    Folder(PathBuf, DiskOptions),
}

impl Options {
    /// Every port chosen by the operating system, on loopback.
    #[must_use]
    pub fn for_tests() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            pegasus: Some(PegasusOptions { address: any, ..PegasusOptions::default() }),
            memcached: Some(MemcachedOptions { addresses: vec![any], ..MemcachedOptions::default() }),
            tikv: Some(TikvOptions { pd: any, stores: vec![any], ..TikvOptions::default() }),
            http: Some(any),
            ..Self::default()
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            pegasus: Some(PegasusOptions::default()),
            memcached: Some(MemcachedOptions::default()),
            tikv: Some(TikvOptions::default()),
            http: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 34600))),
            allow_remote: false,
            latency: Duration::ZERO,
            limits: Limits::default(),
            clock: Clock::system(),
            data: Data::Memory,
        }
    }
}
