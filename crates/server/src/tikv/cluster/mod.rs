//! The shape of the cluster: stores, regions, leaders and epochs, and what of it outlives a restart.
//!
//! All stores are ports of one process on the same data; what differs is what each of them says and accepts, so that clients meet what
//! they would meet in a cluster. [`Shape`] holds the rules, without I/O; [`Cluster`] shares one, and has each change of it in the
//! [`Ledger`] before anybody sees it. PD keeps what it has to keep in the same ledger.
//!
//! Boundaries of regions are bytes as PD has them. Those made here are valid memcomparable encodings, so that clients who take them
//! literally and clients who decode them work on the same regions.

#![expect(clippy::result_large_err, reason = "a region's error goes into the reply as it is, and is rare")]

mod admission;
mod bootstrap;
mod change;
mod ledger;
mod placement;
mod refusal;
mod region;
mod scatter;
mod shape;
mod stores;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use charioteer_engine::{Clock, Db, Error};
use charioteer_proto::tikv::{metapb, pdpb};
use parking_lot::{Mutex, RwLock};
use tracing::warn;

pub(crate) use admission::Access;
pub(crate) use change::ChangeError;
pub(in crate::tikv) use ledger::{Ledger, Number, Page, Section};
pub(crate) use refusal::hex;
pub(crate) use region::Region;
use shape::Shape;
pub(crate) use stores::{KnownStore, VERSION};

use super::TikvOptions;

/// How many stores have a copy of a region, where there are as many.
pub(crate) const MAX_PEERS: usize = 3;

/// The cluster, for everybody who serves a part of it. Changes may wait for the disk; nothing else does.
#[derive(Debug)]
pub(crate) struct Cluster {
    id: u64,
    ledger: Ledger,
    shape: RwLock<Shape>,
    /// The last number given to a store, a region or a peer. Held while anything changes: one change at a time.
    last_id: Mutex<u64>,
}

impl Cluster {
    /// The cluster as it was left, with its stores at these addresses; a new one if there is none yet. It may wait for the disk.
    ///
    /// # Errors
    /// When the store fails, or holds what this program does not understand.
    pub(crate) fn open(db: &Db, clock: &Clock, stores: Vec<SocketAddr>, options: &TikvOptions) -> Result<Self, Error> {
        let ledger = Ledger::open(db)?;
        let now = clock.now();
        let (id, mut last_id) = match ledger.number(Number::ClusterId)? {
            Some(id) => (id, ledger.number(Number::LastId)?.unwrap_or_default()),
            None => (bootstrap::cluster_id(now), 0),
        };
        let mut ids = || {
            last_id += 1;
            last_id
        };
        let known: Vec<metapb::Store> = ledger.all(Section::Stores)?;
        let stores::Matched { stores, changed } = stores::match_up(&known, stores, now, &mut ids)?;
        let serving: Vec<u64> = stores.iter().filter(|store| !store.removed).map(|store| store.id).collect();
        let known: Vec<pdpb::Region> = ledger.all(Section::Regions)?;
        let known = known.into_iter().map(Region::from_message).collect::<Result<Vec<_>, _>>()?;
        let mut regions = known.clone();
        let regions_are_new = known.is_empty();
        if regions_are_new {
            regions = bootstrap::regions(options.api, options.regions, &serving, &mut ids);
        } else if changed {
            placement::place(&mut regions, &serving, &mut ids);
        }
        placement::have_leaders(&mut regions);
        let mut page = ledger.page();
        page.put_number(Number::ClusterId, id);
        page.put_number(Number::LastId, last_id);
        stores.iter().for_each(|store| page.put(Section::Stores, &store.id.to_be_bytes(), &store.message(now)));
        let known: HashMap<u64, Region> = known.into_iter().map(|region| (region.id, region)).collect();
        let differ = regions.iter().filter(|region| known.get(&region.id) != Some(*region));
        differ.for_each(|region| page.put(Section::Regions, &region.id.to_be_bytes(), &region.message()));
        let is_only_addresses = !regions_are_new && !changed;
        match page.write() {
            // Where stores listen now is known from now on; it is only for the next time that it would be kept.
            Err(error @ Error::DiskFull { .. }) if is_only_addresses => {
                warn!(%error, "cannot keep where the stores are")
            }
            written => written?,
        }
        let shape = RwLock::new(Shape::new(regions, stores)?);
        Ok(Self { id, ledger, shape, last_id: Mutex::new(last_id) })
    }

    /// The number by which clients tell this cluster from others. It never changes for a data folder.
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }

    /// The id of the store at the n-th address; 0, which is nobody's, if there is none.
    pub(crate) fn store_id_at(&self, index: usize) -> u64 {
        self.shape.read().serving().nth(index).map_or(0, |store| store.id)
    }

    /// All stores, those that are gone included, by id.
    pub(crate) fn stores(&self) -> Vec<KnownStore> {
        self.shape.read().stores().to_vec()
    }

    /// The store of that id, also if it is gone.
    pub(crate) fn store(&self, id: u64) -> Option<KnownStore> {
        self.shape.read().stores().iter().find(|store| store.id == id).cloned()
    }

    /// The region that holds a key.
    pub(crate) fn region_at(&self, pd_key: &[u8]) -> Arc<Region> {
        Arc::clone(self.shape.read().at(pd_key))
    }

    /// The region before the one that holds a key.
    pub(crate) fn region_before(&self, pd_key: &[u8]) -> Option<Arc<Region>> {
        self.shape.read().before(pd_key).cloned()
    }

    /// The region of that id.
    pub(crate) fn region(&self, id: u64) -> Option<Arc<Region>> {
        self.shape.read().region(id).cloned()
    }

    /// The regions that hold keys from `start` up to `end`, which is not included and where empty beyond all; at most `limit`.
    pub(crate) fn regions_between(&self, start: &[u8], end: &[u8], limit: usize) -> Vec<Arc<Region>> {
        self.shape.read().between(start, end).take(limit).cloned().collect()
    }

    /// All regions, in the order of their keys.
    pub(crate) fn regions(&self) -> Vec<Arc<Region>> {
        self.regions_between(b"", b"", usize::MAX)
    }

    /// What outlives a restart.
    pub(in crate::tikv) const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The boundaries of all regions, without the outermost.
    #[cfg(test)]
    pub(crate) fn boundaries(&self) -> Vec<bytes::Bytes> {
        self.regions().iter().skip(1).map(|region| region.start.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
