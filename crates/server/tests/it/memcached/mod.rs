//! memcached over sockets, byte by byte.

mod admin;
mod authentication;
mod binary;
mod classic;
mod expiry;
mod hostile;
mod limits;
mod meta;
mod pipelining;
mod sockets;
mod stats;
mod support;
mod tls;
