//! The handle, and how its operations are carried out.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::key::Layout;
use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Failure};
use crate::exec::{self, Effect, Terms};
use crate::net::NetStats;
use crate::stats::CallStats;
use crate::tikv::cluster::{Calls, Cluster, Reached};
use crate::tikv::options::{Mode, Options, ReadFrom};
use crate::tikv::regions::Asking;
use crate::tikv::send::{RegionOperation, Regions};
use crate::tikv::{SYSTEM, locate};

/// The names of all calls.
const CALLS: [&str; 13] = [
    "get",
    "batch_get",
    "get_ttl",
    "put",
    "batch_put",
    "delete",
    "batch_delete",
    "delete_range",
    "compare_and_swap",
    "scan",
    "checksum",
    "coprocessor",
    "look_up",
];

/// A client of the raw keys of a cluster. Clones are cheap, and share connections and all that is known of regions.
///
/// Keys and values are bytes, and keys are in order. A value may be empty, which is not the same as missing. Stores take keys of 8 KiB
/// and values of 8 MiB, unless they are set to take more.
///
/// How patient a handle is, and a few other things that go for all its calls, is chosen by `with_…`, which give another handle.
///
/// # Compare-and-swap
/// TiKV puts ordinary writes into no certain order with compare-and-swap. Only the writes of a handle [`with_atomic`](Self::with_atomic)
/// have their place among them, for which they are a little slower; they also are not made twice, so that one of which nobody knows
/// whether it was carried out ends with an error that says so, where other handles would try again.
///
/// ```
/// use charioteer::tikv::RawClient;
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), charioteer::Error> {
/// let server = TestServer::start().await;
/// let client = RawClient::connect(&server.tikv_url()).await?;
///
/// client.put("city", "Paris").await?;
/// assert_eq!(client.get("city").await?.as_deref(), Some(&b"Paris"[..]));
/// assert_eq!(client.get("country").await?, None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RawClient {
    shared: Arc<Shared>,
    pub(super) terms: CallTerms,
}

struct Shared {
    cluster: Cluster,
    calls: Calls<{ CALLS.len() }>,
}

/// What goes for all calls of a handle.
#[derive(Clone, Debug)]
pub(super) struct CallTerms {
    timeout: Duration,
    attempts: u32,
    pub(super) is_atomic: bool,
    pub(super) family: String,
    read_from: locate::ReadFrom,
}

/// A call that has begun: the cluster, and when the call ends.
#[derive(Clone, Copy)]
pub(super) struct Begun<'a> {
    pub(super) reached: &'a Reached,
    pub(super) deadline: Instant,
}

impl RawClient {
    /// A client with these options. Nothing is sent before the first call.
    ///
    /// # Errors
    /// When an option makes no sense, or a file that one names can't be read.
    pub fn new(options: Options) -> Result<Self, Error> {
        let terms = CallTerms {
            timeout: options.operation_timeout,
            attempts: options.attempts,
            is_atomic: false,
            family: String::new(),
            read_from: options.read_from.with_labels(&options.labels),
        };
        let shared = Shared { cluster: Cluster::new(options, Mode::Raw)?, calls: Calls::new(CALLS) };
        Ok(Self { shared: Arc::new(shared), terms })
    }

    /// A client of the cluster at a URL, see [`Options::from_url`], whose PD has been found to answer.
    ///
    /// # Errors
    /// When the URL makes no sense, no PD answers in time, or it has no such keyspace.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let client = Self::new(Options::from_url(url)?)?;
        client.begin("connect").await?;
        Ok(client)
    }

    /// The same client, each of whose calls may take so long, with all its attempts.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.terms.timeout = timeout;
        self
    }

    /// The same client, each of whose calls is tried so often at most; 1 never tries again, and 0 counts as 1.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.terms.attempts = attempts.max(1);
        self
    }

    /// The same client, whose writes are in one order with those of compare-and-swap, or not; see [above](Self#compare-and-swap).
    /// Default not.
    #[must_use]
    pub fn with_atomic(mut self, is_atomic: bool) -> Self {
        self.terms.is_atomic = is_atomic;
        self
    }

    /// The same client of another column family of API version 1: `default`, `lock` or `write`. Default `default`, which also an empty
    /// name is. API version 2 has none.
    #[must_use]
    pub fn with_column_family(mut self, family: impl Into<String>) -> Self {
        self.terms.family = family.into();
        self
    }

    /// The same client, which reads from other peers of the regions.
    #[must_use]
    pub fn with_read_from(mut self, read_from: ReadFrom) -> Self {
        self.terms.read_from = read_from.with_labels(&self.options().labels);
        self
    }

    /// What the client was told.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.shared.cluster.options
    }

    /// The cluster's number, for which PD is asked if it has not been asked before.
    ///
    /// # Errors
    /// When no PD answers in time, or it has no such keyspace.
    pub async fn cluster_id(&self) -> Result<u64, Error> {
        Ok(self.begin("cluster_id").await?.reached.pd.cluster_id())
    }

    /// What the client has done so far, by kind of call. Calls that were never made are left out. One on several regions counts once for
    /// each request that it needed.
    #[must_use]
    pub fn call_stats(&self) -> Vec<(&'static str, CallStats)> {
        self.shared.calls.read()
    }

    /// What its connections have seen so far.
    #[must_use]
    pub fn net_stats(&self) -> NetStats {
        self.shared.cluster.net_stats()
    }

    /// Ends all connections. Calls that are under way end with an error, and so does every later one, on any clone.
    ///
    /// When nothing is left of a client, its connections end by themselves.
    pub fn close(&self) {
        self.shared.cluster.close();
    }

    /// The cluster, and when a call ends that begins now.
    pub(super) async fn begin(&self, operation: &'static str) -> Result<Begun<'_>, Error> {
        let deadline = exec::deadline(self.terms.timeout);
        let reached = self.shared.cluster.reach(operation, deadline).await?;
        Ok(Begun { reached, deadline })
    }

    /// Carries out an operation on one region, on this handle's terms.
    pub(super) async fn run<O: RegionOperation>(&self, begun: Begun<'_>, operation: &O) -> Result<O::Reply, Error> {
        let Begun { reached, deadline } = begun;
        let cluster = &self.shared.cluster;
        let (locator, read) = (&reached.locator, &self.terms.read_from);
        let regions = Regions { cluster, locator, read, is_stale: false, deadline };
        let may_be_cut = operation.effect() != Effect::Changes && !O::IS_LONG;
        let terms = Terms {
            timeout: deadline.saturating_duration_since(Instant::now()),
            attempt_timeout: may_be_cut.then_some(cluster.options.attempt_timeout),
            attempts: self.terms.attempts,
            system: SYSTEM,
            collection: None,
            stats: self.shared.calls.of(O::NAME),
        };
        exec::run(&regions, operation, &terms).await
    }

    /// Looks something up, on this handle's terms.
    pub(super) async fn look_up<F, A, T>(&self, begun: Begun<'_>, look: F) -> Result<T, Error>
    where
        F: Fn() -> A + Sync,
        A: Future<Output = Result<T, Failure>> + Send,
        T: Send,
    {
        self.asking(begun).look_up(look).await
    }

    /// Has PD asked, on this handle's terms.
    pub(super) fn asking<'a>(&'a self, begun: Begun<'a>) -> Asking<'a> {
        let Begun { reached, deadline } = begun;
        let (cluster, stats) = (&self.shared.cluster, self.shared.calls.of("look_up"));
        Asking { cluster, reached, stats, attempts: self.terms.attempts, deadline }
    }

    /// Refuses to send what no server would take: it might end the connection, on which there are others.
    pub(super) fn check_size(&self, operation: &'static str, key: &Bytes, value: &Bytes) -> Result<(), Error> {
        let (bytes, most) = (key.len() + value.len(), self.options().max_request_bytes);
        if bytes <= most {
            return Ok(());
        }
        let message = format!("key and value have {bytes} bytes, allowed are {most} (max_request_bytes)");
        Err(Error::from(Failure::new(ErrorKind::TooLarge, message)).during(operation))
    }

    /// What a write does to the data, as far as this handle is concerned.
    pub(super) fn effect_of_writes(&self) -> Effect {
        if self.terms.is_atomic { Effect::Changes } else { Effect::Idempotent }
    }

    /// How many requests of a batch are under way at a time.
    pub(super) fn concurrency(&self) -> usize {
        self.options().batch_concurrency
    }
}

impl Begun<'_> {
    pub(super) fn wire_key(&self, key: impl AsRef<[u8]>) -> Bytes {
        self.reached.layout.wire_key(key.as_ref())
    }

    /// The same of a key that need not be copied where it travels as it is.
    pub(super) fn wire_key_of(&self, key: Bytes) -> Bytes {
        match self.reached.layout {
            Layout::V1(_) | Layout::V1Ttl => key,
            Layout::V2(..) => self.wire_key(key),
        }
    }
}

impl fmt::Debug for RawClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawClient").field("pd", &self.options().pd_servers()).field("terms", &self.terms).finish()
    }
}
