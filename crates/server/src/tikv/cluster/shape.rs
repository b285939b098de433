//! Which regions and stores there are: an ordered cover of all keys, and how it changes.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use charioteer_engine::Error;

use super::{KnownStore, Region};

/// Regions that cover all keys, each once, and the stores that have them.
#[derive(Debug)]
pub(super) struct Shape {
    /// By the first key. One of them begins at the lowest.
    ordered: BTreeMap<Bytes, Arc<Region>>,
    by_id: HashMap<u64, Arc<Region>>,
    /// By id.
    stores: Vec<KnownStore>,
}

/// Regions that take the place of others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Replacement {
    /// The ids of those that are no more.
    pub(super) gone: Vec<u64>,
    /// Those that are new, or differ.
    pub(super) regions: Vec<Region>,
}

impl Shape {
    /// A shape of these.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the regions do not cover all keys, each once.
    pub(super) fn new(mut regions: Vec<Region>, stores: Vec<KnownStore>) -> Result<Self, Error> {
        regions.sort_by(|one, other| one.start.cmp(&other.start));
        let ends_join = regions.windows(2).all(|pair| !pair[0].end.is_empty() && pair[0].end == pair[1].start);
        let covers = regions.first().is_some_and(|first| first.start.is_empty())
            && regions.last().is_some_and(|last| last.end.is_empty());
        if !ends_join || !covers {
            return Err(Error::Corrupt { what: "regions" });
        }
        let (ordered, by_id) = (BTreeMap::new(), HashMap::new());
        let mut shape = Self { ordered, by_id, stores };
        shape.apply(Replacement { gone: Vec::new(), regions });
        Ok(shape)
    }

    /// Has regions take the place of others. Together they cover the keys that those covered.
    pub(super) fn apply(&mut self, replacement: Replacement) {
        let differ = replacement.regions.iter().map(|region| region.id);
        for id in replacement.gone.iter().copied().chain(differ) {
            if let Some(old) = self.by_id.remove(&id) {
                self.ordered.remove(&old.start);
            }
        }
        for region in replacement.regions {
            let region = Arc::new(region);
            self.ordered.insert(region.start.clone(), Arc::clone(&region));
            self.by_id.insert(region.id, region);
        }
    }

    /// How many regions there are.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn region(&self, id: u64) -> Option<&Arc<Region>> {
        self.by_id.get(&id)
    }

    /// The region that holds a key.
    pub(super) fn at(&self, pd_key: &[u8]) -> &Arc<Region> {
        let up_to_key = (Bound::Unbounded, Bound::Included(pd_key));
        let (_, region) = self.ordered.range::<[u8], _>(up_to_key).next_back().expect("one begins at the lowest key");
        region
    }

    /// The region before the one that holds a key.
    pub(super) fn before(&self, pd_key: &[u8]) -> Option<&Arc<Region>> {
        self.downwards(&self.at(pd_key).start).next()
    }

    /// The regions that hold keys from `start` up to `end`, which is not included and where empty beyond all.
    pub(super) fn between(&self, start: &[u8], end: &[u8]) -> impl Iterator<Item = &Arc<Region>> {
        let from = (Bound::Included(&self.at(start).start[..]), Bound::Unbounded);
        let regions = self.ordered.range::<[u8], _>(from).map(|(_, region)| region);
        regions.take_while(move |region| end.is_empty() || region.start[..] < *end)
    }

    /// Regions that end at that boundary or before it, the last first.
    fn downwards(&self, boundary: &[u8]) -> impl Iterator<Item = &Arc<Region>> {
        self.ordered.range::<[u8], _>((Bound::Unbounded, Bound::Excluded(boundary))).rev().map(|(_, region)| region)
    }

    /// A region, and those before it that may have been split off since it had `version`. As the right part of a split keeps the id,
    /// they are on the left; how many there may be is told by how the versions differ.
    pub(super) fn with_siblings(&self, id: u64, version: u64, limit: u64) -> Vec<Arc<Region>> {
        let Some(region) = self.region(id) else { return Vec::new() };
        let mut told = vec![Arc::clone(region)];
        let (mut latest, mut missing) = (region.version, region.version.saturating_sub(version).min(limit));
        for sibling in self.downwards(&region.start) {
            if missing == 0 || told.len() as u64 > limit {
                break;
            }
            // One that was split again itself stands for fewer than its version says.
            missing = missing - 1 + sibling.version.saturating_sub(latest);
            latest = latest.max(sibling.version);
            told.push(Arc::clone(sibling));
        }
        told
    }

    pub(super) fn stores(&self) -> &[KnownStore] {
        &self.stores
    }

    /// The stores that are not gone, in the order of their addresses.
    pub(super) fn serving(&self) -> impl Iterator<Item = &KnownStore> {
        self.stores.iter().filter(|store| !store.removed)
    }
}
