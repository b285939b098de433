//! Stores: where they are, and whether they can be reached.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use charioteer_proto::tikv::metapb::{self, StoreState};
use parking_lot::{Mutex, RwLock};
use tokio::time::Instant;
use tracing::debug;

use crate::error::{ErrorKind, Failure};
use crate::net::Address;
use crate::tikv::failure;
use crate::tikv::pd::Pd;
use crate::tikv::rpc::{StoreConnection, StoreOptions};

/// Where stores listen unless something else is told.
const DEFAULT_PORT: u16 = 20160;

/// How long a store may take to say that it is there.
const CHECK: Duration = Duration::from_secs(1);

/// How long it takes until a store is asked again that did not answer: at first, and at most. Twice as long each time, so that it is
/// missed for no longer than it was gone.
const CHECK_AGAIN: Duration = Duration::from_millis(20);
const CHECK_AT_LEAST: Duration = Duration::from_secs(1);

/// After so many checks in vain PD is asked whether the store has another address.
const CHECKS_OF_ONE_ADDRESS: u32 = 30;

/// How long what PD says of a store is believed without asking again.
const BELIEVED: Duration = Duration::from_secs(60);

/// How long PD may take where nobody waits for it.
const IN_THE_BACKGROUND: Duration = Duration::from_secs(5);

/// A slow score from which on a store is slow; 1 is the best, 100 the worst.
const SLOW: i32 = 80;

/// A store at an address. If it turns out to be at another one, that is another value of this.
#[derive(Debug)]
pub(crate) struct Store {
    id: u64,
    labels: Vec<(String, String)>,
    connection: StoreConnection,
    /// Whether it did not answer the last time.
    is_lost: AtomicBool,
    is_checked: AtomicBool,
    /// Whether PD is to be asked where it is.
    is_doubted: AtomicBool,
}

impl Store {
    fn new(told: metapb::Store, options: &StoreOptions) -> Result<Self, Failure> {
        let address = Address::parse(&told.address, DEFAULT_PORT).map_err(|why| {
            let message = format!("the address of store {} is none: {why}", told.id);
            Failure::new(ErrorKind::Protocol, message)
        })?;
        Ok(Self {
            id: told.id,
            labels: told.labels.into_iter().map(|label| (label.key, label.value)).collect(),
            connection: StoreConnection::new(&address, options.clone()),
            is_lost: AtomicBool::new(false),
            is_checked: AtomicBool::new(false),
            is_doubted: AtomicBool::new(false),
        })
    }

    #[cfg(test)]
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// `host:port`.
    pub(crate) fn peer(&self) -> &Arc<str> {
        self.connection.peer()
    }

    pub(crate) fn connection(&self) -> &StoreConnection {
        &self.connection
    }

    /// Whether it has all of these labels.
    pub(super) fn has(&self, labels: &[(String, String)]) -> bool {
        labels.iter().all(|label| self.labels.contains(label))
    }

    /// Whether it answered the last time, as far as is known.
    pub(super) fn is_reachable(&self) -> bool {
        !self.is_lost.load(Ordering::Relaxed)
    }

    pub(super) fn is_slow(&self) -> bool {
        self.connection.slow_score() >= SLOW
    }

    fn is_at(&self, told: &metapb::Store) -> bool {
        Address::parse(&told.address, DEFAULT_PORT).is_ok_and(|address| **self.peer() == address.to_string())
    }
}

/// The stores that are known.
#[derive(Debug)]
pub(super) struct Stores {
    known: RwLock<HashMap<u64, Arc<Store>>>,
    options: StoreOptions,
    /// When PD was asked for all of them.
    refreshed: Mutex<Instant>,
    is_closed: AtomicBool,
}

impl Stores {
    pub(super) fn new(options: StoreOptions) -> Self {
        let refreshed = Mutex::new(Instant::now());
        Self { known: RwLock::default(), options, refreshed, is_closed: AtomicBool::new(false) }
    }

    /// A store that is known, and of which it is not known that it has moved.
    pub(super) fn get(&self, id: u64) -> Option<Arc<Store>> {
        let known = self.known.read();
        known.get(&id).filter(|store| !store.is_doubted.load(Ordering::Relaxed)).cloned()
    }

    /// The same of one that may have moved.
    pub(super) fn any(&self, id: u64) -> Option<Arc<Store>> {
        self.known.read().get(&id).cloned()
    }

    /// A store, for which PD is asked if need be.
    pub(super) async fn find(&self, pd: &Pd, id: u64, deadline: Instant) -> Result<Arc<Store>, Failure> {
        if let Some(store) = self.get(id) {
            return Ok(store);
        }
        match pd.store(id, deadline).await {
            Ok(told) => self.learn(told),
            Err(failure) if failure.kind == ErrorKind::NotFound => Err(self.forget(id)),
            // What was known is better than nothing.
            Err(failure) => self.any(id).ok_or(failure),
        }
    }

    /// Asks PD for all of them, if none is known.
    pub(super) async fn meet(&self, pd: &Pd, deadline: Instant) {
        if self.known.read().is_empty() {
            // What can't be had of all is asked for of each.
            let told = pd.all_stores(deadline).await.unwrap_or_default();
            told.into_iter().for_each(|told| drop(self.learn(told)));
        }
    }

    /// Has PD asked for all of them, in the background, if that has not been done for long.
    pub(super) fn refresh(self: &Arc<Self>, pd: &Pd) {
        let mut refreshed = self.refreshed.lock();
        if refreshed.elapsed() < BELIEVED {
            return;
        }
        *refreshed = Instant::now();
        let (stores, pd) = (Arc::downgrade(self), pd.clone());
        tokio::spawn(async move {
            let told = pd.all_stores(Instant::now() + IN_THE_BACKGROUND).await.unwrap_or_default();
            let Some(stores) = stores.upgrade() else { return };
            // One that is unknown or no more is of no use to anybody now.
            told.into_iter().filter(|told| stores.any(told.id).is_some()).for_each(|told| drop(stores.learn(told)));
        });
    }

    /// Takes note of what PD says of a store.
    pub(super) fn learn(&self, told: metapb::Store) -> Result<Arc<Store>, Failure> {
        if told.state == i32::from(StoreState::Tombstone) {
            return Err(self.forget(told.id));
        }
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(failure::closed());
        }
        let mut known = self.known.write();
        let labels = |label: &metapb::StoreLabel| (label.key.clone(), label.value.clone());
        if let Some(store) = known.get(&told.id)
            && store.is_at(&told)
            && told.labels.iter().map(labels).eq(store.labels.iter().cloned())
        {
            store.is_doubted.store(false, Ordering::Relaxed);
            return Ok(Arc::clone(store));
        }
        let store = Arc::new(Store::new(told, &self.options)?);
        if let Some(before) = known.insert(store.id, Arc::clone(&store)) {
            // Calls that are under way may still be answered: its connections end with the last of them.
            debug!(store = store.id, before = %before.peer(), now = %store.peer(), "a store has moved");
        }
        Ok(store)
    }

    fn forget(&self, id: u64) -> Failure {
        self.known.write().remove(&id);
        Failure::new(ErrorKind::NotFound, format!("store {id} is no more"))
    }

    /// Another store answers at its address.
    pub(super) fn doubt(store: &Store) {
        store.is_doubted.store(true, Ordering::Relaxed);
    }

    /// A store did not answer, or the connection to it was lost. It is passed over where there are others, until it answers a question
    /// that is put to it in the background.
    pub(super) fn lost(self: &Arc<Self>, pd: &Pd, store: &Arc<Store>) {
        store.is_lost.store(true, Ordering::Relaxed);
        if !store.is_checked.swap(true, Ordering::Relaxed) {
            tokio::spawn(check(Arc::downgrade(self), pd.clone(), Arc::downgrade(store)));
        }
    }

    #[cfg(test)]
    pub(super) fn all(&self) -> Vec<Arc<Store>> {
        self.known.read().values().cloned().collect()
    }

    pub(super) fn close(&self) {
        let mut known = self.known.write();
        self.is_closed.store(true, Ordering::Relaxed);
        known.drain().for_each(|(_, store)| store.connection.close());
    }
}

/// Asks a store whether it is there, until it is, or nobody uses it any more.
async fn check(stores: Weak<Stores>, pd: Pd, store: Weak<Store>) {
    let mut pause = CHECK_AGAIN;
    for checks in 1_u32.. {
        let Some(asked) = store.upgrade() else { return };
        if asked.connection.is_live(Instant::now() + CHECK).await {
            asked.is_checked.store(false, Ordering::Relaxed);
            asked.is_lost.store(false, Ordering::Relaxed);
            return;
        }
        if checks % CHECKS_OF_ONE_ADDRESS == 1 {
            let told = pd.store(asked.id, Instant::now() + IN_THE_BACKGROUND).await;
            let Some(stores) = stores.upgrade() else { return };
            // It is replaced by one at another address, for those who look it up from now on.
            if told.is_ok_and(|told| stores.learn(told).is_ok_and(|now| !Arc::ptr_eq(&now, &asked))) {
                return;
            }
        }
        drop(asked);
        tokio::time::sleep(pause).await;
        pause = CHECK_AT_LEAST.min(2 * pause);
    }
}
