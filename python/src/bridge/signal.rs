//! On which thread signals are handled.

use std::cell::Cell;

use pyo3::intern;
use pyo3::prelude::*;

use super::fork::generation;

thread_local! {
    /// Whether this thread is the main one, in a process of this generation.
    static IS_MAIN: Cell<Option<(u64, bool)>> = const { Cell::new(None) };
}

/// Whether this thread is the one on which Python runs the handlers of signals.
pub(super) fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    if let Some((of, is_main)) = IS_MAIN.get()
        && of == generation()
    {
        return Ok(is_main);
    }
    let threading = py.import(intern!(py, "threading"))?;
    let current = threading.call_method0(intern!(py, "current_thread"))?;
    let is_main = current.is(threading.call_method0(intern!(py, "main_thread"))?);
    IS_MAIN.set(Some((generation(), is_main)));
    Ok(is_main)
}
