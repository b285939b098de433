//! What PD tells of regions, stores and time, and does to regions, for people.

use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::metapb::{self, StoreState};
use charioteer_proto::tikv::timestamp::Timestamp;
use tokio::time::Instant;

use super::client::{Begun, RawClient};
use crate::error::{Error, ErrorKind, Failure};
use crate::tikv::range::{check_range, is_over};
use crate::tikv::{failure, pd};

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

impl RawClient {
    /// The regions that have keys from `start` up to just before `end`, or up to the last of all if that is empty, in the order of their
    /// keys.
    ///
    /// # Errors
    /// When the range ends before it begins, or no PD answers in time.
    pub async fn regions(&self, start: impl AsRef<[u8]>, end: impl AsRef<[u8]>) -> Result<Vec<RegionInfo>, Error> {
        const NAME: &str = "regions";
        check_range(NAME, start.as_ref(), end.as_ref())?;
        let begun = self.begin(NAME).await?;
        let (pd, layout, deadline) = (&begun.reached.pd, begun.reached.layout, begun.deadline);
        let (start, end) = layout.wire_range(start.as_ref(), end.as_ref());
        let end = if end.is_empty() { end } else { layout.pd_key(&end) };
        let mut next = layout.pd_key(&start);
        let mut regions = Vec::new();
        loop {
            let looked_up = self.look_up(begun, || pd.scan_regions(&next, &end, REGIONS_AT_A_TIME, deadline)).await;
            let told = looked_up.map_err(|error| error.during(NAME))?;
            let behind = told.last().map(|last| last.region.end_key.clone());
            for told in told {
                regions.extend(begun.region_info(told).map_err(|error| error.during(NAME))?);
            }
            match behind {
                Some(behind) if !behind.is_empty() && behind > next && !is_over(&behind, &end) => next = behind,
                _ => return Ok(regions),
            }
        }
    }

    /// A timestamp of PD's clock, greater than all that were given before, to whomever.
    ///
    /// # Errors
    /// When no PD answers in time.
    pub async fn timestamp(&self) -> Result<Timestamp, Error> {
        const NAME: &str = "timestamp";
        let begun = self.begin(NAME).await?;
        let looked_up = self.look_up(begun, || begun.reached.pd.timestamp(begun.deadline)).await;
        looked_up.map_err(|error| error.during(NAME))
    }

    /// Has PD split regions, so that one begins at each of these keys, and tells the numbers of the regions that have come of it. Where one
    /// begins already nothing is done. It helps before many rows are put at once; later, regions split by themselves.
    ///
    /// # Errors
    /// When PD has not done all of it in time, or does not answer; then some may have been split.
    pub async fn split_regions<K: AsRef<[u8]>>(&self, keys: impl IntoIterator<Item = K>) -> Result<Vec<u64>, Error> {
        const NAME: &str = "split_regions";
        let keys: Vec<_> = keys.into_iter().map(|key| Bytes::copy_from_slice(key.as_ref())).collect();
        let begun = self.begin(NAME).await?;
        let layout = begun.reached.layout;
        let keys = keys.into_iter().map(|key| layout.pd_key(&begun.wire_key_of(key))).collect();
        let Beginnings { without: mut left, .. } =
            self.beginnings(begun, keys).await.map_err(|error| error.during(NAME))?;
        let mut come = Vec::new();
        while !left.is_empty() {
            let split = self.look_up(begun, || begun.reached.pd.split_regions(left.clone(), begun.deadline)).await;
            let split = split.map_err(|error| error.during(NAME).unknown())?;
            come.extend(split.regions);
            // What begins a region by now may have been done by an earlier attempt, of which PD's answer says nothing.
            let found = self.beginnings(begun, left).await.map_err(|error| error.during(NAME).unknown())?;
            come.extend(found.regions);
            left = found.without;
            if !left.is_empty() && Instant::now() + SPLITS_TAKE >= begun.deadline {
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
    async fn beginnings(&self, begun: Begun<'_>, keys: Vec<Bytes>) -> Result<Beginnings, Error> {
        let mut found = Beginnings::default();
        for key in keys {
            let told = self.look_up(begun, || begun.reached.pd.region_by_key(&key, begun.deadline)).await?;
            if told.region.start_key == key {
                found.regions.push(told.region.id);
            } else {
                found.without.push(key);
            }
        }
        Ok(found)
    }

    /// Has PD spread regions evenly over the stores, and waits until that is done.
    ///
    /// # Errors
    /// When PD can't, or it takes longer than a call may.
    pub async fn scatter_regions(&self, regions: &[u64]) -> Result<(), Error> {
        const NAME: &str = "scatter_regions";
        /// Regions of one name are spread evenly among themselves.
        const GROUP: &str = "charioteer";
        let begun = self.begin(NAME).await?;
        let (pd, deadline) = (&begun.reached.pd, begun.deadline);
        let asked = self.look_up(begun, || pd.scatter_regions(regions.to_vec(), GROUP, deadline)).await;
        asked.map_err(|error| error.during(NAME))?;
        for region in regions {
            let done = self.look_up(begun, || pd.scattered(*region, deadline)).await;
            done.map_err(|error| error.during(NAME))?;
        }
        Ok(())
    }

    /// All stores that the cluster has, or had.
    ///
    /// # Errors
    /// When no PD answers in time.
    pub async fn stores(&self) -> Result<Vec<StoreInfo>, Error> {
        const NAME: &str = "stores";
        let begun = self.begin(NAME).await?;
        let looked_up = self.look_up(begun, || begun.reached.pd.all_stores(begun.deadline)).await;
        let mut stores: Vec<_> =
            looked_up.map_err(|error| error.during(NAME))?.into_iter().map(StoreInfo::from).collect();
        stores.sort_unstable_by_key(|store| store.id);
        Ok(stores)
    }
}

impl Begun<'_> {
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
