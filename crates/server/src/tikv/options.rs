//! What is to be served of TiKV, and where.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::waits::LONGEST_WAIT;
use crate::{Error, Tls};

const MOST_REGIONS: usize = 10_000;
const OF_A_NEW_PD: usize = 5;

/// What is to be served of TiKV, and where.
///
/// ```
/// use charioteer_server::{TikvApi, TikvOptions};
///
/// let options = TikvOptions { api: TikvApi::V2, regions: 4, ..TikvOptions::default() };
/// assert_eq!(options.pd.port(), 2379);
/// ```
#[derive(Clone, Debug)]
pub struct TikvOptions {
    /// Where PD listens. Default 127.0.0.1:2379.
    pub pd: SocketAddr,
    /// Where the stores listen, each of which is one of the cluster's. Default one, 127.0.0.1:20160.
    pub stores: Vec<SocketAddr>,
    /// Which API versions are served. Default [`TikvApi::Any`].
    pub api: TikvApi,
    /// How many regions a new cluster has, 1 to 10,000. One that is already there keeps those it has. Default 5, as many as a new PD
    /// makes: it splits where keyspace `DEFAULT` begins and ends.
    pub regions: usize,
    /// Speaks TLS on all of these addresses, and nothing else. Default no. Files are read when the server starts.
    pub tls: Option<Tls>,
    /// How long a request waits for another transaction's lock at most, and as long as that if it does not say. Default 1 s, as TiKV has
    /// it (`wait-for-lock-timeout`).
    pub lock_wait: Duration,
}

/// Which API versions a cluster serves.
///
/// ```
/// use charioteer_server::TikvApi;
///
/// assert_eq!("v1ttl".parse(), Ok(TikvApi::V1Ttl));
/// assert!("v3".parse::<TikvApi>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TikvApi {
    /// Each request is served under the version that it names.
    #[default]
    Any,
    /// Version 1, raw without lifetimes and transactions, as strict as the real server.
    V1,
    /// Version 1 with lifetimes, raw only, as strict as the real server.
    V1Ttl,
    /// Version 2, as strict as the real server.
    V2,
}

impl Default for TikvOptions {
    fn default() -> Self {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            pd: local(2379),
            stores: vec![local(20160)],
            api: TikvApi::default(),
            regions: OF_A_NEW_PD,
            tls: None,
            lock_wait: LONGEST_WAIT,
        }
    }
}

impl TikvOptions {
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.stores.is_empty() {
            return Err(Error::Tikv("no address is given for a store"));
        }
        if !(1..=MOST_REGIONS).contains(&self.regions) {
            return Err(Error::Tikv("the number of regions is not from 1 to 10,000"));
        }
        Ok(())
    }
}

impl std::str::FromStr for TikvApi {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "any" => Ok(Self::Any),
            "v1" => Ok(Self::V1),
            "v1ttl" => Ok(Self::V1Ttl),
            "v2" => Ok(Self::V2),
            other => Err(format!("{other:?} is no API version: any, v1, v1ttl or v2")),
        }
    }
}
