//! A table, and how its operations are carried out.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use charioteer_proto::pegasus::frame::RequestHeader;
use charioteer_proto::pegasus::key::MAX_HASH_KEY_BYTES;
use charioteer_proto::pegasus::rpc::Rpc;
use futures_util::future::{Either, select};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::cluster::{Cluster, Node, ask};
use super::routes::{Place, Routes, Target};
use crate::error::{Error, ErrorKind, Failure};
use crate::exec::{self, Backend, Effect, Operation, Terms};
use crate::net::Progress;

/// Servers take about 1 MiB, unless they are told to take more; far above that, lengths would not fit their fields.
const MAX_REQUEST_BYTES: usize = 256 << 20;

/// A table. Clones are cheap, and share what is known of the table's partitions.
///
/// All keys and values are bytes. A row has a hash key, which says on which partition it is, and a sort key, by which the rows of a
/// hash key are in order. The sort key and the value may be empty; the hash key may not, and has 65,534 bytes at most. A write may
/// have about 1 MiB in all, unless the cluster is set to allow more.
///
/// How patient a handle is, and a few other things that go for all its calls, is chosen by `with_…`, which give another handle.
///
/// ```
/// use charioteer::pegasus::Client;
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), charioteer::Error> {
/// let server = TestServer::start().await;
/// let client = Client::connect(&server.pegasus_url()).await?;
/// let table = client.open_table("temp").await?;
///
/// table.set("alice", "city", "Paris").await?;
/// assert_eq!(table.get("alice", "city").await?.as_deref(), Some(&b"Paris"[..]));
/// assert_eq!(table.get("bob", "city").await?, None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Table {
    pub(super) shared: Arc<Shared>,
    pub(super) terms: CallTerms,
}

/// What all handles of a table share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) name: Arc<str>,
    pub(super) cluster: Arc<Cluster>,
    pub(super) routes: Routes,
    pub(super) stats: super::stats::TableStats,
}

/// What goes for all calls of a handle.
#[derive(Clone, Debug)]
pub(super) struct CallTerms {
    pub(super) timeout: Duration,
    pub(super) attempts: u32,
    pub(super) hedge_after: Option<Duration>,
    pub(super) compression: bool,
    pub(super) empty_hash_keys: bool,
}

impl Table {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let options = &shared.cluster.options;
        let terms = CallTerms {
            timeout: options.operation_timeout,
            attempts: options.attempts,
            hedge_after: options.hedge_after,
            compression: options.compression,
            empty_hash_keys: false,
        };
        Self { shared, terms }
    }

    /// The table's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The same table, each of whose calls may take so long, with all its attempts.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.terms.timeout = timeout;
        self
    }

    /// The same table, each of whose calls is tried so often at most; 1 never tries again, and 0 counts as 1.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.terms.attempts = attempts.max(1);
        self
    }

    /// The same table, whose reads also ask a secondary when there is no answer after this time, and take what comes first. A
    /// secondary may not have the last writes yet. `None` asks primaries only, and scans always do.
    #[must_use]
    pub fn with_hedged_reads(mut self, after: Option<Duration>) -> Self {
        self.terms.hedge_after = after;
        self
    }

    /// The same table with or without compression of values, see [`Options::compression`](super::Options::compression).
    #[must_use]
    pub fn with_compression(mut self, compression: bool) -> Self {
        self.terms.compression = compression;
        self
    }

    /// The same table, which takes empty hash keys or refuses them, as it does unless it is told otherwise. Rows of the empty hash key
    /// are spread over the partitions by their sort keys, so that each can be had alone, and none together with others. The original
    /// Python client writes such rows.
    #[must_use]
    pub fn with_empty_hash_keys(mut self, allowed: bool) -> Self {
        self.terms.empty_hash_keys = allowed;
        self
    }

    /// How many partitions the table has.
    ///
    /// # Errors
    /// When no meta server can be asked, or the table was dropped.
    pub async fn partition_count(&self) -> Result<usize, Error> {
        let map = self.shared.routes.map(&self.shared.cluster).await;
        let map = map.map_err(|error| error.during("partition_count").on(&self.shared.name))?;
        Ok(usize::try_from(map.count()).unwrap_or(0))
    }

    /// Carries out an operation on these terms.
    pub(super) async fn run<O: DataOperation + 'static>(&self, operation: &O) -> Result<O::Reply, Error> {
        if operation.bytes() > MAX_REQUEST_BYTES {
            let message = format!("the request has about {} bytes, allowed are {MAX_REQUEST_BYTES}", operation.bytes());
            return Err(Error::from(Failure::new(ErrorKind::TooLarge, message)).during(O::NAME).on(&self.shared.name));
        }
        let stats = self.shared.stats.of::<O>(&self.shared.cluster);
        let terms = Terms {
            timeout: self.terms.timeout,
            attempt_timeout: None,
            attempts: self.terms.attempts,
            system: super::SYSTEM,
            collection: Some(&self.shared.name),
            stats: &stats,
        };
        exec::run(&Hedged { shared: &self.shared, after: self.terms.hedge_after }, operation, &terms).await
    }

    /// What is wrong with an argument of a call.
    pub(super) fn invalid(&self, operation: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::invalid(operation, message).on(&self.shared.name)
    }

    /// Refuses a row's hash key that no server takes, or that is not wanted.
    pub(super) fn check_row(&self, operation: &'static str, hash_key: &[u8]) -> Result<(), Error> {
        if hash_key.is_empty() && self.terms.empty_hash_keys {
            return Ok(());
        }
        self.check_hash_key(operation, hash_key)
    }

    /// Refuses a hash key of which not all rows lie in one partition, beside those that no server takes.
    pub(super) fn check_hash_key(&self, operation: &'static str, hash_key: &[u8]) -> Result<(), Error> {
        match hash_key.len() {
            0 if self.terms.empty_hash_keys => Err(self.invalid(
                operation,
                "the hash key must not be empty: its rows lie in all partitions, and can be had one by one only",
            )),
            0 => Err(self.invalid(operation, "the hash key must not be empty")),
            1..=MAX_HASH_KEY_BYTES => Ok(()),
            length => {
                let message = format!("the hash key has {length} bytes, allowed are {MAX_HASH_KEY_BYTES}");
                Err(Error::from(Failure::new(ErrorKind::TooLarge, message)).during(operation).on(&self.shared.name))
            }
        }
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("name", &self.shared.name).field("terms", &self.terms).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(name: Arc<str>, cluster: Arc<Cluster>) -> Self {
        Self { routes: Routes::new(Arc::clone(&name)), name, cluster, stats: super::stats::TableStats::default() }
    }
}

/// A call on data: one request to one partition.
pub(super) trait DataOperation: Operation {
    type Rpc: Rpc;

    /// The partition it is for.
    fn place(&self) -> Place;

    /// What the header says of the key.
    fn partition_hash(&self) -> u64 {
        match self.place() {
            Place::Hash(hash) => hash,
            Place::Index(index, _) => u64::from(index.cast_unsigned()),
        }
    }

    fn request(&self) -> &<Self::Rpc as Rpc>::Request;

    /// About how many bytes the request has.
    fn bytes(&self) -> usize;

    /// What the result means.
    fn reply(&self, reply: <Self::Rpc as Rpc>::Reply) -> Result<Self::Reply, Failure>;
}

/// A table whose reads may be hedged.
struct Hedged<'a> {
    shared: &'a Shared,
    after: Option<Duration>,
}

impl Hedged<'_> {
    /// Has the meta server asked where the partition is, should the failure come from its not being there.
    fn doubt(&self, target: &Target, failure: &Failure) {
        if failure.retry.is_some() && failure.kind == ErrorKind::Unavailable {
            self.shared.routes.distrust(target);
        }
    }
}

impl<O: DataOperation> Backend<O> for Hedged<'_> {
    type Target = Target;

    fn route(&self, operation: &O) -> impl Future<Output = Result<Target, Failure>> + Send {
        self.shared.routes.find(&self.shared.cluster, operation.place())
    }

    async fn attempt(
        &self,
        target: &Target,
        operation: &O,
        deadline: Instant,
        progress: &Progress,
    ) -> Result<O::Reply, Failure> {
        let first = async {
            let reply = ask_one(&target.node, target, false, operation, deadline, progress).await?;
            target.answered();
            Ok(reply)
        };
        let hedge = self.after.filter(|_| O::EFFECT == Effect::Reads);
        let hedge = hedge.and_then(|after| Some((after, target.map.secondary(target.partition)?)));
        let reply = match hedge {
            None => first.await,
            Some((after, secondary)) => {
                let first = async { first.await.inspect_err(|failure| self.doubt(target, failure)) };
                let second = ask_one(secondary, target, true, operation, deadline, progress);
                hedged(first, after, second).await
            }
        };
        let reply = reply.map_err(|failure| self.shared.cluster.or_closed(failure))?;
        operation.reply(reply)
    }

    fn obstacle(&self) -> Option<String> {
        self.shared.cluster.metas.failure()
    }

    fn learn(&self, target: &Target, failure: &Failure) {
        if failure.kind == ErrorKind::Timeout && target.timed_out() {
            self.shared.routes.distrust(target);
        }
        self.doubt(target, failure);
    }

    fn peer(target: &Target) -> &Arc<str> {
        target.node.peer()
    }
}

async fn ask_one<O: DataOperation>(
    node: &Arc<Node>,
    target: &Target,
    is_backup_request: bool,
    operation: &O,
    deadline: Instant,
    progress: &Progress,
) -> Result<<O::Rpc as Rpc>::Reply, Failure> {
    let header = RequestHeader {
        // Only the newer header can say that a secondary is meant.
        version: u32::from(is_backup_request),
        table_id: target.map.table_id,
        partition_index: target.partition,
        partition_hash: operation.partition_hash(),
        is_backup_request,
        ..RequestHeader::default()
    };
    ask::<O::Rpc>(node, header, operation.request(), operation.bytes(), deadline, progress).await
}

/// What the first gives, or, should it fail or not be there after a time, what succeeds first; the first's failure when both fail.
async fn hedged<T>(
    first: impl Future<Output = Result<T, Failure>>,
    after: Duration,
    second: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let failed = Notify::new();
    let first = pin!(async { first.await.inspect_err(|_| failed.notify_one()) });
    let second = pin!(async {
        // One that has failed is not waited for.
        let _ = tokio::time::timeout(after, failed.notified()).await;
        second.await
    });
    match select(first, second).await {
        Either::Left((Ok(reply), _)) | Either::Right((Ok(reply), _)) => Ok(reply),
        Either::Left((Err(failure), second)) => second.await.map_err(|_| failure),
        Either::Right((Err(_), first)) => first.await,
    }
}
