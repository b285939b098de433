//! Counters of a table's calls, looked up once for each kind.

use std::any::TypeId;
use std::sync::Arc;

use parking_lot::RwLock;
use smallvec::SmallVec;

use super::cluster::Cluster;
use crate::exec::Operation;
use crate::stats::OperationStats;

/// The counters of one kind of call.
type Known = (TypeId, Arc<OperationStats>);

/// The counters that a table's calls have used so far.
#[derive(Debug, Default)]
pub(super) struct TableStats(RwLock<SmallVec<[Known; 4]>>);

impl TableStats {
    /// The counters of one kind of call.
    pub(super) fn of<O: Operation + 'static>(&self, cluster: &Cluster) -> Arc<OperationStats> {
        let kind = TypeId::of::<O>();
        let known = |known: &[Known]| known.iter().find(|(of, _)| *of == kind).map(|(_, stats)| Arc::clone(stats));
        if let Some(stats) = known(&self.0.read()) {
            return stats;
        }
        let stats = cluster.stats::<O>();
        self.0.write().push((kind, Arc::clone(&stats)));
        stats
    }
}
