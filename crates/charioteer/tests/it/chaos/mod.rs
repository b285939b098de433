//! What the tests under load share, whichever client they are about.

#[cfg(any(feature = "pegasus", feature = "tikv"))]
pub(crate) mod history;
#[cfg(any(feature = "pegasus", feature = "tikv"))]
pub(crate) mod ledger;
#[cfg(any(feature = "memcached", feature = "pegasus"))]
pub(crate) mod patience;
#[cfg(any(feature = "memcached", feature = "pegasus"))]
pub(crate) mod tagged;
#[cfg(any(feature = "memcached", feature = "pegasus"))]
pub(crate) mod tally;

use std::time::Duration;
#[cfg(any(feature = "pegasus", feature = "tikv"))]
use std::time::Instant;

/// Longer than anything takes here that comes to an end.
#[cfg(any(feature = "memcached", feature = "pegasus"))]
const EVER: Duration = Duration::from_secs(600);

/// How long workers work.
#[cfg(any(feature = "pegasus", feature = "tikv"))]
#[derive(Clone, Copy)]
pub(crate) enum Shift {
    /// Until then, however little comes of it.
    Until(Instant),
    /// Until each has made so many calls, however long they take.
    Calls(u64),
}

#[cfg(any(feature = "pegasus", feature = "tikv"))]
impl Shift {
    /// Whether a worker who has made so many calls may go home.
    pub(crate) fn is_over(self, calls: u64) -> bool {
        match self {
            Self::Until(then) => Instant::now() >= then,
            Self::Calls(enough) => calls >= enough,
        }
    }
}

/// A number that the environment may give.
pub(crate) fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Where chance begins: where the environment says, or anywhere. Whoever uses it prints it.
pub(crate) fn seed() -> u64 {
    setting("CHARIOTEER_CHAOS_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000_000))
}

/// By how much a timer comes late at most, until then.
#[cfg(any(feature = "pegasus", feature = "tikv"))]
pub(crate) async fn lateness(until: Instant) -> Duration {
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let mut longest = Duration::ZERO;
    while Instant::now() < until {
        longest = longest.max(ticks.tick().await.elapsed());
    }
    longest
}

/// Waits until all who make calls have made them.
#[cfg(any(feature = "memcached", feature = "pegasus"))]
pub(crate) async fn all_end(running: tokio::task::JoinSet<()>, tally: &std::sync::Arc<tally::Tally>) {
    let ended = tokio::time::timeout(EVER, running.join_all()).await;
    assert!(ended.is_ok(), "somebody hangs; {tally}");
}
