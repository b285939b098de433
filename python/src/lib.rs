//! What Python's packages stand on: the clients, the bridge between Python and their futures, and servers for tests.
//!
//! `bridge` says how a call gets from Python to a client and its answer back; a client is a folder beside it.

mod bridge;
mod memcached;
mod pegasus;
mod pypegasus;
mod stats;
mod testing;
mod tikv;
mod url;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _charioteer {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::bridge::{Echo, Mailbox, after_fork, log_level, next_logs, stop_logs};
    #[pymodule_export]
    use crate::memcached::memcached;
    #[pymodule_export]
    use crate::pegasus::pegasus;
    #[pymodule_export]
    use crate::pypegasus::pypegasus;
    #[pymodule_export]
    use crate::testing::testing;
    #[pymodule_export]
    use crate::tikv::tikv;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::importable(module, &["memcached", "pegasus", "pypegasus", "testing", "tikv"])
    }
}

/// Modules inside of a native one are found by `import` only when they are noted where it looks.
fn importable(module: &Bound<'_, PyModule>, inner: &[&str]) -> PyResult<()> {
    let modules = module.py().import("sys")?.getattr("modules")?;
    for name in inner {
        let inner = module.getattr(*name)?;
        let full = format!("charioteer._charioteer.{name}");
        inner.setattr("__name__", &full)?;
        modules.set_item(full, inner)?;
    }
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
