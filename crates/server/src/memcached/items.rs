//! Where the items are: in memory, or in the store that keeps all data.
//!
//! In memory an operation on one item is done at once, on the thread that asks. What may wait for a disk is waited for elsewhere, and
//! so is what looks at many items, wherever they are: nobody else's request is held up by it.

use std::sync::Arc;

use bytes::Bytes;
use charioteer_engine::cache::{Cache, CacheOptions, CacheStats, Cursor, DurableCache, Hit, Listing, Operation, Read};
use charioteer_engine::{Clock, Error};

use super::MemcachedOptions;
use crate::backend::{Embedded, Readers, aside};

/// The items of a server.
#[derive(Clone, Debug)]
pub(crate) enum Items {
    /// Within a budget; they are gone when the server stops.
    InMemory(Arc<Cache>),
    /// All of them, as durable as the store makes its rows.
    Stored(Stored),
}

/// Items in the store.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    cache: DurableCache,
    /// `None` where no read waits.
    readers: Option<Arc<Readers>>,
}

impl Items {
    /// The items that these options want, those of an earlier run included where they are kept.
    pub(crate) async fn open(options: &MemcachedOptions, backend: &Embedded, clock: &Clock) -> Result<Self, Error> {
        if !options.durable {
            return Ok(Self::InMemory(Arc::new(Cache::new(options.cache(), clock.clone()))));
        }
        let (db, item_limit, clock) = (backend.db().clone(), options.item_limit, clock.clone());
        let cache = aside(move || DurableCache::open(db, item_limit, clock)).await?;
        Ok(Self::Stored(Stored { cache, readers: backend.readers().cloned() }))
    }

    /// Whether an operation on one item is done at once.
    pub(super) const fn never_wait(&self) -> bool {
        matches!(self, Self::InMemory(_))
    }

    /// Runs an operation on the item of a key. What it writes is as durable as it is going to be when it is answered.
    pub(super) async fn run<O: Operation>(&self, key: &[u8], operation: O) -> Result<O::Reply, Error> {
        match self {
            Self::InMemory(cache) => cache.run(key, operation),
            Self::Stored(stored) => stored.run(key, operation).await,
        }
    }

    /// Reads the items of several keys, one after the other.
    pub(super) async fn get_many(&self, keys: Vec<Bytes>, read: Read) -> Result<Vec<Option<Hit>>, Error> {
        match self {
            Self::InMemory(cache) => cache.get_many(&keys, read),
            Self::Stored(stored) => stored.get_many(keys, read).await,
        }
    }

    /// Notes that a value was too large to be taken in; the item that it would have replaced goes if it `removes`.
    pub(super) async fn refuse(&self, key: &[u8], removes: bool) -> Result<(), Error> {
        match self {
            Self::InMemory(cache) => cache.refuse(key, removes),
            Self::Stored(stored) => stored.cache.refuse(key, removes).await,
        }
    }

    /// Lets everything die at that moment which was stored before it.
    pub(super) async fn flush(&self, moment: u32) -> Result<(), Error> {
        match self {
            Self::InMemory(cache) => {
                let cache = Arc::clone(cache);
                aside(move || cache.flush(moment)).await;
                Ok(())
            }
            Self::Stored(stored) => stored.cache.flush(moment).await,
        }
    }

    /// Looks at so many items, going on where it stopped the last time, and removes the dead.
    pub(super) async fn sweep(&self, items: usize) -> Result<usize, Error> {
        let all = self.clone();
        aside(move || match all {
            Self::InMemory(cache) => Ok(cache.sweep(items)),
            Self::Stored(stored) => stored.cache.sweep(items),
        })
        .await
    }

    /// The next of all items, made something of where it holds nobody up.
    pub(super) async fn list<T: Send + 'static>(
        &self,
        from: Cursor,
        items: usize,
        make: impl FnOnce(Listing) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let all = self.clone();
        aside(move || match all {
            Self::InMemory(cache) => Ok(make(cache.list(from, items))),
            Self::Stored(stored) => stored.cache.list(from, items).map(make),
        })
        .await
    }

    /// What has happened, and what there is, collected from all parts of the items.
    pub(super) async fn collect_stats(&self) -> CacheStats {
        let all = self.clone();
        aside(move || all.stats()).await
    }

    /// The same, for those who may wait.
    pub(crate) fn stats(&self) -> CacheStats {
        match self {
            Self::InMemory(cache) => cache.stats(),
            Self::Stored(stored) => stored.cache.stats(),
        }
    }

    /// Forgets what has happened.
    pub(super) async fn reset_stats(&self) {
        let all = self.clone();
        aside(move || match all {
            Self::InMemory(cache) => cache.reset_stats(),
            Self::Stored(stored) => stored.cache.reset_stats(),
        })
        .await;
    }

    /// What the items may take; nothing is evicted from the store, which is bounded by its disk.
    pub(crate) fn options(&self) -> CacheOptions {
        match self {
            Self::InMemory(cache) => cache.options(),
            Self::Stored(stored) => {
                CacheOptions { memory_bytes: 0, item_limit: stored.cache.item_limit(), evicts: false }
            }
        }
    }

    /// Changes how much memory items may take, which evicts those that are too many. Says whether that means anything here.
    pub(super) async fn set_memory_bytes(&self, bytes: usize) -> bool {
        match self {
            Self::InMemory(cache) => {
                let cache = Arc::clone(cache);
                aside(move || cache.set_memory_bytes(bytes)).await;
                true
            }
            Self::Stored(_) => false,
        }
    }
}

impl Stored {
    async fn run<O: Operation>(&self, key: &[u8], operation: O) -> Result<O::Reply, Error> {
        match &self.readers {
            // It is looked up before anything else, which may wait for the disk.
            Some(readers) if operation.mostly_reads() => {
                let (cache, key) = (self.cache.clone(), Bytes::copy_from_slice(key));
                readers.run(move || cache.submit(&key, operation)).await.await
            }
            _ => self.cache.submit(key, operation).await,
        }
    }

    async fn get_many(&self, keys: Vec<Bytes>, read: Read) -> Result<Vec<Option<Hit>>, Error> {
        let cache = self.cache.clone();
        let submit = move || -> Vec<_> { keys.iter().map(|key| cache.submit(key, read)).collect() };
        let tickets = match &self.readers {
            Some(readers) => readers.run(submit).await,
            None => submit(),
        };
        let mut hits = Vec::with_capacity(tickets.len());
        for ticket in tickets {
            hits.push(ticket.await?);
        }
        Ok(hits)
    }
}
