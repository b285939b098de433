//! What the server counts, in the text format of Prometheus.
//!
//! Handles are made once, when the server starts; counting is then an atomic addition.

mod cache;
mod store;

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use charioteer_engine::Db;
use hyper::StatusCode;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use self::cache::CacheCollector;
use self::store::StoreCollector;
use crate::http::{Answer, with_type};
use crate::memcached::Items;

/// The content type of the text format.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that one server counts.
pub(crate) struct Metrics {
    registry: Registry,
    calls: Family<Vec<(&'static str, &'static str)>, Counter>,
    latencies: Family<Vec<(&'static str, &'static str)>, Histogram>,
    connections: Family<Vec<(&'static str, &'static str)>, Gauge>,
    accepted: Family<Vec<(&'static str, &'static str)>, Counter>,
    cut: Family<Vec<(&'static str, &'static str)>, Counter>,
}

/// The counters of one call of one protocol.
#[derive(Clone)]
pub(crate) struct CallMetrics {
    answered: Counter,
    refused: Counter,
    unanswered: Counter,
    latency: Histogram,
}

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallResult {
    /// It has a result, if only that a row is missing.
    Answered,
    /// The system refused it.
    Refused,
    /// It gets no answer, because the original gives none either.
    Unanswered,
}

impl CallMetrics {
    /// Counts one call, and how long it took.
    pub(crate) fn record(&self, result: CallResult, took: Duration) {
        match result {
            CallResult::Answered => &self.answered,
            CallResult::Refused => &self.refused,
            CallResult::Unanswered => &self.unanswered,
        }
        .inc();
        self.latency.observe(took.as_secs_f64());
    }
}

/// Counts one open connection for as long as it lives.
pub(crate) struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// Counters for a server on this store, and with these items if it has any.
    pub(crate) fn new(db: &Db, items: Option<&Items>) -> Self {
        let mut registry = Registry::with_prefix("charioteer");
        registry.register_collector(Box::new(StoreCollector::new(db.clone())));
        if let Some(items) = items {
            registry.register_collector(Box::new(CacheCollector::new(items.clone())));
        }
        let calls = Family::default();
        let latencies = Family::new_with_constructor(latency_histogram as fn() -> Histogram);
        let connections = Family::default();
        let accepted = Family::default();
        let cut = Family::default();
        registry.register("calls", "Calls by protocol, call and result", calls.clone());
        let help = "Time from a whole request to its reply";
        registry.register_with_unit("call_duration", help, Unit::Seconds, latencies.clone());
        registry.register("connections", "Open connections", connections.clone());
        registry.register("connections_accepted", "Connections accepted", accepted.clone());
        registry.register("connections_cut", "Connections ended by the server, by reason", cut.clone());
        Self { registry, calls, latencies, connections, accepted, cut }
    }

    /// The handles of one call.
    pub(crate) fn call(&self, protocol: &'static str, call: &'static str) -> CallMetrics {
        CallMetrics {
            answered: self.calls(protocol, call, "answered"),
            refused: self.calls(protocol, call, "refused"),
            unanswered: self.calls(protocol, call, "unanswered"),
            latency: self.latencies.get_or_create(&vec![("protocol", protocol), ("call", call)]).clone(),
        }
    }

    /// The counter of the calls of one kind that came to the same.
    pub(crate) fn calls(&self, protocol: &'static str, call: &'static str, result: &'static str) -> Counter {
        self.calls.get_or_create(&vec![("protocol", protocol), ("call", call), ("result", result)]).clone()
    }

    /// Counts a connection that was accepted.
    pub(crate) fn connection(&self, protocol: &'static str) -> OpenConnection {
        self.accepted.get_or_create(&vec![("protocol", protocol)]).inc();
        let open = self.connections.get_or_create(&vec![("protocol", protocol)]).clone();
        open.inc();
        OpenConnection(open)
    }

    /// Counts a connection that the server cut.
    pub(crate) fn cut(&self, protocol: &'static str, reason: &'static str) {
        self.cut.get_or_create(&vec![("protocol", protocol), ("reason", reason)]).inc();
    }

    /// Everything, as a page. What the store counts may have to wait for its locks.
    pub(crate) fn page(self: &Arc<Self>) -> Answer {
        let metrics = Arc::clone(self);
        Answer::Aside(Box::new(move || with_type(StatusCode::OK, CONTENT_TYPE, metrics.render())))
    }

    fn render(&self) -> String {
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            // Writing to a string fails for lack of memory only, which does not come back as an error.
            let _ = text.write_str("# incomplete\n");
        }
        text
    }
}

/// From 16 microseconds in steps of 4 to a little over 4 seconds: few buckets, since every call has a histogram.
fn latency_histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.000_016, 4.0, 10))
}
