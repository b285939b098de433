//! The server as its clients meet it: over sockets, byte by byte.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod cluster;
mod concurrency;
mod data;
mod hostile;
mod http;
mod limits;
mod memcached;
mod meta;
mod on_disk;
mod pipelining;
mod shutdown;
mod start;
mod support;
mod testing;
mod tikv;
