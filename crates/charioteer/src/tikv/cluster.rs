//! What all handles of a client share: PD, regions, stores, counters.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use charioteer_proto::tikv::key::{self, KeyspaceId, Layout};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};

use super::failure;
use super::grpc::ChannelOptions;
use super::locate::Locator;
use super::options::{ApiVersion, Mode, Options};
use super::pd::Pd;
use super::rpc::StoreOptions;
use crate::error::{Error, ErrorKind, Failure};
use crate::exec;
use crate::net::NetStats;
use crate::stats::{CallStats, OperationStats};

/// The keyspace that every cluster of API version 2 has.
const DEFAULT_KEYSPACE: &str = "DEFAULT";

/// A cluster, as one client knows it.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) options: Options,
    /// Its PD servers, as they were given.
    pub(super) name: Arc<str>,
    mode: Mode,
    channels: ChannelOptions,
    reached: OnceCell<Reached>,
    is_closed: AtomicBool,
}

/// A cluster that has been asked who it is.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) pd: Pd,
    pub(super) locator: Locator,
    pub(super) layout: Layout,
}

impl Cluster {
    /// Checks the options, and reads what they name of files. Nothing is sent.
    pub(super) fn new(options: Options, mode: Mode) -> Result<Self, Error> {
        options.check(mode)?;
        let channels = ChannelOptions {
            ping_interval: options.keepalive_interval,
            ping_timeout: options.keepalive_timeout,
            max_message_bytes: options.max_message_bytes,
            ..ChannelOptions::new(options.dialler()?, Arc::default())
        };
        let name = options.pd_servers().join(",").into();
        let (reached, is_closed) = (OnceCell::new(), AtomicBool::new(false));
        Ok(Self { options, name, mode, channels, reached, is_closed })
    }

    /// The cluster, which is asked who it is by whoever comes first.
    pub(super) async fn reach(&self, operation: &'static str, deadline: Instant) -> Result<&Reached, Error> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(Error::from(failure::closed()).during(operation));
        }
        if let Some(reached) = self.reached.get() {
            return Ok(reached);
        }
        exec::runtime(operation)?;
        let reached = match timeout_at(deadline, self.reached.get_or_try_init(|| self.ask(deadline))).await {
            Ok(reached) => reached,
            Err(_) => Err(Failure::new(ErrorKind::Timeout, "PD did not answer in time").retry(&failure::PD)),
        };
        let reached = reached.map_err(|failure| Error::from(failure).during(operation))?;
        if self.is_closed.load(Ordering::Relaxed) {
            self.close();
            return Err(Error::from(failure::closed()).during(operation));
        }
        Ok(reached)
    }

    async fn ask(&self, deadline: Instant) -> Result<Reached, Failure> {
        let pd = Pd::connect(self.options.pds.clone(), self.channels.clone(), deadline).await?;
        let layout = self.layout(&pd, deadline).await?;
        if let Some(meant) = self.options.cluster_id.filter(|meant| *meant != pd.cluster_id()) {
            let message = format!("cluster {meant} is meant, and this is cluster {}", pd.cluster_id());
            return Err(Failure::new(ErrorKind::InvalidConfig, message));
        }
        let stores = StoreOptions {
            connections: self.options.connections_per_store,
            ..StoreOptions::new(self.channels.clone())
        };
        let locator = Locator::new(pd.clone(), layout, stores, self.options.max_regions);
        Ok(Reached { pd, locator, layout })
    }

    async fn layout(&self, pd: &Pd, deadline: Instant) -> Result<Layout, Failure> {
        let mode = match self.mode {
            Mode::Raw => key::Mode::Raw,
            Mode::Txn => key::Mode::Txn,
        };
        match self.options.api {
            ApiVersion::V1 => Ok(Layout::V1(mode)),
            ApiVersion::V1Ttl => Ok(Layout::V1Ttl),
            ApiVersion::V2 => Ok(Layout::V2(mode, self.keyspace(pd, deadline).await?)),
        }
    }

    async fn keyspace(&self, pd: &Pd, deadline: Instant) -> Result<KeyspaceId, Failure> {
        match self.options.keyspace.as_deref() {
            // A cluster that was made before there were keyspaces has this one all the same.
            None | Some(DEFAULT_KEYSPACE) => Ok(KeyspaceId::DEFAULT),
            Some(name) => Ok(pd.keyspace(name, deadline).await?.id),
        }
    }

    /// What a failure comes to when the client has been closed meanwhile.
    pub(super) fn or_closed(&self, failure: Failure) -> Failure {
        if failure.retry.is_none() || !self.is_closed.load(Ordering::Relaxed) {
            return failure;
        }
        Failure { outcome: failure.outcome, peer: failure.peer, ..failure::closed() }
    }

    pub(super) fn net_stats(&self) -> NetStats {
        self.channels.counters.read()
    }

    /// What PD was asked so far.
    pub(super) fn asked_of_pd(&self) -> Vec<(&'static str, CallStats)> {
        self.reached.get().map(|reached| reached.pd.call_stats()).unwrap_or_default()
    }

    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        if let Some(reached) = self.reached.get() {
            reached.locator.close();
        }
    }
}

/// The counters of a client's calls, each registered when it is first needed.
#[derive(Debug)]
pub(super) struct Calls<const N: usize> {
    names: [&'static str; N],
    stats: [OnceLock<OperationStats>; N],
}

impl<const N: usize> Calls<N> {
    pub(super) fn new(names: [&'static str; N]) -> Self {
        Self { names, stats: [const { OnceLock::new() }; N] }
    }

    /// The counters of the call of that name, which is one of those that were named.
    pub(super) fn of(&self, name: &'static str) -> &OperationStats {
        let at = self.names.iter().position(|known| std::ptr::eq(*known, name) || *known == name).unwrap_or_default();
        self.stats[at].get_or_init(|| OperationStats::new(super::SYSTEM, self.names[at]))
    }

    /// Those of all calls that were made, by name.
    pub(super) fn read(&self) -> Vec<(&'static str, CallStats)> {
        let made = self.names.iter().zip(&self.stats).filter_map(|(name, stats)| Some((*name, stats.get()?.read())));
        made.collect()
    }
}
