//! What PD remembers of its own: read at any time, changed by one at a time, and on the disk before a change shows.

use std::sync::Arc;

use charioteer_engine::Error;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::backend::aside;
use crate::tikv::cluster::{Ledger, Page};

/// Something that PD remembers.
#[derive(Debug)]
pub(super) struct Remembered<T> {
    ledger: Ledger,
    now: watch::Sender<Arc<T>>,
    changing: Mutex<()>,
}

impl<T: Clone + Send + Sync + 'static> Remembered<T> {
    /// What was read from the ledger.
    pub(super) fn new(ledger: &Ledger, now: T) -> Arc<Self> {
        let (now, _) = watch::channel(Arc::new(now));
        Arc::new(Self { ledger: ledger.clone(), now, changing: Mutex::new(()) })
    }

    /// As it is.
    pub(super) fn now(&self) -> Arc<T> {
        Arc::clone(&self.now.borrow())
    }

    /// As it is, and as it will be.
    pub(super) fn watch(&self) -> watch::Receiver<Arc<T>> {
        self.now.subscribe()
    }

    /// Changes it as `change` says, which also writes down what it changes. After an error nothing has changed. It may wait for the disk.
    pub(super) fn change_here<R, E: From<Error>>(
        &self,
        change: impl FnOnce(&mut T, &mut Page<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let _one_at_a_time = self.changing.lock();
        let mut changed = T::clone(&self.now());
        let mut page = self.ledger.page();
        let done = change(&mut changed, &mut page)?;
        page.write()?;
        self.now.send_replace(Arc::new(changed));
        Ok(done)
    }

    /// The same where it holds nobody up. Whoever does not wait for the end does not hinder it.
    pub(super) async fn change<R, E>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut T, &mut Page<'_>) -> Result<R, E> + Send + 'static,
    ) -> Result<R, E>
    where
        R: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let this = Arc::clone(self);
        aside(move || this.change_here(change)).await
    }
}
