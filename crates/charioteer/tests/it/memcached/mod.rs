//! The client of memcached.

mod calls;
mod chaos;
mod compression;
mod compute;
#[cfg(feature = "tls")]
mod discovery;
mod expiry;
mod fake;
mod hostile;
mod keys;
mod leases;
mod lines;
mod many;
mod options;
mod runtimes;
mod servers;
mod sign_on;
mod sockets;
mod storm;
mod support;
#[cfg(feature = "tls")]
mod tls;
