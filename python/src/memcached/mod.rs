//! memcached.
//!
//! - `client` has the calls, `options` says what Python's keyword arguments mean, `answers` makes Python's records of what Rust gives;
//! - `codec` says what becomes of values, and `messagepack` is what gomemcached makes of them;
//! - `compute` has one of many compute a value, by a function of Python's;
//! - `changes` tells what becomes of servers.

mod answers;
mod changes;
mod client;
mod codec;
mod compute;
mod messagepack;
mod options;

#[pyo3::pymodule]
pub(crate) mod memcached {
    #[pymodule_export]
    use super::changes::{AsyncServerChanges, ServerChanges};
    #[pymodule_export]
    use super::client::{AsyncClient, Client};
    #[pymodule_export]
    use super::compute::{AsyncLease, Lease};
    #[pymodule_export]
    use super::messagepack::{pack, unpack};
}
