//! For programs without a runtime of their own.

use std::future::Future;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{Error, ErrorKind, Failure};

/// Threads that read and write for callers that wait.
const THREADS: usize = 2;

/// Waits for any of this crate's futures, from a program that has no runtime: connections live on a runtime in the background,
/// which is made when it is first needed and serves the whole program.
///
/// Everything made in such a call (clients, tables, scanners) is used in further ones.
///
/// # Errors
/// The future's own. From inside a runtime, where waiting would stand in everybody's way: [`ErrorKind::Unsupported`], and the future
/// is dropped without having begun; `await` it there. Also when the background threads can't be started.
///
/// ```
/// use charioteer::pegasus::{Client, Options};
///
/// let client = charioteer::block_on(async { Client::new(Options::from_url("pegasus://127.0.0.1:34601")?) })?;
/// client.close();
/// # Ok::<(), charioteer::Error>(())
/// ```
pub fn block_on<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    if Handle::try_current().is_ok() {
        let message =
            "block_on was called from inside a runtime: await the future, or wait by that runtime's Handle::block_on";
        return Err(Failure::new(ErrorKind::Unsupported, message).into());
    }
    runtime()?.block_on(future)
}

fn runtime() -> Result<&'static Runtime, Error> {
    static RUNTIME: OnceLock<Result<Runtime, std::io::ErrorKind>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let built = Builder::new_multi_thread().worker_threads(THREADS).thread_name("charioteer").enable_all().build();
        built.map_err(|error| error.kind())
    });
    runtime.as_ref().map_err(|error| {
        Failure::new(ErrorKind::Unavailable, format!("the background threads can't be started: {error}")).into()
    })
}
