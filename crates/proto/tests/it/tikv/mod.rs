//! TiKV's messages, methods and keys.

mod batch;
mod checks;
mod golden;
mod hostile;
mod keys;
mod memory;
mod rpc;
mod table;
mod vectors;
