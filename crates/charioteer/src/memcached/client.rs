//! A client of some servers.

use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::{fmt, iter};

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::call::Call;
use super::options::{Named, Options};
use super::servers::{ServerChange, Servers, View};
use crate::error::{Error, ErrorKind, Failure};
use crate::exec::{self, Operation, Terms};
use crate::net::NetStats;
use crate::stats::{CallStats, OperationStats};

/// A client of some servers, which it uses as one. Clones are cheap and share connections and all that is known of the servers.
///
/// Keys are any bytes, from 1 to 250 of them, unless [`Options::protocol`] or [`Options::key_prefix`] leave less. A value may have a little
/// less than 1 MiB, unless the server is set to take more.
///
/// How patient a handle is, is chosen by `with_…`, which give another handle.
///
/// ```
/// use charioteer::memcached::{Client, Options};
///
/// let client = Client::new(Options::from_url("memcached://cache-1,cache-2:11212")?)?;
/// assert_eq!(client.servers(), ["cache-1:11211", "cache-2:11212"]);
///
/// client.add_server("cache-3", 1)?;
/// assert!(client.remove_server("cache-1")?);
/// assert_eq!(client.servers(), ["cache-2:11212", "cache-3:11211"]);
/// # Ok::<(), charioteer::Error>(())
/// ```
#[derive(Clone)]
pub struct Client {
    pub(super) servers: Arc<Servers>,
    stats: Arc<Calls>,
    pub(super) timeout: Duration,
    attempts: u32,
    pub(super) versions: bool,
}

/// The counters of all kinds of calls that were made: a list that only grows, so that nobody who looks something up waits or counts
/// references.
#[derive(Debug, Default)]
struct Calls(OnceLock<Box<Kind>>);

/// A kind of calls, and those that were made after its first.
#[derive(Debug)]
struct Kind {
    name: &'static str,
    stats: OperationStats,
    others: Calls,
}

impl Client {
    /// A client with these options. Nothing is sent before the first call.
    ///
    /// # Errors
    /// When an option makes no sense, or a file that TLS needs can't be read.
    pub fn new(options: Options) -> Result<Self, Error> {
        options.check()?;
        let (timeout, attempts) = (options.operation_timeout, options.attempts);
        let servers = Arc::new(Servers::new(options)?);
        Ok(Self { servers, stats: Arc::default(), timeout, attempts, versions: true })
    }

    /// A client of the servers at a URL, see [`Options::from_url`]. As in [`new`](Self::new) nothing is sent: a cache that is down
    /// need not keep a program from beginning.
    ///
    /// # Errors
    /// When the URL makes no sense.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        Self::new(Options::from_url(url)?)
    }

    /// The same client, each of whose calls may take so long, with all its attempts.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The same client, each of whose calls is tried so often at most; 1 never tries again, and 0 counts as 1.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// The same client, whose calls on many items tell the items' versions, as they do at first, or need not. Where they need not,
    /// [`get_many`](Self::get_many) asks for none in the text and the meta protocol, and [`set_many`](Self::set_many) hears of failures
    /// alone in the binary one, which is less work on both sides. Versions that are not known are 0, which is none.
    ///
    /// ```
    /// use charioteer::memcached::Client;
    ///
    /// # async fn example() -> Result<(), charioteer::Error> {
    /// let client = Client::from_url("memcached://cache-1?protocol=text")?.with_versions(false);
    /// for found in client.get_many(["city:1", "city:2"]).await {
    ///     let city = found?.map(|item| item.value);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_versions(mut self, versions: bool) -> Self {
        self.versions = versions;
        self
    }

    /// What the client was told. Servers that were added or removed since make no difference to it.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.servers.options
    }

    /// The servers, `host:port`, whether or not they are down.
    #[must_use]
    pub fn servers(&self) -> Vec<String> {
        let of = |view: Arc<View>| view.servers.iter().map(|server| server.node.peer().to_string()).collect();
        self.servers.view().map(of).unwrap_or_default()
    }

    /// The server that a key is on, `host:port`; another one takes its place while it is down, if [`Options::failover`] says so.
    ///
    /// # Errors
    /// When the key is empty or too long, or there is no server for it.
    pub fn server_of(&self, key: impl AsRef<[u8]>) -> Result<String, Error> {
        const NAME: &str = "server_of";
        let key = self.options().key(NAME, key.as_ref())?;
        let find = |view: Arc<View>| view.find(key.placed()).map(|server| server.node.peer().to_string());
        self.servers.view().and_then(find).map_err(|failure| Error::from(failure).during(NAME))
    }

    /// Adds a server, written as in [`Options::new`], with this weight; 1 is as much as any other. It takes over keys at once, none of
    /// whose items it has.
    ///
    /// # Errors
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) when it is there already. When it is no address, or the weight is none.
    pub fn add_server(&self, server: &str, weight: u32) -> Result<(), Error> {
        const NAME: &str = "add_server";
        if weight == 0 || weight > 1 && !self.options().hashing.knows_weights() {
            return Err(Error::invalid(NAME, "the weight must be 1, or more where the hashing knows weights"));
        }
        self.servers.add(Named::parse(server)?, weight).map_err(|error| error.during(NAME))
    }

    /// Removes a server, and says whether it was there. Calls that are under way to it come to their end.
    ///
    /// # Errors
    /// When it is no address.
    pub fn remove_server(&self, server: &str) -> Result<bool, Error> {
        Ok(self.servers.remove(&Named::parse(server)?))
    }

    /// Calls this whenever a server goes down or comes up, once for each change, with the server as it was written in the options;
    /// and when [`Options::discovery`] finds that one is new or gone. It takes the place of what was said before. It may use the client,
    /// but must not wait: other calls wait for it.
    pub fn on_server_change(&self, listener: impl Fn(&str, ServerChange) + Send + Sync + 'static) {
        self.servers.listen(Arc::new(listener));
    }

    /// What the client has done so far, by kind of call. Calls that were never made are left out.
    #[must_use]
    pub fn call_stats(&self) -> Vec<(&'static str, CallStats)> {
        let mut stats: Vec<_> = self.stats.iter().map(|kind| (kind.name, kind.stats.read())).collect();
        stats.sort_unstable_by_key(|(name, _)| *name);
        stats
    }

    /// What its connections have seen so far.
    #[must_use]
    pub fn net_stats(&self) -> NetStats {
        self.servers.net.read()
    }

    /// Ends all connections. Calls that are under way end with an error, and so does every later one, on any clone.
    ///
    /// When nothing is left of a client, its connections end by themselves.
    pub fn close(&self) {
        self.servers.close();
    }

    /// Carries out an operation on these terms.
    pub(super) async fn run<O: Call>(&self, operation: &O) -> Result<O::Reply, Error> {
        self.run_within(operation, self.timeout).await
    }

    /// The same within another time.
    pub(super) async fn run_within<O: Call>(&self, operation: &O, timeout: Duration) -> Result<O::Reply, Error> {
        operation.check(self.options().protocol).map_err(|failure| Error::from(failure).during(O::NAME))?;
        let timeout = self.settle::<O>(timeout).await?;
        let terms = Terms {
            timeout,
            attempt_timeout: None,
            attempts: self.attempts,
            system: super::SYSTEM,
            collection: None,
            stats: self.stats.of::<O>(),
        };
        exec::run(&self.servers, operation, &terms).await
    }

    /// Waits until it is known which servers there are, and says how much is left of the time.
    async fn settle<O: Operation>(&self, timeout: Duration) -> Result<Duration, Error> {
        // Where there is no runtime, the call itself says so.
        if self.options().discovery.is_none() || Handle::try_current().is_err() {
            return Ok(timeout);
        }
        let begun = Instant::now();
        tokio::time::timeout(timeout, self.servers.settle()).await.map_err(|_| {
            let message = format!("no server has told its cluster within {timeout:?}");
            Error::from(Failure::new(ErrorKind::Timeout, message).passing()).during(O::NAME)
        })?;
        Ok(timeout.saturating_sub(begun.elapsed()))
    }
}

impl Calls {
    fn of<O: Operation>(&self) -> &OperationStats {
        let mut calls = self;
        loop {
            let kind = calls.0.get_or_init(|| {
                let stats = OperationStats::new(super::SYSTEM, O::NAME);
                Box::new(Kind { name: O::NAME, stats, others: Self::default() })
            });
            if kind.name == O::NAME {
                return &kind.stats;
            }
            calls = &kind.others;
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Kind> {
        iter::successors(self.0.get(), |kind| kind.others.0.get()).map(|kind| &**kind)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("servers", &self.servers()).finish_non_exhaustive()
    }
}
