//! What is known of regions and stores, and learnt from their errors.
//!
//! A key travels as [`Layout`](charioteer_proto::tikv::key::Layout) has it, and everything here goes by keys as they travel: PD's encoding
//! of boundaries is undone when a region comes in, and no caller ever sees it.
//!
//! The way of a request: [`Locator::of_key`] finds the [`Region`] in the cache ([`regions`]), or has PD asked for it, once for all who
//! miss the same gap ([`load`]); a peer of it is chosen and the peer's [`Store`] looked up, which together are a [`Place`]. The caller sends
//! what [`Place::context`] says to [`Place::store`]. An error of the region goes to [`Locator::learn`], a store that does not answer to
//! [`Locator::store_failed`]; both change what is known, unless something newer is known by then, and the next look-up finds it.

mod learn;
mod lesson;
mod load;
mod place;
mod region;
mod regions;
mod store;

use std::sync::Arc;

use bytes::Bytes;
use charioteer_proto::tikv::key::Layout;
use tokio::time::Instant;

pub(crate) use place::{Place, ReadFrom};
pub(crate) use region::Region;
pub(crate) use store::Store;

use load::{Flights, Wanted};
use place::Manner;
use regions::Regions;
use store::Stores;

use super::failure;
use super::pd::Pd;
use super::rpc::StoreOptions;
use crate::error::{ErrorKind, Failure};

/// How many regions are looked up ahead for one batch, and how many of them PD is asked for at a time. Client-go asks for as many.
const AHEAD: usize = 4096;
const RANGES: usize = 128;

/// The cache of regions and stores. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Locator(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pd: Pd,
    layout: Layout,
    regions: Regions,
    stores: Arc<Stores>,
    flights: Flights,
}

impl Locator {
    pub(crate) fn new(pd: Pd, layout: Layout, stores: StoreOptions, most_regions: usize) -> Self {
        Self(Arc::new(Shared {
            pd,
            layout,
            regions: Regions::new(most_regions),
            stores: Arc::new(Stores::new(stores)),
            flights: Flights::default(),
        }))
    }

    /// Where a key is, as it travels: the region that holds it, at the peer that leads.
    pub(crate) async fn of_key(&self, key: &Bytes, deadline: Instant) -> Result<Place, Failure> {
        self.place(Wanted::Key(key.clone()), deadline).await
    }

    /// Where the keys are that lie just below a bound, as they travel; an empty one is beyond all. For what goes backwards.
    pub(crate) async fn before_key(&self, bound: &Bytes, deadline: Instant) -> Result<Place, Failure> {
        self.place(Wanted::Below(bound.clone()), deadline).await
    }

    /// Which of the keys, by their indices, are where. Regions are in the order of their keys, and the indices of each ascend.
    pub(crate) async fn group<K: AsRef<[u8]> + Sync>(
        &self,
        keys: &[K],
        deadline: Instant,
    ) -> Result<Vec<(Place, Vec<usize>)>, Failure> {
        let key = |at: &usize| keys[*at].as_ref();
        let mut order: Vec<usize> = (0..keys.len()).collect();
        if !keys.is_sorted_by(|one, other| one.as_ref() <= other.as_ref()) {
            order.sort_by(|one, other| key(one).cmp(key(other)));
        }
        let mut groups: Vec<(Place, Vec<usize>)> = Vec::new();
        let mut misses = 0;
        for (turn, at) in order.iter().copied().enumerate() {
            match groups.last_mut() {
                Some((place, group)) if place.holds(key(&at)) => group.push(at),
                _ => {
                    let place = match self.look(key(&at)) {
                        Some(place) => place,
                        None => {
                            misses += 1;
                            // What lies behind the first miss has come with it.
                            if misses == 2 {
                                self.look_ahead(order[turn..].iter().map(key), deadline).await;
                            }
                            self.of_key(&Bytes::copy_from_slice(key(&at)), deadline).await?
                        }
                    };
                    groups.push((place, vec![at]));
                }
            }
        }
        groups.iter_mut().for_each(|(_, group)| group.sort_unstable());
        Ok(groups)
    }

    /// The same place, at the peer from which it is to be read. Without followers that can be reached it is the leader's.
    pub(crate) fn read_from(&self, place: Place, from: &ReadFrom) -> Place {
        if *from == ReadFrom::Leader {
            return place;
        }
        self.0.replica(place, from, Manner::AsReplica)
    }

    /// The same for a read of the past, which the peer answers with what it has.
    pub(crate) fn read_stale_from(&self, place: Place, from: &ReadFrom) -> Place {
        self.0.replica(place, from, Manner::Stale)
    }

    /// A store that is not asked for a region.
    pub(crate) async fn store(&self, id: u64, deadline: Instant) -> Result<Arc<Store>, Failure> {
        self.0.stores.find(&self.0.pd, id, deadline).await
    }

    /// Ends all connections, to stores and to PD, for good.
    pub(crate) fn close(&self) {
        self.0.stores.close();
        self.0.pd.close();
    }

    /// Has PD asked together for the regions of those keys, which are in order, that are not known. What does not come of it is asked for
    /// by whoever needs it.
    async fn look_ahead<'a>(&self, keys: impl Iterator<Item = &'a [u8]>, deadline: Instant) {
        let unknown: Vec<Bytes> =
            keys.filter(|key| self.look(key).is_none()).take(AHEAD).map(Bytes::copy_from_slice).collect();
        // Each of them can still be asked for in the rest of the time.
        let now = Instant::now();
        let until = now + deadline.saturating_duration_since(now) / 4;
        for keys in unknown.chunks(RANGES) {
            if self.0.load_all(keys, until).await.is_err() {
                return;
            }
        }
    }

    /// Where a key is, if that can be told without asking anybody.
    fn look(&self, key: &[u8]) -> Option<Place> {
        self.0.place(self.0.regions.of_key(key)?)
    }

    async fn place(&self, wanted: Wanted, deadline: Instant) -> Result<Place, Failure> {
        if let Some(place) = self.0.known(&wanted).and_then(|region| self.0.place(region)) {
            return Ok(place);
        }
        let found = tokio::time::timeout_at(deadline, self.find(&wanted, deadline)).await;
        found.unwrap_or_else(|_| {
            let message = "PD did not tell in time which region holds the key";
            Err(Failure::new(ErrorKind::Timeout, message).retry(&failure::PD))
        })
    }

    /// Has PD asked for the region, and for its store where that is not known.
    async fn find(&self, wanted: &Wanted, deadline: Instant) -> Result<Place, Failure> {
        let region = self.0.region(wanted).await?;
        if let Some(place) = self.0.place(Arc::clone(&region)) {
            return Ok(place);
        }
        // The store is not known, or may have moved.
        let Some(peer) = region.peers.get(region.ask) else { return Err(region::no_peer(region.id)) };
        match self.0.stores.find(&self.0.pd, peer.store_id, deadline).await {
            // Where PD does not tell it is the one that was known, which may be right.
            Ok(store) => Ok(self.0.place(Arc::clone(&region)).unwrap_or_else(|| self.0.at(region.ask, store, region))),
            Err(failure) if failure.kind == ErrorKind::NotFound => {
                Regions::doubt(&region);
                Err(Failure { kind: ErrorKind::Unavailable, ..failure }.retry(&failure::REGION_MISS))
            }
            Err(failure) => Err(failure),
        }
    }
}

impl Shared {
    /// The peer of a region that is asked for what a leader does, and its store; `None` if something of it is to be asked first.
    fn place(&self, region: Arc<Region>) -> Option<Place> {
        let peer = region.peers.get(region.ask)?;
        let store = self.stores.get(peer.store_id)?;
        if store.is_reachable() || region.candidates() == 1 {
            return Some(self.at(region.ask, store, region));
        }
        // Whoever leads in its place the others know before PD does.
        let others = region.others().find_map(|at| {
            let store = self.stores.get(region.peers.get(at)?.store_id)?;
            store.is_reachable().then_some((at, store))
        });
        let (at, store) = others.unwrap_or((region.ask, store));
        Some(self.at(at, store, region))
    }

    fn at(&self, at: usize, store: Arc<Store>, region: Arc<Region>) -> Place {
        let (layout, cluster_id) = (self.layout, self.pd.cluster_id());
        Place { region, at, store, manner: Manner::AsLeader, layout, cluster_id }
    }

    fn replica(&self, place: Place, from: &ReadFrom, manner: Manner) -> Place {
        if place.region.prefers_leader() {
            return place;
        }
        let region = &place.region;
        let merits = |at: usize| {
            let store = self.stores.get(region.peers.get(at)?.store_id)?;
            Some((from.merits(region, at, &store)?, fastrand::u32(..), at, store))
        };
        let best = (0..region.peers.len()).filter_map(merits).max_by_key(|(merits, chance, ..)| (*merits, *chance));
        let Some((_, _, at, store)) = best else { return place };
        let manner = if manner == Manner::AsReplica && region.leader == Some(at) { Manner::AsLeader } else { manner };
        Place { at, store, manner, ..place }
    }
}

#[cfg(test)]
mod tests;
