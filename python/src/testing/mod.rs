//! Servers for tests.

mod server;

#[pyo3::pymodule(submodule)]
pub(crate) mod testing {
    #[pymodule_export]
    use super::server::TestServer;
}
