//! What memcached's items come to, read when somebody asks.

use std::fmt;

use charioteer_engine::cache::Event;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::store::Encode;
use crate::memcached::Items;

/// Reads the counters of all items.
#[derive(Debug)]
pub(super) struct CacheCollector {
    items: Items,
}

impl CacheCollector {
    pub(super) const fn new(items: Items) -> Self {
        Self { items }
    }
}

impl Collector for CacheCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stats = self.items.stats();
        let mut put = |name: &str, help: &str, unit: Option<&Unit>, metric: &dyn Encode| {
            let descriptor = encoder.encode_descriptor(name, help, unit, metric.kind())?;
            metric.encode_into(descriptor)
        };
        let counter = |event| ConstCounter::new(stats.count(event));
        let gauge = |number: usize| ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX));
        put("cache_hits", "Items that were asked for and found", None, &counter(Event::GetHit))?;
        put("cache_misses", "Items that were asked for and not found", None, &counter(Event::GetMiss))?;
        put("cache_stores", "Values that were to be stored", None, &counter(Event::Set))?;
        put("cache_evictions", "Items that made room for others", None, &counter(Event::Evicted))?;
        put("cache_refusals", "Values for which there was no memory", None, &counter(Event::NoMemory))?;
        put("cache_items", "Items", None, &gauge(stats.items))?;
        put("cache_item", "Bytes of the items", Some(&Unit::Bytes), &gauge(stats.item_bytes))?;
        put("cache_memory", "Bytes of the items and all around them", Some(&Unit::Bytes), &gauge(stats.memory_bytes))?;
        let limit = gauge(self.items.options().memory_bytes);
        put("cache_memory_limit", "Bytes that the items may take", Some(&Unit::Bytes), &limit)
    }
}
