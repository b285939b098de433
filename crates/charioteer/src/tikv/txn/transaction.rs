//! What programs hold of a transaction. In `savepoints` is how some of what it has written is taken back, in `expect` what else must hold
//! for it to be committed.

mod expect;
mod savepoints;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::timestamp::Timestamp;
use tokio::time::Instant;
use tracing::warn;

use super::buffer::{Buffer, Write};
use super::commit::{Commit, GoesOn};
use super::core::UnderWay;
use super::error::TxnError;
use super::locks::user_key;
use super::merge::Written;
use super::options::{LockOptions, Locking, TxnOptions};
use super::patience::Patience;
use super::pessimistic::{Pessimism, Wanted};
use super::plan::Plan;
use super::scan::TxnScanner;
use super::snapshot::Reader;
use crate::error::{Error, ErrorKind, Failure};
use crate::exec;
use crate::tikv::raw::ScanOptions;

/// A transaction under way. What it writes nobody else sees until it is [committed](Self::commit), and what it reads is what was
/// committed before it began, with what it has written itself.
///
/// One that is dropped before it has ended is rolled back in the background.
///
/// ```
/// use charioteer::tikv::TxnClient;
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), charioteer::Error> {
/// let server = TestServer::start().await;
/// let client = TxnClient::connect(&server.tikv_url()).await?;
/// let mut txn = client.begin_pessimistic().await?;
/// let stock = txn.get_for_update("stock").await?;
/// let stock = stock.map_or(0, |stock| stock.len());
/// txn.put("stock", "x".repeat(stock + 1)).await?;
/// let commit_ts = txn.commit().await?;
/// assert!(commit_ts.is_some());
/// # Ok(())
/// # }
/// ```
pub struct Transaction {
    reader: Arc<Reader>,
    under_way: Option<UnderWay>,
    options: TxnOptions,
    timeout: Duration,
    began: Instant,
    buffer: Buffer,
    /// Its locks, if it locks keys before it writes them.
    pessimism: Option<Pessimism>,
    has_ended: bool,
    /// Whether it is nothing to speak of when it is dropped before it has ended.
    is_droppable: bool,
}

impl Transaction {
    pub(super) fn new(reader: Arc<Reader>, under_way: UnderWay, options: TxnOptions, timeout: Duration) -> Self {
        let is_pessimistic = options.locking == Locking::Pessimistic;
        let pessimism = is_pessimistic.then(|| Pessimism::new(reader.version.into()));
        let (began, buffer) = (Instant::now(), Buffer::default());
        let under_way = Some(under_way);
        Self { reader, under_way, options, timeout, began, buffer, pessimism, has_ended: false, is_droppable: false }
    }

    /// The same, which may end by being dropped.
    pub(super) fn may_be_dropped(mut self) -> Self {
        self.is_droppable = true;
        self
    }

    /// What it has begun with.
    pub(super) fn into_parts(mut self) -> (Arc<Reader>, Option<UnderWay>) {
        self.has_ended = true;
        (Arc::clone(&self.reader), self.under_way.take())
    }

    /// The timestamp at which it began, by which it is told from others.
    #[must_use]
    pub fn start_ts(&self) -> Timestamp {
        self.reader.version
    }

    /// Whether it locks keys before it writes them.
    #[must_use]
    pub fn is_pessimistic(&self) -> bool {
        self.pessimism.is_some()
    }

    /// How many keys it has written so far, or locked for when it is committed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether it has written nothing so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.len() == 0
    }

    /// How many bytes keys and values have that it has written so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.buffer.bytes()
    }

    /// The value of a key as of when the transaction began, or as it has written or [locked](Self::get_for_update) it.
    ///
    /// Another transaction that has locked the key, and may have been committed before this one began, is waited for.
    ///
    /// # Errors
    /// When no answer was to be had in time, the key was locked all the time, or the transaction is older than what is kept of the past.
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>, Error> {
        let key = self.wire_key(key);
        match self.own(&key) {
            Some(value) => Ok(value),
            None => self.reader.get(key).await,
        }
    }

    /// The values of several keys, each in the place of its key.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn batch_get<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Option<Bytes>>, Error> {
        let keys: Vec<Bytes> = keys.into_iter().map(|key| self.wire_key(key)).collect();
        let own: Vec<_> = keys.iter().map(|key| self.own(key)).collect();
        let others: Vec<Bytes> =
            keys.into_iter().zip(&own).filter(|(_, own)| own.is_none()).map(|(key, _)| key).collect();
        let mut found = if others.is_empty() { Vec::new() } else { self.reader.batch_get(&others).await? }.into_iter();
        Ok(own.into_iter().map(|own| own.unwrap_or_else(|| found.next().flatten())).collect())
    }

    /// The newest value of a key, which is locked until the transaction ends, so that nobody else writes it. Pessimistic transactions
    /// only.
    ///
    /// # Errors
    /// When another transaction has locked the key for longer than it is to be waited for, there is a deadlock, the transaction is not
    /// pessimistic, or no answer was to be had in time. The transaction may go on.
    pub async fn get_for_update(&mut self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>, Error> {
        Ok(self.batch_get_for_update([key]).await?.pop().flatten())
    }

    /// The same for several keys, of which none is locked if one can't be.
    ///
    /// # Errors
    /// As [`get_for_update`](Self::get_for_update).
    pub async fn batch_get_for_update<K: AsRef<[u8]>>(
        &mut self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Option<Bytes>>, Error> {
        const NAME: &str = "get_for_update";
        if self.pessimism.is_none() {
            return Err(Error::invalid(
                NAME,
                "an optimistic transaction locks keys when it is committed: see lock_keys",
            ));
        }
        let keys: Vec<Bytes> = keys.into_iter().map(|key| self.wire_key(key)).collect();
        self.lock(NAME, keys.clone(), &LockOptions::default(), true, false).await?;
        Ok(keys.iter().map(|key| self.own(key).flatten()).collect())
    }

    /// Scans from `start` up to just before `end`, or up to the last key of all if that is empty, over what the transaction has written
    /// so far, and what was there when it began. Nothing is sent yet.
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
        let written = |start: &Bytes, end: &Bytes| {
            let writes = self.buffer.range(start, end);
            let seen = writes.filter_map(|(key, write)| Some((key.clone(), write.seen()?.cloned())));
            Written::new(seen, options.reverse)
        };
        TxnScanner::new(Arc::clone(&self.reader), start.as_ref(), end.as_ref(), options, written)
    }

    /// Writes a key. A pessimistic transaction locks it at once, for which others are waited for; an optimistic one sends nothing yet.
    ///
    /// # Errors
    /// When the key can't be locked, see [`lock_keys`](Self::lock_keys), or the transaction becomes larger than it may be.
    pub async fn put(&mut self, key: impl AsRef<[u8]>, value: impl Into<Bytes>) -> Result<(), Error> {
        self.batch_put([(key, value)]).await
    }

    /// Writes several keys, all of which a pessimistic transaction locks together. Of those with the same key the last stays.
    ///
    /// # Errors
    /// As [`put`](Self::put); then none is written.
    pub async fn batch_put<K: AsRef<[u8]>, V: Into<Bytes>>(
        &mut self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<(), Error> {
        const NAME: &str = "put";
        let pairs: Vec<(Bytes, Bytes)> =
            pairs.into_iter().map(|(key, value)| (self.wire_key(key), value.into())).collect();
        self.check_size(NAME, pairs.iter().map(|(key, value)| (key, value.len())))?;
        if self.is_pessimistic() {
            self.lock_written(NAME, pairs.iter().map(|(key, _)| key.clone()).collect(), false).await?;
        }
        pairs.into_iter().for_each(|(key, value)| self.buffer.put(key, value));
        Ok(())
    }

    /// Writes a key that must not be there: a pessimistic transaction looks at once, an optimistic one when it is committed.
    ///
    /// # Errors
    /// When the key is there ([`AlreadyExists`](ErrorKind::AlreadyExists)); otherwise as [`put`](Self::put).
    pub async fn insert(&mut self, key: impl AsRef<[u8]>, value: impl Into<Bytes>) -> Result<(), Error> {
        const NAME: &str = "insert";
        let (key, value) = (self.wire_key(key), value.into());
        self.check_size(NAME, [(&key, value.len())])?;
        let exists = |key: &Bytes| {
            let key = user_key(self.reader.layout, key);
            Error::from(TxnError::AlreadyExists { key }.failure()).during(NAME)
        };
        match self.buffer.get(&key) {
            Some(Write::Put(_) | Write::Insert(_)) => return Err(exists(&key)),
            // By its own doing it is not there.
            Some(Write::Delete | Write::CheckMissing) => {}
            Some(Write::Lock) | None => self.lock_written(NAME, vec![key.clone()], true).await?,
        }
        let inserted = self.buffer.insert(key.clone(), value);
        inserted.map_err(|_| {
            let key = user_key(self.reader.layout, &key);
            Error::from(TxnError::AlreadyExists { key }.failure()).during(NAME)
        })
    }

    /// Deletes a key, whether it is there or not. A pessimistic transaction locks it at once.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn delete(&mut self, key: impl AsRef<[u8]>) -> Result<(), Error> {
        self.batch_delete([key]).await
    }

    /// Deletes several keys, all of which a pessimistic transaction locks together.
    ///
    /// # Errors
    /// As [`put`](Self::put); then none is deleted.
    pub async fn batch_delete<K: AsRef<[u8]>>(&mut self, keys: impl IntoIterator<Item = K>) -> Result<(), Error> {
        const NAME: &str = "delete";
        let keys: Vec<Bytes> = keys.into_iter().map(|key| self.wire_key(key)).collect();
        self.check_size(NAME, keys.iter().map(|key| (key, 0)))?;
        if self.is_pessimistic() {
            self.lock_written(NAME, keys.clone(), false).await?;
        }
        keys.into_iter().for_each(|key| self.buffer.delete(key));
        Ok(())
    }

    /// Locks keys without writing them, so that nobody else does: a pessimistic transaction at once, an optimistic one when it is
    /// committed, which then fails if others have written them since it began. That is how transactions that read the same and write
    /// different keys are kept from both succeeding.
    ///
    /// # Errors
    /// When another transaction has locked a key for longer than it is to be waited for, or there is a deadlock. The transaction may go on.
    pub async fn lock_keys<K: AsRef<[u8]>>(&mut self, keys: impl IntoIterator<Item = K>) -> Result<(), Error> {
        self.lock_keys_with(keys, &LockOptions::default()).await
    }

    /// The same with options, such as not to wait.
    ///
    /// # Errors
    /// As [`lock_keys`](Self::lock_keys).
    pub async fn lock_keys_with<K: AsRef<[u8]>>(
        &mut self,
        keys: impl IntoIterator<Item = K>,
        options: &LockOptions,
    ) -> Result<(), Error> {
        const NAME: &str = "lock_keys";
        let keys: Vec<Bytes> = keys.into_iter().map(|key| self.wire_key(key)).collect();
        if self.pessimism.is_some() {
            return self.lock(NAME, keys, options, false, false).await;
        }
        self.check_size(NAME, keys.iter().map(|key| (key, 0)))?;
        keys.into_iter().for_each(|key| self.buffer.lock(key));
        Ok(())
    }

    /// Commits, and tells at which timestamp; `None` if nothing was written. What was written is seen by every transaction that begins
    /// afterwards.
    ///
    /// A commit that is dropped before it is done goes on in the background.
    ///
    /// # Errors
    /// When others have come in between, see [`TxnError`], or no answer was to be had in time. Where nobody has said whether it was
    /// committed, its [`outcome`](Error::outcome) is unknown and it is [`TxnError::Undetermined`]; with any other error nothing of the
    /// transaction has happened, or will.
    pub async fn commit(mut self) -> Result<Option<Timestamp>, Error> {
        const NAME: &str = "commit";
        self.has_ended = true;
        let held = self.pessimism.as_ref().and_then(Pessimism::all);
        let start_ts = u64::from(self.start_ts());
        let Some(plan) = Plan::new(start_ts, &self.buffer, held, &self.options) else {
            self.unlock_in_background(self.locked_keys());
            return Ok(None);
        };
        let deadline = exec::deadline(self.timeout);
        if let Err(error) = self.reader.check_age(NAME, deadline).await {
            // What was deleted since may be forgotten by now, and nobody would notice.
            self.unlock_in_background(self.locked_keys());
            return Err(error);
        }
        self.unlock_in_background(self.pessimism.as_ref().map(Pessimism::left_over).unwrap_or_default());
        let (core, layout, hints) = (Arc::clone(&self.reader.core), self.reader.layout, self.reader.hints.clone());
        let commit = Commit::new(core, layout, hints, plan, self.began, deadline);
        // Its locks are kept until it is done.
        let (pessimism, under_way) = (self.pessimism.take(), self.under_way.take());
        let committed = GoesOn::new(async move {
            let committed = commit.run().await;
            drop((pessimism, under_way));
            committed
        });
        committed.await.map_err(|error| error.during(NAME))
    }

    /// Ends the transaction without anything that it has written. Its locks are gone when this returns.
    ///
    /// # Errors
    /// When no answer was to be had in time; then its locks run out by themselves, or are done away with by others. Nothing that it has
    /// written will happen, error or not.
    pub async fn rollback(mut self) -> Result<(), Error> {
        const NAME: &str = "rollback";
        self.has_ended = true;
        let keys = self.locked_keys();
        let reader = Arc::clone(&self.reader);
        let mut patience = Patience::until(exec::deadline(self.timeout));
        let unlocked =
            GoesOn::new(
                async move { reader.core.unlock_keys(reader.version.into(), u64::MAX, &keys, &mut patience).await },
            );
        unlocked.await.map_err(|error| error.during(NAME))
    }

    /// What the transaction itself knows of a key; `None` if nothing.
    fn own(&self, key: &Bytes) -> Option<Option<Bytes>> {
        if let Some(seen) = self.buffer.get(key).and_then(Write::seen) {
            return Some(seen.cloned());
        }
        self.pessimism.as_ref()?.held(key)?.value.clone()
    }

    fn wire_key(&self, key: impl AsRef<[u8]>) -> Bytes {
        self.reader.layout.wire_key(key.as_ref())
    }

    async fn lock_written(&mut self, name: &'static str, keys: Vec<Bytes>, must_miss: bool) -> Result<(), Error> {
        if self.pessimism.is_none() {
            return Ok(());
        }
        self.lock(name, keys, &LockOptions::default(), false, must_miss).await
    }

    async fn lock(
        &mut self,
        name: &'static str,
        mut keys: Vec<Bytes>,
        options: &LockOptions,
        values: bool,
        must_miss: bool,
    ) -> Result<(), Error> {
        let Some(pessimism) = &mut self.pessimism else { return Ok(()) };
        keys.sort_unstable();
        keys.dedup();
        let wanted = Wanted {
            keys,
            must_miss,
            values,
            only_if_exists: options.only_if_exists,
            wait: options.wait.unwrap_or(self.options.lock_wait),
            ttl: self.options.lock_ttl.max(Duration::from_millis(1)),
            is_fair: self.options.fair_locking,
        };
        let deadline = exec::deadline(self.timeout);
        let locked = Box::pin(pessimism.lock(&self.reader, wanted, self.began, deadline)).await;
        locked.map_err(|error| error.during(name))
    }

    /// Refuses what no server would take, and what makes the transaction larger than it may be.
    fn check_size<'a>(
        &self,
        name: &'static str,
        writes: impl IntoIterator<Item = (&'a Bytes, usize)>,
    ) -> Result<(), Error> {
        let too_large = |message: String| Err(Error::from(Failure::new(ErrorKind::TooLarge, message)).during(name));
        let most = self.reader.core.cluster.options.max_request_bytes;
        let (mut keys, mut bytes) = (self.buffer.len(), self.buffer.bytes());
        for (key, value) in writes {
            if key.len() + value > most {
                let message = "key and value have {} bytes, allowed are {most} (max_request_bytes)";
                return too_large(
                    message.replace("{}", &(key.len() + value).to_string()).replace("{most}", &most.to_string()),
                );
            }
            keys += usize::from(self.buffer.get(key).is_none());
            bytes += key.len() + value;
        }
        match (self.options.max_keys, self.options.max_bytes) {
            (Some(most), _) if keys > most => {
                too_large(format!("the transaction writes {keys} keys, allowed are {most} (max_keys)"))
            }
            (_, Some(most)) if bytes > most => {
                too_large(format!("the transaction writes {bytes} bytes, allowed are {most} (max_bytes)"))
            }
            _ => Ok(()),
        }
    }

    /// All keys that it has locked, or may have.
    fn locked_keys(&self) -> Vec<Bytes> {
        self.pessimism.as_ref().map(Pessimism::all_keys).unwrap_or_default()
    }

    /// Takes locks away that are not needed any more, whenever they were put on.
    fn unlock_in_background(&self, keys: Vec<Bytes>) {
        if keys.is_empty() {
            return;
        }
        let reader = Arc::clone(&self.reader);
        self.reader.core.in_background(async move {
            let mut patience = Patience::until(reader.core.background_deadline());
            let start_ts = u64::from(reader.version);
            if let Err(error) = reader.core.unlock_keys(start_ts, u64::MAX, &keys, &mut patience).await {
                warn!(start_ts, %error, "a transaction could not be unlocked: its locks run out");
            }
        });
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let locked = self.locked_keys();
        let is_idle = locked.is_empty() && self.is_empty();
        if !self.is_droppable && !is_idle {
            let start_ts = u64::from(self.start_ts());
            warn!(start_ts, "a transaction was dropped before it had ended: it is rolled back");
        }
        self.unlock_in_background(locked);
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("start_ts", &self.start_ts())
            .field("keys", &self.len())
            .finish_non_exhaustive()
    }
}
