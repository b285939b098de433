//! Where the time comes from.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time as the engine sees it; clones share it.
///
/// Every rule that depends on the time is handed it, and this is where it comes from. A test stops
/// the clock and moves it by hand, so that nothing has to sleep for a row to expire.
///
/// ```
/// use std::time::Duration;
/// use charioteer_engine::Clock;
///
/// let clock = Clock::stopped_at(Duration::from_secs(1_700_000_000));
/// let shared = clock.clone();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(shared.now(), Duration::from_secs(1_700_000_060));
/// ```
#[derive(Clone)]
pub struct Clock {
    inner: Arc<Inner>,
}

struct Inner {
    /// `None` follows the system's clock.
    stopped_at: Option<Duration>,
    /// How far the clock was moved by hand; 64 bits of nanoseconds are 584 years.
    advanced_nanos: AtomicU64,
}

impl Clock {
    /// A clock that follows the system's; [`advance`](Self::advance) puts it ahead.
    ///
    /// It is the wall clock and not a monotonic one, because clients compute expiry times from
    /// theirs.
    #[must_use]
    pub fn system() -> Self {
        Self::new(None)
    }

    /// A clock that stands at `unix`, the time since the Unix epoch, and moves only when told to.
    #[must_use]
    pub fn stopped_at(unix: Duration) -> Self {
        Self::new(Some(unix))
    }

    /// The time since the Unix epoch. A system clock set before 1970 counts as standing at it.
    #[must_use]
    pub fn now(&self) -> Duration {
        let base =
            self.inner.stopped_at.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        base.saturating_add(Duration::from_nanos(self.inner.advanced_nanos.load(Ordering::Acquire)))
    }

    /// Moves the clock forward for everyone who shares it; all advances together stop at 584 years.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        let advanced = &self.inner.advanced_nanos;
        // `fetch_update` gives an error only when its closure returns `None`, which this one never
        // does.
        let _ = advanced.fetch_update(Ordering::AcqRel, Ordering::Acquire, |old| Some(old.saturating_add(nanos)));
    }

    fn new(stopped_at: Option<Duration>) -> Self {
        Self { inner: Arc::new(Inner { stopped_at, advanced_nanos: AtomicU64::new(0) }) }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("now", &self.now()).field("stopped", &self.inner.stopped_at.is_some()).finish()
    }
}
