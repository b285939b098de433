//! Garbage: versions that nobody can see any more who reads behind the safe point. They are removed when PD has moved it.

use std::sync::Arc;

use charioteer_engine::raw::Keys;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::pd::{Pd, SafeRange};
use crate::backend::{Rows, collect_garbage};

/// Collects garbage whenever a safe point has moved, until told to stop.
pub(crate) async fn collect(pd: Arc<Pd>, rows: impl Rows, stop: CancellationToken) {
    let mut points = pd.safe_points();
    // What lay behind them before has been collected, or will be when they move on.
    let mut collected = pd.safe_ranges();
    while stop.run_until_cancelled(points.moved()).await == Some(true) {
        let ranges = pd.safe_ranges();
        for range in ranges.iter().filter(|range| range.safe_point > 0 && !collected.contains(range)) {
            if stop.run_until_cancelled(collect_in(&rows, range)).await.is_none() {
                return;
            }
        }
        collected = ranges;
    }
}

async fn collect_in(rows: &impl Rows, range: &SafeRange) {
    for stored in Keys::ALL {
        if let Err(error) = collect_garbage(rows.mvcc(stored), range.keys.clone(), range.safe_point).await {
            warn!(%error, safe_point = range.safe_point, "cannot remove versions that nobody sees any more");
        }
    }
}
