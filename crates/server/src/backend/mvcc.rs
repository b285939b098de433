//! Rows of transactions, and the embedded store as where they are.

use std::ops::ControlFlow;
use std::sync::Arc;

use charioteer_engine::mvcc::{Command, Done, FindGarbage, KeyRange, MvccStore, Read, Reading};
use charioteer_engine::raw::Keys;
use charioteer_engine::{Db, Error as StoreError};
use tokio::runtime::Handle;

use super::embedded::{MANY_ROWS, aside, finished};
use super::readers::Readers;
use super::{Error, Soon};

/// Rows of transactions. Clones share them.
///
/// Nothing is a future that need not be one: see [`Soon`].
pub trait Mvcc: Clone + Send + Sync + 'static {
    /// Runs a command about so many keys, atomically. A lock in its way is an answer, at once.
    fn submit<C: Command>(&self, key_count: usize, command: C) -> Soon<Result<Done<C::Reply>, Error>>;

    /// Reads at one instant.
    fn read<Q>(&self, read: Q) -> Soon<Result<Q::Reply, Error>>
    where
        Q: Read + Send + 'static,
        Q::Reply: Send + 'static;

    /// Whether reads have to be waited for, and what they find takes memory of its own until then.
    fn reads_wait(&self) -> bool;
}

/// Rows of transactions in the embedded store: see [`Embedded::rows`](super::Embedded::rows).
///
/// ```
/// use charioteer_engine::mvcc::{Get, ReadAt};
/// use charioteer_engine::raw::Keys;
/// use charioteer_engine::{Clock, Db};
/// use charioteer_server::backend::{Embedded, Mvcc, Rows, Soon};
///
/// let rows = Embedded::open(Db::memory(), Clock::system())?.rows()?;
/// let read = rows.mvcc(Keys::Plain).read(Get { key: "key".into(), at: ReadAt::new(7) });
/// assert!(matches!(read, Soon::Ready(Ok(Ok(None)))));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct EmbeddedMvcc {
    store: MvccStore,
    /// `None` in memory, where no read waits.
    readers: Option<Arc<Readers>>,
}

impl EmbeddedMvcc {
    pub(super) fn open(keys: Keys, db: Db, readers: Option<Arc<Readers>>) -> Result<Self, StoreError> {
        Ok(Self { store: MvccStore::open_for(keys, db)?, readers })
    }

    /// Has transactions that choose their own commit timestamp commit behind this one. Nobody knows any more what was read before the
    /// store was opened, but that it was not beyond what had been handed out.
    pub(crate) fn commit_behind(&self, ts: u64) {
        self.store.raise_max_read_ts(ts);
    }

    /// Refuses whoever reads in a range before a safe point up to which garbage was collected before the store was opened.
    pub(crate) fn past_is_gone(&self, range: &KeyRange, safe_point: u64) {
        self.store.raise_safe_point(range, safe_point);
    }
}

impl Mvcc for EmbeddedMvcc {
    fn submit<C: Command>(&self, key_count: usize, command: C) -> Soon<Result<Done<C::Reply>, Error>> {
        if key_count > MANY_ROWS && self.readers.is_none() {
            let store = self.store.clone();
            return Soon::later(aside(move || Ok(store.run(command)?)));
        }
        if C::MAY_BE_LATE
            && key_count >= SEVERAL_ROWS
            && self.readers.is_none()
            && let Ok(runtime) = Handle::try_current()
        {
            let store = self.store.clone();
            return Soon::later(finished(runtime.spawn(async move { Ok(store.run(command)?) })));
        }
        match self.store.submit(command).try_take() {
            Ok(done) => Soon::Ready(done.map_err(Error::Store)),
            Err(ticket) => Soon::later(async move { Ok(ticket.await?) }),
        }
    }

    fn read<Q>(&self, read: Q) -> Soon<Result<Q::Reply, Error>>
    where
        Q: Read + Send + 'static,
        Q::Reply: Send + 'static,
    {
        let store = self.store.clone();
        let begin = move || {
            let mut reading = store.begin_read(read)?;
            Ok(match reading.step()? {
                Some(reply) => ControlFlow::Break(reply),
                None => ControlFlow::Continue(reading),
            })
        };
        let Some(readers) = self.readers.clone() else {
            return match begin() {
                Ok(ControlFlow::Break(reply)) => Soon::Ready(Ok(reply)),
                Ok(ControlFlow::Continue(reading)) => Soon::later(go_on(reading, None)),
                Err(error) => Soon::Ready(Err(error)),
            };
        };
        Soon::later(async move {
            match readers.run(begin).await? {
                ControlFlow::Break(reply) => Ok(reply),
                ControlFlow::Continue(reading) => go_on(reading, Some(readers)).await,
            }
        })
    }

    fn reads_wait(&self) -> bool {
        self.readers.is_some()
    }
}

/// Commands on so many keys run on tasks of their own, side by side with others of the stream that they came on: they take longer than it
/// takes to have another thread do them.
const SEVERAL_ROWS: usize = 16;

/// Removes versions of a range that nobody sees who reads behind the safe point, a thousand at a time.
pub(crate) async fn collect_garbage(mvcc: &impl Mvcc, range: KeyRange, safe_point: u64) -> Result<(), Error> {
    let mut left = Some(FindGarbage::new(range, safe_point));
    while let Some(find) = left {
        let found = mvcc.read(find).wait().await?;
        if !found.garbage.is_empty() {
            mvcc.submit(found.garbage.len(), found.garbage).wait().await?;
        }
        left = found.left;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Takes the remaining steps of a read, and lets others do something in between.
async fn go_on<Q>(mut reading: Reading<Q>, readers: Option<Arc<Readers>>) -> Result<Q::Reply, Error>
where
    Q: Read + Send + 'static,
    Q::Reply: Send + 'static,
{
    loop {
        tokio::task::yield_now().await;
        let step = move || {
            let taken = reading.step();
            (reading, taken)
        };
        let taken;
        (reading, taken) = match &readers {
            Some(readers) => readers.run(step).await,
            None => step(),
        };
        if let Some(reply) = taken? {
            return Ok(reply);
        }
    }
}
