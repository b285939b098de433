//! The client of memcached.

mod calls;
#[cfg(feature = "tls")]
mod discovery;
mod expiry;
mod fake;
mod hostile;
mod many;
mod options;
mod servers;
mod sign_on;
mod sockets;
mod support;
#[cfg(feature = "tls")]
mod tls;
