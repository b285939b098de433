//! What the tests under load share, whichever client they are about.

pub(crate) mod patience;
pub(crate) mod tagged;
pub(crate) mod tally;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use self::tally::Tally;

/// Longer than anything takes here that comes to an end.
const EVER: Duration = Duration::from_secs(600);

/// A number that the environment may give.
pub(crate) fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Where chance begins: where the environment says, or anywhere. Whoever uses it prints it.
pub(crate) fn seed() -> u64 {
    setting("CHARIOTEER_CHAOS_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000_000))
}

/// Waits until all who make calls have made them.
pub(crate) async fn all_end(running: JoinSet<()>, tally: &Arc<Tally>) {
    let ended = tokio::time::timeout(EVER, running.join_all()).await;
    assert!(ended.is_ok(), "somebody hangs; {tally}");
}
