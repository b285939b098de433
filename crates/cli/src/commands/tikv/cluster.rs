//! Verbs on the cluster, and on this client.

use bytes::Bytes;
use charioteer::tikv::{RawClient, RegionInfo};
use clap::Args;

use super::one::told;
use crate::commands::range::Range;
use crate::exit::{Ended, Failure};
use crate::output::{Cell, Output, escape};

#[derive(Args)]
pub(crate) struct Regions {
    #[command(flatten)]
    range: Range,
}

impl Regions {
    pub(super) async fn run(self, client: &RawClient, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let regions = client.regions(self.range.start, self.range.end).await?;
        tell(regions, output)?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct RegionOf {
    /// The key.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    key: Bytes,
}

impl RegionOf {
    pub(super) async fn run(self, client: &RawClient, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let behind = [&self.key[..], &[0]].concat();
        let regions = client.regions(&self.key, behind).await?;
        let found = !regions.is_empty();
        tell(regions, output)?;
        Ok(told(found))
    }
}

fn tell(regions: Vec<RegionInfo>, output: &mut Output<'_>) -> Result<(), Failure> {
    let columns = ["region", "start", "end", "version", "conf_version", "leader", "stores"];
    let mut rows = output.rows(&columns, &["region"]);
    for region in regions {
        rows.row(vec![
            region.id.into(),
            region.start.into(),
            region.end.into(),
            region.version.into(),
            region.conf_version.into(),
            region.leader.into(),
            region.stores.iter().map(ToString::to_string).collect::<Vec<_>>().into(),
        ])?;
    }
    rows.end()?;
    Ok(())
}

#[derive(Args)]
pub(crate) struct Stores {}

impl Stores {
    pub(super) async fn run(self, client: &RawClient, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let stores = client.stores().await?;
        let mut rows = output.rows(&["store", "address", "state", "version", "labels"], &["address"]);
        for store in stores {
            let labels = store.labels.iter().map(|(name, value)| format!("{name}:{value}")).collect::<Vec<_>>();
            let (id, address, state) = (store.id.into(), store.address.into(), Cell::from(store.state));
            rows.row(vec![id, address, state, store.version.into(), labels.into()])?;
        }
        rows.end()?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct ClusterId {}

impl ClusterId {
    pub(super) async fn run(self, client: &RawClient, output: &mut Output<'_>) -> Result<Ended, Failure> {
        output.fact("cluster_id", client.cluster_id().await?)?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct Stats {}

impl Stats {
    /// Nothing is sent for it.
    pub(super) fn run(self, client: &RawClient, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let mut rows = output.rows(&["call", "calls", "errors", "retries"], &["calls"]);
        for (name, stats) in client.call_stats() {
            rows.row(vec![name.into(), stats.calls.into(), stats.errors.into(), stats.retries.into()])?;
        }
        rows.end()?;
        Ok(Ended::Done)
    }
}
