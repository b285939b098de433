//! What PD tells of regions, stores and time, and does to regions, for people.

use bytes::Bytes;
use charioteer_proto::tikv::timestamp::Timestamp;

use super::client::RawClient;
use crate::error::Error;
use crate::tikv::regions::{RegionInfo, StoreInfo};

impl RawClient {
    /// The regions that have keys from `start` up to just before `end`, or up to the last of all if that is empty, in the order of their
    /// keys.
    ///
    /// # Errors
    /// When the range ends before it begins, or no PD answers in time.
    pub async fn regions(&self, start: impl AsRef<[u8]>, end: impl AsRef<[u8]>) -> Result<Vec<RegionInfo>, Error> {
        let begun = self.begin("regions").await?;
        self.asking(begun).regions(start.as_ref(), end.as_ref()).await
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
        let keys: Vec<_> = keys.into_iter().map(|key| Bytes::copy_from_slice(key.as_ref())).collect();
        let begun = self.begin("split_regions").await?;
        let keys = keys.into_iter().map(|key| begun.wire_key_of(key)).collect();
        self.asking(begun).split_regions(keys).await
    }

    /// Has PD spread regions evenly over the stores, and waits until that is done.
    ///
    /// # Errors
    /// When PD can't, or it takes longer than a call may.
    pub async fn scatter_regions(&self, regions: &[u64]) -> Result<(), Error> {
        let begun = self.begin("scatter_regions").await?;
        self.asking(begun).scatter_regions(regions).await
    }

    /// All stores that the cluster has, or had.
    ///
    /// # Errors
    /// When no PD answers in time.
    pub async fn stores(&self) -> Result<Vec<StoreInfo>, Error> {
        let begun = self.begin("stores").await?;
        self.asking(begun).stores().await
    }
}
