//! What all that is under way of a client shares, and how its commands are sent.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::key::Layout;
use charioteer_proto::tikv::timestamp::Timestamp;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

use super::call::{Ask, CALLS, Command};
use super::gc::SafePoint;
use super::status::Statuses;
use crate::error::{Error, Failure};
use crate::exec::{self, Effect, Terms};
use crate::tikv::SYSTEM;
use crate::tikv::cluster::{Calls, Cluster, Reached};
use crate::tikv::locate::ReadFrom;
use crate::tikv::regions::Asking;
use crate::tikv::send::{RegionOperation, Regions};

/// How many transactions that have ended are known by when they began.
const REMEMBERED: usize = 1024;

/// A client's cluster, counters, and what it knows of transactions.
pub(super) struct Core {
    pub(super) cluster: Cluster,
    pub(super) calls: Calls<{ CALLS.len() }>,
    pub(super) statuses: Mutex<Statuses>,
    /// Locks that are being done away with in the background: when their transactions began, and their keys.
    pub(super) resolving: Mutex<HashSet<(u64, Bytes)>>,
    pub(super) safe_point: SafePoint,
    begun: Mutex<Begun>,
    /// The greatest timestamp that PD has given for sure.
    latest: AtomicU64,
    /// How much is being done that nobody waits for.
    background: watch::Sender<usize>,
}

/// From where a read is answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Source {
    pub(super) from: ReadFrom,
    pub(super) is_stale: bool,
}

impl Core {
    pub(super) fn new(cluster: Cluster) -> Self {
        let (statuses, resolving) = (Mutex::default(), Mutex::default());
        Self {
            cluster,
            calls: Calls::new(CALLS),
            statuses,
            resolving,
            safe_point: SafePoint::default(),
            begun: Mutex::default(),
            latest: AtomicU64::new(0),
            background: watch::Sender::new(0),
        }
    }

    /// The cluster, once it has been asked who it is.
    pub(super) async fn reach(&self, operation: &'static str, deadline: Instant) -> Result<&Reached, Error> {
        self.cluster.reach(operation, deadline).await
    }

    /// How keys travel, once that is known.
    pub(super) async fn layout(&self, operation: &'static str, deadline: Instant) -> Result<Layout, Error> {
        Ok(self.reach(operation, deadline).await?.layout)
    }

    /// Has a command carried out by the leader of its keys' region; `None` if they do not lie in one.
    pub(super) async fn ask<M: Command>(&self, ask: &Ask<'_, M>, deadline: Instant) -> Result<Option<M::Reply>, Error> {
        self.run(ask, &Source::default(), deadline).await
    }

    /// Carries out an operation on one region.
    pub(super) async fn run<O: RegionOperation>(
        &self,
        operation: &O,
        source: &Source,
        deadline: Instant,
    ) -> Result<O::Reply, Error> {
        let reached = self.reach(O::NAME, deadline).await?;
        let (cluster, locator) = (&self.cluster, &reached.locator);
        let regions = Regions { cluster, locator, read: &source.from, is_stale: source.is_stale, deadline };
        let may_be_cut = operation.effect() != Effect::Changes && !O::IS_LONG;
        let terms = Terms {
            attempt_timeout: may_be_cut.then_some(cluster.options.attempt_timeout),
            ..self.terms(O::NAME, deadline)
        };
        exec::run(&regions, operation, &terms).await
    }

    /// Looks something up, again and again while that may help.
    pub(super) async fn look_up<F, A, T>(&self, deadline: Instant, look: F) -> Result<T, Error>
    where
        F: Fn() -> A + Sync,
        A: Future<Output = Result<T, Failure>> + Send,
        T: Send,
    {
        self.asking(self.reach("look_up", deadline).await?, deadline).look_up(look).await
    }

    /// Has PD asked, on the client's terms.
    pub(super) fn asking<'a>(&'a self, reached: &'a Reached, deadline: Instant) -> Asking<'a> {
        let (stats, attempts) = (self.calls.of("look_up"), self.cluster.options.attempts);
        Asking { cluster: &self.cluster, reached, stats, attempts, deadline }
    }

    fn terms(&self, name: &'static str, deadline: Instant) -> Terms<'_> {
        Terms {
            timeout: deadline.saturating_duration_since(Instant::now()),
            attempt_timeout: None,
            attempts: self.cluster.options.attempts,
            system: SYSTEM,
            collection: None,
            stats: self.calls.of(name),
        }
    }

    /// A timestamp greater than all that were given before.
    pub(super) async fn timestamp(&self, deadline: Instant) -> Result<Timestamp, Error> {
        let pd = &self.reach("timestamp", deadline).await?.pd;
        let now = pd.timestamp(deadline).await.map_err(|failure| self.cluster.or_closed(failure))?;
        self.was_given(now);
        Ok(now)
    }

    /// Takes note of a timestamp that PD has given.
    pub(super) fn was_given(&self, at: Timestamp) {
        self.latest.fetch_max(at.into(), Ordering::Relaxed);
    }

    /// Refuses a timestamp that PD has not given yet: what is read at it would not stay so.
    pub(super) async fn check_given(
        &self,
        operation: &'static str,
        at: Timestamp,
        deadline: Instant,
    ) -> Result<(), Error> {
        if u64::from(at) <= self.latest.load(Ordering::Relaxed) || at <= self.timestamp(deadline).await? {
            return Ok(());
        }
        Err(Error::invalid(operation, format!("PD has not given the timestamp {} yet", u64::from(at))))
    }

    /// Takes note of a transaction that begins; nothing if it can't be told from one that has begun before.
    pub(super) fn enter(self: &Arc<Self>, start_ts: u64) -> Option<UnderWay> {
        let is_new = self.begun.lock().all.insert(start_ts);
        is_new.then(|| UnderWay { core: Arc::clone(self), start_ts })
    }

    /// Which of the keys, by their indices, lie in the same region.
    pub(super) async fn group(&self, keys: &[&Bytes], deadline: Instant) -> Result<Vec<Vec<usize>>, Error> {
        let locator = &self.reach("look_up", deadline).await?.locator;
        let groups = self.look_up(deadline, || locator.group(keys, deadline)).await?;
        Ok(groups.into_iter().map(|(_, group)| group).collect())
    }

    /// The number of the region in which a key lies.
    pub(super) async fn region_of(&self, key: &Bytes, deadline: Instant) -> Result<u64, Error> {
        let locator = &self.reach("look_up", deadline).await?.locator;
        let place = self.look_up(deadline, || locator.of_key(key, deadline)).await?;
        Ok(place.region_id())
    }

    /// When something ends that goes on after the call that began it.
    pub(super) fn background_deadline(&self) -> Instant {
        // As long as client-go lets the second phase take, or as long as a call may if that is longer.
        Instant::now() + self.cluster.options.operation_timeout.max(Duration::from_secs(41))
    }

    /// Has something done that nobody waits for.
    pub(super) fn in_background<F: Future<Output = ()> + Send + 'static>(self: &Arc<Self>, work: F) {
        // Without a runtime there are no connections either. Whoever meets what is left undone does it.
        if let Ok(runtime) = Handle::try_current() {
            let counted = Counted::new(Arc::clone(self));
            runtime.spawn(async move {
                work.await;
                drop(counted);
            });
        }
    }

    /// Waits until nothing is being done that nobody waits for.
    pub(super) async fn settled(&self) {
        // It can't fail: the sender is here.
        let _ = self.background.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// When transactions began, those that are under way and the last of those that have ended.
#[derive(Debug, Default)]
struct Begun {
    all: HashSet<u64>,
    ended: VecDeque<u64>,
}

/// A transaction that is under way, until this is dropped.
#[derive(Debug)]
pub(super) struct UnderWay {
    core: Arc<Core>,
    start_ts: u64,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut begun = self.core.begun.lock();
        begun.ended.push_back(self.start_ts);
        if begun.ended.len() > REMEMBERED
            && let Some(longest_ago) = begun.ended.pop_front()
        {
            begun.all.remove(&longest_ago);
        }
    }
}

/// Something that is done in the background, until this is dropped.
struct Counted(Arc<Core>);

impl Counted {
    fn new(core: Arc<Core>) -> Self {
        core.background.send_modify(|count| *count += 1);
        Self(core)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.background.send_modify(|count| *count -= 1);
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("cluster", &self.cluster.name).finish_non_exhaustive()
    }
}
