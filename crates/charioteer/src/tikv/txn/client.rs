//! The handle.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::timestamp::Timestamp;
use tokio::time::Instant;

use super::core::Core;
use super::options::{Locking, SnapshotOptions, TxnOptions};
use super::snapshot::{Reader, Snapshot};
use super::transaction::Transaction;
use crate::error::{Error, Failure};
use crate::exec;
use crate::net::NetStats;
use crate::stats::CallStats;
use crate::tikv::cluster::{Cluster, Reached};
use crate::tikv::options::{Mode, Options};
use crate::tikv::regions::{RegionInfo, StoreInfo};

/// A client of the transactional keys of a cluster. Clones are cheap, and share connections and all that is known of regions.
///
/// What a transaction writes becomes visible all at once, or not at all, and what it reads is of the moment when it began. TiKV calls this
/// snapshot isolation. Two transactions that have read the same but written different keys both succeed; where that must not be, keys
/// that were only read are [locked](Transaction::lock_keys).
///
/// ```
/// use charioteer::tikv::TxnClient;
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), charioteer::Error> {
/// let server = TestServer::start().await;
/// let client = TxnClient::connect(&server.tikv_url()).await?;
///
/// let mut txn = client.begin().await?;
/// txn.put("city", "Paris").await?;
/// txn.put("country", "France").await?;
/// txn.commit().await?;
///
/// let snapshot = client.snapshot().await?;
/// assert_eq!(snapshot.get("city").await?.as_deref(), Some(&b"Paris"[..]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TxnClient {
    core: Arc<Core>,
    timeout: Duration,
}

impl TxnClient {
    /// A client with these options. Nothing is sent before the first call.
    ///
    /// # Errors
    /// When an option makes no sense, or a file that one names can't be read.
    pub fn new(options: Options) -> Result<Self, Error> {
        let timeout = options.operation_timeout;
        Ok(Self { core: Arc::new(Core::new(Cluster::new(options, Mode::Txn)?)), timeout })
    }

    /// A client of the cluster at a URL, see [`Options::from_url`], whose PD has been found to answer.
    ///
    /// # Errors
    /// When the URL makes no sense, no PD answers in time, or it has no such keyspace.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let client = Self::new(Options::from_url(url)?)?;
        client.begin_call("connect").await?;
        Ok(client)
    }

    /// The same client, each of whose calls may take so long, with all its attempts, and each call of its transactions and snapshots
    /// unless they are told otherwise.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What the client was told.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.core.cluster.options
    }

    /// Begins an optimistic transaction: keys are locked when it is committed, which fails if others have written them meanwhile.
    ///
    /// # Errors
    /// When no PD answers in time.
    pub async fn begin(&self) -> Result<Transaction, Error> {
        self.begin_with(&TxnOptions::default()).await
    }

    /// Begins a pessimistic transaction: keys are locked when they are written, or [read for that](Transaction::get_for_update).
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub async fn begin_pessimistic(&self) -> Result<Transaction, Error> {
        self.begin_with(&TxnOptions { locking: Locking::Pessimistic, ..TxnOptions::default() }).await
    }

    /// Begins a transaction with options.
    ///
    /// # Errors
    /// As [`begin`](Self::begin); and when PD has not given the timestamp yet at which it is to begin, or another transaction of this
    /// client has begun at it, which is under way or has ended a short while ago.
    pub async fn begin_with(&self, options: &TxnOptions) -> Result<Transaction, Error> {
        const NAME: &str = "begin";
        let (reached, deadline) = self.begin_call(NAME).await?;
        let mut options = options.clone();
        let timeout = *options.timeout.get_or_insert(self.timeout);
        options.reading.timeout.get_or_insert(timeout);
        let (core, reading) = (Arc::clone(&self.core), &options.reading);
        let reader = match options.start_ts {
            Some(start_ts) => {
                core.check_given(NAME, start_ts, deadline).await?;
                Reader::at(core, reached.layout, start_ts, reading)
            }
            None => {
                let asked = Instant::now();
                let now = core.timestamp(deadline).await.map_err(|error| error.during(NAME))?;
                Reader::now(core, reached.layout, now, asked, reading)
            }
        };
        let start_ts = reader.version.into();
        let under_way = self.core.enter(start_ts).ok_or_else(|| {
            Error::invalid(
                NAME,
                format!("another transaction of this client began at {start_ts}, and would be the same"),
            )
        })?;
        Ok(Transaction::new(Arc::new(reader), under_way, options, timeout))
    }

    /// All keys as they are now. What was committed before is seen, and nothing of what is committed later.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        const NAME: &str = "snapshot";
        let (reached, deadline) = self.begin_call(NAME).await?;
        let asked = Instant::now();
        let now = self.core.timestamp(deadline).await.map_err(|error| error.during(NAME))?;
        let options = SnapshotOptions { timeout: Some(self.timeout), ..SnapshotOptions::default() };
        Ok(Snapshot::new(Reader::now(Arc::clone(&self.core), reached.layout, now, asked, &options)))
    }

    /// All keys as they were at a timestamp that PD has given before; [`Timestamp::MAX`] is whatever is the newest at each read.
    ///
    /// # Errors
    /// When PD has not given the timestamp yet, or does not answer in time.
    pub async fn snapshot_at(&self, at: Timestamp, options: &SnapshotOptions) -> Result<Snapshot, Error> {
        const NAME: &str = "snapshot";
        let (reached, deadline) = self.begin_call(NAME).await?;
        if at != Timestamp::MAX {
            self.core.check_given(NAME, at, deadline).await?;
        }
        let mut options = options.clone();
        options.timeout.get_or_insert(self.timeout);
        Ok(Snapshot::new(Reader::at(Arc::clone(&self.core), reached.layout, at, &options)))
    }

    /// A timestamp greater than all that PD has given before.
    ///
    /// # Errors
    /// When no PD answers in time.
    pub async fn timestamp(&self) -> Result<Timestamp, Error> {
        self.timestamps(1).await.map(|range| *range.end())
    }

    /// So many timestamps one after the other.
    ///
    /// # Errors
    /// When none or more than 131,072 are asked for, or no PD answers in time.
    pub async fn timestamps(&self, count: u32) -> Result<RangeInclusive<Timestamp>, Error> {
        const NAME: &str = "timestamps";
        let (reached, deadline) = self.begin_call(NAME).await?;
        let given = reached.pd.timestamps(count, deadline).await.map_err(|failure| self.failed(NAME, failure))?;
        self.core.was_given(*given.end());
        Ok(given)
    }

    /// The timestamp up to which what somebody has written from outside is complete, as was [set](Self::set_external_timestamp) last: a
    /// snapshot [at](Self::snapshot_at) it sees all of that. [`Timestamp::default`] if none was set.
    ///
    /// # Errors
    /// When no PD answers in time.
    pub async fn external_timestamp(&self) -> Result<Timestamp, Error> {
        const NAME: &str = "external_timestamp";
        let (reached, deadline) = self.begin_call(NAME).await?;
        reached.pd.external_timestamp(deadline).await.map_err(|failure| self.failed(NAME, failure))
    }

    /// Sets it for all clients, such as when a copy of another cluster has come so far.
    ///
    /// # Errors
    /// When it would go back, PD has not given the timestamp yet, or does not answer in time.
    pub async fn set_external_timestamp(&self, at: Timestamp) -> Result<(), Error> {
        const NAME: &str = "set_external_timestamp";
        let (reached, deadline) = self.begin_call(NAME).await?;
        self.core.check_given(NAME, at, deadline).await?;
        reached.pd.set_external_timestamp(at, deadline).await.map_err(|failure| self.failed(NAME, failure))
    }

    /// The cluster's number.
    ///
    /// # Errors
    /// When no PD answers in time.
    pub async fn cluster_id(&self) -> Result<u64, Error> {
        Ok(self.begin_call("cluster_id").await?.0.pd.cluster_id())
    }

    /// The regions that have keys from `start` up to just before `end`, or up to the last of all if that is empty, in the order of their
    /// keys.
    ///
    /// # Errors
    /// When the range ends before it begins, or no PD answers in time.
    pub async fn regions(&self, start: impl AsRef<[u8]>, end: impl AsRef<[u8]>) -> Result<Vec<RegionInfo>, Error> {
        let (reached, deadline) = self.begin_call("regions").await?;
        self.core.asking(reached, deadline).regions(start.as_ref(), end.as_ref()).await
    }

    /// Has PD split regions, so that one begins at each of these keys, and tells the numbers of the regions that have come of it. Where one
    /// begins already nothing is done. It helps before many keys are written at once; later, regions split by themselves.
    ///
    /// # Errors
    /// When PD has not done all of it in time, or does not answer; then some may have been split.
    pub async fn split_regions<K: AsRef<[u8]>>(&self, keys: impl IntoIterator<Item = K>) -> Result<Vec<u64>, Error> {
        let keys: Vec<Bytes> = keys.into_iter().map(|key| Bytes::copy_from_slice(key.as_ref())).collect();
        let (reached, deadline) = self.begin_call("split_regions").await?;
        let keys = keys.iter().map(|key| reached.layout.wire_key(key)).collect();
        self.core.asking(reached, deadline).split_regions(keys).await
    }

    /// Has PD spread regions evenly over the stores, and waits until that is done.
    ///
    /// # Errors
    /// When PD can't, or it takes longer than a call may.
    pub async fn scatter_regions(&self, regions: &[u64]) -> Result<(), Error> {
        let (reached, deadline) = self.begin_call("scatter_regions").await?;
        self.core.asking(reached, deadline).scatter_regions(regions).await
    }

    /// All stores that the cluster has, or had.
    ///
    /// # Errors
    /// When no PD answers in time.
    pub async fn stores(&self) -> Result<Vec<StoreInfo>, Error> {
        let (reached, deadline) = self.begin_call("stores").await?;
        self.core.asking(reached, deadline).stores().await
    }

    /// What the client has asked of stores and of PD so far, by kind of command. Those that were never sent are left out.
    #[must_use]
    pub fn call_stats(&self) -> Vec<(&'static str, CallStats)> {
        let mut asked = self.core.calls.read();
        asked.extend(self.core.cluster.asked_of_pd());
        asked
    }

    /// What its connections have seen so far.
    #[must_use]
    pub fn net_stats(&self) -> NetStats {
        self.core.cluster.net_stats()
    }

    /// Waits until all that is done in the background has been done, or given up: commits of keys beside the primary, clean-up. For programs
    /// that are about to end; what they leave undone others do when they come across it, each with a little more work.
    pub async fn settled(&self) {
        self.core.settled().await;
    }

    /// Ends all connections. Calls that are under way end with an error, and so does every later one, on any clone. Locks of transactions
    /// that have not ended are left to those who meet them.
    pub fn close(&self) {
        self.core.cluster.close();
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The cluster, and when a call ends that begins now.
    pub(super) async fn begin_call(&self, operation: &'static str) -> Result<(&Reached, Instant), Error> {
        let deadline = exec::deadline(self.timeout);
        Ok((self.core.reach(operation, deadline).await?, deadline))
    }

    pub(super) fn failed(&self, operation: &'static str, failure: Failure) -> Error {
        Error::from(self.core.cluster.or_closed(failure)).during(operation)
    }
}

impl fmt::Debug for TxnClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TxnClient").field("pd", &self.options().pd_servers()).field("timeout", &self.timeout).finish()
    }
}
