//! What the store counts, read when somebody asks.

use std::fmt;

use charioteer_engine::{Db, Stats};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Reads the counters of a store on disk; one in memory has none.
#[derive(Debug)]
pub(super) struct StoreCollector {
    db: Db,
}

impl StoreCollector {
    pub(super) const fn new(db: Db) -> Self {
        Self { db }
    }
}

impl Collector for StoreCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        match self.db.stats() {
            Some(stats) => encode(&stats, encoder),
            None => Ok(()),
        }
    }
}

fn encode(stats: &Stats, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
    let mut put = |name: &str, help: &str, unit: Option<&Unit>, metric: &dyn Encode| {
        let descriptor = encoder.encode_descriptor(name, help, unit, metric.kind())?;
        metric.encode_into(descriptor)
    };
    let counter = |number: u64| ConstCounter::new(number);
    let gauge = |number: u64| ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX));
    put("store_writes", "Writes committed", None, &counter(stats.writes))?;
    put("store_groups", "Groups that writes were committed in", None, &counter(stats.groups))?;
    put("store_synced_groups", "Groups that were synced", None, &counter(stats.synced_groups))?;
    let commit_seconds = ConstCounter::new(stats.commit_time.as_secs_f64());
    put("store_commit", "Time that commits took, syncs included", Some(&Unit::Seconds), &commit_seconds)?;
    put("store_stalls", "Commits that took longer than 100 ms", None, &counter(stats.stalls))?;
    let stalled_seconds = ConstCounter::new(stats.stalled_time.as_secs_f64());
    put("store_stalled", "Time that these commits took", Some(&Unit::Seconds), &stalled_seconds)?;
    put("store_waiting_writes", "Writes that wait to be committed", None, &gauge(stats.waiting as u64))?;
    put("store_disk", "Bytes of all files", Some(&Unit::Bytes), &gauge(stats.disk_bytes))?;
    put("store_journal", "Bytes of the journals", Some(&Unit::Bytes), &gauge(stats.journal_bytes))?;
    put("store_cache", "Bytes of table blocks in memory", Some(&Unit::Bytes), &gauge(stats.cache_bytes))
}

/// [`EncodeMetric`] of different types behind one.
pub(super) trait Encode {
    fn kind(&self) -> prometheus_client::metrics::MetricType;
    fn encode_into(&self, encoder: prometheus_client::encoding::MetricEncoder<'_>) -> fmt::Result;
}

impl<T: EncodeMetric> Encode for T {
    fn kind(&self) -> prometheus_client::metrics::MetricType {
        self.metric_type()
    }

    fn encode_into(&self, encoder: prometheus_client::encoding::MetricEncoder<'_>) -> fmt::Result {
        self.encode(encoder)
    }
}
