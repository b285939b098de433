//! Reading at a timestamp.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::key::Layout;
use charioteer_proto::tikv::kvrpcpb::{BatchGetRequest, GetRequest, KeyError, LockInfo};
use charioteer_proto::tikv::rpc::{KvBatchGet, KvGet};
use charioteer_proto::tikv::timestamp::Timestamp;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::call::{Ask, Command};
use super::core::{Core, Source};
use super::error::{self, Trouble, TxnError};
use super::keyed::{Limits, in_groups};
use super::locks::{Lock, each};
use super::merge::Written;
use super::options::{Hints, SnapshotOptions};
use super::patience::{Patience, READ_BLOCKED};
use super::resolve;
use super::scan::TxnScanner;
use crate::error::Error;
use crate::exec;
use crate::tikv::raw::ScanOptions;

/// How many keys a request has at most, and how many bytes.
const KEYS: Limits = Limits { keys: 512, bytes: 256 << 10, concurrency: 16 };

/// How many transactions whose locks were met are told to stores at most.
const TOLD: usize = 1024;

/// All keys as they were at a timestamp. Clones are cheap.
///
/// ```
/// use charioteer::tikv::TxnClient;
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), charioteer::Error> {
/// let server = TestServer::start().await;
/// let client = TxnClient::connect(&server.tikv_url()).await?;
/// let before = client.snapshot().await?;
/// let mut txn = client.begin().await?;
/// txn.put("city", "Paris").await?;
/// txn.commit().await?;
///
/// assert_eq!(before.get("city").await?, None);
/// assert_eq!(client.snapshot().await?.get("city").await?.as_deref(), Some(&b"Paris"[..]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Snapshot {
    reader: Arc<Reader>,
}

impl Snapshot {
    pub(super) fn new(reader: Reader) -> Self {
        Self { reader: Arc::new(reader) }
    }

    /// The timestamp.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.reader.version
    }

    /// The value of a key; `None` if there was none.
    ///
    /// A transaction under way that has locked the key, and may be committed before the timestamp, is waited for.
    ///
    /// # Errors
    /// When no answer was to be had in time, the key was locked all the time, or the timestamp is older than what is kept.
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>, Error> {
        let key = self.reader.layout.wire_key(key.as_ref());
        self.reader.get(key).await
    }

    /// The values of several keys, each in the place of its key.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn batch_get<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Option<Bytes>>, Error> {
        let keys: Vec<Bytes> = keys.into_iter().map(|key| self.reader.layout.wire_key(key.as_ref())).collect();
        self.reader.batch_get(&keys).await
    }

    /// Scans from `start` up to just before `end`, or up to the last key of all if that is empty. Nothing is sent yet.
    ///
    /// # Errors
    /// When the range ends before it begins.
    pub fn scan(&self, start: impl AsRef<[u8]>, end: impl AsRef<[u8]>) -> Result<TxnScanner, Error> {
        self.scan_with(start, end, &ScanOptions::default())
    }

    /// The same range backwards: from the last key before `end`, or of all if that is empty, down to `start`.
    ///
    /// # Errors
    /// As [`scan`](Self::scan).
    pub fn reverse_scan(&self, start: impl AsRef<[u8]>, end: impl AsRef<[u8]>) -> Result<TxnScanner, Error> {
        self.scan_with(start, end, &ScanOptions { reverse: true, ..ScanOptions::default() })
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`scan`](Self::scan); and when the options make no sense.
    pub fn scan_with(
        &self,
        start: impl AsRef<[u8]>,
        end: impl AsRef<[u8]>,
        options: &ScanOptions,
    ) -> Result<TxnScanner, Error> {
        TxnScanner::new(Arc::clone(&self.reader), start.as_ref(), end.as_ref(), options, |_, _| Written::default())
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("at", &self.reader.version).finish_non_exhaustive()
    }
}

/// What reads at a timestamp, for snapshots and transactions.
pub(super) struct Reader {
    pub(super) core: Arc<Core>,
    pub(super) layout: Layout,
    pub(super) version: Timestamp,
    pub(super) hints: Hints,
    pub(super) sample_step: u32,
    source: Source,
    timeout: Duration,
    /// What was learnt of transactions whose locks were met.
    seen: Seen,
    /// When PD was last asked whether the past is kept back to the timestamp.
    checked: Mutex<Option<Instant>>,
}

/// What reads have learnt of transactions whose locks they have met. Clones learn the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(Arc<Mutex<Met>>);

#[derive(Debug, Default)]
struct Met {
    passed: Vec<u64>,
    readable: Vec<u64>,
}

impl Seen {
    /// The transactions that need not be waited for, and those whose locks are versions.
    pub(super) fn known(&self) -> (Vec<u64>, Vec<u64>) {
        let met = self.0.lock();
        (met.passed.clone(), met.readable.clone())
    }

    fn learn(&self, passed: Vec<u64>, readable: Vec<u64>) {
        let mut met = self.0.lock();
        note(&mut met.passed, passed);
        note(&mut met.readable, readable);
    }
}

impl Reader {
    /// One at a timestamp that PD was asked for at that moment.
    pub(super) fn now(
        core: Arc<Core>,
        layout: Layout,
        version: Timestamp,
        asked: Instant,
        options: &SnapshotOptions,
    ) -> Self {
        Self { checked: Mutex::new(Some(asked)), ..Self::at(core, layout, version, options) }
    }

    /// One at any timestamp.
    pub(super) fn at(core: Arc<Core>, layout: Layout, version: Timestamp, options: &SnapshotOptions) -> Self {
        let told = &core.cluster.options;
        let from = options.read_from.unwrap_or(told.read_from).with_labels(&told.labels);
        let timeout = options.timeout.unwrap_or(told.operation_timeout);
        Self {
            source: Source { from, is_stale: options.stale },
            hints: Hints::of(options),
            sample_step: options.sample_step,
            seen: Seen::default(),
            checked: Mutex::new(None),
            core,
            layout,
            version,
            timeout,
        }
    }

    /// The deadline of a call that begins now.
    pub(super) fn deadline(&self) -> Instant {
        exec::deadline(self.timeout)
    }

    /// A command with all that is known of locks.
    fn ask<M: Command>(&self, request: M::Request, seen: &Seen) -> Ask<'_, M> {
        let mut ask = Ask::new(request, &self.hints);
        (ask.passed, ask.readable) = seen.known();
        ask
    }

    /// What a read that begins now may take for known of transactions.
    pub(super) fn seen(&self) -> Seen {
        // Of those that read whatever is the newest each learns by itself: what one of them need not wait for may have been committed
        // before the next begins.
        if self.version == Timestamp::MAX { Seen::default() } else { self.seen.clone() }
    }

    /// From where it is read. What has met a lock is asked of leaders.
    pub(super) fn source(&self, was_locked: bool) -> Source {
        if was_locked && self.source.is_stale { Source::default() } else { self.source.clone() }
    }

    pub(super) async fn get(&self, key: Bytes) -> Result<Option<Bytes>, Error> {
        const NAME: &str = "get";
        let mut patience = Patience::until(self.deadline());
        self.check_age(NAME, patience.deadline).await?;
        let got = self.get_within(key, &mut patience).await;
        let value = got.map_err(|error| patience.explain(error).during(NAME))?;
        self.check_age(NAME, patience.deadline).await?;
        Ok(value)
    }

    async fn get_within(&self, key: Bytes, patience: &mut Patience) -> Result<Option<Bytes>, Error> {
        let (seen, mut was_locked) = (self.seen(), false);
        loop {
            let request = GetRequest { key: key.clone(), version: self.version.into(), ..GetRequest::default() };
            let ask = self.ask::<KvGet>(request, &seen);
            // One key lies in one region.
            let Some(reply) = self.core.run(&ask, &self.source(was_locked), patience.deadline).await? else { continue };
            let Some(error) = reply.error else { return Ok((!reply.not_found).then_some(reply.value)) };
            let locks = self.locks_of(*error)?;
            self.blocked(locks, &seen, patience).await?;
            was_locked = true;
        }
    }

    /// The values of keys, each in the place of its key.
    pub(super) async fn batch_get(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>, Error> {
        const NAME: &str = "batch_get";
        let mut patience = Patience::until(self.deadline());
        self.check_age(NAME, patience.deadline).await?;
        let mut unique = keys.to_vec();
        unique.sort_unstable();
        unique.dedup();
        let bytes: Vec<usize> = unique.iter().map(Bytes::len).collect();
        let concurrency = self.core.cluster.options.batch_concurrency;
        let deadline = patience.deadline;
        let found = in_groups(&self.core, &unique, &bytes, Limits { concurrency, ..KEYS }, &mut patience, |group| {
            let keys: Vec<Bytes> = group.keys.iter().map(|at| unique[*at].clone()).collect();
            self.batch_get_group(keys, deadline)
        });
        let mut values = vec![None; unique.len()];
        for (group, found) in found.await.map_err(|error| error.during(NAME))? {
            group.into_iter().zip(found).for_each(|(at, value)| values[at] = value);
        }
        self.check_age(NAME, patience.deadline).await?;
        let value = |key: &Bytes| unique.binary_search(key).ok().and_then(|at| values[at].clone());
        Ok(keys.iter().map(value).collect())
    }

    /// The values of keys that lie in one region, as long as they do.
    async fn batch_get_group(&self, keys: Vec<Bytes>, deadline: Instant) -> Result<Option<Vec<Option<Bytes>>>, Error> {
        let mut patience = Patience::until(deadline);
        let got = self.batch_get_within(keys, &mut patience).await;
        got.map_err(|error| patience.explain(error))
    }

    async fn batch_get_within(
        &self,
        keys: Vec<Bytes>,
        patience: &mut Patience,
    ) -> Result<Option<Vec<Option<Bytes>>>, Error> {
        let (seen, mut was_locked) = (self.seen(), false);
        loop {
            let (version, asked) = (self.version.into(), keys.clone());
            let request = BatchGetRequest { keys: asked, version, ..BatchGetRequest::default() };
            let ask = self.ask::<KvBatchGet>(request, &seen);
            let reply = self.core.run(&ask, &self.source(was_locked), patience.deadline).await?;
            let Some(reply) = reply else { return Ok(None) };
            let mut locks = reply.error.map_or(Ok(Vec::new()), |error| self.locks_of(*error))?;
            let mut found = Vec::with_capacity(reply.pairs.len());
            for pair in reply.pairs {
                match pair.error {
                    None => found.push((pair.key, pair.value)),
                    Some(error) => locks.extend(self.locks_of(*error)?),
                }
            }
            if locks.is_empty() {
                found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
                return Ok(Some(in_place(&keys, found)));
            }
            self.blocked(locks, &seen, patience).await?;
            was_locked = true;
        }
    }

    /// The locks that an error tells of; any other error is the end.
    pub(super) fn locks_of(&self, error: KeyError) -> Result<Vec<LockInfo>, Error> {
        match error::read(error, self.layout) {
            Trouble::Locked(lock) => Ok(each(*lock)),
            trouble => Err(trouble.failure(self.layout).into()),
        }
    }

    /// Finds out about locks that are in the way, and waits a little if they have to be waited for.
    pub(super) async fn blocked(
        &self,
        locks: Vec<LockInfo>,
        seen: &Seen,
        patience: &mut Patience,
    ) -> Result<(), Error> {
        let first = locks.first().map(|lock| Lock::told(lock, self.layout));
        let verdict = self.core.resolve(locks, resolve::Met::Reading(self.version.into()), patience.deadline).await?;
        seen.learn(verdict.passed, verdict.readable);
        let Some(wait) = verdict.wait else { return Ok(()) };
        patience.wait_for(first, &READ_BLOCKED, wait).await
    }

    /// Refuses what is older than what is kept of the past: a call that begins, and what it has read when it ends, since it may have taken
    /// so long that the past was forgotten meanwhile.
    pub(super) async fn check_age(&self, operation: &'static str, deadline: Instant) -> Result<(), Error> {
        let checked = *self.checked.lock();
        if checked.is_some_and(|checked| checked.elapsed() < super::gc::TRUSTED) {
            return Ok(());
        }
        let (asked, safe_point) = self.core.safe_point(deadline).await.map_err(|error| error.during(operation))?;
        if self.version < safe_point {
            let failure = TxnError::TooOld { at: self.version, safe_point }.failure();
            return Err(Error::from(failure).during(operation));
        }
        *self.checked.lock() = Some(asked);
        Ok(())
    }
}

fn note(known: &mut Vec<u64>, more: Vec<u64>) {
    for start_ts in more {
        if !known.contains(&start_ts) {
            // Those that were met first are done away with by now.
            if known.len() == TOLD {
                known.remove(0);
            }
            known.push(start_ts);
        }
    }
}

/// What was found of keys that are in order.
fn in_place(keys: &[Bytes], found: Vec<(Bytes, Bytes)>) -> Vec<Option<Bytes>> {
    let mut found = found.into_iter().peekable();
    keys.iter().map(|key| found.next_if(|(other, _)| other == key).map(|(_, value)| value)).collect()
}
