//! Transactions too large to be kept until they are committed: what they write is sent bit by bit meanwhile.
//!
//! What has been written is sent when it has become enough, as locks with the new values in them, while the program writes on; each time is
//! a generation, of which stores take a later one for the newer. The first key of all is the primary. When it is committed all of it has
//! happened, and the locks are turned into versions region by region.

mod flush;
mod locks;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::BufferBatchGetRequest;
use charioteer_proto::tikv::rpc::KvBufferBatchGet;
use charioteer_proto::tikv::timestamp::Timestamp;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::warn;

pub(super) use self::locks::RESOLVE_RANGE;

use self::flush::Flush;
use super::buffer::{Buffer, Write};
use super::call::Ask;
use super::client::TxnClient;
use super::commit::{Commit, GoesOn};
use super::core::UnderWay;
use super::error::{self, undetermined};
use super::heartbeat::{HOLDS, Heartbeat, Kept};
use super::options::{SnapshotOptions, TxnOptions};
use super::patience::Patience;
use super::plan::Plan;
use super::snapshot::Reader;
use super::status::Fate;
use crate::error::{Error, ErrorKind, Failure, Outcome};
use crate::exec;

/// How a transaction is written bit by bit.
///
/// ```
/// use charioteer::tikv::PipelinedOptions;
///
/// let mut options = PipelinedOptions::default();
/// options.flush_bytes = 4 << 20;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PipelinedOptions {
    /// How many bytes of keys and values are kept before they are sent; while they are, as many again. Default 16 MiB.
    pub flush_bytes: usize,
    /// How many requests of one such part are under way at a time. Default as the client's batches.
    pub concurrency: Option<usize>,
    /// How long each call may take, and each part to be sent. Default as the client's.
    pub timeout: Option<Duration>,
    /// How it reads.
    pub reading: SnapshotOptions,
}

impl Default for PipelinedOptions {
    fn default() -> Self {
        Self { flush_bytes: 16 << 20, concurrency: None, timeout: None, reading: SnapshotOptions::default() }
    }
}

/// A transaction that is written bit by bit, for more than fits into memory, or into one commit. It is optimistic: where another one has
/// written a key since it began, it fails, when that is noticed. Others that come across what it has sent wait for it, or pass by it.
///
/// One that is dropped before it has ended is rolled back in the background.
///
/// ```
/// use charioteer::tikv::{PipelinedOptions, TxnClient};
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), charioteer::Error> {
/// let server = TestServer::start().await;
/// let client = TxnClient::connect(&server.tikv_url()).await?;
/// let mut txn = client.begin_pipelined(&PipelinedOptions::default()).await?;
/// for number in 0..1000 {
///     txn.put(format!("row {number}"), "x".repeat(100)).await?;
/// }
/// txn.commit().await?;
/// assert!(client.snapshot().await?.get("row 999").await?.is_some());
/// # Ok(())
/// # }
/// ```
pub struct PipelinedTransaction {
    reader: Arc<Reader>,
    options: PipelinedOptions,
    timeout: Duration,
    began: Instant,
    /// What has not been sent.
    buffer: Buffer,
    /// What is being sent.
    flushing: Option<(Arc<Buffer>, Sending)>,
    generation: u64,
    sent: Option<Sent>,
    heartbeat: Option<Heartbeat>,
    has_failed: bool,
    has_ended: bool,
    under_way: Option<UnderWay>,
}

/// A part that is being sent.
type Sending = JoinHandle<Result<(), Error>>;

/// Where there may be locks.
#[derive(Clone, Debug)]
struct Sent {
    primary: Bytes,
    first: Bytes,
    last: Bytes,
}

impl TxnClient {
    /// Begins a transaction that is written bit by bit.
    ///
    /// # Errors
    /// As [`begin`](Self::begin); and when it is to be sent in parts of nothing.
    pub async fn begin_pipelined(&self, options: &PipelinedOptions) -> Result<PipelinedTransaction, Error> {
        if options.flush_bytes == 0 {
            return Err(Error::invalid("begin", "a part must have at least one byte (flush_bytes)"));
        }
        let (timeout, reading) = (options.timeout, options.reading.clone());
        let terms = TxnOptions { timeout, reading, ..TxnOptions::default() };
        let begun = self.begin_with(&terms).await?.into_parts();
        Ok(PipelinedTransaction {
            reader: begun.0,
            under_way: begun.1,
            options: options.clone(),
            timeout: timeout.unwrap_or_else(|| self.timeout()),
            began: Instant::now(),
            buffer: Buffer::default(),
            flushing: None,
            generation: 0,
            sent: None,
            heartbeat: None,
            has_failed: false,
            has_ended: false,
        })
    }
}

impl PipelinedTransaction {
    /// The timestamp at which it began, by which it is told from others.
    #[must_use]
    pub fn start_ts(&self) -> Timestamp {
        self.reader.version
    }

    /// The value of a key as of when the transaction began, or as it has written it. Where others have rolled the transaction back, since
    /// nothing was heard of it for too long, that is gone, and its commit fails.
    ///
    /// # Errors
    /// When no answer was to be had in time, the key was locked by others all the time, or a part of the transaction could not be written.
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>, Error> {
        self.check("get")?;
        let key = self.reader.layout.wire_key(key.as_ref());
        if let Some(value) = self.kept(&key) {
            return Ok(value);
        }
        if let Some(value) = self.sent(&key).await.map_err(|error| error.during("get"))? {
            return Ok((!value.is_empty()).then_some(value));
        }
        self.reader.get(key).await
    }

    /// Writes a key. Where enough has been written it is sent, for which the part before is waited for.
    ///
    /// # Errors
    /// When the value is empty, which stores take for a deletion here; when the key, or what was sent before, can't be written, since others
    /// have. Then nothing of the transaction will happen, and all that can be done is to roll it back.
    pub async fn put(&mut self, key: impl AsRef<[u8]>, value: impl Into<Bytes>) -> Result<(), Error> {
        const NAME: &str = "put";
        let value = value.into();
        if value.is_empty() {
            return Err(Error::invalid(NAME, "in a pipelined transaction no value is empty"));
        }
        let key = self.admit(NAME, key.as_ref(), value.len())?;
        self.buffer.put(key, value);
        self.flush_if_enough(NAME).await
    }

    /// Deletes a key, whether it is there or not.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn delete(&mut self, key: impl AsRef<[u8]>) -> Result<(), Error> {
        const NAME: &str = "delete";
        let key = self.admit(NAME, key.as_ref(), 0)?;
        self.buffer.delete(key);
        self.flush_if_enough(NAME).await
    }

    /// Sends what has been written, and waits until that is done.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn flush(&mut self) -> Result<(), Error> {
        const NAME: &str = "flush";
        self.check(NAME)?;
        self.begin_flush().await.map_err(|error| error.during(NAME))?;
        self.flushed().await.map_err(|error| error.during(NAME))
    }

    /// Commits, and tells at which timestamp; `None` if nothing was written.
    ///
    /// A commit that is dropped while the last part is being sent is rolled back; afterwards it goes on in the background.
    ///
    /// # Errors
    /// As those of [`Transaction::commit`](super::Transaction::commit).
    pub async fn commit(mut self) -> Result<Option<Timestamp>, Error> {
        const NAME: &str = "commit";
        self.flush().await.map_err(|error| error.during(NAME))?;
        self.reader.check_age(NAME, exec::deadline(self.timeout)).await?;
        let Some(sent) = self.sent.take() else {
            self.has_ended = true;
            return Ok(None);
        };
        self.has_ended = true;
        let start_ts = u64::from(self.start_ts());
        let (core, layout, hints) = (Arc::clone(&self.reader.core), self.reader.layout, self.reader.hints.clone());
        let plan = Plan::of_primary(start_ts, sent.primary.clone());
        let commit = Commit::new(Arc::clone(&core), layout, hints, plan, self.began, exec::deadline(self.timeout));
        let kept = (self.heartbeat.take(), self.under_way.take());
        let committed = GoesOn::new(async move {
            let mut patience = Patience::until(commit.deadline);
            let committed = commit.commit_primary(&mut patience).await;
            drop(kept);
            match committed {
                Ok((commit_ts, _)) => {
                    core.statuses.lock().remember(start_ts, Fate::Committed(commit_ts));
                    core.finish_sent_in_background(start_ts, sent, Fate::Committed(commit_ts));
                    Ok(Some(commit_ts.into()))
                }
                Err(error) if error.outcome() == Outcome::Unknown => Err(undetermined(error)),
                Err(error) => {
                    core.undo_sent_in_background(start_ts, sent, None);
                    Err(error.with(|failure| Failure { outcome: Outcome::NotApplied, ..failure }))
                }
            }
        });
        committed.await.map_err(|error| error.during(NAME))
    }

    /// Ends the transaction without anything that it has written. When this returns nothing of it can happen any more; its locks are taken
    /// away in the background.
    ///
    /// # Errors
    /// When no answer was to be had in time. Nothing that it has written will happen, error or not.
    pub async fn rollback(mut self) -> Result<(), Error> {
        // What came after its locks are gone would stay. Whoever waits no longer leaves it to be rolled back in the background.
        let _ = self.flushed().await;
        self.has_ended = true;
        let Some(sent) = self.sent.take() else { return Ok(()) };
        let (core, start_ts) = (Arc::clone(&self.reader.core), u64::from(self.start_ts()));
        let mut patience = Patience::until(exec::deadline(self.timeout));
        let rolled_back = GoesOn::new(async move {
            if let Err(error) = core.roll_back(start_ts, std::slice::from_ref(&sent.primary), &mut patience).await {
                core.undo_sent_in_background(start_ts, sent, None);
                return Err(error);
            }
            core.finish_sent_in_background(start_ts, sent, Fate::RolledBack);
            Ok(())
        });
        rolled_back.await.map_err(|error: Error| error.during("rollback"))
    }

    fn check(&self, name: &'static str) -> Result<(), Error> {
        if self.has_failed {
            return Err(Error::invalid(
                name,
                "a part of the transaction could not be written: it can only be rolled back",
            ));
        }
        Ok(())
    }

    /// Refuses what no server would take.
    fn admit(&self, name: &'static str, key: &[u8], value: usize) -> Result<Bytes, Error> {
        self.check(name)?;
        let (bytes, most) = (key.len() + value, self.reader.core.cluster.options.max_request_bytes);
        if bytes > most {
            let message = format!("key and value have {bytes} bytes, allowed are {most} (max_request_bytes)");
            return Err(Error::from(Failure::new(ErrorKind::TooLarge, message)).during(name));
        }
        Ok(self.reader.layout.wire_key(key))
    }

    /// What is known here of a key; `None` if nothing.
    fn kept(&self, key: &Bytes) -> Option<Option<Bytes>> {
        let flushing = self.flushing.as_ref().and_then(|(buffer, _)| buffer.get(key));
        self.buffer.get(key).or(flushing).and_then(Write::seen).map(|seen| seen.cloned())
    }

    /// What was sent of a key, which is empty if it is to be deleted.
    async fn sent(&self, key: &Bytes) -> Result<Option<Bytes>, Error> {
        if self.sent.as_ref().is_none_or(|sent| *key < sent.first || *key > sent.last) {
            return Ok(None);
        }
        let request = BufferBatchGetRequest { context: None, keys: vec![key.clone()], version: self.start_ts().into() };
        let (deadline, layout) = (exec::deadline(self.timeout), self.reader.layout);
        let ask = Ask::<KvBufferBatchGet>::new(request, &self.reader.hints);
        loop {
            // One key lies in one region.
            let Some(reply) = self.reader.core.ask(&ask, deadline).await? else { continue };
            return match reply.error {
                Some(error) => Err(error::read(*error, layout).failure(layout).into()),
                None => Ok(reply.pairs.into_iter().next().map(|pair| pair.value)),
            };
        }
    }

    async fn flush_if_enough(&mut self, name: &'static str) -> Result<(), Error> {
        if self.buffer.bytes() < self.options.flush_bytes {
            return Ok(());
        }
        self.begin_flush().await.map_err(|error| error.during(name))
    }

    /// Begins to send what has been written, when what was sent before is done.
    async fn begin_flush(&mut self) -> Result<(), Error> {
        self.flushed().await?;
        let (Some(first), Some(last)) = (self.buffer.first().cloned(), self.buffer.last().cloned()) else {
            return Ok(());
        };
        let buffer = Arc::new(std::mem::take(&mut self.buffer));
        self.generation += 1;
        let sent =
            self.sent.get_or_insert_with(|| Sent { primary: first.clone(), first: first.clone(), last: last.clone() });
        sent.first = first.min(std::mem::take(&mut sent.first));
        sent.last = last.max(std::mem::take(&mut sent.last));
        let core = Arc::clone(&self.reader.core);
        let flush = Flush {
            core: Arc::clone(&core),
            layout: self.reader.layout,
            hints: self.reader.hints.clone(),
            primary: sent.primary.clone(),
            start_ts: self.reader.version.into(),
            generation: self.generation,
            concurrency: self.options.concurrency.unwrap_or(core.cluster.options.batch_concurrency),
            began: self.began,
            deadline: exec::deadline(self.timeout),
        };
        let kept =
            Kept { core, primary: flush.primary.clone(), start_ts: flush.start_ts, began: self.began, holds: HOLDS };
        if self.heartbeat.is_none() {
            self.heartbeat = Heartbeat::start(kept);
        }
        let sending = Arc::clone(&buffer);
        self.flushing = Some((buffer, tokio::spawn(async move { flush.run(&sending).await })));
        Ok(())
    }

    /// Waits until what is being sent is.
    async fn flushed(&mut self) -> Result<(), Error> {
        let Some((_, flushing)) = &mut self.flushing else { return Ok(()) };
        let ended = flushing.await.unwrap_or_else(|_| Err(Failure::new(ErrorKind::Closed, "the runtime ends").into()));
        self.flushing = None;
        self.has_failed |= ended.is_err();
        // Whatever became of a part, nothing is committed without the primary.
        ended.map_err(|error| error.with(|failure| Failure { outcome: Outcome::NotApplied, ..failure }))
    }
}

impl Drop for PipelinedTransaction {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let start_ts = u64::from(self.start_ts());
        if !self.has_failed && (self.buffer.len() > 0 || self.sent.is_some()) {
            warn!(start_ts, "a transaction was dropped before it had ended: it is rolled back");
        }
        if let Some(sent) = self.sent.take() {
            let flushing = self.flushing.take().map(|(_, flushing)| flushing);
            self.reader.core.undo_sent_in_background(start_ts, sent, flushing);
        }
    }
}

impl fmt::Debug for PipelinedTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelinedTransaction")
            .field("start_ts", &self.start_ts())
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}
