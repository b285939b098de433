//! Where the calls of asyncio's clients run.

use parking_lot::Mutex;
use pyo3::prelude::*;
use tokio::runtime::{Builder, Handle};

use crate::bridge::error::no_threads;
use crate::bridge::fork::generation;

/// Threads that read and write in the background. One keeps up with more calls than Python makes, and with a second they would
/// wake each other for most of them.
const THREADS: usize = 1;

/// The runtime of asyncio's clients, which serves the process to its end.
pub(super) fn background() -> PyResult<Handle> {
    static BACKGROUND: Mutex<Option<(u64, Handle)>> = Mutex::new(None);
    let mut background = BACKGROUND.lock();
    if let Some((of, handle)) = &*background
        && *of == generation()
    {
        return Ok(handle.clone());
    }
    let built = Builder::new_multi_thread().worker_threads(THREADS).thread_name("charioteer").enable_all().build();
    let runtime = built.map_err(|error| Python::attach(|py| no_threads(py, &error)))?;
    let handle = runtime.handle().clone();
    std::mem::forget(runtime);
    // Of one that was before a fork nothing may be touched any more.
    std::mem::forget(background.replace((generation(), handle.clone())));
    Ok(handle)
}
