//! memcached over sockets, byte by byte.

mod admin;
mod authentication;
mod beside;
mod binary;
mod classic;
mod durable;
mod expiry;
mod hooks;
mod hostile;
mod limits;
mod meta;
mod pipelining;
mod sockets;
mod stats;
mod support;
mod tls;
