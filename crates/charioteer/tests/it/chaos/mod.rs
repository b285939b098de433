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
