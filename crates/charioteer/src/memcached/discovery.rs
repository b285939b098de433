//! Asking servers for the servers of their cluster.
//!
//! The question is text, whatever protocol calls are made in, and goes over a short connection of its own. A task asks it again and
//! again as long as there is a client; it runs on the runtime of whoever calls first, and should that end, on that of the next.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use charioteer_proto::memcached::Limits;
use charioteer_proto::memcached::auth::write_credentials;
use charioteer_proto::memcached::cluster::ClusterConfig;
use charioteer_proto::memcached::text::{Awaited, Error, Reply, Request, read_reply, write_get, write_request};
use parking_lot::Mutex;
use tokio::sync::watch;
use tracing::{debug, warn};

use super::options::{Credentials, Named};
use super::servers::Servers;
use crate::net::{Address, Dialler, Stream};

/// What is asked for.
const CLUSTER: &[u8] = b"cluster";

/// Under this key ElastiCache keeps the same until version 1.4.14.
const OLD_KEY: &[u8] = b"AmazonElastiCache:cluster";

/// What a cluster may tell of itself.
const MAX_CONFIG_BYTES: usize = 1 << 20;

/// What is known of a cluster, and who asks for it.
#[derive(Debug)]
pub(super) struct Discovery {
    interval: Duration,
    /// The version of the servers that there are; none is 0.
    version: AtomicU64,
    /// Whether the servers have been asked at least once, with whatever success.
    settled: AtomicBool,
    /// Whether there is a task that asks.
    asking: AtomicBool,
    /// What tells that the first answer has come, or that there is no such task any more.
    told: Mutex<Option<watch::Receiver<()>>>,
}

impl Discovery {
    pub(super) fn new(interval: Duration) -> Self {
        let (version, told) = (AtomicU64::new(0), Mutex::new(None));
        Self { interval, version, settled: AtomicBool::new(false), asking: AtomicBool::new(false), told }
    }

    /// Sees to it that somebody asks, and waits until somebody has asked once.
    pub(super) async fn settle(&self, servers: &Arc<Servers>) {
        while !(self.settled.load(Ordering::Acquire) && self.asking.load(Ordering::Acquire)) {
            if servers.view().is_err() {
                return;
            }
            let mut told = self.told(servers);
            // An error means that the task has ended with its runtime.
            if self.settled.load(Ordering::Acquire) || told.changed().await.is_ok() {
                return;
            }
        }
    }

    /// What a task tells, which begins here if there is none.
    fn told(&self, servers: &Arc<Servers>) -> watch::Receiver<()> {
        let mut told = self.told.lock();
        match &*told {
            Some(told) if self.asking.load(Ordering::Acquire) => told.clone(),
            _ => {
                let (tell, new) = watch::channel(());
                self.asking.store(true, Ordering::Release);
                *told = Some(new.clone());
                tokio::spawn(Asking { servers: Arc::downgrade(servers), tell }.go_on());
                new
            }
        }
    }

    /// Whether these servers are newer than those there are, which they are to replace then.
    fn is_newer(&self, version: u64) -> bool {
        self.version.fetch_max(version, Ordering::Relaxed) < version
    }
}

/// The task that asks. However it ends, another may begin.
struct Asking {
    servers: Weak<Servers>,
    tell: watch::Sender<()>,
}

impl Asking {
    async fn go_on(self) {
        loop {
            let Some(interval) = self.ask().await else { return };
            tokio::time::sleep(interval).await;
        }
    }

    /// Asks once, and says how long to wait before the next time, unless it is nobody's business any more.
    async fn ask(&self) -> Option<Duration> {
        let servers = self.servers.upgrade()?;
        let discovery = servers.discovery.as_ref()?;
        let known = servers.view().ok()?;
        let given = servers.options.servers.iter().map(|named| &named.address);
        let found = known.servers.iter().map(|server| server.node.address());
        if let Some(config) = first_answer(&servers, given.chain(found)).await
            && discovery.is_newer(config.version)
        {
            servers.replace(named(config));
        }
        discovery.settled.store(true, Ordering::Release);
        self.tell.send_replace(());
        Some(discovery.interval)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(discovery) = self.servers.upgrade().as_ref().and_then(|servers| servers.discovery.as_ref()) {
            discovery.asking.store(false, Ordering::Release);
        }
    }
}

/// What the first of some servers says that answers.
async fn first_answer<'a>(servers: &Servers, endpoints: impl Iterator<Item = &'a Address>) -> Option<ClusterConfig> {
    let (dialler, credentials) = (&servers.dialler, servers.options.credentials.as_ref());
    for endpoint in endpoints {
        match tokio::time::timeout(dialler.timeout, ask(dialler, endpoint, credentials)).await {
            Ok(Ok(Some(config))) if !config.nodes.is_empty() => return Some(config),
            Ok(Ok(_)) => {
                debug!(%endpoint, "the server knows of no cluster: the servers stay as they are");
                return None;
            }
            Ok(Err(reason)) => debug!(%endpoint, reason, "the server does not tell its cluster"),
            Err(_) => debug!(%endpoint, "the server does not tell its cluster in time"),
        }
    }
    warn!("no server tells its cluster: the servers stay as they are");
    None
}

/// The servers of a cluster by their names, which are looked up at each connecting: a node that is replaced keeps its name.
fn named(config: ClusterConfig) -> Vec<Named> {
    let named = config.nodes.into_iter().map(|node| {
        let address = Address::new(node.host, node.port);
        Named { name: address.to_string(), address }
    });
    named.collect()
}

/// Asks one server. `None` says that it knows of no cluster.
async fn ask(
    dialler: &Dialler,
    endpoint: &Address,
    credentials: Option<&Credentials>,
) -> Result<Option<ClusterConfig>, String> {
    let stream = dialler.dial(endpoint).await.map_err(|error| error.reason.to_string())?;
    let mut talk = Talk { stream, input: BytesMut::new() };
    let mut question = BytesMut::new();
    write_request(&mut question, &Request::ConfigGet { name: CLUSTER });
    let mut told = talk.ask(&question, Awaited::Config).await?;
    if let (Told::Refused, Some(Credentials { user, password })) = (&told, credentials) {
        // Not before the server asks for it: another would take it for an item.
        let mut words = BytesMut::new();
        write_credentials(&mut words, user.as_bytes(), password.as_bytes());
        talk.ask(&words, Awaited::Stored).await?;
        told = talk.ask(&question, Awaited::Config).await?;
    }
    if matches!(told, Told::Nothing) {
        question.clear();
        write_get(&mut question, false, None, [OLD_KEY]);
        told = talk.ask(&question, Awaited::Values).await?;
    }
    match told {
        Told::Value(text) => ClusterConfig::parse(&text).map(Some).map_err(|error| error.to_string()),
        Told::Nothing => Ok(None),
        Told::Refused => Err("the server does not let this client in".to_owned()),
    }
}

/// What a server says.
enum Told {
    Value(Bytes),
    /// It does not know the command, or what was asked for.
    Nothing,
    Refused,
}

/// Whether this is what memcached says to those who have not said who they are, or not rightly.
fn is_about_credentials(why: &[u8]) -> bool {
    [&b"unauthenticated"[..], b"authentication failure"].contains(&why)
}

/// A connection on which the text protocol is spoken in turn.
struct Talk {
    stream: Stream,
    input: BytesMut,
}

impl Talk {
    async fn ask(&mut self, question: &[u8], awaited: Awaited) -> Result<Told, String> {
        self.stream.send(question).await.map_err(|error| error.to_string())?;
        let mut told = Told::Nothing;
        loop {
            let reply = self.reply(awaited).await?;
            let is_last = reply.is_last(awaited);
            match reply {
                Reply::Config { value, .. } | Reply::Value { value, .. } => told = Told::Value(value),
                Reply::Error(Error::Client(why)) if is_about_credentials(&why) => told = Told::Refused,
                _ => {}
            }
            if is_last {
                return Ok(told);
            }
        }
    }

    async fn reply(&mut self, awaited: Awaited) -> Result<Reply, String> {
        let limits = Limits { value_bytes: MAX_CONFIG_BYTES, ..Limits::default() };
        loop {
            if let Some(reply) = read_reply(&mut self.input, awaited, &limits).map_err(|error| error.to_string())? {
                return Ok(reply);
            }
            self.input.reserve(1024);
            match self.stream.receive(&mut self.input).await {
                Ok(0) => return Err("closed by the server".to_owned()),
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}
