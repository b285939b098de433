//! The cache of regions: pure bookkeeping, without any waiting.
//!
//! Regions lie side by side in the order of their keys, and never overlap. Which of two that do is the newer one their versions say: a
//! split or a merge makes regions whose version is greater than that of all that they were made of.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::RwLock;
use tokio::time::Instant;

use super::region::Region;

/// A region that is not used for this long, and up to a tenth more, is forgotten.
const LIFETIME: Duration = Duration::from_secs(600);

/// How much of it passes before a use prolongs it. Those who use a region all the time need not write to it all the time.
const PROLONGED_AFTER: Duration = Duration::from_secs(60);

/// How long a region that was found wrong stands in the way of one that is told with an older version: PD hears of a split a little
/// later than clients do.
const STANDS: Duration = Duration::from_secs(1);

/// How many regions are looked at with every one that comes, to forget those that are not used.
const SWEPT: usize = 8;

/// What is known of regions.
#[derive(Debug)]
pub(super) struct Regions {
    known: RwLock<Known>,
    /// How many there may be.
    most: usize,
    began: Instant,
}

#[derive(Debug, Default)]
struct Known {
    by_start: BTreeMap<Bytes, Arc<Region>>,
    generation: u64,
    /// Where the sweep goes on.
    swept: Bytes,
}

/// A range of keys of which nothing is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) start: Bytes,
    /// Empty for beyond all.
    pub(super) end: Bytes,
}

impl Regions {
    pub(super) fn new(most: usize) -> Self {
        Self { known: RwLock::default(), most: most.max(1), began: Instant::now() }
    }

    /// The region that holds a key.
    pub(super) fn of_key(&self, key: &[u8]) -> Option<Arc<Region>> {
        self.fresh(self.known.read().at(key).filter(|region| region.holds(key)))
    }

    /// The region that holds the keys just below a bound; an empty one is beyond all.
    pub(super) fn before(&self, bound: &[u8]) -> Option<Arc<Region>> {
        self.fresh(self.known.read().below(bound).filter(|region| region.reaches(bound)))
    }

    /// The same of one that may be in doubt, for want of anything better.
    pub(super) fn doubtful(&self, key: &[u8]) -> Option<Arc<Region>> {
        self.known.read().at(key).filter(|region| region.holds(key)).cloned()
    }

    /// How many are known.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.read().by_start.len()
    }

    /// What is not known around a key. A region that was found wrong is not known.
    pub(super) fn gap(&self, key: &[u8]) -> Gap {
        let known = self.known.read();
        let good = |region: &&Arc<Region>| self.is_good(region);
        let below = known.by_start.range::<[u8], _>((Bound::Unbounded, Bound::Included(key))).rev();
        let start = below.map(|(_, region)| region).find(good).map(|region| region.end.clone());
        let above = known.by_start.range::<[u8], _>((Bound::Excluded(key), Bound::Unbounded));
        let end = above.map(|(_, region)| region).find(good).map(|region| region.start.clone());
        Gap { start: start.unwrap_or_default(), end: end.unwrap_or_default() }
    }

    /// Takes note of a region, in place of all with which it has keys in common; unless one of those is newer, which is told by `false`.
    pub(super) fn insert(&self, region: Region) -> bool {
        let mut known = self.known.write();
        let overlapping = known.overlapping(&region);
        if overlapping.iter().any(|other| self.is_newer(other, &region)) {
            return false;
        }
        for other in overlapping {
            known.by_start.remove(&other.start);
        }
        let newest = region.start.clone();
        self.put(&mut known, region);
        self.sweep(&mut known, &newest);
        true
    }

    /// What was known of a region is wrong, unless something newer is known by now.
    pub(super) fn doubt(region: &Region) {
        region.doubted.store(true, Ordering::Relaxed);
    }

    /// Another peer of a region is to be asked, unless something newer is known by now.
    pub(super) fn ask(&self, region: &Region, ask: usize, leader: Option<usize>, passed: usize) {
        let mut known = self.known.write();
        if known.by_start.get(&region.start).is_some_and(|held| held.generation == region.generation) {
            self.put(&mut known, region.asking(ask, leader, passed));
        }
    }

    fn put(&self, known: &mut Known, mut region: Region) {
        known.generation += 1;
        region.generation = known.generation;
        region.expires_ms.store(self.expiry(), Ordering::Relaxed);
        known.by_start.insert(region.start.clone(), Arc::new(region));
    }

    fn expiry(&self) -> u64 {
        self.now_ms() + millis(LIFETIME) + fastrand::u64(..millis(LIFETIME) / 10)
    }

    fn now_ms(&self) -> u64 {
        millis(self.began.elapsed())
    }

    /// The region, if it can be relied on, which is thereby used.
    fn fresh(&self, region: Option<&Arc<Region>>) -> Option<Arc<Region>> {
        let region = region.filter(|region| self.is_good(region))?;
        let expires = region.expires_ms.load(Ordering::Relaxed);
        if expires < self.now_ms() + millis(LIFETIME - PROLONGED_AFTER) {
            region.expires_ms.store(self.expiry(), Ordering::Relaxed);
        }
        Some(Arc::clone(region))
    }

    fn is_good(&self, region: &Region) -> bool {
        !region.doubted.load(Ordering::Relaxed) && region.expires_ms.load(Ordering::Relaxed) > self.now_ms()
    }

    /// Whether what is known is newer than what is told.
    fn is_newer(&self, known: &Region, told: &Region) -> bool {
        if !self.is_good(known) && known.told.elapsed() > STANDS {
            return false;
        }
        let of_the_same = known.id == told.id && known.epoch.conf_ver > told.epoch.conf_ver;
        known.epoch.version > told.epoch.version || of_the_same
    }

    /// Forgets some that have not been used for long, and the one of them that has not been used for longest if there are too many.
    fn sweep(&self, known: &mut Known, newest: &Bytes) {
        let looked_at = known.next_swept();
        let expiry = |region: &Arc<Region>| region.expires_ms.load(Ordering::Relaxed);
        let now = self.now_ms();
        for region in looked_at.iter().filter(|region| expiry(region) <= now) {
            known.by_start.remove(&region.start);
        }
        if known.by_start.len() > self.most
            && let Some(least_used) =
                looked_at.iter().filter(|region| region.start != *newest).min_by_key(|region| expiry(region))
        {
            known.by_start.remove(&least_used.start);
        }
    }
}

impl Known {
    /// The regions whose turn it is to be looked at: behind those of the last time, and from the lowest on where there are no more.
    fn next_swept(&mut self) -> Vec<Arc<Region>> {
        let after = if self.swept.is_empty() { Bound::Unbounded } else { Bound::Excluded(&self.swept[..]) };
        let behind = self.by_start.range::<[u8], _>((after, Bound::Unbounded));
        let turn = behind.chain(&self.by_start).take(SWEPT.min(self.by_start.len()));
        let turn: Vec<_> = turn.map(|(_, region)| Arc::clone(region)).collect();
        self.swept = turn.last().map(|last| last.start.clone()).unwrap_or_default();
        turn
    }

    /// The last region that begins at the key or before it.
    fn at(&self, key: &[u8]) -> Option<&Arc<Region>> {
        let up_to_key = (Bound::Unbounded, Bound::Included(key));
        self.by_start.range::<[u8], _>(up_to_key).next_back().map(|(_, region)| region)
    }

    /// The last region that begins before the bound.
    fn below(&self, bound: &[u8]) -> Option<&Arc<Region>> {
        if bound.is_empty() {
            return self.by_start.last_key_value().map(|(_, region)| region);
        }
        let below_bound = (Bound::Unbounded, Bound::Excluded(bound));
        self.by_start.range::<[u8], _>(below_bound).next_back().map(|(_, region)| region)
    }

    fn overlapping(&self, region: &Region) -> Vec<Arc<Region>> {
        let first = self.at(&region.start).filter(|other| other.start < region.start);
        let others = self.by_start.range::<[u8], _>((Bound::Included(&region.start[..]), Bound::Unbounded));
        let others = others.map(|(_, other)| other).take_while(|other| other.overlaps(region));
        first.into_iter().chain(others).filter(|other| other.overlaps(region)).cloned().collect()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
