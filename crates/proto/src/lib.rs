//! The wire formats that Charioteer speaks, without I/O: bytes in, typed messages out, and back.
//!
//! This crate has no socket, file or clock to name (`no_std` with `alloc`), so that client and server can share it and still be
//! evidence for each other's behaviour. Three promises hold for every decoder here:
//!
//! - it never panics, whatever the bytes;
//! - it never takes memory on the word of a length it has not checked against the bytes at hand;
//! - when it fails it says what it was reading, where, and why ([`DecodeError`]; TiKV's messages have `prost`'s
//!   own error, which knows no place but the field).
//!
//! [`memcached`] holds memcached's three protocols, [`pegasus`] Apache Pegasus' frames, messages and keys,
//! [`tikv`] the messages of TiKV and PD, their methods, keys and timestamps.

#![no_std]

extern crate alloc;

mod error;
pub mod memcached;
pub mod pegasus;
#[cfg(feature = "tikv")]
pub mod tikv;

pub use error::{DecodeError, DecodeFailure};
