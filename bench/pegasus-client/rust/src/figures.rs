//! What a load has taken, and the line that says it.

use std::time::{Duration, Instant};

use clap::ValueEnum;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use crate::histogram::Histogram;
use crate::{ALLOCATOR, Options};

/// What this process has used so far.
pub(crate) struct Usage {
    at: Instant,
    processor: Duration,
    allocations: usize,
}

impl Usage {
    pub(crate) fn now() -> Self {
        let statistics = ALLOCATOR.stats();
        // A Go program's allocator moves what grows by a new allocation, so that these count here too.
        let allocations = statistics.allocations + statistics.reallocations;
        Self { at: Instant::now(), processor: processor_time(), allocations }
    }

    pub(crate) fn since(&self, before: &Self) -> Used {
        Used {
            time: self.at - before.at,
            processor: self.processor.saturating_sub(before.processor),
            allocations: self.allocations - before.allocations,
        }
    }
}

/// The processor time of this process, user and kernel, all threads together: what `getrusage` tells, in nanoseconds.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
}

/// What was used while a load was measured.
pub(crate) struct Used {
    time: Duration,
    processor: Duration,
    allocations: usize,
}

/// The figures of one load.
pub(crate) struct Figures {
    work: String,
    callers: u16,
    operations: u64,
    used: Used,
    /// The median and the 99th percentile. Scans have none: most rows are there already when they are asked for.
    latencies: Option<(f64, f64)>,
}

impl Figures {
    pub(crate) fn new(options: &Options, used: Used, operations: u64, latencies: Option<&Histogram>) -> Self {
        let work = options.work.to_possible_value().map_or_else(String::new, |work| work.get_name().to_owned());
        let latencies = latencies.map(|all| (all.percentile(50), all.percentile(99)));
        Self { work, callers: options.callers, operations, used, latencies }
    }

    /// One line, with the same names as the Go program's.
    pub(crate) fn json(&self) -> String {
        let (seconds, each) = (self.used.time.as_secs_f64(), self.operations as f64);
        json!({
            "client": "rust",
            "work": self.work,
            "callers": self.callers,
            "operations": self.operations,
            "seconds": seconds,
            "ops_per_second": each / seconds,
            "cpu_us_per_operation": self.used.processor.as_secs_f64() * 1e6 / each,
            "allocations_per_operation": self.used.allocations as f64 / each,
            "p50_us": self.latencies.map(|(p50, _)| p50),
            "p99_us": self.latencies.map(|(_, p99)| p99),
        })
        .to_string()
    }
}
