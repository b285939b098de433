//! What PD remembers of its own: read at any time, changed by one at a time, and on the disk before a change shows.

use std::sync::Arc;

use charioteer_engine::Error;
use parking_lot::{Mutex, RwLock};

use crate::backend::aside;
use crate::tikv::cluster::{Ledger, Page};

/// Something that PD remembers.
#[derive(Debug)]
pub(super) struct Remembered<T> {
    ledger: Ledger,
    now: RwLock<Arc<T>>,
    changing: Mutex<()>,
}

impl<T: Clone + Send + Sync + 'static> Remembered<T> {
    /// What was read from the ledger.
    pub(super) fn new(ledger: &Ledger, now: T) -> Arc<Self> {
        let (now, changing) = (RwLock::new(Arc::new(now)), Mutex::new(()));
        Arc::new(Self { ledger: ledger.clone(), now, changing })
    }

    /// As it is.
    pub(super) fn now(&self) -> Arc<T> {
        Arc::clone(&self.now.read())
    }

    /// Changes it as `change` says, which also writes down what it changes. After an error nothing has changed; whoever does not wait for
    /// the end does not hinder it.
    pub(super) async fn change<R, E>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut T, &mut Page<'_>) -> Result<R, E> + Send + 'static,
    ) -> Result<R, E>
    where
        R: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let this = Arc::clone(self);
        aside(move || {
            let _one_at_a_time = this.changing.lock();
            let mut changed = T::clone(&this.now());
            let mut page = this.ledger.page();
            let done = change(&mut changed, &mut page)?;
            page.write()?;
            *this.now.write() = Arc::new(changed);
            Ok(done)
        })
        .await
    }
}
