//! Servers for tests, with their clock, and faults of each protocol.

mod fault;
mod memcached;
mod pegasus;
mod server;
mod tikv;

#[pyo3::pymodule(submodule)]
pub(crate) mod testing {
    #[pymodule_export]
    use super::fault::Injected;
    #[pymodule_export]
    use super::memcached::Memcached;
    #[pymodule_export]
    use super::pegasus::Pegasus;
    #[pymodule_export]
    use super::server::{Certificates, Clock, TestServer};
    #[pymodule_export]
    use super::tikv::{Lagging, Tikv};
}
