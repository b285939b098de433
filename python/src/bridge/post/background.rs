//! Where the calls of asyncio's clients run.

use std::mem::ManuallyDrop;

use pyo3::prelude::*;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::bridge::error::no_threads;
use crate::bridge::fork::of_this_process;

/// Threads that read and write in the background. One keeps up with more calls than Python makes, and with a second they would
/// wake each other for most of them.
const THREADS: usize = 1;

/// The runtime of asyncio's clients, which serves the process to its end.
struct Background(ManuallyDrop<Runtime>);

pub(super) fn background() -> PyResult<Handle> {
    let background = of_this_process(|| {
        let mut threads = Builder::new_multi_thread();
        let threads = threads.worker_threads(THREADS).thread_name("charioteer").enable_all();
        threads.build().map(|runtime| Background(ManuallyDrop::new(runtime)))
    });
    let background = background.map_err(|error| Python::attach(|py| no_threads(py, &error)))?;
    Ok(background.0.handle().clone())
}
