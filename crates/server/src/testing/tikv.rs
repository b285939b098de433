//! What a test can do to TiKV.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use super::{Error, Injected};
use crate::backend::{EmbeddedRows, Mvcc, Rows, aside};
pub use crate::tikv::hooks::{Action, Fault, RegionError, Seen, Status};
use crate::tikv::hooks::{Asked, Hooks};
use crate::tikv::{ChangeError, Cluster, Ports, Store};
use crate::{Addresses, Server};
use bytes::Bytes;
use charioteer_engine::mvcc;
use charioteer_engine::raw::Keys;
pub use charioteer_proto::tikv::rpc::Call;

/// What a test can do to TiKV; clones do it to the same.
///
/// Stores are named by their numbers, from 0; regions by their ids, or by a key in them as PD has it: memcomparable for transactions and
/// API version 2, as it is for raw keys of version 1.
///
/// ```
/// use charioteer_server::testing::TestServer;
/// use charioteer_server::testing::tikv::{Action, Call, Fault, RegionError};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = TestServer::builder().tikv_stores(3).start().await?;
/// let tikv = server.tikv();
/// let moved = tikv.inject(Fault::new(Action::Answer(RegionError::EpochNotMatch)).on(Call::RawGet).times(2));
/// tikv.stop_store(1).await?;
/// tikv.start_store(1).await?;
/// assert_eq!(moved.hits(), 0, "there is no client here");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tikv {
    hooks: Arc<Hooks>,
    /// Weak, so that a server that has stopped lets go of its data.
    ports: Weak<Ports<EmbeddedRows>>,
    addresses: Addresses,
}

/// Followers that lag behind their leaders: see [`Tikv::lag_follower`]. They catch up when this is dropped.
///
/// ```
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = TestServer::builder().tikv_stores(3).start().await?;
/// let lagging = server.tikv().lag_follower(1)?;
/// // … the client reads from followers …
/// assert_eq!((lagging.waiting(), lagging.refused()), (0, 0), "there is no client here");
/// lagging.catch_up();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "followers catch up when this is dropped"]
pub struct Lagging {
    replica_reads: Injected,
    stale_reads: Injected,
}

impl Lagging {
    /// How many reads have been kept waiting.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.replica_reads.hits()
    }

    /// Waits until so many reads are kept waiting.
    pub async fn kept_waiting(&self, count: u64) {
        self.replica_reads.hit(count).await;
    }

    /// How many reads have been answered with `DataIsNotReady`.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.stale_reads.hits()
    }

    /// Has them catch up: what waits is answered.
    pub fn catch_up(self) {
        drop(self);
    }
}

/// A region, as it is at a moment.
///
/// ```
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = TestServer::builder().tikv_regions(1).start().await?;
/// let tikv = server.tikv();
/// tikv.split(["m"]).await?;
/// let regions = tikv.regions()?;
/// assert_eq!((&regions[0].end[..], &regions[1].start[..], regions.len()), (&b"m"[..], &b"m"[..], 2));
/// tikv.merge(regions[0].id, regions[1].id).await?;
/// assert_eq!(tikv.regions()?.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Region {
    /// Its id.
    pub id: u64,
    /// The first key, as PD has it; empty for the lowest of all.
    pub start: Bytes,
    /// The key behind the last, as PD has it; empty for beyond all.
    pub end: Bytes,
    /// Grows with every split and merge.
    pub version: u64,
    /// The store of the peer that leads it, if one does.
    pub leader: Option<usize>,
    /// The stores of all peers.
    pub stores: Vec<usize>,
}

/// A lock of a transaction, as it lies in the store at a moment.
///
/// ```
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = TestServer::start().await;
/// assert_eq!(server.tikv().locks().await?, [], "there is no client here");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lock {
    /// Its key, as it travels.
    pub key: Bytes,
    /// The key whose fate is the transaction's.
    pub primary: Bytes,
    /// When the transaction started.
    pub start_ts: u64,
    /// How long it may be taken for alive, in milliseconds from then.
    pub ttl_ms: u64,
    /// Whether the transaction is still running, and has not begun to commit.
    pub is_pessimistic: bool,
    /// Whether the transaction is committed once all its locks are there.
    pub use_async_commit: bool,
    /// The transaction commits at this timestamp or later; 0 says nothing.
    pub min_commit_ts: u64,
}

impl Tikv {
    pub(super) fn new(hooks: Arc<Hooks>, server: &Server) -> Self {
        let ports = server.tikv().map(Arc::downgrade).unwrap_or_default();
        Self { hooks, ports, addresses: server.addresses().clone() }
    }

    /// Where the stores listen, or did.
    #[must_use]
    pub fn stores(&self) -> Vec<SocketAddr> {
        self.addresses.tikv_stores.clone()
    }

    /// Stops a store: its port is closed, with all connections to it. What it leads has no leader that can be reached until another
    /// peer does.
    ///
    /// # Errors
    /// When there is no such store, or the whole server has stopped.
    pub async fn stop_store(&self, store: usize) -> Result<(), Error> {
        self.ports()?.store(store).ok_or(Error::NoStore(store))?.close().await;
        Ok(())
    }

    /// Starts a store again, on the same port.
    ///
    /// # Errors
    /// When there is no such store, or its port can't be listened on, or the whole server has stopped.
    pub async fn start_store(&self, store: usize) -> Result<(), Error> {
        self.ports()?.store(store).ok_or(Error::NoStore(store))?.reopen().await.map_err(Error::Listen)
    }

    /// Stops PD: its port is closed, with all connections to it.
    ///
    /// # Errors
    /// When the whole server has stopped, or serves no TiKV.
    pub async fn stop_pd(&self) -> Result<(), Error> {
        self.ports()?.pd().close().await;
        Ok(())
    }

    /// Starts PD again, on the same port.
    ///
    /// # Errors
    /// When its port can't be listened on, or the whole server has stopped.
    pub async fn start_pd(&self) -> Result<(), Error> {
        self.ports()?.pd().reopen().await.map_err(Error::Listen)
    }

    /// All regions, in the order of their keys.
    ///
    /// # Errors
    /// When the whole server has stopped, or serves no TiKV.
    pub fn regions(&self) -> Result<Vec<Region>, Error> {
        let ports = self.ports()?;
        let cluster = ports.service().cluster();
        Ok(cluster.regions().iter().map(|region| self.describe(cluster, region)).collect())
    }

    /// The region that holds a key, as PD has it.
    ///
    /// # Errors
    /// When the whole server has stopped, or serves no TiKV.
    pub fn region_of(&self, key: impl AsRef<[u8]>) -> Result<Region, Error> {
        let ports = self.ports()?;
        let cluster = ports.service().cluster();
        Ok(self.describe(cluster, &cluster.region_at(key.as_ref())))
    }

    /// Splits regions at these keys, as PD has them; at those that begin a region already there is nothing to be done. The part with the
    /// highest keys keeps its region's id, as TiKV has it. Where clients decode keys, as transactional ones and those of API version 2
    /// do, they must be memcomparable.
    ///
    /// # Errors
    /// When it can't be kept, or the whole server has stopped.
    pub async fn split(&self, keys: impl IntoIterator<Item = impl Into<Bytes>>) -> Result<(), Error> {
        let keys: Vec<Bytes> = keys.into_iter().map(Into::into).collect();
        self.change(move |cluster| {
            for key in keys {
                let region = cluster.region_at(&key);
                if region.start != key {
                    cluster.split(&region, &[key])?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Makes one region of two that lie side by side: the target takes the keys of the source, which is no more.
    ///
    /// # Errors
    /// When they do not lie side by side, or the whole server has stopped.
    pub async fn merge(&self, source: u64, target: u64) -> Result<(), Error> {
        self.change(move |cluster| cluster.merge(source, target).map(drop)).await
    }

    /// Has the peer on a store lead a region. Others say so to those who ask them.
    ///
    /// # Errors
    /// When the store has no peer of it, or the whole server has stopped.
    pub async fn transfer_leader(&self, region: u64, store: usize) -> Result<(), Error> {
        self.change(move |cluster| cluster.transfer_leader(region, cluster.store_id_at(store))).await
    }

    /// Has nobody lead a region, until [`transfer_leader`](Self::transfer_leader).
    ///
    /// # Errors
    /// When there is no such region, or the whole server has stopped.
    pub async fn give_up_leader(&self, region: u64) -> Result<(), Error> {
        self.change(move |cluster| cluster.give_up_leader(region)).await
    }

    /// Has the followers on a store lag behind their leaders, for as long as what is returned lives. They keep those waiting who ask for
    /// what the leader knows (`replica_read`), and refuse with `DataIsNotReady` those who ask for what was known at an earlier time
    /// (`stale_read`). To have them answer with `ReadIndexNotReady` instead, inject that for
    /// [`replica_reads`](Fault::replica_reads).
    ///
    /// # Errors
    /// When there is no such store, or the whole server has stopped.
    pub fn lag_follower(&self, store: usize) -> Result<Lagging, Error> {
        self.ports()?.store(store).ok_or(Error::NoStore(store))?;
        let ports = Weak::clone(&self.ports);
        let lagging = |action| {
            let ports = Weak::clone(&ports);
            let follows = move |asked: &Asked<'_>| {
                let region = asked.context.map_or(0, |context| context.region_id);
                ports.upgrade().is_some_and(|ports| follows(ports.service().cluster(), region, store))
            };
            Fault::new(action).at_store(store).only(follows)
        };
        Ok(Lagging {
            replica_reads: self.inject(lagging(Action::Hold).replica_reads()),
            stale_reads: self.inject(lagging(Action::Answer(RegionError::DataIsNotReady)).stale_reads()),
        })
    }

    /// All locks of transactions that lie in the store, in the order of their keys, those of API version 2 last. They are over when the
    /// [clock](super::TestServer::clock) says so.
    ///
    /// # Errors
    /// When the store fails, or the whole server has stopped.
    pub async fn locks(&self) -> Result<Vec<Lock>, Error> {
        let ports = self.ports()?;
        let lock = |lock: mvcc::LockInfo| Lock {
            key: lock.key,
            primary: lock.primary,
            start_ts: lock.start_ts,
            ttl_ms: lock.ttl_ms,
            is_pessimistic: lock.kind == mvcc::LockKind::Pessimistic,
            use_async_commit: lock.use_async_commit,
            min_commit_ts: lock.min_commit_ts,
        };
        let mut locks = Vec::new();
        for keys in [Keys::Plain, Keys::Prefixed] {
            locks.extend(locks_among(first_store(&ports)?.rows().mvcc(keys)).await?.into_iter().map(lock));
        }
        Ok(locks)
    }

    /// How many requests wait for locks that others hold.
    ///
    /// # Errors
    /// When the whole server has stopped.
    pub fn lock_waits(&self) -> Result<usize, Error> {
        Ok(first_store(&*self.ports()?)?.waits().entries().len())
    }

    /// Has a fault take effect, for as long as what is returned lives.
    pub fn inject(&self, fault: Fault) -> Injected {
        self.hooks.faults.inject(fault)
    }

    /// How many requests of a kind have arrived.
    #[must_use]
    pub fn requests(&self, call: Call) -> u64 {
        self.hooks.seen.now(|seen| seen.requests(call))
    }

    /// How many connections are open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.hooks.seen.now(Seen::connections)
    }

    /// Waits until so many requests of a kind have arrived.
    pub async fn arrived(&self, call: Call, count: u64) {
        self.until(|seen| seen.requests(call) >= count).await;
    }

    /// Waits until what has been seen is as wanted.
    pub async fn until(&self, wanted: impl FnMut(&Seen) -> bool) {
        self.hooks.seen.until(wanted).await;
    }

    async fn change(
        &self,
        change: impl FnOnce(&Cluster) -> Result<(), ChangeError> + Send + 'static,
    ) -> Result<(), Error> {
        let cluster = Arc::clone(self.ports()?.service().cluster());
        aside(move || change(&cluster)).await.map_err(|error| Error::Tikv(error.to_string()))
    }

    fn describe(&self, cluster: &Cluster, region: &crate::tikv::Region) -> Region {
        let number = |id| (0..self.addresses.tikv_stores.len()).find(|number| cluster.store_id_at(*number) == id);
        Region {
            id: region.id,
            start: region.start.clone(),
            end: region.end.clone(),
            version: region.version,
            leader: region.leader_peer().and_then(|peer| number(peer.store_id)),
            stores: region.peers.iter().filter_map(|peer| number(peer.store_id)).collect(),
        }
    }

    fn ports(&self) -> Result<Arc<Ports<EmbeddedRows>>, Error> {
        self.ports.upgrade().ok_or(Error::Stopped)
    }
}

async fn locks_among(mvcc: &impl Mvcc) -> Result<Vec<mvcc::LockInfo>, Error> {
    loop {
        let scan = mvcc::ScanLock::new(mvcc::KeyRange::all(), u64::MAX, 0);
        match mvcc.read(scan).wait().await {
            Ok(Ok(found)) => return Ok(found),
            // One that is being written will be there soon.
            Ok(Err(_)) => tokio::task::yield_now().await,
            Err(error) => return Err(Error::Tikv(error.to_string())),
        }
    }
}

/// Any store: all have the same rows.
fn first_store(ports: &Ports<EmbeddedRows>) -> Result<&Arc<Store<EmbeddedRows>>, Error> {
    ports.service().store(0).map_err(|_| Error::NoStore(0))
}

/// Whether a store has a peer of a region that does not lead it.
fn follows(cluster: &Cluster, region: u64, store: usize) -> bool {
    let store = cluster.store_id_at(store);
    cluster.region(region).is_some_and(|region| {
        region.peer_on(store).is_some_and(|peer| region.leader_peer().is_none_or(|leader| leader.id != peer.id))
    })
}

impl fmt::Debug for Tikv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tikv").field("hooks", &self.hooks).finish_non_exhaustive()
    }
}
