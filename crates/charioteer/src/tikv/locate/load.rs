//! Asking PD for regions: once for all who miss the same gap, and for those that lie behind as well.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument;

use super::Shared;
use super::region::Region;
use super::regions::Gap;
use crate::error::{ErrorKind, Failure};
use crate::tikv::failure;
use crate::tikv::pd::RegionInfo;

/// How many regions are asked for at once: whoever has missed one is likely to miss the next ones.
const AT_ONCE: usize = 64;

/// How long PD may take altogether. Those who wait may have less time; what comes after they have gone is there for the next.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the same is asked for anew, after others have been waited for who asked for something else.
const ROUNDS: u32 = 100;

/// What is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The region that holds this key.
    Key(Bytes),
    /// The region that holds the keys just below this bound; an empty one is beyond all.
    Below(Bytes),
}

/// Those who are asking.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<SmallVec<[Flight; 4]>>);

#[derive(Debug)]
struct Flight {
    about: About,
    begun: Instant,
    /// What came of it. It has ended too when its sender is gone, with the runtime on which it asked.
    ended: watch::Receiver<Option<Failure>>,
}

/// What is asked for: all who miss the same gap wait for the same answer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum About {
    Gap(Gap),
    Below(Bytes),
}

impl Flights {
    /// What to wait for, or what to send when it is there.
    fn join(&self, about: &About) -> Result<watch::Receiver<Option<Failure>>, watch::Sender<Option<Failure>>> {
        let mut flights = self.0.lock();
        // One that is overdue is on a runtime that stands still.
        flights.retain(|flight| flight.ended.has_changed().is_ok() && flight.begun.elapsed() < 2 * PATIENCE);
        if let Some(flight) = flights.iter().find(|flight| flight.about == *about) {
            return Ok(flight.ended.clone());
        }
        let (end, ended) = watch::channel(None);
        flights.push(Flight { about: about.clone(), begun: Instant::now(), ended });
        Err(end)
    }

    fn land(&self, about: &About, end: &watch::Sender<Option<Failure>>, failure: Option<Failure>) {
        // Whoever comes from now on finds what is known, or asks anew.
        self.0.lock().retain(|flight| flight.about != *about);
        end.send_replace(failure);
    }
}

impl Shared {
    /// The region that is wanted, for which PD is asked until it is known.
    pub(super) async fn region(self: &Arc<Self>, wanted: &Wanted) -> Result<Arc<Region>, Failure> {
        for _ in 0..ROUNDS {
            if let Some(region) = self.known(wanted) {
                return Ok(region);
            }
            let about = match wanted {
                Wanted::Key(key) => About::Gap(self.regions.gap(key)),
                Wanted::Below(bound) => About::Below(bound.clone()),
            };
            let mut ended = match self.flights.join(&about) {
                Ok(ended) => ended,
                Err(end) => {
                    let ended = end.subscribe();
                    // On a task of its own, so that it comes to an end even when those who wait give up.
                    let asking = Arc::clone(self).fly(wanted.clone(), about, end);
                    tokio::spawn(asking.in_current_span());
                    ended
                }
            };
            // An error means that the runtime on which it was asked is gone: it is asked anew.
            if let Ok(()) = ended.changed().await
                && let Some(failure) = ended.borrow().clone()
            {
                return self.for_want_of_better(wanted).ok_or(failure);
            }
        }
        let message = "the region that holds the key changes all the time";
        Err(Failure::new(ErrorKind::Unavailable, message).retry(&failure::REGION_MISS))
    }

    /// A region that is in doubt, where PD does not answer: its peers may know better, each of which is asked in its turn.
    fn for_want_of_better(&self, wanted: &Wanted) -> Option<Arc<Region>> {
        let Wanted::Key(key) = wanted else { return None };
        let region = self.regions.doubtful(key)?;
        self.regions.ask(&region, region.next_peer(), None, 0);
        self.regions.of_key(key)
    }

    pub(super) fn known(&self, wanted: &Wanted) -> Option<Arc<Region>> {
        match wanted {
            Wanted::Key(key) => self.regions.of_key(key),
            Wanted::Below(bound) => self.regions.before(bound),
        }
    }

    async fn fly(self: Arc<Self>, wanted: Wanted, about: About, end: watch::Sender<Option<Failure>>) {
        let loaded = self.load(&wanted, &about, Instant::now() + PATIENCE).await;
        self.flights.land(&about, &end, loaded.err());
        self.stores.refresh(&self.pd);
    }

    /// Asks PD, and takes note of what it says.
    async fn load(&self, wanted: &Wanted, about: &About, deadline: Instant) -> Result<(), Failure> {
        let told = match (wanted, about) {
            (Wanted::Key(key), About::Gap(gap)) => self.behind(key, gap, deadline).await?,
            (Wanted::Key(key), About::Below(_)) => {
                vec![self.pd.region_by_key(&self.layout.pd_key(key), deadline).await?]
            }
            (Wanted::Below(bound), _) => vec![self.below(bound, deadline).await?],
        };
        self.stores.meet(&self.pd, deadline).await;
        let mut found = false;
        for (at, info) in told.into_iter().enumerate() {
            let region = match self.usable(info, deadline).await {
                Ok(region) => region,
                // What is the matter with those behind is found out by whoever wants them.
                Err(failure) if at == 0 => return Err(failure),
                Err(_) => continue,
            };
            let is_wanted = match wanted {
                Wanted::Key(key) => region.holds(key),
                Wanted::Below(bound) => region.reaches(bound),
            };
            // Of those behind, what is known already is better: somebody may have learnt who leads.
            let is_news = is_wanted || self.regions.of_key(&region.start).is_none();
            let is_taken = is_news && self.regions.insert(region);
            found |= is_wanted && is_taken;
        }
        if found || self.known(wanted).is_some() {
            return Ok(());
        }
        let message = "PD does not know yet, or no longer, which region holds the key";
        Err(Failure::new(ErrorKind::Unavailable, message).retry(&failure::REGION_MISS))
    }

    /// Asks PD for the regions of several keys, which are in order, and takes note of those that are news.
    pub(super) async fn load_all(&self, keys: &[Bytes], deadline: Instant) -> Result<(), Failure> {
        let mut ranges: Vec<_> =
            keys.iter().map(|key| self.layout.pd_key(key)).map(|key| (key.clone(), behind(&key))).collect();
        ranges.dedup();
        let told = self.pd.batch_scan_regions(&ranges, ranges.len(), deadline).await?;
        for info in told {
            let Ok(region) = self.usable(info, deadline).await else { continue };
            if self.regions.of_key(&region.start).is_none() {
                self.regions.insert(region);
            }
        }
        Ok(())
    }

    /// The region that holds a key, and those that follow in the gap.
    async fn behind(&self, key: &Bytes, gap: &Gap, deadline: Instant) -> Result<Vec<RegionInfo>, Failure> {
        let start = self.layout.pd_key(key);
        let end = if gap.end.is_empty() { Bytes::new() } else { self.layout.pd_key(&gap.end) };
        let told = self.pd.scan_regions(&start, &end, AT_ONCE, deadline).await?;
        let holds = |info: &RegionInfo| info.region.start_key <= start;
        if told.first().is_some_and(holds) {
            return Ok(told);
        }
        Ok(vec![self.pd.region_by_key(&start, deadline).await?])
    }

    /// The region that holds the keys just below a bound.
    async fn below(&self, bound: &Bytes, deadline: Instant) -> Result<RegionInfo, Failure> {
        if bound.is_empty() {
            return self.last(deadline).await;
        }
        let bound = self.layout.pd_key(bound);
        let info = self.pd.region_by_key(&bound, deadline).await?;
        if info.region.start_key < bound {
            return Ok(info);
        }
        self.pd.region_before_key(&bound, deadline).await
    }

    /// The last region of all. PD can't be asked for it, but for one that is as far behind as a key can be.
    async fn last(&self, deadline: Instant) -> Result<RegionInfo, Failure> {
        const LONGEST_KEY: usize = 8 << 10;
        let highest = Bytes::from(vec![0xff; LONGEST_KEY]);
        let mut info = self.pd.region_by_key(&self.layout.pd_key(&highest), deadline).await?;
        while !info.region.end_key.is_empty() {
            info = self.pd.region_by_key(&info.region.end_key, deadline).await?;
        }
        Ok(info)
    }

    /// The region without the peers whose stores are no more.
    async fn usable(&self, mut info: RegionInfo, deadline: Instant) -> Result<Region, Failure> {
        let mut gone: SmallVec<[u64; 1]> = SmallVec::new();
        for peer in &info.region.peers {
            match self.stores.find(&self.pd, peer.store_id, deadline).await {
                Ok(_) => {}
                Err(failure) if failure.kind == ErrorKind::NotFound => gone.push(peer.store_id),
                Err(failure) => return Err(failure),
            }
        }
        info.region.peers.retain(|peer| !gone.contains(&peer.store_id));
        Region::new(info, self.layout)
    }
}

/// The least key that is greater.
fn behind(key: &Bytes) -> Bytes {
    [key, &b"\0"[..]].concat().into()
}
