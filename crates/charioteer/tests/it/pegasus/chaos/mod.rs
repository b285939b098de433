//! What the tests under load share.

pub(super) mod caller;
pub(super) mod disturber;
pub(super) mod history;
pub(super) mod ledger;
pub(super) mod patience;
pub(super) mod swapper;
pub(super) mod tagged;
pub(super) mod tally;
pub(super) mod worker;

/// A number that the environment may give.
pub(super) fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Where chance begins: where the environment says, or anywhere. Whoever uses it prints it.
pub(super) fn seed() -> u64 {
    setting("CHARIOTEER_CHAOS_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000_000))
}
