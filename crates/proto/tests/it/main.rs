//! What the wire formats promise: golden bytes, round trips, and calm in the face of anything else.

#![allow(clippy::unwrap_used, reason = "clippy allows it in tests and not in what they share")]

mod checks;
mod frames;
mod golden;
mod hostile;
mod memcached;
mod memory;
mod names;
mod replay;
mod roundtrip;
mod schema;
mod table;
#[cfg(feature = "tikv")]
mod tikv;
mod vectors;
