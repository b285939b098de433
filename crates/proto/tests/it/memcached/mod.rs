//! memcached's three protocols.

mod binary;
pub(crate) mod checks;
mod classic;
mod golden;
mod hostile;
mod memory;
mod messages;
mod meta;
mod others;
mod replay;
mod roundtrip;
pub(crate) mod vectors;
