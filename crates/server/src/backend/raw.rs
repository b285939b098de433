//! Raw rows, and the embedded store as where they are.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use charioteer_engine::raw::{DeleteRange, Family, Keys, Operation, RawStore, Walk, Walking};
use charioteer_engine::{Clock, Db, Error as StoreError, Ticket};

use super::embedded::{MANY_ROWS, aside};
use super::readers::Readers;
use super::{Error, Soon};

/// Raw rows. Clones share them.
///
/// Nothing is a future that need not be one: see [`Soon`].
pub trait Raw: Clone + Send + Sync + 'static {
    /// Runs an operation on the rows of a family, atomically.
    fn run<O: Operation>(&self, keys: Keys, family: Family, operation: O) -> Soon<Result<O::Reply, Error>>;

    /// Walks over rows of a family as they were at one moment, as far as they lie from `within.0` to just before `within.1`, or to
    /// the last key if that is empty.
    fn walk<W>(&self, keys: Keys, family: Family, within: (Bytes, Bytes), walk: W) -> Soon<Result<W::Reply, Error>>
    where
        W: Walk + Send + 'static,
        W::Reply: Send + 'static;

    /// Whether reads have to be waited for, and what they find takes memory of its own until then.
    fn reads_wait(&self) -> bool;

    /// Removes the rows of a range. Some thousands go at one moment; of more, those with lower keys go first.
    fn delete_range(&self, keys: Keys, family: Family, range: DeleteRange) -> Soon<Result<(), Error>>;
}

/// Raw rows in the embedded store: see [`Embedded::rows`](super::Embedded::rows).
///
/// ```
/// use charioteer_engine::raw::{Family, Get, Keys};
/// use charioteer_engine::{Clock, Db};
/// use charioteer_server::backend::{Embedded, Raw, Rows, Soon};
///
/// let rows = Embedded::open(Db::memory(), Clock::system())?.rows()?;
/// let read = rows.raw().run(Keys::Plain, Family::Default, Get::new("key".into()));
/// assert!(matches!(read, Soon::Ready(Ok(None))));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct EmbeddedRaw {
    plain: RawStore,
    prefixed: RawStore,
    /// `None` in memory, where no read waits.
    readers: Option<Arc<Readers>>,
}

/// How many rows of each family are looked at when it is tidied up: a second's work or so a minute.
const ROWS_PER_SWEEP: usize = 100_000;

impl EmbeddedRaw {
    pub(super) fn open(db: Db, clock: Clock, readers: Option<Arc<Readers>>) -> Result<Self, StoreError> {
        let plain = RawStore::open_for(Keys::Plain, db.clone(), clock.clone())?;
        Ok(Self { plain, prefixed: RawStore::open_for(Keys::Prefixed, db, clock)?, readers })
    }

    /// Removes some rows that have expired.
    pub(super) async fn tidy(self) -> Result<(), Error> {
        aside(move || {
            self.plain.sweep(ROWS_PER_SWEEP)?;
            self.prefixed.sweep(ROWS_PER_SWEEP)?;
            Ok(())
        })
        .await
    }

    const fn store(&self, keys: Keys) -> &RawStore {
        match keys {
            Keys::Plain => &self.plain,
            Keys::Prefixed => &self.prefixed,
        }
    }

    /// Reads here, or where it may wait for the disk.
    fn read<T: Send + 'static>(&self, read: impl FnOnce() -> T + Send + 'static) -> Soon<T> {
        match &self.readers {
            None => Soon::Ready(read()),
            Some(readers) => {
                let readers = Arc::clone(readers);
                Soon::later(async move { readers.run(read).await })
            }
        }
    }
}

impl Raw for EmbeddedRaw {
    fn run<O: Operation>(&self, keys: Keys, family: Family, operation: O) -> Soon<Result<O::Reply, Error>> {
        let store = self.store(keys);
        if operation.row_count() > MANY_ROWS {
            let store = store.clone();
            return Soon::later(aside(move || Ok(store.run(family, operation)?)));
        }
        if operation.writes() {
            return written(store.submit(family, operation));
        }
        if self.readers.is_none() {
            return Soon::Ready(store.run(family, operation).map_err(Error::Store));
        }
        let store = store.clone();
        self.read(move || Ok(store.run(family, operation)?))
    }

    fn walk<W>(&self, keys: Keys, family: Family, within: (Bytes, Bytes), walk: W) -> Soon<Result<W::Reply, Error>>
    where
        W: Walk + Send + 'static,
        W::Reply: Send + 'static,
    {
        let (store, readers) = (self.store(keys).clone(), self.readers.clone());
        let begin = move || {
            let mut walking = store.begin_walk(family, walk)?.within(&within.0, &within.1);
            Ok(match walking.step()? {
                Some(reply) => ControlFlow::Break(reply),
                None => ControlFlow::Continue(walking),
            })
        };
        match self.read(begin) {
            Soon::Ready(Ok(ControlFlow::Break(reply))) => Soon::Ready(Ok(reply)),
            Soon::Ready(Ok(ControlFlow::Continue(walking))) => Soon::later(go_on(walking, readers)),
            Soon::Ready(Err(error)) => Soon::Ready(Err(error)),
            Soon::Pending(begun) => Soon::later(async move {
                match begun.await? {
                    ControlFlow::Break(reply) => Ok(reply),
                    ControlFlow::Continue(walking) => go_on(walking, readers).await,
                }
            }),
        }
    }

    fn reads_wait(&self) -> bool {
        self.readers.is_some()
    }

    fn delete_range(&self, keys: Keys, family: Family, range: DeleteRange) -> Soon<Result<(), Error>> {
        let store = self.store(keys).clone();
        match store.submit_delete_range(family, range).try_take() {
            Ok(Ok(None)) => Soon::Ready(Ok(())),
            Ok(Ok(Some(left))) => Soon::later(delete_on(store, family, left)),
            Ok(Err(error)) => Soon::Ready(Err(error.into())),
            Err(ticket) => Soon::later(async move {
                match ticket.await? {
                    Some(left) => delete_on(store, family, left).await,
                    None => Ok(()),
                }
            }),
        }
    }
}

/// What was written at once, or will be.
fn written<T: Send + 'static>(ticket: Ticket<T>) -> Soon<Result<T, Error>> {
    match ticket.try_take() {
        Ok(done) => Soon::Ready(done.map_err(Error::Store)),
        Err(ticket) => Soon::later(async move { Ok(ticket.await?) }),
    }
}

/// Takes the remaining steps of a walk, and lets others do something in between.
async fn go_on<W>(mut walking: Walking<W>, readers: Option<Arc<Readers>>) -> Result<W::Reply, Error>
where
    W: Walk + Send + 'static,
    W::Reply: Send + 'static,
{
    loop {
        tokio::task::yield_now().await;
        let step = move || {
            let taken = walking.step();
            (walking, taken)
        };
        let taken;
        (walking, taken) = match &readers {
            Some(readers) => readers.run(step).await,
            None => step(),
        };
        if let Some(reply) = taken? {
            return Ok(reply);
        }
    }
}

async fn delete_on(store: RawStore, family: Family, range: DeleteRange) -> Result<(), Error> {
    let mut left = Some(range);
    while let Some(range) = left {
        tokio::task::yield_now().await;
        left = store.submit_delete_range(family, range).await?;
    }
    Ok(())
}
