//! TiKV and PD over sockets, message by message.

mod batches;
mod calls;
mod connections;
mod hooks;
mod hostile;
mod memory;
mod raw;
mod restarts;
mod streams;
mod support;
mod tls;
mod txn;
mod web;
