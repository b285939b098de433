//! Tests of the clients, against the server for tests.

#![allow(clippy::unwrap_used, reason = "tests say no more than that it went wrong")]

mod chaos;
#[cfg(feature = "memcached")]
mod memcached;
#[cfg(feature = "pegasus")]
mod pegasus;
#[cfg(feature = "tikv")]
mod tikv;
