//! What a load has taken, and the line that says it.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use crate::{Options, process};

/// What has been used so far, by this process and others.
pub(crate) struct Usage {
    at: Instant,
    own: Duration,
    server: Option<Duration>,
    machine: Option<(Duration, Duration)>,
}

impl Usage {
    pub(crate) fn now(options: &Options) -> Self {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
        Self {
            at: Instant::now(),
            own: Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0)),
            server: options.server_pid.and_then(process::cpu_time),
            machine: process::machine(),
        }
    }
}

/// The figures of one load.
pub(crate) struct Figures {
    /// Keys that were got or set.
    keys: u64,
    time: Duration,
    own: Duration,
    server: Option<Duration>,
    /// The part of all processors' time that went to neither.
    others: Option<f64>,
}

impl Figures {
    pub(crate) fn new(keys: u64, before: &Usage, after: &Usage) -> Self {
        let own = after.own.saturating_sub(before.own);
        let server = after.server.zip(before.server).map(|(after, before)| after.saturating_sub(before));
        let others = after.machine.zip(before.machine).map(|(after, before)| {
            let (busy, total) = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
            let others = busy.saturating_sub(own + server.unwrap_or_default());
            others.as_secs_f64() / total.as_secs_f64().max(0.01)
        });
        Self { keys, time: after.at - before.at, own, server, others }
    }

    pub(crate) fn json(&self) -> String {
        let keys = self.keys as f64;
        json!({
            "keys_per_second": keys / self.time.as_secs_f64(),
            "client_us": self.own.as_secs_f64() * 1e6 / keys,
            "server_us": self.server.map(|server| server.as_secs_f64() * 1e6 / keys),
            "others": self.others,
        })
        .to_string()
    }
}
