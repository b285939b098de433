use std::time::Duration;

use charioteer_proto::tikv::{errorpb, kvrpcpb};

use super::*;

const NOW: Duration = Duration::from_secs(1_700_000_000);

fn addresses(count: u16) -> Vec<SocketAddr> {
    (0..count).map(|index| SocketAddr::from(([127, 0, 0, 1], 20160 + index))).collect()
}

fn open(db: &Db, stores: u16, regions: usize) -> Cluster {
    let options = TikvOptions { regions, ..TikvOptions::default() };
    Cluster::open(db, &Clock::stopped_at(NOW), addresses(stores), &options).unwrap()
}

fn cluster(stores: u16, regions: usize) -> Cluster {
    open(&Db::memory(), stores, regions)
}

/// What a client that knows the region sends to the store that leads it.
fn context(region: &Region) -> kvrpcpb::Context {
    kvrpcpb::Context {
        region_id: region.id,
        region_epoch: region.meta().region_epoch,
        peer: region.leader_peer(),
        ..kvrpcpb::Context::default()
    }
}

fn led_from(region: &Region) -> u64 {
    region.leader_peer().map_or(0, |leader| leader.store_id)
}

fn refused(cluster: &Cluster, store_id: u64, context: &kvrpcpb::Context) -> errorpb::Error {
    cluster.admit(store_id, Some(context), Access::Write).unwrap_err()
}

mod admission;
mod changes;
mod opening;
