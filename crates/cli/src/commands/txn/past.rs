//! Verbs on timestamps, locks and the past, and on the cluster.

use std::time::Duration;

use charioteer::tikv::{GcOptions, LockKind};
use clap::Args;

use super::place::Place;
use crate::commands::range::Range;
use crate::exit::{Ended, Failure};
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Timestamp {}

impl Timestamp {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let now = place.client.timestamp().await?;
        output.facts([("timestamp", u64::from(now).into()), ("milliseconds", now.physical_ms().into())])?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct Locks {
    #[command(flatten)]
    range: Range,

    /// Ends after so many locks.
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    limit: usize,
}

impl Locks {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let now = place.client.timestamp().await?;
        let locks = place.client.scan_locks(self.range.start, self.range.end, now, self.limit).await?;
        let mut rows = output.rows(&["key", "primary", "kind", "start_ts", "ttl_ms"], &["key"]);
        for lock in locks {
            let kind = match lock.kind {
                LockKind::Put => "put",
                LockKind::Delete => "delete",
                LockKind::Lock => "lock",
                LockKind::Pessimistic => "pessimistic",
                _ => "other",
            };
            let ttl = u64::try_from(lock.ttl.as_millis()).unwrap_or(u64::MAX);
            rows.row(vec![
                lock.key.into(),
                lock.primary.into(),
                kind.into(),
                u64::from(lock.start_ts).into(),
                ttl.into(),
            ])?;
        }
        rows.end()?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct ResolveLocks {
    #[command(flatten)]
    range: Range,
}

impl ResolveLocks {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let now = place.client.timestamp().await?;
        let left = place.client.resolve_locks(self.range.start, self.range.end, now).await?;
        output.fact("left", left as u64)?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct GcState {}

impl GcState {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let state = place.client.gc_state().await?;
        let barriers = state.barriers.iter().map(|barrier| format!("{} {}", barrier.name, u64::from(barrier.at)));
        output.facts([
            ("txn_safe_point", u64::from(state.txn_safe_point).into()),
            ("gc_safe_point", u64::from(state.gc_safe_point).into()),
            ("barriers", barriers.collect::<Vec<_>>().into()),
        ])?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct Gc {
    /// The timestamp from which on the past is kept.
    safe_point: u64,

    /// How long others are given to learn of it before stores forget anything.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "10s")]
    wait: Duration,
}

impl Gc {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let mut options = GcOptions::default();
        options.wait = self.wait;
        let reached = place.client.gc_with(self.safe_point.into(), &options).await?;
        output.fact("safe_point", u64::from(reached))?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct ClusterId {}

impl ClusterId {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        output.fact("cluster_id", place.client.cluster_id().await?)?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct Stats {}

impl Stats {
    /// Nothing is sent for it.
    pub(super) fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let mut rows = output.rows(&["call", "calls", "errors", "retries"], &["calls"]);
        for (name, stats) in place.client.call_stats() {
            rows.row(vec![name.into(), stats.calls.into(), stats.errors.into(), stats.retries.into()])?;
        }
        rows.end()?;
        Ok(Ended::Done)
    }
}
