//! Open scans, waiting for their clients to ask for the next page.

use std::collections::BTreeMap;
use std::time::Duration;

/// How long an open scan waits for its next page.
pub const SCAN_IDLE_LIMIT: Duration = Duration::from_secs(5 * 60);

/// The open scans of a table, under the ids their clients know them by.
///
/// Every page has an id of its own, which is good for one use, within [`SCAN_IDLE_LIMIT`] of the
/// page that named it. Ids are positive and start at a random place, so that one from before a
/// restart is unlikely to mean another scan afterwards. There is a bound on the number of scans;
/// the oldest make room for new ones.
///
/// ```
/// use std::time::Duration;
/// use charioteer_engine::table::{SCAN_IDLE_LIMIT, ScanContexts};
///
/// let mut scans = ScanContexts::new(12345, 10_000);
/// let now = Duration::from_secs(1_700_000_000);
/// let id = scans.insert("a scan", now);
/// assert!(id > 0);
/// assert_eq!(scans.take(id, now), Some("a scan"));
/// assert_eq!(scans.take(id, now), None, "an id is good for one use");
///
/// let id = scans.insert("an idle scan", now);
/// assert_eq!(scans.take(id, now + SCAN_IDLE_LIMIT), None);
/// ```
#[derive(Debug)]
pub struct ScanContexts<C> {
    next_id: i64,
    max_open: usize,
    /// Ids ascend with time, so the first is the oldest.
    open: BTreeMap<i64, Open<C>>,
}

#[derive(Debug)]
struct Open<C> {
    since: Duration,
    context: C,
}

impl<C> ScanContexts<C> {
    /// A registry of at most `max_open` scans, whose ids start at a place that `seed` picks.
    #[must_use]
    pub fn new(seed: u32, max_open: usize) -> Self {
        // One bit keeps ids positive, another leaves the counter room to carry into.
        let next_id = i64::from(seed >> 2).max(1) << 32;
        Self { next_id, max_open, open: BTreeMap::new() }
    }

    /// Keeps a scan and gives it an id. `now` may be any time that does not run backwards.
    pub fn insert(&mut self, context: C, now: Duration) -> i64 {
        self.make_room(now);
        let id = self.next_id;
        self.next_id += 1;
        self.open.insert(id, Open { since: now, context });
        id
    }

    /// Gives the scan back and forgets it; `None` for an id that is unknown, used, or idle for too
    /// long.
    pub fn take(&mut self, id: i64, now: Duration) -> Option<C> {
        self.take_if(id, now, |_| true)
    }

    /// As [`take`](Self::take), but leaves a scan that is not `wanted` where it is.
    pub fn take_if(&mut self, id: i64, now: Duration, wanted: impl FnOnce(&C) -> bool) -> Option<C> {
        self.open.get(&id).filter(|open| wanted(&open.context))?;
        self.open.remove(&id).filter(|open| !open.is_idle(now)).map(|open| open.context)
    }

    /// Forgets a scan; an unknown id is fine.
    pub fn remove(&mut self, id: i64) {
        self.open.remove(&id);
    }

    /// The number of open scans, those included that are idle for too long and not yet swept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether no scan is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Forgets the scans that have been idle for too long, and gives back what they held.
    pub fn sweep(&mut self, now: Duration) -> Vec<C> {
        let mut idle = Vec::new();
        while let Some(oldest) = self.open.first_entry()
            && oldest.get().is_idle(now)
        {
            idle.push(oldest.remove().context);
        }
        idle
    }

    /// Forgets the scans that are `unwanted`, and gives back what they held.
    pub fn remove_if(&mut self, unwanted: impl Fn(&C) -> bool) -> Vec<C> {
        self.open.extract_if(.., |_, open| unwanted(&open.context)).map(|(_, open)| open.context).collect()
    }

    fn make_room(&mut self, now: Duration) {
        drop(self.sweep(now));
        while self.open.len() >= self.max_open.max(1) {
            self.open.pop_first();
        }
    }
}

impl<C> Open<C> {
    fn is_idle(&self, now: Duration) -> bool {
        now.saturating_sub(self.since) >= SCAN_IDLE_LIMIT
    }
}
