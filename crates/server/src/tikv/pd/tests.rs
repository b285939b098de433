use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use charioteer_engine::Db;
use charioteer_proto::tikv::metapb;

use super::*;
use crate::tikv::TikvOptions;

const NOW: Duration = Duration::from_secs(1_700_000_000);

/// A PD, and what it stands on.
struct Bed {
    db: Db,
    clock: Clock,
    cluster: Arc<Cluster>,
    pd: Pd,
}

impl Bed {
    fn new(stores: u16, regions: usize) -> Self {
        Self::open(&Db::memory(), &Clock::stopped_at(NOW), stores, regions)
    }

    fn open(db: &Db, clock: &Clock, stores: u16, regions: usize) -> Self {
        let addresses = (0..stores).map(|index| SocketAddr::from(([127, 0, 0, 1], 20160 + index))).collect();
        let options = TikvOptions { regions, ..TikvOptions::default() };
        let cluster = Arc::new(Cluster::open(db, clock, addresses, &options).unwrap());
        let pd = Pd::open(Arc::clone(&cluster), clock).unwrap();
        Self { db: db.clone(), clock: clock.clone(), cluster, pd }
    }

    /// The same after a restart.
    fn reopened(&self) -> Self {
        let stores = u16::try_from(self.cluster.stores().len()).unwrap();
        Self::open(&self.db, &self.clock, stores, 1)
    }

    fn header(&self) -> Option<pdpb::RequestHeader> {
        Some(pdpb::RequestHeader { cluster_id: self.cluster.id(), ..pdpb::RequestHeader::default() })
    }

    /// Splits the last region.
    fn split(&self, keys: &[&'static str]) -> Vec<u64> {
        let keys: Vec<Bytes> = keys.iter().map(|key| Bytes::from(*key)).collect();
        let parts = self.cluster.split(&self.cluster.region_at(b"\xff\xff"), &keys).unwrap();
        parts.iter().map(|part| part.id).collect()
    }
}

fn dialled() -> Dialled {
    Dialled::new(Some("pd.example:12379"), SocketAddr::from(([127, 0, 0, 1], 2379)), false)
}

/// Asserts a success, which has no error at all.
#[track_caller]
fn succeeded(bed: &Bed, header: Option<pdpb::ResponseHeader>) {
    assert_eq!(header, Some(pdpb::ResponseHeader { cluster_id: bed.cluster.id(), error: None }));
}

/// What kind of failure it is, and in what words.
#[track_caller]
fn failure(header: Option<pdpb::ResponseHeader>) -> (pdpb::ErrorType, String) {
    let error = header.unwrap().error.expect("a failure");
    (error.r#type(), error.message)
}

mod etcd;
mod gc;
mod global_config;
mod http;
mod keyspaces;
mod members;
mod operators;
mod regions;
mod stores;
mod timestamps;
