//! Waiting until a store that is being closed has let go of its folder.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Tells when the last of a store is gone, its keyspaces included: its folder can be opened again then.
///
/// Dropping one's own clones is not enough to know: work that was handed in may hold the store a moment longer than its answer tells.
///
/// ```
/// use std::time::Duration;
///
/// use charioteer_engine::{Db, DiskOptions};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path();
/// let db = Db::open(path, DiskOptions::default())?;
/// let closing = db.closing();
/// assert!(!closing.wait(Duration::ZERO));
/// drop(db);
/// assert!(closing.wait(Duration::from_secs(10)));
/// Db::open(path, DiskOptions::default())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Closing {
    /// A store in memory has no folder that it could hold.
    folder: Option<Arc<Gate>>,
}

impl Closing {
    pub(crate) const fn of_memory() -> Self {
        Self { folder: None }
    }

    /// Waits until the store has let go of its folder, at most so long, and says whether it has. It holds up the thread.
    #[must_use]
    pub fn wait(&self, at_most: Duration) -> bool {
        let Some(gate) = &self.folder else { return true };
        let mut is_closed = gate.is_closed.lock();
        gate.closed.wait_while_for(&mut is_closed, |is_closed| !*is_closed, at_most);
        *is_closed
    }
}

#[derive(Debug, Default)]
struct Gate {
    is_closed: Mutex<bool>,
    closed: Condvar,
}

/// Lives as long as a store holds its folder.
#[derive(Debug, Default)]
pub(crate) struct HeldOpen(Arc<Gate>);

impl HeldOpen {
    pub(crate) fn closing(&self) -> Closing {
        Closing { folder: Some(Arc::clone(&self.0)) }
    }
}

impl Drop for HeldOpen {
    fn drop(&mut self) {
        *self.0.is_closed.lock() = true;
        self.0.closed.notify_all();
    }
}
