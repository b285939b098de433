//! Changes of the shape: splits, merges, leaders. Each is on the disk before anybody sees it; all of them may wait for that.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use charioteer_engine::Error;
use charioteer_proto::tikv::{errorpb, metapb};

use super::shape::Replacement;
use super::{Cluster, Number, Region, Section, refusal};

/// How many regions there may be; what is known of one takes about a quarter of a kilobyte.
const MAX_REGIONS: usize = 1_000_000;

/// Why the shape was not changed.
#[derive(Debug)]
pub(crate) enum ChangeError {
    /// The region is not what it was taken for, and a client should learn what it is.
    Region(Box<errorpb::Error>),
    /// What was asked for cannot be.
    Refused(String),
    /// It could not be kept.
    Store(Error),
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Region(error) => f.write_str(&error.message),
            Self::Refused(why) => f.write_str(why),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ChangeError {}

impl From<Error> for ChangeError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<errorpb::Error> for ChangeError {
    fn from(error: errorpb::Error) -> Self {
        Self::Region(Box::new(error))
    }
}

impl Cluster {
    /// Splits a region at these keys, as PD has them, and answers all of its parts in order. The last part keeps the id, as TiKV has it by
    /// default, and the version of all of them is higher by the number of new ones. Keys may come in any order and more than once.
    ///
    /// # Errors
    /// `EpochNotMatch` if the region has changed since, `KeyNotInRegion`, and for its first key, at which nothing can be split, a refusal.
    pub(crate) fn split(&self, region: &Region, pd_keys: &[Bytes]) -> Result<Vec<Arc<Region>>, ChangeError> {
        let mut last_id = self.last_id.lock();
        self.check_unchanged(region)?;
        pd_keys.iter().try_for_each(|key| region.check_key(key))?;
        let keys: BTreeSet<&Bytes> = pd_keys.iter().collect();
        if keys.is_empty() || keys.contains(&region.start) {
            return Err(ChangeError::Refused(format!(
                "region {} cannot be split at its first key or at none",
                region.id
            )));
        }
        if self.shape.read().len() + keys.len() > MAX_REGIONS {
            return Err(ChangeError::Refused(format!("there can be no more than {MAX_REGIONS} regions")));
        }
        let current = self.current(region.id)?;
        let mut ids = || {
            *last_id += 1;
            *last_id
        };
        let regions = parts(&current, &keys, &mut ids);
        let parts: Vec<u64> = regions.iter().map(|part| part.id).collect();
        self.replace(*last_id, Replacement { gone: Vec::new(), regions })?;
        Ok(parts.into_iter().filter_map(|id| self.region(id)).collect())
    }

    /// Makes one region of two that lie side by side: the target takes the keys of the source, which is no more. The version is higher
    /// than both had, by one for the preparation and one for the merge, as TiKV has it.
    ///
    /// # Errors
    /// A refusal if they are not side by side.
    pub(crate) fn merge(&self, source: u64, target: u64) -> Result<Arc<Region>, ChangeError> {
        let last_id = self.last_id.lock();
        let (source, target) = (self.current(source)?, self.current(target)?);
        let version = target.version.max(source.version + 1) + 1;
        let mut merged = Region { version, ..Region::clone(&target) };
        if !source.end.is_empty() && source.end == target.start {
            merged.start = source.start.clone();
        } else if !target.end.is_empty() && target.end == source.start {
            merged.end = source.end.clone();
        } else {
            let why = format!("regions {} and {} do not lie side by side", source.id, target.id);
            return Err(ChangeError::Refused(why));
        }
        self.replace(*last_id, Replacement { gone: vec![source.id], regions: vec![merged] })?;
        Ok(self.current(target.id)?)
    }

    /// Has the peer on that store lead the region. The epoch stays as it is.
    ///
    /// # Errors
    /// A refusal if the store has no peer of it.
    pub(crate) fn transfer_leader(&self, region_id: u64, store_id: u64) -> Result<(), ChangeError> {
        self.lead(region_id, |region| match region.peer_on(store_id) {
            Some(peer) => Ok(Some(peer.id)),
            None => Err(ChangeError::Refused(format!("store {store_id} has no peer of region {region_id}"))),
        })
    }

    /// Has nobody lead the region.
    ///
    /// # Errors
    /// `RegionNotFound`.
    pub(crate) fn give_up_leader(&self, region_id: u64) -> Result<(), ChangeError> {
        self.lead(region_id, |_| Ok(None))
    }

    fn lead(
        &self,
        region_id: u64,
        leader: impl FnOnce(&Region) -> Result<Option<u64>, ChangeError>,
    ) -> Result<(), ChangeError> {
        let last_id = self.last_id.lock();
        let region = self.current(region_id)?;
        let changed = Region { leader: leader(&region)?, ..Region::clone(&region) };
        Ok(self.replace(*last_id, Replacement { gone: Vec::new(), regions: vec![changed] })?)
    }

    /// Takes so many numbers for stores, regions or peers, and answers the last of them.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn take_ids(&self, count: u32) -> Result<u64, Error> {
        let mut last_id = self.last_id.lock();
        let last = last_id.saturating_add(count.into());
        self.replace(last, Replacement { gone: Vec::new(), regions: Vec::new() })?;
        *last_id = last;
        Ok(last)
    }

    fn current(&self, region_id: u64) -> Result<Arc<Region>, errorpb::Error> {
        self.region(region_id).ok_or_else(|| refusal::region_not_found(region_id))
    }

    fn check_unchanged(&self, region: &Region) -> Result<(), errorpb::Error> {
        let current = self.current(region.id)?;
        if current.version == region.version {
            return Ok(());
        }
        let sent = metapb::RegionEpoch { conf_ver: region.conf_ver, version: region.version };
        Err(refusal::epoch_not_match(&current, sent, &[Arc::clone(&current)]))
    }

    /// Keeps a replacement, then shows it. Whoever calls this holds `last_id`.
    fn replace(&self, last_id: u64, replacement: Replacement) -> Result<(), Error> {
        let mut page = self.ledger.page();
        page.put_number(Number::LastId, last_id);
        replacement.gone.iter().for_each(|id| page.delete(Section::Regions, &id.to_be_bytes()));
        let changed = replacement.regions.iter();
        changed.for_each(|region| page.put(Section::Regions, &region.id.to_be_bytes(), &region.message()));
        page.write()?;
        self.shape.write().apply(replacement);
        Ok(())
    }
}

/// The parts of a region that is split at these keys, none of which is its first. New parts have peers on the same stores, led from the
/// same one.
fn parts(region: &Region, keys: &BTreeSet<&Bytes>, ids: &mut impl FnMut() -> u64) -> Vec<Region> {
    let version = region.version + keys.len() as u64;
    let mut start = region.start.clone();
    let mut parts = Vec::with_capacity(keys.len() + 1);
    for &key in keys {
        let id = ids();
        let peers: Vec<_> = region.peers.iter().map(|peer| metapb::Peer { id: ids(), ..*peer }).collect();
        let led_from = region.peers.iter().position(|peer| Some(peer.id) == region.leader);
        let leader = led_from.and_then(|index| peers.get(index)).map(|peer| peer.id);
        // The key may be a slice of a far larger message, which the region would keep.
        let end = Bytes::copy_from_slice(key);
        parts.push(Region { id, start, end: end.clone(), conf_ver: region.conf_ver, version, peers, leader });
        start = end;
    }
    parts.push(Region { start, version, ..region.clone() });
    parts
}
