//! Forgetting the past: how far back it is kept, the locks that are left over in it, and ranges that are deleted without a trace.

use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::key::Layout;
use charioteer_proto::tikv::kvrpcpb::{
    DeleteRangeRequest, DeleteRangeResponse, LockInfo, ScanLockRequest, ScanLockResponse, UnsafeDestroyRangeRequest,
};
use charioteer_proto::tikv::metapb::StoreState;
use charioteer_proto::tikv::rpc;
use charioteer_proto::tikv::timestamp::Timestamp;
use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::debug;

use super::client::TxnClient;
use super::core::{Core, Source};
use super::error::{self, Trouble};
use super::locks::{Lock, each};
use super::patience::{Patience, WRITE_BLOCKED};
use super::resolve::Met;
use crate::error::{Error, Failure};
use crate::exec::{self, Effect, Operation};
use crate::net::Progress;
use crate::tikv::failure;
use crate::tikv::locate::Place;
use crate::tikv::pd::{Advanced, Barrier, Scope};
use crate::tikv::range::{Behind, check_range, is_over, just_behind, part, upper_bound};
use crate::tikv::send::{RegionOperation, Spot};

pub(super) const SCAN_LOCKS: &str = "scan_locks";
pub(super) const DELETE_RANGE: &str = "delete_range";
pub(super) const DESTROY_RANGE: &str = "unsafe_destroy_range";

/// How long what PD has said of the safe point is trusted. Client-go asks as often.
pub(super) const TRUSTED: Duration = Duration::from_secs(10);

/// A bound of so many bytes is taken by all stores, whatever they make of it.
const BEYOND: usize = 7 << 10;

/// How many locks are asked for at a time.
const LOCKS_AT_A_TIME: u32 = 1024;

/// How far back the past is kept.
///
/// ```
/// use charioteer::tikv::TxnClient;
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), charioteer::Error> {
/// let server = TestServer::start().await;
/// let client = TxnClient::connect(&server.tikv_url()).await?;
/// let now = client.timestamp().await?;
/// client.hold_gc("backup", now, None).await?;
/// let state = client.gc_state().await?;
/// assert_eq!((state.barriers[0].name.as_str(), state.barriers[0].at), ("backup", now));
/// client.release_gc("backup").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GcState {
    /// Before it no transaction may begin or read.
    pub txn_safe_point: Timestamp,
    /// Before it what was overwritten may be gone.
    pub gc_safe_point: Timestamp,
    /// What keeps the past, by name.
    pub barriers: Vec<GcBarrier>,
}

/// What keeps the past from being forgotten. See [`GcState`] for an example.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GcBarrier {
    /// Its name.
    pub name: String,
    /// From when on the past is kept.
    pub at: Timestamp,
    /// For how long yet; `None` for until it is released.
    pub ttl: Option<Duration>,
}

impl GcBarrier {
    fn told(told: Barrier) -> Self {
        Self { name: told.id, at: told.at, ttl: told.ttl }
    }
}

/// How the past is forgotten.
///
/// ```
/// use std::time::Duration;
/// use charioteer::tikv::GcOptions;
///
/// let mut options = GcOptions::default();
/// // There are clients of others, which trust what they know for longer.
/// options.wait = Duration::from_secs(100);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GcOptions {
    /// How long others are given to learn that they may not read what is to be forgotten. Clients of this crate learn it within 10 s, the
    /// default; those of client-go within 10 s as a rule, and 100 s when PD does not answer them. Where nobody else reads the past
    /// it may be nothing.
    pub wait: Duration,
}

impl Default for GcOptions {
    fn default() -> Self {
        Self { wait: TRUSTED }
    }
}

/// What was last known of the point before which nothing may read.
#[derive(Debug, Default)]
pub(super) struct SafePoint(Mutex<Option<(Instant, Timestamp)>>);

impl Core {
    /// Before this no transaction may read, as PD has told when it was asked at that moment.
    pub(super) async fn safe_point(&self, deadline: Instant) -> Result<(Instant, Timestamp), Error> {
        let known = *self.safe_point.0.lock();
        if let Some((asked, safe_point)) = known
            && asked.elapsed() < TRUSTED
        {
            return Ok((asked, safe_point));
        }
        let reached = self.reach("gc_state", deadline).await?;
        let (asked, scope) = (Instant::now(), Scope(reached.layout.keyspace()));
        let state = reached.pd.gc_state(scope, deadline).await.map_err(|failure| self.cluster.or_closed(failure))?;
        *self.safe_point.0.lock() = Some((asked, state.txn_safe_point));
        Ok((asked, state.txn_safe_point))
    }

    /// Takes locks of the past out of the way, whether their transactions have time yet or not, and tells how many there were.
    async fn collect(
        self: &std::sync::Arc<Self>,
        layout: Layout,
        at: Timestamp,
        timeout: Duration,
    ) -> Result<u64, Error> {
        let (mut rest, mut count) = (Some(layout.wire_range(b"", b"")), 0);
        let mut patience = Patience::until(exec::deadline(timeout));
        while let Some((start, end)) = rest.take().filter(|(start, end)| !is_over(start, end)) {
            let page = LocksPage { start: start.clone(), end: end.clone(), limit: LOCKS_AT_A_TIME, at, layout };
            let (locks, behind) = self.run(&page, &Source::default(), patience.deadline).await?;
            let first = locks.first().map(|lock| Lock::told(lock, layout));
            let (found, last) = (locks.len(), locks.last().map(|lock| just_behind(&lock.key)));
            let verdict = self.resolve(locks, Met::Collecting, patience.deadline).await?;
            if let Some(wait) = verdict.wait {
                patience.wait_for(first, &WRITE_BLOCKED, wait).await?;
                rest = Some((start, end));
                continue;
            }
            count += found as u64;
            rest = last.filter(|_| found >= LOCKS_AT_A_TIME as usize).map_or(behind, |last| Some((last, end)));
            patience = Patience::until(exec::deadline(timeout));
        }
        Ok(count)
    }
}

impl TxnClient {
    /// How far back the past is kept, and what keeps it.
    ///
    /// # Errors
    /// When no PD answers in time.
    pub async fn gc_state(&self) -> Result<GcState, Error> {
        const NAME: &str = "gc_state";
        let (reached, deadline) = self.begin_call(NAME).await?;
        let told = reached.pd.gc_state(Scope(reached.layout.keyspace()), deadline).await;
        let state = told.map_err(|failure| self.failed(NAME, failure))?;
        Ok(GcState {
            txn_safe_point: state.txn_safe_point,
            gc_safe_point: state.gc_safe_point,
            barriers: state.barriers.into_iter().map(GcBarrier::told).collect(),
        })
    }

    /// Keeps the past from a timestamp on, in the name of a service, until it is released or for so long; setting it again moves it.
    ///
    /// # Errors
    /// When that much of the past is not kept any more, or no PD answers in time.
    pub async fn hold_gc(&self, name: &str, at: Timestamp, ttl: Option<Duration>) -> Result<(), Error> {
        const NAME: &str = "hold_gc";
        let (reached, deadline) = self.begin_call(NAME).await?;
        let barrier = Barrier { id: name.to_owned(), at, ttl };
        let set = reached.pd.set_barrier(Scope(reached.layout.keyspace()), &barrier, deadline).await;
        set.map(drop).map_err(|failure| self.failed(NAME, failure))
    }

    /// Lets go of it; if there is no such name that is no error.
    ///
    /// # Errors
    /// When no PD answers in time.
    pub async fn release_gc(&self, name: &str) -> Result<(), Error> {
        const NAME: &str = "release_gc";
        let (reached, deadline) = self.begin_call(NAME).await?;
        let deleted = reached.pd.delete_barrier(Scope(reached.layout.keyspace()), name, deadline).await;
        deleted.map_err(|failure| self.failed(NAME, failure))
    }

    /// Forgets the past up to a timestamp: no transaction that began before may go on, the locks that are left over of those are done away
    /// with, and stores may drop what was overwritten before. What is held by [`hold_gc`](Self::hold_gc) is kept; how far it went is
    /// given back.
    ///
    /// Between the first and the rest it waits for the ten seconds for which clients trust what PD has told them. Moving the timestamp and
    /// waiting take no longer together than a call may, and neither does each request to stores afterwards.
    ///
    /// # Errors
    /// When PD has not given the timestamp yet, a call may not take as long as is to be waited, or PD or a store did not answer in time.
    /// It may be called again.
    pub async fn gc(&self, safe_point: Timestamp) -> Result<Timestamp, Error> {
        self.gc_with(safe_point, &GcOptions::default()).await
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`gc`](Self::gc).
    pub async fn gc_with(&self, safe_point: Timestamp, options: &GcOptions) -> Result<Timestamp, Error> {
        const NAME: &str = "gc";
        if options.wait >= self.timeout() {
            let message =
                format!("it waits for {:?}, and calls may take no more than {:?}", options.wait, self.timeout());
            return Err(Error::invalid(NAME, message));
        }
        let (reached, deadline) = self.begin_call(NAME).await?;
        let (pd, layout, scope) = (&reached.pd, reached.layout, Scope(reached.layout.keyspace()));
        self.core().check_given(NAME, safe_point, deadline).await?;
        let (asked, until) = (Instant::now(), deadline.checked_sub(options.wait).unwrap_or(deadline));
        let advanced = pd.advance_txn_safe_point(scope, safe_point, until).await;
        let Advanced { now: reached, blocked_by } = advanced.map_err(|failure| self.failed(NAME, failure))?;
        if reached < safe_point {
            debug!(reached = u64::from(reached), blocked_by, "not all of the past that was to be is forgotten");
        }
        *self.core().safe_point.0.lock() = Some((asked, reached));
        let now = reached.min(safe_point);
        // Until then others may read, and write, as if the timestamp had not been moved.
        tokio::time::sleep(options.wait).await;
        self.core().collect(layout, now, self.timeout()).await.map_err(|error| error.during(NAME))?;
        let deadline = exec::deadline(self.timeout());
        let advanced = pd.advance_gc_safe_point(scope, now, deadline).await;
        advanced.map(|advanced| advanced.now).map_err(|failure| self.failed(NAME, failure))
    }

    /// The locks of transactions that began at a timestamp or before, on keys from `start` up to just before `end`, or up to the last of
    /// all if that is empty: so many at most, in the order of their keys.
    ///
    /// # Errors
    /// When the range makes no sense, or no answer was to be had in time.
    pub async fn scan_locks(
        &self,
        start: impl AsRef<[u8]>,
        end: impl AsRef<[u8]>,
        at: Timestamp,
        limit: usize,
    ) -> Result<Vec<Lock>, Error> {
        check_range(SCAN_LOCKS, start.as_ref(), end.as_ref())?;
        let (reached, _) = self.begin_call(SCAN_LOCKS).await?;
        let layout = reached.layout;
        let mut rest = Some(layout.wire_range(start.as_ref(), end.as_ref()));
        let mut locks = Vec::new();
        while let Some((start, end)) = rest.take().filter(|(start, end)| !is_over(start, end) && locks.len() < limit) {
            let (_, deadline) = self.begin_call(SCAN_LOCKS).await?;
            let left = u32::try_from(limit - locks.len()).unwrap_or(u32::MAX).min(LOCKS_AT_A_TIME);
            let page = LocksPage { start, end: end.clone(), limit: left, at, layout };
            let (found, behind) = self.core().run(&page, &Source::default(), deadline).await?;
            let last = found.last().filter(|_| found.len() >= left as usize).map(|lock| &lock.key);
            rest = last.map_or(behind, |last| Some((just_behind(last), end)));
            locks.extend(found.into_iter().flat_map(each).map(|lock| Lock::told(&lock, layout)));
        }
        locks.truncate(limit);
        Ok(locks)
    }

    /// Does away with the locks of transactions that began at a timestamp or before, as far as those have ended or are out of time; tells
    /// how many are left, of those that began in time.
    ///
    /// # Errors
    /// As [`scan_locks`](Self::scan_locks).
    pub async fn resolve_locks(
        &self,
        start: impl AsRef<[u8]>,
        end: impl AsRef<[u8]>,
        at: Timestamp,
    ) -> Result<usize, Error> {
        const NAME: &str = "resolve_locks";
        check_range(NAME, start.as_ref(), end.as_ref())?;
        let (reached, _) = self.begin_call(NAME).await?;
        let layout = reached.layout;
        let mut rest = Some(layout.wire_range(start.as_ref(), end.as_ref()));
        let mut left = 0;
        while let Some((start, end)) = rest.take().filter(|(start, end)| !is_over(start, end)) {
            let (_, deadline) = self.begin_call(NAME).await?;
            let page = LocksPage { start, end: end.clone(), limit: LOCKS_AT_A_TIME, at, layout };
            let (found, behind) = self.core().run(&page, &Source::default(), deadline).await?;
            let last = found.last().filter(|_| found.len() >= LOCKS_AT_A_TIME as usize).map(|lock| lock.key.clone());
            rest = last.map_or(behind, |last| Some((just_behind(&last), end)));
            for lock in found.into_iter().flat_map(each) {
                let verdict = self.core().resolve(vec![lock], Met::Writing(0), deadline).await;
                left += usize::from(verdict.map_err(|error| error.during(NAME))?.wait.is_some());
            }
        }
        Ok(left)
    }

    /// Deletes all versions of all keys from `start` up to just before `end`, or up to the last of all if that is empty, region by
    /// region. No transaction sees to it that this happens at once, or that others do not write there meanwhile.
    ///
    /// # Errors
    /// When the range makes no sense, or no answer was to be had in time; then some of the keys may have been deleted.
    pub async fn delete_range(&self, start: impl AsRef<[u8]>, end: impl AsRef<[u8]>) -> Result<(), Error> {
        check_range(DELETE_RANGE, start.as_ref(), end.as_ref())?;
        let (reached, _) = self.begin_call(DELETE_RANGE).await?;
        let mut rest = Some(reached.layout.wire_range(start.as_ref(), end.as_ref()));
        let mut is_begun = false;
        while let Some((start, end)) = rest.take().filter(|(start, end)| !is_over(start, end)) {
            let (_, deadline) = self.begin_call(DELETE_RANGE).await?;
            let deleted = self.core().run(&DeleteRange { start, end }, &Source::default(), deadline).await;
            rest = deleted.map_err(|error| if is_begun { error.unknown() } else { error })?;
            is_begun = true;
        }
        Ok(())
    }

    /// The same on all stores at once, whatever regions there are: for what will never be used again, not even by transactions under way.
    ///
    /// # Errors
    /// As [`delete_range`](Self::delete_range), and when a store is away.
    pub async fn unsafe_destroy_range(&self, start: impl AsRef<[u8]>, end: impl AsRef<[u8]>) -> Result<(), Error> {
        check_range(DESTROY_RANGE, start.as_ref(), end.as_ref())?;
        let (reached, deadline) = self.begin_call(DESTROY_RANGE).await?;
        let (start_key, end_key) = reached.layout.wire_range(start.as_ref(), end.as_ref());
        // Stores want both bounds: no key is empty, and none is beyond so many of the highest bytes.
        let start_key = if start_key.is_empty() { Bytes::from_static(b"\0") } else { start_key };
        let end_key = if end_key.is_empty() { upper_bound(end_key).slice(..BEYOND) } else { end_key };
        let failed = |failure| self.failed(DESTROY_RANGE, failure);
        let stores = reached.pd.all_stores(deadline).await.map_err(failed)?;
        for store in stores.iter().filter(|store| store.state != i32::from(StoreState::Tombstone)) {
            let store = reached.locator.store(store.id, deadline).await.map_err(failed)?;
            let context = charioteer_proto::tikv::kvrpcpb::Context {
                api_version: reached.layout.api_version().into(),
                keyspace_id: reached.layout.keyspace().map(|keyspace| keyspace.get()),
                ..Default::default()
            };
            let (start_key, end_key) = (start_key.clone(), end_key.clone());
            let request = UnsafeDestroyRangeRequest { context: Some(context), start_key, end_key };
            let progress = Progress::default();
            let sent = store.connection().unary::<rpc::UnsafeDestroyRange>(&request, deadline, &progress);
            let reply = sent.await.map_err(failed)?;
            failure::refused(&reply.error).map_err(failed)?;
        }
        Ok(())
    }
}

/// Asks for locks.
struct LocksPage {
    start: Bytes,
    end: Bytes,
    limit: u32,
    /// Of transactions that began then or before.
    at: Timestamp,
    layout: Layout,
}

impl Operation for LocksPage {
    const NAME: &'static str = SCAN_LOCKS;
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = (Vec<LockInfo>, Behind);
}

impl RegionOperation for LocksPage {
    type Method = rpc::KvScanLock;

    fn spot(&self) -> Spot<'_> {
        Spot::At(&self.start)
    }

    fn request(&self, place: &Place) -> ScanLockRequest {
        let (end_key, _) = part(place, &self.end);
        let (start_key, max_version) = (self.start.clone(), self.at.into());
        ScanLockRequest { context: None, start_key, end_key, max_version, limit: self.limit }
    }

    fn reply(&self, place: &Place, reply: ScanLockResponse) -> Result<Self::Reply, Failure> {
        if let Some(error) = reply.error {
            return Err(match error::read(*error, self.layout) {
                // It is being written at this moment.
                trouble @ Trouble::Locked(_) => trouble.failure(self.layout).retry(&failure::REGION_SCHEDULING),
                trouble => trouble.failure(self.layout),
            });
        }
        Ok((reply.locks, part(place, &self.end).1))
    }
}

struct DeleteRange {
    start: Bytes,
    end: Bytes,
}

impl Operation for DeleteRange {
    const NAME: &'static str = DELETE_RANGE;
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = Behind;
}

impl RegionOperation for DeleteRange {
    const IS_LONG: bool = true;
    type Method = rpc::KvDeleteRange;

    fn spot(&self) -> Spot<'_> {
        Spot::At(&self.start)
    }

    fn request(&self, place: &Place) -> DeleteRangeRequest {
        let (end_key, _) = part(place, &self.end);
        DeleteRangeRequest { start_key: self.start.clone(), end_key, ..DeleteRangeRequest::default() }
    }

    fn reply(&self, place: &Place, reply: DeleteRangeResponse) -> Result<Behind, Failure> {
        failure::refused(&reply.error)?;
        Ok(part(place, &self.end).1)
    }
}
