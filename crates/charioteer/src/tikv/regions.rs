//! What PD tells of regions and stores, and does to regions, for people.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::metapb::{self, StoreState};
use tokio::time::Instant;

use super::cluster::{Cluster, Reached};
use super::range::{check_range, is_over};
use super::send::{LookUp, LookUps};
use super::{SYSTEM, failure, pd};
use crate::error::{Error, ErrorKind, Failure};
use crate::exec::{self, Terms};
use crate::stats::OperationStats;

/// How many regions PD is asked for at a time.
const REGIONS_AT_A_TIME: usize = 1000;

/// How long it takes until PD is asked again for splits that it has not done.
const SPLITS_TAKE: Duration = Duration::from_millis(100);

/// A region, as PD knows it.
///
/// ```
/// use charioteer::tikv::RawClient;
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = TestServer::builder().tikv(|tikv| tikv.regions = 1).start().await?;
/// let client = RawClient::connect(&server.tikv_url()).await?;
/// let regions = client.regions("", "").await?;
/// assert_eq!((regions.len(), &regions[0].start[..]), (1, &b""[..]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegionInfo {
    /// Its number.
    pub id: u64,
    /// Its first key; empty for the lowest of all.
    pub start: Bytes,
    /// The key behind its last; empty for beyond all.
    pub end: Bytes,
    /// Grows with every split and merge.
    pub version: u64,
    /// Grows with every change of its peers.
    pub conf_version: u64,
    /// The number of the store whose peer leads it, if PD knows that.
    pub leader: Option<u64>,
    /// The numbers of the stores that have peers of it.
    pub stores: Vec<u64>,
}

/// A store, as PD knows it.
///
/// ```
/// use charioteer::tikv::RawClient;
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = TestServer::builder().tikv_stores(3).start().await?;
/// let client = RawClient::connect(&server.tikv_url()).await?;
/// let stores = client.stores().await?;
/// assert_eq!(stores.len(), 3);
/// assert_eq!(stores[0].state, "Up");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreInfo {
    /// Its number.
    pub id: u64,
    /// `host:port`.
    pub address: String,
    /// `Up`, `Offline` while its data is moved elsewhere, or `Tombstone` when it is no more.
    pub state: &'static str,
    /// The version of TiKV that it runs.
    pub version: String,
    /// Its labels, which say what it stands together with.
    pub labels: Vec<(String, String)>,
}

/// What keys are to regions.
#[derive(Default)]
struct Beginnings {
    /// The regions that begin with one of them.
    regions: Vec<u64>,
    /// The keys with which none begins.
    without: Vec<Bytes>,
}

/// A call that asks PD, on a client's terms.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) reached: &'a Reached,
    pub(super) stats: &'a OperationStats,
    pub(super) attempts: u32,
    pub(super) deadline: Instant,
}

impl Asking<'_> {
    /// Looks something up, again and again while that may help.
    pub(super) async fn look_up<F, A, T>(&self, look: F) -> Result<T, Error>
    where
        F: Fn() -> A + Sync,
        A: Future<Output = Result<T, Failure>> + Send,
        T: Send,
    {
        let terms = Terms {
            timeout: self.deadline.saturating_duration_since(Instant::now()),
            attempt_timeout: None,
            attempts: self.attempts,
            system: SYSTEM,
            collection: None,
            stats: self.stats,
        };
        exec::run(&LookUps(self.cluster), &LookUp(look), &terms).await
    }

    /// The regions of a range, as a program knows keys.
    pub(super) async fn regions(&self, start: &[u8], end: &[u8]) -> Result<Vec<RegionInfo>, Error> {
        const NAME: &str = "regions";
        check_range(NAME, start, end)?;
        let (pd, layout, deadline) = (&self.reached.pd, self.reached.layout, self.deadline);
        let (start, end) = layout.wire_range(start, end);
        let end = if end.is_empty() { end } else { layout.pd_key(&end) };
        let mut next = layout.pd_key(&start);
        let mut regions = Vec::new();
        loop {
            let looked_up = self.look_up(|| pd.scan_regions(&next, &end, REGIONS_AT_A_TIME, deadline)).await;
            let told = looked_up.map_err(|error| error.during(NAME))?;
            let behind = told.last().map(|last| last.region.end_key.clone());
            for told in told {
                regions.extend(self.region_info(told).map_err(|error| error.during(NAME))?);
            }
            match behind {
                Some(behind) if !behind.is_empty() && behind > next && !is_over(&behind, &end) => next = behind,
                _ => return Ok(regions),
            }
        }
    }

    /// Has regions begin at keys, which are as they travel, and gives those that do.
    pub(super) async fn split_regions(&self, wire_keys: Vec<Bytes>) -> Result<Vec<u64>, Error> {
        const NAME: &str = "split_regions";
        let layout = self.reached.layout;
        let keys = wire_keys.iter().map(|key| layout.pd_key(key)).collect();
        let Beginnings { without: mut left, .. } = self.beginnings(keys).await.map_err(|error| error.during(NAME))?;
        let mut come = Vec::new();
        while !left.is_empty() {
            let split = self.look_up(|| self.reached.pd.split_regions(left.clone(), self.deadline)).await;
            let split = split.map_err(|error| error.during(NAME).unknown())?;
            come.extend(split.regions);
            // What begins a region by now may have been done by an earlier attempt, of which PD's answer says nothing.
            let found = self.beginnings(left).await.map_err(|error| error.during(NAME).unknown())?;
            come.extend(found.regions);
            left = found.without;
            if !left.is_empty() && Instant::now() + SPLITS_TAKE >= self.deadline {
                let message = format!("PD has done {} % of it", split.finished_percent);
                let failure = Failure::new(ErrorKind::Unavailable, message).passing().unknown();
                return Err(Error::from(failure).during(NAME));
            }
            if !left.is_empty() {
                tokio::time::sleep(SPLITS_TAKE).await;
            }
        }
        come.sort_unstable();
        come.dedup();
        Ok(come)
    }

    /// At which of these keys regions begin.
    async fn beginnings(&self, pd_keys: Vec<Bytes>) -> Result<Beginnings, Error> {
        let mut found = Beginnings::default();
        for key in pd_keys {
            let told = self.look_up(|| self.reached.pd.region_by_key(&key, self.deadline)).await?;
            if told.region.start_key == key {
                found.regions.push(told.region.id);
            } else {
                found.without.push(key);
            }
        }
        Ok(found)
    }

    /// Has PD spread regions over the stores, and waits until that is done.
    pub(super) async fn scatter_regions(&self, regions: &[u64]) -> Result<(), Error> {
        const NAME: &str = "scatter_regions";
        /// Regions of one name are spread evenly among themselves.
        const GROUP: &str = "charioteer";
        let (pd, deadline) = (&self.reached.pd, self.deadline);
        let asked = self.look_up(|| pd.scatter_regions(regions.to_vec(), GROUP, deadline)).await;
        asked.map_err(|error| error.during(NAME))?;
        for region in regions {
            let done = self.look_up(|| pd.scattered(*region, deadline)).await;
            done.map_err(|error| error.during(NAME))?;
        }
        Ok(())
    }

    /// All stores that the cluster has, or had.
    pub(super) async fn stores(&self) -> Result<Vec<StoreInfo>, Error> {
        const NAME: &str = "stores";
        let looked_up = self.look_up(|| self.reached.pd.all_stores(self.deadline)).await;
        let mut stores: Vec<_> =
            looked_up.map_err(|error| error.during(NAME))?.into_iter().map(StoreInfo::from).collect();
        stores.sort_unstable_by_key(|store| store.id);
        Ok(stores)
    }

    /// The part of a region that belongs to the keyspace.
    fn region_info(&self, told: pd::RegionInfo) -> Result<Option<RegionInfo>, Error> {
        let metapb::Region { id, start_key, end_key, region_epoch, peers, .. } = told.region;
        let bounds = self.reached.layout.region(&start_key, &end_key).map_err(|error| {
            Error::from(failure::odd(format!("PD told of a region whose bounds are no keys: {error}")).because(error))
        })?;
        let epoch = region_epoch.unwrap_or_default();
        Ok(bounds.map(|(start, end)| RegionInfo {
            id,
            start,
            end,
            version: epoch.version,
            conf_version: epoch.conf_ver,
            leader: told.leader.map(|leader| leader.store_id),
            stores: peers.iter().map(|peer| peer.store_id).collect(),
        }))
    }
}

impl From<metapb::Store> for StoreInfo {
    fn from(told: metapb::Store) -> Self {
        let state = match told.state() {
            StoreState::Up => "Up",
            StoreState::Offline => "Offline",
            StoreState::Tombstone => "Tombstone",
        };
        let labels = told.labels.into_iter().map(|label| (label.key, label.value));
        Self { id: told.id, address: told.address, state, version: told.version, labels: labels.collect() }
    }
}
